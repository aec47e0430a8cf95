//! Entities that are schemas: which of them are chosen, the pipeline as it is for each, and which tables are read for them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::pipeline::{Pipeline, SchemaPattern};
use crate::snapshot::{Catalog, TableName};

use super::directory::{Directory, spellings};
use super::entities::{Choice, EntityInfo};
use super::error::ResolveError;
use super::plan::{Plan, Selection, plan, plan_in_schemas};

/// Lays the pipeline over a catalog. If its entities are schemas, these are the chosen ones, and the plan is made for no
/// others.
///
/// # Errors
/// If it cannot be planned, or a chosen schema is no entity.
pub(super) fn plan_chosen(
    pipeline: &Pipeline,
    selection: &Selection,
    catalog: &Catalog,
    choice: &Choice,
) -> Result<(Plan, Option<Vec<EntityInfo>>), ResolveError> {
    let Some(schemas) = pipeline.schemas_in(catalog) else {
        return Ok((plan(pipeline, selection, catalog)?, None));
    };
    let chosen = Directory::of_schemas(&pipeline.entity, schemas).choose(choice)?;
    let names = chosen.iter().filter_map(|entity| entity.key.as_text());
    let plan = plan_in_schemas(pipeline, selection, catalog, names)?;
    Ok((plan, Some(chosen)))
}

/// The pipeline as it is for these entities: if they are schemas, one for each.
pub fn pipelines_of<'p>(
    pipeline: &'p Pipeline,
    entities: &'p [EntityInfo],
) -> impl Iterator<Item = Cow<'p, Pipeline>> {
    let is_of_schemas = pipeline.entity.schemas.is_some();
    let whole = (!is_of_schemas).then_some(Cow::Borrowed(pipeline));
    let schemas = entities.iter().filter(move |_| is_of_schemas);
    let schemas = schemas.filter_map(|entity| entity.key.as_text());
    whole
        .into_iter()
        .chain(schemas.map(|schema| Cow::Owned(pipeline.in_schema(schema))))
}

/// The tables that a run reads, as far as that is known before any catalog.
#[derive(Debug, Clone)]
pub struct WantedTables {
    /// Without a schema if they are looked for in those of the entities.
    names: BTreeSet<TableName>,
    schemas: Option<SchemaPattern>,
    /// The chosen schemas, if they are named.
    named: Option<Vec<String>>,
}

impl WantedTables {
    /// The tables that the selected relations of a pipeline, and the search for entities, read for the chosen entities.
    pub fn new(pipeline: &Pipeline, selection: &Selection, choice: &Choice) -> WantedTables {
        WantedTables {
            names: selection.tables(pipeline),
            schemas: pipeline.entity.schemas.clone(),
            named: match choice {
                Choice::All => None,
                Choice::Named { names, .. } => Some(names.clone()),
            },
        }
    }

    /// And the table that a schema must have to be an entity.
    #[must_use]
    pub fn with_entities(mut self, pipeline: &Pipeline) -> WantedTables {
        self.names.insert(pipeline.entity.table.clone());
        self
    }

    /// True if the table may be read.
    pub fn contains(&self, table: &TableName) -> bool {
        self.names.contains(table)
            || self.is_chosen(&table.schema)
                && self.names.contains(&TableName::new("", &table.name))
    }

    /// True for a schema that may be one of the chosen entities.
    pub fn is_chosen(&self, schema: &str) -> bool {
        let named = self.named.as_ref();
        let schemas = self.schemas.as_ref();
        schemas.is_some_and(|schemas| schemas.matches(schema))
            && named.is_none_or(|named| {
                let mut names = named.iter().flat_map(|name| spellings(name));
                names.any(|name| name == schema)
            })
    }

    /// Those that a catalog has.
    pub fn in_catalog(&self, catalog: &Catalog) -> Vec<TableName> {
        let names = catalog.tables().map(|table| &table.name);
        let mut names: Vec<TableName> = names.filter(|name| self.contains(name)).cloned().collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_chosen_schemas_are_wanted_and_those_that_all_share() {
        let pipeline = Pipeline::parse(
            "pipeline: crm\nentity: { kind: Tenant, schema: \"tenant_*\", table: users, prefix: \"{key}\" }\n\
             relations:\n  users: { table: users, nested: { plan: { one: public.plans, link: { id: plan_id } } } }\n",
            "crm.yml",
        )
        .unwrap();
        let selection = Selection::default();
        let named = Choice::Named {
            names: vec!["tenant_a".to_owned(), "other".to_owned()],
            descendants: false,
        };
        for (choice, schema, table, expected) in [
            (&Choice::All, "tenant_a", "users", true),
            (&Choice::All, "tenant_b", "users", true),
            (&Choice::All, "tenant_a", "logs", false),
            (&Choice::All, "other", "users", false),
            (&Choice::All, "public", "users", false),
            (&Choice::All, "public", "plans", true),
            (&Choice::All, "tenant_a", "plans", false),
            (&named, "tenant_a", "users", true),
            (&named, "tenant_b", "users", false),
            (&named, "other", "users", false),
            (&named, "public", "plans", true),
        ] {
            let wanted = WantedTables::new(&pipeline, &selection, choice);
            let found = wanted.contains(&TableName::new(schema, table));
            assert_eq!(found, expected, "{choice:?} {schema}.{table}");
        }
    }
}
