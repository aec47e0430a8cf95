//! Mistakes in links, keys, tests, orders and names of tables, each with the place that it is reported at.

use crate::pipeline::Pipeline;

/// The mistakes of a file, in which `§` stands where one is reported; a line for each case that is told otherwise.
pub(super) fn failures(cases: &[(&str, String, &str)]) -> String {
    let mut failures = String::new();
    for (name, marked, expected) in cases {
        let Some((before, after)) = marked.split_once('§') else {
            panic!("{name} has no place");
        };
        let line = before.lines().count();
        let column = before.lines().last().unwrap_or_default().chars().count() + 1;
        let expected = format!("shop.yml:{line}:{column}: {expected}");
        let shown = match Pipeline::parse(&format!("{before}{after}"), "shop.yml") {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        let lines: Vec<&str> = shown.lines().collect();
        if !matches!(lines[..], [line] if line.starts_with(&expected)) {
            failures.push_str(&format!("{name}: expected {expected}\n{shown}\n\n"));
        }
    }
    failures
}

pub(super) fn with_relation(relation: &str) -> String {
    format!(
        "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\nrelations:\n{relation}"
    )
}

pub(super) fn with_keys(keys: &str) -> String {
    with_relation(&format!("  o: {{ table: o, link: {{ a: key }}, {keys} }}"))
}

pub(super) fn with_node(keys: &str) -> String {
    with_keys(&format!("nested: {{ n: {{ {keys} }} }}"))
}

fn with_entity(top: &str, entity: &str) -> String {
    format!(
        "pipeline: shop\n{top}entity: {{ kind: C, table: c, prefix: 'c_{{key}}', {entity} }}\nrelations:\n  \
         o: {{ table: o, link: {{ a: key }} }}\n"
    )
}

/// A pipeline of schemas.
fn with_schemas(entity: &str, relation: &str) -> String {
    format!(
        "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}', schema: 't_*', {entity} }}\nrelations:\n  \
         o: {{ table: o, {relation} }}\n"
    )
}

#[test]
fn ways_to_rows() {
    let cases = [
        (
            "a way by two roads",
            with_keys("through: { table: t, to: b }, via: §[{ table: t, link: { a: key } }]"),
            "`via` and `through` exclude each other",
        ),
        (
            "a chain without tables",
            with_keys("via: §[]"),
            "`via` has no tables",
        ),
        (
            "a chain whose table is not linked",
            with_relation("  o: { table: o, link: { a: b }, via: [{ table: §t }] }"),
            "nothing links `t` to the entity; give `link: { column: key }`",
        ),
        (
            "a table in the middle that is not linked",
            with_relation(
                "  o: { table: o, link: { a: b }, via: [{ table: §t }, { table: u, link: { a: key } }] }",
            ),
            "nothing links `t` to the row above",
        ),
        (
            "a chain that does not end at the entity",
            with_relation(
                "  o: { table: o, link: { a: b }, via: [{ table: t, link: { §a: id } }] }",
            ),
            "a relation cannot be linked to `id` of the entity",
        ),
        (
            "a chain by two columns of the entity",
            with_relation(
                "  o: { table: o, link: { a: b }, via: [{ table: t, link: { §a: key, b: key } }] }",
            ),
            "a relation is linked to the entity by one pair",
        ),
        (
            "where beside through",
            with_keys("through: { table: t, to: b }, where: { §c: 1 }"),
            "`where` beside `through` does not say",
        ),
        (
            "as many columns in `to` as in `key`",
            with_keys("through: { table: t, to: §[b, c], key: d }"),
            "`to` and `key` are columns that are equal, pair by pair",
        ),
        (
            "no columns in `to`",
            with_keys("through: { table: t, to: §[] }"),
            "`to` and `key` are columns that are equal, pair by pair",
        ),
        (
            "a column twice",
            with_keys("through: { table: t, to: [b, §b] }"),
            "`b` stands twice in the list",
        ),
        (
            "a tree of one row",
            with_node("one: t, link: { a: b }, tree: §parent_id"),
            "a `one` has no rows below it",
        ),
        (
            "a tree of one object",
            with_keys("form: single, tree: §parent_id"),
            "one object has no rows below it",
        ),
        (
            "a tree without columns",
            with_keys("tree: { link: §{} }"),
            "a link has at least one pair",
        ),
        (
            "a tree without a name",
            with_keys("tree: { link: { a: b }, as: §'' }"),
            "a key cannot be empty",
        ),
        (
            "a tree of collected rows",
            with_relation("  o: { table: o, collected: { columns: [a] }, tree: §parent_id }"),
            "`collected` rows are written once each",
        ),
        (
            "collected rows with a condition",
            with_relation("  o: { table: o, collected: { columns: [a] }, where: { §b: 1 } }"),
            "`collected` rows are those that others refer to; leave `where` out",
        ),
        (
            "collected rows with a join table",
            with_relation(
                "  o: { table: o, collected: { columns: [a] }, through: §{ table: t, to: b } }",
            ),
            "`collected` rows are those that others refer to; leave `through` out",
        ),
        (
            "collected rows that are reached by no link",
            with_relation(
                "  §o: { table: o, collected: { columns: [a] }, via: [{ table: t, link: { a: key } }] }",
            ),
            "nothing links `o` to the row above",
        ),
        (
            "collected values of another column",
            with_relation(
                "  o: { table: o, collected: { columns: [a] }, link: { b: id }, via: [{ table: t, link: { §a: id } }] }",
            ),
            "the last table of `via` is linked to the collected value",
        ),
        (
            "collected values that are looked up in two columns",
            with_relation(
                "  o: { table: o, collected: { columns: [a] }, link: { b: id }, \
                 via: [{ table: t, link: §[{ a: key }, { b: key }] }] }",
            ),
            "collected values are looked up in one column",
        ),
        (
            "collected values with their column said twice",
            with_relation(
                "  o: { table: o, collected: { columns: [a], key: §c }, link: { b: id }, \
                 via: [{ table: t, link: { a: key } }] }",
            ),
            "the link of the last table of `via` says which column",
        ),
        (
            "maxima that nothing links",
            with_relation("  o: { maxima: { §m: { table: t, column: c } } }"),
            "nothing links `m` to the entity",
        ),
        (
            "maxima with an order",
            with_relation(
                "  §o: { order: [a], maxima: { m: { table: t, link: { a: key }, column: c } } }",
            ),
            "`o` has `maxima` and cannot have `order`",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn conditions_and_orders() {
    let cases = [
        (
            "a beginning without its end",
            with_keys("where: { b: §{ like: GR } }"),
            "`like` tests how a text begins",
        ),
        (
            "a beginning with a sign inside",
            with_keys("where: { b: §{ like: 'a%b%' } }"),
            "`like` tests how a text begins",
        ),
        (
            "any beginning",
            with_keys("where: { b: §{ like: '%' } }"),
            "`like` tests how a text begins",
        ),
        (
            "none of nothing",
            with_keys("where: { b: §{ not: [] } }"),
            "`not` of an empty list holds for every row",
        ),
        (
            "NULL for a bound",
            with_keys("where: { b: §{ above: null } }"),
            "a bound is a number, or a text",
        ),
        (
            "a boolean for a bound",
            with_keys("where: { b: §{ below: true } }"),
            "a bound is a number, or a text",
        ),
        (
            "a number that SQL does not write so",
            with_keys("where: { b: §.5 }"),
            "this number is not written as SQL and JSON write it",
        ),
        (
            "a constant that JSON does not write so",
            with_keys("computed: { n: { constant: §+1.5 } }"),
            "this number is not written as SQL and JSON write it",
        ),
        (
            "a choice of many",
            with_node("many: t, link: { a: b }, pick: §first"),
            "`pick` is for a `one`",
        ),
        (
            "the last of no order",
            with_node("one: t, link: { a: b }, pick: §last"),
            "`pick: last` does not say of which order",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn keys_of_an_object_that_clash() {
    let twice = "`x` would be written twice in one object";
    let cases = [
        (
            "two columns under one key",
            with_keys("as: { a: x, b: §x }"),
            twice,
        ),
        (
            "a column under the key of another",
            with_keys("only: [x, b], as: { b: §x }"),
            twice,
        ),
        (
            "a column under a computed key",
            with_keys("as: { b: x }, computed: { §x: { constant: 1 } }"),
            twice,
        ),
        (
            "a column under the key of a node",
            with_keys("as: { b: x }, nested: { §x: { one: t, link: { a: b } } }"),
            twice,
        ),
        (
            "a column under the key of the rows below",
            with_relation("  §x: { table: o, link: { a: key }, tree: p, as: { b: x } }"),
            twice,
        ),
        (
            "rows below under the key of a node",
            with_keys(
                "tree: { link: { p: id }, as: §x }, nested: { x: { one: t, link: { a: b } } }",
            ),
            twice,
        ),
        (
            "another name for what is left out",
            with_keys("except: [a], as: { §a: x }"),
            "`a` is not written, so it cannot have another name",
        ),
        (
            "another name for what is not written",
            with_keys("only: [b], as: { §a: x }"),
            "`a` is not written, so it cannot have another name",
        ),
        (
            "no name",
            with_keys("as: { a: §'' }"),
            "a key cannot be empty",
        ),
        (
            "two names",
            with_keys("as: { a: x, §'a?': y }"),
            "`a` stands twice in `as`",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn names_and_keys_of_tables() {
    let name = "a table's name is `table` or `schema.table`";
    let cases = [
        (
            "an empty schema",
            with_relation("  o: { table: §.o, link: { a: key } }"),
            name,
        ),
        (
            "an empty table",
            with_node("many: §billing., link: { a: b }"),
            name,
        ),
        (
            "three parts",
            with_keys("through: { table: §a.b.c, to: b }"),
            name,
        ),
        (
            "an open quote",
            with_relation("  o: { table: §'\"o', link: { a: key } }"),
            name,
        ),
        (
            "one table under two names",
            with_relation("  o: { table: o, link: { a: key } }\ntables: { o: { key: a }, §public.o: { key: b } }"),
            "`public.o` is a table that stands under another name here",
        ),
        (
            "a key with a column twice",
            with_relation("  o: { table: o, link: { a: key } }\ntables: { o: { key: [a, §a] } }"),
            "`a` stands twice in the list",
        ),
        (
            "an entity of two columns",
            with_entity("", "key: §[a, b]"),
            "an entity is told by one column",
        ),
        (
            "an entity whose table has a key of two columns",
            "pipeline: shop\ntables: { c: { key: [a, b] } }\n\
             entity: { kind: C, table: §c, prefix: 'c_{key}' }\nrelations: { o: { table: o, link: { a: key } } }"
                .to_owned(),
            "the key of the entity's table is not one column",
        ),
        (
            "an entity whose table has no key",
            "pipeline: shop\ntables: { c: { key: none } }\n\
             entity: { kind: C, table: §c, prefix: 'c_{key}' }\nrelations: { o: { table: o, link: { a: key } } }"
                .to_owned(),
            "the key of the entity's table is not one column",
        ),
        (
            "no column for a path",
            with_entity("", "path: §[]"),
            "`path` names no column",
        ),
        (
            "a path and its segments",
            with_entity("", "path: slug, segment: §part"),
            "`segment` and `path` both say the full path",
        ),
        (
            "a path and tables of paths",
            with_entity("", "path: slug, paths: [{ table: §r, key: k, path: p }]"),
            "`path` is the full path already",
        ),
        (
            "a schema for each tenant at the top",
            with_entity("schema: §'t_*'\n", ""),
            "this is the one schema of all tables",
        ),
        (
            "no schema",
            with_entity("schema: §''\n", ""),
            "a name of a table or column cannot be empty",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn entities_that_are_schemas() {
    let columns = |key: &str| {
        format!("the entities are schemas, which have no columns; leave `{key}` or `schema` out")
    };
    let expected = [
        "key",
        "where",
        "name",
        "parent",
        "ancestors",
        "segment",
        "path",
        "paths",
    ]
    .map(columns);
    let cases = [
        ("a key", with_schemas("key: §id", ""), expected[0].as_str()),
        (
            "a condition",
            with_schemas("where: { §a: 1 }", ""),
            &expected[1],
        ),
        ("a name", with_schemas("name: §a", ""), &expected[2]),
        ("a parent", with_schemas("parent: §a", ""), &expected[3]),
        ("ancestors", with_schemas("ancestors: §a", ""), &expected[4]),
        ("a segment", with_schemas("segment: §a", ""), &expected[5]),
        ("a path", with_schemas("path: §a", ""), &expected[6]),
        (
            "tables of paths",
            with_schemas("paths: [{ table: §r, key: k, path: p }]", ""),
            &expected[7],
        ),
        (
            "a table of another schema",
            with_schemas("", "").replace("table: c,", "table: §app.c,"),
            "the table that makes a schema an entity",
        ),
        (
            "two stars",
            with_schemas("", "").replace("'t_*'", "§'*t*'"),
            "`schema` of an entity is a schema's name with at most one `*`",
        ),
        (
            "a link to the entity",
            with_schemas("", "link: { §a: key }"),
            "the entity is a schema and has no columns",
        ),
        (
            "a chain to the entity",
            with_schemas(
                "",
                "link: { a: id }, via: [{ table: t, link: { §a: root } }]",
            ),
            "the entity is a schema and has no columns",
        ),
        (
            "two schemas",
            with_schemas("", "").replace("entity:", "schema: §app\nentity:"),
            "tables are looked for in the entity's schema",
        ),
        (
            "a link that is left empty",
            with_schemas("", "link: §[]"),
            "an empty list links nothing; leave `link` out",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}
