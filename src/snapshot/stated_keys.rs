//! The keys that a snapshot states: primary keys, unique constraints and unique indexes of its tables.
//!
//! A pipeline declares the column by which a table's rows are told apart. What the snapshot states shows whether that can be
//! right. A unique index counts as a constraint if it is of plain columns and without a condition.

use std::collections::BTreeMap;

use crate::snapshot::table_name::TableName;

/// Columns whose values no two rows of a table share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedKey {
    /// In the order of the constraint.
    pub columns: Vec<String>,
    /// True for the primary key.
    pub primary: bool,
    /// Name of the constraint or index.
    pub(super) name: String,
}

/// The stated keys of all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedKeys(BTreeMap<TableName, Vec<StatedKey>>);

/// What is stated of a column by which a pipeline tells a table's rows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict<'a> {
    /// No two rows share a value of the column.
    Unique,
    /// Nothing: there is no primary key.
    NotStated,
    /// The primary key has these columns, the declared one may be among them.
    Other(&'a [String]),
}

impl StatedKeys {
    /// The keys of a table.
    pub fn of(&self, table: &TableName) -> &[StatedKey] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// Holds a declared key column against what is stated of its table.
    pub fn judge(&self, table: &TableName, column: &str) -> KeyVerdict<'_> {
        let keys = self.of(table);
        if keys.iter().any(|key| key.columns == [column]) {
            return KeyVerdict::Unique;
        }
        match keys.iter().find(|key| key.primary) {
            Some(primary) => KeyVerdict::Other(&primary.columns),
            None => KeyVerdict::NotStated,
        }
    }

    pub(super) fn add(&mut self, table: TableName, key: StatedKey) {
        let keys = self.0.entry(table).or_default();
        keys.retain(|other| other.name != key.name);
        keys.push(key);
    }

    /// Takes all keys of a table away, and gives them.
    pub(super) fn take(&mut self, table: &TableName) -> Vec<StatedKey> {
        self.0.remove(table).unwrap_or_default()
    }

    /// Takes the key of that name away, and gives it.
    pub(super) fn take_named(&mut self, table: &TableName, name: &str) -> Option<StatedKey> {
        let keys = self.0.get_mut(table)?;
        let position = keys.iter().position(|key| key.name == name)?;
        Some(keys.remove(position))
    }

    /// Takes an index away. It is in the schema of its table.
    pub(super) fn drop_index(&mut self, index: &TableName) {
        for (table, keys) in &mut self.0 {
            if table.schema == index.schema {
                keys.retain(|key| key.name != index.name);
            }
        }
    }
}
