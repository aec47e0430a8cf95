//! The keys that a pipeline declares, held against the primary keys that a snapshot states.

use std::collections::BTreeSet;

use super::{Checker, Severity};
use crate::pipeline::model::Pipeline;
use crate::snapshot::{Catalog, KeyVerdict, Table, TableName};

/// What is doubtful about the declared keys of these tables, for the log and the manifest. Says nothing of a table whose
/// primary key is not stated.
pub fn doubtful_keys(
    pipeline: &Pipeline,
    catalog: &Catalog,
    tables: &BTreeSet<String>,
) -> Vec<String> {
    tables
        .iter()
        .filter_map(|name| catalog.table(&TableName::public(name)))
        .filter_map(|table| doubt(pipeline, catalog, table))
        .map(|(_, message)| message)
        .collect()
}

/// What is wrong with the declared key of a table, if anything.
fn doubt(pipeline: &Pipeline, catalog: &Catalog, table: &Table) -> Option<(Severity, String)> {
    let name = &table.name;
    let key = declared_key(pipeline, &name.name);
    let KeyVerdict::Other(columns) = catalog.keys().judge(name, key) else {
        return None;
    };
    let stated = columns.join(", ");
    // The primary key of a partitioned table has to hold the columns that say which partition a row is in: the
    // declared one may be unique all the same.
    if table.partitioned && columns.iter().any(|column| column == key) {
        let message = format!(
            "table {name}: the pipeline tells its rows apart by {key}, but its primary key is ({stated}): if rows of \
             several partitions share a value of {key}, they cannot be told apart"
        );
        return Some((Severity::Warning, message));
    }
    let message = format!(
        "table {name}: the pipeline tells its rows apart by {key}, but its primary key is ({stated}), so rows may share \
         a value of {key}; declare a column that is unique as the table's key"
    );
    Some((Severity::Error, message))
}

fn declared_key<'p>(pipeline: &'p Pipeline, table: &str) -> &'p str {
    match pipeline.entity.table == table {
        true => &pipeline.entity.key,
        false => pipeline.key_of(table),
    }
}

impl Checker<'_> {
    /// Reports a doubtful key where its table is met first.
    pub(super) fn stated_key(&mut self, place: &str, table: &Table) {
        if self.keys_judged.insert(table.name.clone())
            && let Some((severity, message)) = doubt(self.pipeline, self.catalog, table)
        {
            self.report(severity, place, message);
        }
    }
}
