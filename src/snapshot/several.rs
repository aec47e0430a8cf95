//! Snapshots of several databases as one, where each can be asked or opened by itself. Streams become one stream in
//! [`kind::plain`](crate::snapshot::kind::plain).

mod keyed;
mod tables;

use std::sync::Arc;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::SnapshotFacts;
use crate::snapshot::keyed::KeyedSource;
use crate::snapshot::ownership::{Ownership, unite_facts};
use crate::snapshot::source::TableSource;

/// Databases that are asked by keys.
pub(super) type KeyedDatabases = Databases<dyn KeyedSource>;
/// Databases whose tables are opened one by one.
pub(super) type TableDatabases = Databases<dyn TableSource>;

/// Databases, the main one first.
pub(super) struct Databases<S: ?Sized> {
    sources: Vec<Box<S>>,
    ownership: Ownership,
    catalog: Arc<Catalog>,
    facts: SnapshotFacts,
}

impl<S: ?Sized> Databases<S> {
    /// # Errors
    /// Two databases have parts of the same name.
    fn unite(
        sources: Vec<Box<S>>,
        names: &[String],
        ownership: Ownership,
        catalog: impl Fn(&S) -> Arc<Catalog>,
        facts: impl Fn(&S) -> SnapshotFacts,
    ) -> Result<Self, SnapshotError> {
        let known: Vec<Arc<Catalog>> = sources.iter().map(|source| catalog(source)).collect();
        let known: Vec<Option<&Catalog>> = known.iter().map(|catalog| Some(&**catalog)).collect();
        let catalog = Arc::new(ownership.unite(&known)?);
        let facts: Vec<SnapshotFacts> = sources.iter().map(|source| facts(source)).collect();
        Ok(Databases {
            facts: unite_facts(&ownership, &facts, Some(names)),
            catalog,
            ownership,
            sources,
        })
    }
}
