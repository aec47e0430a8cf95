//! `relexport pipeline init`: the pipeline is the same from every kind of snapshot, and exports what SQL finds.

use std::collections::BTreeSet;
use std::fs;

use crate::support::server::*;
use crate::support::*;
use serde_json::Value;

/// A shop with uuid keys, two schemas, composite keys, ways that some rows lack, and comments below comments.
const SHOP: &str = "
    CREATE SCHEMA billing;
    CREATE TYPE billing.state AS ENUM ('open', 'paid');
    CREATE TABLE customers (id uuid PRIMARY KEY, code text UNIQUE);
    CREATE TABLE users (id int PRIMARY KEY, customer_id uuid NOT NULL REFERENCES customers, manager_id int REFERENCES users);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id uuid NOT NULL REFERENCES customers, user_id int REFERENCES users);
    CREATE TABLE comments (id int PRIMARY KEY, order_id int REFERENCES orders, user_id int REFERENCES users,
      parent_id int REFERENCES comments);
    CREATE TABLE reactions (id int PRIMARY KEY, comment_id int NOT NULL REFERENCES comments);
    CREATE TABLE billing.invoices (tenant uuid REFERENCES customers, no int, id int, state billing.state,
      PRIMARY KEY (tenant, no));
    CREATE TABLE billing.payments (id int PRIMARY KEY, tenant uuid NOT NULL, no int NOT NULL,
      FOREIGN KEY (tenant, no) REFERENCES billing.invoices);
    CREATE TABLE billing.transfers (id int PRIMARY KEY, from_customer uuid REFERENCES customers,
      to_customer uuid REFERENCES customers, by_code text REFERENCES customers (code));
    INSERT INTO customers SELECT md5(i::text)::uuid, 'c' || i FROM generate_series(1, 3) i;
    INSERT INTO users SELECT i, md5((1 + i % 3)::text)::uuid, NULL FROM generate_series(1, 9) i;
    INSERT INTO orders SELECT i, md5((1 + i % 3)::text)::uuid, NULL FROM generate_series(1, 30) i;
    INSERT INTO comments SELECT i, CASE i % 4 WHEN 0 THEN 1 + i % 30 END, CASE i % 4 WHEN 2 THEN 1 + i % 9 END,
      CASE WHEN i % 4 = 1 AND i > 1 THEN i - 1 END FROM generate_series(1, 60) i;
    INSERT INTO reactions SELECT i, 1 + i % 60 FROM generate_series(1, 200) i;
    INSERT INTO billing.invoices SELECT md5((1 + i % 3)::text)::uuid, i, 7, 'open' FROM generate_series(1, 12) i;
    INSERT INTO billing.payments SELECT no, tenant, no FROM billing.invoices;
    INSERT INTO billing.transfers SELECT i, CASE i % 2 WHEN 0 THEN md5((1 + i % 3)::text)::uuid END,
      CASE i % 3 WHEN 0 THEN md5((1 + i % 2)::text)::uuid END, CASE i % 5 WHEN 0 THEN 'c1' END FROM generate_series(1, 20) i;";

/// The customer that is exported.
const CUSTOMER: &str = "c4ca4238-a0b9-2382-0dcc-509a6f75849b";

/// The rows of each table that belong to the customer.
const ROWS: [(&str, &str); 6] = [
    (
        "orders",
        "SELECT id FROM orders WHERE customer_id = md5('1')::uuid",
    ),
    (
        "comments",
        "WITH RECURSIVE found AS (
           SELECT id FROM comments
           WHERE order_id IN (SELECT id FROM orders WHERE customer_id = md5('1')::uuid)
             OR user_id IN (SELECT id FROM users WHERE customer_id = md5('1')::uuid)
           UNION SELECT c.id FROM comments c JOIN found f ON c.parent_id = f.id)
         SELECT id FROM found",
    ),
    (
        "reactions",
        "WITH RECURSIVE found AS (
           SELECT id FROM comments
           WHERE order_id IN (SELECT id FROM orders WHERE customer_id = md5('1')::uuid)
             OR user_id IN (SELECT id FROM users WHERE customer_id = md5('1')::uuid)
           UNION SELECT c.id FROM comments c JOIN found f ON c.parent_id = f.id)
         SELECT id FROM reactions WHERE comment_id IN (SELECT id FROM found)",
    ),
    (
        "invoices",
        "SELECT no FROM billing.invoices WHERE tenant = md5('1')::uuid",
    ),
    (
        "payments",
        "SELECT id FROM billing.payments WHERE tenant = md5('1')::uuid",
    ),
    (
        "transfers",
        "SELECT id FROM billing.transfers WHERE md5('1')::uuid IN (from_customer, to_customer) OR by_code = 'c1'",
    ),
];

/// Collects the ids of rows, which stand under their table's name at any depth.
fn collect(table: &str, key: &str, value: &Value, found: &mut BTreeSet<i64>) {
    match value {
        Value::Object(row) => {
            if table == key
                && let Some(id) = row.get(if key == "invoices" { "no" } else { "id" })
            {
                found.insert(id.as_i64().unwrap());
            }
            for (key, value) in row {
                collect(table, key, value, found);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| collect(table, key, row, found)),
        _ => {}
    }
}

#[test]
fn a_first_pipeline_is_the_same_from_every_snapshot_and_exports_what_sql_finds() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.run(SHOP);
    dir.write("plain.sql", database.dump(&[]));
    dir.write("custom", database.dump(&["-Fc"]));
    dir.write("tar", database.dump(&["-Ft"]));
    fs::create_dir(dir.join("csv")).unwrap();
    dir.write("csv/schema.sql", database.dump(&["--schema-only"]));
    dir.write("csv/orders.csv", "id\n");
    let init = |snapshot: &str| {
        let init = dir.relexport("--quiet pipeline init --entity customers --snapshot");
        init.arg(snapshot).prints()
    };
    let made = init("plain.sql");
    dir.write("shop.yml", &made);
    let take =
        dir.relexport("--quiet snapshot take --pipeline shop.yml --from plain.sql --out taken");
    take.ok();
    dir.relexport("snapshot verify taken").ok();
    assert!(dir.join("taken/billing.payments.csv.zst").exists());
    let address = database.address();
    for snapshot in ["custom", "tar", "csv", "taken", &address] {
        assert_eq!(init(snapshot), made, "{snapshot}");
    }
    let checked = dir
        .relexport("pipeline check shop.yml --snapshot plain.sql")
        .prints();
    assert_eq!(checked, "shop.yml: nothing is wrong\n");
    let mut exports = Vec::new();
    for (place, snapshot) in ["plain.sql", "custom", "taken", &address]
        .into_iter()
        .enumerate()
    {
        let out = format!("out-{place}");
        let export = dir.relexport("--quiet export --pipeline shop.yml --snapshot");
        let export = export
            .arg(snapshot)
            .args(["--group", CUSTOMER, "--out", &out]);
        export.ok();
        exports.push(ExportFolder::new(dir.join(&out)).contents());
        assert_same_files(snapshot, &exports[place], &exports[0]);
    }
    for (table, sql) in ROWS {
        let mut found = BTreeSet::new();
        for (file, content) in &exports[0] {
            let relation = file.rsplit('/').next().unwrap().split('.').next().unwrap();
            // A table's further ways are named after it.
            let relation = relation.split("_by_").next().unwrap();
            for line in String::from_utf8_lossy(content).lines() {
                let record = serde_json::from_str(line).unwrap();
                collect(table, relation, &record, &mut found);
            }
        }
        // Rows below rows stand under the relation's own name.
        let expected = database.run(sql);
        let expected: BTreeSet<i64> = expected.lines().map(|id| id.parse().unwrap()).collect();
        assert!(!expected.is_empty());
        assert_eq!(found, expected, "{table}");
    }
}
