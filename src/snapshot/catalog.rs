//! The catalog: which tables a snapshot has, their columns and types, and how partitions hang together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::SqlType;
use super::stated_keys::StatedKeys;

/// A table's name with its schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        TableName {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// The table of this name in schema `public`, where every table of a pipeline is looked for.
    pub fn public(name: impl Into<String>) -> Self {
        TableName::new("public", name)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == "public" {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.schema, self.name)
        }
    }
}

/// A column as the table's definition states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub sql_type: SqlType,
}

/// A table as its definition states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: TableName,
    /// In physical order.
    pub columns: Vec<Column>,
    /// True for a partitioned table, whose rows stand in its leaves.
    pub partitioned: bool,
}

impl Table {
    /// The column of that name and its position.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.name == name)
    }
}

/// Levels of partitions that are followed. Real trees have two or three; a hostile dump might make one so deep
/// that finding every table's root would take hours.
const DEEPEST: usize = 64;

/// The tables of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: HashMap<TableName, Table>,
    parents: HashMap<TableName, TableName>,
    generated: HashMap<TableName, HashSet<String>>,
    /// Columns that the database fills in where a row has no value of them.
    defaults: HashMap<TableName, HashSet<String>>,
    /// Labels of enums, in their order.
    enums: BTreeMap<TableName, Vec<String>>,
    /// Types of columns in SQL, where that says more than the column's [`SqlType`].
    written_types: HashMap<TableName, HashMap<String, Arc<str>>>,
    keys: StatedKeys,
}

impl Catalog {
    /// Adds a table, or replaces the one of that name.
    pub fn add(&mut self, table: Table) {
        self.tables.insert(table.name.clone(), table);
    }

    /// Notes that `leaf` is a partition of `parent`.
    pub fn attach(&mut self, leaf: TableName, parent: TableName) {
        self.parents.insert(leaf, parent);
    }

    /// Notes that a column is computed from others, so that dumps hold no values of it.
    pub fn set_generated(&mut self, table: TableName, column: String) {
        self.generated.entry(table).or_default().insert(column);
    }

    /// True for a column that is computed from others (`GENERATED ALWAYS AS (…)`).
    pub fn is_generated(&self, table: &TableName, column: &str) -> bool {
        self.generated
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Notes whether the database fills a column in where a row has no value of it.
    pub(super) fn set_default(&mut self, table: &TableName, column: &str, filled: bool) {
        if filled {
            let columns = self.defaults.entry(table.clone()).or_default();
            columns.insert(column.to_owned());
        } else if let Some(columns) = self.defaults.get_mut(table) {
            columns.remove(column);
        }
    }

    /// True for a column that the database fills in where a row has no value of it: it has a default that is not NULL.
    pub fn has_default(&self, table: &TableName, column: &str) -> bool {
        self.defaults
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Notes that a column is not computed from others any more.
    pub(super) fn set_stored(&mut self, table: &TableName, column: &str) {
        if let Some(columns) = self.generated.get_mut(table) {
            columns.remove(column);
        }
    }

    /// Forgets a table.
    pub(super) fn remove(&mut self, name: &TableName) {
        self.tables.remove(name);
        self.parents.remove(name);
        self.generated.remove(name);
        self.defaults.remove(name);
        self.written_types.remove(name);
        self.keys.take(name);
    }

    /// Gives a table another name, if no other table has it.
    pub(super) fn rename(&mut self, old: &TableName, new: TableName) {
        if self.tables.contains_key(&new) {
            return;
        }
        if let Some(mut table) = self.tables.remove(old) {
            table.name = new.clone();
            self.tables.insert(new.clone(), table);
        }
        if let Some(parent) = self.parents.remove(old) {
            self.parents.insert(new.clone(), parent);
        }
        for parent in self.parents.values_mut().filter(|parent| *parent == old) {
            *parent = new.clone();
        }
        if let Some(columns) = self.generated.remove(old) {
            self.generated.insert(new.clone(), columns);
        }
        if let Some(columns) = self.defaults.remove(old) {
            self.defaults.insert(new.clone(), columns);
        }
        if let Some(types) = self.written_types.remove(old) {
            self.written_types.insert(new, types);
        }
    }

    /// Forgets a column of a table and of its partitions.
    pub(super) fn drop_column(&mut self, name: &TableName, column: &str) {
        for table in self.with_partitions(name) {
            if let Some(found) = self.tables.get_mut(&table) {
                found.columns.retain(|other| other.name != column);
            }
            for columns in [
                self.generated.get_mut(&table),
                self.defaults.get_mut(&table),
            ] {
                if let Some(columns) = columns {
                    columns.remove(column);
                }
            }
            if let Some(types) = self.written_types.get_mut(&table) {
                types.remove(column);
            }
        }
    }

    /// Gives a column of a table and of its partitions another name.
    pub(super) fn rename_column(&mut self, name: &TableName, old: &str, new: &str) {
        for table in self.with_partitions(name) {
            let Some(found) = self.tables.get_mut(&table) else {
                continue;
            };
            if found.column(new).is_some() {
                continue;
            }
            for column in found.columns.iter_mut().filter(|column| column.name == old) {
                column.name = new.to_owned();
            }
            for columns in [
                self.generated.get_mut(&table),
                self.defaults.get_mut(&table),
            ] {
                if let Some(columns) = columns
                    && columns.remove(old)
                {
                    columns.insert(new.to_owned());
                }
            }
            if let Some(types) = self.written_types.get_mut(&table)
                && let Some(sql) = types.remove(old)
            {
                types.insert(new.to_owned(), sql);
            }
        }
    }

    /// Gives a column of a table and of its partitions another type.
    pub(super) fn set_type(
        &mut self,
        name: &TableName,
        column: &str,
        sql_type: SqlType,
        written: Option<Arc<str>>,
    ) {
        for table in self.with_partitions(name) {
            if let Some(found) = self.tables.get_mut(&table) {
                for other in found
                    .columns
                    .iter_mut()
                    .filter(|other| other.name == column)
                {
                    other.sql_type = sql_type.clone();
                }
            }
            let types = self.written_types.entry(table).or_default();
            match &written {
                Some(sql) => types.insert(column.to_owned(), Arc::clone(sql)),
                None => types.remove(column),
            };
        }
    }

    /// A table, and the partitions whose columns are its own.
    fn with_partitions(&self, name: &TableName) -> Vec<TableName> {
        let mut tables = vec![name.clone()];
        let mut level: HashSet<&TableName> = HashSet::from([name]);
        for _ in 0..DEEPEST {
            let parts = self.parents.iter();
            let next: HashSet<&TableName> = parts
                .filter(|(_, parent)| level.contains(parent))
                .map(|(part, _)| part)
                .collect();
            if next.is_empty() || tables.len() > self.parents.len() {
                break;
            }
            tables.extend(next.iter().map(|part| (*part).clone()));
            level = next;
        }
        tables
    }

    /// Marks a table as partitioned.
    pub(super) fn set_partitioned(&mut self, table: &TableName) {
        if let Some(table) = self.tables.get_mut(table) {
            table.partitioned = true;
        }
    }

    /// Adds an enum's labels.
    pub(super) fn add_enum(&mut self, name: TableName, labels: Vec<String>) {
        self.enums.insert(name, labels);
    }

    /// The enums and their labels, by name.
    pub fn enums(&self) -> impl Iterator<Item = (&TableName, &[String])> {
        self.enums
            .iter()
            .map(|(name, labels)| (name, labels.as_slice()))
    }

    /// Notes how SQL writes a column's type, where that says more than its [`SqlType`].
    pub(super) fn set_written_type(&mut self, table: TableName, column: String, sql: Arc<str>) {
        self.written_types
            .entry(table)
            .or_default()
            .insert(column, sql);
    }

    /// How SQL writes a column's type, where that says more than its [`SqlType`].
    pub(super) fn written_type(&self, table: &TableName, column: &str) -> Option<&Arc<str>> {
        self.written_types.get(table)?.get(column)
    }

    /// Primary keys and unique constraints, as far as the snapshot has stated them. A stream states most of them behind its rows.
    pub fn keys(&self) -> &StatedKeys {
        &self.keys
    }

    pub(super) fn keys_mut(&mut self) -> &mut StatedKeys {
        &mut self.keys
    }

    /// This catalog with the keys that are stated at the end of a stream.
    pub fn with_keys(&self, keys: StatedKeys) -> Catalog {
        Catalog {
            keys,
            ..self.clone()
        }
    }

    pub(super) fn table_mut(&mut self, name: &TableName) -> Option<&mut Table> {
        self.tables.get_mut(name)
    }

    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.get(name)
    }

    /// All tables, in no particular order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// A catalog of nothing but this table and the tables that it is a partition of.
    pub(super) fn only(&self, name: &TableName) -> Catalog {
        let mut catalog = Catalog::default();
        let mut current = name;
        for _ in 0..=DEEPEST {
            if let Some(table) = self.tables.get(current) {
                catalog.add(table.clone());
            }
            if let Some(defaults) = self.defaults.get(current) {
                catalog.defaults.insert(current.clone(), defaults.clone());
            }
            if let Some(generated) = self.generated.get(current) {
                catalog.generated.insert(current.clone(), generated.clone());
            }
            let Some(parent) = self.parents.get(current) else {
                break;
            };
            catalog.attach(current.clone(), parent.clone());
            current = parent;
        }
        catalog
    }

    /// The table that a table's rows belong to: the root of its partition tree, or itself.
    pub fn root<'a>(&'a self, name: &'a TableName) -> &'a TableName {
        let mut current = name;
        // A hostile dump may attach tables in a circle.
        for _ in 0..=DEEPEST {
            match self.parents.get(current) {
                Some(parent) => current = parent,
                None => return current,
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_belong_to_the_root_of_a_partition_tree() {
        let mut catalog = Catalog::default();
        let [leaf, middle, root] = ["leaf", "middle", "root"].map(TableName::public);
        catalog.attach(leaf.clone(), middle.clone());
        catalog.attach(middle.clone(), root.clone());
        for name in [&leaf, &middle, &root] {
            assert_eq!(catalog.root(name), &root);
        }
    }

    #[test]
    fn a_chain_of_partitions_that_is_too_long_is_not_followed() {
        let mut catalog = Catalog::default();
        let name = |level: usize| TableName::public(format!("t{level}"));
        for level in 0..200 {
            catalog.attach(name(level), name(level + 1));
        }
        assert_eq!(catalog.root(&name(0)), &name(0));
        assert_eq!(catalog.root(&name(140)), &name(200));
    }

    #[test]
    fn tables_attached_in_a_circle_have_no_root_but_themselves() {
        let mut catalog = Catalog::default();
        let [one, two] = ["one", "two"].map(TableName::public);
        catalog.attach(one.clone(), two.clone());
        catalog.attach(two.clone(), one.clone());
        assert_eq!(catalog.root(&one), &one);
    }
}
