//! The keys that a pipeline declares, held against the primary keys that a snapshot states.

use std::collections::BTreeSet;

use super::{Checker, Severity};
use crate::pipeline::model::{Node, Pipeline};
use crate::snapshot::{Catalog, Table, TableName};

/// What is doubtful about the declared keys of these tables, for the log and the manifest. Says nothing of a table whose
/// primary key is not stated.
pub fn doubtful_keys(
    pipeline: &Pipeline,
    catalog: &Catalog,
    tables: &BTreeSet<TableName>,
) -> Vec<String> {
    tables
        .iter()
        .filter_map(|name| catalog.table(name))
        .filter_map(|table| doubt(pipeline, catalog, table))
        .map(|(_, message)| message)
        .collect()
}

/// What is wrong with the declared key of a table, if anything.
fn doubt(pipeline: &Pipeline, catalog: &Catalog, table: &Table) -> Option<(Severity, String)> {
    let name = &table.name;
    pipeline.said(name, catalog)?;
    let key = declared_key(pipeline, catalog, table);
    // Rows without a key are told apart by all that they hold.
    if key.is_empty() {
        return None;
    }
    let stated = catalog.keys().of(name);
    let is_part = |part: &[String], whole: &[String]| part.iter().all(|it| whole.contains(it));
    // With more columns than those of a key they are unique, too.
    if stated.iter().any(|stated| is_part(&stated.columns, &key)) {
        return None;
    }
    let primary = catalog.keys().primary(name)?;
    let (stated, shown) = (primary.join(", "), shown(&key));
    // The primary key of a partitioned table has to hold the columns that say which partition a row is in: the
    // declared one may be unique all the same.
    if table.partitioned && is_part(&key, primary) {
        let message = format!(
            "table {name}: the pipeline tells its rows apart by {shown}, but its primary key is ({stated}): if rows of \
             several partitions share a value of {shown}, they cannot be told apart"
        );
        return Some((Severity::Warning, message));
    }
    let message = format!(
        "table {name}: the pipeline tells its rows apart by {shown}, but its primary key is ({stated}), so rows may share \
         a value of {shown}; declare the primary key, or other columns that are unique, as the table's key"
    );
    Some((Severity::Error, message))
}

/// `id`, or `(a, b)`.
fn shown(key: &[String]) -> String {
    match key {
        [column] => column.clone(),
        columns => format!("({})", columns.join(", ")),
    }
}

/// The columns that tell a table's rows apart; none if it has no key, or if none is known.
fn declared_key(pipeline: &Pipeline, catalog: &Catalog, table: &Table) -> Vec<String> {
    match &pipeline.entity.key {
        Some(key) if pipeline.entity.table == table.name => vec![key.clone()],
        _ => {
            let said = pipeline.said(&table.name, catalog);
            let said = said.unwrap_or(&table.name);
            pipeline.key_of(said).columns(table, catalog.keys())
        }
    }
}

impl Checker<'_> {
    /// The columns that tell a table's rows apart; none if it has no key, or if none is known.
    pub(super) fn key_of(&self, table: &Table) -> Vec<String> {
        declared_key(self.pipeline, self.catalog, table)
    }

    /// Reports a doubtful key where its table is met first.
    pub(super) fn stated_key(&mut self, place: &str, table: &Table) {
        if self.keys_judged.insert(table.name.clone())
            && let Some((severity, message)) = doubt(self.pipeline, self.catalog, table)
        {
            self.report(severity, place, message);
        }
    }

    /// Reports rows that nothing but their bytes puts into an order.
    pub(super) fn ordered_by_bytes(&mut self, place: &str, node: &Node, table: &Table) {
        if node.many && node.order.is_empty() && self.key_of(table).is_empty() {
            let message = format!(
                "table {} has no key and no `order`: rows are ordered by their bytes",
                table.name
            );
            self.report(Severity::Note, place, message);
        }
    }
}
