//! Sets of keys, which decide whether a row is kept.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::key::IndexKey;

/// A set of keys that hashes fast. Keys come from our own indexes, so no defence against chosen
/// collisions is needed; a fixed seed keeps runs comparable.
type Set<K> = HashSet<K, FixedState>;

/// The keys of a slot while more may come.
#[derive(Debug, Clone, Default)]
pub struct OpenKeys {
    integers: Gathered,
    wide: Set<u128>,
}

impl OpenKeys {
    /// Adds keys that are integers, in order.
    pub fn add_integers(&mut self, keys: impl IntoIterator<Item = i64>) {
        self.integers.recent.extend(keys);
        if self.integers.recent.len() >= self.integers.distinct.len().max(GATHERED) {
            self.integers.put_in_order();
        }
    }

    /// Adds a key.
    pub fn insert(&mut self, key: IndexKey) {
        match key {
            IndexKey::Integer(key) => self.add_integers([key]),
            IndexKey::Wide(key) => {
                self.wide.insert(key);
            }
        }
    }

    /// All of them, each once.
    pub fn iter(&mut self) -> impl Iterator<Item = IndexKey> + '_ {
        self.integers.put_in_order();
        let integers = self.integers.distinct.iter();
        let integers = integers.copied().map(IndexKey::Integer);
        integers.chain(self.wide.iter().copied().map(IndexKey::Wide))
    }
}

/// Keys that came since the last time that all were put in order, at the least before that is done again.
const GATHERED: usize = 1 << 17;

/// Integers that are gathered, most of which are new, or came a moment ago. To put them in order from time to time costs
/// less than to look each up in a hash set, and what is in order is made a bitmap of in one go.
#[derive(Debug, Clone, Default)]
struct Gathered {
    /// In order.
    distinct: Vec<i64>,
    /// Some of which may be among the others, too.
    recent: Vec<i64>,
}

impl Gathered {
    fn put_in_order(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        self.distinct.append(&mut self.recent);
        // The sort that merges what is in order already: the keys of a block are, and ids mostly grow from block to block.
        self.distinct.sort();
        self.distinct.dedup();
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
    Integers(Integers),
    /// Keys of another slot.
    Wide(Set<u128>),
}

impl KeySet {
    /// These keys, of a slot whose keys are integers, or are not.
    pub fn of(mut keys: OpenKeys, are_integers: bool) -> KeySet {
        match are_integers {
            true => {
                keys.integers.put_in_order();
                KeySet::Integers(Integers::new(&keys.integers.distinct))
            }
            false => KeySet::Wide(keys.wide),
        }
    }

    #[inline]
    pub fn contains(&self, key: IndexKey) -> bool {
        match (self, key) {
            (KeySet::Any, _) => true,
            (KeySet::Integers(keys), IndexKey::Integer(key)) => keys.contains(key),
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
            KeySet::Integers(Integers::Scattered(keys)) => keys.is_empty(),
            // Such a set is made of keys only.
            KeySet::Integers(Integers::Dense { .. }) => false,
            KeySet::Wide(keys) => keys.is_empty(),
        }
    }
}

/// Integers among which is looked for one of each row.
#[derive(Debug, Clone)]
pub enum Integers {
    /// A bit for each integer from the least of them to the largest. What a hash costs is the memory that it reaches into: so
    /// many bits stand in one line of the cache that the keys of rows that follow one another are mostly there already.
    Dense {
        least: i64,
        bits: Box<[u64]>,
    },
    Scattered(Set<i64>),
}

/// So many bits for each key at the most: as large as the hash set of the keys would be.
const BITS_A_KEY: u64 = 128;

impl Integers {
    /// Keys in order.
    fn new(keys: &[i64]) -> Integers {
        let (Some(&least), Some(&largest)) = (keys.first(), keys.last()) else {
            return Integers::Scattered(Set::default());
        };
        let span = largest.abs_diff(least);
        if span / BITS_A_KEY >= keys.len() as u64 {
            return Integers::Scattered(keys.iter().copied().collect());
        }
        let mut bits = vec![0; (span / 64) as usize + 1].into_boxed_slice();
        for key in keys {
            let place = key.abs_diff(least);
            if let Some(word) = bits.get_mut((place / 64) as usize) {
                *word |= 1u64 << (place % 64);
            }
        }
        Integers::Dense { least, bits }
    }

    #[inline]
    fn contains(&self, key: i64) -> bool {
        match self {
            // What is less than the least is, without its sign, more than the largest.
            Integers::Dense { least, bits } => {
                let place = key.wrapping_sub(*least) as u64;
                let word = usize::try_from(place / 64).ok().and_then(|at| bits.get(at));
                word.is_some_and(|word| word >> (place % 64) & 1 == 1)
            }
            Integers::Scattered(keys) => keys.contains(&key),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(keys: &[i64]) -> KeySet {
        KeySet::of(keys.iter().copied().map(IndexKey::Integer).collect(), true)
    }

    fn is_dense(keys: &KeySet) -> bool {
        matches!(keys, KeySet::Integers(Integers::Dense { .. }))
    }

    #[test]
    fn keys_are_found_however_they_lie() {
        let cases: [(&[i64], bool); 7] = [
            (&[], false),
            (&[7], true),
            (&[-3, 60, 61, 64, 200], true),
            (&[1, 1_000_000], false),
            (&[i64::MIN, i64::MAX], false),
            (&[i64::MAX - 1, i64::MAX], true),
            (&[i64::MIN, i64::MIN + 63, i64::MIN + 64], true),
        ];
        for (keys, dense) in cases {
            let found = set(keys);
            assert_eq!(is_dense(&found), dense, "{keys:?}");
            assert_eq!(found.is_empty(), keys.is_empty(), "{keys:?}");
            let near = keys
                .iter()
                .flat_map(|key| [-65, -1, 0, 1, 63, 64].map(|by| key.wrapping_add(by)));
            for key in near.chain([0, i64::MIN, i64::MAX]) {
                let is_there = keys.contains(&key);
                assert_eq!(
                    found.contains(IndexKey::Integer(key)),
                    is_there,
                    "{keys:?} {key}"
                );
            }
        }
    }

    #[test]
    fn keys_that_come_again_and_out_of_order_are_gathered_once() {
        let mut keys = OpenKeys::default();
        let count = GATHERED as i64;
        keys.add_integers(0..count);
        keys.add_integers(0..count - 1);
        keys.add_integers([-5, count + 3, 7]);
        keys.insert(IndexKey::Wide(9));
        let expected = [-5].into_iter().chain(0..count).chain([count + 3]);
        let expected = expected.map(IndexKey::Integer);
        assert!(keys.iter().eq(expected.chain([IndexKey::Wide(9)])));
    }

    proptest! {
        #[test]
        fn both_ways_to_keep_integers_agree(
            keys in proptest::collection::hash_set(-300i64..300, 0..40),
            asked in proptest::collection::vec(-400i64..400, 0..40),
        ) {
            let keys: Vec<i64> = keys.into_iter().collect();
            let found = set(&keys);
            for key in asked {
                prop_assert_eq!(found.contains(IndexKey::Integer(key)), keys.contains(&key));
            }
        }
    }
}
