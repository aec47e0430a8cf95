//! What a snapshot turns out to hold, against what the plan needs: tables without their data, and data without its table.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::{Catalog, Holdings, TableName};

use super::entities::KindChoice;
use super::error::ResolveError;
use super::plan::{PlanError, entity_tables};
use super::request::Request;
use super::resolved::Resolved;
use super::resolver::Resolver;
use super::schemas::{WantedTables, pipelines_of};

/// Notes which tables of the plan the snapshot holds no data of.
pub(super) fn note_without_data(resolver: &mut Resolver, catalog: &Catalog, holdings: &Holdings) {
    for name in &holdings.without_data {
        for holder in catalog.holders(name) {
            if let Some(table) = resolver.table(&holder) {
                resolver.table_without_data(table, name.clone());
            }
        }
    }
}

/// Fails the relations that lack a table whose data is there without its definition: it is not a table that the
/// snapshot does not have.
///
/// # Errors
/// Where it is a table that says who the entities are.
pub(super) fn fail_undefined(
    resolved: &mut Resolved,
    request: &Request<'_>,
    holdings: &Holdings,
) -> Result<BTreeSet<TableName>, ResolveError> {
    let (kinds, selection) = (request.kinds, request.selection);
    let needed = WantedTables::new(kinds, selection);
    let found = holdings.undefined.iter();
    let names: BTreeSet<TableName> = found
        .filter(|name| needed.contains(name))
        .cloned()
        .collect();
    let is_of_entities = |name: &&TableName| {
        let mut kinds = kinds.iter().enumerate();
        kinds.any(|(kind, KindChoice { pipeline, .. })| {
            let entity = &pipeline.entity;
            match entity.schemas.is_some() {
                true => name.name == entity.table.name && needed.is_chosen(kind, &name.schema),
                false => entity_tables(entity).contains(name),
            }
        })
    };
    if let Some(name) = holdings.undefined.iter().find(is_of_entities) {
        return Err(PlanError::Undefined(name.clone()).into());
    }
    if !names.is_empty() {
        // Nothing else holds the plan any more: the rows have been found.
        let plan = Arc::get_mut(&mut resolved.plan)
            .ok_or(ResolveError::Broken("the plan is still being used"))?;
        let pipelines = pipelines_of(kinds, &resolved.entities);
        let pipelines = pipelines.iter().map(Option::as_deref);
        plan.fail_undefined(pipelines, selection, &names);
    }
    Ok(names)
}
