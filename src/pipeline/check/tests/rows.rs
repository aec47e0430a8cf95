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
