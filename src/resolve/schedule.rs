//! Which tables to open next, where a snapshot lets any be opened at any time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::snapshot::TableSource;

use super::plan::{Plan, TableId};
use super::resolver::Resolver;

/// Bytes on disk from which a table is worth reading before its parents are known, at the price of staging rows.
const LARGE: u64 = 16 << 20;

/// Staging the rows of a table costs about this part of reading it: nothing is won where what is awaited is read sooner.
const WORTH: u64 = 4;

/// The tables that have not been opened yet, and those that are being read.
pub(super) struct Schedule {
    unread: BTreeSet<TableId>,
    /// Bytes on disk, by table.
    sizes: HashMap<TableId, u64>,
    /// Parts that are still being read, by table.
    running: HashMap<TableId, usize>,
    readers: usize,
}

impl Schedule {
    /// All tables that the plan reads, for so many reading threads.
    pub(crate) fn new(plan: &Plan, source: &dyn TableSource, readers: usize) -> Self {
        let tables = plan.tables.ids();
        let unread: BTreeSet<TableId> = tables.filter(|table| plan.is_read(*table)).collect();
        let size = |table: &TableId| -> u64 {
            let parts = source.parts(&plan.tables[*table].name);
            parts.iter().map(|part| part.size).sum()
        };
        let sizes = unread.iter().map(|table| (*table, size(table))).collect();
        Schedule {
            unread,
            sizes,
            running: HashMap::new(),
            readers,
        }
    }

    /// The tables to open now, largest first. Those of the entity search come first and alone, because they name the
    /// keys of everything else; then always those whose parents are known. A large table does not wait
    /// for its parents while a reader is idle. Where nothing is being read and no table's parents are known
    /// (trees that come back to each other's tables), it is the one that has to stage for the fewest hops.
    pub(crate) fn next(&mut self, plan: &Plan, resolver: &Resolver) -> Vec<TableId> {
        let of = |wanted: &dyn Fn(TableId) -> bool| -> Vec<TableId> {
            let tables = self.unread.iter().copied();
            tables.filter(|table| wanted(*table)).collect()
        };
        let mut next = of(&|table| plan.tables[table].is_observed());
        if next.is_empty() {
            next = of(&|table| resolver.is_ready(table));
        }
        let busy: usize = self.running.values().sum();
        if next.is_empty() && busy > 0 && busy < self.readers && self.entities_read(plan) {
            let awaited: u64 = self.running.keys().map(|table| self.sizes[table]).sum();
            let large = of(&|table| {
                let size = self.sizes[&table];
                size >= LARGE && size / WORTH <= awaited && resolver.is_begun(table)
            });
            next.extend(large.into_iter().max_by_key(|table| self.sizes[table]));
        }
        if next.is_empty() && busy == 0 {
            let fewest = self
                .unread
                .iter()
                .min_by_key(|table| resolver.open_hops(**table));
            next.extend(fewest);
        }
        next.sort_by_key(|table| Reverse(self.sizes[table]));
        for table in &next {
            self.unread.remove(table);
        }
        next
    }

    /// So many parts of a table are being read.
    pub(crate) fn started(&mut self, table: TableId, parts: usize) {
        self.running.insert(table, parts);
    }

    /// A part of a table has been read; true where it was the last.
    pub(crate) fn ended(&mut self, table: TableId) -> bool {
        let left = self.running.get(&table).map_or(0, |parts| parts - 1);
        match left {
            0 => self.running.remove(&table),
            left => self.running.insert(table, left),
        };
        left == 0
    }

    /// True while parts are being read.
    pub(crate) fn is_reading(&self) -> bool {
        !self.running.is_empty()
    }

    /// True where every table has been opened.
    pub(crate) fn is_through(&self) -> bool {
        self.unread.is_empty()
    }

    fn entities_read(&self, plan: &Plan) -> bool {
        !self
            .running
            .keys()
            .any(|table| plan.tables[*table].is_observed())
    }
}
