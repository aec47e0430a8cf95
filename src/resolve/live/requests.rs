//! What is to be fetched: relations, of whom, and by which keys.

use crate::pipeline::EntityId;
use crate::resolve::keys::{Key, KeyShape, entity_key};
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
    /// The keys for a top-level [`Reach`](crate::resolve::Reach), which become keys by this shape.
    pub(super) fn keys(&self, from: &ReachedFrom, shape: &KeyShape) -> Vec<Key> {
        let of_entity = |id: &EntityId| entity_key(shape, id).into_iter().collect();
        match (&self.keys, from) {
            (_, ReachedFrom::Everything) => vec![Key::Integer(0)],
            (TopKeys::Collected(keys), _) => keys.clone(),
            (TopKeys::Entity { key, .. }, ReachedFrom::EntityKey) => of_entity(key),
            (TopKeys::Entity { root, .. }, ReachedFrom::EntityRoot) => of_entity(root),
            // There is no row above a top-level one.
            (TopKeys::Entity { .. }, ReachedFrom::Columns(_) | ReachedFrom::Collected) => {
                Vec::new()
            }
        }
    }
}
