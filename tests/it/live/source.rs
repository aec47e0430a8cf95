//! A live server as a snapshot: rows, values and the catalog are those of a dump, at one instant, whatever breaks.
//! PostgreSQL's own programs are the judges.

#![expect(
    clippy::result_large_err,
    reason = "errors are returned a few times in a test"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::support::server::*;
use crate::support::{project, relexport};
use relexport::snapshot::{
    Access, Catalog, ComparedAs, Event, Fields, KeyColumn, KeyedSource, OpenOptions, Predicate,
    Query, SnapshotError, TableName, open_with, read_schema,
};

fn options() -> OpenOptions {
    OpenOptions {
        connections: 2,
        ..OpenOptions::default()
    }
}

fn open(address: &str, options: &OpenOptions) -> Result<Box<dyn KeyedSource>, SnapshotError> {
    match open_with(&address.into(), options)?.access {
        Access::Keyed(source) => Ok(source),
        _ => panic!("no live server"),
    }
}

fn source(database: &Database) -> Box<dyn KeyedSource> {
    open(&database.address(), &options()).unwrap()
}

/// The rows that a query gives, as text.
fn read(
    source: &dyn KeyedSource,
    table: &TableName,
    fields: Fields,
    predicates: Vec<Predicate>,
) -> Result<String, SnapshotError> {
    let mut rows = Vec::new();
    let (mut begun, mut ended) = (0, None);
    let query = Query {
        table,
        fields,
        predicates,
    };
    source.read(&query, &mut |event| {
        match event {
            Event::Begin(_) => begun += 1,
            Event::Rows(block) => {
                assert_eq!(block.offset, rows.len() as u64);
                rows.extend_from_slice(block.bytes());
            }
            Event::End(end) => ended = Some(end),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })?;
    let ended = ended.expect("an end");
    let rows = String::from_utf8(rows).unwrap();
    assert_eq!(begun, 1);
    assert_eq!(ended.rows, rows.lines().count() as u64);
    assert_eq!(ended.bytes, rows.len() as u64);
    Ok(rows)
}

/// All rows of some columns of a table in `public`, in order.
fn all(source: &dyn KeyedSource, table: &str, columns: &[&str]) -> Result<String, SnapshotError> {
    let rows = read(
        source,
        &TableName::public(table),
        Fields::Columns(columns.to_vec()),
        Vec::new(),
    )?;
    let mut lines: Vec<&str> = rows.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// Ids of the rows for which something holds, in order.
/// The column equals one of these values.
fn one_of<'a>(column: &'a str, values: Vec<&'a str>) -> Predicate<'a> {
    Predicate::In {
        column,
        values,
        null: false,
    }
}

/// The column equals none of these values.
fn none_of<'a>(column: &'a str, values: Vec<&'a str>) -> Predicate<'a> {
    Predicate::NotIn {
        column,
        values,
        null: false,
    }
}

/// The column is NULL, or is not.
fn null(column: &str, not: bool) -> Predicate<'_> {
    let (values, null) = (Vec::new(), true);
    match not {
        false => Predicate::In {
            column,
            values,
            null,
        },
        true => Predicate::NotIn {
            column,
            values,
            null,
        },
    }
}

fn own(name: &str) -> KeyColumn<'_> {
    KeyColumn {
        name,
        compared: ComparedAs::Own,
    }
}

fn ids(source: &dyn KeyedSource, table: &str, predicates: Vec<Predicate>) -> Vec<i64> {
    let rows = read(
        source,
        &TableName::public(table),
        Fields::Columns(vec!["id"]),
        predicates,
    );
    let mut ids: Vec<i64> = rows
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

/// A catalog in a form that can be compared.
fn shown(catalog: &Catalog) -> BTreeMap<TableName, String> {
    catalog
        .tables()
        .map(|table| {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| {
                    let generated = catalog.is_generated(&table.name, &column.name);
                    format!("{} {:?} {generated}", column.name, column.sql_type)
                })
                .collect();
            let holders = catalog.holders(&table.name);
            let mut keys: Vec<(bool, &[String])> = catalog
                .keys()
                .of(&table.name)
                .iter()
                .map(|key| (key.primary, &key.columns[..]))
                .collect();
            keys.sort();
            let text = format!("{} {holders:?} {columns:?} {keys:?}", table.partitioned);
            (table.name.clone(), text)
        })
        .collect()
}

const CATALOG: &str = r#"
CREATE SCHEMA other; CREATE SCHEMA "Odd ""one""";
CREATE EXTENSION citext; CREATE EXTENSION hstore SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'it''s "fine"'); CREATE TYPE other.mood AS ENUM ('a'); CREATE TYPE "Mood" AS ENUM ('b');
CREATE TYPE pair AS (a integer, b text); CREATE TYPE spans AS RANGE (subtype = integer);
CREATE DOMAIN small AS smallint CHECK (VALUE > 0); CREATE DOMAIN other.small AS small; CREATE DOMAIN list AS integer[];
CREATE DOMAIN "Quoted" AS varchar(7) COLLATE "C";
CREATE DOMAIN email AS citext; CREATE DOMAIN other.email AS email; CREATE DOMAIN code AS character(3); CREATE DOMAIN slug AS other.email;
CREATE TABLE texts (a email, b other.email, c code, d code[], e slug, f bpchar, g "Quoted", h "char");
CREATE TABLE types (
  id bigint GENERATED ALWAYS AS IDENTITY, a smallint, b integer DEFAULT 7, c bigserial, d boolean, e timestamp(3), f timestamptz(6), g date,
  h numeric(10, 2), i real, j double precision, k json, l jsonb, m bytea, n text, o varchar(255), p character(3), q "char", r name, s citext,
  t uuid, u inet, v interval day to second(3), w time(3), x timetz, y money, z bit varying(5), aa xml, ab tsvector, ac point,
  ba mood, bb other.mood, bc "Mood", bd pair, be spans, bf small, bg other.small, bh list, bi "Quoted", bj small[], bk mood[], bl citext[],
  bm timestamp(6)[], bn integer[3][4], bo "Quoted"[], bp other.hstore, bq list[],
  ca integer GENERATED ALWAYS AS (b * 2) STORED, cb text GENERATED ALWAYS AS (n || 'x') STORED,
  "Odd ""column"", (really)" integer, "select" text, "integer" text, exclude boolean, period date);
ALTER TABLE types DROP COLUMN c; ALTER TABLE types ADD COLUMN later integer;
CREATE TABLE other.types (id integer); CREATE TABLE "Odd ""one"""."a.b" (id integer, x "Mood");
CREATE TABLE parted (id bigint, at date, kind text) PARTITION BY RANGE (at);
CREATE TABLE other.parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (kind);
CREATE TABLE other.parted_1_a PARTITION OF other.parted_1 FOR VALUES IN ('a');
CREATE TABLE parted_2 (kind text, id bigint, at date); ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE parent (id integer, a text); CREATE TABLE child (b integer) INHERITS (parent); CREATE TABLE other.second (c integer, a text);
CREATE TABLE grandchild (d integer) INHERITS (child, other.second); CREATE TABLE late (id integer, a text, e date); ALTER TABLE late INHERIT parent; CREATE TABLE no_columns ();
CREATE TABLE keyed (id integer, a integer, "B c" text, PRIMARY KEY (a, id) INCLUDE ("B c"), UNIQUE ("B c"), UNIQUE (id) DEFERRABLE);
CREATE UNIQUE INDEX ON keyed (a DESC NULLS LAST) INCLUDE (id); CREATE UNIQUE INDEX ON keyed (id, a) WHERE a > 1; CREATE UNIQUE INDEX ON keyed (lower("B c"));
CREATE INDEX ON keyed (a); CREATE UNIQUE INDEX ON parted (id, at, kind);
CREATE UNLOGGED TABLE unlogged (id integer); CREATE VIEW a_view AS SELECT 1 AS id; CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS id;
CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nobody FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE far (id integer) SERVER nobody;
"#;

#[test]
fn the_catalog_is_that_of_a_dump() {
    let database = Server::shared().database();
    database.run(CATALOG);
    let dump = read_schema(&database.dump(&["--schema-only"])).unwrap();
    let live = source(&database).catalog();
    assert_eq!(shown(&live), shown(&dump));
    let types = live.table(&TableName::public("types")).unwrap();
    assert_eq!(types.columns.len(), 54);
    assert!(live.is_generated(&types.name, "ca"));
    let texts = live.table(&TableName::public("texts")).unwrap();
    let texts: Vec<String> = texts
        .columns
        .iter()
        .map(|column| column.sql_type.to_string())
        .collect();
    let expected =
        "citext citext character character[] citext character character varying \"char\"";
    assert_eq!(texts.join(" "), expected);
    let keyed = TableName::public("keyed");
    let primary = live.keys().of(&keyed).iter().find(|key| key.primary);
    assert_eq!(primary.unwrap().columns, ["a", "id"]);
    assert_eq!(live.keys().of(&keyed).len(), 4);
}

#[test]
fn the_catalog_of_gitlab_is_that_of_its_dump() {
    let database = Server::shared().database();
    database.load(&project("fixtures/schema.sql"));
    let dump = read_schema(&database.dump(&["--schema-only"])).unwrap();
    assert_eq!(shown(&source(&database).catalog()), shown(&dump));
}

const VALUES: &str = r#"
CREATE EXTENSION hstore;
CREATE TABLE types (id integer, a timestamp, b timestamptz, c date, d interval, e bytea, f real, g double precision, h text, i boolean,
  j timestamptz[], k numeric, l jsonb, m bytea[], n regclass, o tstzrange, p hstore, q xml, r time, s timetz);
INSERT INTO types VALUES
  (1, '2023-11-14 01:02:03.456789', '2023-11-14 01:02:03.456789+00', '2023-02-01', '1 year 2 mons -3 days 04:05:06.7', '\x00ff5c0a', 0.1, 0.1,
   E'tab\t, line\n, back\\slash, quote'' "', true, '{2023-11-14 01:02:03+00,NULL}', 1.10, '{"a": 1.00}', '{\\x00,\\x5c}', 'types', '[2023-01-01,)',
   'a=>1', '<a/>', '01:02', '01:02+05:45'),
  (2, '0044-03-15 12:00:00 BC', 'infinity', '-infinity', '-1 day', '', 'NaN', '1e-300', '\N', false, '{}', 'NaN', 'null', '{}', NULL, 'empty', '', NULL, NULL, NULL),
  (3, NULL, NULL, NULL, NULL, NULL, 16777216.5, 123456789.123456789, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 'epoch', 'epoch', 'epoch', '0', '\x', '-0', 5e-324, E'\x01\x7f\v\b\f\rü€😀', NULL, NULL, -0.000, '"\u00e9"', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"#;

#[test]
fn rows_are_found_by_several_columns_whatever_their_names() {
    let database = Server::shared().database();
    // Names that the query itself uses must not hide those of the table.
    database.run(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE keys (id integer, key0 uuid, key1 integer, n numeric, c citext, m mood, b character(5), keys bigint);
         INSERT INTO keys
           SELECT x, ('00000000-0000-4000-8000-00000000000' || x)::uuid, y, y + 0.50, 'Ab' || y, 'ok', 'c' || y, y
           FROM generate_series(1, 3) x, generate_series(1, 2) y;
         INSERT INTO keys (id, key1, keys) VALUES (9, 1, 1);",
    );
    let live = source(&database);
    let one = [
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-8000-000000000003",
    ];
    for (columns, keys) in [
        (["key0", "key1"], [&one[..], &["2", "1"]]),
        (["key0", "keys"], [&one, &["2", "1"]]),
        (["key0", "n"], [&one, &["2.5", "1.500"]]),
        (["key0", "c"], [&one, &["aB2", "AB1"]]),
        (["key0", "b"], [&one, &["c2", "c1   "]]),
        (["id", "key1"], [&["1", "3"], &["2", "1"]]),
    ] {
        let named = |name| KeyColumn {
            name,
            compared: ComparedAs::Own,
        };
        let lists = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
        let any = Predicate::AnyOf(columns.map(named).into(), lists.into());
        let table = TableName::public("keys");
        let fields = Fields::Columns(vec!["id", "key1"]);
        let rows = read(live.as_ref(), &table, fields, vec![any]).unwrap();
        let mut rows: Vec<&str> = rows.lines().collect();
        rows.sort();
        assert_eq!(rows, ["1\t2", "3\t1"], "{columns:?}");
    }
    let any = Predicate::AnyOf(
        ["key0", "m"]
            .map(|name| KeyColumn {
                name,
                compared: ComparedAs::Own,
            })
            .into(),
        vec![vec![one[0].to_owned()], vec!["ok".to_owned()]],
    );
    assert_eq!(ids(live.as_ref(), "keys", vec![any]), [1, 1]);
}

const HOSTILE: [(&str, &str); 14] = [
    ("DateStyle", "German"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "Asia/Kathmandu"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("search_path", "nowhere"),
    ("client_encoding", "LATIN1"),
    ("standard_conforming_strings", "off"),
    ("statement_timeout", "1"),
    ("default_transaction_isolation", "read committed"),
    ("gin_fuzzy_search_limit", "1"),
    ("synchronize_seqscans", "on"),
    ("row_security", "on"),
    ("default_transaction_deferrable", "on"),
];

#[test]
fn values_are_those_of_a_dump_whatever_the_servers_settings() {
    let database = Server::shared().database();
    database.run(VALUES);
    database.run(&format!(
        "ALTER DATABASE {} SET TimeZone = 'UTC'",
        database.name
    ));
    let dump = String::from_utf8(database.dump(&["--data-only", "--table=types"])).unwrap();
    let from = dump.find("FROM stdin;\n").unwrap() + 12;
    let expected = &dump[from..from + dump[from..].find("\\.\n").unwrap()];
    let columns: Vec<&str> = "id a b c d e f g h i j k l m n o p q r s"
        .split(' ')
        .collect();
    // In one session, which began before any of them: the next one would have a millisecond for each statement.
    let settings: String = HOSTILE
        .iter()
        .map(|(name, value)| format!("ALTER DATABASE {} SET {name} = '{value}';", database.name))
        .collect();
    database.run(&settings);
    let live = source(&database);
    let rows = all(live.as_ref(), "types", &columns).unwrap();
    // regclass is written as the search path needs it, which is empty in both.
    assert_eq!(rows, expected.trim_end());
    assert_eq!(
        ids(
            live.as_ref(),
            "types",
            vec![one_of("h", vec!["\\N", "it\\'s"])]
        ),
        [2]
    );
}

#[test]
fn texts_are_found_whatever_they_hold() {
    let texts = [
        "",
        "NULL",
        "a'b",
        "a\"b",
        "a\\b",
        "{a,b}",
        "a,b",
        "\\N",
        "x\ty\nz",
        "'; DROP TABLE t; --",
        "\\'",
        "%s $1",
        "ü€😀",
        " a ",
        "A",
        "a",
    ];
    let database = Server::shared().database();
    let rows: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(id, text)| format!("({id}, $tag${text}$tag$)"))
        .collect();
    database.run(&format!(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'NULL'); CREATE DOMAIN word AS text;
         CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE t (id integer, v text); INSERT INTO t VALUES {};
         ALTER TABLE t ADD c citext, ADD w word, ADD l text COLLATE loose, ADD n varchar(50); UPDATE t SET c = v, w = v, l = v, n = v;
         INSERT INTO t VALUES (99, NULL);
         CREATE TABLE k (id integer, b boolean, s smallint, i integer, l bigint, m mood, p character(3), u uuid, d date, n numeric, ia integer[], la bigint[]);
         INSERT INTO k VALUES (1, true, 5, 5, 5, 'sad', 'a', '00000000-0000-0000-0000-000000000001', '2023-01-02', 1.10, '{{1,2,NULL}}', '{{5000000000}}'),
           (2, false, -7, -7, 9223372036854775807, 'NULL', 'ab ', NULL, NULL, 2, '{{}}', NULL);
         INSERT INTO k (id) VALUES (3)",
        rows.join(", ")
    ));
    let live = source(&database);
    let live = live.as_ref();
    for (id, text) in texts.iter().enumerate() {
        for column in ["v", "c", "w", "l", "n"] {
            let found = ids(live, "t", vec![one_of(column, vec![text, "not there"])]);
            let expected = match (column, *text) {
                // citext takes them for equal.
                ("c", "A" | "a") => vec![14, 15],
                _ => vec![id as i64],
            };
            assert_eq!(found, expected, "{column} {text:?}");
        }
    }
    let all: Vec<i64> = (0..texts.len() as i64).collect();
    assert_eq!(ids(live, "t", vec![one_of("v", texts.to_vec())]), all);
    assert_eq!(
        ids(live, "t", vec![one_of("v", vec!["a\0b", "\0"])]),
        [0; 0]
    );
    assert_eq!(
        ids(live, "t", vec![Predicate::InIgnoringCase("v", vec!["A"])]),
        [14, 15]
    );
    assert_eq!(ids(live, "t", vec![null("v", false)]), [99]);
    assert_eq!(ids(live, "t", vec![null("v", true)]), all);

    let cases: [(Predicate, &[i64]); 27] = [
        (one_of("b", vec!["t", "maybe"]), &[1]),
        (one_of("b", vec!["true", "1", ""]), &[]),
        (one_of("i", vec!["5", "x", "99999999999999999999"]), &[1]),
        (one_of("i", vec![" 5", "5.0"]), &[]),
        (one_of("i", vec!["05"]), &[1]),
        (one_of("s", vec!["-7", "70000"]), &[2]),
        (one_of("m", vec!["NULL", "happy"]), &[2]),
        (one_of("p", vec!["a  "]), &[1]),
        (one_of("p", vec!["a", "ab"]), &[1, 2]),
        (
            one_of("u", vec!["00000000-0000-0000-0000-000000000001"]),
            &[1],
        ),
        (one_of("d", vec!["2023-01-02"]), &[1]),
        (one_of("n", vec!["1.10"]), &[1]),
        (one_of("n", vec!["1.1"]), &[1]),
        (none_of("n", vec!["1.1"]), &[2, 3]),
        (Predicate::AnyInteger(own("i"), &[5, 1 << 40]), &[1]),
        (Predicate::AnyInteger(own("s"), &[-7, 40000]), &[2]),
        (Predicate::AnyInteger(own("l"), &[i64::MAX, i64::MIN]), &[2]),
        (Predicate::AnyInteger(own("i"), &[]), &[]),
        (Predicate::AnyInteger(own("n"), &[2]), &[2]),
        (Predicate::Holds("ia", &[2, 3, 1 << 40]), &[1]),
        (Predicate::Holds("la", &[5_000_000_000]), &[1]),
        (Predicate::Holds("ia", &[]), &[]),
        (Predicate::Above("i", "-7"), &[1]),
        (Predicate::Above("s", "-9223372036854775808"), &[1, 2]),
        (Predicate::Below("i", "5"), &[2]),
        (Predicate::Below("l", "9223372036854775807"), &[1]),
        (null("i", false), &[3]),
    ];
    for (predicate, expected) in cases {
        let name = format!("{predicate:?}");
        assert_eq!(ids(live, "k", vec![predicate]), expected, "{name}");
    }
    let both = vec![one_of("b", vec!["t", "f"]), Predicate::Above("i", "0")];
    assert_eq!(ids(live, "k", both), [1]);
    let maximum = |column, predicates| {
        let fields = Fields::Maximum(column);
        read(live, &TableName::public("k"), fields, predicates).unwrap()
    };
    assert_eq!(maximum("l", Vec::new()), "9223372036854775807\n");
    assert_eq!(maximum("id", Vec::new()), "3\n");
    assert_eq!(maximum("l", vec![Predicate::Above("id", "3")]), "\\N\n");
    let gathered = |most, predicates| {
        let fields = Fields::Gathered("l", most);
        read(live, &TableName::public("k"), fields, predicates).unwrap()
    };
    let small = vec![Predicate::Below("l", "6"), Predicate::Above("id", "0")];
    assert_eq!(gathered(3, small), "{5}\n");
    assert_eq!(gathered(1, Vec::new()).matches(',').count(), 0);
    assert_eq!(gathered(9, vec![Predicate::Above("id", "3")]), "\\N\n");
}

#[test]
fn names_and_trees_of_tables_are_read_as_a_dump_writes_them() {
    let database = Server::shared().database();
    database.run(
        r#"CREATE TABLE "a""; b" ("x""y'" integer, "Z" text); INSERT INTO "a""; b" VALUES (1, 'one');
           CREATE TABLE parted (id integer, at integer) PARTITION BY RANGE (at);
           CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
           CREATE TABLE p2 (at integer, id integer); ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
           INSERT INTO parted VALUES (1, 5), (2, 15); CREATE INDEX ON parted (id);
           CREATE TABLE parent (id integer); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
           CREATE TABLE idx (id integer PRIMARY KEY, a integer, b integer, c integer, d integer[], e text, f integer);
           CREATE INDEX ON idx (a, b); CREATE INDEX ON idx (c) WHERE c IS NOT NULL; CREATE INDEX ON idx USING gin (d); CREATE INDEX ON idx (lower(e), f);
           CREATE INDEX ON idx (e) WHERE e = 'x';
           INSERT INTO idx (id, a) SELECT n, n FROM generate_series(1, 50000) n; ANALYZE idx; ANALYZE p1; ANALYZE p2;"#,
    );
    let live = source(&database);
    let live = live.as_ref();
    let odd = all(live, "a\"; b", &["Z", "x\"y'"]).unwrap();
    assert_eq!(odd, "one\t1");
    assert_eq!(ids(live, "parted", Vec::new()), [1, 2]);
    assert_eq!(ids(live, "p2", Vec::new()), [2]);
    assert_eq!(ids(live, "parent", Vec::new()), [1, 2]);
    assert_eq!(ids(live, "child", Vec::new()), [2]);
    let indexed = |table: &str, column: &str, known: &[&str]| {
        live.is_indexed(&TableName::public(table), column, known)
    };
    assert!(indexed("idx", "id", &[]) && indexed("idx", "a", &[]) && indexed("idx", "c", &[]));
    assert!(
        indexed("idx", "d", &[]) && indexed("idx", "b", &["a"]) && indexed("parted", "id", &[])
    );
    assert!(
        !indexed("idx", "b", &["c"]) && !indexed("idx", "e", &[]) && !indexed("idx", "f", &["e"])
    );
    assert!(!indexed("parted", "at", &[]) && !indexed("nowhere", "id", &[]));
    let estimate = |table: &str| live.estimate(&TableName::public(table));
    assert_eq!(estimate("idx").unwrap().rows, 50000);
    assert!(estimate("idx").unwrap().bytes > 1_000_000);
    assert_eq!(estimate("parted").unwrap().rows, 2);
    assert_eq!(estimate("parent"), None);
}

#[test]
fn keys_are_looked_up_by_indexes() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE t (id integer PRIMARY KEY, kind text, path varchar);
         INSERT INTO t SELECT n, 'k' || n, 'Path/' || n FROM generate_series(1, 50000) n;
         CREATE INDEX ON t (kind); CREATE INDEX ON t (lower(path)); ANALYZE t;",
    );
    let scans = "SELECT pg_stat_force_next_flush(); SELECT seq_scan FROM pg_stat_user_tables";
    let before = database.run(scans);
    {
        let live = source(&database);
        let live = live.as_ref();
        let keys: Vec<i64> = (1..400).chain([1 << 40]).collect();
        assert_eq!(
            ids(live, "t", vec![Predicate::AnyInteger(own("id"), &keys)]).len(),
            399
        );
        assert_eq!(ids(live, "t", vec![one_of("kind", vec!["k7", "x"])]), [7]);
        assert_eq!(ids(live, "t", vec![one_of("id", vec!["7", "x"])]), [7]);
        let path = vec![Predicate::InIgnoringCase("path", vec!["pATH/7"])];
        assert_eq!(ids(live, "t", path), [7]);
    }
    // Sessions tell what they did when they end, which is soon.
    while database.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relexport' AND datname = current_database()") != "0" {}
    assert_eq!(database.run(scans), before);
    assert_ne!(
        database.run("SELECT idx_scan FROM pg_stat_user_tables"),
        "0"
    );
}

#[test]
fn everything_is_of_one_instant() {
    let database = Server::shared().database();
    database.run("CREATE TABLE t (id integer, v text); INSERT INTO t SELECT n, 'old' FROM generate_series(1, 10) n");
    let live = source(&database);
    let before = all(live.as_ref(), "t", &["id", "v"]).unwrap();
    database.run(
        "UPDATE t SET v = 'new'; DELETE FROM t WHERE id > 5; INSERT INTO t VALUES (99, 'new')",
    );
    // Both connections, one of them made after the changes.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(all(live.as_ref(), "t", &["id", "v"]).unwrap(), before));
        }
    });
    assert_eq!(
        all(source(&database).as_ref(), "t", &["id"]).unwrap(),
        "1\n2\n3\n4\n5\n99"
    );
    // Nothing was written, and no lock is held but those of reading.
    let locks = database.run("SELECT DISTINCT mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname = 't'");
    assert!(["", "AccessShareLock"].contains(&locks.as_str()), "{locks}");
}

#[test]
fn inspect_tells_what_a_servers_statistics_say() {
    let database = Server::shared().database();
    database.load(&project("fixtures/schema.sql"));
    database.run(
        "INSERT INTO labels (id, title) SELECT n, n FROM generate_series(1, 3000) n; ANALYZE labels;
         DROP INDEX index_badges_on_group_id;
         INSERT INTO namespaces (id, type, name, path) VALUES (1, 'Group', 'a', 'a'), (2, 'User', 'b', 'b'), (3, 'Group', 'c', 'c');
         INSERT INTO projects (id, namespace_id) VALUES (1, 1), (2, 2), (3, 3)",
    );
    let inspect = |more: &[&str]| {
        let program = relexport("inspect").option("--snapshot", database.address());
        program.args(more).prints()
    };
    let json: serde_json::Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
    assert_eq!(json["kind"], "postgres");
    assert_eq!(json["source"], format!("[local]:5432/{}", database.name));
    let version = database.run("SHOW server_version");
    assert_eq!(json["server_version"], version.split(' ').next().unwrap());
    assert!(json["taken_at"].as_str().unwrap().ends_with(" UTC"));
    let lsn = json["lsn"].as_str().unwrap();
    assert_eq!(
        database.run(&format!("SELECT '{lsn}'::pg_lsn <= pg_current_wal_lsn()")),
        "t"
    );
    assert_eq!(json["estimated"], true);
    // These are counted all the same.
    assert_eq!(
        json["entities"],
        serde_json::json!({"group": 2, "project": 3})
    );
    let table = |name: &str| {
        let tables = json["tables"].as_array().unwrap();
        tables.iter().find(|table| table["table"] == name).unwrap()
    };
    assert_eq!(table("labels")["rows"], 3000);
    let pages = database.run("SELECT relpages * 8192 FROM pg_class WHERE relname = 'labels' AND relnamespace = 'public'::regnamespace");
    assert!(table("labels")["bytes"].as_u64().unwrap() >= pages.parse().unwrap());
    assert_eq!(table("badges")["rows"], serde_json::Value::Null);
    let missing = json["missing_indexes"].as_array().unwrap();
    let is_missing = |table: &str, column: &str| {
        missing
            .iter()
            .any(|entry| entry["table"] == table && entry["column"] == column)
    };
    assert!(
        is_missing("badges", "group_id") && !is_missing("labels", "group_id"),
        "{missing:?}"
    );
    assert_eq!(missing.len(), 1, "{missing:?}");

    let text = inspect(&[]);
    assert!(
        text.contains(&format!("\nLSN             {}", &lsn[..2])),
        "{text}"
    );
    assert!(
        text.contains("ROWS, ABOUT") && text.contains("COLUMN WITHOUT INDEX"),
        "{text}"
    );
    assert!(
        text.contains("\nlabels ") && text.contains(" 3,000 "),
        "{text}"
    );
}
