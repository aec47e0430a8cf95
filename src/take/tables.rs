//! The tables of a source: which of them are needed, and what taking them came to.

use std::sync::Arc;

use super::{TakeError, TakeRequest};
use crate::pipeline::Pipeline;
use crate::resolve::{PlanError, Selection, without_data};
use crate::snapshot::{Catalog, DescribedTable, Holdings, SnapshotFacts, TableName};

/// What the tables of a source came to.
pub(super) struct TakenTables {
    pub catalog: Arc<Catalog>,
    pub facts: SnapshotFacts,
    pub tables: Vec<DescribedTable>,
    /// The keys of the entities whose rows these are.
    pub only: Option<Vec<i64>>,
}

/// The tables that a pipeline needs and a catalog has.
pub(super) fn needed(pipeline: &Pipeline, catalog: &Catalog) -> Vec<TableName> {
    let names = Selection::default().tables(pipeline).into_iter();
    names
        .map(TableName::public)
        .filter(|name| catalog.table(name).is_some())
        .collect()
}

/// Makes sure that what is missing from the source is missing from the snapshot, too, and does not look empty or whole
/// there.
pub(super) fn check_holdings(
    request: &TakeRequest,
    catalog: &Catalog,
    holdings: &Holdings,
    taken: &[DescribedTable],
) -> Result<(), TakeError> {
    let names = Selection::default().tables(&request.pipeline);
    let failed = |reason: String| TakeError::Plan(format!("{}: {reason}", request.from.shown()));
    let is_needed = |name: &TableName| name.schema == "public" && names.contains(&name.name);
    if let Some(table) = holdings.undefined.iter().find(|name| is_needed(name)) {
        let undefined = PlanError::Undefined(table.name.clone());
        return Err(failed(undefined.to_string()));
    }
    for missing in &holdings.without_data {
        for table in catalog.holders(missing).iter().filter(|it| is_needed(it)) {
            match taken.iter().any(|taken| taken.table == table.name) {
                // The rest of its rows would look like all of them.
                true => return Err(failed(without_data(table, missing))),
                false => tracing::warn!("{}", without_data(table, missing)),
            }
        }
    }
    Ok(())
}
