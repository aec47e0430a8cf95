//! Links between columns of all types.

use super::*;

#[test]
fn both_sides_of_a_link_are_compared() {
    let l = |link: &str| {
        format!("table: o, link: {{ c_id: key }}, nested: {{ l: {{ many: l, link: {link} }} }}")
    };
    let place = "error: relations > o > l: ";
    let cases = [
        ("integers of two widths", l("{ o_id: id }"), None),
        ("two columns", l("{ tenant: c_id, no: up }"), None),
        ("an integer and a numeric", l("{ no: n }"), None),
        ("enums", l("{ e: e }"), None),
        (
            "a text and an integer",
            l("{ o_text: id }"),
            Some(
                "column o_text of table l (text) cannot be linked to column id of table o (integer): PostgreSQL has no \
                 operator text = integer",
            ),
        ),
        (
            "the second of two columns",
            l("{ tenant: c_id, no: c_id }"),
            Some(
                "column no of table l (integer) cannot be linked to column c_id of table o (uuid): PostgreSQL has no \
                 operator integer = uuid",
            ),
        ),
        (
            "values whose equality is not seen",
            l("{ o_text: j }"),
            Some(
                "column o_text of table l (text) cannot be linked to column j of table o (jsonb): PostgreSQL has no \
                 operator text = jsonb",
            ),
        ),
    ];
    for (name, relation, expected) in cases {
        let expected: Vec<String> = expected
            .iter()
            .map(|text| format!("{place}{text}"))
            .collect();
        assert_eq!(of_relation(&relation, ORDERS), expected, "{name}");
    }
}

#[test]
fn keys_that_links_imply_are_found_and_counted() {
    let join = "CREATE TABLE j (id integer, o_id bigint, a uuid, b integer);";
    let sql = format!("{ORDERS}{join}");
    let state = "note: relations > o > l: a link is to the key of table l, (tenant, no), which the snapshot states and \
        the pipeline does not; a plain dump states it too late, behind its rows";
    check_relations(&[
        (
            "a key of two columns through one",
            &sql,
            "table: o, link: { c_id: key }, nested: { l: { many: l, through: { table: j, to: b }, link: { o_id: id } } }",
            &[
                state,
                "error: relations > o > l: a link has 2 columns of table l and one column of what stands above; name as \
                 many of both",
            ],
        ),
        (
            "a key of two columns through two",
            &sql,
            "table: o, link: { c_id: key }, nested: { l: { many: l, through: { table: j, to: [a, b] }, link: { o_id: id } } }",
            &[state],
        ),
        (
            "columns in the wrong order",
            &sql,
            "table: o, link: { c_id: key }, nested: { l: { many: l, through: { table: j, to: [b, a], key: [tenant, no] }, \
             link: { o_id: id } } }",
            &[
                "error: relations > o > l: column tenant of table l (uuid) cannot be linked to column b of table j \
                 (integer): PostgreSQL has no operator uuid = integer",
                "error: relations > o > l: column no of table l (integer) cannot be linked to column a of table j \
                 (uuid): PostgreSQL has no operator integer = uuid",
            ],
        ),
        (
            "no key at all",
            "CREATE TABLE o (no integer, c_id uuid, up integer);",
            "table: o, link: { c_id: key }, order: [no], tree: up",
            &[
                "error: relations > o: a link is to the key of table o, and none is known; name the columns in the link, \
               or the key under `tables`",
            ],
        ),
        (
            "a key that only the snapshot states, in two links",
            "CREATE TABLE o (no integer PRIMARY KEY, c_id uuid, up integer); CREATE TABLE j (o integer, c uuid);",
            "table: o, through: { table: j, to: o }, link: { c: key }, tree: up",
            &[
                "note: relations > o: a link is to the key of table o, (no), which the snapshot states and the pipeline \
               does not; a plain dump states it too late, behind its rows",
            ],
        ),
        (
            "a tree",
            ORDERS,
            "table: o, link: { c_id: key }, tree: up",
            &[],
        ),
        (
            "a tree of another type",
            ORDERS,
            "table: o, link: { c_id: key }, tree: t",
            &[
                "error: relations > o: column t of table o (text) cannot be linked to column id of table o (integer): \
               PostgreSQL has no operator text = integer",
            ],
        ),
    ]);
}

#[test]
fn chains_of_tables_are_walked() {
    let place = "relations > o > l";
    let missing_of_nested =
        format!("note: {place}: the snapshot has no table gone: no row is found through it");
    let wrong = format!(
        "error: {place}: column o_text of table l (text) cannot be linked to column b of table j (integer): PostgreSQL \
         has no operator text = integer"
    );
    let column = format!("error: {place}: a link needs column x, which table j does not have");
    let sql = format!("{ORDERS}CREATE TABLE j (id integer, o_id bigint, a uuid, b integer);");
    let relation = |link: &str, via: &str| {
        format!(
            "table: o, link: {{ c_id: key }}, nested: {{ l: {{ many: l, link: {link}, via: [{via}] }} }}"
        )
    };
    for (name, relation, expected) in [
        (
            "right",
            relation("{ no: b }", "{ table: j, link: { o_id: id } }"),
            None,
        ),
        (
            "a wrong type",
            relation("{ o_text: b }", "{ table: j, link: { o_id: id } }"),
            Some(&wrong),
        ),
        (
            "no column",
            relation("{ no: b }", "{ table: j, link: { x: id } }"),
            Some(&column),
        ),
        (
            "no table",
            relation("{ no: b }", "{ table: gone, link: { x: id } }"),
            Some(&missing_of_nested),
        ),
    ] {
        assert_eq!(
            of_relation(&relation, &sql),
            Vec::from_iter(expected.cloned()),
            "{name}"
        );
    }
    let top = "table: l, link: { o_id: id }, via: [{ table: gone, link: { c_id: key } }]";
    assert_eq!(
        of_relation(top, ORDERS),
        ["error: relations > o: the snapshot has no table gone: no row is found through it"]
    );
}

#[test]
fn collected_values_must_be_able_to_refer() {
    let users = "CREATE TABLE u (id uuid PRIMARY KEY, p integer); CREATE TABLE p (id integer PRIMARY KEY);\n";
    let with = |collected: &str| {
        let pipeline = format!(
            "pipeline: shop\nentity: {{ kind: Customer, table: c, prefix: 'c_{{key}}' }}\nrelations:\n  \
             o: {{ table: o, link: {{ c_id: key }} }}\n  users: {{ {collected} }}\n"
        );
        let sql = format!("CREATE TABLE c (id uuid PRIMARY KEY);\n{ORDERS}{users}");
        findings_of(
            &pipeline,
            &crate::snapshot::read_schema(sql.as_bytes()).unwrap(),
        )
    };
    let none: [String; 0] = [];
    assert_eq!(with("table: u, collected: { columns: [c_id] }"), none);
    assert_eq!(
        with(
            "table: p, link: { id: p }, via: [{ table: u, link: { id: key } }], collected: { columns: [c_id] }"
        ),
        none
    );
    assert_eq!(
        with("table: u, collected: { columns: [t] }"),
        [
            "warning: relations > users: column t of table o cannot refer to column id of table u, so its values are not \
          collected: PostgreSQL has no operator uuid = text"
        ]
    );
    assert_eq!(
        with("table: l, collected: { columns: [c_id] }"),
        [
            "note: relations > users: a link is to the key of table l, (tenant, no), which the snapshot states and the \
             pipeline does not; a plain dump states it too late, behind its rows",
            "error: relations > users: the key of table l is (tenant, no), and collected values are looked up in one \
             column; name it as `key`",
        ]
    );
    assert_eq!(
        with("table: l, collected: { columns: [c_id], key: gone }"),
        ["error: relations > users: a link needs column gone, which table l does not have"]
    );
}
