//! What a batch is rendered from: the store, and what had to be read back of the rows that were moved out of memory.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::pipeline::EntityId;
use crate::resolve::{
    Entry, HopId, IndexKey, Key, KeyRead, RowAt, RowStore, WholeRow, entity_index,
};

use super::Renderer;
use super::compile::{From, Nested, Node, Reach};

/// A store, and rows of it that were moved out of memory, read back for one batch.
pub struct Resident {
    store: Arc<RowStore>,
    rows: HashMap<RowAt, Range<usize>>,
    bytes: Vec<u8>,
}

/// What top-level rows are found by.
#[derive(Clone, Copy)]
pub(super) enum Top<'a> {
    Entity {
        key: &'a EntityId,
        root: &'a EntityId,
    },
    Collected(&'a [Key]),
}

impl Top<'_> {
    /// The keys by which a reach of the first step is taken.
    fn keys(&self, reach: &Reach) -> Vec<IndexKey> {
        let of_entity = |id: &EntityId| entity_index(&reach.shape, id).into_iter().collect();
        match (self, &reach.from) {
            (_, From::Everything) => vec![IndexKey::Integer(0)],
            (Top::Entity { key, .. }, From::EntityKey) => of_entity(key),
            (Top::Entity { root, .. }, From::EntityRoot) => of_entity(root),
            (Top::Collected(keys), From::Collected) => {
                let keys = keys.iter();
                keys.filter_map(|key| reach.shape.index(key)).collect()
            }
            // There is no row above a top-level one, and a relation is of one kind.
            (Top::Entity { .. }, From::Collected | From::Columns(_))
            | (Top::Collected(_), From::EntityKey | From::EntityRoot | From::Columns(_)) => {
                Vec::new()
            }
        }
    }
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
    pub(super) fn found(&self, hop: HopId, key: IndexKey) -> impl Iterator<Item = Entry> + '_ {
        self.store.found(hop, key)
    }

    /// Adds the rows that a hop found by this key.
    #[inline]
    pub(super) fn find(&self, hop: HopId, key: IndexKey, entries: &mut Vec<Entry>) {
        self.store.find(hop, key, entries);
    }

    /// The top-level rows at the end of these steps, in no order, and maybe several times.
    ///
    /// # Errors
    /// Where rows of a table between were moved out of memory and cannot be read back.
    pub(super) fn top(
        &mut self,
        steps: &[Vec<Reach>],
        top: Top<'_>,
    ) -> std::io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let Some((first, others)) = steps.split_first() else {
            return Ok(entries);
        };
        for reach in first {
            for key in top.keys(reach) {
                entries.extend(self.found(reach.hop, key));
            }
        }
        for step in others {
            self.load(&entries)?;
            entries = self.reached(step, &entries);
        }
        Ok(entries)
    }

    /// The rows that a step comes to from these rows.
    pub(super) fn reached(&self, step: &[Reach], rows: &[Entry]) -> Vec<Entry> {
        let mut found = Vec::new();
        for reach in step {
            self.reach(reach, rows, &mut found);
        }
        found
    }

    fn reach(&self, reach: &Reach, rows: &[Entry], found: &mut Vec<Entry>) {
        let From::Columns(columns) = &reach.from else {
            return;
        };
        for entry in rows {
            let row = WholeRow(self.row(entry.at).unwrap_or_default());
            match reach.shape.read(&row, columns) {
                KeyRead::Is(key) => found.extend(self.found(reach.hop, key)),
                // What is no value of its type fails when it is rendered.
                KeyRead::Null | KeyRead::Wrong(_) => {}
            }
        }
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

    /// The rows below these in a tree, at any depth, and these themselves, each once.
    fn with_below(&mut self, node: &Node, mut entries: Vec<Entry>) -> std::io::Result<Vec<Entry>> {
        once(&mut entries);
        let Some((_, reach)) = &node.tree else {
            return Ok(entries);
        };
        let mut seen: std::collections::HashSet<RowAt> =
            entries.iter().map(|entry| entry.at).collect();
        let mut level = entries.clone();
        while !level.is_empty() {
            self.load(&level)?;
            let mut below = Vec::new();
            self.reach(reach, &level, &mut below);
            below.retain(|entry| seen.insert(entry.at));
            entries.extend_from_slice(&below);
            level = below;
        }
        Ok(entries)
    }

    fn load_level(&mut self, node: &Node, entries: &[Entry]) -> std::io::Result<()> {
        let entries = self.with_below(node, entries.to_vec())?;
        self.load(&entries)?;
        for field in node.fields.iter().chain(&node.last) {
            for reach in field.value.lookups() {
                let found = self.reached(std::slice::from_ref(reach), &entries);
                self.load(&found)?;
            }
        }
        let over = match &node.overlay {
            Some(overlay) => match &node.nested[overlay.nested] {
                Nested::Node { node: child, .. } => self.load_steps(child, &entries, &[])?,
                Nested::Empty { .. } => Vec::new(),
            },
            None => Vec::new(),
        };
        for nested in &node.nested {
            let Nested::Node { node: child, .. } = nested else {
                continue;
            };
            let found = self.load_steps(child, &entries, &over)?;
            self.load_level(child, &found)?;
        }
        Ok(())
    }

    /// Reads back the rows that a node's steps come by, and gives those at their end. `over` are rows that lie over those
    /// that the steps begin at.
    fn load_steps(
        &mut self,
        node: &Node,
        entries: &[Entry],
        over: &[Entry],
    ) -> std::io::Result<Vec<Entry>> {
        let mut found = entries.to_vec();
        let mut over = over.to_vec();
        for step in &node.steps {
            self.load(&found)?;
            self.load(&over)?;
            let mut next = self.reached(step, &found);
            for reach in step {
                self.reach_of_overlay(reach, &over, &mut next);
            }
            found = next;
            over.clear();
            once(&mut found);
        }
        Ok(found)
    }

    fn reach_of_overlay(&self, reach: &Reach, rows: &[Entry], found: &mut Vec<Entry>) {
        if let Some(columns) = &reach.over {
            let from = Reach {
                from: From::Columns(columns.clone()),
                over: None,
                ..reach.clone()
            };
            self.reach(&from, rows, found);
        }
    }
}

/// Each row once.
fn once(entries: &mut Vec<Entry>) {
    entries.sort_unstable();
    entries.dedup();
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
