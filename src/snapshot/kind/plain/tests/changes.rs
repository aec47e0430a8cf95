//! What later statements do to rows that were read: followed, or refused by name.

use super::*;

const START: &str = "CREATE TABLE t (id int, x text);\nCREATE TABLE no_t (id int, x text);\n\
                     CREATE TABLE p (id int);\nCREATE TABLE p_1 (id int);\nALTER TABLE p ATTACH PARTITION p_1 DEFAULT;\n";
const ROWS: &str = "COPY t (id, x) FROM stdin;\n1\ta\n\\.\nCOPY no_t (id, x) FROM stdin;\n1\ta\n\\.\n\
                    INSERT INTO p_1 VALUES (1);\n";

#[test]
fn statements_that_change_rows_that_were_read_are_refused() {
    for (statement, what) in [
        (
            "CREATE TABLE t (id int, x text);",
            "CREATE TABLE of table t",
        ),
        (
            "DROP TABLE IF EXISTS no_t, public.t;",
            "DROP TABLE of table t",
        ),
        ("DROP TABLE p;", "DROP TABLE of table p"),
        ("TRUNCATE TABLE ONLY no_t, ONLY t;", "TRUNCATE of table t"),
        ("TRUNCATE no_t CASCADE;", "TRUNCATE … CASCADE"),
        ("UPDATE t SET x = 'b';", "UPDATE of table t"),
        (
            "/* a */ update only public.t as u set x = 'b';",
            "UPDATE of table t",
        ),
        ("UPDATE p SET id = 2;", "UPDATE of table p"),
        ("DELETE FROM t;", "DELETE of table t"),
        (
            "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a;",
            "DELETE of table t",
        ),
        ("EXPLAIN ANALYZE DELETE FROM t;", "DELETE of table t"),
        ("PREPARE a AS UPDATE t SET x = $1;", "UPDATE of table t"),
        (
            "COPY (UPDATE t SET x = 'b' RETURNING *) TO stdout;",
            "UPDATE of table t",
        ),
        (
            "MERGE INTO t USING no_t ON true WHEN MATCHED THEN DELETE;",
            "MERGE of table t",
        ),
        (
            "WITH a AS (SELECT 1) INSERT INTO t SELECT 2, 'b';",
            "INSERT of table t",
        ),
        (
            "INSERT INTO no_t WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a;",
            "DELETE of table t",
        ),
        (
            "ALTER TABLE t RENAME TO u;",
            "ALTER TABLE … RENAME of table t",
        ),
        (
            "ALTER TABLE no_t RENAME TO t2;",
            "ALTER TABLE … RENAME of table no_t",
        ),
        (
            "ALTER TABLE t SET SCHEMA other;",
            "ALTER TABLE … SET SCHEMA of table t",
        ),
        (
            "ALTER TABLE p DETACH PARTITION p_1;",
            "ALTER TABLE … PARTITION of table p_1",
        ),
        (
            "ALTER TABLE p ATTACH PARTITION no_t DEFAULT;",
            "ALTER TABLE … PARTITION of table no_t",
        ),
        (
            "ALTER TABLE no_t INHERIT t;",
            "ALTER TABLE … INHERIT of table no_t",
        ),
        (
            "ALTER TABLE t DROP COLUMN x;",
            "a change of the definition of table t",
        ),
        (
            "ALTER TABLE ONLY t ADD COLUMN y int DEFAULT 1;",
            "a change of the definition of table t",
        ),
        (
            "ALTER TABLE t RENAME COLUMN x TO y;",
            "a change of the definition of table t",
        ),
        (
            "ALTER TABLE t ALTER x TYPE int USING 1;",
            "a change of the definition of table t",
        ),
        ("DROP SCHEMA public CASCADE;", "DROP SCHEMA"),
        ("DROP OWNED BY gitlab;", "DROP OWNED"),
        ("DROP TYPE mood CASCADE;", "DROP … CASCADE"),
        (
            "ALTER SCHEMA public RENAME TO old;",
            "ALTER SCHEMA … RENAME",
        ),
    ] {
        let error = read_in_all_chunks(&format!("{START}{ROWS}{statement}\n"));
        let error = error.expect_err(statement);
        let comment = statement.find("u").filter(|_| statement.starts_with("/*"));
        let place = START.len() + ROWS.len() + comment.unwrap_or_default();
        assert!(
            error.starts_with(what) && error.contains(&format!("byte {place}")),
            "{statement} {error}"
        );
    }
    // So are those that make rows of a table, wherever they stand.
    for statement in [
        "CREATE TABLE u AS SELECT 1;",
        "SELECT 1 AS id INTO UNLOGGED TABLE u;",
        "CREATE TEMP TABLE u (id int);",
    ] {
        let error = read_in_all_chunks(&format!("{START}{statement}\n{ROWS}")).unwrap_err();
        assert!(error.contains("of table u (byte"), "{statement} {error}");
    }
}

#[test]
fn what_dumps_hold_behind_their_rows_is_read() {
    for statement in [
        "ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);",
        "ALTER TABLE ONLY t ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES no_t(id) ON UPDATE CASCADE ON DELETE SET NULL;",
        "CREATE UNIQUE INDEX i ON public.t USING btree (id);\nALTER INDEX i ATTACH PARTITION j;",
        "CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD DELETE FROM no_t;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC\n DELETE FROM t;\nEND;",
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t WITH NO DATA;\nREFRESH MATERIALIZED VIEW v;",
        "SELECT pg_catalog.setval('public.t_id_seq', 3, true);\nSELECT id FROM t FOR NO KEY UPDATE;",
        "ALTER TABLE t ENABLE TRIGGER ALL, CLUSTER ON i, REPLICA IDENTITY FULL, OWNER TO git;",
        "ALTER TABLE t ALTER COLUMN x SET STATISTICS 100, VALIDATE CONSTRAINT c;",
        "CREATE TABLE IF NOT EXISTS t (id int);\nDROP TABLE IF EXISTS no_t;\nCREATE TABLE no_t (id int);",
        "DROP INDEX i;\nDROP FUNCTION f() CASCADE;\nDROP TYPE mood;\nDROP DATABASE other;",
        "UPDATE pg_catalog.pg_class SET relpages = 1;\nDELETE FROM other.t;\nTRUNCATE no_t, other.t;",
        "CREATE TABLE no_u AS SELECT 1;\nSELECT 1 INTO no_v;\nSELECT 1 INTO TEMP t;",
        "BEGIN;\nSAVEPOINT a;\nROLLBACK TO a;\nROLLBACK;",
        "DO $$ BEGIN NULL; END $$;\nCALL f();\nLOCK TABLE t;\nCOMMENT ON TABLE t IS 'it''s';\nGRANT ALL ON t TO x;",
        "VACUUM FULL t;\nANALYZE;\nCLUSTER t;\nREINDEX TABLE t;\nSECURITY LABEL ON TABLE t IS 'x';",
    ] {
        let log = read_in_all_chunks(&format!("{START}{ROWS}{statement}\n"));
        let log = log.unwrap_or_else(|error| panic!("{statement} {error}"));
        assert!(log.contains("end p: 1 rows"), "{statement} {log}");
    }
}

#[test]
fn a_head_that_drops_what_it_makes_is_read() {
    let clean = "DROP TABLE IF EXISTS public.t;\nTRUNCATE t;\nDELETE FROM t;\nUPDATE t SET x = 'a';\nDROP SCHEMA IF EXISTS public CASCADE;\n";
    let log = read_in_all_chunks(&format!("{clean}{START}{clean}{START}{ROWS}")).unwrap();
    assert!(
        log.contains("begin t (id, x)\n1\ta\nend t: 1 rows"),
        "{log}"
    );
}

#[test]
fn two_dumps_in_one_file_are_refused() {
    let dump = format!("DROP TABLE IF EXISTS public.t;\n{START}{ROWS}");
    let error = read_in_all_chunks(&format!("{dump}{dump}")).unwrap_err();
    assert!(error.starts_with("DROP TABLE of table t (byte"), "{error}");
    let error = read_in_all_chunks(&format!("{START}{ROWS}{START}{ROWS}")).unwrap_err();
    assert!(
        error.starts_with("CREATE TABLE of table t (byte"),
        "{error}"
    );
    // `pg_dump --create --clean` of one database, twice.
    let dump = format!(
        "DROP DATABASE g;\nCREATE DATABASE g;\n\\connect g\n{START}{ROWS}\\connect postgres\n"
    );
    let error = read_in_all_chunks(&format!("{dump}{dump}")).unwrap_err();
    assert!(error.starts_with("DROP DATABASE (byte"), "{error}");
}

#[test]
fn rows_that_a_transaction_takes_back_are_refused() {
    let rows = "INSERT INTO t VALUES (1, 'a');\n";
    let cases = [
        ("BEGIN;\n", "ROLLBACK;\n", "ROLLBACK (byte"),
        (
            "START TRANSACTION;\nSAVEPOINT a;\n",
            "ROLLBACK TO SAVEPOINT a;\n",
            "ROLLBACK (byte",
        ),
        (
            "BEGIN;\n",
            "PREPARE TRANSACTION 'x';\n",
            "PREPARE TRANSACTION (byte",
        ),
        ("COMMIT AND CHAIN;\n", "ABORT;\n", "ROLLBACK (byte"),
        ("BEGIN;\n", "", "before the COMMIT of a transaction"),
    ];
    for (before, behind, reason) in cases {
        let error = read_in_all_chunks(&format!("{START}{before}{rows}{behind}")).unwrap_err();
        assert!(error.contains(reason), "{before}{behind}{error}");
        let other = rows.replace("INTO t", "INTO no_t");
        let log = read_in_all_chunks(&format!("{START}{before}{other}{behind}"));
        assert!(log.is_ok(), "{before}{behind}");
    }
    for (before, behind) in [
        ("BEGIN;\n", "COMMIT;\nBEGIN;\nROLLBACK;\n"),
        (
            "BEGIN;\n",
            "SAVEPOINT a;\nINSERT INTO no_t VALUES (1, 'a');\nROLLBACK TO a;\nEND;\n",
        ),
        ("", "ROLLBACK;\n"),
        ("\\set AUTOCOMMIT off\n", "COMMIT;\n"),
    ] {
        let log = read_in_all_chunks(&format!("{START}{before}{rows}{behind}"));
        assert!(log.is_ok(), "{before}{behind}");
    }
}

#[test]
fn a_definition_that_comes_too_late_is_refused() {
    let late = format!("{START}{ROWS}CREATE TABLE u (id int);\n");
    let error = read_in_all_chunks(&late).unwrap_err();
    assert!(
        error.contains("the data of table u cannot be read: the table is defined after"),
        "{error}"
    );
    assert!(read_in_all_chunks(&late.replace(" u ", " no_u ")).is_ok());
}

#[test]
fn what_other_objects_of_the_database_do_to_rows_is_refused() {
    for (before, statement, what) in [
        (
            "",
            "DO $$ BEGIN DELETE FROM t; END $$;",
            "DELETE of table t",
        ),
        (
            "",
            "DO 'BEGIN EXECUTE ''TRUNCATE t''; END';",
            "TRUNCATE of table t",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'UPDATE t SET id = 2';\n",
            "SELECT public.f();",
            "UPDATE of table t",
        ),
        (
            "CREATE PROCEDURE f() LANGUAGE sql AS 'DELETE FROM t';\n\
             CREATE OR REPLACE PROCEDURE g() LANGUAGE plpgsql AS $$BEGIN CALL f(); CALL g(); END$$;\n",
            "CALL g();",
            "DELETE of table t",
        ),
        (
            "CREATE VIEW a AS SELECT * FROM t;\nCREATE OR REPLACE TEMP VIEW b AS SELECT * FROM a;\n",
            "INSERT INTO b VALUES (2, 'b');",
            "the data of table b",
        ),
        (
            "CREATE VIEW a AS SELECT * FROM t;\n",
            "DELETE FROM a;",
            "DELETE of table a",
        ),
        (
            "CREATE RULE r AS ON INSERT TO no_t DO ALSO (SELECT 1; DELETE FROM t;);\n",
            "INSERT INTO no_t VALUES (2, 'b');",
            "DELETE of table t",
        ),
        (
            "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING;\n",
            "INSERT INTO t VALUES (2, 'b');",
            "the data of table t",
        ),
        (
            "ALTER TABLE t ADD FOREIGN KEY (id, x) REFERENCES no_t (id, x) ON DELETE CASCADE;\n",
            "DELETE FROM no_t;",
            "DELETE of table no_t",
        ),
        (
            "ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES no_t ON UPDATE SET NULL;\n",
            "UPDATE no_t SET id = 2;",
            "UPDATE of table no_t",
        ),
        (
            "",
            "CREATE TABLE pg_temp.t (id int);",
            "CREATE TEMPORARY TABLE of table pg_temp.t",
        ),
        (
            "ALTER TABLE t ADD UNIQUE (x);\n",
            "INSERT INTO t VALUES (1, 'a') ON CONFLICT DO NOTHING;",
            "an INSERT of rows of table t",
        ),
    ] {
        let error = read_in_all_chunks(&format!("{START}{before}{ROWS}{statement}\n"));
        let error = error.expect_err(statement);
        assert!(
            error.starts_with(what) && error.contains("(byte "),
            "{statement} {error}"
        );
    }
    for (before, statement) in [
        ("", "DO $$ BEGIN CREATE TYPE a AS ENUM ('b'); END $$;"),
        ("", "DO $$ BEGIN DELETE FROM no_t; END $$;"),
        (
            "CREATE VIEW no_a AS SELECT * FROM no_t;\n",
            "INSERT INTO no_a VALUES (2, 'b');",
        ),
        (
            "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING;\n",
            "SELECT 1;",
        ),
        (
            "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES no_t;\n",
            "DELETE FROM no_t;",
        ),
        (
            "ALTER TABLE no_t ADD FOREIGN KEY (id) REFERENCES no_t ON DELETE CASCADE;\n",
            "DELETE FROM no_t;",
        ),
    ] {
        let log = read_in_all_chunks(&format!("{START}{before}{ROWS}{statement}\n"));
        assert!(log.is_ok(), "{before}{statement} {log:?}");
    }
}

#[test]
fn code_that_may_change_rows_is_named_in_a_warning() {
    const WARNED: &str = "warning the dump has the database run code";
    for (before, behind, what) in [
        ("", "DO $$ BEGIN EXECUTE a || b; END $$;\n", "DO"),
        ("", "CALL f();\nCALL f();\n", "CALL"),
        ("", "SELECT f();\n", "SELECT of a function"),
        (
            "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();\n",
            "",
            "a trigger",
        ),
    ] {
        let log = read_in_all_chunks(&format!("{START}{before}{ROWS}{behind}")).unwrap();
        assert!(log.contains(WARNED), "{log}");
        assert!(
            log.contains(&format!("the first is {what} at byte ")),
            "{log}"
        );
        assert_eq!(log.contains("(2 statements"), what == "CALL", "{log}");
    }
    for (before, behind) in [
        (
            "",
            "DO $$ BEGIN RAISE NOTICE 'x'; END $$;\nSELECT pg_catalog.setval('a', 1);\n",
        ),
        (
            "CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();\n",
            "",
        ),
        (
            "CREATE TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION f();\nALTER TABLE t DISABLE TRIGGER ALL;\n",
            "",
        ),
        (
            "CREATE TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION f();\nSET session_replication_role = replica;\n",
            "",
        ),
    ] {
        let log = read_in_all_chunks(&format!("{START}{before}{ROWS}{behind}")).unwrap();
        assert!(!log.contains(WARNED), "{before}{behind} {log}");
    }
}
