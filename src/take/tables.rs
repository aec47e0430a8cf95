//! The tables of a source: which of them are needed, and what taking them came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{TakeError, TakeRequest};
use crate::pipeline::EntityId;
use crate::resolve::{
    Choice, KindChoice, PlanError, Selection, WantedTables, undivided, without_data,
};
use crate::snapshot::{Catalog, DescribedTable, Holdings, SnapshotFacts, TableName};

/// What the tables of a source came to.
pub(super) struct TakenTables {
    pub catalog: Arc<Catalog>,
    pub facts: SnapshotFacts,
    pub tables: Vec<DescribedTable>,
    /// The keys of the entities whose rows these are, by the names of their pipelines.
    pub only: Option<BTreeMap<String, Vec<EntityId>>>,
}

/// The tables that the kinds of a request need of a source, those of all their entities.
pub(super) fn wanted(kinds: &[KindChoice]) -> WantedTables {
    let all: Vec<KindChoice> = kinds
        .iter()
        .map(|kind| KindChoice {
            pipeline: kind.pipeline.clone(),
            choice: match kind.choice.is_nobody() {
                true => Choice::nobody(),
                false => Choice::All,
            },
        })
        .collect();
    // Without its table a schema would be no entity.
    WantedTables::new(&all, &Selection::default()).with_entities(kinds)
}

/// The tables that the kinds of a request need and a catalog has.
pub(super) fn needed(kinds: &[KindChoice], catalog: &Catalog) -> Vec<TableName> {
    wanted(kinds).in_catalog(catalog)
}

/// Makes sure that each table has a file of its own: a dot may be a part of a name, or stand behind a schema.
pub(super) fn check_names(tables: &[TableName]) -> Result<(), TakeError> {
    let mut files: BTreeMap<String, &TableName> = BTreeMap::new();
    for table in tables {
        if let Some(other) = files.insert(table.to_string(), table) {
            return Err(TakeError::Plan(format!(
                "the tables {} and {} would have the same file\n  rename one of them or its schema",
                other.quoted(),
                table.quoted()
            )));
        }
    }
    Ok(())
}

/// The tables that files are of, by the names that `snapshot.json` has for them.
///
/// # Errors
/// Where a name may mean two tables.
pub(super) fn with_files(
    catalog: &Catalog,
    files: &[DescribedTable],
) -> Result<Vec<TableName>, TakeError> {
    let names: BTreeSet<&str> = files.iter().map(|file| file.table.as_str()).collect();
    let tables = catalog.tables().map(|table| &table.name);
    let mut tables: Vec<TableName> = tables
        .filter(|table| names.contains(table.to_string().as_str()))
        .cloned()
        .collect();
    tables.sort();
    check_names(&tables)?;
    Ok(tables)
}

/// Makes sure that what is missing from the source is missing from the snapshot, too, and does not look empty or whole
/// there.
pub(super) fn check_holdings(
    request: &TakeRequest,
    catalog: &Catalog,
    holdings: &Holdings,
    taken: &[DescribedTable],
) -> Result<(), TakeError> {
    let names = wanted(&request.kinds);
    let failed = |reason: String| TakeError::Plan(format!("{}: {reason}", request.from.shown()));
    let is_needed = |name: &TableName| names.contains(name);
    if let Some(table) = holdings.undefined.iter().find(|name| is_needed(name)) {
        let undefined = PlanError::Undefined(table.clone());
        return Err(failed(undefined.to_string()));
    }
    let mut divided = holdings.undivided.iter();
    if let Some((partition, above)) = divided.find(|(partition, _)| is_needed(partition)) {
        let reason = undivided(above);
        return Err(failed(format!("table {partition}: {reason}")));
    }
    for missing in &holdings.without_data {
        for table in catalog.holders(missing).iter().filter(|it| is_needed(it)) {
            match taken.iter().any(|taken| taken.table == table.to_string()) {
                // The rest of its rows would look like all of them.
                true => return Err(failed(without_data(table, missing))),
                false => tracing::warn!("{}", without_data(table, missing)),
            }
        }
    }
    Ok(())
}
