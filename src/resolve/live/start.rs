//! The beginning of a run on a server: the plan and the entities. Rows are asked for later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resolve::entities::EntityError;
use crate::resolve::error::ResolveError;
use crate::resolve::plan::{Plan, TableId};
use crate::resolve::request::{Observer, Outcome, Request};
use crate::resolve::resolved::{self, Resolved, RowSource};
use crate::resolve::schemas::plan_chosen;
use crate::resolve::start::{check_strict, generated};
use crate::snapshot::{Catalog, Holdings, KeyedSource, TableName};

use super::indexes::not_indexed;
use super::rows::Live;
use super::search::entities;

/// Finds the entities by query. Rows of relations are not asked for yet.
///
/// # Errors
/// Where the server refuses what says who the entities are, its instant is lost, or an entity is not there.
pub(in crate::resolve) fn resolve_live(
    source: Box<dyn KeyedSource>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let source: Arc<dyn KeyedSource> = Arc::from(source);
    let (catalog, facts) = (source.catalog(), source.facts());
    let (mut plan, schemas) = plan_chosen(request.kinds, request.selection, &catalog)?;
    plan.warnings.extend(generated(request, &catalog, &plan));
    check_strict(request, &catalog, &plan)?;
    plan.advice.extend(not_indexed(&plan, source.as_ref()));
    observer.planned(&plan, &facts)?;
    let without_data = without_data_of(&plan, &catalog, &source.holdings());
    if !request.allow_missing {
        check_entities(&plan, &without_data)?;
    }
    let entities = entities(source.as_ref(), &catalog, request, &plan, schemas, observer)?;
    let absent = absent(&plan, &catalog);
    // Of one that has tables below it there may be rows.
    let is_unseen = |id: &TableId| !catalog.has_children(&plan.tables[*id].name);
    let unseen = without_data.keys().copied().filter(is_unseen).collect();
    let plan = Arc::new(plan);
    let live = Live {
        plan: Arc::clone(&plan),
        catalog: Arc::clone(&catalog),
        source,
        shelf: Arc::default(),
        presence: Arc::default(),
        limits: request.limits.clone(),
    };
    Ok(Outcome {
        resolved: Resolved {
            plan,
            rows: RowSource::Live(live),
            entities: entities.infos,
            remarks: entities.remarks,
            troubles: BTreeMap::new(),
            absent,
            lacking: Vec::new(),
            repeated: Vec::new(),
            incomplete: BTreeMap::new(),
            unseen,
            without_data,
            temp_bytes: 0,
        },
        facts,
        catalog,
        cut_off: None,
        undefined: BTreeSet::new(),
    })
}

/// The tables of the plan of which the source has no data, each with the names of those that lack it.
fn without_data_of(
    plan: &Plan,
    catalog: &Catalog,
    holdings: &Holdings,
) -> BTreeMap<TableId, BTreeSet<TableName>> {
    let mut without: BTreeMap<TableId, BTreeSet<TableName>> = BTreeMap::new();
    for name in &holdings.without_data {
        let holders = catalog.holders(name).into_iter();
        for table in holders.filter_map(|holder| plan.table(&holder)) {
            without.entry(table).or_default().insert(name.clone());
        }
    }
    // A server loses the rows of no others.
    for name in without.values().flatten().collect::<BTreeSet<_>>() {
        tracing::warn!(
            "table {name} is UNLOGGED: a base backup has no rows of it, and replaying the log empties it, so that this snapshot does not hold its data"
        );
    }
    without
}

/// Makes sure that there is all that says who the entities are.
///
/// # Errors
/// A table is without its data.
fn check_entities(
    plan: &Plan,
    without_data: &BTreeMap<TableId, BTreeSet<TableName>>,
) -> Result<(), EntityError> {
    for (id, names) in without_data {
        let table = &plan.tables[*id];
        if let (Some(missing), false) = (names.first(), table.observed_by.is_empty()) {
            let reason = resolved::without_data(&table.name, missing);
            return Err(EntityError::BadRow { reason });
        }
    }
    Ok(())
}

/// Columns that are computed from others. Dumps hold no values of them, so they are not asked for.
fn absent(plan: &Plan, catalog: &Catalog) -> BTreeMap<TableId, BTreeSet<usize>> {
    let mut absent = BTreeMap::new();
    for (id, table) in plan.tables.enumerate() {
        let columns: BTreeSet<usize> = (0..table.layout.len())
            .filter(|column| catalog.is_generated(&table.name, &table.layout[*column].name))
            .collect();
        if !columns.is_empty() {
            absent.insert(id, columns);
        }
    }
    absent
}
