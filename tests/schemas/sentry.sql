-- entity: sentry_organization
CREATE EXTENSION citext;
CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(128) NOT NULL UNIQUE);
CREATE TABLE sentry_organization (id bigint PRIMARY KEY, slug citext NOT NULL UNIQUE);
CREATE TABLE sentry_team (id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES sentry_organization, slug citext NOT NULL);
CREATE TABLE sentry_project (id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES sentry_organization, slug citext);
CREATE TABLE sentry_projectteam (id bigint PRIMARY KEY, project_id bigint NOT NULL REFERENCES sentry_project, team_id bigint NOT NULL REFERENCES sentry_team);
CREATE TABLE sentry_organizationmember (id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES sentry_organization,
  user_id bigint REFERENCES auth_user, inviter_id bigint REFERENCES auth_user);
CREATE TABLE sentry_organizationmember_teams (id serial PRIMARY KEY, organizationmember_id bigint NOT NULL REFERENCES sentry_organizationmember,
  team_id bigint NOT NULL REFERENCES sentry_team);
CREATE TABLE sentry_release (id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES sentry_organization, version varchar(250) NOT NULL);
CREATE TABLE sentry_groupedmessage (id bigint PRIMARY KEY, project_id bigint REFERENCES sentry_project,
  first_release_id bigint REFERENCES sentry_release);
CREATE TABLE sentry_groupasignee (id bigint PRIMARY KEY, group_id bigint NOT NULL UNIQUE REFERENCES sentry_groupedmessage,
  team_id bigint REFERENCES sentry_team, user_id bigint REFERENCES auth_user, project_id bigint NOT NULL REFERENCES sentry_project);
CREATE TABLE sentry_activity (id bigint PRIMARY KEY, group_id bigint REFERENCES sentry_groupedmessage,
  project_id bigint NOT NULL REFERENCES sentry_project, user_id bigint REFERENCES auth_user);
CREATE TABLE sentry_environment (id bigint PRIMARY KEY, organization_id bigint NOT NULL, name varchar(64) NOT NULL);
CREATE TABLE sentry_environmentproject (id bigint PRIMARY KEY, project_id bigint NOT NULL REFERENCES sentry_project,
  environment_id bigint NOT NULL REFERENCES sentry_environment);
CREATE TABLE sentry_rule (id bigint PRIMARY KEY, project_id bigint NOT NULL REFERENCES sentry_project, environment_id integer);
