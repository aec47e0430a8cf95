//! Forms of links, keys, tests, orders and names, each against the model that it stands for, written by hand.

mod databases;
mod tables;

use std::collections::BTreeMap;

use crate::pipeline::*;
use crate::snapshot::TableName;

fn parse(text: &str) -> Pipeline {
    Pipeline::parse(text, "shop.yml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn with_relation(relation: &str) -> Pipeline {
    parse(&format!(
        "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\nrelations:\n  o: {{ {relation} }}\n"
    ))
}

/// The node of a relation with these keys.
fn top(relation: &str) -> Node {
    match with_relation(relation).relations.remove(0).source {
        Source::Rows(node) | Source::Collected(Collected { node, .. }) => node,
        Source::Maxima(_) => panic!("maxima have no node"),
    }
}

/// The node `n` inside of a relation, with these keys.
fn nested(keys: &str) -> Node {
    top(&format!(
        "table: o, link: {{ a: key }}, nested: {{ n: {{ {keys} }} }}"
    ))
    .nested
    .remove(0)
}

/// The test of a condition on column `b`.
fn test(written: &str) -> Test {
    let mut node = top(&format!(
        "table: o, link: {{ a: key }}, where: {{ b: {written} }}"
    ));
    let mut filter = node.links.remove(0).filter;
    assert_eq!((filter.len(), filter[0].column.as_str()), (1, "b"));
    filter.remove(0).test
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn link<const N: usize>(child: [&str; N], parent: [&str; N]) -> Link {
    Link {
        child: texts(child),
        parent: texts(parent),
        filter: Vec::new(),
    }
}

fn equals(column: &str, value: &str) -> Condition {
    Condition {
        column: column.to_owned(),
        test: one_of(&[value], false),
    }
}

fn one_of(values: &[&str], null: bool) -> Test {
    Test::In {
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        null,
    }
}

fn none_of(values: &[&str], null: bool) -> Test {
    Test::NotIn {
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        null,
    }
}

fn between(above: Option<&str>, below: Option<&str>) -> Test {
    Test::Between {
        above: above.map(str::to_owned),
        below: below.map(str::to_owned),
    }
}

#[test]
fn tests_of_conditions() {
    let cases = [
        ("paid", one_of(&["paid"], false)),
        ("[paid, open]", one_of(&["paid", "open"], false)),
        ("null", one_of(&[], true)),
        ("[null]", one_of(&[], true)),
        ("[null, open]", one_of(&["open"], true)),
        ("true", one_of(&["t"], false)),
        ("12.50", one_of(&["12.50"], false)),
        ("[1e5, 007]", one_of(&["1e5", "007"], false)),
        (
            "9223372036854775808",
            one_of(&["9223372036854775808"], false),
        ),
        ("2024-01-01", one_of(&["2024-01-01"], false)),
        (
            "7f0e2a00-0000-4000-8000-000000000001",
            one_of(&["7f0e2a00-0000-4000-8000-000000000001"], false),
        ),
        ("{ not: null }", none_of(&[], true)),
        ("{ not: paid }", none_of(&["paid"], false)),
        ("{ not: [paid, null] }", none_of(&["paid"], true)),
        ("{ not: 1.0 }", none_of(&["1.0"], false)),
        ("{ above: 5 }", between(Some("5"), None)),
        ("{ below: 2024-01-01 }", between(None, Some("2024-01-01"))),
        (
            "{ below: \"2024-01-01 12:00+02\" }",
            between(None, Some("2024-01-01 12:00+02")),
        ),
        ("{ above: \"12.50\" }", between(Some("12.50"), None)),
        ("{ above: 12.50 }", between(Some("12.50"), None)),
        ("{ above: 1, below: 9 }", between(Some("1"), Some("9"))),
        (
            "{ below: 9, above: -9223372036854775809 }",
            between(Some("-9223372036854775809"), Some("9")),
        ),
        ("{ like: \"GR-%\" }", Test::Prefix("GR-".to_owned())),
        ("{ like: \"a_b\\\\%\" }", Test::Prefix("a_b\\".to_owned())),
    ];
    for (written, expected) in cases {
        assert_eq!(test(written), expected, "{written}");
    }
}

#[test]
fn numbers_in_values_of_constants_stay_as_written() {
    let node = top(
        "table: o, link: { a: key }, computed: { kind: { constant: invoice }, n: { constant: 12.50 }, \
         t: { constant: true }, z: { constant: null }, i: { constant: -3 } }",
    );
    let seen: Vec<(String, ComputedValue)> = node
        .computed
        .into_iter()
        .map(|computed| (computed.name, computed.value))
        .collect();
    let expected = [
        ("kind", "\"invoice\""),
        ("n", "12.50"),
        ("t", "true"),
        ("z", "null"),
        ("i", "-3"),
    ]
    .map(|(name, json)| (name.to_owned(), ComputedValue::Constant(json.to_owned())));
    assert_eq!(seen, expected);
}

#[test]
fn a_link_may_have_several_columns() {
    let node = nested("many: t, link: { tenant_id: tenant_id, order_id: id, where: { kind: a } }");
    let expected = Link {
        filter: vec![equals("kind", "a")],
        ..link(["tenant_id", "order_id"], ["tenant_id", "id"])
    };
    assert_eq!((node.links, node.via), (vec![expected], Vec::new()));
}

#[test]
fn a_join_table_is_a_chain_of_one() {
    let node =
        nested("many: t, through: { table: j, to: [a, b], key: [c, d] }, link: { o_id: id }");
    assert_eq!(node.links, [link(["c", "d"], ["a", "b"])]);
    let via = |links: Vec<Link>| {
        vec![Via {
            table: TableName::public("j"),
            links,
        }]
    };
    assert_eq!(node.via, via(vec![link(["o_id"], ["id"])]));
    // Written out.
    let chain = nested("many: t, link: { c: a, d: b }, via: [{ table: j, link: { o_id: id } }]");
    assert_eq!((node.links, node.via), (chain.links, chain.via));
    // Of no key it is that of the node's table.
    let node = nested("many: t, through: { table: j, to: t_id }, link: { o_id: id }");
    assert_eq!(
        node.links,
        [Link {
            child: Vec::new(),
            parent: texts(["t_id"]),
            filter: Vec::new(),
        }]
    );
}

#[test]
fn a_chain_of_tables_has_links_and_conditions_of_its_own() {
    let node = top(
        "table: payments, link: { invoice_id: id }, where: { state: paid }, \
         via: [{ table: billing.invoices, link: [{ contract_id: id }, { old_id: id, where: { old: true } }], \
                 where: { void: false } }, \
               { table: contracts, link: { customer_id: key } }]",
    );
    let with = |mut link: Link, filter: &[Condition]| {
        link.filter = filter.to_vec();
        link
    };
    let paid = [equals("state", "paid")];
    assert_eq!(node.links, [with(link(["invoice_id"], ["id"]), &paid)]);
    let void = equals("void", "f");
    let expected = [
        Via {
            table: TableName::new("billing", "invoices"),
            links: vec![
                with(link(["contract_id"], ["id"]), std::slice::from_ref(&void)),
                with(link(["old_id"], ["id"]), &[equals("old", "t"), void]),
            ],
        },
        Via {
            table: TableName::public("contracts"),
            links: vec![link(["customer_id"], ["key"])],
        },
    ];
    assert_eq!(node.via, expected);
}

#[test]
fn maxima_and_collected_rows_may_be_reached_by_a_chain() {
    let source = |relation: &str| with_relation(relation).relations.remove(0).source;
    let Source::Maxima(maxima) = source(
        "maxima: { m: { table: lines, link: { order_id: id }, where: { a: 1 }, column: price, \
         via: [{ table: orders, link: { customer_id: root } }] } }",
    ) else {
        panic!("no maxima");
    };
    let orders = |parent: &str| {
        vec![Via {
            table: TableName::public("orders"),
            links: vec![link(["customer_id"], [parent])],
        }]
    };
    let expected = Maximum {
        name: "m".to_owned(),
        ee: false,
        table: TableName::public("lines"),
        link: Link {
            filter: vec![equals("a", "1")],
            ..link(["order_id"], ["id"])
        },
        via: orders("root"),
        column: "price".to_owned(),
    };
    assert_eq!(maxima, [expected]);
    let Source::Collected(collected) = source(
        "table: profiles, link: { id: profile_id }, collected: { columns: [user_id], except_tables: [app.users] }, \
         via: [{ table: orders, link: { customer_id: key } }]",
    ) else {
        panic!("not collected");
    };
    assert_eq!(collected.node.links, [link(["id"], ["profile_id"])]);
    assert_eq!(collected.node.via, orders("key"));
    assert_eq!(collected.except_tables, [TableName::new("app", "users")]);
}

#[test]
fn rows_below_rows() {
    let node = nested(
        "many: comments, link: { post_id: id, where: { parent_id: null } }, where: { spam: false }, tree: parent_id",
    );
    let spam = equals("spam", "f");
    let tree = |link: Link, name: &str| {
        Some(Tree {
            link,
            name: name.to_owned(),
        })
    };
    let below = Link {
        child: texts(["parent_id"]),
        parent: Vec::new(),
        filter: vec![spam.clone()],
    };
    assert_eq!(node.tree, tree(below, "n"));
    let root = Condition {
        column: "parent_id".to_owned(),
        test: Test::null(),
    };
    assert_eq!(node.links[0].filter, [root, spam.clone()]);
    // In full, with another key; a condition inside the link is about rows below alone.
    let node = top("table: o, link: { a: key }, where: { spam: false }, \
         tree: { link: { tenant_id: tenant_id, parent_id: id, where: { x: 1 } }, as: replies }");
    let below = Link {
        filter: vec![equals("x", "1"), spam],
        ..link(["tenant_id", "parent_id"], ["tenant_id", "id"])
    };
    assert_eq!(node.tree, tree(below, "replies"));
    assert_eq!(
        top("table: o, link: { a: key }, tree: p")
            .tree
            .unwrap()
            .name,
        "o"
    );
}

#[test]
fn orders_and_choices() {
    let by = |column: &str, descending, nulls_last| OrderBy {
        column: column.to_owned(),
        descending,
        nulls_last,
    };
    let node = nested(
        "one: t, link: { a: b }, pick: last, \
         order: [a, b desc, c desc nulls last, d nulls first, e asc, f ASC NULLS LAST, desc, g h DESC]",
    );
    let expected = [
        by("a", false, true),
        by("b", true, false),
        by("c", true, true),
        by("d", false, false),
        by("e", false, true),
        by("f", false, true),
        by("desc", false, true),
        by("g h", true, false),
    ];
    assert_eq!(node.order, expected);
    assert_eq!(node.pick, Pick::Last);
    assert_eq!(nested("one: t, link: { a: b }").pick, Pick::First);
    assert_eq!(
        nested("one: t, link: { a: b }, pick: first").pick,
        Pick::First
    );
    let relation = top("table: o, link: { a: key }, order: [b desc]");
    assert_eq!(relation.order, [by("b", true, false)]);
}

#[test]
fn columns_may_have_other_names() {
    let renamed = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(column, key)| ((*column).to_owned(), (*key).to_owned()))
            .collect()
    };
    // A key may be one that a column had, or that of a column that is left out.
    let node = top(
        "table: o, link: { a: key }, except: [kind], as: { name: title, title: name, old?: kind }",
    );
    assert_eq!(
        node.renamed,
        renamed(&[("name", "title"), ("old", "kind"), ("title", "name")])
    );
    assert!(node.optional.contains("old"));
    let node = nested("many: t, link: { a: b }, only: [name, b], as: { name: title }");
    assert_eq!(node.renamed, renamed(&[("name", "title")]));
}

#[test]
fn shapes_may_carry_every_key() {
    let pipeline = parse(
        "pipeline: shop
entity: { kind: C, table: c, prefix: 'c_{key}' }
shapes:
  s:
    many: t
    link: { j_id: id }
    via: [{ table: j, link: { o_id: id } }]
    tree: parent_id
    order: [b desc]
    as: { name: title }
  p: { one: t, link: { a: b }, order: [b desc], pick: last }
relations:
  o:
    table: o
    link: { a: key }
    nested:
      x: { use: s }
      y: { use: s, through: { table: k, to: t_id }, link: { o_id: id } }
      z: { use: p }
      w: { use: p, pick: first, order: [c] }
",
    );
    let Source::Rows(node) = &pipeline.relations[0].source else {
        panic!("no rows")
    };
    let [x, y, z, w] = &node.nested[..] else {
        panic!("{node:?}")
    };
    let table = |node: &Node| node.via[0].table.name.clone();
    assert_eq!((table(x), table(y)), ("j".to_owned(), "k".to_owned()));
    assert_eq!(y.via.len(), 1);
    assert_eq!(x.tree.as_ref().map(|tree| tree.name.as_str()), Some("x"));
    assert_eq!(y.tree.as_ref().map(|tree| tree.name.as_str()), Some("y"));
    assert_eq!((&x.order, &x.renamed), (&y.order, &y.renamed));
    assert_eq!((z.pick, z.order.len()), (Pick::Last, 1));
    assert_eq!((w.pick, w.order[0].column.as_str()), (Pick::First, "c"));
}
