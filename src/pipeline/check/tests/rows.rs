//! Which rows are taken, and what of them is written.

use super::*;

#[test]
fn conditions_fit_the_types_of_their_columns() {
    let with = |test: &str| format!("table: o, link: {{ c_id: key }}, where: {{ {test} }}");
    let cases = [
        ("s: [1, null]", None),
        (
            "s: 40000",
            Some("warning: relations > o: column s of table o is never \"40000\""),
        ),
        (
            "s: { not: x }",
            Some("warning: relations > o: column s of table o is never \"x\""),
        ),
        ("n: 1.50", None),
        (
            "c_id: '7f0e'",
            Some("warning: relations > o: column c_id of table o is never \"7f0e\""),
        ),
        ("c_id: '7F0E2A0000004000800000000000000F'", None),
        ("e: glad", None),
        (
            "e: [glad, bad]",
            Some("warning: relations > o: column e of table o is never \"bad\""),
        ),
        (
            "j: '{}'",
            Some(
                "note: relations > o: column j of table o is jsonb, whose values are compared as texts, byte by byte",
            ),
        ),
        ("d: { above: 2024-01-01, below: 2024-02-01 }", None),
        (
            "d: { above: 2024-13-01 }",
            Some(
                "error: relations > o: \"2024-13-01\" is no bound for column d of table o, which is date",
            ),
        ),
        ("id: { below: 1.5 }", None),
        (
            "n: { below: x }",
            Some(
                "error: relations > o: \"x\" is no bound for column n of table o, which is numeric",
            ),
        ),
        ("z: { below: '2024-01-01 00:00:00+02' }", None),
        (
            "z: { below: 2024-01-01 }",
            Some(
                "error: relations > o: \"2024-01-01\" is no bound for column z of table o, which is timestamp with time \
                 zone; write it with its offset, as in \"2024-01-01 00:00:00+00\"",
            ),
        ),
        (
            "t: { below: 5 }",
            Some(
                "error: relations > o: `above` and `below` need a number, a date or a time, and column t of table o is \
                 text",
            ),
        ),
        ("t: { like: 'GR-%' }", None),
        (
            "ci: { like: 'GR-%' }",
            Some(
                "note: relations > o: `like` minds case, which does not count elsewhere in column ci of table o",
            ),
        ),
        (
            "id: { like: '5%' }",
            Some("error: relations > o: `like` needs a text, and column id of table o is none"),
        ),
        (
            "gone: 1",
            Some(
                "error: relations > o: a condition needs column gone, which table o does not have",
            ),
        ),
    ];
    for (test, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(of_relation(&with(test), ORDERS), expected, "{test}");
    }
}

#[test]
fn what_a_node_writes_is_there_once() {
    check_relations(&[
        (
            "an order by what is not there",
            ORDERS,
            "table: o, link: { c_id: key }, order: [gone desc]",
            &["error: relations > o: the order needs column gone, which table o does not have"],
        ),
        (
            "another name of what is not there",
            ORDERS,
            "table: o, link: { c_id: key }, as: { gone: a, old?: b }",
            &[
                "warning: relations > o: table o has no column gone: it is not written",
                "note: relations > o: table o has no column old: it is not written",
            ],
        ),
        (
            "another name that is a column",
            ORDERS,
            "table: o, link: { c_id: key }, as: { n: t }",
            &[
                "error: relations > o: key t would be written twice: table o has a column of that name",
            ],
        ),
        (
            "two columns that change names",
            ORDERS,
            "table: o, link: { c_id: key }, as: { n: t, t: n }",
            &[],
        ),
        (
            "another name that was left out",
            ORDERS,
            "table: o, link: { c_id: key }, except: [t], as: { n: t }",
            &[],
        ),
        (
            "rows below under the name of a column",
            ORDERS,
            "table: o, link: { c_id: key }, tree: { link: { up: id }, as: t }",
            &[
                "error: relations > o: key t would be written twice: table o has a column of that name",
            ],
        ),
        (
            "rows that only their bytes order",
            "CREATE TABLE o (c_id uuid);",
            "table: o, link: { c_id: key }",
            &[
                "note: relations > o: table o has no key and no `order`: rows are ordered by their bytes",
            ],
        ),
        (
            "the largest of what has no order",
            ORDERS,
            "maxima: { a: { table: o, link: { c_id: key }, column: j }, b: { table: o, link: { c_id: key }, column: n } }",
            &[
                "error: relations > o > a: the largest value needs a type with an order, and column j of table o is jsonb",
            ],
        ),
        (
            "the largest of a table that is reached through none",
            ORDERS,
            "maxima: { a: { table: l, link: { o_id: id }, via: [{ table: o, link: { t: key } }], column: no } }",
            &[
                "error: relations > o > a: column t of table o (text) cannot be linked to the key of the Customer (uuid): \
               PostgreSQL has no operator text = uuid",
            ],
        ),
    ]);
}

#[test]
fn values_look_at_what_is_there() {
    const TABLES: &str = "CREATE TABLE o (id bigint PRIMARY KEY, c_id uuid, s integer, t text);
        CREATE TABLE l (id bigint PRIMARY KEY, o_id bigint, s integer, t text, e text);";
    let within = |keys: &str| {
        format!(
            "table: o, link: {{ c_id: key }}, nested: {{ l: {{ many: l, link: {{ o_id: id }}, {keys} }} }}"
        )
    };
    let place = "relations > o > l";
    let cases = [
        (
            "values: { s: [{ when: { o.s: 1, t: { length: 3 } }, constant: 1 }] }",
            vec![],
        ),
        (
            "values: { s: [{ when: { gone: 1 }, constant: 1 }] }",
            vec![format!(
                "note: {place}: table l has no column gone: it is NULL"
            )],
        ),
        (
            "values: { s: [{ when: { o.gone: 1 }, constant: 1 }] }",
            vec![format!(
                "note: {place}: table o has no column gone: it is NULL"
            )],
        ),
        (
            "values: { s: [{ when: { p.s: 1 }, constant: 1 }] }",
            vec![format!(
                "note: {place}: table l has no column p.s: it is NULL"
            )],
        ),
        (
            "values: { s: [{ when: { o.s: x }, constant: 1 }] }",
            vec![format!(
                "warning: {place}: column s of table o is never \"x\""
            )],
        ),
        (
            "values: { s: [{ when: { s: { length: 3 } }, constant: 1 }] }",
            vec![format!(
                "error: {place}: `length` needs a text, and column s of table l is none"
            )],
        ),
        (
            "values: { gone: { constant: 1 } }",
            vec![format!(
                "note: {place}: table l has no column gone: the rule has nothing to hold for"
            )],
        ),
        (
            "values: { t: { file: { path: '{o.t}/{t}', offset: s, size: s } } }",
            vec![],
        ),
        (
            "values: { t: { file: { path: '{o.gone}', offset: s, size: s } } }",
            vec![format!(
                "error: {place}: the template needs column o.gone, which table l does not have"
            )],
        ),
        (
            "values: { t: { text: '{gone}' } }",
            vec![format!(
                "error: {place}: the template needs column gone, which table l does not have"
            )],
        ),
        (
            "values: { s: { yaml: {} } }",
            vec![format!(
                "error: {place}: decoding needs a text, and column s of table l is none"
            )],
        ),
        (
            "values: { s: { bytes: {} } }",
            vec![format!(
                "error: {place}: decoding needs a text, and column s of table l is none"
            )],
        ),
        (
            "values: { t: { title: { column: s, behind: /, part: 1 } } }",
            vec![format!(
                "error: {place}: a part of a path needs a text, and column s of table l is none"
            )],
        ),
        (
            "values: { t: { column: gone } }",
            vec![format!(
                "error: {place}: the value in its place needs column gone, which table l does not have"
            )],
        ),
        ("match: { s: [s, o.s] }", vec![]),
        (
            "match: { gone: [s] }",
            vec![format!(
                "error: {place}: `match` needs column gone, which table l does not have"
            )],
        ),
        (
            "match: { s: [gone, s] }",
            vec![format!(
                "note: {place}: table o has no column gone: it is NULL"
            )],
        ),
        (
            "match: { s: [gone] }",
            vec![
                format!("note: {place}: table o has no column gone: it is NULL"),
                format!(
                    "warning: {place}: column s has nothing to match: none of the columns that it must equal is there, and no \
                     row is found"
                ),
            ],
        ),
        (
            "overlay: { nested: m, columns: [s, e] }, nested: { m: { one: o, link: { id: o_id } } }",
            vec![format!(
                "error: {place}: `overlay` needs column e, which table o does not have"
            )],
        ),
        (
            "computed: { k: { first: [{ lookup: gone, link: { id: s }, column: x }, { column: s, names: { 1: x } }] } }",
            vec![format!(
                "note: {place} > k: the snapshot has no table gone: the key has no value from there"
            )],
        ),
    ];
    let mut failures = String::new();
    for (keys, expected) in cases {
        let found = of_relation(&within(keys), TABLES);
        if found != expected {
            failures.push_str(&format!("{keys}: {found:#?}\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
