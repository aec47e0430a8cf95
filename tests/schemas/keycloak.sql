-- entity: realm
CREATE TABLE realm (id varchar(36) PRIMARY KEY, name varchar(255) UNIQUE, master_admin_client varchar(36));
CREATE TABLE realm_attribute (name varchar(255) NOT NULL, realm_id varchar(36) NOT NULL REFERENCES realm, value text, PRIMARY KEY (name, realm_id));
CREATE TABLE client (id varchar(36) PRIMARY KEY, client_id varchar(255), realm_id varchar(36));
CREATE TABLE keycloak_role (id varchar(36) PRIMARY KEY, name varchar(255), client varchar(36), realm varchar(36) REFERENCES realm);
CREATE TABLE composite_role (composite varchar(36) NOT NULL REFERENCES keycloak_role, child_role varchar(36) NOT NULL REFERENCES keycloak_role,
  PRIMARY KEY (composite, child_role));
CREATE TABLE role_attribute (id varchar(36) PRIMARY KEY, role_id varchar(36) NOT NULL REFERENCES keycloak_role, name varchar(255) NOT NULL);
CREATE TABLE user_federation_provider (id varchar(36) PRIMARY KEY, realm_id varchar(36) REFERENCES realm);
CREATE TABLE user_federation_config (user_federation_provider_id varchar(36) NOT NULL REFERENCES user_federation_provider,
  value varchar(255), name varchar(255) NOT NULL, PRIMARY KEY (user_federation_provider_id, name));
CREATE TABLE authentication_flow (id varchar(36) PRIMARY KEY, alias varchar(255), realm_id varchar(36) REFERENCES realm);
CREATE TABLE authentication_execution (id varchar(36) PRIMARY KEY, realm_id varchar(36) REFERENCES realm, flow_id varchar(36) REFERENCES authentication_flow);
CREATE TABLE identity_provider (internal_id varchar(36) PRIMARY KEY, realm_id varchar(36) REFERENCES realm, provider_alias varchar(255));
CREATE TABLE identity_provider_config (identity_provider_id varchar(36) NOT NULL REFERENCES identity_provider, value text,
  name varchar(255) NOT NULL, PRIMARY KEY (identity_provider_id, name));
CREATE TABLE user_entity (id varchar(36) PRIMARY KEY, email varchar(255), realm_id varchar(255));
CREATE TABLE user_role_mapping (role_id varchar(255) NOT NULL, user_id varchar(36) NOT NULL REFERENCES user_entity, PRIMARY KEY (role_id, user_id));
CREATE TABLE component (id varchar(36) PRIMARY KEY, name varchar(255), realm_id varchar(36) REFERENCES realm);
CREATE TABLE component_config (id varchar(36) PRIMARY KEY, component_id varchar(36) NOT NULL REFERENCES component, name varchar(255) NOT NULL);
