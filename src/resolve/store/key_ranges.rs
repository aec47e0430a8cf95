//! Where the entries of a key are: the index of a hop, cut into ranges of keys.

use std::ops::Range;

use super::entry::Keyed;

/// Entries that a range of keys has at the least, on average, and at most twice as many. Each line of memory that a key is
/// looked for in is waited for, because rows are looked up in no order: two entries are one line, or two.
const IN_RANGE: usize = 2;

/// A key whose distance from another one can be told.
pub(super) trait Ranged: Copy + Ord + Default {
    /// The distance from a key to one that is not before it, cut to 64 bits.
    fn distance(from: Self, to: Self) -> u64;
}

impl Ranged for i64 {
    fn distance(from: i64, to: i64) -> u64 {
        // Right for every pair, because it is computed in 64 bits that wrap around.
        to.wrapping_sub(from) as u64
    }
}

impl Ranged for u128 {
    fn distance(from: u128, to: u128) -> u64 {
        // The upper half: such keys are spread over all of their bits.
        (to.wrapping_sub(from) >> 64) as u64
    }
}

/// Sorted entries cut into ranges of keys of equal width, so that looking a key up is a division and not a search
/// through all entries. Where keys are unevenly spread a range has many entries, or none.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyRanges<K> {
    first: K,
    /// A key's range is its distance from the first key, shifted right by this.
    shift: u32,
    /// Where each range begins; at the end the number of entries.
    starts: Starts,
}

/// Positions, which take half the room in all but the largest indexes.
#[derive(Debug, Clone)]
enum Starts {
    Narrow(Vec<u32>),
    Wide(Vec<usize>),
}

impl Default for Starts {
    fn default() -> Self {
        Starts::Narrow(Vec::new())
    }
}

impl Starts {
    /// No position yet, of the so many up to this one that there will be.
    fn up_to(largest: usize, count: usize) -> Starts {
        match u32::try_from(largest) {
            Ok(_) => Starts::Narrow(Vec::with_capacity(count)),
            Err(_) => Starts::Wide(Vec::with_capacity(count)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Starts::Narrow(starts) => starts.len(),
            Starts::Wide(starts) => starts.len(),
        }
    }

    fn push(&mut self, start: usize) {
        match self {
            // None is larger than the largest one, which is narrow.
            Starts::Narrow(starts) => starts.push(start as u32),
            Starts::Wide(starts) => starts.push(start),
        }
    }

    /// What lies between the position at this place and the next one.
    #[inline]
    fn between(&self, place: usize) -> Option<Range<usize>> {
        let next = place.checked_add(2)?;
        Some(match self {
            Starts::Narrow(starts) => {
                let pair = starts.get(place..next)?;
                pair[0] as usize..pair[1] as usize
            }
            Starts::Wide(starts) => {
                let pair = starts.get(place..next)?;
                pair[0]..pair[1]
            }
        })
    }
}

impl<K: Ranged> KeyRanges<K> {
    /// Cuts sorted entries.
    pub(crate) fn new(entries: &[Keyed<K>]) -> KeyRanges<K> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return KeyRanges::default();
        };
        let width = K::distance(first.key, last.key);
        let most = (entries.len() / IN_RANGE).max(1) as u64;
        let mut shift = 0;
        // A shift by all 64 bits does not exist; with 63 there are two ranges at the most.
        while shift < 63 && width >> shift >= most {
            shift += 1;
        }
        let mut starts = Starts::up_to(entries.len(), (width >> shift) as usize + 2);
        for (position, entry) in entries.iter().enumerate() {
            let range = (K::distance(first.key, entry.key) >> shift) as usize;
            while starts.len() <= range {
                starts.push(position);
            }
        }
        starts.push(entries.len());
        KeyRanges {
            first: first.key,
            shift,
            starts,
        }
    }

    /// The positions between which entries of a key are.
    #[inline]
    pub(crate) fn of_key(&self, key: K) -> Range<usize> {
        if key < self.first {
            return 0..0;
        }
        let range = usize::try_from(K::distance(self.first, key) >> self.shift);
        let between = range.ok().and_then(|range| self.starts.between(range));
        between.unwrap_or(0..0)
    }
}
