//! Mistakes in values, in rows that lie over others, and in what stands where there is no row.

use super::language_mistakes::{failures, with_keys, with_node, with_relation};

fn with_value(rule: &str) -> String {
    with_keys(&format!("values: {{ b: {rule} }}"))
}

fn with_computed(key: &str) -> String {
    with_keys(&format!("computed: {{ n: {key} }}"))
}

fn with_table(rules: &str) -> String {
    with_relation(&format!(
        "  o: {{ table: o, link: {{ a: key }} }}\ntables: {{ o: {{ {rules} }} }}"
    ))
}

/// A relation over whose rows those nested under `n` lie.
fn with_overlay(overlay: &str, keys: &str) -> String {
    with_keys(&format!("overlay: {overlay}, {keys}"))
}

#[test]
fn rules_of_values() {
    let unclear = "the rule is not clear; give one of";
    let cases = [
        (
            "no rule",
            with_value("§[]"),
            "an empty list of rules says nothing",
        ),
        (
            "a rule that hides others",
            with_value("§[{ constant: 1 }, { when: { c: 1 }, constant: 2 }]"),
            "a rule without `when` always holds",
        ),
        ("nothing to do", with_value("§{}"), unclear),
        (
            "two rules in one",
            with_value("§{ constant: 1, column: c }"),
            unclear,
        ),
        (
            "two rules and one for NULL",
            with_value("§{ constant: 1, null_as: c }"),
            unclear,
        ),
        (
            "an object without a text",
            with_value("§{ object: url }"),
            unclear,
        ),
        (
            "a text without an object",
            with_value("§[{ when: { c: 1 }, template: x }]"),
            unclear,
        ),
        (
            "a digest of nothing",
            with_value("§{ column: c, digest: sha1 }"),
            unclear,
        ),
        (
            "a digest of nothing under a condition",
            with_value("§[{ when: { c: 1 }, digest: sha1 }]"),
            unclear,
        ),
        (
            "no JSON",
            with_value("{ json: §'{a: 1}' }"),
            "this is no JSON text: ",
        ),
        (
            "braces",
            with_value("{ text: §'{c' }"),
            "the braces of the template do not pair",
        ),
        (
            "braces of a path",
            with_value("{ file: { path: §'c}', offset: o, size: s } }"),
            "the braces of the template do not pair",
        ),
        (
            "a file and a repository",
            with_value("§{ repository: { project: c }, constant: 1 }"),
            unclear,
        ),
        (
            "a file without a size",
            with_value("{ file: { path: c, §offset: c } }"),
            "`relations.o.values.b.file` lacks `size`; add it",
        ),
        (
            "a part before the first",
            with_value("{ title: { column: c, behind: /p/, part: §0 } }"),
            "the parts of a path count from 1",
        ),
        (
            "a key of no row",
            with_value("{ of: §head }"),
            "a key of a nested row is written `nested.key`",
        ),
        (
            "a key without a name",
            with_value("{ of: §'n.' }"),
            "a key of a nested row is written `nested.key`",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn yaml() {
    let cases = [
        (
            "a root that is no tag",
            with_value("{ yaml: { root: §list } }"),
            "`root` is `anything`, `mapping`, or tags",
        ),
        (
            "no root",
            with_value("{ yaml: { root: §[] } }"),
            "`root` is `anything`, `mapping`, or tags",
        ),
        (
            "a root that is not accepted",
            with_value("{ yaml: { root: §'!a', tags: { '!b': ~ } } }"),
            "the tags of `root` are tags that are accepted",
        ),
        (
            "a tag with a number",
            with_value("{ yaml: { tags: { '!a': §1 } } }"),
            "a tag has the key under which its values lie, or null",
        ),
        (
            "more keys than none",
            with_value("{ yaml: { by: §{ key: k, default: d, more: { d: [x] } } } }"),
            "`by` says which keys come behind `keys`",
        ),
        (
            "by another key",
            with_value("{ yaml: { keys: [a], by: { key: §k, default: d, more: { d: [x] } } } }"),
            "`k` is none of `keys`",
        ),
        (
            "an unknown default",
            with_value("{ yaml: { keys: [k], by: { key: k, default: §d, more: { e: [x] } } } }"),
            "`more` does not have `d`",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn computed_keys() {
    let unclear = "the computed key is not clear; give one of";
    let whole = "`object`, `last`, `unless_null` and `first` are for the key as a whole";
    let cases = [
        (
            "two values",
            with_computed("§{ column: c, of: n.x }"),
            unclear,
        ),
        (
            "names and a rule",
            with_computed("§{ column: c, names: { 1: x }, value: { null_as: 1 } }"),
            unclear,
        ),
        (
            "a rule of a row elsewhere",
            with_computed("§{ lookup: t, link: { id: a }, column: c, value: { null_as: 1 } }"),
            unclear,
        ),
        (
            "a value without a row",
            with_computed("§{ column: c, without_row: 1 }"),
            unclear,
        ),
        (
            "names of a constant",
            with_computed("§{ constant: 1, names: { 1: x } }"),
            unclear,
        ),
        (
            "a choice of nothing",
            with_computed("§{ first: [] }"),
            "`first` has no values",
        ),
        (
            "an object in a choice",
            with_computed("{ first: [§{ column: c, object: x }] }"),
            whole,
        ),
        (
            "the last of a choice",
            with_computed("{ first: [§{ column: c, last: true }] }"),
            whole,
        ),
        (
            "nothing of a choice",
            with_computed("{ first: [§{ column: c, unless_null: true }] }"),
            whole,
        ),
        (
            "a choice in a choice",
            with_computed("{ first: [§{ first: [{ column: c }] }] }"),
            whole,
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn values_of_nested_rows() {
    let nested = "nested: { n: { one: t, link: { a: b }, only: [x], computed: { y: { constant: 1 } }, \
                  nested: { m: { many: u, link: { c: d }, except: [x] } } }, z: { many: t, link: { a: b } } }";
    let with = |keys: &str| with_keys(&format!("{keys}, {nested}"));
    let none = |path: &str| format!("`{path}` is no value of a nested row");
    let expected = ["q.x", "n.z", "n.q.x", "n.m.x"].map(none);
    let inside = "`of` and `count` are about rows that are nested in a node's";
    let cases = [
        (
            "nothing nested",
            with("computed: { k: §{ of: q.x } }"),
            expected[0].as_str(),
        ),
        (
            "a column that is not written",
            with("computed: { k: §{ of: n.z } }"),
            &expected[1],
        ),
        (
            "nothing nested further in",
            with("computed: { k: §{ first: [{ column: c }, { of: n.q.x }] } }"),
            &expected[2],
        ),
        (
            "a column that is left out",
            with("values: { v: §[{ when: { v: null }, of: n.m.x }] }"),
            &expected[3],
        ),
        (
            "rows under no key",
            with("computed: { k: §{ column: c, value: { count: q } } }"),
            "nothing is nested under `q`",
        ),
        (
            "a table has nothing nested",
            with_table("values: { b: §{ of: n.x } }"),
            inside,
        ),
        (
            "a table has no rows to count",
            with_table("values: { b: §[{ when: { b: null }, count: n }] }"),
            inside,
        ),
        (
            "nor has any table",
            with_relation("  o: { table: o, link: { a: key } }\neverywhere: { b: §{ count: n } }"),
            inside,
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
    let right = with(
        "computed: { k: { of: n.x }, l: { of: n.y }, o: { of: n.m.w } }, values: { v: { count: z } }",
    );
    crate::pipeline::Pipeline::parse(&right, "shop.yml").unwrap();
}

#[test]
fn rows_over_others_and_none() {
    let nested = "nested: { n: { one: t, link: { id: n_id } }";
    let cases = [
        (
            "over nothing",
            with_overlay("{ nested: §q, columns: [x] }", &format!("{nested} }}")),
            "`q` is no nested `one`",
        ),
        (
            "many over one",
            with_overlay(
                "{ nested: §n, columns: [x] }",
                "nested: { n: { many: t, link: { id: n_id } } }",
            ),
            "`n` is no nested `one`",
        ),
        (
            "over no columns",
            with_overlay("§{ nested: n, columns: [] }", &format!("{nested} }}")),
            "`overlay` has no columns",
        ),
        (
            "what lies over, by what it is over",
            with_overlay(
                "{ nested: n, columns: [n_id] }",
                "nested: { §n: { one: t, link: { id: n_id } } }",
            ),
            "`n` lies over the row, and cannot be linked by columns that are taken from it",
        ),
        (
            "a link by two rows",
            with_overlay(
                "{ nested: n, columns: [x] }",
                &format!("{nested}, §m: {{ one: u, link: {{ a: x, b: y }} }} }}"),
            ),
            "`m` is linked by columns of the row and by some that `overlay` takes",
        ),
        (
            "a chain by two rows",
            with_overlay(
                "{ nested: n, columns: [x] }",
                &format!(
                    "{nested}, §m: {{ one: u, link: {{ a: c }}, via: [{{ table: v, link: {{ d: x, e: y }} }}] }} }}"
                ),
            ),
            "`m` is linked by columns of the row and by some that `overlay` takes",
        ),
        (
            "a tree by what lies over",
            with_overlay(
                "{ nested: n, columns: [x] }",
                &format!("tree: §{{ link: {{ p: x }}, as: below }}, {nested} }}"),
            ),
            "the rows below are found by a column that `overlay` takes",
        ),
        (
            "an order by what lies over",
            with_overlay(
                "{ nested: n, columns: [x] }",
                &format!("order: [b, §x desc], {nested} }}"),
            ),
            "rows are put into an order before `overlay` takes this column",
        ),
        (
            "looked up by what lies over",
            with_overlay(
                "{ nested: n, columns: [x] }",
                &format!(
                    "computed: {{ k: §{{ lookup: u, link: {{ id: x }}, column: c }} }}, {nested} }}"
                ),
            ),
            "`x` may be that of the row that lies over this one",
        ),
        (
            "none of many",
            with_node("many: t, link: { a: b }, without_row: §{ c: 1 }"),
            "`without_row` is for a `one`",
        ),
        (
            "none with a key that no row has",
            with_node("one: t, link: { a: b }, only: [c], without_row: §{ c: 1, d: 2 }"),
            "a row has no `d`",
        ),
        (
            "none of lines",
            with_keys("without_row: §null"),
            "`without_row` is for a relation of one row",
        ),
        (
            "one of lines",
            with_keys("pick: §first"),
            "`pick` is for a relation of one row",
        ),
        (
            "the last of no order",
            with_keys("form: single, pick: §last"),
            "`pick: last` does not say of which order",
        ),
        (
            "an order of batches without one",
            with_keys("batch_order: §key"),
            "`batch_order` is for a relation that has an `order`",
        ),
        (
            "an order of batches of none",
            with_keys("order: [b], batched: false, batch_order: §key"),
            "`batch_order` is for a relation that has an `order`",
        ),
        (
            "a link that may not count",
            with_node("one: t, link: { §'a?': b }"),
            "at least one pair of a link must count in every snapshot",
        ),
    ];
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{failures}");
}
