//! Wrong pipeline files, and what is said about them.

use crate::pipeline::{Archive, Form, MAX_BYTES, Pipeline, PipelineError};

const SHOP: &str = include_str!("../../../docs/shop.yml");

fn error(text: &str) -> PipelineError {
    match Pipeline::parse(text, "shop.yml") {
        Ok(_) => panic!("the file has no mistakes:\n{text}"),
        Err(error) => error,
    }
}

/// A small right pipeline with `relation` for its only relation, which starts in line 4.
fn with_relation(relation: &str) -> String {
    format!(
        "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\nrelations:\n{relation}"
    )
}

#[test]
fn a_mistake_is_reported_with_its_line_and_column() {
    let right = "  orders: { table: orders, link: { customer_id: key } }";
    assert!(Pipeline::parse(&with_relation(right), "shop.yml").is_ok());

    // `§` stands where the mistake is reported.
    let cases = [
        (
            "no link",
            "  §orders: { table: orders }",
            "nothing links `orders` to the entity",
        ),
        (
            "an empty link",
            "  orders: { table: orders, link: §{} }",
            "a link has at least one pair",
        ),
        (
            "no alternatives",
            "  orders: { table: orders, link: §[] }",
            "nothing links `orders`",
        ),
        (
            "two pairs to the entity",
            "  orders: { table: o, link: { §a: key, b: root } }",
            "a relation is linked to the entity by one pair",
        ),
        (
            "a strange parent",
            "  orders: { table: o, link: { §a: id } }",
            "a relation cannot be linked to `id`",
        ),
        (
            "no table",
            "  §orders: { link: { a: key } }",
            "`orders` has no table",
        ),
        (
            "a name that is a path",
            "  §../orders: { table: o, link: { a: key } }",
            "a relation's name becomes",
        ),
        (
            "a capital letter",
            "  §Orders: { table: o, link: { a: key } }",
            "a relation's name becomes",
        ),
        (
            "only and except",
            "  o: { table: o, link: { a: key }, only: [a], except: §[b] }",
            "`only` and `except`",
        ),
        (
            "an unknown shape",
            "  o: { table: o, link: { a: key }, nested: { n: { use: §x, link: { a: b } } } }",
            "there is no shape `x`",
        ),
        (
            "unknown names",
            "  o: { table: o, link: { a: key }, computed: { n: { column: x, names: §y } } }",
            "there is no set of names `y`",
        ),
        (
            "an unclear computed key",
            "  o: { table: o, link: { a: key }, computed: { n: §{ names: { 1: y } } } }",
            "the computed key is not clear",
        ),
        (
            "one and many",
            "  o: { table: o, link: { a: key }, nested: { n: { one: x, many: §y, link: { a: b } } } }",
            "a node has `one` row or `many`",
        ),
        (
            "a key that is computed and nested",
            "  o: { table: o, link: { a: key }, computed: { n: { column: c } }, nested: { §n: { one: x, link: { a: b } } } }",
            "`n` would be written twice",
        ),
        (
            "a key that is a column",
            "  o: { table: o, link: { a: key }, only: [n], nested: { §n: { one: x, link: { a: b } } } }",
            "`n` would be written twice",
        ),
        (
            "an order with its words the wrong way round",
            "  o: { table: o, link: { a: key }, order: [§c nulls first desc] }",
            "an order is a column",
        ),
        (
            "an order with half of a word",
            "  o: { table: o, link: { a: key }, order: [§c nulls] }",
            "an order is a column",
        ),
        (
            "an order of two directions",
            "  o: { table: o, link: { a: key }, order: [§c asc desc] }",
            "an order is a column",
        ),
        (
            "an order of no column",
            "  o: { table: o, link: { a: key }, order: [§nulls first] }",
            "an order is a column",
        ),
        (
            "an empty test",
            "  o: { table: o, link: { a: key }, where: { b: §[] } }",
            "an empty list holds for no row",
        ),
        (
            "where beside through",
            "  o: { table: o, link: { a: key }, through: { table: t, to: b }, where: { §c: 1 } }",
            "`where` beside `through`",
        ),
        (
            "maxima with a table",
            "  §o: { table: o, maxima: { a: { table: t, link: { a: key }, column: c } } }",
            "`o` has `maxima` and cannot have `table`",
        ),
        (
            "maxima as lines",
            "  o: { form: §lines, maxima: { a: { table: t, link: { a: key }, column: c } } }",
            "`maxima` make one object",
        ),
        (
            "an object in batches",
            "  o: { table: o, link: { a: key }, form: object, batched: §true }",
            "one object cannot be cut",
        ),
        (
            "collected with a link",
            "  o: { table: o, link: §{ a: key }, collected: { columns: [a] } }",
            "`collected` rows are those that others refer to; leave `link` out",
        ),
        (
            "an empty name",
            "  o: { table: o, link: { §'': key } }",
            "a name of a table or column",
        ),
        (
            "no objects in place of a row",
            "  o: { table: o, link: { a: key }, nested: { n: { one: x, link: { a: b }, instead: { column: §c, objects: {} } } } }",
            "`instead` has no objects",
        ),
        (
            "an unknown key",
            "  o: { §tabel: o, link: { a: key } }",
            "there is no key `tabel` here",
        ),
        (
            "a relation twice",
            "  o: { table: o, link: { a: key } }\n  §o: { table: o, link: { a: key } }",
            "`o` stands twice in one map",
        ),
        (
            "an unknown test",
            "  o: { table: o, link: { a: key }, where: { b: { §is: 1 } } }",
            "there is no key `is` here",
        ),
        (
            "no YAML",
            "  o: §{ table: o",
            "this bracket is never closed",
        ),
    ];
    let mut failures = String::new();
    for (name, relation, expected) in cases {
        let marked = with_relation(relation);
        let (before, after) = marked.split_once('§').unwrap();
        let line = before.lines().count();
        let column = before.lines().last().unwrap_or_default().chars().count() + 1;
        let expected = format!("shop.yml:{line}:{column}: {expected}");
        let shown = error(&format!("{before}{after}")).to_string();
        if !shown.lines().any(|line| line.starts_with(&expected)) {
            failures.push_str(&format!("{name}: expected {expected}\n{shown}\n\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn mistakes_outside_of_relations_are_found_too() {
    let cases = [
        (
            "a name that is a path",
            "pipeline: shop",
            "pipeline: ../shop",
            "a pipeline's name",
        ),
        (
            "a prefix without a key",
            "prefix: \"customer_{key}\"",
            "prefix: customers",
            "`prefix` is one folder's name",
        ),
        (
            "a prefix that is a path",
            "\"customer_{key}\"",
            "\"a/{key}\"",
            "`prefix` is one folder's name",
        ),
        (
            "braces that do not pair",
            "{photo}",
            "{photo",
            "the braces of the template do not pair",
        ),
        (
            "an unclear rule",
            "{ null_as: EUR }",
            "{ null_as: EUR, null_as_column: a }",
            "the rule is not clear",
        ),
        (
            "names that nobody uses",
            "state: { names: order_state }",
            "",
            "no rule uses the names `order_state`",
        ),
        (
            "a shape that nobody uses",
            "product: { use: product }",
            "",
            "no node uses the shape `product`",
        ),
        (
            "a shape of a shape",
            "    one: products\n",
            "    use: product\n    one: products\n",
            "a shape cannot itself use a shape",
        ),
        (
            "a database that is no name",
            "pipeline: shop",
            "pipeline: shop\ndatabases: { 2nd-db: [orders] }",
            "a database's name has 1 to 63 of a-z",
        ),
        (
            "a database that is the main one",
            "pipeline: shop",
            "pipeline: shop\ndatabases: { main: [orders] }",
            "a database's name has 1 to 63 of a-z",
        ),
        (
            "a table of two databases",
            "pipeline: shop",
            "pipeline: shop\ndatabases: { ci: [orders], sec: [public.orders] }",
            "table orders is said to belong to database ci and to database sec; leave one out",
        ),
    ];
    for (name, from, to, expected) in cases {
        assert!(SHOP.contains(from), "{name}: the shop has no `{from}`");
        let error = error(&SHOP.replace(from, to));
        let found = error
            .mistakes
            .iter()
            .find(|mistake| mistake.message.starts_with(expected));
        assert!(
            found.is_some_and(|mistake| mistake.line > 0 && mistake.column > 0),
            "{name}: {error}"
        );
    }
}

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_file() {
    let text = with_relation("  A: { table: o }\n  b: { link: { x: y } }\n").replace("{key}", "");
    let places: Vec<_> = error(&text)
        .mistakes
        .iter()
        .map(|mistake| (mistake.line, mistake.column))
        .collect();
    assert_eq!(places, [(2, 38), (4, 3), (4, 3), (5, 3), (5, 16)]);
}

#[test]
fn a_mistake_in_a_shape_is_reported_once() {
    let text = "pipeline: shop
entity: { kind: C, table: c, prefix: 'c_{key}' }
shapes: { s: { one: s, link: {} } }
relations:
  o: { table: o, link: { a: key }, nested: { x: { use: s }, y: { use: s } } }";
    assert_eq!(error(text).mistakes.len(), 1);
}

#[test]
fn hostile_files_are_refused_without_much_work() {
    let first = "shapes:\n  s0: &a0 { many: t, link: { a: b } }\n".to_owned();
    let laughs = (1..15).fold(first, |text, n| {
        let nodes: String = (0..9).map(|k| format!("n{k}: *a{}, ", n - 1)).collect();
        text + &format!("  s{n}: &a{n} {{ many: t, link: {{ a: b }}, nested: {{ {nodes} }} }}\n")
    });
    // Each shape uses the next one nine times: 9^15 nodes if they were all put in.
    let shapes: String = (0..15)
        .map(|n| {
            let nodes: String = (0..9)
                .map(|k| format!("n{k}: {{ use: s{} }}, ", n + 1))
                .collect();
            format!("  s{n}: {{ many: t, link: {{ a: b }}, nested: {{ {nodes} }} }}\n")
        })
        .collect();
    let shapes = format!(
        "pipeline: x\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\nshapes:\n{shapes}  s15: {{ many: t, link: {{ a: b }} }}\n\
         relations:\n  o: {{ table: o, link: {{ a: key }}, nested: {{ n: {{ use: s0 }} }} }}\n"
    );
    let circle = "pipeline: x
entity: { kind: C, table: c, prefix: 'c_{key}' }
shapes: { s: { many: t, link: { a: b }, nested: { x: { use: s }, y: { use: s }, z: { use: s } } } }
relations: { o: { table: o, link: { a: key }, nested: { n: { use: s } } } }";
    let nested = |depth: usize| {
        let open = "nested: { n: { one: t, link: { a: b }, ".repeat(depth);
        with_relation(&format!(
            "  o: {{ table: o, link: {{ a: key }}, {open}{}}}\n",
            "} }".repeat(depth)
        ))
    };
    let cases = [
        ("billion laughs", laughs),
        ("shapes that grow", shapes),
        ("a shape inside itself", circle.to_owned()),
        ("nodes too deep", nested(16)),
        ("YAML too deep", nested(2000)),
        ("brackets too deep", "[".repeat(1 << 20)),
        ("too large", " ".repeat(MAX_BYTES + 1)),
        ("two documents", format!("{SHOP}\n---\n{SHOP}")),
        ("empty", String::new()),
        ("binary", "\u{0}\u{1}\u{2}".to_owned()),
    ];
    for (name, text) in cases {
        let started = std::time::Instant::now();
        let error = error(&text);
        assert!(
            started.elapsed().as_secs() < 20,
            "{name} took {:?}",
            started.elapsed()
        );
        assert!(!error.mistakes.is_empty(), "{name}");
    }
    assert!(Pipeline::parse(&nested(15), "deep.yml").is_ok());
}

#[test]
fn relations_of_files_have_no_other_form() {
    let right = "  a: { files: uploads, table: o, link: { x: key } }\n  \
                   b: { files: repository, table: o, link: { x: key }, batched: false }\n";
    let pipeline = Pipeline::parse(&with_relation(right), "shop.yml");
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{error}"));
    let forms: Vec<(Form, bool)> = pipeline
        .relations
        .iter()
        .map(|relation| (relation.form, relation.batched))
        .collect();
    let expected = [
        (Form::Archive(Archive::Uploads), true),
        (Form::Archive(Archive::Repository), false),
    ];
    assert_eq!(forms, expected);
    for (keys, message) in [
        (
            "files: uploads, form: lines",
            "a relation of files cannot have `form`",
        ),
        (
            "files: lfs_objects, tree: y",
            "a relation of files cannot have `tree`",
        ),
        (
            "files: design, batched: true",
            "one object cannot be cut into batches",
        ),
        ("files: wiki", "`relations.o.files` cannot be `wiki`"),
    ] {
        let text = with_relation(&format!("  o: {{ table: o, link: {{ x: key }}, {keys} }}"));
        let error = error(&text).to_string();
        assert!(error.contains(message), "{keys}: {error}");
    }
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = with_relation(
        "  a: &a { table: o, link: { a: key } }\n  b: *a\n  c: { <<: *a, table: p }\n",
    );
    let pipeline = Pipeline::parse(&text, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = pipeline
        .relations
        .iter()
        .map(|relation| relation.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_to_a_file_makes_the_reader_panic(
        start in 0..SHOP.len(),
        length in 0_usize..40,
        put in "[\\[\\]{}:,&*<!|>\"' \na-c0-9~-]{0,6}",
    ) {
        let end = (start + length).min(SHOP.len());
        let mut text = SHOP.to_owned();
        text.replace_range(start..end, &put);
        if let Err(error) = Pipeline::parse(&text, "shop.yml") {
            proptest::prop_assert!(!error.mistakes.is_empty());
        }
    }
}
