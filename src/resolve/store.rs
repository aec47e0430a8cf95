//! The row store: kept rows, found again by hop and key.
//!
//! A kept row is stored once, as the bytes of its layout's columns in COPY text. Rows lie in segments
//! of about a MiB. While all of them fit into the memory limit they stay in memory; beyond it the oldest segments
//! are written to a temp file and read back when a batch needs rows of it. What always
//! stays in memory is the index: 25 bytes for each row and hop.

mod entry;
mod key_ranges;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use foldhash::fast::FixedState;

use super::plan::{HopId, IdVec};
use crate::io_error;
use key_ranges::KeyRanges;

pub use entry::{Entry, RowAt};

/// Segments are closed when they reach this many bytes.
const SEGMENT: usize = 1 << 20;
/// A row's bytes stand behind their length.
const LENGTH: usize = 4;

/// Bytes of an index entry, for the account of memory.
pub(crate) const ENTRY_SIZE: usize = size_of::<Entry>();

enum Segment {
    Memory(Vec<u8>),
    /// At this offset of the temp file.
    File(u64),
}

/// Kept rows and the index by hop.
pub struct RowStore {
    segments: Vec<Segment>,
    hops: IdVec<HopId, Vec<Entry>>,
    /// Where the entries of a range of keys are, by hop.
    ranges: IdVec<HopId, KeyRanges>,
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
    /// An empty store for so many hops. `limit` is in bytes; the temp file is made when it is needed, without
    /// a name, so that it is gone whatever happens to the program.
    pub fn new(hops: usize, limit: usize, temp_dir: &Path) -> Self {
        RowStore {
            segments: Vec::new(),
            hops: (0..hops).map(|_| Vec::new()).collect(),
            ranges: (0..hops).map(|_| KeyRanges::default()).collect(),
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

    /// Notes that a hop found a row.
    pub fn enter(&mut self, hop: HopId, entry: Entry) {
        let entries = &mut self.hops[hop];
        if entries.len() == entries.capacity() {
            // By a quarter rather than by doubling: a large index would else take twice its size.
            entries.reserve_exact(entries.len() / 4 + 256);
        }
        entries.push(entry);
    }

    fn index_size(&self) -> usize {
        self.hops.iter().map(Vec::capacity).sum::<usize>() * ENTRY_SIZE
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
        let sort = |entries: &mut Vec<Entry>| {
            entries.sort_unstable();
            entries.shrink_to_fit();
        };
        match pool {
            Some(pool) => {
                let hops = self.hops.as_mut_slice();
                pool.install(|| hops.par_iter_mut().for_each(sort));
            }
            None => self.hops.as_mut_slice().iter_mut().for_each(sort),
        }
        self.ranges = self.hops.map(|entries| KeyRanges::new(entries));
    }

    /// The rows that a hop found by this key, in order of their primary keys.
    pub fn found(&self, hop: HopId, key: i64) -> &[Entry] {
        let range = self.ranges[hop].of_key(key);
        let entries = &self.hops[hop][range];
        let from = entries.partition_point(|entry| entry.key < key);
        let count = entries[from..]
            .iter()
            .take_while(|entry| entry.key == key)
            .count();
        &entries[from..from + count]
    }

    /// All rows that a hop found.
    pub fn all(&self, hop: HopId) -> &[Entry] {
        &self.hops[hop]
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
    /// memory. A hop finds a row once, and equal rows are found by the same hops; so a primary key that one hop found twice,
    /// or that stands for different rows, is not the key of one row: then the answer is false.
    pub fn unite(&mut self, hops: &[HopId]) -> bool {
        let mut places: HashMap<i64, RowAt, FixedState> = HashMap::default();
        for hop in hops {
            let mut entries = std::mem::take(&mut self.hops[*hop]);
            let mut of_hop: HashSet<i64, FixedState> = HashSet::default();
            let united = entries.iter_mut().all(|entry| {
                let first = *places.entry(entry.id).or_insert(entry.at);
                let same = first == entry.at || self.get(first) == self.get(entry.at);
                entry.at = first;
                of_hop.insert(entry.id) && same
            });
            self.hops[*hop] = entries;
            if !united {
                return false;
            }
        }
        true
    }

    /// Bytes of memory that rows and index take, as far as they are filled.
    pub fn in_use(&self) -> usize {
        let rows = |segment: &Segment| match segment {
            Segment::Memory(bytes) => bytes.len(),
            Segment::File(_) => 0,
        };
        let entries: usize = self.hops.iter().map(Vec::len).sum();
        self.segments.iter().map(rows).sum::<usize>() + entries * ENTRY_SIZE
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
        let mut store = RowStore::new(1, limit, &std::env::temp_dir());
        let places = (0..rows)
            .map(|i| {
                let row = format!("{i}\t{}", "x".repeat(i % 5000));
                let at = store.push(row.as_bytes()).unwrap();
                store.enter(
                    hop(0),
                    Entry {
                        key: (i % 7) as i64,
                        id: -(i as i64),
                        at,
                    },
                );
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
        let mut store = RowStore::new(0, 1 << 30, &std::env::temp_dir());
        let row = vec![b'a'; 3 * SEGMENT];
        let at = store.push(&row).unwrap();
        assert_eq!(store.get(at), Some(row.as_slice()));
    }

    #[test]
    fn rows_of_a_key_come_in_order_of_their_ids() {
        let (mut store, _) = store_of(1 << 30, 100);
        store.sort(None);
        let ids: Vec<i64> = store
            .found(hop(0), 3)
            .iter()
            .map(|entry| entry.id)
            .collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(ids, sorted);
        assert_eq!(ids.len(), 14);
        assert!(store.found(hop(0), 99).is_empty());
    }

    #[test]
    fn rows_of_several_hops_are_united_unless_a_key_stands_for_several() {
        // By hop: keys and bytes of the rows that it found.
        let united = |hops: [&[(i64, &str)]; 2]| {
            let mut store = RowStore::new(2, 1 << 20, &std::env::temp_dir());
            for (position, rows) in hops.into_iter().enumerate() {
                for (id, row) in rows {
                    let at = store.push(row.as_bytes()).unwrap();
                    store.enter(
                        HopId::at(position),
                        Entry {
                            key: 1,
                            id: *id,
                            at,
                        },
                    );
                }
            }
            let is_united = store.unite(&[hop(0), hop(1)]);
            let mut places: Vec<RowAt> = (0..2)
                .flat_map(|position| store.all(hop(position)))
                .map(|it| it.at)
                .collect();
            places.sort();
            places.dedup();
            (is_united, places.len())
        };
        assert_eq!(
            united([&[(1, "a"), (2, "b")], &[(2, "b"), (3, "c")]]),
            (true, 3)
        );
        assert!(!united([&[(1, "a")], &[(1, "b")]]).0);
        assert!(!united([&[(1, "a"), (1, "a")], &[]]).0);
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
            let mut store = RowStore::new(1, 1 << 20, &std::env::temp_dir());
            for (id, key) in keys.iter().enumerate().rev() {
                let at = store.push(b"row").unwrap();
                let (key, id) = (*key, id as i64);
                store.enter(hop(0), Entry { key, id, at });
            }
            store.sort(None);
            let near = keys
                .iter()
                .flat_map(|key| [key.saturating_sub(1), *key, key.saturating_add(1)]);
            for key in near.chain([0, i64::MIN, i64::MAX]) {
                let ids: Vec<i64> = store
                    .found(hop(0), key)
                    .iter()
                    .map(|entry| entry.id)
                    .collect();
                let wanted = keys.iter().enumerate().filter(|(_, other)| **other == key);
                let wanted: Vec<i64> = wanted.map(|(id, _)| id as i64).collect();
                assert_eq!(ids, wanted, "{key} of {keys:?}");
            }
        }
    }
}
