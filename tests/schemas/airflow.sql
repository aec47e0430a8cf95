-- entity: dag
CREATE TABLE dag (dag_id varchar(250) PRIMARY KEY, is_paused boolean);
CREATE TABLE dag_tag (name varchar(100) NOT NULL, dag_id varchar(250) NOT NULL REFERENCES dag ON DELETE CASCADE, PRIMARY KEY (name, dag_id));
CREATE TABLE dag_owner_attributes (dag_id varchar(250) NOT NULL REFERENCES dag ON DELETE CASCADE, owner varchar(500) NOT NULL, PRIMARY KEY (dag_id, owner));
CREATE TABLE log_template (id integer PRIMARY KEY, filename text NOT NULL);
CREATE TABLE dag_run (id integer PRIMARY KEY, dag_id varchar(250) NOT NULL REFERENCES dag, run_id varchar(250) NOT NULL,
  log_template_id integer REFERENCES log_template, UNIQUE (dag_id, run_id));
CREATE TABLE task_instance (task_id varchar(250) NOT NULL, dag_id varchar(250) NOT NULL, run_id varchar(250) NOT NULL,
  map_index integer NOT NULL DEFAULT -1, PRIMARY KEY (dag_id, task_id, run_id, map_index),
  FOREIGN KEY (dag_id, run_id) REFERENCES dag_run (dag_id, run_id) ON DELETE CASCADE);
CREATE TABLE xcom (dag_run_id integer NOT NULL, task_id varchar(250) NOT NULL, map_index integer NOT NULL DEFAULT -1, key varchar(512) NOT NULL,
  dag_id varchar(250) NOT NULL, run_id varchar(250) NOT NULL, value bytea, PRIMARY KEY (dag_run_id, task_id, map_index, key),
  FOREIGN KEY (dag_id, task_id, run_id, map_index) REFERENCES task_instance ON DELETE CASCADE);
CREATE TABLE task_fail (id integer PRIMARY KEY, task_id varchar(250) NOT NULL, dag_id varchar(250) NOT NULL, run_id varchar(250) NOT NULL,
  map_index integer NOT NULL, FOREIGN KEY (dag_id, task_id, run_id, map_index) REFERENCES task_instance ON DELETE CASCADE);
CREATE TABLE rendered_task_instance_fields (dag_id varchar(250) NOT NULL, task_id varchar(250) NOT NULL, run_id varchar(250) NOT NULL,
  map_index integer NOT NULL, rendered_fields json NOT NULL, PRIMARY KEY (dag_id, task_id, run_id, map_index),
  FOREIGN KEY (dag_id, task_id, run_id, map_index) REFERENCES task_instance ON DELETE CASCADE);
CREATE TABLE dag_run_note (dag_run_id integer PRIMARY KEY REFERENCES dag_run ON DELETE CASCADE, content varchar(1000));
CREATE TABLE dataset (id integer PRIMARY KEY, uri varchar(3000) NOT NULL);
CREATE TABLE dag_schedule_dataset_reference (dataset_id integer NOT NULL REFERENCES dataset ON DELETE CASCADE,
  dag_id varchar(250) NOT NULL REFERENCES dag ON DELETE CASCADE, PRIMARY KEY (dataset_id, dag_id));
CREATE TABLE slot_pool (id integer PRIMARY KEY, pool varchar(256) UNIQUE);
