//! Which of several databases each table is taken from.
//!
//! Some applications spread their tables over databases that all define all of them. A table that belongs to another
//! database may then hold rows that are out of date, so nothing in a database shows that a table is its own: somebody has
//! to say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::snapshot::table_name::TableName;

/// What messages call the database that every table belongs to of which nothing is said.
pub const MAIN_DATABASE: &str = "main";

/// Which tables belong to another database than the main one. Partitions, and tables that inherit, follow those above
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    tables: BTreeMap<TableName, String>,
    /// All databases of which something is said, also that no table of them is read.
    names: BTreeSet<String>,
}

/// A table that is said to belong to two databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoDatabases {
    pub table: TableName,
    pub databases: [String; 2],
}

impl fmt::Display for TwoDatabases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.databases;
        write!(
            f,
            "table {} is said to belong to database {one} and to database {other}",
            self.table
        )
    }
}

impl std::error::Error for TwoDatabases {}

impl Routing {
    /// Notes that a database is known.
    pub fn know(&mut self, database: &str) {
        self.names.insert(database.to_owned());
    }

    /// Notes that a table belongs to a database.
    ///
    /// # Errors
    /// It belongs to another one already.
    pub fn add(&mut self, table: TableName, database: &str) -> Result<(), TwoDatabases> {
        self.know(database);
        match self.tables.get(&table) {
            Some(other) if other != database => Err(TwoDatabases {
                databases: [other.clone(), database.to_owned()],
                table,
            }),
            Some(_) => Ok(()),
            None => {
                self.tables.insert(table, database.to_owned());
                Ok(())
            }
        }
    }

    /// Takes in what another routing says.
    ///
    /// # Errors
    /// The two contradict each other.
    pub fn merge(&mut self, other: &Routing) -> Result<(), TwoDatabases> {
        self.names.extend(other.names.iter().cloned());
        other
            .tables
            .iter()
            .try_for_each(|(table, database)| self.add(table.clone(), database))
    }

    /// True for a database of which something is said.
    pub fn knows(&self, database: &str) -> bool {
        self.names.contains(database)
    }

    /// The databases that tables belong to, by name.
    pub fn databases(&self) -> BTreeSet<&str> {
        self.tables.values().map(String::as_str).collect()
    }

    /// The database that a table is said to belong to.
    pub(super) fn of(&self, table: &TableName) -> Option<&str> {
        self.tables.get(table).map(String::as_str)
    }

    /// The tables that are said to belong to a database, by name.
    pub fn tables_of(&self, database: &str) -> impl Iterator<Item = &TableName> {
        let of = self
            .tables
            .iter()
            .filter(move |(_, other)| *other == database);
        of.map(|(table, _)| table)
    }

    /// Only what is said of these databases: the tables of all others are the main one's.
    pub(super) fn only(&self, databases: &[&str]) -> Routing {
        let is_one = |name: &String| databases.contains(&name.as_str());
        Routing {
            tables: self
                .tables
                .iter()
                .filter(|(_, database)| is_one(database))
                .map(|(table, database)| (table.clone(), database.clone()))
                .collect(),
            names: self
                .names
                .iter()
                .filter(|name| is_one(name))
                .cloned()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(tables: &[(&str, &str)]) -> Routing {
        let mut routing = Routing::default();
        for (table, database) in tables {
            routing.add(TableName::public(*table), database).unwrap();
        }
        routing
    }

    #[test]
    fn two_routings_are_one_unless_they_contradict() {
        let mut one = routing(&[("builds", "ci"), ("stages", "ci")]);
        one.merge(&routing(&[("builds", "ci"), ("findings", "sec")]))
            .unwrap();
        assert_eq!(
            one,
            routing(&[("builds", "ci"), ("stages", "ci"), ("findings", "sec")])
        );
        let error = one.merge(&routing(&[("builds", "sec")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "table builds is said to belong to database ci and to database sec"
        );
    }

    #[test]
    fn tables_of_databases_that_are_not_there_are_the_main_ones() {
        let mut all = routing(&[("builds", "ci"), ("findings", "sec")]);
        all.know("embedding");
        assert!(all.knows("embedding"));
        assert_eq!(all.databases(), BTreeSet::from(["ci", "sec"]));
        let only = all.only(&["ci"]);
        assert_eq!(only.of(&TableName::public("builds")), Some("ci"));
        assert_eq!(only.of(&TableName::public("findings")), None);
        assert_eq!(only.of(&TableName::public("notes")), None);
    }
}
