//! Entries of the index: which row a hop found, and where it is.

/// Bits of a [`RowAt`] for the position inside its segment. PostgreSQL's rows are below 2 GiB.
const OFFSET_BITS: u32 = 32;
/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowAt(u64);

impl RowAt {
    pub(super) fn new(segment: usize, offset: usize) -> Self {
        RowAt((segment as u64) << OFFSET_BITS | offset as u64)
    }

    pub(super) fn segment(self) -> usize {
        (self.0 >> OFFSET_BITS) as usize
    }

    pub(super) fn offset(self) -> usize {
        (self.0 & ((1 << OFFSET_BITS) - 1)) as usize
    }
}

/// A row that a hop found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The row's own key if that is a lone integer; else a number that rows are ordered by as far as it goes.
    pub id: i64,
    pub at: RowAt,
}

/// An entry behind the key that its row was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Keyed<K> {
    pub key: K,
    pub entry: Entry,
}
