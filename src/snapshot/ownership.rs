//! One catalog out of those of several databases: each table is defined, and has its rows, in one of them alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::routing::{MAIN_DATABASE, Routing};
use crate::snapshot::stated_keys::StatedKeys;
use crate::snapshot::table_name::TableName;

/// A database, by its position; the main one is the first.
pub(crate) type DatabaseIndex = usize;

/// The main database.
pub(crate) const MAIN: DatabaseIndex = 0;

/// Which of the databases of a snapshot owns each table.
///
/// A table that the routing names belongs where the routing says. Any other one belongs to the nearest table above it
/// that does, as each database's own catalog has it, and else to the main database. So a partition that the main
/// database has attached no more, or not yet, is still the other database's.
pub(crate) struct Ownership {
    /// The names of all databases but the main one.
    others: Vec<String>,
    routing: Routing,
    /// The owners of all tables that are defined, once all catalogs are known.
    owners: OnceLock<HashMap<TableName, DatabaseIndex>>,
}

impl Ownership {
    /// Of a main database and others.
    pub(crate) fn new(others: Vec<String>, routing: &Routing) -> Self {
        let names: Vec<&str> = others.iter().map(String::as_str).collect();
        Ownership {
            routing: routing.only(&names),
            others,
            owners: OnceLock::new(),
        }
    }

    /// What messages call a database.
    pub(crate) fn name(&self, database: DatabaseIndex) -> &str {
        match database.checked_sub(1) {
            None => MAIN_DATABASE,
            Some(other) => &self.others[other],
        }
    }

    fn named(&self, table: &TableName) -> Option<DatabaseIndex> {
        let name = self.routing.of(table)?;
        let position = self.others.iter().position(|other| other == name)?;
        Some(position + 1)
    }

    /// True where a table is, or may still turn out to be, a database's own.
    pub(crate) fn may_own(&self, database: DatabaseIndex, table: &TableName) -> bool {
        match (self.named(table), self.owners.get()) {
            (Some(owner), _) => owner == database,
            (None, Some(_)) => self.owns(database, table),
            (None, None) => true,
        }
    }

    /// True for the database that a table is taken from, once the catalogs are known.
    pub(crate) fn owns(&self, database: DatabaseIndex, table: &TableName) -> bool {
        self.owner(table) == database
    }

    /// The database that a table is taken from, once the catalogs are known.
    pub(crate) fn owner(&self, table: &TableName) -> DatabaseIndex {
        let known = self.owners.get().and_then(|owners| owners.get(table));
        known.copied().or_else(|| self.named(table)).unwrap_or(MAIN)
    }

    /// Unites the catalogs of all databases, in their order. `None` is one that cannot be read: its tables are taken to be
    /// those that the main one defines of them.
    ///
    /// # Errors
    /// Two databases both have a table of which nothing is said, below tables of their own.
    pub(crate) fn unite(&self, catalogs: &[Option<&Catalog>]) -> Result<Catalog, SnapshotError> {
        let mut owners = HashMap::new();
        for (database, catalog) in catalogs.iter().enumerate().skip(1) {
            let Some(catalog) = catalog else { continue };
            for table in catalog.tables() {
                let owner = self.nearest(catalog, &table.name, |above| self.named(above));
                if owner != Some(database) {
                    continue;
                }
                if let Some(other) = owners.insert(table.name.clone(), database) {
                    return Err(self.two_owners(&table.name, other, database));
                }
            }
        }
        let main = catalogs.first().copied().flatten();
        if let Some(main) = main {
            for table in main.tables() {
                let above = |above: &TableName| {
                    let known = owners.get(above).copied();
                    self.named(above).or(known)
                };
                let owner = self.nearest(main, &table.name, above).unwrap_or(MAIN);
                owners.entry(table.name.clone()).or_insert(owner);
            }
        }
        let mut united = Catalog::default();
        for (database, catalog) in catalogs.iter().enumerate() {
            let is_own = |table: &TableName| owners.get(table) == Some(&database);
            if let Some(catalog) = catalog.or(main) {
                united.take_from(catalog, &is_own);
            }
        }
        // Nobody unites the same catalogs twice.
        let _ = self.owners.set(owners);
        Ok(united)
    }

    /// What is said of a table, or of the nearest one above it of which something is said.
    fn nearest(
        &self,
        catalog: &Catalog,
        table: &TableName,
        owner: impl Fn(&TableName) -> Option<DatabaseIndex>,
    ) -> Option<DatabaseIndex> {
        catalog.holders(table).iter().find_map(owner)
    }

    fn two_owners(
        &self,
        table: &TableName,
        one: DatabaseIndex,
        other: DatabaseIndex,
    ) -> SnapshotError {
        SnapshotError::Unsupported {
            what: format!("table {table}"),
            reason: format!(
                "databases {} and {} both have it as a part of a table of their own; \
                 say in the pipeline, under databases, which one it belongs to",
                self.name(one),
                self.name(other)
            ),
        }
    }

    /// The tables that each database owns, once the catalogs are known.
    pub(crate) fn tables(&self, database: DatabaseIndex) -> BTreeSet<TableName> {
        let owners = self.owners.get().into_iter().flatten();
        let own = owners.filter(|(_, owner)| **owner == database);
        own.map(|(table, _)| table.clone()).collect()
    }

    /// Unites the keys that databases state, each those of its own tables.
    pub(crate) fn unite_keys<'k>(
        &self,
        keys: impl Iterator<Item = (DatabaseIndex, &'k StatedKeys)>,
    ) -> StatedKeys {
        let mut united = StatedKeys::default();
        for (database, keys) in keys {
            united.take_from(keys, &|table| self.owns(database, table));
        }
        united
    }

    /// What of a database's holdings concerns its own tables. Its warnings say whose they are.
    pub(crate) fn own_holdings(&self, database: DatabaseIndex, holdings: &Holdings) -> Holdings {
        let own = |tables: &[TableName]| {
            let own = tables.iter().filter(|table| self.owns(database, table));
            own.cloned().collect()
        };
        Holdings {
            without_data: own(&holdings.without_data),
            undivided: {
                let pairs = holdings.undivided.iter();
                let own = pairs.filter(|(partition, _)| self.owns(database, partition));
                own.cloned().collect()
            },
            undefined: own(&holdings.undefined),
            warnings: self.own_warnings(database, &holdings.warnings),
        }
    }

    /// A database's warnings, which say whose they are.
    pub(crate) fn own_warnings(&self, database: DatabaseIndex, warnings: &[String]) -> Vec<String> {
        let said = |warning: &String| match database {
            MAIN => warning.clone(),
            other => format!("database {}: {warning}", self.name(other)),
        };
        warnings.iter().map(said).collect()
    }
}

/// Puts the holdings of several databases together.
pub(crate) fn unite_holdings(holdings: impl IntoIterator<Item = Holdings>) -> Holdings {
    let mut united = Holdings::default();
    for one in holdings {
        united.without_data.extend(one.without_data);
        united.undivided.extend(one.undivided);
        united.undefined.extend(one.undefined);
        united.warnings.extend(one.warnings);
    }
    united.without_data.sort();
    united.undivided.sort();
    united.undefined.sort();
    united
}

/// What all databases say of themselves: what the main one does, and the warnings of all. If they are `snapshots` of their
/// own, which the user calls so, also when each was taken.
pub(crate) fn unite_facts(
    ownership: &Ownership,
    facts: &[SnapshotFacts],
    snapshots: Option<&[String]>,
) -> SnapshotFacts {
    let mut united = facts.first().cloned().unwrap_or_default();
    for (database, facts) in facts.iter().enumerate().skip(1) {
        let warnings = ownership.own_warnings(database, &facts.warnings);
        united.warnings.extend(warnings);
    }
    if let Some(snapshots) = snapshots {
        let instants = facts.iter().zip(snapshots).enumerate();
        let instants: Vec<String> = instants
            .map(|(database, (facts, snapshot))| {
                let name = ownership.name(database);
                match &facts.taken_at {
                    Some(instant) => format!("{name} ({snapshot}) at {instant}"),
                    None => format!("{name} ({snapshot}) at a time that it does not say"),
                }
            })
            .collect();
        let warning = format!(
            "the databases are not of one instant, so rows of one may miss rows of another: {}",
            instants.join(", ")
        );
        tracing::warn!("{warning}");
        united.warnings.push(warning);
    }
    united
}

#[cfg(test)]
mod tests;
