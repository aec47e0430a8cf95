-- entity: patient
CREATE TABLE person (person_id integer PRIMARY KEY, uuid character(38) NOT NULL UNIQUE);
CREATE TABLE person_name (person_name_id integer PRIMARY KEY, person_id integer NOT NULL REFERENCES person, uuid character(38) NOT NULL UNIQUE);
CREATE TABLE patient (patient_id integer PRIMARY KEY REFERENCES person);
CREATE TABLE location (location_id integer PRIMARY KEY, parent_location integer REFERENCES location);
CREATE TABLE patient_identifier_type (patient_identifier_type_id integer PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE patient_identifier (patient_identifier_id integer PRIMARY KEY, patient_id integer NOT NULL REFERENCES patient,
  identifier_type integer NOT NULL REFERENCES patient_identifier_type, location_id integer REFERENCES location);
CREATE TABLE visit_type (visit_type_id integer PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE visit (visit_id integer PRIMARY KEY, patient_id integer NOT NULL REFERENCES patient,
  visit_type_id integer NOT NULL REFERENCES visit_type, location_id integer REFERENCES location);
CREATE TABLE encounter (encounter_id integer PRIMARY KEY, patient_id integer NOT NULL REFERENCES patient, visit_id integer REFERENCES visit);
CREATE TABLE concept (concept_id integer PRIMARY KEY);
CREATE TABLE orders (order_id integer PRIMARY KEY, concept_id integer NOT NULL REFERENCES concept, encounter_id integer NOT NULL REFERENCES encounter,
  patient_id integer NOT NULL REFERENCES patient, previous_order_id integer REFERENCES orders);
CREATE TABLE drug_order (order_id integer PRIMARY KEY REFERENCES orders, dose double precision);
CREATE TABLE test_order (order_id integer PRIMARY KEY REFERENCES orders, clinical_history text);
CREATE TABLE obs (obs_id integer PRIMARY KEY, person_id integer NOT NULL REFERENCES person, concept_id integer NOT NULL REFERENCES concept,
  encounter_id integer REFERENCES encounter, order_id integer REFERENCES orders, obs_group_id integer REFERENCES obs,
  previous_version integer REFERENCES obs);
CREATE TABLE program (program_id integer PRIMARY KEY, concept_id integer NOT NULL REFERENCES concept);
CREATE TABLE patient_program (patient_program_id integer PRIMARY KEY, patient_id integer NOT NULL REFERENCES patient,
  program_id integer NOT NULL REFERENCES program);
CREATE TABLE patient_state (patient_state_id integer PRIMARY KEY, patient_program_id integer NOT NULL REFERENCES patient_program,
  encounter_id integer REFERENCES encounter);
