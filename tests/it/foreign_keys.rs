//! Foreign keys in every kind of snapshot: those that the server has.

use std::fs;
use std::process::Command;

use crate::support::server::*;
use crate::support::*;
use relexport::snapshot::{OpenOptions, Spec, open_with, read_definitions};

const TABLES: &str = r#"
    CREATE SCHEMA billing;
    CREATE SCHEMA "odd.schema";
    CREATE TABLE customers (id bigint PRIMARY KEY, code text UNIQUE, parent_id bigint REFERENCES customers);
    CREATE TABLE orders (customer_id bigint NOT NULL REFERENCES customers ON DELETE CASCADE, no int,
      code text CONSTRAINT "by ""code""" REFERENCES customers (code) MATCH FULL, PRIMARY KEY (customer_id, no));
    CREATE TABLE billing.invoices (id uuid PRIMARY KEY, customer_id bigint, order_no int,
      FOREIGN KEY (customer_id, order_no) REFERENCES orders DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE "odd.schema"."Odd table" ("a b" uuid REFERENCES billing.invoices, twice bigint REFERENCES customers
      REFERENCES customers (id));
    CREATE TABLE events (id bigint, customer_id bigint REFERENCES customers, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
    ALTER TABLE events_2 ADD FOREIGN KEY (id) REFERENCES customers;
    CREATE TABLE seen (event_id bigint REFERENCES events);
    INSERT INTO customers VALUES (1, 'a', 1);
    INSERT INTO orders VALUES (1, 5, 'a');
    ALTER TABLE orders ADD FOREIGN KEY (no) REFERENCES events (id) NOT VALID;
"#;

/// What the server says of them: a line for each, without those that partitions have from their table.
const STATED: &str = r#"
    SELECT n.nspname || '|' || c.relname || '|' || f.conname || '|' || rn.nspname || '|' || r.relname || '|' ||
      (SELECT string_agg(a.attname, ',' ORDER BY k) FROM generate_subscripts(f.conkey, 1) k
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[k]) || '|' ||
      (SELECT string_agg(a.attname, ',' ORDER BY k) FROM generate_subscripts(f.confkey, 1) k
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = f.confkey[k])
    FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0"#;

/// The foreign keys of a snapshot, as [`STATED`] has them.
fn foreign_keys(snapshot: &str) -> Vec<String> {
    let spec = Spec::from(snapshot);
    let snapshot = open_with(&spec, &OpenOptions::default()).unwrap();
    let definitions = read_definitions(snapshot).unwrap();
    assert!(definitions.error.is_none());
    let keys = definitions.catalog.keys();
    let mut lines: Vec<String> = keys
        .foreign()
        .map(|(table, key)| {
            [
                &table.schema,
                &table.name,
                &key.name,
                &key.table.schema,
                &key.table.name,
                &key.columns.join(","),
                &keys.referenced(key).unwrap().join(","),
            ]
            .map(String::as_str)
            .join("|")
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn foreign_keys_are_those_of_the_server_in_every_kind_of_snapshot() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.run(TABLES);
    let stated = database.run(STATED);
    let mut stated: Vec<&str> = stated.lines().collect();
    stated.sort();
    assert_eq!(stated.len(), 11);
    dir.write("plain.sql", database.dump(&[]));
    dir.write("inserts.sql", database.dump(&["--inserts"]));
    dir.write("custom", database.dump(&["-Fc"]));
    dir.write("tar", database.dump(&["-Ft"]));
    let folder = dir.join("folder");
    database.dump(&["-Fd", "-f", folder.to_str().unwrap()]);
    fs::create_dir(dir.join("csv")).unwrap();
    dir.write("csv/schema.sql", database.dump(&["--schema-only"]));
    dir.write("csv/customers.csv", "id,code,parent_id\n1,a,1\n");
    for kind in ["plain.sql", "inserts.sql", "custom", "tar", "folder", "csv"] {
        let path = dir.join(kind);
        assert_eq!(foreign_keys(path.to_str().unwrap()), stated, "{kind}");
    }
    assert_eq!(foreign_keys(&database.address()), stated, "live");
}

#[test]
fn a_taken_snapshot_states_them_and_psql_makes_them_if_it_is_told_to() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.run(TABLES);
    dir.write(
        "shop.yml",
        "pipeline: shop\nentity: { kind: Shop, table: customers, prefix: 'shop_{key}' }\n\
         relations:\n  orders: { table: orders, link: { customer_id: key } }\n",
    );
    dir.relexport("--quiet snapshot take --pipeline shop.yml --out taken --from")
        .arg(database.address())
        .ok();
    let taken = dir.join("taken");
    let ours = foreign_keys(taken.to_str().unwrap());
    let schema = taken.join("schema.sql");
    // Names of constraints are not kept, nor what leads to other schemas.
    let nameless = |line: &str| {
        let mut fields: Vec<&str> = line.split('|').collect();
        fields.remove(2);
        fields.join("|")
    };
    let of = |lines: &[&str]| {
        let mut lines: Vec<String> = lines.iter().map(|line| nameless(line)).collect();
        lines.sort();
        lines
    };
    let (plain, keyed) = (Server::shared().database(), Server::shared().database());
    plain.load(&schema);
    assert_eq!(plain.run(STATED), "");
    let load: &mut Command = &mut keyed.psql();
    ok(load.args(["-v", "foreign_keys=on", "-f"]).arg(&schema));
    let stated = keyed.run(STATED);
    let stated = of(&stated.lines().collect::<Vec<_>>());
    assert_eq!(
        stated,
        of(&ours.iter().map(String::as_str).collect::<Vec<_>>())
    );
    // Those of partitions are left out with them.
    let source = database.run(STATED);
    let expected: Vec<&str> = source
        .lines()
        .filter(|line| line.starts_with("public|") && !line.starts_with("public|events_2|"))
        .collect();
    assert_eq!(stated, of(&expected));
}
