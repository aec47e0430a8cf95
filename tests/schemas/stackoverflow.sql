-- entity: users
CREATE TABLE users (id int PRIMARY KEY, display_name varchar(255));
CREATE TABLE badges (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, name varchar(255));
CREATE TABLE post_types (id smallint PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE posts (id int PRIMARY KEY, post_type_id smallint NOT NULL REFERENCES post_types, accepted_answer_id int REFERENCES posts,
  parent_id int REFERENCES posts, owner_user_id int REFERENCES users, last_editor_user_id int REFERENCES users);
CREATE TABLE comments (id int PRIMARY KEY, post_id int NOT NULL REFERENCES posts, user_id int REFERENCES users, score int NOT NULL);
CREATE TABLE link_types (id smallint PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE post_links (id bigint PRIMARY KEY, post_id int NOT NULL REFERENCES posts, related_post_id int NOT NULL REFERENCES posts,
  link_type_id smallint NOT NULL REFERENCES link_types);
CREATE TABLE votes (id bigint PRIMARY KEY, post_id int NOT NULL REFERENCES posts, user_id int REFERENCES users);
CREATE TABLE tags (id int PRIMARY KEY, tag_name varchar(255) NOT NULL, excerpt_post_id int REFERENCES posts, wiki_post_id int REFERENCES posts);
CREATE TABLE post_history (id bigint PRIMARY KEY, post_id int NOT NULL REFERENCES posts, revision_guid uuid NOT NULL, user_id int REFERENCES users);
