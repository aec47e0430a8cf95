//! Sets of keys, which decide whether a row is kept.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::key::IndexKey;

/// A set of keys that hashes fast. Keys come from our own indexes, so no defence against chosen
/// collisions is needed; a fixed seed keeps runs comparable.
type Set<K> = HashSet<K, FixedState>;

/// The keys of a slot while more may come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenKeys {
    pub integers: Set<i64>,
    pub wide: Set<u128>,
}

impl OpenKeys {
    /// Adds a key; true if it was not there.
    pub fn insert(&mut self, key: IndexKey) -> bool {
        match key {
            IndexKey::Integer(key) => self.integers.insert(key),
            IndexKey::Wide(key) => self.wide.insert(key),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = IndexKey> + '_ {
        let integers = self.integers.iter().copied().map(IndexKey::Integer);
        integers.chain(self.wide.iter().copied().map(IndexKey::Wide))
    }
}

impl FromIterator<IndexKey> for OpenKeys {
    fn from_iter<Keys: IntoIterator<Item = IndexKey>>(keys: Keys) -> Self {
        let mut open = OpenKeys::default();
        for key in keys {
            open.insert(key);
        }
        open
    }
}

/// The keys that a hop looks for.
#[derive(Debug, Clone)]
pub enum KeySet {
    /// Every key: all entities are wanted, or the wanted one is not known yet.
    Any,
    /// Keys of a slot whose keys are integers.
    Integers(Set<i64>),
    /// Keys of another slot.
    Wide(Set<u128>),
}

impl KeySet {
    /// These keys, of a slot whose keys are integers, or are not.
    pub fn of(keys: OpenKeys, are_integers: bool) -> KeySet {
        match are_integers {
            true => KeySet::Integers(keys.integers),
            false => KeySet::Wide(keys.wide),
        }
    }

    #[inline]
    pub fn contains(&self, key: IndexKey) -> bool {
        match (self, key) {
            (KeySet::Any, _) => true,
            (KeySet::Integers(keys), IndexKey::Integer(key)) => keys.contains(&key),
            (KeySet::Wide(keys), IndexKey::Wide(key)) => keys.contains(&key),
            // A slot's keys are all of one kind, and so are those that are looked for in it.
            (KeySet::Integers(_), IndexKey::Wide(_)) | (KeySet::Wide(_), IndexKey::Integer(_)) => {
                false
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            KeySet::Any => false,
            KeySet::Integers(keys) => keys.is_empty(),
            KeySet::Wide(keys) => keys.is_empty(),
        }
    }
}
