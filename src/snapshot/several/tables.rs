//! Several databases whose tables are opened one by one: each table is opened in the one that owns it.

use std::sync::Arc;

use super::Databases;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::ownership::{Ownership, unite_holdings};
use crate::snapshot::source::{TablePart, TableSource};
use crate::snapshot::table_name::TableName;

impl Databases<dyn TableSource> {
    /// # Errors
    /// Two databases have parts of the same name.
    pub(in crate::snapshot) fn new(
        sources: Vec<Box<dyn TableSource>>,
        names: &[String],
        ownership: Ownership,
    ) -> Result<Self, SnapshotError> {
        Databases::unite(
            sources,
            names,
            ownership,
            <dyn TableSource>::catalog,
            <dyn TableSource>::facts,
        )
    }
}

impl TableSource for Databases<dyn TableSource> {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.facts.clone()
    }

    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        let owner = self.ownership.owner(table);
        let parts = self.sources[owner].parts(table).into_iter();
        parts
            // The number says which database's it is, too.
            .map(|part| TablePart {
                index: part.index * self.sources.len() + owner,
                ..part
            })
            .collect()
    }

    fn holdings(&self) -> Holdings {
        let sources = self.sources.iter().enumerate();
        unite_holdings(
            sources.map(|(database, source)| {
                self.ownership.own_holdings(database, &source.holdings())
            }),
        )
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let count = self.sources.len();
        let own = TablePart {
            index: part.index / count,
            ..part.clone()
        };
        self.sources[part.index % count].read(&own, sink)
    }
}
