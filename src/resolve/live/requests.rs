//! What is to be fetched: relations, of whom, and by which keys.

use crate::resolve::plan::ReachedFrom;

/// A relation of some entities, to be fetched.
pub struct RelationRequest {
    /// Position in [`Plan::relations`](crate::resolve::Plan::relations).
    pub relation: usize,
    pub entities: Vec<EntityRequest>,
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
    Entity { key: i64, root: i64 },
    /// What the entity's records refer to.
    Collected(Vec<i64>),
}

impl EntityRequest {
    /// The keys for a top-level [`Reach`](crate::resolve::Reach).
    pub(super) fn keys(&self, from: &ReachedFrom) -> &[i64] {
        match (&self.keys, from) {
            (TopKeys::Collected(keys), _) => keys,
            (TopKeys::Entity { key, .. }, ReachedFrom::EntityKey) => std::slice::from_ref(key),
            (TopKeys::Entity { root, .. }, ReachedFrom::EntityRoot) => std::slice::from_ref(root),
            // There is no row above a top-level one.
            (TopKeys::Entity { .. }, ReachedFrom::Column(_)) => &[],
        }
    }
}
