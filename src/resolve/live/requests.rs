//! What is to be fetched: relations, of whom, and by which keys.

use crate::pipeline::EntityId;
use crate::resolve::keys::Key;
use crate::resolve::plan::ReachedFrom;

/// A relation of some entities, to be fetched.
pub struct RelationRequest {
    /// Position in [`Plan::relations`](crate::resolve::Plan::relations).
    pub relation: usize,
    pub entities: Vec<EntityRequest>,
    /// Top-level rows of a file; `None` where there is one file. Within it they are in the relation's order.
    pub batch_size: Option<usize>,
}

/// One of the entities whose top-level rows are to be fetched.
#[derive(Debug, Clone)]
pub struct EntityRequest {
    /// Position among the chosen entities.
    pub entity: usize,
    pub keys: TopKeys,
}

/// What top-level rows are found by.
#[derive(Debug, Clone)]
pub enum TopKeys {
    /// The entity's key, or the key of its root ancestor.
    Entity { key: EntityId, root: EntityId },
    /// What the entity's records refer to.
    Collected(Vec<Key>),
}

impl EntityRequest {
    /// The keys for a top-level [`Reach`](crate::resolve::Reach).
    pub(super) fn keys(&self, from: &ReachedFrom) -> Vec<Key> {
        match (&self.keys, from) {
            (_, ReachedFrom::Everything) => vec![Key::Integer(0)],
            (TopKeys::Collected(keys), _) => keys.clone(),
            (TopKeys::Entity { key, .. }, ReachedFrom::EntityKey) => vec![Key::from(key)],
            (TopKeys::Entity { root, .. }, ReachedFrom::EntityRoot) => vec![Key::from(root)],
            // There is no row above a top-level one.
            (TopKeys::Entity { .. }, ReachedFrom::Columns(_) | ReachedFrom::Collected) => {
                Vec::new()
            }
        }
    }
}
