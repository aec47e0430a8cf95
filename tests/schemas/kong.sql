-- entity: workspaces
CREATE TABLE workspaces (id uuid PRIMARY KEY, name text UNIQUE);
CREATE TABLE certificates (id uuid PRIMARY KEY, cert text, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id));
CREATE TABLE snis (id uuid PRIMARY KEY, name text NOT NULL UNIQUE, certificate_id uuid, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  FOREIGN KEY (certificate_id, ws_id) REFERENCES certificates (id, ws_id));
CREATE TABLE services (id uuid PRIMARY KEY, name text, client_certificate_id uuid, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  UNIQUE (ws_id, name), FOREIGN KEY (client_certificate_id, ws_id) REFERENCES certificates (id, ws_id));
CREATE TABLE routes (id uuid PRIMARY KEY, name text, service_id uuid, paths text[], ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  FOREIGN KEY (service_id, ws_id) REFERENCES services (id, ws_id));
CREATE TABLE consumers (id uuid PRIMARY KEY, username text, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id), UNIQUE (ws_id, username));
CREATE TABLE plugins (id uuid PRIMARY KEY, name text NOT NULL, consumer_id uuid, service_id uuid, route_id uuid, config jsonb NOT NULL,
  ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  FOREIGN KEY (consumer_id, ws_id) REFERENCES consumers (id, ws_id) ON DELETE CASCADE,
  FOREIGN KEY (route_id, ws_id) REFERENCES routes (id, ws_id) ON DELETE CASCADE,
  FOREIGN KEY (service_id, ws_id) REFERENCES services (id, ws_id) ON DELETE CASCADE);
CREATE TABLE upstreams (id uuid PRIMARY KEY, name text, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id));
CREATE TABLE targets (id uuid PRIMARY KEY, upstream_id uuid, target text NOT NULL, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  FOREIGN KEY (upstream_id, ws_id) REFERENCES upstreams (id, ws_id) ON DELETE CASCADE);
CREATE TABLE keyauth_credentials (id uuid PRIMARY KEY, consumer_id uuid, key text, ws_id uuid REFERENCES workspaces, UNIQUE (id, ws_id),
  FOREIGN KEY (consumer_id, ws_id) REFERENCES consumers (id, ws_id) ON DELETE CASCADE);
CREATE TABLE acls (id uuid PRIMARY KEY, consumer_id uuid, "group" text, ws_id uuid REFERENCES workspaces,
  FOREIGN KEY (consumer_id, ws_id) REFERENCES consumers (id, ws_id) ON DELETE CASCADE);
CREATE TABLE tags (entity_id uuid PRIMARY KEY, entity_name text, tags text[]);
