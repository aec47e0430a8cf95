//! What a snapshot turns out to hold, against what the plan needs: tables without their data, and data without its table.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::{Catalog, Holdings, SnapshotFacts, TableName};

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

/// Notes which tables of the plan are partitions of which the snapshot has rows under the name of a table above them.
pub(super) fn note_undivided(resolver: &mut Resolver, holdings: &Holdings) {
    for (partition, above) in &holdings.undivided {
        if let Some(table) = resolver.table(partition) {
            resolver.table_broken(table, undivided(above));
        }
    }
}

/// Says that rows of a partition may stand under the name of a table above it.
pub fn undivided(above: &TableName) -> String {
    format!(
        "rows of it may stand in the data of {above}, which it is a partition of, and nothing says which of them are its own: \
         take {above} for it, with a condition (where), or dump its rows under its own name"
    )
}

/// Warns of columns that no row of a table has, and of keys that several rows have.
///
/// # Errors
/// Under `strict`, which allows none of those columns.
pub(super) fn note_lacking(
    resolved: &Resolved,
    request: &Request<'_>,
    facts: &mut SnapshotFacts,
) -> Result<(), ResolveError> {
    if request.stop_early {
        return Ok(());
    }
    let lacking: Vec<String> = resolved.lacking.iter().map(ToString::to_string).collect();
    if request.strict && !lacking.is_empty() {
        return Err(ResolveError::Strict(lacking.join("\n  ")));
    }
    let repeated = resolved.repeated.iter().map(ToString::to_string);
    for warning in lacking.into_iter().chain(repeated) {
        tracing::warn!("{warning}");
        facts.warnings.push(warning);
    }
    Ok(())
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
