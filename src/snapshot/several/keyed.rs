//! Several databases that are asked: each question goes to the one that owns its table. No question is of two tables.

use std::sync::Arc;

use super::Databases;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts, TableSize};
use crate::snapshot::keyed::{Ending, KeyedSource, Query};
use crate::snapshot::ownership::{Ownership, unite_holdings};
use crate::snapshot::table_name::TableName;

impl Databases<dyn KeyedSource> {
    /// # Errors
    /// Two databases have parts of the same name.
    pub(in crate::snapshot) fn new(
        sources: Vec<Box<dyn KeyedSource>>,
        names: &[String],
        ownership: Ownership,
    ) -> Result<Self, SnapshotError> {
        Databases::unite(
            sources,
            names,
            ownership,
            <dyn KeyedSource>::catalog,
            <dyn KeyedSource>::facts,
        )
    }

    fn source(&self, table: &TableName) -> &dyn KeyedSource {
        &*self.sources[self.ownership.owner(table)]
    }
}

impl KeyedSource for Databases<dyn KeyedSource> {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.facts.clone()
    }

    fn holdings(&self) -> Holdings {
        let sources = self.sources.iter().enumerate();
        let own = sources
            .map(|(database, source)| self.ownership.own_holdings(database, &source.holdings()));
        unite_holdings(own)
    }

    fn connections(&self) -> usize {
        // Any number of questions may be for the same one.
        let connections = self.sources.iter().map(|source| source.connections());
        connections.min().unwrap_or(1)
    }

    fn estimate(&self, table: &TableName) -> Option<TableSize> {
        self.source(table).estimate(table)
    }

    fn is_indexed(&self, table: &TableName, column: &str, known: &[&str]) -> bool {
        self.source(table).is_indexed(table, column, known)
    }

    fn read(&self, query: &Query<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        self.source(query.table).read(query, sink)
    }

    fn ending(&self) -> Option<Ending> {
        let endings = self.sources.iter().filter_map(|source| source.ending());
        let mut endings: Vec<Ending> = endings.collect();
        (!endings.is_empty()).then(|| Ending::new(move || endings.clear()))
    }
}
