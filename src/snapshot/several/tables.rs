//! Several databases whose tables are opened one by one: each table is opened in the one that owns it.

use std::sync::Arc;

use super::catalogs;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::ownership::{Ownership, unite_facts, unite_holdings};
use crate::snapshot::source::{TablePart, TableSource};
use crate::snapshot::table_name::TableName;

/// Databases, the main one first.
pub(in crate::snapshot) struct TableDatabases {
    sources: Vec<Box<dyn TableSource>>,
    ownership: Ownership,
    catalog: Arc<Catalog>,
    facts: SnapshotFacts,
}

impl TableDatabases {
    /// # Errors
    /// Two databases have parts of the same name.
    pub(in crate::snapshot) fn new(
        sources: Vec<Box<dyn TableSource>>,
        names: &[String],
        ownership: Ownership,
    ) -> Result<Self, SnapshotError> {
        let known: Vec<Arc<Catalog>> = sources.iter().map(|source| source.catalog()).collect();
        let catalog = Arc::new(ownership.unite(&catalogs(&known))?);
        let facts: Vec<SnapshotFacts> = sources.iter().map(|source| source.facts()).collect();
        Ok(TableDatabases {
            facts: unite_facts(&ownership, &facts, Some(names)),
            catalog,
            ownership,
            sources,
        })
    }
}

impl TableSource for TableDatabases {
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
