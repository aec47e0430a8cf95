//! The keys that a snapshot states: primary keys, unique constraints and unique indexes of its tables, and foreign keys.
//!
//! A pipeline declares the column by which a table's rows are told apart. What the snapshot states shows whether that can be
//! right. A unique index counts as a constraint if it is of plain columns and without a condition.

use std::collections::BTreeMap;

use crate::snapshot::foreign_keys::{ForeignKey, ForeignKeys};
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
pub struct StatedKeys {
    unique: BTreeMap<TableName, Vec<StatedKey>>,
    foreign: ForeignKeys,
}

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
        self.unique.get(table).map_or(&[], Vec::as_slice)
    }

    /// The primary key's columns.
    pub fn primary(&self, table: &TableName) -> Option<&[String]> {
        let primary = self.of(table).iter().find(|key| key.primary);
        primary.map(|key| key.columns.as_slice())
    }

    /// The foreign keys of a table, in the order in which they are stated.
    pub fn foreign_of(&self, table: &TableName) -> &[ForeignKey] {
        self.foreign.of(table)
    }

    /// All foreign keys with their tables, by the tables' names.
    pub fn foreign(&self) -> impl Iterator<Item = (&TableName, &ForeignKey)> {
        self.foreign.all()
    }

    /// The columns that a foreign key refers to, one for each of its own. `None` where it means a primary key that is not
    /// stated, or has another number of columns.
    pub fn referenced<'k>(&'k self, key: &'k ForeignKey) -> Option<&'k [String]> {
        let referenced = match &key.referenced {
            Some(referenced) => referenced.as_slice(),
            None => self.primary(&key.table)?,
        };
        (referenced.len() == key.columns.len()).then_some(referenced)
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
        let keys = self.unique.entry(table).or_default();
        keys.retain(|other| other.name != key.name);
        keys.push(key);
    }

    /// Takes over what others state of the tables for which `is_own` is true.
    pub(super) fn take_from(&mut self, other: &StatedKeys, is_own: &dyn Fn(&TableName) -> bool) {
        let own = other.unique.iter().filter(|(table, _)| is_own(table));
        self.unique
            .extend(own.map(|(table, keys)| (table.clone(), keys.clone())));
        let own = other.foreign().filter(|(table, _)| is_own(table));
        for (table, key) in own {
            self.add_foreign(table.clone(), key.clone());
        }
    }

    pub(super) fn add_foreign(&mut self, table: TableName, key: ForeignKey) {
        self.foreign.add(table, key);
    }

    /// A table is gone: all of its keys go, and the foreign keys that refer to it.
    pub(super) fn drop_table(&mut self, table: &TableName) {
        self.unique.remove(table);
        self.foreign.drop_table(table);
    }

    pub(super) fn rename_table(&mut self, old: &TableName, new: &TableName) {
        if let Some(keys) = self.unique.remove(old) {
            self.unique.insert(new.clone(), keys);
        }
        self.foreign.rename_table(old, new);
    }

    /// A column is gone: all keys go that it is a part of.
    pub(super) fn drop_column(&mut self, table: &TableName, column: &str) {
        if let Some(keys) = self.unique.get_mut(table) {
            let has = |key: &StatedKey| key.columns.iter().any(|other| other == column);
            if keys.iter().any(|key| key.primary && has(key)) {
                self.foreign.drop_key(table, &[], true);
            }
            keys.retain(|key| !has(key));
        }
        self.foreign.drop_column(table, column);
    }

    pub(super) fn rename_column(&mut self, table: &TableName, old: &str, new: &str) {
        let keys = self.unique.get_mut(table).into_iter().flatten();
        for column in keys.flat_map(|key| &mut key.columns) {
            if column == old {
                *column = new.to_owned();
            }
        }
        self.foreign.rename_column(table, old, new);
    }

    /// Takes the key of that name away, and gives it.
    pub(super) fn take_named(&mut self, table: &TableName, name: &str) -> Option<StatedKey> {
        let keys = self.unique.get_mut(table)?;
        let position = keys.iter().position(|key| key.name == name)?;
        Some(keys.remove(position))
    }

    /// A constraint is gone. With `cascade` so are the foreign keys that refer to it; without, PostgreSQL would refuse it if
    /// there were some.
    pub(super) fn drop_constraint(&mut self, table: &TableName, name: &str, cascade: bool) {
        self.foreign.drop_named(table, name);
        if let Some(key) = self.take_named(table, name)
            && cascade
        {
            self.foreign.drop_key(table, &key.columns, key.primary);
        }
    }

    pub(super) fn rename_constraint(&mut self, table: &TableName, old: &str, new: &str) {
        let keys = self.unique.get_mut(table).into_iter().flatten();
        for key in keys.filter(|key| key.name == old) {
            key.name = new.to_owned();
        }
        self.foreign.rename(table, old, new);
    }

    /// True where a constraint or an index of a table has that name.
    pub(super) fn has_name(&self, table: &TableName, name: &str) -> bool {
        self.of(table).iter().any(|key| key.name == name)
            || self.foreign_of(table).iter().any(|key| key.name == name)
    }

    /// Takes an index away. It is in the schema of its table.
    pub(super) fn drop_index(&mut self, index: &TableName) {
        for (table, keys) in &mut self.unique {
            if table.schema == index.schema {
                keys.retain(|key| key.name != index.name);
            }
        }
    }
}
