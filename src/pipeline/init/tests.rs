use super::*;
use crate::pipeline::{Pipeline, Severity, check};
use crate::snapshot::read_schema;

mod random;

fn catalog(sql: &str) -> Catalog {
    read_schema(sql.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

fn made(sql: &str, entity: &str, every_way: bool) -> Result<String, InitError> {
    let options = InitOptions {
        entity,
        kind: None,
        every_way,
    };
    init(&catalog(sql), &options)
}

/// What is made of a schema.
fn text(sql: &str, entity: &str) -> String {
    made(sql, entity, false).unwrap_or_else(|error| panic!("{error}"))
}

/// The relations but for that of the entity's own row, without comments.
fn relations(text: &str) -> String {
    let (_, relations) = text.split_once("\nrelations:\n").unwrap();
    let lines = relations
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let second = lines
        .iter()
        .skip(1)
        .position(is_name)
        .map_or(lines.len(), |it| it + 1);
    lines[second..].join("\n")
}

const SHOP: &str = "
CREATE TABLE customers (id uuid PRIMARY KEY, name text, slug varchar(9) UNIQUE, parent_id uuid REFERENCES customers,
  plan_id int REFERENCES plans (id));
CREATE TABLE plans (id int PRIMARY KEY);
CREATE TABLE products (id int PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, customer_id uuid NOT NULL REFERENCES customers);
CREATE TABLE order_lines (order_id int NOT NULL REFERENCES orders, no int, product_id int REFERENCES products,
  PRIMARY KEY (order_id, no));
CREATE TABLE countries (code text PRIMARY KEY);
CREATE TABLE audit_logs (id int PRIMARY KEY, customer_id uuid);
";

const SHOP_PIPELINE: &str = "\
# A first pipeline for what belongs to one row of customers, made by `relexport
# pipeline init --entity customers` from the foreign keys that the snapshot
# declares. Change it as you like: docs/pipeline.md says what can stand here.
#
# What to do next:
# 1. Read the comments below: they say what foreign keys do not.
# 2. relexport pipeline check FILE --snapshot SNAPSHOT
# 3. relexport export --pipeline FILE --snapshot SNAPSHOT --group KEY --out DIR

pipeline: customers
# Values are written with all that the database knows of them.
values: exact

entity:
  kind: Customer
  table: customers
  key: id
  prefix: 'customer_{key}'
  name: name
  # So that --group may name one by a unique text, too:
  # path: slug
  # If some stand below others, and --subgroups is to take them:
  # parent: parent_id

relations:
  # The row of customers itself.
  customers:
    table: customers
    link: { id: key }
    # Rows that these refer to; take the # away to write them, too:
    # nested:
    #   plan: { one: plans, link: { id: plan_id } }

  orders:
    table: orders
    link: { customer_id: key }
    nested:
      order_lines:
        many: order_lines
        link: { order_id: id }
        # Rows that these refer to; take the # away to write them, too:
        # nested:
        #   product: { one: products, link: { id: product_id } }

  # No foreign keys lead from these tables to customers, but their columns may
  # link them. As a relation: { table: TABLE, link: { COLUMN: key } }, or with
  # `via` through other tables.
  # - audit_logs: customer_id may lead to customers

  # No foreign keys lead from these tables to customers: countries, plans,
  # products.
";

/// Makes sure that `pipeline check` finds nothing wrong with a text, on the schema that it was made of: neither as it is nor
/// with the nodes of rows that are referred to.
fn assert_is_right(text: &str, sql: &str) {
    for text in [text.to_owned(), with_lookups(text)] {
        let pipeline = Pipeline::parse(&text, "made.yml");
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{error}\n{sql}\n{text}"));
        let found = check(&pipeline, &catalog(sql));
        let wrong: Vec<String> = found
            .iter()
            .filter(|finding| finding.severity != Severity::Note)
            .map(ToString::to_string)
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{sql}\n{text}");
    }
}

/// The text without the `#` before the nodes of rows that are referred to.
fn with_lookups(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let is_node =
            line.contains("# nested:") || line.contains('#') && line.contains(": { one: ");
        lines.push(match is_node {
            true => line.replacen("# ", "", 1),
            false => line.to_owned(),
        });
    }
    lines.join("\n")
}

#[test]
fn a_pipeline_is_made_of_foreign_keys() {
    assert_eq!(text(SHOP, "customers"), SHOP_PIPELINE);
    assert_is_right(SHOP_PIPELINE, SHOP);
}

#[test]
fn tables_are_written_by_their_ways_to_the_entity() {
    let tenant = "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE);\n\
        CREATE TABLE a (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t);\n";
    let a = "  a:\n    table: a\n    link: { t_id: key }";
    let cases = [
        ("one table", "", a.to_owned()),
        (
            "rows that refer to those",
            "CREATE TABLE b (a_id int REFERENCES a);",
            format!("{a}\n    nested:\n      b:\n        many: b\n        link: {{ a_id: id }}"),
        ),
        (
            "several foreign keys to one table",
            "CREATE TABLE b (one int REFERENCES a, two int REFERENCES a);",
            format!(
                "{a}\n    nested:\n      b:\n        many: b\n        link: [{{ one: id }}, {{ two: id }}]"
            ),
        ),
        (
            "several foreign keys to the entity",
            "CREATE TABLE b (from_t int REFERENCES t, to_t int REFERENCES t, a_id int);",
            format!("{a}\n  b:\n    table: b\n    link: [{{ from_t: key }}, {{ to_t: key }}]"),
        ),
        (
            "another column of the entity than its key",
            "CREATE TABLE b (code text REFERENCES t (code));",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ code: code }}\n    via:\n      - {{ table: t, link: {{ id: key }} }}"
            ),
        ),
        (
            "a direct way that every row has, beside another",
            "CREATE TABLE b (a_id int REFERENCES a, t_id int NOT NULL REFERENCES t);",
            format!("{a}\n  b:\n    table: b\n    link: {{ t_id: key }}"),
        ),
        (
            "a direct way that some rows lack",
            "CREATE TABLE b (a_id int REFERENCES a, t_id int REFERENCES t);",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ t_id: key }}\n  b_by_a:\n    table: b\n    link: {{ a_id: id }}\n    \
                 via:\n      - {{ table: a, link: {{ t_id: key }} }}"
            ),
        ),
        (
            "two ways, of which every row has the second",
            "CREATE TABLE b (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t);\n\
             CREATE TABLE c (a_id int REFERENCES a, b_id int NOT NULL REFERENCES b);",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ t_id: key }}\n    nested:\n      c:\n        many: c\n        link: {{ b_id: id }}"
            ),
        ),
        (
            "a composite foreign key",
            "CREATE TABLE b (t_id int REFERENCES t, no int, PRIMARY KEY (t_id, no));\n\
             CREATE TABLE c (tenant int, b_no int, FOREIGN KEY (tenant, b_no) REFERENCES b);",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ t_id: key }}\n    nested:\n      c:\n        many: c\n        \
                 link: {{ tenant: t_id, b_no: 'no' }}"
            ),
        ),
        (
            "a circle that has a way out",
            "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a, c_id int REFERENCES c (id));\n\
             CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b);",
            format!(
                "{a}\n    nested:\n      b:\n        many: b\n        link: {{ a_id: id }}\n        nested:\n          \
                 c:\n            many: c\n            link: {{ b_id: id }}"
            ),
        ),
        (
            "a circle that has none",
            "CREATE TABLE b (id int PRIMARY KEY, c_id int REFERENCES c (id));\n\
             CREATE TABLE c (id int PRIMARY KEY, b_id int REFERENCES b);",
            a.to_owned(),
        ),
        (
            "rows below rows, each with its way",
            "CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a, up int REFERENCES b);",
            format!("{a}\n    nested:\n      b:\n        many: b\n        link: {{ a_id: id }}"),
        ),
        (
            "rows below rows, by which alone some are found",
            "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a, up int REFERENCES b);",
            format!(
                "{a}\n    nested:\n      b:\n        many: b\n        link: {{ a_id: id }}\n        tree: up"
            ),
        ),
        (
            "rows below rows by a key that a plain dump states behind them",
            "CREATE TABLE b (b_no int PRIMARY KEY, a_id int REFERENCES a, up int REFERENCES b);",
            format!(
                "{a}\n    nested:\n      b:\n        many: b\n        link: {{ a_id: id }}\n        \
                 tree: {{ link: {{ up: b_no }} }}"
            ),
        ),
        (
            "rows below rows by another column than the key, in a table with a column of its own name",
            "CREATE TABLE b (id int PRIMARY KEY, b text UNIQUE, t_id int REFERENCES t, up text REFERENCES b (b));",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ t_id: key }}\n    tree: {{ link: {{ up: b }}, as: b_below }}"
            ),
        ),
        (
            "the name of a column",
            "ALTER TABLE a ADD b int;\nCREATE TABLE b (a_id int REFERENCES a);",
            format!(
                "{a}\n    nested:\n      public_b:\n        many: b\n        link: {{ a_id: id }}"
            ),
        ),
        (
            "partitions and tables that inherit",
            "CREATE TABLE b (id int, t_id int) PARTITION BY LIST (id);\nCREATE TABLE b_1 PARTITION OF b DEFAULT;\n\
             ALTER TABLE b_1 ADD FOREIGN KEY (t_id) REFERENCES t;\nCREATE TABLE c (t_id int);\n\
             CREATE TABLE c_1 () INHERITS (c);\nALTER TABLE c_1 ADD FOREIGN KEY (t_id) REFERENCES t;",
            format!(
                "{a}\n  b:\n    table: b\n    link: {{ t_id: key }}\n  c:\n    table: c\n    link: {{ t_id: key }}"
            ),
        ),
        (
            "types that cannot be compared",
            "CREATE TABLE b (t_id jsonb REFERENCES t);",
            a.to_owned(),
        ),
        (
            "names that YAML and pipelines quote",
            "CREATE TABLE \"odd.schema\".\"true\" (\"a b\" int REFERENCES t, \"null\" int REFERENCES a);",
            format!(
                "{a}\n  'true':\n    table: '\"odd.schema\".true'\n    link: {{ 'a b': key }}\n  true_by_a:\n    \
                 table: '\"odd.schema\".true'\n    link: {{ 'null': id }}\n    via:\n      - {{ table: a, link: {{ t_id: key }} }}"
            ),
        ),
        (
            "a name that several schemas have",
            "CREATE TABLE x.a (t_id int REFERENCES t);\nCREATE TABLE y.a (t_id int REFERENCES t);",
            format!(
                "{a}\n  x_a:\n    table: x.a\n    link: {{ t_id: key }}\n  y_a:\n    table: y.a\n    link: {{ t_id: key }}"
            ),
        ),
    ];
    for (name, sql, expected) in cases {
        let text = text(&format!("{tenant}{sql}"), "t");
        assert_eq!(relations(&text), expected, "{name}\n{text}");
        assert_is_right(&text, &format!("{tenant}{sql}"));
    }
}

#[test]
fn every_way_is_followed_if_it_is_asked_for() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY);\nCREATE TABLE a (id int PRIMARY KEY, t_id int NOT NULL REFERENCES t);\n\
        CREATE TABLE b (a_id int REFERENCES a, t_id int NOT NULL REFERENCES t);";
    let text = made(sql, "t", true).unwrap();
    assert!(text.contains("\n  b_by_a:\n"), "{text}");
    assert!(text.contains("--every-way"), "{text}");
    assert_is_right(&text, sql);
}

#[test]
fn what_foreign_keys_do_not_say_stands_in_comments() {
    let tenant =
        "CREATE TABLE tenants (id int PRIMARY KEY);\nCREATE TABLE users (id int PRIMARY KEY);\n";
    for (sql, comment) in [
        (
            "CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, about_type text, about_id int);",
            "about_type and about_id look like a link to rows of several tables; for one of them: link: { about_id: id, \
             where: { about_type: NAME } }.",
        ),
        (
            "CREATE TABLE notes (id int PRIMARY KEY, tenant_id int REFERENCES tenants, edited_by_user_id int, external_id text);",
            "No foreign key, but perhaps a link: edited_by_user_id (users), external_id.",
        ),
        (
            "CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, parent_id int REFERENCES notes);",
            "parent_id refers to notes itself. Every row is found without it, so no `tree` is needed.",
        ),
        (
            "CREATE TABLE notes (id int PRIMARY KEY, t int REFERENCES tenants, u jsonb REFERENCES users);",
            "u refers to users and cannot be followed: PostgreSQL has no operator jsonb = integer.",
        ),
        (
            "CREATE TABLE notes (id int, tenant_id int REFERENCES tenants);",
            "The snapshot states no key of notes: rows are ordered by their bytes.",
        ),
        (
            "CREATE TABLE tags (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants);\n\
             CREATE TABLE notes (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, tag int REFERENCES tags);",
            "Every row is found without these, so they are not followed: tag (tags).",
        ),
        (
            "CREATE TABLE loose (id int PRIMARY KEY, subject_type text, subject_id int, tenant_id int);",
            "- loose: tenant_id may lead to tenants; subject_id may lead to the table that subject_type names",
        ),
    ] {
        let text = text(&format!("{tenant}{sql}"), "tenants");
        let comments: Vec<&str> = text
            .lines()
            .map(|line| line.trim().trim_start_matches('#').trim())
            .collect();
        assert!(comments.join(" ").contains(comment), "{comment}\n{text}");
    }
}

#[test]
fn keys_are_stated_if_a_pipeline_would_take_others() {
    let tenant = "CREATE TABLE t (id int PRIMARY KEY);\n";
    for (sql, line) in [
        ("id int, PRIMARY KEY (id)", None),
        ("no int PRIMARY KEY", None),
        (
            "id int, PRIMARY KEY (t_id, id)",
            Some("a: { key: [t_id, id] }"),
        ),
        (
            "id int NOT NULL, no int NOT NULL UNIQUE",
            Some("a: { key: 'no' }"),
        ),
        ("id int, no int UNIQUE", Some("a: { key: none }")),
        ("id int, none int PRIMARY KEY", Some("a: { key: [none] }")),
    ] {
        let text = text(
            &format!("{tenant}CREATE TABLE a (t_id int REFERENCES t, {sql});"),
            "t",
        );
        let found = text
            .lines()
            .find(|line| line.contains("{ key: ") && !line.contains('#'));
        assert_eq!(found.map(str::trim), line, "{text}");
    }
}

#[test]
fn the_entity_is_found_by_its_name_and_its_key() {
    let two = "CREATE TABLE app.customers (no int, id bigint UNIQUE, code text, PRIMARY KEY (no, code));\n\
        CREATE TABLE app.orders (customer int REFERENCES app.customers (id));";
    let text = text(two, "app.customers");
    let head = "\nschema: app\n# Values are written with all that the database knows of them.\nvalues: exact\n\n\
        entity:\n  kind: Customer\n  table: customers\n  key: id\n";
    assert!(text.contains(head), "{text}");
    assert_eq!(
        relations(&text),
        "  orders:\n    table: orders\n    link: { customer: key }"
    );
    for (sql, entity, error) in [
        (
            two,
            "customers",
            "the snapshot has no table customers\n  it has app.customers",
        ),
        (
            two,
            "nothing",
            "the snapshot has no table nothing\n  `relexport inspect` lists its tables",
        ),
        (
            "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b));",
            "t",
            "nothing tells the rows of table t apart by one column: it has no primary key or unique constraint of a single \
             column whose values can be compared\n  write the pipeline by hand",
        ),
        (
            "CREATE TABLE t (id jsonb PRIMARY KEY);",
            "t",
            "nothing tells the rows of table t apart by one column: it has no primary key or unique constraint of a single \
             column whose values can be compared\n  write the pipeline by hand",
        ),
        (
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id);\nCREATE TABLE p PARTITION OF t DEFAULT;",
            "p",
            "the rows of table p are those of table t, too\n  name the latter as the entity's table",
        ),
        (
            "CREATE TABLE \"a.b\" (id int PRIMARY KEY);\nCREATE TABLE a.b (id int PRIMARY KEY);",
            "a.b",
            "a.b may mean several tables: \"public\".\"a.b\" and \"a\".\"b\"\n  rename one of them in the snapshot",
        ),
    ] {
        let found = made(sql, entity, false).map_err(|error| error.to_string());
        assert_eq!(found, Err(error.to_owned()));
    }
}

#[test]
fn dense_schemas_are_cut_and_it_is_said() {
    // Each table refers to all before it, and no way is one that every row has.
    let mut sql = "CREATE TABLE t (id int PRIMARY KEY);\n".to_owned();
    for table in 0..40 {
        let columns = (0..table).map(|other| format!(", c{other} int REFERENCES a{other}"));
        let columns: String = columns.collect();
        sql += &format!(
            "CREATE TABLE a{table} (id int PRIMARY KEY, t_id int REFERENCES t{columns});\n"
        );
    }
    let text = text(&sql, "t");
    assert!(
        text.contains("more ways lead from a39 to t. They are left"),
        "{text}"
    );
    assert!(text.len() < 200_000, "{}", text.len());
}

#[test]
fn lines_are_short_and_equal_catalogs_give_equal_text() {
    let text = text(SHOP, "customers");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let mut tables: Vec<&str> = SHOP.split_inclusive(";\n").collect();
    tables.reverse();
    assert_eq!(self::text(&tables.concat(), "customers"), text);
}
