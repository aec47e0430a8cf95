//! Presence: which keys have rows at all, where most of those that are asked for have none.
//!
//! A server looks each key up from the root of an index, whether there is a row or not, and that costs it as much as handing
//! out dozens of keys in the order of the index. Most notes have no emoji, hardly an event has a push: where the keys that
//! will be asked for in vain cost more than all keys of a table, these are asked for once, and kept as a filter.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;

use crate::resolve::keys::{COPY_NULL, Key, parse_integer};
use crate::resolve::plan::HopId;

/// Keys that have no row cost as much as so many keys of a table that are handed out together.
const AS_MANY: u64 = 8;
/// Fewer keys in vain are not worth a question.
const FEWEST: u64 = 2_000;
/// Rows that a table may have.
const MOST: u64 = 1 << 20;
/// Bits of a filter for each key: of the keys that have no row, about one in so many is asked for nevertheless.
const BITS: usize = 16;
/// Bytes that all filters may take.
const ROOM: usize = 16 << 20;

/// What is known of each hop's keys.
#[derive(Default)]
pub(super) struct Presence(Mutex<Hops>);

#[derive(Default)]
struct Hops {
    by_hop: HashMap<HopId, HopKeys, FixedState>,
    /// Bytes of the filters.
    bytes: usize,
}

/// How far a relation has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Top-level rows of this round.
    pub round: u64,
    /// Top-level rows of the relation that have not been loaded yet, those of this round among them.
    pub ahead: u64,
}

enum HopKeys {
    /// So far so many top-level rows led to so many keys without rows.
    Counted {
        top: u64,
        vain: u64,
    },
    /// They are asked for, or cannot be had.
    Unknown,
    Known(Arc<KeyFilter>),
}

impl Presence {
    /// Takes the keys out of `keys` that are known to have no row.
    pub(crate) fn retain(&self, hop: HopId, keys: &mut Vec<Key>) {
        let hops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(HopKeys::Known(filter)) = hops.by_hop.get(&hop) else {
            return;
        };
        let filter = Arc::clone(filter);
        drop(hops);
        keys.retain(|key| match key {
            Key::Integer(key) => filter.may_hold(*key),
            Key::Text(_) => true,
        });
    }

    /// Notes how many keys of a round had no row, in a table of so many rows. If all keys that have one should be asked
    /// for now, by whoever is told so: how many there may be at the most.
    pub(crate) fn note(&self, hop: HopId, extent: Extent, vain: u64, rows: u64) -> Option<u64> {
        let mut hops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = hops.bytes < ROOM;
        let keys = hops.by_hop.entry(hop);
        let keys = keys.or_insert(HopKeys::Counted { top: 0, vain: 0 });
        let HopKeys::Counted {
            top,
            vain: vain_so_far,
        } = keys
        else {
            return None;
        };
        *top += extent.round;
        *vain_so_far += vain;
        let expected = u128::from(*vain_so_far) * u128::from(extent.ahead);
        let expected = expected / u128::from((*top).max(1));
        let pays =
            expected >= u128::from(FEWEST) && expected * u128::from(AS_MANY) >= u128::from(rows);
        (pays && has_room && rows <= MOST).then(|| {
            *keys = HopKeys::Unknown;
            // The server's statistics may be old.
            2 * rows + FEWEST
        })
    }

    /// Keeps which keys have rows.
    pub(crate) fn keep(&self, hop: HopId, filter: KeyFilter) {
        let mut hops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hops.bytes += filter.bits.len() * size_of::<u64>();
        let known = HopKeys::Known(Arc::new(filter));
        hops.by_hop.insert(hop, known);
    }
}

/// Integers, roughly: it may take others for its own, but none of its own for others.
pub(super) struct KeyFilter {
    bits: Vec<u64>,
    shift: u32,
}

impl KeyFilter {
    /// The integers of an array in the server's text form, in which NULL may stand, too; `None` if they are `most` or more,
    /// and so may not be all, or if anything else stands in it: a key that was passed over here would be a row that is lost.
    pub(crate) fn of_array(text: &[u8], most: u64) -> Option<KeyFilter> {
        let elements = memchr::memchr_iter(b',', text).count() + 1;
        if elements as u64 >= most {
            return None;
        }
        let bits = (elements * BITS).next_power_of_two().max(64);
        let mut filter = KeyFilter {
            bits: vec![0; bits / 64],
            shift: 64 - bits.trailing_zeros(),
        };
        for element in text.split(|byte| b"{,}\n".contains(byte)) {
            // An array of nothing is NULL, which COPY writes in its own way.
            if element.is_empty() || element == b"NULL" || element == COPY_NULL {
                continue;
            }
            let (word, bit) = filter.place(parse_integer(element)?);
            if let Some(word) = filter.bits.get_mut(word) {
                *word |= bit;
            }
        }
        Some(filter)
    }

    fn may_hold(&self, key: i64) -> bool {
        let (word, bit) = self.place(key);
        self.bits.get(word).is_none_or(|word| word & bit != 0)
    }

    /// Fibonacci hashing: keys that follow one another lie far apart.
    fn place(&self, key: i64) -> (usize, u64) {
        let hash = key.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        ((hash / 64) as usize, 1 << (hash % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::plan::Id;

    fn extent(round: u64, ahead: u64) -> Extent {
        Extent { round, ahead }
    }

    #[test]
    fn keys_are_asked_for_once_that_pays() {
        let presence = Presence::default();
        let hop = HopId::at(0);
        // 100 of 10,000 rows: 1,000 keys in vain, and about 100,000 in all.
        assert_eq!(
            presence.note(hop, extent(100, 10_000), 1_000, 1_000_000),
            None
        );
        assert_eq!(
            presence.note(hop, extent(100, 10_000), 1_000, 400_000),
            Some(802_000)
        );
        // Somebody is asking.
        assert_eq!(
            presence.note(hop, extent(100, 10_000), 1_000, 400_000),
            None
        );
        let other = HopId::at(1);
        // Too few are left, too few are in vain, or the table is too large.
        assert_eq!(presence.note(other, extent(100, 100), 1_000, 400_000), None);
        assert_eq!(
            presence.note(other, extent(9_800, 10_000), 0, 400_000),
            None
        );
        let third = HopId::at(2);
        assert_eq!(
            presence.note(third, extent(1, 1 << 40), 100, MOST + 1),
            None
        );
    }

    #[test]
    fn keys_without_rows_are_taken_out() {
        let presence = Presence::default();
        let (hop, other) = (HopId::at(0), HopId::at(1));
        let present: Vec<i64> = (-500..500).map(|key| key * 1_000_003).collect();
        let texts: Vec<String> = present.iter().map(i64::to_string).collect();
        let array = format!("{{{},NULL}}\n", texts.join(","));
        presence.keep(hop, KeyFilter::of_array(array.as_bytes(), 2_000).unwrap());
        let absent = (0..100_000).map(|key| Key::Integer(key * 7 + 1));
        let mut keys: Vec<Key> = present.iter().copied().map(Key::Integer).collect();
        keys.extend(absent);
        let all = keys.clone();
        presence.retain(other, &mut keys);
        assert_eq!(keys, all);
        presence.retain(hop, &mut keys);
        assert!(keys[..1_000] == all[..1_000]);
        assert!(
            keys.len() < 1_000 + 100_000 / BITS + 2_000,
            "{}",
            keys.len()
        );
        let text = Key::of(&["a"]);
        let mut keys = vec![text.clone()];
        presence.retain(hop, &mut keys);
        assert_eq!(keys, [text]);
    }

    #[test]
    fn an_array_that_may_be_cut_off_is_no_filter() {
        assert!(KeyFilter::of_array(b"{1,2,3}\n", 3).is_none());
        assert!(KeyFilter::of_array(b"{1,2,3}\n", 4).is_some_and(|filter| filter.may_hold(3)));
        // Neither the bounds of an array nor any other text is passed over.
        assert!(KeyFilter::of_array(b"[0:1]={1,2}\n", 4).is_none());
        assert!(KeyFilter::of_array(b"{1,two}\n", 4).is_none());
        // No row at all.
        let none = KeyFilter::of_array(b"\\N\n", 3).unwrap();
        assert!(!none.may_hold(1));
    }
}
