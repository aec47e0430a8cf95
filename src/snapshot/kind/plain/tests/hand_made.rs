//! SQL text that no pg_dump of today writes: comments everywhere, other forms of `INSERT` and `COPY`, other line ends,
//! commands of psql.

use super::*;

const TABLES: &str = "CREATE TABLE t (id int, x text);\nCREATE TABLE no_t (id int, x text);\n";

/// What the text gives behind the definitions of two tables, the first event apart.
fn rows(text: &str) -> Result<String, String> {
    let log = read_in_all_chunks(&format!("{TABLES}{text}"))?;
    Ok(log.strip_prefix("catalog [no_t t]\n").unwrap().to_owned())
}

#[test]
fn comments_stand_anywhere_beside_inserts() {
    let expected = |rows: &str, count: usize, bytes: usize| {
        Ok(format!(
            "begin t (id, x)\n{rows}end t: {count} rows, {bytes} bytes\n"
        ))
    };
    for text in [
        "/* a */ INSERT INTO t VALUES (1, 'a');\n",
        "/* it's; /* nested\nINSERT INTO t VALUES (9, 'z'); */ */INSERT INTO t VALUES (1, 'a'); -- behind\n",
        "INSERT INTO t VALUES -- it's (\n(1, 'a');\n",
        "INSERT INTO t VALUES /* (9, 'z'),\n */ (1, 'a') /* ; */ ; /* the end */",
        "INSERT /* a */ INTO/**/t (id, x)-- b\nVALUES(1, 'a')-- c\n;-- d\n",
        "INSERT INTO t VALUES (1, 'a') -- c\nON CONFLICT /* d; */ DO NOTHING -- e;\n RETURNING id; /* f */\n",
        "INSERT INTO t AS other VALUES (1, 'a');\n",
    ] {
        assert_eq!(rows(text), expected("1\ta\n", 1, 8), "{text}");
    }
    let two = "INSERT INTO t VALUES\n-- the first\n(1, 'a'), -- cheap; it's\n/* , (9, 'z') */ (2, 'b') /* x */ ;\n";
    assert_eq!(rows(two), expected("1\ta\n2\tb\n", 2, 16));
    let inside = "INSERT INTO t VALUES (/* id */ 1 -- it's\n, 'a' /* ) */);\n";
    assert_eq!(rows(inside), expected("1\ta\n", 1, 34));
}

#[test]
fn a_comment_before_the_closing_line_changes_nothing() {
    let text = "--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (id int);\n/* ; */\n/* it's */ \
                \n-- PostgreSQL database dump complete\n/* really */\n";
    assert_eq!(read_in_all_chunks(text).unwrap(), "catalog [t]\n");
    let open = "CREATE TABLE t (id int);\n/* INSERT INTO t VALUES (1);\n";
    assert!(
        read_in_all_chunks(open)
            .unwrap_err()
            .contains("the dump ends early")
    );
}

#[test]
fn what_is_no_row_is_refused_with_its_place() {
    let place = TABLES.len();
    for (text, expected) in [
        (
            "INSERT INTO t VALUES (1, 'a') UNION ALL VALUES (2, 'b');\n",
            format!(
                "an INSERT of rows of table t (byte {}) cannot be read: what follows its rows is not known; \
                 only ON CONFLICT DO NOTHING and RETURNING are",
                place + 30
            ),
        ),
        (
            "INSERT INTO t VALUES (1, 'a')\nON CONFLICT (id) DO UPDATE SET x = 'b';\n",
            format!(
                "an INSERT of rows of table t (byte {}) cannot be read: ON CONFLICT DO UPDATE changes rows; dump with pg_dump",
                place + 30
            ),
        ),
        (
            "INSERT INTO t VALUES (1, 'a'), ROW(2, 'b');\n",
            format!(
                "the snapshot is damaged (table t, row 2, byte {}): what stands here is no row in parentheses",
                place + 31
            ),
        ),
        (
            "INSERT INTO t VALUES (1, 'a') (2, 'b');\n",
            format!(
                "an INSERT of rows of table t (byte {}) cannot be read: what follows its rows is not known; \
                 only ON CONFLICT DO NOTHING and RETURNING are",
                place + 30
            ),
        ),
        (
            "INSERT INTO t VALUES (1, DEFAULT);\n",
            format!(
                "the snapshot is damaged (table t, row 1, byte {}): a value is DEFAULT, which only the database could fill in",
                place + 21
            ),
        ),
        (
            "INSERT INTO t OVERRIDING USER VALUE VALUES (1, 'a');\n",
            format!(
                "an INSERT of rows of table t (byte {place}) cannot be read: \
                 OVERRIDING USER VALUE has the database make up values"
            ),
        ),
        (
            "INSERT INTO t (SELECT 1, 'a');\n",
            format!(
                "an INSERT of rows of table t (byte {place}) cannot be read: a query, or parts of columns, stand in parentheses"
            ),
        ),
        (
            "INSERT INTO t VALUES (1, 'a') \\g\n",
            format!(
                "a statement with a command of psql inside (byte {}) cannot be read: \
                 only psql knows what comes of it; restore the dump into a server, and export from that",
                place + 30
            ),
        ),
    ] {
        assert_eq!(rows(text), Err(expected), "{text}");
    }
}

#[test]
fn a_table_that_nobody_needs_never_refuses_a_dump() {
    for text in [
        "INSERT INTO no_t VALUES (1, 'a') UNION ALL VALUES (2, 'b');\n",
        "INSERT INTO no_t VALUES (1, DEFAULT), ROW(2, 'b');\n",
        "INSERT INTO no_t SELECT 1, ';' UNION VALUES (2, 'b');\n",
        "INSERT INTO no_t DEFAULT VALUES;\n",
        "INSERT INTO no_t VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET x = ';';\n",
        "COPY no_t FROM stdin WITH (FORMAT csv, HEADER);\nid,x\n1,\"a\tb\n;\"\n\\.\n",
        "COPY no_t FROM stdin (FORMAT binary);\n\\.\n",
        "COPY no_t (id, x) WITH OIDS FROM stdin;\n16390\t1\ta\n\\.\n",
        "COPY no_t FROM stdin DELIMITER '|';\n1|a\tb\n\\.\n",
        "COPY no_t FROM stdin WHERE id > 1;\n1\ta\n\\.\n",
        "COPY no_t FROM '/tmp/x';\n",
        "COPY no_t FROM PROGRAM 'cat';\n",
        "COPY (SELECT 1) TO stdout;\nCOPY t TO '/tmp/x' (FORMAT csv);\n",
        "\\copy no_t from /tmp/x\n",
        "UPDATE no_t SET x = 'a';\nDELETE FROM no_t;\nTRUNCATE no_t;\n",
    ] {
        let text = format!("{text}INSERT INTO t VALUES (1, 'a');\n");
        let log = rows(&text).unwrap_or_else(|error| panic!("{text}{error}"));
        let expected = "begin t (id, x)\n1\ta\nend t: 1 rows, 8 bytes\n";
        assert!(log.ends_with(expected), "{text}{log}");
    }
}

#[test]
fn rows_of_copy_are_read_in_the_form_that_its_options_say() {
    let expected = |bytes: usize| {
        Ok(format!(
            "begin t (id, x)\n1\ta\n2\t\\N\nend t: 2 rows, {bytes} bytes\n"
        ))
    };
    for (text, bytes) in [
        (
            "COPY t (id, x) WITH OIDS FROM stdin;\n16390\t1\ta\n16391\t2\t\\N\n\\.\n",
            21,
        ),
        (
            "COPY t FROM stdin WITH (FORMAT text);\n1\ta\n2\t\\N\n\\.\n",
            9,
        ),
        (
            "COPY t FROM stdin (FORMAT 'text', FREEZE true, ENCODING 'utf-8', NULL E'\\\\N', HEADER off);\n1\ta\n2\t\\N\n\\.\n",
            9,
        ),
        (
            "COPY t FROM stdin WITH DELIMITER AS '|' NULL AS '' FREEZE;\n1|a\n2|\n\\.\n",
            7,
        ),
        (
            "COPY t FROM stdin USING DELIMITERS ',' WITH NULL '-';\n1,a\n2,-\n\\.\n",
            8,
        ),
        ("COPY t FROM stdin (HEADER);\nid\tx\n1\ta\n2\t\\N\n\\.\n", 9),
        ("COPY t FROM stdin; -- rows\n1\ta\n2\t\\N\n\\.\n", 9),
        (
            "COPY /* a */ t ( id , /* b */ x ) -- c\n FROM STDIN /* d */ ; /* e */\n1\ta\n2\t\\N\n\\.\n",
            9,
        ),
        ("\\copy t (id, x) from stdin\n1\ta\n2\t\\N\n\\.\n", 9),
        ("BEGIN; COPY t FROM stdin;\n1\ta\n2\t\\N\n\\.\nCOMMIT;\n", 9),
    ] {
        assert_eq!(rows(text), expected(bytes), "{text}");
    }
}

#[test]
fn a_copy_of_a_needed_table_that_is_not_read_is_refused_by_name() {
    for (text, reason) in [
        ("COPY t FROM stdin CSV HEADER;\n", "FORMAT csv"),
        (
            "COPY t FROM stdin WITH (FORMAT binary);\n",
            "only COPY's text format is read",
        ),
        (
            "COPY t FROM stdin (ENCODING latin1);\n",
            "ENCODING of their own",
        ),
        (
            "COPY t FROM stdin (DEFAULT 'd');\n",
            "an option that is not known",
        ),
        (
            "COPY t FROM stdin (ON_ERROR ignore);\n",
            "an option that is not known",
        ),
        ("COPY t FROM stdin WHERE id > 1;\n", "WHERE leaves out rows"),
        ("COPY t FROM stdin (DELIMITER 'ab');\n", "delimiter"),
        (
            "COPY t FROM PROGRAM 'cat';\n",
            "its rows come from a program",
        ),
        ("\\copy t from '/tmp/x'\n", "its rows stand in another file"),
        (
            "COPY t FROM stdin; DELETE FROM t;\n1\ta\n\\.\n",
            "more follows COPY on its line",
        ),
    ] {
        let error = rows(text).unwrap_err();
        assert!(
            error.contains("table t") && error.contains(reason),
            "{text}{error}"
        );
    }
    let error =
        rows("COPY t (id, x) WITH OIDS FROM stdin;\n16390\t1\ta\nx\t2\tb\n\\.\n").unwrap_err();
    assert!(
        error.contains("table t, row 2, byte") && error.contains("oid"),
        "{error}"
    );
}

#[test]
fn lines_may_end_with_cr_lf() {
    let text = "CREATE TABLE t (id int, x text);\n-- a\nCOPY t (id, x) FROM stdin;\n1\ta\\r\\nb\n2\t\n3\t\\N\n\\.\n\
                COPY no_t (id, x) FROM stdin;\n1\ta\n\\.\n\\echo x\nINSERT INTO no_t VALUES\n(1, 'a\n');\n\
                COPY t (id, x) FROM stdin;\n\\.\n-- end\n";
    let log = read_in_all_chunks(text).unwrap();
    // Bytes are counted as they stand in the dump.
    let expected = log
        .replace("3 rows, 17 bytes", "3 rows, 20 bytes")
        .replace("end no_t: 1 rows, 4 bytes", "end no_t: 1 rows, 5 bytes")
        .replace("end no_t: 1 rows, 9 bytes", "end no_t: 1 rows, 10 bytes");
    assert_ne!(log, expected);
    assert_eq!(
        read_in_all_chunks(&text.replace('\n', "\r\n")).unwrap(),
        expected
    );
    assert!(
        log.contains("begin t (id, x)\n1\ta\\r\\nb\n2\t\n3\t\\N\nend t: 3 rows"),
        "{log}"
    );
}

#[test]
fn a_line_end_that_a_program_changed_inside_of_a_value_is_refused() {
    let insert = "INSERT INTO t VALUES (1, 'a\r\nb');\n";
    // Where all lines end with LF, the value holds CR LF.
    assert_eq!(
        rows(insert).unwrap(),
        "begin t (id, x)\n1\ta\\r\\nb\nend t: 1 rows, 11 bytes\n"
    );
    let error = rows(&format!("-- x\r\n{insert}")).unwrap_err();
    assert!(
        error.contains("table t, row 1") && error.contains("changed to CR LF"),
        "{error}"
    );
    let outside = "-- x\r\nINSERT INTO t VALUES\r\n(1,\r\n 'ab');\r\nINSERT INTO no_t VALUES (1, '\r\n');\r\n";
    assert!(rows(outside).unwrap().contains("\n1\tab\nend t: 1 rows"));
    for (text, row) in [
        (
            "COPY t (id, x) FROM stdin;\r\n1\ta\r\n2\tb\n3\tc\r\n\\.\r\n",
            "row 2",
        ),
        ("COPY t (id, x) FROM stdin;\n1\ta\n2\tb\r\n\\.\n", "row 2"),
    ] {
        let error = read(&format!("{TABLES}{text}"), 1 << 20).unwrap_err();
        assert!(
            error.contains(row) && error.contains("line ends in another way"),
            "{text}{error}"
        );
    }
}

#[test]
fn commands_of_psql_are_followed_or_refused() {
    let insert = "INSERT INTO t VALUES (1, 'a');\n";
    for text in [
        "\\set ON_ERROR_STOP on\n\\echo 'it is; loading\n\\timing\n",
        "\\if :{?x}\n\\echo x\nINSERT INTO no_t VALUES (1, 'a');\n\\endif\n",
        "\\encoding UTF8\n\\c\n\\c -\n\\connect - gitlab\n",
        "SELECT 1 AS one \\gset\n",
        "SELECT 1 \\g /tmp/x\n",
    ] {
        let log = rows(&format!("{text}{insert}")).unwrap_or_else(|error| panic!("{text}{error}"));
        assert!(
            log.ends_with("1\ta\nend t: 1 rows, 8 bytes\n"),
            "{text}{log}"
        );
    }
    for (text, reason) in [
        ("\\i data.sql\n", "psql's command \\i (byte"),
        ("\\gexec\n", "psql's command \\gexec (byte"),
        ("\\if false\n", "between \\if and \\endif"),
        ("\\q\n", "behind \\q"),
        ("\\encoding EUC_TW\n", "the encoding EUC_TW"),
        ("\\set AUTOCOMMIT off\n", "before the COMMIT"),
        (
            "\\set a 1 \\\\ DELETE FROM t;\n",
            "psql's command \\set (byte",
        ),
        ("SELECT 1 \\; ", "a command of psql inside"),
    ] {
        // Also where a row of the same table stands before it.
        for before in ["", insert] {
            let error = rows(&format!("{before}{text}{insert}")).unwrap_err();
            assert!(error.contains(reason), "{before}{text}{error}");
        }
    }
    let error = rows(&format!("{insert}\\connect other\n{insert}")).unwrap_err();
    assert!(error.contains("several databases"), "{error}");
}

#[test]
fn what_is_no_statement_is_an_error() {
    for text in [
        "pg_dump: warning: there are circular foreign keys\nCOPY t (id, x) FROM stdin;\n1\ta\n\\.\n;",
        "1\ta;\n",
        "use gitlab;\n",
        "'a';\n",
    ] {
        let error = rows(text).unwrap_err();
        assert!(
            error.contains("no statement of SQL") && error.contains("byte"),
            "{text}{error}"
        );
    }
    assert_eq!(rows(";;\n(SELECT 1);\n").as_deref(), Ok(""));
}

#[test]
fn a_table_is_looked_for_along_the_search_path() {
    let text = "SET search_path = other, public;\nCOPY t (id, x) FROM stdin;\n1\ta\n\\.\nINSERT INTO t VALUES (2, 'b');\n";
    let log = rows(text).unwrap();
    assert!(
        log.contains("begin t (id, x)\n1\ta\n") && log.contains("begin t (id, x)\n2\tb\n"),
        "{log}"
    );
}
