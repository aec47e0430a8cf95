//! The shelf: rows that many rounds need (the authors of notes, the labels of epics), kept so that they are asked for once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;

use crate::resolve::keys::Key;
use crate::resolve::plan::TableId;

/// Bytes that rows and their index may take. What does not fit is asked for again whenever it is needed.
const ROOM: usize = 12 << 20;
/// Bytes that a row takes beside its own: its place in the index and what the allocator needs.
const BESIDE: usize = 96;
/// Rows larger than this are not worth their place.
const LARGEST: usize = 2048;

/// Rows by table and primary key, as COPY text with its line end.
#[derive(Default)]
pub(super) struct Shelf(Mutex<ShelvedRows>);

#[derive(Default)]
struct ShelvedRows {
    /// `None` for a key that has no row.
    by_key: HashMap<(TableId, Key), Option<Box<[u8]>>, FixedState>,
    bytes: usize,
}

impl Shelf {
    /// Takes the keys out of `keys` that are known, and returns their rows one after the other.
    pub(crate) fn take(&self, table: TableId, keys: &mut Vec<Key>) -> Vec<u8> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        keys.retain(|key| match rows.by_key.get(&(table, key.clone())) {
            None => true,
            Some(row) => {
                found.extend_from_slice(row.as_deref().unwrap_or_default());
                false
            }
        });
        found
    }

    /// Keeps the rows that were asked for by these keys, as far as there is room.
    pub(crate) fn put<'r>(
        &self,
        table: TableId,
        keys: &[Key],
        found: impl Iterator<Item = (Key, &'r [u8])>,
    ) {
        let mut by_key: HashMap<Key, Option<&[u8]>, FixedState> = HashMap::default();
        for (key, row) in found {
            // Of a key with several rows none is kept: there should be no such key.
            let row = Some(row).filter(|_| !by_key.contains_key(&key));
            by_key.insert(key, row);
        }
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let row = match by_key.get(key) {
                Some(None) => continue,
                Some(row) => *row,
                None => None,
            };
            let size = row.map_or(0, <[u8]>::len);
            if size > LARGEST || rows.bytes + size + BESIDE > ROOM {
                continue;
            }
            rows.bytes += size + BESIDE;
            let line = row.map(|row| [row, b"\n".as_slice()].concat().into_boxed_slice());
            rows.by_key.insert((table, key.clone()), line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::plan::Id;

    fn table(position: usize) -> TableId {
        TableId::at(position)
    }

    fn keys(integers: impl IntoIterator<Item = i64>) -> Vec<Key> {
        integers.into_iter().map(Key::Integer).collect()
    }

    #[test]
    fn what_was_put_is_taken_and_the_rest_is_still_to_be_asked_for() {
        let shelf = Shelf::default();
        let rows: [(Key, &[u8]); 2] = [(1.into(), b"1\tone"), (3.into(), b"3\tthree")];
        shelf.put(table(0), &keys([1, 2, 3]), rows.into_iter());
        let mut asked = keys([1, 2, 3, 4]);
        assert_eq!(shelf.take(table(0), &mut asked), b"1\tone\n3\tthree\n");
        assert_eq!(asked, keys([4]));
        // Another table's rows are others.
        let mut asked = keys([1]);
        assert!(shelf.take(table(1), &mut asked).is_empty());
        assert_eq!(asked, keys([1]));
    }

    #[test]
    fn a_full_shelf_takes_nothing_more() {
        let shelf = Shelf::default();
        let row = vec![b'x'; LARGEST];
        let most = ROOM / LARGEST;
        for key in keys(0..2 * most as i64) {
            let found = [(key.clone(), row.as_slice())];
            shelf.put(table(0), &[key], found.into_iter());
        }
        let mut asked = keys(0..2 * most as i64);
        assert!(shelf.take(table(0), &mut asked).len() <= ROOM);
        assert!(asked.len() >= most);
        let large = vec![b'x'; LARGEST + 1];
        shelf.put(
            table(1),
            &keys([1]),
            [(1.into(), large.as_slice())].into_iter(),
        );
        assert!(shelf.take(table(1), &mut keys([1])).is_empty());
    }
}
