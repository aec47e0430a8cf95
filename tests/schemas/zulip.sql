-- entity: zulip.zerver_realm
CREATE SCHEMA zulip;
CREATE TABLE zulip.zerver_realm (id integer PRIMARY KEY, string_id varchar(40) NOT NULL UNIQUE, new_stream_announcements_stream_id integer);
CREATE TABLE zulip.zerver_recipient (id integer PRIMARY KEY, type_id integer NOT NULL, type smallint NOT NULL);
CREATE TABLE zulip.zerver_stream (id integer PRIMARY KEY, name varchar(60) NOT NULL, realm_id integer NOT NULL REFERENCES zulip.zerver_realm,
  recipient_id integer REFERENCES zulip.zerver_recipient);
ALTER TABLE zulip.zerver_realm ADD FOREIGN KEY (new_stream_announcements_stream_id) REFERENCES zulip.zerver_stream;
CREATE TABLE zulip.zerver_userprofile (id integer PRIMARY KEY, email varchar(254) NOT NULL, realm_id integer NOT NULL REFERENCES zulip.zerver_realm,
  bot_owner_id integer REFERENCES zulip.zerver_userprofile, default_sending_stream_id integer REFERENCES zulip.zerver_stream,
  recipient_id integer REFERENCES zulip.zerver_recipient);
CREATE TABLE zulip.zerver_client (id integer PRIMARY KEY, name varchar(30) NOT NULL);
CREATE TABLE zulip.zerver_message (id integer PRIMARY KEY, sender_id integer NOT NULL REFERENCES zulip.zerver_userprofile,
  recipient_id integer NOT NULL REFERENCES zulip.zerver_recipient, realm_id integer NOT NULL REFERENCES zulip.zerver_realm,
  sending_client_id integer NOT NULL REFERENCES zulip.zerver_client);
CREATE TABLE zulip.zerver_usermessage (id bigint PRIMARY KEY, user_profile_id integer NOT NULL REFERENCES zulip.zerver_userprofile,
  message_id integer NOT NULL REFERENCES zulip.zerver_message);
CREATE TABLE zulip.zerver_reaction (id integer PRIMARY KEY, user_profile_id integer NOT NULL REFERENCES zulip.zerver_userprofile,
  message_id integer NOT NULL REFERENCES zulip.zerver_message);
CREATE TABLE zulip.zerver_subscription (id integer PRIMARY KEY, user_profile_id integer NOT NULL REFERENCES zulip.zerver_userprofile,
  recipient_id integer NOT NULL REFERENCES zulip.zerver_recipient);
CREATE TABLE zulip.zerver_attachment (id integer PRIMARY KEY, owner_id integer NOT NULL REFERENCES zulip.zerver_userprofile, realm_id integer NOT NULL REFERENCES zulip.zerver_realm);
CREATE TABLE zulip.zerver_attachment_messages (id integer PRIMARY KEY, attachment_id integer NOT NULL REFERENCES zulip.zerver_attachment,
  message_id integer NOT NULL REFERENCES zulip.zerver_message);
CREATE TABLE zulip.zerver_realmemoji (id integer PRIMARY KEY, realm_id integer NOT NULL REFERENCES zulip.zerver_realm, author_id integer REFERENCES zulip.zerver_userprofile);
