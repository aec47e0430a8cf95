//! The foreign keys that a snapshot states: which columns of a table refer to the rows of another.
//!
//! They follow what statements do to tables and columns behind them: names change, tables and columns go.

use std::collections::BTreeMap;

use crate::snapshot::table_name::TableName;

/// Columns of a table whose values, where none of them is NULL, are those of a row of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// In the order of the constraint.
    pub columns: Vec<String>,
    /// The table that is referred to; it may be the same.
    pub table: TableName,
    /// Its columns, one for each of `columns`; `None` where the constraint names none and so means the primary key. See
    /// [`StatedKeys::referenced`](crate::snapshot::StatedKeys::referenced).
    pub(super) referenced: Option<Vec<String>>,
    /// Name of the constraint.
    pub name: String,
}

/// The foreign keys of all tables, each table's in the order in which they are stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ForeignKeys(BTreeMap<TableName, Vec<ForeignKey>>);

impl ForeignKeys {
    pub(super) fn of(&self, table: &TableName) -> &[ForeignKey] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// All of them with their tables, by the tables' names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&TableName, &ForeignKey)> {
        self.0
            .iter()
            .flat_map(|(table, keys)| keys.iter().map(move |key| (table, key)))
    }

    /// Adds a key, unless the table has one of that name: PostgreSQL refuses a second one.
    pub(super) fn add(&mut self, table: TableName, key: ForeignKey) {
        let keys = self.0.entry(table).or_default();
        if !keys.iter().any(|other| other.name == key.name) {
            keys.push(key);
        }
    }

    pub(super) fn drop_named(&mut self, table: &TableName, name: &str) {
        if let Some(keys) = self.0.get_mut(table) {
            keys.retain(|key| key.name != name);
        }
    }

    pub(super) fn rename(&mut self, table: &TableName, old: &str, new: &str) {
        let keys = self.0.get_mut(table).into_iter().flatten();
        for key in keys.filter(|key| key.name == old) {
            key.name = new.to_owned();
        }
    }

    /// A table is gone, and with it the keys that refer to it.
    pub(super) fn drop_table(&mut self, table: &TableName) {
        self.0.remove(table);
        for keys in self.0.values_mut() {
            keys.retain(|key| key.table != *table);
        }
    }

    pub(super) fn rename_table(&mut self, old: &TableName, new: &TableName) {
        if let Some(keys) = self.0.remove(old) {
            self.0.insert(new.clone(), keys);
        }
        let keys = self.0.values_mut().flatten();
        for key in keys.filter(|key| key.table == *old) {
            key.table.clone_from(new);
        }
    }

    /// A column is gone, and with it the keys that it is a part of.
    pub(super) fn drop_column(&mut self, table: &TableName, column: &str) {
        let has = |columns: &[String]| columns.iter().any(|other| other == column);
        for (own, keys) in &mut self.0 {
            keys.retain(|key| {
                let referenced = key.referenced.as_deref().unwrap_or_default();
                !(own == table && has(&key.columns) || key.table == *table && has(referenced))
            });
        }
    }

    pub(super) fn rename_column(&mut self, table: &TableName, old: &str, new: &str) {
        let change = |columns: &mut [String]| {
            for column in columns.iter_mut().filter(|column| *column == old) {
                *column = new.to_owned();
            }
        };
        for (own, keys) in &mut self.0 {
            for key in keys {
                if own == table {
                    change(&mut key.columns);
                }
                if key.table == *table {
                    change(key.referenced.as_deref_mut().unwrap_or_default());
                }
            }
        }
    }

    /// A key of a table is gone, and with it the keys that refer to its columns.
    pub(super) fn drop_key(&mut self, table: &TableName, columns: &[String], primary: bool) {
        let is_it = |key: &ForeignKey| match &key.referenced {
            None => primary,
            Some(referenced) => {
                referenced.len() == columns.len()
                    && referenced.iter().all(|column| columns.contains(column))
            }
        };
        for keys in self.0.values_mut() {
            keys.retain(|key| key.table != *table || !is_it(key));
        }
    }
}
