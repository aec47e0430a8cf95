//! Sets of columns of which something is known.

use std::collections::{HashMap, HashSet};

use crate::snapshot::table_name::TableName;

/// Columns, by their tables.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSet(HashMap<TableName, HashSet<String>>);

impl ColumnSet {
    pub(super) fn has(&self, table: &TableName, column: &str) -> bool {
        self.0
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Puts a column in, or takes it out.
    pub(super) fn set(&mut self, table: &TableName, column: &str, is_in: bool) {
        if is_in {
            let columns = self.0.entry(table.clone()).or_default();
            columns.insert(column.to_owned());
        } else if let Some(columns) = self.0.get_mut(table) {
            columns.remove(column);
        }
    }

    pub(super) fn drop_table(&mut self, table: &TableName) {
        self.0.remove(table);
    }

    pub(super) fn rename_table(&mut self, old: &TableName, new: &TableName) {
        if let Some(columns) = self.0.remove(old) {
            self.0.insert(new.clone(), columns);
        }
    }

    pub(super) fn rename_column(&mut self, table: &TableName, old: &str, new: &str) {
        if let Some(columns) = self.0.get_mut(table)
            && columns.remove(old)
        {
            columns.insert(new.to_owned());
        }
    }

    /// Takes over what another set has of a table.
    pub(super) fn take_from(&mut self, other: &ColumnSet, table: &TableName) {
        if let Some(columns) = other.0.get(table) {
            self.0.insert(table.clone(), columns.clone());
        }
    }
}
