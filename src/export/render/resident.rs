//! What a batch is rendered from: the store, and what had to be read back of the rows that were moved out of memory.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::resolve::{Entry, HopId, RowAt, RowStore, parse_integer};

use super::compile::{Nested, Node, Reach, Value};
use super::{Renderer, nth_field};

/// A store, and rows of it that were moved out of memory, read back for one batch.
pub struct Resident {
    store: Arc<RowStore>,
    rows: HashMap<RowAt, Range<usize>>,
    bytes: Vec<u8>,
}

impl Resident {
    /// The rows of a store that are in memory.
    pub fn of(store: &Arc<RowStore>) -> Self {
        Resident {
            store: Arc::clone(store),
            rows: HashMap::new(),
            bytes: Vec::new(),
        }
    }

    /// The bytes of a row, `None` where it was moved out and not read back.
    pub(super) fn row(&self, at: RowAt) -> Option<&[u8]> {
        self.store
            .get(at)
            .or_else(|| Some(&self.bytes[self.rows.get(&at)?.clone()]))
    }

    /// The rows that a hop found by this key.
    pub(super) fn found(&self, hop: HopId, key: i64) -> &[Entry] {
        self.store.found(hop, key)
    }

    /// The rows that a hop found by a column of these rows.
    pub(super) fn reached(&self, reach: &Reach, rows: &[Entry]) -> Vec<Entry> {
        let mut found = Vec::new();
        for entry in rows {
            let row = self.row(entry.at).unwrap_or_default();
            if let Some(key) = parse_integer(nth_field(row, reach.column)) {
                found.extend_from_slice(self.found(reach.hop, key));
            }
        }
        found
    }

    /// Reads back those of the rows that were moved out of memory, in the order of the temp file.
    pub(super) fn load(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let mut places: Vec<RowAt> = entries
            .iter()
            .map(|entry| entry.at)
            .filter(|at| self.store.get(*at).is_none())
            .collect();
        places.sort_unstable();
        places.dedup();
        for at in places {
            if let std::collections::hash_map::Entry::Vacant(vacant) = self.rows.entry(at) {
                let from = self.bytes.len();
                self.store.read(at, &mut self.bytes)?;
                vacant.insert(from..self.bytes.len());
            }
        }
        Ok(())
    }

    fn load_level(&mut self, node: &Node, entries: &[Entry]) -> std::io::Result<()> {
        self.load(entries)?;
        for field in &node.fields {
            if let Value::Lookup { reach, .. } = &field.value {
                let found = self.reached(reach, entries);
                self.load(&found)?;
            }
        }
        for nested in &node.nested {
            let Nested::Node { node: child, .. } = nested else {
                continue;
            };
            let mut found = Vec::new();
            for reach in &child.reach {
                found.extend(self.reached(reach, entries));
            }
            if let Some(through) = &child.through {
                self.load(&found)?;
                found = self.reached(through, &found);
            }
            found.sort_unstable();
            found.dedup();
            self.load_level(child, &found)?;
        }
        Ok(())
    }
}

impl Renderer {
    /// Reads back what a batch needs of the rows that were moved out of memory, level by level. Blocks on the disk,
    /// so it runs on a plain thread.
    ///
    /// # Errors
    /// Where the temp file cannot be read.
    pub fn load(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entries: &[Entry],
    ) -> std::io::Result<Resident> {
        let mut resident = Resident::of(store);
        if let Some(node) = self.nodes[relation]
            .as_ref()
            .filter(|_| store.spilled() > 0)
        {
            resident.load_level(node, entries)?;
        }
        Ok(resident)
    }
}
