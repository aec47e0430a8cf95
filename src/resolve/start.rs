//! The beginning of a run: the plan, and whether the snapshot has what it needs.

use std::sync::Arc;

use crate::pipeline::{Pipeline, Relation, Scope, lacks};
use crate::snapshot::{Catalog, Holdings, SnapshotFacts, TableName};

use super::entities::KindChoice;
use super::error::ResolveError;
use super::plan::{Plan, PlanError, Selection, TableId};
use super::request::{Observer, Request};
use super::resolver::Resolver;
use super::schemas::plan_chosen;

/// Lays the plan and makes the resolver. `candidates` says that rows may go by before the entities are known.
///
/// # Errors
/// Where the pipeline cannot be planned on the catalog, or `strict` allows less than is missing.
pub(super) fn start(
    request: &Request<'_>,
    catalog: &Arc<Catalog>,
    facts: &SnapshotFacts,
    candidates: bool,
    observer: &mut dyn Observer,
) -> Result<Resolver, ResolveError> {
    let planned = plan_chosen(request.kinds, request.selection, catalog);
    let (mut plan, schemas) = planned.map_err(|error| match error {
        ResolveError::Plan(PlanError::NoEntityTable { table, kind }) if facts.is_of_cluster => {
            PlanError::NotInFirstDatabase { table, kind }.into()
        }
        error => error,
    })?;
    plan.warnings.extend(generated(request, catalog, &plan));
    check_strict(request, catalog, &plan)?;
    observer.planned(&plan, facts)?;
    let mut resolver = Resolver::new(plan, Arc::clone(catalog), request);
    for (kind, schemas) in schemas {
        resolver.choose(kind, schemas);
    }
    resolver.begin(candidates);
    Ok(resolver)
}

/// A line for each place where the pipelines name a generated column for something else than to find or sort rows: records do not
/// have it, and what depends on its value is as if it were NULL.
pub(super) fn generated(request: &Request<'_>, catalog: &Catalog, plan: &Plan) -> Vec<String> {
    let is_idle = |table: TableId, column: &str| {
        catalog.is_generated(&plan.tables[table].name, column) && !plan.finds_by(table, column)
    };
    let mut tables = plan.tables.enumerate();
    if !tables.any(|(id, table)| table.layout.iter().any(|column| is_idle(id, &column.name))) {
        return Vec::new();
    }
    let without = catalog.without_generated(|name, column| {
        let table = plan.table(name);
        table.is_some_and(|table| plan.finds_by(table, column))
    });
    let mut lines = Vec::new();
    for KindChoice { pipeline, choice } in request.kinds {
        let wanted = match choice.is_nobody() {
            true => Vec::new(),
            false => request.selection.relations(pipeline),
        };
        let lacks = |catalog: &Catalog| {
            let scope = Scope {
                edition: request.selection.edition,
                is_wanted: &|relation: &Relation| wanted.iter().any(|it| it.name == relation.name),
            };
            lacks(pipeline, catalog, scope)
        };
        let known = lacks(catalog);
        let lack = lacks(&without).into_iter();
        lines.extend(lack.filter(|line| !known.contains(line)).map(|line| {
            format!(
                "{line} (a database computes it, and no values of it are read: it counts as NULL)"
            )
        }));
    }
    lines
}

/// Under `strict`, nothing may be missing that the pipelines name for what is wanted of them.
pub(super) fn check_strict(
    request: &Request<'_>,
    catalog: &Catalog,
    plan: &Plan,
) -> Result<(), ResolveError> {
    match request.strict {
        true => lacks_nothing(request.kinds, request.selection, catalog, plan),
        false => Ok(()),
    }
}

/// Makes sure that nothing is missing that the pipelines name for what is wanted of them.
///
/// # Errors
/// What is missing.
pub(super) fn lacks_nothing(
    kinds: &[KindChoice],
    selection: &Selection,
    catalog: &Catalog,
    plan: &Plan,
) -> Result<(), ResolveError> {
    let mut missing = Vec::new();
    for KindChoice { pipeline, choice } in kinds {
        let wanted = match choice.is_nobody() {
            true => Vec::new(),
            false => selection.relations(pipeline),
        };
        let scope = Scope {
            edition: selection.edition,
            is_wanted: &|relation: &Relation| wanted.iter().any(|it| it.name == relation.name),
        };
        let of_pipeline = lacks(pipeline, catalog, scope).into_iter();
        missing.extend(of_pipeline.map(|lack| match kinds.len() {
            1 => lack,
            _ => format!("pipeline {}: {lack}", pipeline.name),
        }));
    }
    if missing.is_empty() {
        // What shows only when it is planned.
        let left_out = plan.left_out.iter();
        missing.extend(left_out.map(|it| it.says(plan.kinds.len())));
        missing.extend(plan.warnings.iter().cloned());
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(ResolveError::Strict(missing.join("\n  "))),
    }
}

/// Makes sure that a taken snapshot has what the pipeline needs: what was not taken would look empty.
pub(super) fn check_taken(
    facts: &SnapshotFacts,
    plan: &Plan,
    holdings: &Holdings,
    kinds: &[KindChoice],
) -> Result<(), ResolveError> {
    let Some(other) = facts.taken_for.first() else {
        return Ok(());
    };
    let taken_for = |pipeline: &Pipeline| {
        let mut taken = facts.taken_for.iter();
        taken.any(|other| other.sha256 == pipeline.sha256)
    };
    let is_needed = |name: &&TableName| {
        let table = plan.table(name);
        table.is_some_and(|table| plan.is_read(table))
    };
    let lacks = match &facts.only {
        _ if kinds.iter().all(|kind| taken_for(&kind.pipeline)) => return Ok(()),
        // Nor does it have other columns, or rows that other links lead to.
        Some(_) => "holds only the rows that it needs".to_owned(),
        None => match holdings.without_data.iter().find(is_needed) {
            Some(table) => format!("lacks table {table}"),
            None => return Ok(()),
        },
    };
    Err(ResolveError::NotTaken {
        pipeline: other.name.clone(),
        lacks,
    })
}
