//! The keys of entities, as rows are linked to them.

use crate::pipeline::EntityId;

use super::key::{IndexKey, Key};
use super::shape::KeyShape;

impl From<&EntityId> for Key {
    fn from(id: &EntityId) -> Key {
        match id {
            EntityId::Integer(value) => Key::Integer(*value),
            EntityId::Text(text) => Key::of(&[text.as_bytes()]),
        }
    }
}

/// The key of an entity, as columns that compare so are linked to it; `None` if none can be.
pub(in crate::resolve) fn entity_key(shape: &KeyShape, id: &EntityId) -> Option<Key> {
    shape.key(&Key::from(id).texts(1))
}

/// The key of an entity, as rows linked to it are found by; `None` if no column that compares so can hold it.
pub fn entity_index(shape: &KeyShape, id: &EntityId) -> Option<IndexKey> {
    shape.index(&entity_key(shape, id)?)
}
