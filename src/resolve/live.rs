//! Rows that a server finds: asked for batch by batch, so that no group has to fit into memory.
//!
//! [`resolve_live`] finds the entities and says what would be asked. The rows themselves come from [`Live::fetch`]:
//! for each relation the keys of its top-level rows by one query per hop, then for each *round* of them
//! one query per hop of the tree below, with the keys that the hops above found. A round's rows lie in a small store of their own,
//! from which they are rendered as if they had been kept from a dump.

mod ask;
mod fetch;
mod keys;
mod load;
mod search;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::pipeline::Test;
use crate::snapshot::{Catalog, KeyedSource, Predicate, TableName};

use super::plan::{Hop, HopId, Plan, TableId, plan};
use super::start::check_strict;
use super::{Observer, Outcome, Request, ResolveError, Resolved, Rows};

pub use fetch::{Fetch, Fetched, Of, Part, Round, TopKeys, Wanted};

use ask::Asker;
use shelf::Shelf;

/// Rows of a plan's relations that are asked for when they are needed.
#[derive(Clone)]
pub struct Live {
    plan: Arc<Plan>,
    catalog: Arc<Catalog>,
    source: Arc<dyn KeyedSource>,
    shelf: Arc<Shelf>,
}

impl Live {
    fn asker(&self) -> Asker<'_> {
        Asker {
            plan: &self.plan,
            catalog: &self.catalog,
            source: self.source.as_ref(),
        }
    }

    /// Asks for the rows that a hop finds by these keys, and hands them out with their primary keys.
    ///
    /// # Errors
    /// `take`'s, and the server's: rows that it refuses are an error, whatever they are for.
    pub(super) fn rows_of(
        &self,
        hop: HopId,
        keys: &[i64],
        interrupted: &AtomicBool,
        take: ask::TakeFound<'_, ResolveError>,
    ) -> Result<(), ResolveError> {
        let asked = self.asker().hop(hop, keys, interrupted, &mut |id, row| {
            take(id, row).map_err(ask::Failure::Run)
        });
        asked.map_err(|failure| match failure {
            ask::Failure::Run(error) => error,
            ask::Failure::Relation(reason) => ResolveError::Plan(reason),
        })
    }
}

/// Finds the entities by query. Rows of relations are not asked for yet.
///
/// # Errors
/// Where the server refuses what says who the entities are, its instant is lost, or an entity is not there.
pub(super) fn resolve_live(
    source: Box<dyn KeyedSource>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let source: Arc<dyn KeyedSource> = Arc::from(source);
    let (catalog, facts) = (source.catalog(), source.facts());
    let mut plan =
        plan(request.pipeline, request.selection, &catalog).map_err(ResolveError::Plan)?;
    check_strict(request, &plan)?;
    plan.warnings.extend(not_indexed(&plan, source.as_ref()));
    observer.planned(&plan, &facts);
    let entities = search::entities(source.as_ref(), &catalog, request, observer)?;
    let absent = absent(&plan, &catalog);
    let plan = Arc::new(plan);
    let live = Live {
        plan: Arc::clone(&plan),
        catalog: Arc::clone(&catalog),
        source,
        shelf: Arc::default(),
    };
    Ok(Outcome {
        resolved: Resolved {
            plan,
            rows: Rows::Live(live),
            entities,
            troubles: BTreeMap::new(),
            absent,
            incomplete: BTreeSet::new(),
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
    for (id, table) in plan.tables.iter().enumerate() {
        let columns: BTreeSet<usize> = (0..table.layout.len())
            .filter(|column| catalog.is_generated(&table.name, &table.layout[*column].name))
            .collect();
        if !columns.is_empty() {
            absent.insert(id, columns);
        }
    }
    absent
}

/// One warning for all columns that rows are found by without an index.
fn not_indexed(plan: &Plan, source: &dyn KeyedSource) -> Option<String> {
    let missing = missing_indexes(plan, source);
    let columns: Vec<String> = missing
        .iter()
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    (!columns.is_empty()).then(|| {
        format!(
            "there is no index for {}: the server reads the whole table for every batch",
            columns.join(", ")
        )
    })
}

/// The columns that a plan finds rows by, and by which the source can find none without reading the whole table.
pub fn missing_indexes(plan: &Plan, source: &dyn KeyedSource) -> Vec<(TableName, String)> {
    let mut missing = Vec::new();
    for hop in &plan.hops {
        let table = &plan.tables[hop.table].name;
        let known: Vec<&str> = hop
            .filter
            .iter()
            .filter(|condition| matches!(condition.test, Test::In(_) | Test::Null))
            .map(|condition| condition.column.as_str())
            .collect();
        if !source.is_indexed(table, &hop.child, &known) {
            let column = (table.clone(), hop.child.clone());
            if !missing.contains(&column) {
                missing.push(column);
            }
        }
    }
    missing
}

/// The conditions of a hop or of the entities, as a server is asked them.
fn predicates(filter: &[crate::pipeline::Condition]) -> impl Iterator<Item = Predicate<'_>> {
    filter.iter().map(|condition| {
        let column = condition.column.as_str();
        match &condition.test {
            Test::In(texts) => Predicate::In(column, texts.iter().map(String::as_str).collect()),
            Test::Null => Predicate::Null(column),
            Test::NotNull => Predicate::NotNull(column),
            Test::Above(bound) => Predicate::Above(column, *bound),
            Test::Below(bound) => Predicate::Below(column, *bound),
        }
    })
}

impl Hop {
    /// What a server is asked for the rows of these keys.
    fn predicates<'a>(&'a self, keys: &'a [i64]) -> Vec<Predicate<'a>> {
        let keys = Predicate::AnyOf(&self.child, keys);
        [keys].into_iter().chain(predicates(&self.filter)).collect()
    }
}
