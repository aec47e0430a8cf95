//! Sets of integer keys: what decides whether a row is kept.

use std::collections::HashSet;

use foldhash::fast::FixedState;

/// A set of keys that hashes fast. Keys come from our own indexes, so no defence against chosen
/// collisions is needed; a fixed seed keeps runs comparable.
pub type Keys = HashSet<i64, FixedState>;

/// The keys that a hop looks for.
#[derive(Debug, Clone)]
pub enum KeySet {
    /// Every key: all entities are wanted, or the wanted one is not known yet.
    Any,
    Only(Keys),
}

impl KeySet {
    pub fn contains(&self, key: i64) -> bool {
        match self {
            KeySet::Any => true,
            KeySet::Only(keys) => keys.contains(&key),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            KeySet::Any => false,
            KeySet::Only(keys) => keys.is_empty(),
        }
    }
}
