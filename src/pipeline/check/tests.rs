//! Pipelines against catalogs.

use super::*;

mod entities;
mod links;
mod rows;

/// `orders id:bigint customer_id:bigint name:text`, one table a line.
fn catalog(text: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let name = TableName::public(words.next().unwrap());
        let columns = words.map(|word| {
            let (name, sql_type) = word.split_once(':').unwrap_or((word, "bigint"));
            let sql_type = SqlType::parse(sql_type);
            Column {
                name: name.to_owned(),
                sql_type,
            }
        });
        let columns = columns.collect();
        catalog.add(Table {
            name,
            columns,
            partitioned: false,
        });
    }
    catalog
}

const SHOP: &str = "
pipeline: shop
entity: { kind: Customer, table: customers, prefix: 'customer_{key}' }
tables: { products: { key: sku, values: { size: { names: { 1: small } } } } }
relations:
  orders:
    table: orders
    link: { customer_id: key }
    where: { state: [1, 2] }
    except: [secret]
    nested:
      lines: { many: lines, link: { order_id: id }, order: [position] }
";

const TABLES: &str = "
        customers id
        orders id customer_id state secret
        lines id order_id position
        products sku size";

/// A shop with columns of many types.
const ORDERS: &str = "CREATE TABLE o (id integer PRIMARY KEY, c_id uuid, n numeric, t text, d date, j jsonb, \
    z timestamptz, s smallint, e mood, ci citext, up integer);\n\
    CREATE TABLE l (o_id bigint, tenant uuid, no integer, o_text text, e mood, PRIMARY KEY (tenant, no));\n\
    CREATE TYPE mood AS ENUM ('sad', 'glad');";

fn findings(pipeline: &str, tables: &str) -> Vec<String> {
    findings_of(pipeline, &catalog(tables))
}

fn findings_of(pipeline: &str, catalog: &Catalog) -> Vec<String> {
    let pipeline = Pipeline::parse(pipeline, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
    let found = check(&pipeline, catalog);
    found.iter().map(Finding::to_string).collect()
}

/// The findings of a pipeline with this relation `o` over these definitions. The entity's key is of type uuid.
fn of_relation(relation: &str, sql: &str) -> Vec<String> {
    let pipeline = format!(
        "pipeline: shop\nentity: {{ kind: Customer, table: c, prefix: 'c_{{key}}' }}\nrelations:\n  o: {{ {relation} }}\n"
    );
    let sql = format!("CREATE TABLE c (id uuid PRIMARY KEY);\n{sql}");
    findings_of(
        &pipeline,
        &crate::snapshot::read_schema(sql.as_bytes()).unwrap(),
    )
}

/// A case for each table of definitions and relation: what is found, one finding a line.
fn check_relations(cases: &[(&str, &str, &str, &[&str])]) {
    let mut failures = String::new();
    for (name, sql, relation, expected) in cases {
        let found = of_relation(relation, sql);
        if found != *expected {
            failures.push_str(&format!("{name}: {found:#?}\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_snapshot_with_everything_gives_no_findings() {
    assert_eq!(findings(SHOP, TABLES), Vec::<String>::new());
}

#[test]
fn what_a_snapshot_lacks_is_found() {
    let cases = [
        (
            "no entity table",
            ("customers id", ""),
            "error: entity: the snapshot has no table customers: nothing can be exported",
        ),
        (
            "a key of another type",
            ("customers id", "customers id:uuid"),
            "error: relations > orders: column customer_id of table orders (bigint) cannot be linked to the key of the \
             Customer (uuid): PostgreSQL has no operator bigint = uuid",
        ),
        (
            "no top-level table",
            ("orders id", "other id"),
            "warning: relations > orders: the snapshot has no table orders: the relation is left out",
        ),
        (
            "no nested table",
            ("lines id", "other id"),
            "note: relations > orders > lines: the snapshot has no table lines: the array is empty",
        ),
        (
            "no link column",
            ("customer_id", "other_id"),
            "error: relations > orders: a link needs column customer_id, which table orders does not have",
        ),
        (
            "a link of another type",
            ("order_id", "order_id:text"),
            "error: relations > orders > lines: column order_id of table lines (text) cannot be linked to column id of \
             table orders (bigint): PostgreSQL has no operator text = bigint",
        ),
        (
            "no order column",
            ("position", ""),
            "error: relations > orders > lines: the order needs column position, which table lines does not have",
        ),
        (
            "no excepted column",
            ("secret", ""),
            "warning: relations > orders: table orders has no column secret: there is nothing to leave out",
        ),
        (
            "a condition that cannot hold",
            ("state", "state:boolean"),
            "warning: relations > orders: column state of table orders is never \"2\"",
        ),
        (
            "a key that is also a column",
            ("secret", "secret lines"),
            "error: relations > orders: key lines would be written twice: table orders has a column of that name",
        ),
        (
            "names on a text",
            ("size", "size:text"),
            "error: tables > products: a rule with names needs an integer, and column size of table products is none",
        ),
    ];
    for (name, (from, to), expected) in cases {
        let found = findings(SHOP, &TABLES.replace(from, to));
        assert!(
            found.iter().any(|finding| finding == expected),
            "{name}: {found:#?}"
        );
    }
}

#[test]
fn a_declared_key_is_held_against_the_stated_ones() {
    let orders = "CREATE TABLE orders (id bigint, customer_id bigint, state bigint, secret text";
    let other = "error: relations > orders: table orders: the pipeline tells its rows apart by id, but its primary \
             key is (customer_id, id), so rows may share a value of id; declare the primary \
             key, or other columns that are unique, as the table's key";
    let parts = "warning: relations > orders: table orders: the pipeline tells its rows apart by id, but its \
             primary key is (id, state): if rows of several partitions share a value of id, they cannot be told apart";
    let cases = [
        ("nothing is stated", ");", None),
        ("the primary key", ", PRIMARY KEY (id));", None),
        (
            "other columns",
            ", PRIMARY KEY (customer_id, id));",
            Some(other),
        ),
        (
            "and a unique one",
            ", PRIMARY KEY (customer_id, id), UNIQUE (id));",
            None,
        ),
        ("no primary key", ", UNIQUE (customer_id, id));", None),
        (
            "a partitioned table",
            ", PRIMARY KEY (id, state)) PARTITION BY LIST (state);",
            Some(parts),
        ),
    ];
    let pipeline = Pipeline::parse(SHOP, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
    for (name, end, expected) in cases {
        let sql = format!(
            "CREATE TABLE customers (id bigint); CREATE TABLE products (sku bigint, size bigint);\n\
                 CREATE TABLE lines (id bigint, order_id bigint, position bigint);\n{orders}{end}"
        );
        let catalog = crate::snapshot::read_schema(sql.as_bytes()).unwrap();
        let found = check(&pipeline, &catalog);
        let found: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, Vec::from_iter(expected), "{name}");
    }
}
