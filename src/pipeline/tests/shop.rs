//! A pipeline for a database that is not GitLab's, and the examples of the documentation.

use crate::pipeline::*;
use crate::snapshot::TableName;

const SHOP: &str = include_str!("../../../docs/shop.yml");
const DOCS: &str = include_str!("../../../docs/pipeline.md");

fn shop() -> Pipeline {
    Pipeline::parse(SHOP, "docs/shop.yml").unwrap_or_else(|error| panic!("{error}"))
}

fn rows(name: &str) -> Node {
    let relation = shop()
        .relations
        .into_iter()
        .find(|relation| relation.name == name);
    match relation.map(|relation| relation.source) {
        Some(Source::Rows(node)) => node,
        other => panic!("{name}: {other:?}"),
    }
}

/// The columns of a text, with blanks between them.
fn columns(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn link(child: &str, parent: &str) -> Link {
    Link {
        child: columns(child),
        parent: columns(parent),
        filter: Vec::new(),
    }
}

#[test]
fn the_shop_has_its_own_entity() {
    let shop = shop();
    let entity = &shop.entity;
    assert_eq!(
        (entity.kind.as_str(), entity.prefix.as_str()),
        ("Customer", "customer_{key}")
    );
    assert_eq!(entity.table, TableName::public("customers"));
    assert_eq!(
        entity.filter,
        [Condition {
            column: "closed_at".to_owned(),
            test: Test::null()
        }]
    );
    assert_eq!(
        (
            &entity.parent,
            &entity.ancestors,
            &entity.segment,
            entity.paths.len()
        ),
        (&None, &None, &None, 0)
    );
    let names: Vec<_> = shop
        .relations
        .iter()
        .map(|relation| relation.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "profile",
            "orders",
            "watched_products",
            "employees",
            "last_numbers"
        ]
    );
}

#[test]
fn tables_of_the_shop_have_keys_and_rules() {
    let shop = shop();
    let product_no = TableKey::Columns(columns("product_no"));
    for (table, expected) in [
        ("products", product_no),
        ("orders", TableKey::NotSaid),
        ("vouchers", TableKey::NotSaid),
    ] {
        assert_eq!(*shop.key_of(&TableName::public(table)), expected, "{table}");
    }
    assert_eq!(
        shop.tables[&TableName::public("orders")].values["currency"],
        ValueRule::NullAs("\"EUR\"".to_owned())
    );
    assert_eq!(
        shop.written_tables()
            .into_iter()
            .map(TableName::to_string)
            .collect::<Vec<_>>(),
        [
            "customers",
            "employees",
            "messages",
            "order_lines",
            "orders",
            "products",
            "vouchers"
        ]
    );
}

#[test]
fn a_join_table_refers_to_the_key_of_the_nodes_table() {
    let orders = rows("orders");
    let vouchers = orders
        .nested
        .iter()
        .find(|node| node.name == "vouchers")
        .unwrap();
    let via = |table: &str, link: Link| {
        [Via {
            table: TableName::public(table),
            links: vec![link],
        }]
    };
    assert_eq!(vouchers.links, [link("", "voucher_id")]);
    assert_eq!(vouchers.via, via("order_vouchers", link("order_id", "id")));
    let watched = rows("watched_products");
    assert_eq!(watched.links, [link("", "product_no")]);
    assert_eq!(watched.via, via("watch_list", link("customer_id", "key")));
}

#[test]
fn a_node_takes_in_its_shape() {
    let orders = rows("orders");
    let product = &orders.nested[0].nested[0];
    assert_eq!((product.name.as_str(), product.many), ("product", false));
    assert_eq!(product.table, TableName::public("products"));
    assert_eq!(product.links, [link("product_no", "product_no")]);
    let except = ["purchase_price", "supplier_id"].map(str::to_owned);
    assert_eq!(product.columns, Columns::Except(except.to_vec()));
}

#[test]
fn an_order_may_put_nulls_first() {
    let orders = rows("orders");
    let order: Vec<_> = orders
        .nested
        .iter()
        .flat_map(|node| &node.order)
        .cloned()
        .collect();
    let by = |column: &str, nulls_last| OrderBy {
        column: column.to_owned(),
        descending: false,
        nulls_last,
    };
    assert_eq!(order, [by("position", false), by("code", true)]);
}

#[test]
fn a_where_beside_the_link_holds_for_every_link() {
    let text = SHOP.replace(
        "        nested:\n          author",
        "        where: { hidden: false }\n        nested:\n          author",
    );
    assert_ne!(text, SHOP);
    let shop = Pipeline::parse(&text, "shop.yml").unwrap_or_else(|error| panic!("{error}"));
    let Source::Rows(orders) = &shop.relations[1].source else {
        panic!("orders have no rows")
    };
    let links = &orders
        .nested
        .iter()
        .find(|node| node.name == "messages")
        .unwrap()
        .links;
    let hidden = Condition {
        column: "hidden".to_owned(),
        test: Test::In {
            values: vec!["f".to_owned()],
            null: false,
        },
    };
    assert_eq!(
        links
            .iter()
            .map(|link| link.filter.len())
            .collect::<Vec<_>>(),
        [2, 2]
    );
    assert!(links.iter().all(|link| link.filter[1] == hidden));
}

#[test]
fn collected_rows_are_looked_up_by_their_key() {
    let shop = shop();
    let Source::Collected(employees) = &shop.relations[3].source else {
        panic!("employees are not collected")
    };
    assert_eq!(employees.node.links, [link("", "key")]);
    assert_eq!(employees.columns, ["employee_id", "packed_by_id"]);
    assert!(!shop.relations[3].batched);
}

/// The examples of the documentation.
fn examples() -> Vec<&'static str> {
    let examples = DOCS.split("```yaml\n").skip(1);
    examples
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

#[test]
fn the_examples_of_the_documentation_are_yaml() {
    assert!(examples().len() > 20);
    for example in examples() {
        if let Err(error) = serde_saphyr::from_str::<serde_json::Value>(example) {
            panic!("{error}\n{example}");
        }
    }
}

#[test]
fn nodes_and_relations_of_the_documentation_are_right() {
    const TOP: &str =
        "pipeline: docs\nentity: { kind: C, table: c, prefix: 'c_{key}' }\nrelations:\n";
    const NODES: &str = "  o:\n    table: o\n    link: { a: key }\n    nested:\n";
    let indented = |example: &str, by: usize| -> String {
        let lines = example.lines();
        lines
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect()
    };
    let mut seen = 0;
    for example in examples() {
        let value: serde_json::Value = serde_saphyr::from_str(example).unwrap();
        let first = value.as_object().and_then(|map| map.iter().next());
        let Some((name, first)) = first else { continue };
        let has = |keys: &[&str]| keys.iter().any(|key| first.get(*key).is_some());
        let text = match name.as_str() {
            "pipeline" if value.get("relations").is_some() => example.to_owned(),
            "relations" => TOP.replace("relations:\n", example),
            "tables" | "entity" | "shapes" => continue,
            _ if has(&["many", "one"]) => format!("{TOP}{NODES}{}", indented(example, 6)),
            _ if has(&["table", "maxima"]) => format!("{TOP}{}", indented(example, 2)),
            _ => continue,
        };
        seen += 1;
        if let Err(error) = Pipeline::parse(&text, "docs/pipeline.md") {
            panic!("{error}\n{text}");
        }
    }
    assert!(seen >= 12, "{seen}");
}

#[test]
fn the_documentation_names_every_key_of_the_file() {
    let schema = json_schema();
    let mut shapes = vec![&schema];
    shapes.extend(
        schema["$defs"]
            .as_object()
            .into_iter()
            .flat_map(|defs| defs.values()),
    );
    for properties in shapes
        .iter()
        .filter_map(|shape| shape["properties"].as_object())
    {
        for key in properties.keys() {
            let named = [format!("`{key}`"), format!("{key}:")]
                .iter()
                .any(|name| DOCS.contains(name.as_str()));
            assert!(named, "docs/pipeline.md does not name `{key}`");
        }
    }
}
