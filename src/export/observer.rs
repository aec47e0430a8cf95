//! Who is told how far an export is.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::resolve::{IndexKey, PlanSource, ReachedFrom, Resolved, RowSource, entity_index};

use super::batches::BatchObserver;

/// Told how far an export is.
pub trait ExportObserver: BatchObserver {
    /// The snapshot is about to be read: so many bytes, and how many have been read so far.
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>);
    /// The data of a table goes by.
    fn table(&mut self, name: &str);
    /// The rows are found; rendering begins, of so many relations with so many top-level rows in all.
    fn writing(&mut self, expected: Expected);
}

/// What is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub relations: u64,
    /// `None` where it shows only as they are asked for.
    pub rows: Option<u64>,
}

/// Passes on what the batches tell to who watches the whole export.
pub(super) struct Relay<'a>(pub &'a mut dyn ExportObserver);

impl BatchObserver for Relay<'_> {
    fn relation(&mut self, entity: usize, relation: &str, rows: u64) {
        self.0.relation(entity, relation, rows);
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.0.rendered(entity, relation, rows, bytes);
    }
}

/// What will be written of the rows that were found.
pub(super) fn expected(resolved: &Resolved) -> Expected {
    let plan = &resolved.plan;
    let entities = 0..resolved.entities.len();
    let relations: usize = entities
        .map(|entity| resolved.relations_of(entity).len())
        .sum();
    let relations = relations as u64;
    let RowSource::Kept(store) = &resolved.rows else {
        return Expected {
            relations,
            rows: None,
        };
    };
    let mut rows = 0;
    for entity in &resolved.entities {
        for relation in &plan.relations[plan.relations_of(entity)] {
            let Ok(PlanSource::Rows(node)) = &relation.source else {
                continue;
            };
            // Of rows behind join tables those of the first one.
            let first = node.steps.first().map(|step| step.reach.as_slice());
            for reach in first.unwrap_or_default() {
                let key = match reach.from {
                    ReachedFrom::EntityKey => entity_index(&reach.shape, &entity.id),
                    ReachedFrom::EntityRoot => entity_index(&reach.shape, &entity.root),
                    ReachedFrom::Everything => Some(IndexKey::Integer(0)),
                    ReachedFrom::Collected | ReachedFrom::Columns(_) => None,
                };
                rows += key.map_or(0, |key| store.found(reach.hop, key).count()) as u64;
            }
        }
    }
    Expected {
        relations,
        rows: Some(rows),
    }
}
