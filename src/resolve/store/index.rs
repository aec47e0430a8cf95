//! The index of a hop: which rows it found, by key.

use std::io;

use crate::resolve::keys::IndexKey;

use super::entry::{Entry, Keyed};
use super::key_ranges::{KeyRanges, Ranged};

/// Entries from which on a key among them is searched for by halves.
const MANY: usize = 16;

/// The rows that a hop found. Keys of a hop are all integers, or all something else.
#[derive(Debug)]
pub(super) enum Index {
    Integers(Rows<i64>),
    Wide(Rows<u128>),
}

/// Rows by keys of one kind.
#[derive(Debug, Default)]
pub(super) struct Rows<K> {
    rows: Vec<Keyed<K>>,
    /// Where the rows of a range of keys are, once they are sorted.
    ranges: KeyRanges<K>,
}

impl Default for Index {
    fn default() -> Self {
        Index::Integers(Rows::default())
    }
}

impl Index {
    /// An empty index of a hop whose keys are integers, or are not.
    pub(crate) fn new(by_integers: bool) -> Index {
        match by_integers {
            true => Index::Integers(Rows::default()),
            false => Index::Wide(Rows::default()),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the key is of the other kind: the row would never be found.
    pub(crate) fn push(&mut self, key: IndexKey, entry: Entry) -> io::Result<()> {
        match (self, key) {
            (Index::Integers(rows), IndexKey::Integer(key)) => rows.push(Keyed { key, entry }),
            (Index::Wide(rows), IndexKey::Wide(key)) => rows.push(Keyed { key, entry }),
            (Index::Integers(_), IndexKey::Wide(_)) | (Index::Wide(_), IndexKey::Integer(_)) => {
                return Err(io::Error::other(
                    "a row was found by a key of another kind than its hop's",
                ));
            }
        }
        Ok(())
    }

    /// Puts the rows in order: by key, then by id. No row is found before that.
    pub(crate) fn sort(&mut self) {
        match self {
            Index::Integers(rows) => rows.sort(),
            Index::Wide(rows) => rows.sort(),
        }
    }

    /// How many rows have the id of another row of their key.
    pub(crate) fn repeated(&self) -> u64 {
        match self {
            Index::Integers(rows) => rows.repeated(),
            Index::Wide(rows) => rows.repeated(),
        }
    }

    /// The rows of a key.
    #[inline]
    pub(crate) fn found(&self, key: IndexKey) -> impl Iterator<Item = Entry> + '_ {
        let (integers, wide): (&[Keyed<i64>], &[Keyed<u128>]) = match (self, key) {
            (Index::Integers(rows), IndexKey::Integer(key)) => (rows.found(key), &[]),
            (Index::Wide(rows), IndexKey::Wide(key)) => (&[], rows.found(key)),
            (Index::Integers(_), IndexKey::Wide(_)) | (Index::Wide(_), IndexKey::Integer(_)) => {
                (&[], &[])
            }
        };
        let integers = integers.iter().map(|keyed| keyed.entry);
        integers.chain(wide.iter().map(|keyed| keyed.entry))
    }

    /// Adds the rows of a key.
    #[inline]
    pub(crate) fn find(&self, key: IndexKey, entries: &mut Vec<Entry>) {
        match (self, key) {
            (Index::Integers(rows), IndexKey::Integer(key)) => {
                entries.extend(rows.found(key).iter().map(|keyed| keyed.entry));
            }
            (Index::Wide(rows), IndexKey::Wide(key)) => {
                entries.extend(rows.found(key).iter().map(|keyed| keyed.entry));
            }
            (Index::Integers(_), IndexKey::Wide(_)) | (Index::Wide(_), IndexKey::Integer(_)) => {}
        }
    }

    /// All rows, with their keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = (IndexKey, Entry)> + '_ {
        let (integers, wide): (&[Keyed<i64>], &[Keyed<u128>]) = match self {
            Index::Integers(rows) => (&rows.rows, &[]),
            Index::Wide(rows) => (&[], &rows.rows),
        };
        let integers = integers.iter();
        let integers = integers.map(|keyed| (IndexKey::Integer(keyed.key), keyed.entry));
        integers.chain(
            wide.iter()
                .map(|keyed| (IndexKey::Wide(keyed.key), keyed.entry)),
        )
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> + '_ {
        let (integers, wide): (&mut [Keyed<i64>], &mut [Keyed<u128>]) = match self {
            Index::Integers(rows) => (&mut rows.rows, &mut []),
            Index::Wide(rows) => (&mut [], &mut rows.rows),
        };
        let integers = integers.iter_mut().map(|keyed| &mut keyed.entry);
        integers.chain(wide.iter_mut().map(|keyed| &mut keyed.entry))
    }

    /// Bytes of memory that the index takes.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Index::Integers(rows) => rows.rows.capacity() * size_of::<Keyed<i64>>(),
            Index::Wide(rows) => rows.rows.capacity() * size_of::<Keyed<u128>>(),
        }
    }

    /// Bytes of memory that are filled.
    pub(crate) fn filled(&self) -> usize {
        match self {
            Index::Integers(rows) => size_of_val(rows.rows.as_slice()),
            Index::Wide(rows) => size_of_val(rows.rows.as_slice()),
        }
    }
}

impl<K: Ranged> Rows<K> {
    fn push(&mut self, row: Keyed<K>) {
        if self.rows.len() == self.rows.capacity() {
            // By a quarter rather than by doubling: a large index would else take twice its size.
            self.rows.reserve_exact(self.rows.len() / 4 + 256);
        }
        self.rows.push(row);
    }

    fn sort(&mut self) {
        self.rows.sort_unstable();
        self.rows.shrink_to_fit();
        self.ranges = KeyRanges::new(&self.rows);
    }

    /// Of rows that are sorted.
    fn repeated(&self) -> u64 {
        let is_repeated = |pair: &&[Keyed<K>]| match pair {
            [one, next] => {
                let same = one.key == next.key && one.entry.id == next.entry.id;
                same && one.entry.at != next.entry.at
            }
            _ => false,
        };
        self.rows.windows(2).filter(is_repeated).count() as u64
    }

    #[inline]
    fn found(&self, key: K) -> &[Keyed<K>] {
        let rows = &self.rows[self.ranges.of_key(key)];
        let from = match rows.len() {
            // Unevenly spread.
            MANY.. => rows.partition_point(|row| row.key < key),
            few => rows.iter().position(|row| row.key >= key).unwrap_or(few),
        };
        let rows = &rows[from..];
        let count = rows.iter().take_while(|row| row.key == key).count();
        &rows[..count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The README says what an index takes: these, and up to two bytes for where ranges of keys begin.
    #[test]
    fn an_index_takes_as_much_as_is_said() {
        assert_eq!(size_of::<Keyed<i64>>(), 24);
        assert_eq!(size_of::<Keyed<u128>>(), 32);
    }
}
