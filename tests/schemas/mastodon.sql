-- entity: accounts
CREATE TABLE accounts (id bigint PRIMARY KEY, username varchar NOT NULL, moved_to_account_id bigint REFERENCES accounts);
CREATE TABLE users (id bigint PRIMARY KEY, email varchar NOT NULL, account_id bigint NOT NULL REFERENCES accounts,
  invite_id bigint, created_by_application_id bigint);
CREATE TABLE invites (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, code varchar NOT NULL);
ALTER TABLE users ADD FOREIGN KEY (invite_id) REFERENCES invites;
CREATE TABLE oauth_applications (id bigint PRIMARY KEY, owner_id bigint REFERENCES users, owner_type varchar);
ALTER TABLE users ADD FOREIGN KEY (created_by_application_id) REFERENCES oauth_applications;
CREATE TABLE statuses (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts,
  in_reply_to_id bigint REFERENCES statuses, reblog_of_id bigint REFERENCES statuses,
  in_reply_to_account_id bigint REFERENCES accounts);
CREATE TABLE media_attachments (id bigint PRIMARY KEY, status_id bigint REFERENCES statuses, account_id bigint REFERENCES accounts);
CREATE TABLE favourites (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, status_id bigint NOT NULL REFERENCES statuses);
CREATE TABLE follows (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, target_account_id bigint NOT NULL REFERENCES accounts);
CREATE TABLE tags (id bigint PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE statuses_tags (status_id bigint NOT NULL REFERENCES statuses, tag_id bigint NOT NULL REFERENCES tags,
  PRIMARY KEY (tag_id, status_id));
CREATE TABLE lists (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, title varchar NOT NULL);
CREATE TABLE list_accounts (id bigint PRIMARY KEY, list_id bigint NOT NULL REFERENCES lists,
  account_id bigint NOT NULL REFERENCES accounts, follow_id bigint REFERENCES follows);
CREATE TABLE polls (id bigint PRIMARY KEY, account_id bigint REFERENCES accounts, status_id bigint REFERENCES statuses);
CREATE TABLE poll_votes (id bigint PRIMARY KEY, account_id bigint REFERENCES accounts, poll_id bigint REFERENCES polls);
CREATE TABLE notifications (id bigint PRIMARY KEY, activity_id bigint NOT NULL, activity_type varchar NOT NULL,
  account_id bigint NOT NULL REFERENCES accounts, from_account_id bigint NOT NULL REFERENCES accounts);
