use super::*;
use crate::snapshot::sql::ddl::read_schema;

#[test]
fn conditions_compare_values_as_the_columns_type_allows() {
    let catalog = read_schema(
        b"CREATE TABLE public.t (s smallint, i integer, b bigint, ok boolean, v text, loose text, n numeric, ids smallint[], u uuid, c ext.citext);",
    )
    .unwrap();
    let table = TableName::public("t");
    let texts_known = TextKinds {
        loose: HashSet::from([(table.clone(), "loose".to_owned())]),
        citext_schema: Some("ext".to_owned()),
        without_encoding: false,
    };
    let own = |name: &'static str| KeyColumn {
        name,
        compared: ComparedAs::Own,
    };
    let as_text = |name: &'static str| KeyColumn {
        name,
        compared: ComparedAs::Text,
    };
    let texts = |values: &[&str]| -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    };
    let in_values = |column: &'static str| Predicate::In {
        column,
        values: vec!["7", "07", "t"],
        null: false,
    };
    let null = |column: &'static str, values: &[&'static str], not: bool| {
        let (values, null) = (values.to_vec(), true);
        match not {
            false => Predicate::In {
                column,
                values,
                null,
            },
            true => Predicate::NotIn {
                column,
                values,
                null,
            },
        }
    };
    let cases = [
        (
            Predicate::AnyInteger(own("s"), &[1, 40000]),
            "\"s\" OPERATOR(pg_catalog.=) ANY ('{1}')",
        ),
        (
            Predicate::AnyInteger(own("n"), &[7, -2]),
            "\"n\" OPERATOR(pg_catalog.=) ANY ('{7,-2}')",
        ),
        (
            Predicate::AnyInteger(own("ok"), &[1, 2]),
            "(\"ok\" IS NOT NULL AND pg_catalog.format('%s', \"ok\") COLLATE \"C\" = ANY ('{\"1\",\"2\"}'))",
        ),
        (
            Predicate::AnyOf(vec![own("u")], vec![texts(&["7f0e", "x"])]),
            "\"u\" OPERATOR(pg_catalog.=) ANY ('{\"7f0e\",\"x\"}')",
        ),
        (
            Predicate::AnyOf(vec![own("c")], vec![texts(&["a"])]),
            "\"c\" OPERATOR(\"ext\".=) ANY ('{\"a\"}')",
        ),
        (
            Predicate::AnyOf(vec![as_text("c")], vec![texts(&["a"])]),
            "(\"c\"::pg_catalog.text) OPERATOR(pg_catalog.=) ANY ('{\"a\"}')",
        ),
        (
            Predicate::AnyOf(
                vec![own("i"), own("u")],
                vec![texts(&["1", "2"]), texts(&["a", "b"])],
            ),
            "EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest('{\"1\",\"2\"}'::pg_catalog.int8[]), \
             pg_catalog.unnest('{\"a\",\"b\"}'::pg_catalog.uuid[])) AS keys (key0, key1) WHERE \"i\" OPERATOR(pg_catalog.=) keys.key0 AND \"u\" OPERATOR(pg_catalog.=) keys.key1)",
        ),
        (
            Predicate::AnyOf(
                vec![own("i"), own("loose")],
                vec![texts(&["1"]), texts(&[""])],
            ),
            "EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest('{\"1\"}'::pg_catalog.int8[]), \
             pg_catalog.unnest('{\"\"}'::pg_catalog.text[])) AS keys (key0, key1) WHERE \"i\" OPERATOR(pg_catalog.=) keys.key0 \
             AND \"loose\" IS NOT NULL AND pg_catalog.format('%s', \"loose\") COLLATE \"C\" OPERATOR(pg_catalog.=) keys.key1)",
        ),
        (in_values("i"), "\"i\" OPERATOR(pg_catalog.=) ANY ('{7,7}')"),
        (
            in_values("ok"),
            "\"ok\" OPERATOR(pg_catalog.=) ANY ('{\"t\"}')",
        ),
        (
            in_values("v"),
            "\"v\" OPERATOR(pg_catalog.=) ANY ('{\"7\",\"07\",\"t\"}')",
        ),
        (
            in_values("loose"),
            "(\"loose\" IS NOT NULL AND pg_catalog.format('%s', \"loose\") COLLATE \"C\" = ANY ('{\"7\",\"07\",\"t\"}'))",
        ),
        (
            in_values("unknown"),
            "(\"unknown\" IS NOT NULL AND pg_catalog.format('%s', \"unknown\") COLLATE \"C\" = ANY ('{\"7\",\"07\",\"t\"}'))",
        ),
        (
            Predicate::InIgnoringCase("v", vec!["Ab"]),
            "pg_catalog.lower(\"v\") OPERATOR(pg_catalog.=) ANY ('{\"ab\"}')",
        ),
        (
            Predicate::Holds("ids", &[3, 40000]),
            "\"ids\" OPERATOR(pg_catalog.&&) '{3}'",
        ),
        (null("v", &[], false), "\"v\" IS NULL"),
        (null("v", &[], true), "\"v\" IS NOT NULL"),
        (
            null("v", &["a"], false),
            "(\"v\" IS NULL OR \"v\" OPERATOR(pg_catalog.=) ANY ('{\"a\"}'))",
        ),
        (
            null("v", &["a"], true),
            "(\"v\" IS NOT NULL AND NOT (\"v\" OPERATOR(pg_catalog.=) ANY ('{\"a\"}')))",
        ),
        (
            Predicate::Prefix("v", "a'"),
            "pg_catalog.starts_with(\"v\"::pg_catalog.text, 'a''')",
        ),
        (
            Predicate::Length("v", 64),
            "pg_catalog.length(\"v\"::pg_catalog.text) OPERATOR(pg_catalog.=) 64",
        ),
        (
            Predicate::Above("b", "5"),
            "\"b\" OPERATOR(pg_catalog.>) '5'::pg_catalog.int8",
        ),
        (
            Predicate::Below("b", "5.5"),
            "\"b\" OPERATOR(pg_catalog.<) '5.5'::pg_catalog.\"numeric\"",
        ),
        (
            Predicate::Below("n", "5"),
            "\"n\" OPERATOR(pg_catalog.<) '5'",
        ),
    ];
    for (predicate, expected) in cases {
        let sql = condition(&predicate, &table, &catalog, &texts_known);
        assert_eq!(sql, expected, "{predicate:?}");
    }
}

#[test]
fn values_are_gathered_of_so_many_rows() {
    let catalog = read_schema(b"CREATE TABLE public.t (i integer, key text);").unwrap();
    let query = Query {
        table: &TableName::public("t"),
        fields: Fields::Gathered("i", 7),
        predicates: vec![Predicate::Prefix("key", "a")],
    };
    assert_eq!(
        copy_statement(&query, &catalog, &TextKinds::default()),
        "COPY (SELECT pg_catalog.array_agg(key) FROM (SELECT \"i\" AS key FROM ONLY \"public\".\"t\" \
         WHERE pg_catalog.starts_with(\"key\"::pg_catalog.text, 'a') LIMIT 7) keys) TO STDOUT"
    );
}

#[test]
fn of_equal_values_the_largest_is_always_the_same_one() {
    let catalog = read_schema(b"CREATE TABLE public.t (i integer, f real);").unwrap();
    let table = TableName::public("t");
    let statement = |column: &'static str, predicates: Vec<Predicate<'static>>| {
        let query = Query {
            table: &table,
            fields: Fields::Maximum(column),
            predicates,
        };
        copy_statement(&query, &catalog, &TextKinds::default())
    };
    assert_eq!(
        statement("i", vec![]),
        "COPY (SELECT pg_catalog.max(\"i\") FROM ONLY \"public\".\"t\") TO STDOUT"
    );
    let order = "\"f\" IS NOT NULL ORDER BY \"f\" DESC, pg_catalog.length(pg_catalog.format('%s', \"f\")), \
                 pg_catalog.format('%s', \"f\") COLLATE \"C\" LIMIT 1";
    assert_eq!(
        statement("f", vec![]),
        format!("COPY (SELECT \"f\" FROM ONLY \"public\".\"t\" WHERE {order}) TO STDOUT")
    );
    let above = "\"i\" OPERATOR(pg_catalog.>) '5'::pg_catalog.int8";
    assert_eq!(
        statement("f", vec![Predicate::Above("i", "5")]),
        format!(
            "COPY (SELECT \"f\" FROM ONLY \"public\".\"t\" WHERE {above} AND {order}) TO STDOUT"
        )
    );
}

#[test]
fn many_keys_are_kept_from_the_planner() {
    let catalog = read_schema(b"CREATE TABLE public.t (i integer);").unwrap();
    let keys: Vec<i64> = (0..101).collect();
    let table = TableName::public("t");
    let with = |keys: &[i64]| {
        let column = KeyColumn {
            name: "i",
            compared: ComparedAs::Own,
        };
        let predicate = Predicate::AnyInteger(column, keys);
        condition(&predicate, &table, &catalog, &TextKinds::default())
    };
    assert!(with(&keys[..100]).starts_with("\"i\" OPERATOR(pg_catalog.=) ANY ('{0,"));
    let hidden = with(&keys);
    assert!(
        hidden.starts_with("\"i\" OPERATOR(pg_catalog.=) ANY ((SELECT '{0,"),
        "{hidden}"
    );
    assert!(
        hidden.ends_with("100}'::pg_catalog.int4[])::pg_catalog.int4[])"),
        "{hidden}"
    );
}
