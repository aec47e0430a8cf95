-- The database of docs/saas.yml. Tenant …a (acme) is exported. What is called a decoy must not come.
CREATE SCHEMA app;
CREATE SCHEMA billing;
CREATE TYPE app.plan AS ENUM ('free', 'team', 'enterprise');
CREATE TYPE app.role AS ENUM ('owner', 'admin', 'member');
CREATE TYPE app.task_state AS ENUM ('open', 'done');
CREATE TYPE billing.invoice_state AS ENUM ('draft', 'sent', 'paid', 'void');

CREATE TABLE app.tenants (
  id uuid PRIMARY KEY,
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  plan app.plan NOT NULL,
  settings jsonb NOT NULL,
  domains text[],
  created_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE TABLE app.users (
  id uuid PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text,
  password_hash text
);
CREATE TABLE app.memberships (
  tenant_id uuid NOT NULL REFERENCES app.tenants,
  user_id uuid NOT NULL REFERENCES app.users,
  role app.role NOT NULL,
  joined_on date,
  PRIMARY KEY (tenant_id, user_id)
);
CREATE TABLE app.projects (
  tenant_id uuid NOT NULL REFERENCES app.tenants,
  no integer NOT NULL,
  name text NOT NULL,
  lead_id uuid REFERENCES app.users,
  budget numeric(12,2),
  archived boolean NOT NULL DEFAULT false,
  tags text[],
  deleted_at timestamptz,
  PRIMARY KEY (tenant_id, no)
);
-- The project's number is wider here than there.
CREATE TABLE app.tasks (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  project_no bigint,
  parent_id uuid REFERENCES app.tasks,
  title text NOT NULL,
  state app.task_state NOT NULL,
  assignee_id uuid REFERENCES app.users,
  due_on date,
  deleted_at timestamptz,
  FOREIGN KEY (tenant_id, project_no) REFERENCES app.projects
);
CREATE TABLE app.task_watchers (
  task_id uuid NOT NULL REFERENCES app.tasks,
  user_id uuid NOT NULL REFERENCES app.users,
  PRIMARY KEY (task_id, user_id)
);
-- subject_id is that of a task, or of an invoice.
CREATE TABLE app.comments (
  id uuid PRIMARY KEY,
  subject_type text NOT NULL,
  subject_id uuid NOT NULL,
  author_id uuid REFERENCES app.users,
  body text,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE TABLE app.audit_log (
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL,
  actor_id uuid,
  action text NOT NULL,
  details jsonb
);
CREATE TABLE billing.accounts (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL UNIQUE REFERENCES app.tenants,
  currency character(3) NOT NULL,
  vat_id varchar(20)
);
CREATE TABLE billing.invoices (
  id uuid PRIMARY KEY,
  number text NOT NULL UNIQUE,
  account_id uuid NOT NULL REFERENCES billing.accounts,
  state billing.invoice_state NOT NULL,
  issued_on date,
  total numeric(12,2)
);
CREATE TABLE billing.invoice_lines (
  invoice_id uuid NOT NULL REFERENCES billing.invoices,
  line smallint NOT NULL,
  description text,
  quantity numeric,
  unit_price numeric(12,4),
  PRIMARY KEY (invoice_id, line)
);
-- The number is a varchar here, a text there.
CREATE TABLE billing.payments (
  id uuid PRIMARY KEY,
  invoice_number varchar(20) NOT NULL REFERENCES billing.invoices (number),
  amount numeric(12,2) NOT NULL,
  received_at timestamptz NOT NULL
);

CREATE INDEX ON app.tasks (tenant_id, project_no);
CREATE INDEX ON app.tasks (parent_id);
CREATE INDEX ON app.comments (subject_id);
CREATE INDEX ON app.audit_log (tenant_id);
CREATE INDEX ON billing.invoices (account_id);
CREATE INDEX ON billing.payments (invoice_number);

INSERT INTO app.tenants VALUES
  ('7f0e2a00-0000-4000-8000-00000000000b', 'globex', 'Decoy', 'free', '{}', NULL, '2024-01-01 00:00:00+00', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', 'acme', 'Acme & Co', 'team',
   '{"theme": {"dark": true}, "seats": 5, "ratio": 1.50}', '{acme.example,"a \"b\"",NULL}',
   '2024-01-02 03:04:05.678901+02', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000c', 'initech', 'Gone', 'free', '{}', NULL, '2024-01-01 00:00:00+00',
   '2024-06-30 00:00:00+00');
INSERT INTO app.users VALUES
  ('01000000-0000-4000-8000-000000000003', 'cy@example.org', 'Cy', 'hush'),
  ('01000000-0000-4000-8000-000000000001', 'ann@example.org', 'Ann "A" O''Neil', 'hush'),
  ('01000000-0000-4000-8000-000000000002', 'bo@example.org', 'Bo', 'hush'),
  ('01000000-0000-4000-8000-000000000004', 'dee@example.org', 'Decoy', 'hush'),
  ('01000000-0000-4000-8000-000000000005', 'eli@example.org', NULL, 'hush'),
  ('01000000-0000-4000-8000-000000000006', 'fay@example.org', 'Fay', 'hush'),
  ('01000000-0000-4000-8000-000000000007', 'gus@example.org', E'Gus\tG.', 'hush');
INSERT INTO app.memberships VALUES
  ('7f0e2a00-0000-4000-8000-00000000000a', '01000000-0000-4000-8000-000000000001', 'owner', '2024-01-02'),
  ('7f0e2a00-0000-4000-8000-00000000000a', '01000000-0000-4000-8000-000000000002', 'member', '2024-02-01'),
  ('7f0e2a00-0000-4000-8000-00000000000a', '01000000-0000-4000-8000-000000000006', 'member', '2024-03-01'),
  ('7f0e2a00-0000-4000-8000-00000000000b', '01000000-0000-4000-8000-000000000001', 'member', '2024-04-01'),
  ('7f0e2a00-0000-4000-8000-00000000000b', '01000000-0000-4000-8000-000000000004', 'owner', NULL);
INSERT INTO app.projects VALUES
  ('7f0e2a00-0000-4000-8000-00000000000a', 2, 'Archive', NULL, NULL, true, '{}', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', 1, 'Website', '01000000-0000-4000-8000-000000000006', 1200.50, false,
   '{web,q&a}', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', 3, 'App', '01000000-0000-4000-8000-000000000002', 0, false, NULL, NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', 4, 'Decoy: deleted', '01000000-0000-4000-8000-000000000004', 1, false,
   NULL, '2024-03-01 00:00:00+00'),
  ('7f0e2a00-0000-4000-8000-00000000000b', 1, 'Decoy', '01000000-0000-4000-8000-000000000004', 1, false, NULL, NULL);
INSERT INTO app.tasks VALUES
  ('02000000-0000-4000-8000-000000000001', '7f0e2a00-0000-4000-8000-00000000000a', 1, NULL, 'Design', 'open',
   '01000000-0000-4000-8000-000000000001', '2024-05-01', NULL),
  ('02000000-0000-4000-8000-000000000002', '7f0e2a00-0000-4000-8000-00000000000a', 1, NULL, 'Build', 'done',
   NULL, NULL, NULL),
  ('02000000-0000-4000-8000-000000000003', '7f0e2a00-0000-4000-8000-00000000000a', 1,
   '02000000-0000-4000-8000-000000000001', 'Colours', 'open', '01000000-0000-4000-8000-000000000002', '2024-04-01', NULL),
  ('02000000-0000-4000-8000-000000000004', '7f0e2a00-0000-4000-8000-00000000000a', 1,
   '02000000-0000-4000-8000-000000000003', 'Red <b>', 'open', NULL, NULL, NULL),
  ('02000000-0000-4000-8000-000000000005', '7f0e2a00-0000-4000-8000-00000000000a', 1,
   '02000000-0000-4000-8000-000000000001', 'Decoy: deleted', 'open', '01000000-0000-4000-8000-000000000004', NULL,
   '2024-03-01 00:00:00+00'),
  ('02000000-0000-4000-8000-000000000006', '7f0e2a00-0000-4000-8000-00000000000a', 1,
   '02000000-0000-4000-8000-000000000005', 'Decoy: below it', 'open', '01000000-0000-4000-8000-000000000004', NULL, NULL),
  ('02000000-0000-4000-8000-000000000007', '7f0e2a00-0000-4000-8000-00000000000b', 1, NULL, 'Decoy', 'open',
   '01000000-0000-4000-8000-000000000004', NULL, NULL),
  ('02000000-0000-4000-8000-000000000008', '7f0e2a00-0000-4000-8000-00000000000a', 2, NULL, 'Old', 'done',
   NULL, '2023-01-01', NULL),
  ('02000000-0000-4000-8000-000000000009', '7f0e2a00-0000-4000-8000-00000000000a', 4, NULL, 'Decoy: in a deleted project',
   'open', '01000000-0000-4000-8000-000000000004', NULL, NULL),
  ('02000000-0000-4000-8000-00000000000a', '7f0e2a00-0000-4000-8000-00000000000a', 1, NULL, 'Fonts', 'open',
   NULL, '2024-06-01', NULL),
  ('02000000-0000-4000-8000-00000000000b', '7f0e2a00-0000-4000-8000-00000000000a', 1,
   '02000000-0000-4000-8000-000000000001', 'Shapes', 'done', NULL, NULL, NULL),
  ('02000000-0000-4000-8000-00000000000c', '7f0e2a00-0000-4000-8000-00000000000a', NULL, NULL, 'Decoy: in no project',
   'open', NULL, NULL, NULL);
INSERT INTO app.task_watchers VALUES
  ('02000000-0000-4000-8000-000000000001', '01000000-0000-4000-8000-000000000002'),
  ('02000000-0000-4000-8000-000000000001', '01000000-0000-4000-8000-000000000001'),
  ('02000000-0000-4000-8000-000000000003', '01000000-0000-4000-8000-000000000001'),
  ('02000000-0000-4000-8000-000000000007', '01000000-0000-4000-8000-000000000004');
INSERT INTO app.comments VALUES
  ('03000000-0000-4000-8000-000000000001', 'Task', '02000000-0000-4000-8000-000000000001',
   '01000000-0000-4000-8000-000000000003', E'Looks\ngood', '2024-02-02 10:00:00+00', NULL),
  ('03000000-0000-4000-8000-000000000002', 'Task', '02000000-0000-4000-8000-000000000001',
   '01000000-0000-4000-8000-000000000001', 'First', '2024-02-01 10:00:00+00', NULL),
  ('03000000-0000-4000-8000-000000000003', 'Invoice', '02000000-0000-4000-8000-000000000001',
   '01000000-0000-4000-8000-000000000004', 'Decoy: of an invoice with the uuid of a task', '2024-02-01 10:00:00+00', NULL),
  ('03000000-0000-4000-8000-000000000004', 'Invoice', '05000000-0000-4000-8000-000000000001',
   '01000000-0000-4000-8000-000000000007', 'Paid late \ äöü', '2024-02-16 00:00:00+00', NULL),
  ('03000000-0000-4000-8000-000000000005', 'Task', '02000000-0000-4000-8000-000000000001',
   '01000000-0000-4000-8000-000000000004', 'Decoy: deleted', '2024-02-01 10:00:00+00', '2024-02-01 10:00:01+00'),
  ('03000000-0000-4000-8000-000000000006', 'Task', '02000000-0000-4000-8000-000000000007',
   '01000000-0000-4000-8000-000000000004', 'Decoy', '2024-02-01 10:00:00+00', NULL),
  ('03000000-0000-4000-8000-000000000007', 'Task', '02000000-0000-4000-8000-000000000004', NULL, NULL,
   '2024-02-01 10:00:00+00', NULL);
INSERT INTO app.audit_log VALUES
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-02-01 09:00:00+00', '01000000-0000-4000-8000-000000000005', 'login',
   '{"ip": "10.0.0.1"}'),
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-02-01 09:00:00+00', '01000000-0000-4000-8000-000000000001', 'logout', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-01-15 09:00:00.5+00', NULL, 'start', '[1, 2.0]'),
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-02-01 09:00:00+00', '01000000-0000-4000-8000-000000000005', 'login',
   '{"ip": "10.0.0.1"}'),
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-01-01 00:00:00+00', '01000000-0000-4000-8000-000000000004', 'Decoy: too old',
   NULL),
  ('7f0e2a00-0000-4000-8000-00000000000a', '2024-02-02 09:00:00+00', '01000000-0000-4000-8000-000000000099', 'unknown', NULL),
  ('7f0e2a00-0000-4000-8000-00000000000b', '2024-12-31 09:00:00+00', '01000000-0000-4000-8000-000000000004', 'Decoy', NULL);
INSERT INTO billing.accounts VALUES
  ('04000000-0000-4000-8000-000000000001', '7f0e2a00-0000-4000-8000-00000000000a', 'EUR', NULL),
  ('04000000-0000-4000-8000-000000000002', '7f0e2a00-0000-4000-8000-00000000000b', 'USD', 'DECOY');
INSERT INTO billing.invoices VALUES
  ('05000000-0000-4000-8000-000000000001', 'GR-2024-001', '04000000-0000-4000-8000-000000000001', 'paid', '2024-01-31', 100),
  ('05000000-0000-4000-8000-000000000002', 'GR-2024-002', '04000000-0000-4000-8000-000000000001', 'void', '2024-02-29', 0.10),
  ('05000000-0000-4000-8000-000000000003', 'GR-2024-003', '04000000-0000-4000-8000-000000000001', 'draft', NULL, 7),
  ('05000000-0000-4000-8000-000000000004', 'GR-2024-004', '04000000-0000-4000-8000-000000000002', 'paid', '2024-02-29', 8),
  ('05000000-0000-4000-8000-000000000005', 'XR-2024-005', '04000000-0000-4000-8000-000000000001', 'paid', '2024-02-29', 9);
INSERT INTO billing.invoice_lines VALUES
  ('05000000-0000-4000-8000-000000000001', 2, 'Support', 0.50, 100),
  ('05000000-0000-4000-8000-000000000001', 1, 'Seats', 5, 10),
  ('05000000-0000-4000-8000-000000000003', 1, 'Decoy: of a draft', 1, 7),
  ('05000000-0000-4000-8000-000000000004', 1, 'Decoy', 1, 8);
INSERT INTO billing.payments VALUES
  ('06000000-0000-4000-8000-000000000004', 'GR-2024-001', 40.00, '2024-02-15 08:30:00.25+00'),
  ('06000000-0000-4000-8000-000000000001', 'GR-2024-001', 60.00, '2024-02-10 12:00:00+00'),
  ('06000000-0000-4000-8000-000000000002', 'GR-2024-002', 0.10, '2024-02-15 08:30:00.25+00'),
  ('06000000-0000-4000-8000-000000000003', 'GR-2024-004', 8.00, '2024-12-31 00:00:00+00');
