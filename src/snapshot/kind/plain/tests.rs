use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::snapshot::event::Event;
use crate::snapshot::table_name::TableName;

mod changes;
mod hand_made;

/// What a dump gives, as text: rows of a block stand as they are, whatever the chunks they came in.
/// Tables whose names begin with `no`, and partitions (`_1`), are not wanted.
fn read(text: &str, chunk: usize) -> Result<String, String> {
    let mut log = String::new();
    let (mut rows, mut damage) = (BTreeMap::<TableName, u64>::new(), None);
    let wanted = |table: &TableName| !table.name.starts_with("no") && !table.name.ends_with("_1");
    let dump = Box::new(PlainDump::with_chunks_of(text.as_bytes(), chunk));
    let result = dump.read(&wanted, &mut |event| {
        match event {
            Event::Catalog(catalog, facts) => {
                let mut names: Vec<String> = catalog
                    .tables()
                    .map(|table| table.name.to_string())
                    .collect();
                names.sort();
                writeln!(log, "catalog [{}]", names.join(" ")).unwrap();
                if let Some(version) = facts.server_version {
                    writeln!(log, "server {version}").unwrap();
                }
            }
            Event::Begin(head) => {
                rows.insert(head.table.clone(), 0);
                writeln!(log, "begin {} ({})", head.table, head.columns.join(", ")).unwrap();
            }
            Event::Rows(block) => {
                let bytes = block.bytes();
                assert!(bytes.ends_with(b"\n"));
                let rows = rows.get_mut(&block.head.table).unwrap();
                assert_eq!(block.first_row, *rows);
                *rows += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                let at = &text.as_bytes()[block.offset as usize..];
                // Rows of another form than COPY's own are written anew.
                let is_anew = ["\r\n", "OIDS", "DELIMITER", "NULL ''"]
                    .iter()
                    .any(|form| text.contains(form));
                assert!(
                    is_anew
                        || at.starts_with(bytes)
                        || at.starts_with(b"(")
                        || at.starts_with(b"INSERT")
                );
                log.push_str(std::str::from_utf8(bytes).unwrap());
            }
            Event::Keys(keys) => {
                for key in keys.of(&TableName::public("t")) {
                    writeln!(log, "key ({})", key.columns.join(", ")).unwrap();
                }
            }
            Event::End(end) => {
                writeln!(
                    log,
                    "end {}: {} rows, {} bytes",
                    end.table, end.rows, end.bytes
                )
                .unwrap();
            }
            Event::Damage(found) => {
                damage = Some(found);
                return ControlFlow::Break(());
            }
            Event::DatabaseEnd(_) => panic!("this dump is the only one"),
            Event::Holdings(holdings) => {
                for warning in holdings.warnings {
                    writeln!(log, "warning {warning}").unwrap();
                }
            }
        }
        ControlFlow::Continue(())
    });
    match (result, damage) {
        (Ok(()), None) => Ok(log),
        (Err(error), _) | (Ok(()), Some(error)) => Err(error.to_string()),
    }
}

/// Reads with chunks of many sizes, so that every byte comes to stand at a chunk's end.
fn read_in_all_chunks(text: &str) -> Result<String, String> {
    let whole = read(text, 1 << 20);
    for chunk in (1..=64).chain([200, 1000]) {
        assert_eq!(read(text, chunk), whole, "chunks of {chunk}");
    }
    whole
}

const DUMP: &str = r"--
-- PostgreSQL database dump
--

\restrict 3xYz'

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.f() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  -- it's a trap
COPY public.labels (id) FROM stdin;
1
\.
END
$$;

CREATE TABLE public.events (
    id bigint NOT NULL,
    at date
)
PARTITION BY RANGE (at);
CREATE TABLE parts.events_1 (
    id bigint NOT NULL,
    at date
);
CREATE TABLE public.labels (
    id bigint NOT NULL,
    title character varying DEFAULT 'a;b'::character varying,
    size integer GENERATED ALWAYS AS (length(title)) STORED
);
CREATE TABLE public.nothing (
);
ALTER TABLE ONLY public.events ATTACH PARTITION parts.events_1 FOR VALUES FROM (MINVALUE) TO (MAXVALUE);

--
-- Data for Name: events_1; Type: TABLE DATA; Schema: parts; Owner: -
--

COPY parts.events_1 (id, at) FROM stdin;
1	2024-01-01
2	\N
\.


COPY public.labels (id, title) FROM stdin;
1	it's; a\\.
2	\\.
3	\\N-- COPY x FROM stdin;
\.


COPY public.no_labels (id, title) FROM stdin;
1	one
2	two
\.


COPY public.nothing () FROM stdin;


\.


COPY public.empty (id) FROM stdin;
\.


SELECT pg_catalog.setval('public.labels_id_seq', 3, true);

ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);

--
-- PostgreSQL database dump complete
--

\unrestrict 3xYz'

";

#[test]
fn a_dump_gives_its_tables() {
    let expected = "\
catalog [events labels nothing parts.events_1]
server 15.18
begin events (id, at)
1\t2024-01-01
2\t\\N
end events: 2 rows, 18 bytes
begin labels (id, title)
1\tit's; a\\\\.
2\t\\\\.
3\t\\\\N-- COPY x FROM stdin;
end labels: 3 rows, 46 bytes
end no_labels: 2 rows, 12 bytes
end nothing: 2 rows, 2 bytes
begin empty (id)
end empty: 0 rows, 0 bytes
";
    assert_eq!(read_in_all_chunks(DUMP).unwrap(), expected);
}

#[test]
fn a_dump_cut_anywhere_ends_early() {
    let complete = DUMP.find("-- PostgreSQL database dump complete").unwrap();
    for end in DUMP.find("SET client").unwrap()..complete {
        let error = read(&DUMP[..end], 100).expect_err("it is cut off");
        assert!(
            error.contains("the dump ends early"),
            "cut at {end}: {error}"
        );
    }
    assert!(read(&DUMP[..complete + 37], 100).is_ok());
}

#[test]
fn a_cut_names_the_table_row_and_place() {
    let end = DUMP.find("2\t\\N\n").unwrap() + 2;
    let error = read(&DUMP[..end], 1 << 20).unwrap_err();
    let expected = format!(
        "the snapshot ends too early (table parts.events_1, row 2, byte {end}): \
         the dump ends early: it is cut off, copy or dump it again"
    );
    assert_eq!(error, expected);
    let error = read(&DUMP[..end + 3], 1 << 20).unwrap_err();
    assert!(error.contains("table parts.events_1, row 3"), "{error}");
}

#[test]
fn copy_headers_are_read_in_all_their_forms() {
    let rows = "1\ta\n\\.\n";
    let table =
        "CREATE TABLE t (id bigint, title text, size int GENERATED ALWAYS AS (1) STORED);\n";
    let cases = [
        ("COPY public.t (id, title) FROM stdin;\n", "t (id, title)"),
        ("copy t (id, \"Ti tle\") from STDIN ;\n", "t (id, Ti tle)"),
        ("COPY t FROM stdin;\n", "t (id, title)"),
        (
            "COPY other.t (id, title) FROM stdin;\n",
            "other.t (id, title)",
        ),
        (
            "SET search_path = other, pg_catalog;\nCOPY t (id, x) FROM stdin;\n",
            "other.t (id, x)",
        ),
        (
            "COPY public.t (id,\n title)\nFROM stdin;\n",
            "t (id, title)",
        ),
        (
            "COPY t (id, title) FROM stdin WITH (FREEZE);\n",
            "t (id, title)",
        ),
        ("COPY t (id, title) FROM stdin; \n", "t (id, title)"),
    ];
    for (header, expected) in cases {
        let log = read_in_all_chunks(&format!("{table}{header}{rows}")).unwrap();
        let name = expected.split(' ').next().unwrap();
        let expected =
            format!("catalog [t]\nbegin {expected}\n1\ta\nend {name}: 1 rows, 4 bytes\n");
        assert_eq!(log, expected, "{header}");
    }
}

#[test]
fn a_header_of_a_thousand_columns_is_read() {
    let columns: Vec<String> = (0..1000)
        .map(|index| format!("\"column number {index}\""))
        .collect();
    let values = vec!["1"; 1000].join("\t");
    let text = format!(
        "COPY t ({}) FROM stdin;\n{values}\n\\.\n",
        columns.join(", ")
    );
    let log = read(&text, 16).unwrap();
    assert!(log.contains("column number 999)\n1\t1"), "{log}");
    assert!(log.ends_with("end t: 1 rows, 2000 bytes\n"), "{log}");
}

#[test]
fn blocks_of_one_table_may_be_many() {
    let text = "CREATE TABLE t (id int);\nCOPY t (id) FROM stdin;\n1\n\\.\nCOPY t (id) FROM stdin;\n2\n\\.\n";
    let expected = "catalog [t]\nbegin t (id)\n1\nend t: 1 rows, 2 bytes\nbegin t (id)\n2\nend t: 1 rows, 2 bytes\n";
    assert_eq!(read_in_all_chunks(text).unwrap(), expected);
}

#[test]
fn the_last_line_may_lack_its_end() {
    for text in [
        "COPY t (id) FROM stdin;\n1\n\\.",
        "COPY t (id) FROM stdin;\n\\.",
    ] {
        assert!(read_in_all_chunks(text).is_ok(), "{text}");
    }
}

#[test]
fn a_dump_without_data_gives_its_catalog() {
    assert_eq!(
        read_in_all_chunks("CREATE TABLE t (id int);\n").unwrap(),
        "catalog [t]\n"
    );
    let empty = "--\n-- PostgreSQL database dump\n--\n-- Dumped by pg_dump version 16.2\n\
                 -- PostgreSQL database dump complete\n";
    assert_eq!(read_in_all_chunks(empty).unwrap(), "catalog []\n");
}

#[test]
fn noise_before_the_dump_is_stepped_over() {
    let text = "Password: \npg_dump: warning: it's late\n\nCREATE TABLE t (id int);\n";
    assert_eq!(read_in_all_chunks(text).unwrap(), "catalog [t]\n");
    assert_eq!(
        read_in_all_chunks("\u{feff}-- x\nCREATE TABLE t (id int);\n").unwrap(),
        "catalog [t]\n"
    );
}

const INSERTS: &str = "\
CREATE TABLE t (id bigint, title text, ok boolean, n int GENERATED ALWAYS AS (1) STORED);
CREATE TABLE no_t (id bigint);
CREATE TABLE p (id bigint);
CREATE TABLE p_1 (id bigint);
ALTER TABLE ONLY p ATTACH PARTITION p_1 DEFAULT;
CREATE TABLE nix ();

--
-- Data for Name: t
--

INSERT INTO public.t VALUES (1, 'it''s; (a)
\\.
--', true, DEFAULT);
INSERT INTO public.t VALUES (2, NULL, false, DEFAULT);

INSERT INTO public.t VALUES
\t(3, 'a\tb', NULL, DEFAULT),
\t(4, 'VALUES (', true, DEFAULT)
ON CONFLICT DO NOTHING;
INSERT INTO t (id, title) OVERRIDING SYSTEM VALUE VALUES (5, E'\\'\\n');
INSERT INTO no_t VALUES (1) ON CONFLICT DO
NOTHING;
INSERT INTO no_t VALUES
\t(2),
\t(3);
INSERT INTO p VALUES (1);
INSERT INTO p_1 VALUES (2);
ALTER TABLE t ENABLE TRIGGER ALL;
INSERT INTO nix DEFAULT VALUES;
INSERT INTO nix DEFAULT VALUES;
SELECT 1;
";

#[test]
fn inserts_become_rows() {
    let expected = "\
catalog [nix no_t p p_1 t]
begin t (id, title, ok)
1\tit's; (a)\\n\\\\.\\n--\tt
2\t\\N\tf
3\ta\\tb\t\\N
4\tVALUES (\tt
end t: 4 rows, 118 bytes
begin t (id, title)
5\t'\\n
end t: 1 rows, 12 bytes
end no_t: 3 rows, 9 bytes
begin p (id)
1
end p: 1 rows, 3 bytes
begin p (id)
2
end p: 1 rows, 3 bytes
begin nix ()


end nix: 2 rows, 0 bytes
";
    assert_eq!(read_in_all_chunks(INSERTS).unwrap(), expected);
}

#[test]
fn inserts_cut_anywhere_end_early_or_at_a_statement() {
    for end in INSERTS.find("INSERT").unwrap()..INSERTS.len() {
        let text = &INSERTS[..end];
        if let Err(error) = read(text, 50) {
            assert!(
                error.contains("the dump ends early"),
                "cut at {end}: {error}"
            );
        } else {
            let last = text.trim_end().lines().last().unwrap_or_default();
            assert!(
                last.ends_with(';') || last.starts_with("--"),
                "cut at {end}"
            );
        }
    }
}

#[test]
fn rows_of_inserts_come_in_blocks() {
    let mut text = String::from("CREATE TABLE t (id int, note text);\n");
    for id in 0..3000 {
        writeln!(
            text,
            "INSERT INTO public.t VALUES ({id}, '{}');",
            "x".repeat(1000)
        )
        .unwrap();
    }
    let (mut blocks, mut rows) = (0, 0);
    let dump = Box::new(PlainDump::with_chunks_of(text.as_bytes(), 1 << 20));
    dump.read(&|_| true, &mut |event| {
        if let Event::Rows(block) = event {
            assert_eq!(block.first_row, rows);
            assert!(text[block.offset as usize..].starts_with(&format!("({rows}, ")));
            blocks += 1;
            rows += block.bytes().iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((blocks, rows), (3, 3000));
}

#[test]
fn a_sink_may_stop_the_reader_at_any_event() {
    for text in [DUMP, INSERTS] {
        let mut all = 0;
        let mut count = |stop_at: usize| {
            let mut seen = 0;
            let dump = Box::new(PlainDump::with_chunks_of(text.as_bytes(), 64));
            dump.read(&|_| true, &mut |_| {
                seen += 1;
                if seen == stop_at {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
            all = all.max(seen);
            seen
        };
        let total = count(0);
        for stop_at in 1..=total {
            assert_eq!(count(stop_at), stop_at);
        }
    }
}

#[test]
fn a_cluster_dump_may_hold_one_database_with_tables() {
    let one = "-- PostgreSQL database cluster dump\nCREATE ROLE git;\n\\connect template1\n\
               -- PostgreSQL database dump\nSET x = 1;\n-- PostgreSQL database dump complete\n\
               CREATE DATABASE gitlab;\n\\connect gitlab\n\
               -- PostgreSQL database dump\nCREATE TABLE t (id int);\nCOPY t (id) FROM stdin;\n1\n\\.\n\
               -- PostgreSQL database dump complete\n\\connect postgres\n\
               -- PostgreSQL database dump\nSET x = 1;\n-- PostgreSQL database dump complete\n";
    let log = read_in_all_chunks(&format!(
        "{one}-- PostgreSQL database cluster dump complete\n"
    ))
    .unwrap();
    assert_eq!(
        log,
        "catalog [t]\nbegin t (id)\n1\nend t: 1 rows, 2 bytes\n"
    );
    assert!(
        read_in_all_chunks(one)
            .unwrap_err()
            .contains("the dump ends early")
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let cases = [
        ("", "dump.sql is not a snapshot: it is empty"),
        (
            "id,name\n1,x\n",
            "dump.sql is not a snapshot: it does not begin like a dump",
        ),
        (
            "PGDMP\0\0",
            "dump.sql is not a snapshot: it does not begin like a dump",
        ),
        (
            "SET x = 1;\n",
            "dump.sql is not a snapshot: it has no table, and nothing that pg_dump writes",
        ),
        (
            "SET client_encoding = 'EUC_TW';\n",
            "a dump in the encoding EUC_TW cannot be read: it is not known how its text becomes UTF-8: \
             dump again with --encoding=UTF8",
        ),
        (
            "CREATE TABLE t (id int);\n\\connect b\nCREATE TABLE t (id int);\n",
            "a dump of several databases (the first one, b) cannot be read: \
             one snapshot is one database: dump it alone with pg_dump",
        ),
        (
            "\\connect a\nCOPY t (id) FROM stdin;\n\\.\n\\connect -reuse-previous=on \"dbname='b c'\"\n\
             INSERT INTO t VALUES (1);\n",
            "a dump of several databases (a, b c) cannot be read: \
             one snapshot is one database: dump it alone with pg_dump",
        ),
        (
            "COPY t (id) FROM '$$PATH$$/4467.dat';\n",
            "the data of table t cannot be read: its rows stand in another file, \
             as in restore.sql of a tar archive; give the archive itself",
        ),
        (
            "COPY t (id) FROM stdin WITH (FORMAT csv);\n",
            "the data of table t cannot be read: \
             only COPY's text format is read in SQL text, and this is FORMAT csv; dump with pg_dump",
        ),
        (
            "SET x = 1;\nCOPY :table FROM stdin;\n",
            "a COPY (byte 11) cannot be read: only COPY of a table FROM stdin is known",
        ),
        (
            "CREATE TABLE t (id int);\nINSERT INTO t SELECT 1;\n",
            "an INSERT of rows of table t (byte 25) cannot be read: its rows come from a query",
        ),
        (
            "COPY t FROM stdin;\n1\n\\.\n",
            "the data of table t cannot be read: \
             its columns are not named, and the dump has no definition of the table before it",
        ),
        (
            "CREATE TABLE t (id int);\nINSERT INTO t DEFAULT VALUES;\n",
            "an INSERT of rows of table t (byte 25) cannot be read: it leaves its values to the database; dump with pg_dump",
        ),
        (
            "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nCREATE TABLE b (id int);\nINSERT INTO b VALUES (1);\n",
            "the data of table b cannot be read: the table is defined after the data of another; dump with pg_dump",
        ),
        (
            "COPY no_t (id, x) FROM stdin;\n1\ta\n2\n3\tb\n\\.\n",
            "the snapshot is damaged (table no_t, row 2, byte 34): the row has too few or too many columns",
        ),
        (
            "INSERT INTO t (id, x) VALUES (1, 2);\nINSERT INTO t (id, x) VALUES (3);\n",
            "the snapshot is damaged (table t, row 2, byte 66): \
             the row has too few values, or one that is not a literal",
        ),
        (
            "CREATE TABLE t (id int, 'x');\n",
            "the snapshot is damaged (table t, byte 0): a table's definition cannot be understood",
        ),
        (
            "SELECT 'not closed;\n",
            "the snapshot ends too early (byte 20): the dump ends early: it is cut off, copy or dump it again",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(read_in_all_chunks(text).unwrap_err(), expected, "{text}");
    }
    let utf16: Vec<u8> = b"\xff\xfe-\0-\0".to_vec();
    let dump = Box::new(PlainDump::with_chunks_of(&utf16, 16));
    let error = dump
        .read(&|_| true, &mut |_| ControlFlow::Continue(()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("it is UTF-16 text"), "{error}");
}

#[test]
fn errors_name_the_member() {
    let member = Some("db/database.sql.gz".to_owned());
    let dump = Box::new(PlainDump::new(
        Box::new(&b"SELECT 'x"[..]),
        "backup.tar",
        member,
    ));
    let error = dump
        .read(&|_| true, &mut |_| ControlFlow::Continue(()))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the snapshot ends too early (db/database.sql.gz, byte 9)"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_change_nothing(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "CREATE TABLE t (id int, x text);\n",
                "COPY t (id, x) FROM stdin;\n1\ta\\nb\n2\t\\N\n\\.\n",
                "COPY no_t (id, x) FROM stdin;\n1\t\n\\.\n\n\n",
                "COPY t FROM stdin;\n\\.\n",
                "INSERT INTO t (id, x) VALUES (1, 'a\n''b;');\n",
                "INSERT INTO t (id, x) VALUES\n\t(1, 'a'),\n\t(2, ')\n(');\n",
                "INSERT INTO no_t VALUES (1, '\n');\n",
                "CREATE FUNCTION f() AS $x$\nCOPY t FROM stdin;\n$x$;\n",
                "-- it's a comment\n",
                "/* it's\n; */ SELECT 1; SELECT ';';\n",
                "\\restrict '\n",
                "SELECT E'\\';\n';\n",
                "COPY t (id, x) FROM stdin;\n1\n",
                "SELECT '",
            ]),
            0..8,
        ),
        chunk in 1usize..64,
    ) {
        let text = pieces.concat();
        prop_assert_eq!(read(&text, chunk), read(&text, 1 << 20));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\t]{0,40}", chunk in 1usize..64) {
        for start in ["", "CREATE TABLE ", "CREATE TABLE t (", "ALTER TABLE t ", "COPY t (id) FROM stdin", "COPY ",
                      "INSERT INTO t (a) VALUES (", "INSERT ", "SET search_path = ", "CREATE DOMAIN d AS "] {
            let _ = read(&format!("{start}{text}"), chunk);
            let _ = read(&format!("{start}{text};\n1\n\\.\n"), chunk);
        }
    }
}

#[test]
fn keys_that_are_stated_behind_the_rows_are_told_at_the_end() {
    let text = "CREATE TABLE public.t (id int, a int UNIQUE);\nCOPY public.t (id, a) FROM stdin;\n1\t2\n\\.\n\
        ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id, a);\n";
    assert_eq!(
        read_in_all_chunks(text).unwrap(),
        "catalog [t]\nbegin t (id, a)\n1\t2\nend t: 1 rows, 4 bytes\nkey (a)\nkey (id, a)\n"
    );
    let before = text.split("ALTER").next().unwrap();
    assert!(!read_in_all_chunks(before).unwrap().contains("key"));
}

#[test]
fn rows_of_a_child_are_told_for_every_table_that_is_wanted() {
    let text = "CREATE TABLE public.t (id int);\nCREATE TABLE public.no_t (id int);\n\
        CREATE TABLE public.c (a int) INHERITS (public.t, public.no_t);\nCREATE TABLE public.no_c () INHERITS (public.c);\n\
        COPY public.c (id, a) FROM stdin;\n1\t2\n\\.\nINSERT INTO public.no_c VALUES (3, 4);\n";
    assert_eq!(
        read_in_all_chunks(text).unwrap(),
        "catalog [c no_c no_t t]\nbegin c (id, a)\nbegin t (id, a)\n1\t2\n1\t2\n\
         end c: 1 rows, 4 bytes\nend t: 1 rows, 4 bytes\nend no_t: 1 rows, 4 bytes\n\
         begin c (id, a)\nbegin t (id, a)\n3\t4\n3\t4\n\
         end no_c: 1 rows, 6 bytes\nend c: 1 rows, 6 bytes\nend t: 1 rows, 6 bytes\nend no_t: 1 rows, 6 bytes\n"
    );
}

#[test]
fn a_table_that_becomes_a_child_behind_its_rows_is_refused() {
    let text = "CREATE TABLE public.t (id int);\nCREATE TABLE public.c (id int);\nCOPY public.c (id) FROM stdin;\n1\n\\.\n";
    let cases = [
        (
            "ALTER TABLE public.c INHERIT public.t;",
            "ALTER TABLE … INHERIT of table c",
        ),
        (
            "ALTER TABLE public.t ATTACH PARTITION public.c DEFAULT;",
            "ALTER TABLE … PARTITION of table c",
        ),
    ];
    for (statement, what) in cases {
        let error = read_in_all_chunks(&format!("{text}{statement}\n")).unwrap_err();
        assert!(error.starts_with(what), "{statement}: {error}");
        assert!(
            error.contains("it changes rows that stand before it"),
            "{error}"
        );
    }
    // Of tables that nobody wants nothing is lost.
    assert!(read_in_all_chunks(&text.replace("public.t ", "public.no ")).is_ok());
    let other = text.replace(".t ", ".no ") + "ALTER TABLE public.c INHERIT public.no;\n";
    assert!(read_in_all_chunks(&other).is_ok());
}
