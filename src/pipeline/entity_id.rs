//! The ids of entities.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of an entity, such as a group: its key in the entity table of the pipeline. Ids of entities of different
/// kinds may be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntityId(i64);

impl From<i64> for EntityId {
    fn from(id: i64) -> EntityId {
        EntityId(id)
    }
}

impl From<EntityId> for i64 {
    fn from(id: EntityId) -> i64 {
        id.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
