//! Tables of databases that are not GitLab's: stated keys, tables that inherit, tables made from types, partitioned tables
//! without their partitions.

use std::fs;

use crate::support::server::{Database, Server, ok};
use crate::support::*;
use serde_json::Value;

/// Where a dump's definitions end and its rows begin, and where its constraints stand.
fn dump(definitions: &str, rows: &str, constraints: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
         SELECT pg_catalog.set_config('search_path', '', false);\n\n\
         CREATE TABLE public.tenants (\n    id bigint NOT NULL,\n    name text\n);\n{definitions}\n\
         COPY public.tenants (id, name) FROM stdin;\n1\tone\n2\ttwo\n\\.\n\n{rows}\n{constraints}\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

const PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  tenant: { table: tenants, form: object, link: { id: key } }
  items: { table: items, link: { tenant_id: key } }
"#;

/// An export of tenant 1.
fn export(dir: &Dir, snapshot: &std::path::Path, pipeline: &str) -> Program {
    let pipeline = dir.write("pipeline.yml", pipeline);
    dir.export(snapshot)
        .option("--pipeline", &pipeline)
        .group(1)
}

const ITEMS: &str =
    "CREATE TABLE public.items (\n    id bigint NOT NULL,\n    tenant_id bigint NOT NULL\n);\n";
const ITEM_ROWS: &str = "COPY public.items (id, tenant_id) FROM stdin;\n10\t1\n11\t2\n\\.\n";
const COMPOSITE: &str =
    "ALTER TABLE ONLY public.items\n    ADD CONSTRAINT items_pkey PRIMARY KEY (tenant_id, id);\n";
const DOUBT: &str =
    "table items: the pipeline tells its rows apart by id, but its primary key is (tenant_id, id)";

#[test]
fn a_primary_key_of_other_columns_is_a_warning_of_the_export() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", dump(ITEMS, ITEM_ROWS, COMPOSITE));
    let run = export(&dir, &path, PIPELINE).ok();
    assert!(run.stderr.contains(DOUBT), "{}", run.stderr);
    let manifest = run.manifest();
    let warning = manifest["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with(DOUBT), "{warning}");

    let dry = dir.relexport("export --dry-run --json --group 1 --pipeline pipeline.yml");
    let json = dry.option("--snapshot", &path).json();
    assert!(
        json["warnings"][0].as_str().unwrap().starts_with(DOUBT),
        "{json}"
    );

    // Of tables that are not exported nothing is said.
    let other = dir.export_to(&path, dir.join("other"));
    let pipeline = dir.join("pipeline.yml");
    let other = other
        .option("--pipeline", &pipeline)
        .group(1)
        .relations(&["tenant"])
        .ok();
    assert_eq!(other.manifest()["warnings"], Value::Null);
}

#[test]
fn a_unique_constraint_of_the_declared_key_is_enough() {
    let dir = Dir::new();
    let unique = format!("{COMPOSITE}CREATE UNIQUE INDEX i ON public.items USING btree (id);\n");
    let path = dir.write("dump.sql", dump(ITEMS, ITEM_ROWS, &unique));
    let run = export(&dir, &path, PIPELINE).ok();
    assert_eq!(run.manifest()["warnings"], Value::Null);
}

/// A database in every kind of snapshot, and snapshots that were taken of some of them.
fn every_kind(
    dir: &Dir,
    database: &Database<'_>,
    pipeline: &str,
    bare_inserts: bool,
) -> Vec<(String, String)> {
    let pipeline = dir.write("pipeline.yml", pipeline);
    let mut kinds = Vec::new();
    let dumps: [(&str, &[&str]); 6] = [
        ("plain", &[]),
        ("inserts", &["--inserts"]),
        (
            "column-inserts",
            &["--column-inserts", "--rows-per-insert=2"],
        ),
        ("custom", &["-Fc"]),
        ("custom-inserts", &["-Fc", "--inserts"]),
        ("tar", &["-Ft"]),
    ];
    for (kind, arguments) in dumps {
        if !bare_inserts && arguments.contains(&"--inserts") {
            continue;
        }
        let path = dir.write(&format!("{kind}.dump"), database.dump(arguments));
        kinds.push((kind.to_owned(), path.display().to_string()));
    }
    // As streams the archives are read another way.
    for kind in ["custom", "tar"] {
        let bytes = fs::read(dir.join(&format!("{kind}.dump"))).unwrap();
        let packed = zstd::encode_all(&bytes[..], 1).unwrap();
        let path = dir.write(&format!("{kind}.zst"), packed);
        kinds.push((format!("{kind} stream"), path.display().to_string()));
    }
    let folder = dir.join("folder");
    let mut dump = database.server.program("pg_dump");
    ok(dump.args(["-Fd", "-d", &database.name, "-f"]).arg(&folder));
    kinds.push(("directory".to_owned(), folder.display().to_string()));
    let csv = dir.join("csv");
    fs::create_dir(&csv).unwrap();
    fs::write(csv.join("schema.sql"), database.dump(&["--schema-only"])).unwrap();
    let tables = database.run(
        "SELECT oid::regclass, relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|inf)'",
    );
    for line in tables.lines() {
        let (table, name) = line.split_once('|').unwrap();
        let rows = database.run(&format!("COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)"));
        fs::write(csv.join(format!("{name}.csv")), rows + "\n").unwrap();
    }
    kinds.push(("csv".to_owned(), csv.display().to_string()));
    kinds.push(("live".to_owned(), database.address()));
    for (kind, from) in kinds.clone() {
        if !["plain", "inserts", "directory", "csv", "live"].contains(&kind.as_str()) {
            continue;
        }
        for group in [None, Some("1")] {
            let what = format!("{kind} taken{}", group.map_or("", |_| " of one"));
            let out = dir.join(&what.replace(' ', "-"));
            dir.relexport("snapshot take --quiet")
                .option("--from", &from)
                .option("--out", &out)
                .option("--pipeline", &pipeline)
                .args(group.iter().flat_map(|group| ["--group", group]))
                .ok();
            kinds.push((what, out.display().to_string()));
        }
    }
    kinds
}

/// Exports of tenant 1 from every kind hold what the server's `SELECT` gives, by relation.
fn assert_as_selected(
    database: &Database<'_>,
    pipeline: &str,
    selects: &[(&str, &str)],
    bare_inserts: bool,
) {
    let dir = Dir::new();
    for (kind, snapshot) in every_kind(&dir, database, pipeline, bare_inserts) {
        let out = dir.join("out").join(kind.replace(' ', "-"));
        let run = dir.export_to(&snapshot, out);
        let run = run
            .option("--pipeline", dir.join("pipeline.yml"))
            .group(1)
            .ok();
        for (relation, select) in selects {
            let rows = database.run(&format!("SELECT row_to_json(r) FROM ({select}) r"));
            let expected: Vec<Value> = rows
                .lines()
                .map(|row| serde_json::from_str(row).unwrap())
                .collect();
            assert!(!expected.is_empty(), "{relation}");
            let content = run.content(&format!("tenant_1/{relation}.ndjson.gz"));
            let content = String::from_utf8(content).unwrap();
            let found: Vec<Value> = content
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(found, expected, "{kind}: {relation}");
        }
    }
}

const INHERITING: &str = "
CREATE SCHEMA chunks;
CREATE TABLE tenants (id bigint PRIMARY KEY, name text);
INSERT INTO tenants VALUES (1, 'one'), (2, 'two');
CREATE TABLE items (id bigint NOT NULL, tenant_id bigint, name text);
CREATE TABLE stamped (at date, name text);
-- A child like its parent, two with more columns, a grandchild with two parents, one below it that is attached to the top a
-- second time, one in another schema, and one that was a child once.
CREATE TABLE a_child () INHERITS (items);
CREATE TABLE items_2023 (extra text) INHERITS (items);
CREATE TABLE items_2024 (more int[]) INHERITS (items);
CREATE TABLE z_grandchild (extra2 boolean) INHERITS (items_2023, stamped);
CREATE TABLE twice () INHERITS (z_grandchild, items);
CREATE TABLE chunks._hyper_1_chunk () INHERITS (public.items);
CREATE TABLE was_child () INHERITS (items);
ALTER TABLE was_child NO INHERIT items;
CREATE TABLE parts (item_id bigint, id bigint PRIMARY KEY);
CREATE TABLE parts_old () INHERITS (parts);
INSERT INTO items VALUES (500, 1, 'in the parent'), (501, 2, 'of somebody else');
INSERT INTO a_child VALUES (3, 1, E'tab\tbed'), (4, 2, 'no');
INSERT INTO items_2023 VALUES (10, 1, 'in the first child', 'x'), (11, 2, 'no', 'y');
INSERT INTO items_2024 VALUES (100, 1, 'in the second child', '{1,2}'), (101, 2, 'no', '{}');
INSERT INTO z_grandchild (id, tenant_id, name, extra, at, extra2) VALUES (50, 1, NULL, 'x', '2024-01-02', true), (51, 2, 'no', '', NULL, false);
INSERT INTO twice (id, tenant_id, name) VALUES (60, 1, 'once');
INSERT INTO chunks._hyper_1_chunk VALUES (70, 1, 'in another schema');
INSERT INTO was_child VALUES (80, 1, 'not any more');
INSERT INTO parts VALUES (500, 1), (10, 2), (11, 3);
INSERT INTO parts_old VALUES (60, 4), (500, 5), (101, 6);
";

const INHERITING_PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  items: { table: items, link: { tenant_id: key }, nested: { parts: { many: parts, link: { item_id: id } } } }
  old_items: { table: items_2023, link: { tenant_id: key } }
  lonely: { table: was_child, link: { tenant_id: key } }
"#;

#[test]
fn rows_of_tables_that_inherit_are_those_of_their_parents_as_select_has_it() {
    let database = Server::shared().database();
    database.run(INHERITING);
    let parts = "COALESCE((SELECT json_agg(row_to_json(p) ORDER BY p.id) FROM parts p WHERE p.item_id = i.id), '[]') AS parts";
    let items = format!("SELECT i.*, {parts} FROM items i WHERE tenant_id = 1 ORDER BY id");
    let selects = [
        ("items", items.as_str()),
        (
            "old_items",
            "SELECT * FROM items_2023 WHERE tenant_id = 1 ORDER BY id",
        ),
        ("lonely", "SELECT * FROM was_child WHERE tenant_id = 1"),
    ];
    assert_as_selected(&database, INHERITING_PIPELINE, &selects, true);
}

#[test]
fn a_child_may_have_its_columns_in_another_order() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1);
         CREATE TABLE items (id bigint, tenant_id bigint, name text);
         CREATE TABLE child (name text, more int[], tenant_id bigint, id bigint); ALTER TABLE child INHERIT items;
         INSERT INTO items VALUES (1, 1, 'one'); INSERT INTO child VALUES ('two', '{1}', 1, 2);",
    );
    // An INSERT without columns is not right for PostgreSQL itself: pg_dump warns of it.
    assert_as_selected(
        &database,
        PIPELINE,
        &[("items", "SELECT * FROM items ORDER BY id")],
        false,
    );
}

#[test]
fn a_partition_may_be_a_relation_s_table_too() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1);
         CREATE TABLE events (id bigint, tenant_id bigint, at date) PARTITION BY RANGE (at);
         CREATE TABLE old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
         CREATE TABLE old_1 PARTITION OF old FOR VALUES IN (1); CREATE TABLE old_x PARTITION OF old DEFAULT;
         CREATE TABLE new (at date, id bigint, tenant_id bigint);
         ALTER TABLE events ATTACH PARTITION new FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
         INSERT INTO events VALUES (1, 1, '2020-05-05'), (2, 1, '2020-05-06'), (3, 1, '2021-05-05'), (4, 2, '2020-05-05');",
    );
    let pipeline = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  events: { table: events, link: { tenant_id: key } }
  old: { table: old, link: { tenant_id: key } }
  new: { table: new, link: { tenant_id: key } }
"#;
    let selects = ["events", "old", "new"].map(|table| {
        (
            table,
            format!("SELECT * FROM {table} WHERE tenant_id = 1 ORDER BY id"),
        )
    });
    let selects = selects
        .each_ref()
        .map(|(table, select)| (*table, select.as_str()));
    assert_as_selected(&database, pipeline, &selects, true);
}

/// pg_dump loads partitions by way of their root where a hash of an enum says which one a row is of: there is no telling what the
/// hash is in the database that is restored into. The statements name the root then, and the headings the partition.
const BY_ROOT: &str = "
CREATE TYPE state AS ENUM ('open', 'shut');
CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1), (2);
CREATE TABLE items (id bigint, tenant_id bigint, state state) PARTITION BY HASH (state);
CREATE TABLE hashed PARTITION OF items FOR VALUES WITH (modulus 1, remainder 0) PARTITION BY LIST (tenant_id);
CREATE TABLE of_one PARTITION OF hashed FOR VALUES IN (1) PARTITION BY LIST (id);
CREATE TABLE low PARTITION OF of_one FOR VALUES IN (1, 2);
CREATE TABLE high (state state, id bigint, tenant_id bigint);
ALTER TABLE of_one ATTACH PARTITION high FOR VALUES IN (8, 9);
CREATE TABLE of_two PARTITION OF hashed FOR VALUES IN (2);
INSERT INTO items VALUES (1, 1, 'open'), (8, 1, 'shut'), (2, 1, 'shut'), (3, 2, 'open'), (9, 1, 'open');
";

const BY_ROOT_PIPELINE: &str = r#"
pipeline: tables
entity: { kind: Tenant, table: tenants, key: id, prefix: "tenant_{key}" }
relations:
  items: { table: items, link: { tenant_id: key } }
  hashed: { table: hashed, link: { tenant_id: key } }
  low: { table: low, link: { tenant_id: key } }
  high: { table: high, link: { tenant_id: key } }
"#;

#[test]
fn rows_that_are_loaded_by_way_of_a_root_are_those_of_the_partition_that_they_stand_in() {
    let database = Server::shared().database();
    database.run(BY_ROOT);
    assert!(
        String::from_utf8(database.dump(&[]))
            .unwrap()
            .contains("COPY public.items"),
        "this pg_dump does not load it by way of the root"
    );
    let selects = ["items", "hashed", "low", "high"].map(|table| {
        (
            table,
            format!("SELECT * FROM {table} WHERE tenant_id = 1 ORDER BY id"),
        )
    });
    let selects = selects
        .each_ref()
        .map(|(table, select)| (*table, select.as_str()));
    // An INSERT without columns has its values in the order of the partition, which PostgreSQL itself loads wrongly.
    assert_as_selected(&database, BY_ROOT_PIPELINE, &selects, true);
}

#[test]
fn rows_of_a_root_that_nobody_divides_are_not_those_of_no_partition() {
    let database = Server::shared().database();
    database.run(BY_ROOT);
    let dir = Dir::new();
    dir.write("pipeline.yml", BY_ROOT_PIPELINE);
    let dump = String::from_utf8(database.dump(&[])).unwrap();
    let lines = dump.lines().filter(|line| !line.starts_with("-- Data for"));
    let bare = dir.write("bare.sql", lines.collect::<Vec<_>>().join("\n"));
    let csv = dir.join("csv");
    fs::create_dir(&csv).unwrap();
    fs::write(csv.join("schema.sql"), database.dump(&["--schema-only"])).unwrap();
    for table in ["items", "tenants"] {
        let rows = database.run(&format!(
            "COPY (SELECT * FROM {table}) TO STDOUT WITH (FORMAT csv, HEADER)"
        ));
        fs::write(csv.join(format!("{table}.csv")), rows + "\n").unwrap();
    }
    for (name, snapshot) in [("bare", bare), ("csv", csv)] {
        let run = dir
            .export_to(&snapshot, dir.join(&format!("{name}-out")))
            .option("--pipeline", dir.join("pipeline.yml"))
            .group(1)
            .fails(
                1,
                &["table low: rows of it may stand in the data of items, which it is a partition of"],
            );
        for (relation, status) in [("items", 1), ("hashed", -1), ("low", -1), ("high", -1)] {
            assert_eq!(
                run.relation(relation)["status"],
                status,
                "{name} {relation}"
            );
        }
        assert_eq!(
            run.content("tenant_1/items.ndjson.gz"),
            b"{\"id\":1,\"tenant_id\":1,\"state\":\"open\"}\n{\"id\":2,\"tenant_id\":1,\"state\":\"shut\"}\n\
              {\"id\":8,\"tenant_id\":1,\"state\":\"shut\"}\n{\"id\":9,\"tenant_id\":1,\"state\":\"open\"}\n"
        );
        // Nor are they taken along.
        dir.relexport("snapshot take --quiet --pipeline pipeline.yml")
            .option("--from", &snapshot)
            .option("--out", dir.join(&format!("{name}-taken")))
            .fails(3, &["which it is a partition of"]);
    }
}

const TYPES: &str = "
CREATE SCHEMA other;
CREATE TYPE public.date AS ENUM ('2024-01-01', 'never');
CREATE DOMAIN public.text AS integer CHECK (VALUE > 0);
CREATE TYPE public.\"json\" AS ENUM ('1', '{}');
CREATE DOMAIN public.\"boolean\" AS bigint;
CREATE TYPE other.uuid AS ENUM ('t', 'f');
CREATE DOMAIN other.bool AS pg_catalog.text;
CREATE TYPE public.box AS ENUM ('a;b', 'c');
CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1);
CREATE TABLE items (id bigint, tenant_id bigint, a public.date, b pg_catalog.date, c public.text, d pg_catalog.text, e public.\"json\", f pg_catalog.json,
  g public.\"boolean\", h boolean, i other.uuid, j other.bool, k public.text[], l public.date[], m public.box[]);
INSERT INTO items VALUES
  (1, 1, 'never', '2024-01-02', 7, '7', '1', '{\"x\":1}', 5, true, 't', 't', '{1,2}', '{never,NULL}', '{a;b,c}'),
  (2, 1, '2024-01-01', NULL, NULL, '', '{}', 'null', NULL, false, 'f', NULL, '{}', NULL, '{}');
";

#[test]
fn types_that_are_named_like_built_in_ones_are_told_apart() {
    let database = Server::shared().database();
    database.run(TYPES);
    assert_as_selected(
        &database,
        PIPELINE,
        &[("items", "SELECT * FROM items ORDER BY id")],
        true,
    );
}

#[test]
fn tables_that_are_made_from_types_have_their_columns() {
    let database = Server::shared().database();
    database.run(
        "CREATE TYPE tenant AS (id bigint); CREATE TYPE item AS (id integer, tenant_id bigint, sold boolean, gone text);
         CREATE TABLE tenants OF tenant (PRIMARY KEY (id)); INSERT INTO tenants VALUES (1);
         CREATE TABLE items OF item (id WITH OPTIONS PRIMARY KEY, tenant_id DEFAULT 1, CONSTRAINT c CHECK (id > 0)) PARTITION BY RANGE (id);
         ALTER TYPE item ADD ATTRIBUTE \"A b\" smallint CASCADE, DROP ATTRIBUTE gone CASCADE;
         CREATE TABLE low PARTITION OF items FOR VALUES FROM (1) TO (10);
         CREATE TABLE high PARTITION OF items FOR VALUES FROM (10) TO (20);
         INSERT INTO items VALUES (1, 1, true, 5), (12, 1, false, NULL), (13, 2, NULL, 0);",
    );
    let select = "SELECT * FROM items WHERE tenant_id = 1 ORDER BY id";
    assert_as_selected(&database, PIPELINE, &[("items", select)], true);
}

#[test]
fn primary_keys_are_known_of_every_kind() {
    let database = Server::shared().database();
    database.run(
        "CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1);
         CREATE TABLE items (id bigint, tenant_id bigint, PRIMARY KEY (tenant_id, id)); INSERT INTO items VALUES (1, 1);",
    );
    let dir = Dir::new();
    let checked = |snapshot: &str| {
        let check = dir.relexport("pipeline check pipeline.yml");
        let run = check.option("--snapshot", snapshot).run();
        (run.code, run.stdout)
    };
    let kinds = every_kind(&dir, &database, PIPELINE, true);
    for (kind, snapshot) in &kinds {
        let (code, text) = checked(snapshot);
        assert_eq!(code, Some(1), "{kind}");
        assert!(text.contains(DOUBT), "{kind}: {text}");
    }
}

/// `pg_dump -n public` leaves out the partitions of tables whose partitions stand in another schema.
#[test]
fn a_partitioned_table_without_its_partitions_is_no_empty_one() {
    let dir = Dir::new();
    let dump = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
        CREATE TABLE public.shops (\n    id bigint NOT NULL\n);\n\
        CREATE TABLE public.orders (\n    id bigint NOT NULL,\n    shop_id bigint\n)\nPARTITION BY LIST (id);\n\
        COPY public.shops (id) FROM stdin;\n1\n\\.\n\n\
        --\n-- PostgreSQL database dump complete\n--\n";
    fs::write(dir.join("dump.sql"), dump).unwrap();
    let pipeline = "pipeline: shop\nentity: { kind: Shop, table: shops, prefix: \"shop_{key}\" }\n\
        relations:\n  orders: { table: orders, link: { shop_id: key } }\n";
    fs::write(dir.join("shop.yml"), pipeline).unwrap();
    let export = |out: &str| {
        let run = dir.export_to(dir.join("dump.sql"), dir.join(out));
        run.arg("--pipeline")
            .arg(dir.join("shop.yml"))
            .args(["--group", "1"])
    };
    let says = "table orders is defined, but the snapshot does not hold the data";
    export("strict").fails(1, &[says]);
    let run = export("allowed").arg("--allow-missing").ok();
    assert_eq!(run.content("shop_1/orders.ndjson.gz"), b"");
}
