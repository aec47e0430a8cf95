//! Entities and keys.

use super::*;

#[test]
fn entities_are_told_by_keys_and_paths_that_fit() {
    let with = |entity: &str, sql: &str| {
        let pipeline = format!(
            "pipeline: shop\nentity: {{ kind: Customer, table: c, prefix: 'c_{{key}}', {entity} }}\nrelations:\n  \
             o: {{ table: o, link: {{ c_id: key }} }}\n"
        );
        let sql = format!("CREATE TABLE o (id integer, c_id uuid);\n{sql}");
        findings_of(
            &pipeline,
            &crate::snapshot::read_schema(sql.as_bytes()).unwrap(),
        )
    };
    let c = "CREATE TABLE c (id uuid PRIMARY KEY, slug text UNIQUE, mail text, up uuid, n integer, above uuid[], \
        wrong integer[]);\nCREATE TABLE r (c uuid, n integer, p text);";
    let cases = [
        ("path: slug, parent: up, ancestors: above", c, None),
        (
            "path: [slug, mail]",
            c,
            Some(
                "warning: entity > path: column mail of table c is not stated to be unique: two entities may have one path",
            ),
        ),
        (
            "path: n",
            "CREATE TABLE c (id uuid, n integer);",
            Some("error: entity > path: a path needs a text, and column n of table c is none"),
        ),
        (
            "path: gone",
            c,
            Some("error: entity > path: a path needs column gone, which table c does not have"),
        ),
        (
            "parent: n",
            c,
            Some(
                "error: entity: column n of table c (integer) cannot be linked to the key of the Customer (uuid): \
                 PostgreSQL has no operator integer = uuid",
            ),
        ),
        (
            "ancestors: wrong",
            c,
            Some(
                "error: entity: column wrong of table c (integer) cannot be linked to the key of the Customer (uuid): \
                 PostgreSQL has no operator integer = uuid",
            ),
        ),
        (
            "ancestors: up",
            c,
            Some(
                "error: entity: the ancestors need an array of keys, and column up of table c is uuid",
            ),
        ),
        (
            "paths: [{ table: r, key: n, path: p }]",
            c,
            Some(
                "error: entity > paths: column n of table r (integer) cannot be linked to the key of the Customer \
                 (uuid): PostgreSQL has no operator integer = uuid",
            ),
        ),
        (
            "name: gone",
            c,
            Some("note: entity: table c has no column gone: entities have no name for people"),
        ),
        (
            "name: n",
            "CREATE TABLE c (n integer);",
            Some(
                "error: entity: the key of table c is not known: the pipeline does not say it, there is no column id, \
                 and no primary key is stated; name the entity's `key`",
            ),
        ),
        (
            "name: n",
            "CREATE TABLE c (n integer, m integer, PRIMARY KEY (n, m));",
            Some(
                "error: entity: the key of table c is (n, m), and an entity is told by one column; name the entity's `key`",
            ),
        ),
        (
            "name: id",
            "CREATE TABLE c (id json);",
            Some(
                "error: entity: the key needs a type whose texts show which values are equal, and column id of table c \
                 is json",
            ),
        ),
    ];
    for (entity, sql, expected) in cases {
        let found = with(entity, sql);
        let found: Vec<&String> = found
            .iter()
            .filter(|text| text.contains(": entity"))
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{entity}: {sql}");
    }
}

#[test]
fn keys_of_several_columns_are_held_against_the_stated_ones() {
    let with = |key: &str, stated: &str| {
        let pipeline = format!(
            "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\ntables: {{ o: {{ key: {key} }} }}\n\
             relations: {{ o: {{ table: o, link: {{ a: key }}, order: [a] }} }}\n"
        );
        let sql = format!(
            "CREATE TABLE c (id integer); CREATE TABLE o (a integer, b integer, d integer, {stated};"
        );
        findings_of(
            &pipeline,
            &crate::snapshot::read_schema(sql.as_bytes()).unwrap(),
        )
    };
    let wrong = "error: relations > o: table o: the pipeline tells its rows apart by (a, d), but its primary key is (a, \
        b), so rows may share a value of (a, d); declare the primary key, or other columns that are unique, as the \
        table's key";
    let parts = "warning: relations > o: table o: the pipeline tells its rows apart by (a, b), but its primary key is \
        (a, b, d): if rows of several partitions share a value of (a, b), they cannot be told apart";
    let cases = [
        ("[a, b]", "PRIMARY KEY (a, b))", None),
        ("[b, a]", "PRIMARY KEY (a, b))", None),
        ("[a, b, d]", "PRIMARY KEY (a, b))", None),
        ("[a, d]", "PRIMARY KEY (a, b))", Some(wrong)),
        ("[a, d]", "PRIMARY KEY (a, b), UNIQUE (d, a))", None),
        ("none", "PRIMARY KEY (a, b))", None),
        ("[a, b]", "UNIQUE (a))", None),
        ("[a, d]", "UNIQUE (b))", None),
        (
            "[a, b]",
            "PRIMARY KEY (a, b, d)) PARTITION BY LIST (d)",
            Some(parts),
        ),
    ];
    for (key, stated, expected) in cases {
        assert_eq!(
            with(key, stated),
            Vec::from_iter(expected),
            "{key} {stated}"
        );
    }
}

#[test]
fn each_schema_that_is_an_entity_is_checked() {
    const TENANTS: &str = "pipeline: shop
entity: { kind: Tenant, schema: 't_*', table: settings, prefix: '{key}' }
relations:
  orders: { table: orders, where: { state: 1 }, nested: { l: { many: lines, link: { o_id: id } } } }
  plans: { table: public.plans, only: [id] }
";
    let of = |sql: &str| {
        findings_of(
            TENANTS,
            &crate::snapshot::read_schema(sql.as_bytes()).unwrap(),
        )
    };
    let tenant = |name: &str, orders: &str| {
        format!(
            "CREATE TABLE {name}.settings (a text); CREATE TABLE {name}.orders (id integer, {orders});\n\
             CREATE TABLE {name}.lines (id integer, o_id integer);\n"
        )
    };
    let plans = "CREATE TABLE public.plans (id integer);\n";
    let none: [String; 0] = [];
    assert_eq!(
        of(&format!("{plans}{}", tenant("t_1", "state integer"))),
        none
    );
    assert_eq!(
        of(&format!("{plans}{}", tenant("other", "state integer"))),
        ["error: entity: no schema of such a name has a table settings: nothing can be exported"]
    );
    let found = of(&format!(
        "{plans}{}{}{}",
        tenant("t_2", "a integer"),
        tenant("t_1", "a integer"),
        tenant("t_3", "state text").replace("o_id integer", "o_id text"),
    ));
    assert_eq!(
        found,
        [
            "note: entity: 3 schemas are entities; what is found in several is told of the first one, as of t_1",
            "error: relations > orders: a condition needs column state, which table t_1.orders does not have",
            "error: relations > orders > l: column o_id of table t_3.lines (text) cannot be linked to column id of table \
             t_3.orders (integer): PostgreSQL has no operator text = integer",
        ]
    );
}
