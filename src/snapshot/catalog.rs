//! The catalog: which tables a snapshot has, their columns and types, and how partitions and tables that inherit hang
//! together.

mod column_set;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use column_set::ColumnSet;

use crate::snapshot::facts::Holdings;
use crate::snapshot::sql_type::SqlType;
use crate::snapshot::stated_keys::StatedKeys;
use crate::snapshot::table_name::TableName;

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

/// Tables above a table that are followed. Real ones have two or three; a hostile dump might make so many that
/// finding those of every table would take hours.
const MOST_ABOVE: usize = 64;

/// Why the rows of a table are those of another one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    Partition,
    Inheritance,
}

/// The tables of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: HashMap<TableName, Table>,
    /// The tables right above a table. Only tables that inherit have several.
    parents: HashMap<TableName, Vec<(TableName, Belonging)>>,
    /// The tables right below a table.
    children: HashMap<TableName, Vec<TableName>>,
    generated: ColumnSet,
    /// Columns that the database fills in where a row has no value of them.
    defaults: ColumnSet,
    /// Columns that are stated to be NOT NULL.
    not_null: ColumnSet,
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

    /// Notes that the rows of `child` are rows of `parent`, too.
    pub(super) fn attach(&mut self, child: TableName, parent: TableName, belonging: Belonging) {
        let parents = self.parents.entry(child.clone()).or_default();
        if !parents.iter().any(|(other, _)| *other == parent) {
            parents.push((parent.clone(), belonging));
            self.children.entry(parent).or_default().push(child);
        }
    }

    /// Notes that the rows of `child` are not those of `parent` any more.
    pub(super) fn detach(&mut self, child: &TableName, parent: &TableName) {
        if let Some(parents) = self.parents.get_mut(child) {
            parents.retain(|(other, _)| other != parent);
        }
        if let Some(children) = self.children.get_mut(parent) {
            children.retain(|other| other != child);
        }
    }

    /// Notes that a column is computed from others, so that dumps hold no values of it.
    pub fn set_generated(&mut self, table: TableName, column: String) {
        self.generated.set(&table, &column, true);
    }

    /// True for a column that is computed from others (`GENERATED ALWAYS AS (…)`).
    pub fn is_generated(&self, table: &TableName, column: &str) -> bool {
        self.generated.has(table, column)
    }

    /// The catalog without columns that are computed from others, but for those for which `stays` is true.
    pub fn without_generated(&self, stays: impl Fn(&TableName, &str) -> bool) -> Catalog {
        let mut catalog = self.clone();
        for (name, table) in &mut catalog.tables {
            table.columns.retain(|column| {
                !self.is_generated(name, &column.name) || stays(name, &column.name)
            });
        }
        catalog
    }

    /// Notes that a column is not computed from others any more.
    pub(super) fn set_stored(&mut self, table: &TableName, column: &str) {
        self.generated.set(table, column, false);
    }

    /// Notes whether the database fills a column in where a row has no value of it.
    pub(super) fn set_default(&mut self, table: &TableName, column: &str, filled: bool) {
        self.defaults.set(table, column, filled);
    }

    /// True for a column that the database fills in where a row has no value of it: it has a default that is not NULL.
    pub fn has_default(&self, table: &TableName, column: &str) -> bool {
        self.defaults.has(table, column)
    }

    /// Notes whether a column is NOT NULL.
    pub(super) fn set_not_null(&mut self, table: &TableName, column: &str, not_null: bool) {
        self.not_null.set(table, column, not_null);
    }

    /// True for a column that is stated to be NOT NULL, or is a part of the primary key.
    pub fn is_not_null(&self, table: &TableName, column: &str) -> bool {
        let primary = self.keys.primary(table).unwrap_or_default();
        self.not_null.has(table, column) || primary.iter().any(|other| other == column)
    }

    fn column_sets(&mut self) -> [&mut ColumnSet; 3] {
        [&mut self.generated, &mut self.defaults, &mut self.not_null]
    }

    /// Forgets a table.
    pub(super) fn remove(&mut self, name: &TableName) {
        self.tables.remove(name);
        for (parent, _) in self.parents.remove(name).unwrap_or_default() {
            self.children
                .entry(parent)
                .or_default()
                .retain(|child| child != name);
        }
        for child in self.children.remove(name).unwrap_or_default() {
            self.detach(&child, name);
        }
        for columns in self.column_sets() {
            columns.drop_table(name);
        }
        self.written_types.remove(name);
        self.keys.drop_table(name);
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
        for (parent, belonging) in self.parents.remove(old).unwrap_or_default() {
            self.children
                .entry(parent.clone())
                .or_default()
                .retain(|child| child != old);
            self.attach(new.clone(), parent, belonging);
        }
        for child in self.children.remove(old).unwrap_or_default() {
            for (parent, _) in self.parents.entry(child.clone()).or_default() {
                if parent == old {
                    parent.clone_from(&new);
                }
            }
            self.children.entry(new.clone()).or_default().push(child);
        }
        self.keys.rename_table(old, &new);
        for columns in self.column_sets() {
            columns.rename_table(old, &new);
        }
        if let Some(types) = self.written_types.remove(old) {
            self.written_types.insert(new, types);
        }
    }

    /// Forgets a column of a table and of those below it.
    pub(super) fn drop_column(&mut self, name: &TableName, column: &str) {
        for table in self.with_those_below(name) {
            if let Some(found) = self.tables.get_mut(&table) {
                found.columns.retain(|other| other.name != column);
            }
            for columns in self.column_sets() {
                columns.set(&table, column, false);
            }
            if let Some(types) = self.written_types.get_mut(&table) {
                types.remove(column);
            }
            self.keys.drop_column(&table, column);
        }
    }

    /// Gives a column of a table and of those below it another name.
    pub(super) fn rename_column(&mut self, name: &TableName, old: &str, new: &str) {
        for table in self.with_those_below(name) {
            let Some(found) = self.tables.get_mut(&table) else {
                continue;
            };
            if found.column(new).is_some() {
                continue;
            }
            for column in found.columns.iter_mut().filter(|column| column.name == old) {
                column.name = new.to_owned();
            }
            for columns in self.column_sets() {
                columns.rename_column(&table, old, new);
            }
            if let Some(types) = self.written_types.get_mut(&table)
                && let Some(sql) = types.remove(old)
            {
                types.insert(new.to_owned(), sql);
            }
            self.keys.rename_column(&table, old, new);
        }
    }

    /// Gives a column of a table and of those below it another type.
    pub(super) fn set_type(
        &mut self,
        name: &TableName,
        column: &str,
        sql_type: SqlType,
        written: Option<Arc<str>>,
    ) {
        for table in self.with_those_below(name) {
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

    /// A table, and those below it, whose columns are its own.
    fn with_those_below(&self, name: &TableName) -> Vec<TableName> {
        let mut tables = vec![name.clone()];
        tables.extend(self.descendants(name));
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

    /// An enum's labels.
    pub(super) fn enum_mut(&mut self, name: &TableName) -> Option<&mut Vec<String>> {
        self.enums.get_mut(name)
    }

    pub(super) fn rename_enum(&mut self, name: &TableName, new: TableName) {
        if let Some(labels) = self.enums.remove(name) {
            self.enums.insert(new, labels);
        }
    }

    /// The enums and their labels, by name.
    pub fn enums(&self) -> impl Iterator<Item = (&TableName, &[String])> {
        self.enums
            .iter()
            .map(|(name, labels)| (name, labels.as_slice()))
    }

    /// True for a type that is an enum which the snapshot defines.
    pub fn is_enum(&self, sql_type: &SqlType) -> bool {
        matches!(sql_type, SqlType::Other(_))
            && self
                .enums
                .keys()
                .any(|name| SqlType::of_name(name) == *sql_type)
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

    /// Primary keys, unique constraints and foreign keys, as far as the snapshot has stated them. A stream states most of
    /// them behind its rows.
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

    /// A catalog of nothing but this table and the tables that its rows belong to.
    pub(super) fn only(&self, name: &TableName) -> Catalog {
        let mut catalog = Catalog::default();
        for name in self.holders(name) {
            if let Some(table) = self.tables.get(&name) {
                catalog.add(table.clone());
            }
            catalog.defaults.take_from(&self.defaults, &name);
            catalog.generated.take_from(&self.generated, &name);
            for (parent, belonging) in self.parents_of(&name) {
                catalog.attach(name.clone(), parent.clone(), *belonging);
            }
        }
        catalog
    }

    /// Takes over the tables of another catalog for which `is_own` is true, with all that it knows of them, and its enums.
    /// Of the tables above and below them only those come, too.
    pub(super) fn take_from(&mut self, other: &Catalog, is_own: &dyn Fn(&TableName) -> bool) {
        let mut names: Vec<&TableName> = other.tables.keys().filter(|name| is_own(name)).collect();
        // Children are told in this order, too.
        names.sort();
        for name in names {
            if let Some(table) = other.tables.get(name) {
                self.add(table.clone());
            }
            for (columns, theirs) in self.column_sets().into_iter().zip(other.all_column_sets()) {
                columns.take_from(theirs, name);
            }
            if let Some(types) = other.written_types.get(name) {
                self.written_types.insert(name.clone(), types.clone());
            }
            for (parent, belonging) in other.parents_of(name) {
                if is_own(parent) {
                    self.attach(name.clone(), parent.clone(), *belonging);
                }
            }
        }
        for (name, labels) in &other.enums {
            let labels = labels.clone();
            self.enums.entry(name.clone()).or_insert(labels);
        }
        self.keys.take_from(&other.keys, is_own);
    }

    fn all_column_sets(&self) -> [&ColumnSet; 3] {
        [&self.generated, &self.defaults, &self.not_null]
    }

    fn parents_of(&self, name: &TableName) -> &[(TableName, Belonging)] {
        self.parents.get(name).map_or(&[], Vec::as_slice)
    }

    /// A column that rows have and the definition of their table lacks: a server would refuse them, so one of the two is
    /// damaged. Of a table that takes columns from another one, which need not be here, none is known.
    pub(super) fn undefined_column<'c>(
        &self,
        table: &TableName,
        columns: &'c [String],
    ) -> Option<&'c str> {
        let defined = self.tables.get(table)?;
        let is_undefined = |column: &&str| defined.column(column).is_none();
        match self.parents_of(table) {
            [] => columns.iter().map(String::as_str).find(is_undefined),
            _ => None,
        }
    }

    /// Where the catalog and the tables of which a snapshot has data do not match. `has_data` is about the tables that
    /// the data itself names; data of a partitioned table is that of all its partitions.
    pub(super) fn holdings<'t>(
        &self,
        with_data: impl Iterator<Item = &'t TableName>,
        has_data: impl Fn(&TableName) -> bool,
    ) -> Holdings {
        let with_data: Vec<&TableName> = with_data.collect();
        let is_partitioned =
            |table: &TableName| self.tables.get(table).is_some_and(|it| it.partitioned);
        let is_whole = |table: &TableName| has_data(table) && is_partitioned(table);
        let is_there =
            |table: &TableName| has_data(table) || self.holders(table).iter().any(is_whole);
        let whole = with_data.iter().filter(|table| is_partitioned(table));
        let mut undivided: Vec<(TableName, TableName)> = whole
            .flat_map(|whole| {
                let partitions = self.descendants(whole).into_iter();
                partitions.map(|partition| (partition, (*whole).clone()))
            })
            .collect();
        undivided.sort();
        undivided.dedup();
        // The rows of a partitioned table stand in its partitions. One of which the snapshot has none was dumped without
        // them: a table that has no partitions yet is nothing that a dump can tell apart.
        let tables = self.tables.values();
        let tables = tables.filter(|table| !table.partitioned || !self.has_children(&table.name));
        let mut without_data: Vec<TableName> = tables
            .map(|table| &table.name)
            .filter(|name| !is_there(name))
            .cloned()
            .collect();
        without_data.sort();
        let mut undefined: Vec<TableName> = with_data
            .into_iter()
            .filter(|name| !self.tables.contains_key(*name))
            .cloned()
            .collect();
        undefined.sort();
        undefined.dedup();
        Holdings {
            without_data,
            undefined,
            undivided,
            warnings: Vec::new(),
        }
    }

    /// The tables of which the rows that stand in a table are rows, as `SELECT` has it: the table itself, then those that it is
    /// a partition of or inherits from, near ones first.
    pub fn holders(&self, name: &TableName) -> Vec<TableName> {
        let mut holders = vec![name.clone()];
        let mut next = 0;
        // Tables may have several ways up to one, and a hostile dump may attach them in a circle.
        while next < holders.len() && holders.len() < MOST_ABOVE {
            for (parent, _) in self.parents_of(&holders[next]) {
                if !holders.contains(parent) {
                    holders.push(parent.clone());
                }
            }
            next += 1;
        }
        holders
    }

    /// True for a partition of a table, or of a partition of it.
    pub(super) fn is_partition_below(&self, name: &TableName, table: &TableName) -> bool {
        name != table && self.is_partition(name) && self.holders(name).contains(table)
    }

    /// True for a partition, whose rows one thinks of as its root's.
    pub fn is_partition(&self, name: &TableName) -> bool {
        let mut parents = self.parents_of(name).iter();
        parents.any(|(_, belonging)| *belonging == Belonging::Partition)
    }

    /// True where rows of a table may stand in other tables: its partitions, or those that inherit from it.
    pub fn has_children(&self, name: &TableName) -> bool {
        self.children
            .get(name)
            .is_some_and(|children| !children.is_empty())
    }

    /// The tables below a table, those right below first.
    pub fn descendants(&self, name: &TableName) -> Vec<TableName> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([name]);
        let mut next = self
            .children
            .get(name)
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        while !next.is_empty() {
            next.retain(|child| seen.insert(child));
            found.extend(next.iter().map(|child| (*child).clone()));
            next = next
                .into_iter()
                .filter_map(|child| self.children.get(child))
                .flatten()
                .collect();
        }
        found
    }

    /// A table with all columns that the data of its rows may have: behind its own those that only tables below it have.
    pub fn with_columns_below(&self, name: &TableName) -> Option<Cow<'_, Table>> {
        let table = self.tables.get(name)?;
        let below = self.descendants(name);
        if below.is_empty() {
            return Some(Cow::Borrowed(table));
        }
        let mut table = table.clone();
        let mut names: HashSet<&str> = HashSet::new();
        names.extend(
            self.tables[name]
                .columns
                .iter()
                .map(|column| column.name.as_str()),
        );
        let columns = below
            .iter()
            .filter_map(|child| self.tables.get(child))
            .flat_map(|child| &child.columns);
        for column in columns {
            if names.insert(&column.name) {
                table.columns.push(column.clone());
            }
        }
        Some(Cow::Owned(table))
    }
}

#[cfg(test)]
mod tests;
