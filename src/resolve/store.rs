//! The row store: kept rows, found again by hop and key.
//!
//! A kept row is stored once, as the bytes of its layout's columns in COPY text. Rows lie in segments
//! of about a MiB. While all of them fit into the memory limit they stay in memory; beyond it the oldest segments
//! are written to a temp file and read back when a batch needs rows of it. What always
//! stays in memory is the index: for each row and hop 26 bytes if it is found by an integer, 34 if by any other key.

mod entry;
mod index;
mod key_ranges;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use foldhash::fast::FixedState;

use super::keys::IndexKey;
use super::plan::{HopId, IdVec};
use crate::io_error;
use index::Index;

pub use entry::{Entry, RowAt};

/// Segments are closed when they reach this many bytes.
const SEGMENT: usize = 1 << 20;
/// A row's bytes stand behind their length.
const LENGTH: usize = 4;

enum Segment {
    Memory(Vec<u8>),
    /// At this offset of the temp file.
    File(u64),
}

/// Kept rows and the index by hop.
pub struct RowStore {
    segments: Vec<Segment>,
    hops: IdVec<HopId, Index>,
    /// Rows and index together stay below this many bytes of memory, as far as rows can be moved out.
    limit: usize,
    in_memory: usize,
    /// Segments before this one are in the temp file.
    moved_out: usize,
    spill: Option<File>,
    spilled: u64,
    temp_dir: std::path::PathBuf,
}

impl RowStore {
    /// An empty store for hops that find rows by integers, or by other keys. `limit` is in bytes; the temp file is made when it is needed, without
    /// a name, so that it is gone whatever happens to the program.
    pub fn new(by_integers: impl IntoIterator<Item = bool>, limit: usize, temp_dir: &Path) -> Self {
        RowStore {
            segments: Vec::new(),
            hops: by_integers.into_iter().map(Index::new).collect(),
            limit,
            in_memory: 0,
            moved_out: 0,
            spill: None,
            spilled: 0,
            temp_dir: temp_dir.to_owned(),
        }
    }

    /// Keeps a row and says where it is.
    ///
    /// # Errors
    /// When the temp file cannot be written (a full disk, say).
    pub fn push(&mut self, row: &[u8]) -> io::Result<RowAt> {
        let needed = row.len() + LENGTH;
        let length =
            u32::try_from(row.len()).map_err(|_| io::Error::other("a row of 4 GiB or more"))?;
        let has_room = match self.segments.last() {
            Some(Segment::Memory(bytes)) => bytes.len() + needed <= bytes.capacity(),
            Some(Segment::File(_)) | None => false,
        };
        if !has_room {
            self.make_room()?;
            let segment = Vec::with_capacity(needed.max(SEGMENT));
            self.in_memory += segment.capacity();
            self.segments.push(Segment::Memory(segment));
        }
        let last = self.segments.len() - 1;
        let Some(Segment::Memory(bytes)) = self.segments.last_mut() else {
            return Err(io::Error::other("the row store has no open segment"));
        };
        let at = RowAt::new(last, bytes.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(row);
        Ok(at)
    }

    /// Notes that a hop found a row by this key.
    ///
    /// # Errors
    /// If the hop finds rows by keys of another kind.
    pub fn enter(&mut self, hop: HopId, key: IndexKey, entry: Entry) -> io::Result<()> {
        self.hops[hop].push(key, entry)
    }

    fn index_size(&self) -> usize {
        self.hops.iter().map(Index::capacity).sum()
    }

    /// Makes room for another segment: while rows and index would be over the limit, moves the oldest segment out.
    fn make_room(&mut self) -> io::Result<()> {
        while self.in_memory + self.index_size() + SEGMENT > self.limit {
            let Some(Segment::Memory(bytes)) = self.segments.get(self.moved_out) else {
                return Ok(());
            };
            let spill = match &mut self.spill {
                Some(file) => file,
                empty => {
                    let file = tempfile::tempfile_in(&self.temp_dir)
                        .map_err(io_error::at(&self.temp_dir))?;
                    empty.insert(file)
                }
            };
            spill
                .write_all(bytes)
                .map_err(io_error::at(&self.temp_dir))?;
            let (length, capacity) = (bytes.len(), bytes.capacity());
            self.segments[self.moved_out] = Segment::File(self.spilled);
            self.moved_out += 1;
            self.spilled += length as u64;
            self.in_memory -= capacity;
        }
        Ok(())
    }

    /// Puts the index in order: by key, then by primary key. No row is found before that. Takes a pool for a
    /// large index, this thread for the small one of a batch.
    pub fn sort(&mut self, pool: Option<&rayon::ThreadPool>) {
        use rayon::prelude::*;
        match pool {
            Some(pool) => {
                let hops = self.hops.as_mut_slice();
                pool.install(|| hops.par_iter_mut().for_each(Index::sort));
            }
            None => self.hops.as_mut_slice().iter_mut().for_each(Index::sort),
        }
    }

    /// How many rows that a hop found have the id of another row, which it found by the same key. The store must be sorted.
    pub fn repeated(&self, hop: HopId) -> u64 {
        self.hops[hop].repeated()
    }

    /// The rows that a hop found by this key, in order of their ids.
    pub fn found(&self, hop: HopId, key: IndexKey) -> impl Iterator<Item = Entry> + '_ {
        self.hops[hop].found(key)
    }

    /// Adds the rows that a hop found by this key, in order of their ids.
    #[inline]
    pub(crate) fn find(&self, hop: HopId, key: IndexKey, entries: &mut Vec<Entry>) {
        self.hops[hop].find(key, entries);
    }

    /// All rows that a hop found, with their keys.
    pub fn all(&self, hop: HopId) -> impl Iterator<Item = (IndexKey, Entry)> + '_ {
        self.hops[hop].all()
    }

    /// The bytes of a row that is in memory; `None` where it was moved out.
    pub fn get(&self, at: RowAt) -> Option<&[u8]> {
        match self.segments.get(at.segment())? {
            Segment::Memory(bytes) => {
                let (length, row) = bytes.get(at.offset()..)?.split_first_chunk::<LENGTH>()?;
                row.get(..u32::from_le_bytes(*length) as usize)
            }
            Segment::File(..) => None,
        }
    }

    /// Makes rows that several hops found one row each, where each hop was asked for its rows anew. The rows must be in
    /// memory. A hop finds a row once, and equal rows are found by the same hops. So if rows have keys (`have_keys`), an id that one
    /// hop found twice, or that stands for different rows, is not the key of one row: then the answer is false. If they have
    /// none, or none that is a number, rows are told apart by their bytes, and equal ones are as many as a hop found.
    pub fn unite(&mut self, hops: &[HopId], have_keys: bool) -> bool {
        match have_keys {
            true => self.unite_by_key(hops),
            false => {
                self.unite_by_bytes(hops);
                true
            }
        }
    }

    fn unite_by_key(&mut self, hops: &[HopId]) -> bool {
        let mut places: HashMap<i64, RowAt, FixedState> = HashMap::default();
        for hop in hops {
            let mut index = std::mem::take(&mut self.hops[*hop]);
            let mut of_hop: HashSet<i64, FixedState> = HashSet::default();
            let united = index.entries_mut().all(|entry| {
                let first = *places.entry(entry.id).or_insert(entry.at);
                let same = first == entry.at || self.get(first) == self.get(entry.at);
                entry.at = first;
                of_hop.insert(entry.id) && same
            });
            self.hops[*hop] = index;
            if !united {
                return false;
            }
        }
        true
    }

    fn unite_by_bytes(&mut self, hops: &[HopId]) {
        // The places of equal rows, as many as the hop found that found most of them.
        let mut places: HashMap<Vec<u8>, Vec<RowAt>, FixedState> = HashMap::default();
        for hop in hops {
            let mut index = std::mem::take(&mut self.hops[*hop]);
            let mut of_hop: HashMap<Vec<u8>, usize, FixedState> = HashMap::default();
            for entry in index.entries_mut() {
                let row = self.get(entry.at).unwrap_or_default().to_vec();
                let number = of_hop.entry(row.clone()).or_insert(0);
                let known = places.entry(row).or_default();
                match known.get(*number) {
                    Some(at) => entry.at = *at,
                    None => known.push(entry.at),
                }
                *number += 1;
            }
            self.hops[*hop] = index;
        }
    }

    /// Bytes of memory that rows and index take, as far as they are filled.
    pub fn in_use(&self) -> usize {
        let rows = |segment: &Segment| match segment {
            Segment::Memory(bytes) => bytes.len(),
            Segment::File(_) => 0,
        };
        let index: usize = self.hops.iter().map(Index::filled).sum();
        self.segments.iter().map(rows).sum::<usize>() + index
    }

    /// Bytes of rows that were moved to the temp file.
    pub fn spilled(&self) -> u64 {
        self.spilled
    }

    /// Reads a row that was moved out and appends its bytes to `out`.
    ///
    /// # Errors
    /// When the temp file cannot be read.
    pub fn read(&self, at: RowAt, out: &mut Vec<u8>) -> io::Result<()> {
        let (Some(Segment::File(start)), Some(file)) =
            (self.segments.get(at.segment()), &self.spill)
        else {
            return Err(io::Error::other("the row is not in the temp file"));
        };
        let start = start + at.offset() as u64;
        let mut length = [0; LENGTH];
        let named = io_error::at(&self.temp_dir);
        file.read_exact_at(&mut length, start).map_err(&named)?;
        let from = out.len();
        out.resize(from + u32::from_le_bytes(length) as usize, 0);
        file.read_exact_at(&mut out[from..], start + LENGTH as u64)
            .map_err(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::plan::Id;

    fn hop(position: usize) -> HopId {
        HopId::at(position)
    }

    fn store_of(limit: usize, rows: usize) -> (RowStore, Vec<RowAt>) {
        let mut store = RowStore::new([true], limit, &std::env::temp_dir());
        let places = (0..rows)
            .map(|i| {
                let row = format!("{i}\t{}", "x".repeat(i % 5000));
                let at = store.push(row.as_bytes()).unwrap();
                let key = IndexKey::Integer((i % 7) as i64);
                let id = -(i as i64);
                store.enter(hop(0), key, Entry { id, at }).unwrap();
                at
            })
            .collect();
        (store, places)
    }

    #[test]
    fn rows_come_back_from_memory_and_from_the_temp_file() {
        for (limit, spills) in [(1 << 30, false), (3 << 20, true), (0, true)] {
            let (store, places) = store_of(limit, 4000);
            assert_eq!(store.spilled() > 0, spills, "limit {limit}");
            for (i, at) in places.into_iter().enumerate() {
                let expected = format!("{i}\t{}", "x".repeat(i % 5000));
                let mut row = Vec::new();
                match store.get(at) {
                    Some(bytes) => row.extend_from_slice(bytes),
                    None => store.read(at, &mut row).unwrap(),
                }
                assert_eq!(row, expected.as_bytes());
            }
        }
    }

    #[test]
    fn a_row_larger_than_a_segment_is_kept() {
        let mut store = RowStore::new([], 1 << 30, &std::env::temp_dir());
        let row = vec![b'a'; 3 * SEGMENT];
        let at = store.push(&row).unwrap();
        assert_eq!(store.get(at), Some(row.as_slice()));
    }

    #[test]
    fn rows_of_a_key_come_in_order_of_their_ids() {
        let (mut store, _) = store_of(1 << 30, 100);
        store.sort(None);
        let ids: Vec<i64> = store
            .found(hop(0), IndexKey::Integer(3))
            .map(|entry| entry.id)
            .collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(ids, sorted);
        assert_eq!(ids.len(), 14);
        assert_eq!(store.found(hop(0), IndexKey::Integer(99)).count(), 0);
    }

    #[test]
    fn rows_of_several_hops_are_united_unless_a_key_stands_for_several() {
        // By hop: keys and bytes of the rows that it found.
        let united = |have_keys: bool, hops: [&[(i64, &str)]; 2]| {
            let mut store = RowStore::new([true, true], 1 << 20, &std::env::temp_dir());
            for (position, rows) in hops.into_iter().enumerate() {
                for (id, row) in rows {
                    let at = store.push(row.as_bytes()).unwrap();
                    let entry = Entry { id: *id, at };
                    store
                        .enter(HopId::at(position), IndexKey::Integer(1), entry)
                        .unwrap();
                }
            }
            let is_united = store.unite(&[hop(0), hop(1)], have_keys);
            let mut places: Vec<RowAt> = (0..2)
                .flat_map(|position| store.all(hop(position)))
                .map(|(_, it)| it.at)
                .collect();
            places.sort();
            places.dedup();
            (is_united, places.len())
        };
        assert_eq!(
            united(true, [&[(1, "a"), (2, "b")], &[(2, "b"), (3, "c")]]),
            (true, 3)
        );
        assert!(!united(true, [&[(1, "a")], &[(1, "b")]]).0);
        assert!(!united(true, [&[(1, "a"), (1, "a")], &[]]).0);
        // Without keys equal rows are as many as one hop finds.
        assert_eq!(
            united(false, [&[(0, "a"), (0, "a")], &[(0, "a"), (0, "b")]]),
            (true, 3)
        );
    }

    #[test]
    fn a_key_of_the_other_kind_is_refused() {
        let mut store = RowStore::new([true, false], 1 << 20, &std::env::temp_dir());
        let at = store.push(b"row").unwrap();
        let entry = Entry { id: 1, at };
        assert!(store.enter(hop(0), IndexKey::Wide(1), entry).is_err());
        assert!(store.enter(hop(1), IndexKey::Integer(1), entry).is_err());
    }

    /// A key of 128 bits for an integer, no two the same.
    fn wide(key: i64) -> u128 {
        u128::from(key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }

    #[test]
    fn every_key_is_found_wherever_keys_are() {
        let spread: [&[i64]; 6] = [
            &[],
            &[5],
            &[i64::MIN, -1, 0, 1, i64::MAX],
            &[
                1,
                2,
                3,
                4,
                5,
                6,
                7,
                8,
                9,
                10,
                11,
                12,
                13,
                14,
                15,
                16,
                17,
                1 << 40,
            ],
            &[-9, -9, -9, -9, -9, -9, -9, -9, -9, -9, 3, 3],
            &[1 << 40, (1 << 40) + 1, (1 << 41), (1 << 41) + 9],
        ];
        for keys in spread {
            let mut store = RowStore::new([true, false], 1 << 20, &std::env::temp_dir());
            for (id, key) in keys.iter().enumerate().rev() {
                let at = store.push(b"row").unwrap();
                let id = id as i64;
                store
                    .enter(hop(0), IndexKey::Integer(*key), Entry { id, at })
                    .unwrap();
                store
                    .enter(hop(1), IndexKey::Wide(wide(*key)), Entry { id, at })
                    .unwrap();
            }
            store.sort(None);
            let near = keys
                .iter()
                .flat_map(|key| [key.saturating_sub(1), *key, key.saturating_add(1)]);
            for key in near.chain([0, i64::MIN, i64::MAX]) {
                let found = |position: usize, key: IndexKey| -> Vec<i64> {
                    let entries = store.found(hop(position), key);
                    entries.map(|entry| entry.id).collect()
                };
                let ids = found(0, IndexKey::Integer(key));
                assert_eq!(
                    found(1, IndexKey::Wide(wide(key))),
                    ids,
                    "{key} of {keys:?}"
                );
                let wanted = keys.iter().enumerate().filter(|(_, other)| **other == key);
                let wanted: Vec<i64> = wanted.map(|(id, _)| id as i64).collect();
                assert_eq!(ids, wanted, "{key} of {keys:?}");
            }
        }
    }
}
