//! A pipeline for a database that is not GitLab's, and the examples of the documentation.

use crate::pipeline::*;

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

fn link(child: &str, parent: &str) -> Link {
    Link {
        child: child.to_owned(),
        parent: parent.to_owned(),
        filter: Vec::new(),
    }
}

#[test]
fn the_shop_has_its_own_entity() {
    let shop = shop();
    let entity = &shop.entity;
    assert_eq!(
        (
            entity.kind.as_str(),
            entity.table.as_str(),
            entity.prefix.as_str()
        ),
        ("Customer", "customers", "customer_{key}")
    );
    assert_eq!(
        entity.filter,
        [Condition {
            column: "closed_at".to_owned(),
            test: Test::Null
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
    assert_eq!(
        (
            shop.key_of("products"),
            shop.key_of("orders"),
            shop.key_of("vouchers")
        ),
        ("product_no", "id", "id")
    );
    assert_eq!(
        shop.tables["orders"].values["currency"],
        ValueRule::NullAs("\"EUR\"".to_owned())
    );
    assert_eq!(
        shop.written_tables(),
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
    let through = |table: &str, to: &str, key: &str| {
        Some(Through {
            table: table.to_owned(),
            to: to.to_owned(),
            key: key.to_owned(),
        })
    };
    assert_eq!(
        vouchers.through,
        through("order_vouchers", "voucher_id", "id")
    );
    assert_eq!(vouchers.links, [link("order_id", "id")]);
    let watched = rows("watched_products");
    assert_eq!(
        watched.through,
        through("watch_list", "product_no", "product_no")
    );
    assert_eq!(watched.links, [link("customer_id", "key")]);
}

#[test]
fn a_node_takes_in_its_shape() {
    let orders = rows("orders");
    let product = &orders.nested[0].nested[0];
    assert_eq!(
        (product.name.as_str(), product.table.as_str(), product.many),
        ("product", "products", false)
    );
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
        test: Test::In(vec!["f".to_owned()]),
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
    assert_eq!(employees.node.links, [link("id", "key")]);
    assert_eq!(employees.columns, ["employee_id", "packed_by_id"]);
    assert!(!shop.relations[3].batched);
}

#[test]
fn the_examples_of_the_documentation_are_yaml() {
    let examples: Vec<&str> = DOCS
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() > 10);
    for example in examples {
        if let Err(error) = serde_saphyr::from_str::<serde_json::Value>(example) {
            panic!("{error}\n{example}");
        }
    }
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
