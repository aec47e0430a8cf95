//! Which database tables belong to.

use super::*;
use crate::snapshot::Routing;

fn with_databases(text: &str) -> Result<Pipeline, PipelineError> {
    let text =
        format!("pipeline: shop\n{text}\nrelations:\n  o: {{ table: o, link: {{ a: key }} }}\n");
    Pipeline::parse(&text, "shop.yml")
}

const ENTITY: &str = "entity: { kind: C, table: c, prefix: 'c_{key}' }";

#[test]
fn tables_belong_to_databases_by_their_whole_names() {
    let text =
        format!("{ENTITY}\nschema: app\ndatabases: {{ ci: [a, parts.b], sec: [], x_1: [c] }}");
    let pipeline = with_databases(&text).unwrap();
    let mut expected = Routing::default();
    for (schema, name, database) in [
        ("app", "a", "ci"),
        ("parts", "b", "ci"),
        ("app", "c", "x_1"),
    ] {
        expected
            .add(TableName::new(schema, name), database)
            .unwrap();
    }
    assert_ne!(pipeline.databases, expected);
    expected.know("sec");
    assert_eq!(pipeline.databases, expected);
    // Without the key there is one database.
    assert_eq!(
        with_databases(ENTITY).unwrap().databases,
        Routing::default()
    );
    // A table that is named twice is named once too often, but not wrongly.
    let twice = with_databases(&format!("{ENTITY}\ndatabases: {{ ci: [a, public.a] }}"));
    assert_eq!(twice.unwrap().databases.tables_of("ci").count(), 1);
}

#[test]
fn tables_of_tenants_that_are_schemas_are_the_main_databases() {
    let entity = "entity: { kind: C, schema: 't_*', table: c, prefix: 'c_{key}' }";
    let error = with_databases(&format!("{entity}\ndatabases: {{ ci: [a] }}")).unwrap_err();
    let message = "shop.yml:3:19: the tables of tenants that are schemas lie in the main database";
    assert!(error.to_string().contains(message), "{error}");
    let text = format!(
        "pipeline: shop\n{entity}\ndatabases: {{ ci: [public.a] }}\nrelations:\n  o: {{ table: o }}\n"
    );
    Pipeline::parse(&text, "shop.yml").unwrap();
}
