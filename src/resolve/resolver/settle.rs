//! Settling: sealing the slots whose keys have become known, and deciding the rows that waited for them.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::resolve::error::ResolveError;
use crate::resolve::keys::{IndexKey, KeySet, OpenKeys, entity_index};
use crate::resolve::plan::{HopId, Slot, SlotId, SlotSource, TableId};
use crate::resolve::scan::layout_block;
use crate::resolve::stage::{Stage, StagedRows};

use super::job::Job;
use super::staging::StagedBlock;
use super::{Pass, Resolver, SlotState};

impl Resolver {
    /// Seals what can be sealed and decides what waited for it, until nothing moves any more.
    pub(super) fn settle(&mut self) -> Result<(), ResolveError> {
        loop {
            let mut moved = self.seal_entities()?;
            for hop in self.plan.hops.ids() {
                if !self.hop_done[hop] && self.is_done(hop) {
                    self.hop_done[hop] = true;
                    moved = true;
                }
            }
            for slot in self.plan.slots.ids() {
                moved |= self.seal(slot);
            }
            for table in self.plan.tables.ids() {
                moved |= self.unstage(table)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// True if every row that the hop finds has been found.
    fn is_done(&self, hop: HopId) -> bool {
        let table = &self.tables[self.plan.hops[hop].table];
        table.is_gone() && self.keys_of(hop).is_some() && !table.staging.waits(hop)
    }

    /// Seals a slot that rows feed, when every hop that feeds it is done. True if that is so from now on.
    fn seal(&mut self, slot: SlotId) -> bool {
        let Slot { source, shape } = &self.plan.slots[slot];
        if source.is_of_entities() || !source.hops().iter().all(|hop| self.hop_done[*hop]) {
            return false;
        }
        if let SlotSource::Tree { below, .. } = source
            && !self.tables[self.plan.hops[*below].table].is_gone()
        {
            return false;
        }
        match &mut self.slots[slot] {
            SlotState::Sealed(_) => false,
            SlotState::Open(keys) => {
                let mut keys = std::mem::take(keys);
                if let Some(below) = self.below.remove(&slot) {
                    add_below(&mut keys, below);
                }
                let keys = KeySet::of(keys, shape.is_integer());
                self.slots[slot] = SlotState::Sealed(Arc::new(keys));
                true
            }
        }
    }

    /// Seals the slots of the entities of a kind, when it is known who they are. True if that is so from now on for some slot.
    fn seal_entities(&mut self) -> Result<bool, ResolveError> {
        // Known as early as possible, so that a wrong name ends the run at once.
        self.choose_entities()?;
        let mut moved = false;
        for (slot, Slot { source, shape }) in self.plan.slots.enumerate() {
            let (kind, is_root) = match source {
                SlotSource::EntityKey(kind) => (*kind, false),
                SlotSource::EntityRoot(kind) => (*kind, true),
                SlotSource::Everything
                | SlotSource::Rows { .. }
                | SlotSource::Tree { .. }
                | SlotSource::Collected { .. }
                | SlotSource::Given { .. } => continue,
            };
            let (None, Some(chosen)) = (self.slots[slot].sealed(), &self.kinds[kind].chosen) else {
                continue;
            };
            let directory = self.directories.of(kind);
            let ids = chosen.keys.iter().map(|key| match is_root {
                true => directory.root(key),
                false => key,
            });
            let keys = ids.filter_map(|id| entity_index(shape, &directory.written(id)));
            let keys = KeySet::of(keys.collect(), shape.is_integer());
            self.slots[slot] = SlotState::Sealed(Arc::new(keys));
            moved = true;
        }
        Ok(moved)
    }

    /// Decides staged rows of a table as far as that is due. True if something was decided.
    fn unstage(&mut self, table: TableId) -> Result<bool, ResolveError> {
        let Some(later) = self.due(table) else {
            return Ok(false);
        };
        let mut stage = self.tables[table].staging.take_stage();
        if let Some(stage) = &mut stage {
            self.scan_stage(table, stage, !later.is_empty())?;
        }
        self.tables[table].staging.decided(stage, later);
        Ok(true)
    }

    /// Whether staged rows of a table are to be decided now, and if so, the hops for which they go on waiting.
    ///
    /// A pass over the stage costs as much as reading it, so it is made when every hop that waits can be decided. It is made
    /// earlier if nothing else helps, because a tree may come back to a table (a parent's parent): if a hop waits for rows of
    /// the stage itself, and at the snapshot's end.
    fn due(&self, table: TableId) -> Option<Vec<HopId>> {
        let state = &self.tables[table];
        if !state.is_gone() {
            return None;
        }
        let waiting = state.staging.waiting().iter().copied();
        let (ready, later): (Vec<HopId>, Vec<HopId>) =
            waiting.partition(|hop| self.keys_of(*hop).is_some());
        let sources = |hop: &HopId| self.plan.slots[self.plan.hops[*hop].slot].source.hops();
        let waits_for_ready = |hop: &HopId| sources(hop).iter().any(|it| ready.contains(it));
        let is_due = later.is_empty() || self.at_end || later.iter().any(waits_for_ready);
        (!ready.is_empty() && is_due).then_some(later)
    }

    /// Scans a table's staged rows for the hops that wait and can be decided. `stays` says that the rows stay staged.
    fn scan_stage(
        &mut self,
        table: TableId,
        stage: &mut Stage,
        stays: bool,
    ) -> Result<(), ResolveError> {
        let head = Arc::new(self.plan.tables[table].layout_head());
        let scanner = match self.scanner(table, &head, Pass::Stage) {
            Ok(scanner) => Arc::new(scanner),
            // The layout is cut from the table's definition, so this scanner always fits; were it not so, the table is broken.
            Err(error) => {
                self.tables[table].trouble.broken = Some(error.to_string());
                return Ok(());
            }
        };
        for (number, rows) in stage.blocks()?.enumerate() {
            let staged = StagedBlock { number, stays };
            let (rows, scanner, head) = (rows?, Arc::clone(&scanner), Arc::clone(&head));
            let oldest = self.fan_out.give(move || {
                let block = layout_block(head, rows.into_rows()?);
                Ok(Job {
                    table,
                    scanned: scanner.scan(&block),
                    waiting: StagedRows::default(),
                    staged: Some(staged),
                })
            });
            self.take_oldest(oldest)?;
        }
        self.drain()
    }
}

/// Adds to the keys of a tree's rows those of all rows below them, at any depth. `below` has the key of the row above and
/// a row's own for every row that may be one of them.
fn add_below(keys: &mut OpenKeys, mut below: Vec<(IndexKey, IndexKey)>) {
    below.sort_unstable();
    let mut waiting: Vec<IndexKey> = keys.iter().collect();
    let mut known: HashSet<IndexKey, FixedState> = waiting.iter().copied().collect();
    while let Some(key) = waiting.pop() {
        let from = below.partition_point(|(above, _)| *above < key);
        let rows = below[from..].iter().take_while(|(above, _)| *above == key);
        for (_, own) in rows {
            // A row that was come by before goes round in a circle, which the renderer tells.
            if known.insert(*own) {
                keys.insert(*own);
                waiting.push(*own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_below_are_added_and_circles_end() {
        let key = IndexKey::Integer;
        let below = [(1, 2), (2, 3), (3, 4), (9, 10), (4, 1), (2, 5)];
        let below = below.map(|(above, own)| (key(above), key(own)));
        let mut keys: OpenKeys = [key(1)].into_iter().collect();
        add_below(&mut keys, below.to_vec());
        assert!(keys.iter().eq([1, 2, 3, 4, 5].map(key)));
    }
}
