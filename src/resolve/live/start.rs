//! The beginning of a run on a server: the plan and the entities. Rows are asked for later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resolve::error::ResolveError;
use crate::resolve::plan::{Plan, TableId};
use crate::resolve::request::{Observer, Outcome, Request};
use crate::resolve::resolved::{Resolved, RowSource};
use crate::resolve::schemas::plan_chosen;
use crate::resolve::start::{check_strict, generated};
use crate::snapshot::{Catalog, KeyedSource};

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
    let entities = entities(source.as_ref(), &catalog, request, &plan, schemas, observer)?;
    let absent = absent(&plan, &catalog);
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
            unseen: BTreeSet::new(),
            without_data: BTreeMap::new(),
            temp_bytes: 0,
        },
        facts,
        catalog,
        cut_off: None,
        undefined: BTreeSet::new(),
    })
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
