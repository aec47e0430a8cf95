//! Names of tables, keys, and entities that are schemas.

use super::*;

#[test]
fn tables_are_named_with_their_schemas() {
    let pipeline = parse(
        "pipeline: shop
schema: app
entity:
  kind: C
  table: c
  key: uuid
  path: [slug, email]
  paths: [{ table: billing.old, key: c, path: p, former: true }]
  prefix: 'c_{key}'
tables:
  billing.invoices: { key: [a, b] }
  notes: { key: none }
  logs: { key: [] }
  'app.nones': { key: [none] }
relations:
  o:
    table: '\"billing\".\"odd.name\"'
    link: { a: key }
    computed: { l: { lookup: public.x, link: { a: b }, column: c } }
    nested: { n: { many: n, link: { a: id } } }
",
    );
    let app = |name: &str| TableName::new("app", name);
    let entity = &pipeline.entity;
    assert_eq!(
        (&entity.table, entity.key.as_deref()),
        (&app("c"), Some("uuid"))
    );
    assert_eq!(entity.path, ["slug", "email"]);
    assert_eq!(entity.paths[0].table, TableName::new("billing", "old"));
    let columns =
        |columns: &[&str]| TableKey::Columns(columns.iter().map(|it| (*it).to_owned()).collect());
    for (table, key) in [
        (TableName::new("billing", "invoices"), columns(&["a", "b"])),
        (app("notes"), columns(&[])),
        (app("logs"), columns(&[])),
        (app("nones"), columns(&["none"])),
        (app("c"), TableKey::NotSaid),
    ] {
        assert_eq!(*pipeline.key_of(&table), key, "{table}");
    }
    let Source::Rows(node) = &pipeline.relations[0].source else {
        panic!("no rows")
    };
    assert_eq!(node.table, TableName::new("billing", "odd.name"));
    assert_eq!(node.nested[0].table, app("n"));
    let ComputedValue::Lookup { table, .. } = &node.computed[0].value else {
        panic!("{node:?}")
    };
    assert_eq!(*table, TableName::public("x"));
    // One column needs no list.
    let one = parse(
        "pipeline: s\nentity: { kind: C, table: c, prefix: 'c_{key}', path: slug }\nrelations: { o: { table: o, link: { a: key } } }",
    );
    assert_eq!(one.entity.path, ["slug"]);
}

#[test]
fn schemas_may_be_the_entities() {
    let pipeline = parse(
        "pipeline: shop
entity: { kind: Tenant, schema: 'tenant_*', table: settings, prefix: 't_{key}' }
tables: { orders: { key: no } }
relations:
  orders:
    table: orders
    where: { void: false }
    nested: { lines: { many: lines, link: { order_id: id } } }
  plans: { table: public.plans }
  tags: { table: tags, link: { id: tag_id }, via: [{ table: order_tags, where: { a: 1 } }] }
  joined: { table: tags, through: { table: order_tags, to: tag_id } }
  last: { maxima: { order: { table: orders, column: no, where: { void: false } } } }
  users: { table: users, collected: { columns: [user_id] } }
",
    );
    let void = || vec![equals("void", "f")];
    let of = |name: &str| TableName::new("", name);
    assert!(
        pipeline
            .entity
            .schemas
            .as_ref()
            .is_some_and(|it| it.matches("tenant_7"))
    );
    assert_eq!(
        (&pipeline.entity.table, &pipeline.entity.key),
        (&of("settings"), &None)
    );
    let rows = |at: usize| match &pipeline.relations[at].source {
        Source::Rows(node) => node,
        other => panic!("{other:?}"),
    };
    assert_eq!(rows(0).table, of("orders"));
    assert_eq!(rows(0).links, [Link::to_schema(void())]);
    assert!(rows(0).links[0].is_to_schema());
    assert_eq!(rows(0).nested[0].links, [link(["order_id"], ["id"])]);
    assert_eq!(rows(1).table, TableName::public("plans"));
    assert_eq!(rows(1).links, [Link::to_schema(Vec::new())]);
    let via = |filter: Vec<Condition>| {
        [Via {
            table: of("order_tags"),
            links: vec![Link::to_schema(filter)],
        }]
    };
    assert_eq!(rows(2).links, [link(["id"], ["tag_id"])]);
    assert_eq!(rows(2).via, via(vec![equals("a", "1")]));
    assert_eq!(rows(3).via, via(Vec::new()));
    let Source::Maxima(maxima) = &pipeline.relations[4].source else {
        panic!("no maxima")
    };
    assert_eq!(maxima[0].link, Link::to_schema(void()));
    // For one of them every table is in its schema, but for those that name another one.
    let of_one = pipeline.in_schema("tenant_7");
    let seven = |name: &str| TableName::new("tenant_7", name);
    let tables: Vec<TableName> = of_one.written_tables().into_iter().cloned().collect();
    let expected = [
        TableName::public("plans"),
        seven("lines"),
        seven("orders"),
        seven("tags"),
        seven("users"),
    ];
    assert_eq!(tables, expected);
    assert_eq!(
        *of_one.key_of(&seven("orders")),
        TableKey::Columns(texts(["no"]))
    );
    let Source::Rows(tags) = &of_one.relations[2].source else {
        panic!("no rows")
    };
    assert_eq!(tags.via[0].table, seven("order_tags"));
}
