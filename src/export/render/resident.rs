//! Reading back what a batch needs of the rows that were moved out of memory.

use std::collections::HashMap;
use std::ops::Range;

use crate::resolve::{Entry, Reach, RowAt, parse_integer};

use super::compile::{Nested, Node, Value};
use super::{Renderer, nth_field};

/// Rows that were moved out of memory, read back for one batch.
#[derive(Default)]
pub struct Resident {
    pub(super) rows: HashMap<RowAt, Range<usize>>,
    pub(super) bytes: Vec<u8>,
}

impl Renderer {
    /// Reads back what a batch needs of the rows that were moved out of memory, level by level, in the order of
    /// the temp file. Blocks on the disk, so it runs on a plain thread.
    ///
    /// # Errors
    /// Where the temp file cannot be read.
    pub fn load(&self, relation: usize, entries: &[Entry]) -> std::io::Result<Resident> {
        let mut resident = Resident::default();
        if self.store.spilled() == 0 {
            return Ok(resident);
        }
        if let Some(node) = &self.nodes[relation] {
            self.load_level(node, entries, &mut resident)?;
        }
        Ok(resident)
    }

    pub(super) fn load_rows(
        &self,
        entries: &[Entry],
        resident: &mut Resident,
    ) -> std::io::Result<()> {
        let mut places: Vec<RowAt> = entries
            .iter()
            .map(|entry| entry.at)
            .filter(|at| self.store.get(*at).is_none())
            .collect();
        places.sort_unstable();
        places.dedup();
        for at in places {
            if let std::collections::hash_map::Entry::Vacant(vacant) = resident.rows.entry(at) {
                let from = resident.bytes.len();
                self.store.read(at, &mut resident.bytes)?;
                vacant.insert(from..resident.bytes.len());
            }
        }
        Ok(())
    }

    fn load_level(
        &self,
        node: &Node,
        entries: &[Entry],
        resident: &mut Resident,
    ) -> std::io::Result<()> {
        self.load_rows(entries, resident)?;
        let mut lookups: Vec<&Reach> = Vec::new();
        for field in &node.fields {
            if let Value::Lookup { reach, .. } = &field.value {
                lookups.push(reach);
            }
        }
        let keys = |reach: &Reach, rows: &[Entry], resident: &Resident| -> Vec<Entry> {
            let mut found = Vec::new();
            for entry in rows {
                let row = self.row_of(entry.at, resident).unwrap_or_default();
                let field = nth_field(row, reach.parent);
                if let Some(key) = parse_integer(field) {
                    found.extend_from_slice(self.store.found(reach.hop, key));
                }
            }
            found
        };
        for reach in lookups {
            let found = keys(reach, entries, resident);
            self.load_rows(&found, resident)?;
        }
        for nested in &node.nested {
            let Nested::Node { node: child, .. } = nested else {
                continue;
            };
            let mut found = Vec::new();
            for reach in &child.reach {
                found.extend(keys(reach, entries, resident));
            }
            if let Some(through) = &child.through {
                self.load_rows(&found, resident)?;
                found = keys(
                    &Reach {
                        parent: through.to,
                        hop: through.hop,
                    },
                    &found,
                    resident,
                );
            }
            found.sort_unstable();
            found.dedup();
            self.load_level(child, &found, resident)?;
        }
        Ok(())
    }
}
