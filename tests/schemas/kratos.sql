-- entity: networks
CREATE TABLE networks (id uuid PRIMARY KEY, created_at timestamp NOT NULL);
CREATE TABLE identities (id uuid PRIMARY KEY, schema_id varchar(2048) NOT NULL, traits jsonb NOT NULL, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE identity_credential_types (id uuid PRIMARY KEY, name varchar(32) NOT NULL);
CREATE TABLE identity_credentials (id uuid PRIMARY KEY, identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE,
  identity_credential_type_id uuid NOT NULL REFERENCES identity_credential_types ON DELETE CASCADE, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE identity_credential_identifiers (id uuid PRIMARY KEY, identifier varchar(255) NOT NULL,
  identity_credential_id uuid NOT NULL REFERENCES identity_credentials ON DELETE CASCADE,
  identity_credential_type_id uuid NOT NULL REFERENCES identity_credential_types, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE sessions (id uuid PRIMARY KEY, identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE, token varchar(39), nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE session_devices (id uuid PRIMARY KEY, session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE, nid uuid NOT NULL REFERENCES networks ON DELETE CASCADE);
CREATE TABLE identity_verifiable_addresses (id uuid PRIMARY KEY, value varchar(400) NOT NULL, identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE,
  nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE selfservice_recovery_flows (id uuid PRIMARY KEY, recovered_identity_id uuid REFERENCES identities ON DELETE CASCADE, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE identity_recovery_tokens (id uuid PRIMARY KEY, token varchar(64) NOT NULL, selfservice_recovery_flow_id uuid REFERENCES selfservice_recovery_flows ON DELETE CASCADE,
  identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE courier_messages (id uuid PRIMARY KEY, type int NOT NULL, nid uuid REFERENCES networks ON DELETE CASCADE);
CREATE TABLE courier_message_dispatches (id uuid PRIMARY KEY, message_id uuid NOT NULL REFERENCES courier_messages ON DELETE CASCADE, nid uuid NOT NULL);
