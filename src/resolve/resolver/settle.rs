//! Settling: sealing the slots whose keys have become known, and deciding the rows that waited for them.

use std::sync::Arc;

use crate::resolve::error::ResolveError;
use crate::resolve::keys::KeySet;
use crate::resolve::plan::{HopId, SlotId, SlotSource, TableId};
use crate::resolve::scan::layout_block;
use crate::resolve::stage::{self, Stage};

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
        let hops = match &self.plan.slots[slot] {
            SlotSource::EntityKey | SlotSource::EntityRoot => return false,
            SlotSource::Rows { hops, .. } | SlotSource::Collected { hops, .. } => hops,
        };
        if !hops.iter().all(|hop| self.hop_done[*hop]) {
            return false;
        }
        match &mut self.slots[slot] {
            SlotState::Sealed(_) => false,
            SlotState::Open(keys) => {
                let keys = KeySet::Only(std::mem::take(keys));
                self.slots[slot] = SlotState::Sealed(Arc::new(keys));
                true
            }
        }
    }

    /// Seals the slots of the entities, when it is known who they are. True if that is so from now on.
    fn seal_entities(&mut self) -> Result<bool, ResolveError> {
        if !self.observed_gone() {
            return Ok(false);
        }
        // Known as early as possible, so that a wrong name ends the run at once.
        if self.entities.is_none() {
            self.entities()?;
        }
        let slots = self.plan.slots.enumerate();
        let is_of_entities =
            |source: &SlotSource| matches!(source, SlotSource::EntityKey | SlotSource::EntityRoot);
        let open: Vec<SlotId> = slots
            .filter(|(slot, source)| is_of_entities(source) && self.slots[*slot].sealed().is_none())
            .map(|(slot, _)| slot)
            .collect();
        if open.is_empty() {
            return Ok(false);
        }
        let entities = self.entities()?;
        for slot in open {
            let is_root = self.plan.slots[slot] == SlotSource::EntityRoot;
            let keys = entities.iter().map(|entity| {
                let (id, root) = entity.integers()?;
                Ok(if is_root { root } else { id })
            });
            let keys = keys.collect::<Result<_, ResolveError>>()?;
            self.slots[slot] = SlotState::Sealed(Arc::new(KeySet::Only(keys)));
        }
        Ok(true)
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
        let sources = |hop: &HopId| self.plan.slots[self.plan.hops[*hop].slot].hops();
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
        for (number, packed) in stage.blocks()?.enumerate() {
            let staged = StagedBlock { number, stays };
            let (packed, scanner, head) = (packed?, Arc::clone(&scanner), Arc::clone(&head));
            let oldest = self.fan_out.give(move || {
                let block = layout_block(head, stage::unpack(&packed)?);
                Ok(Job {
                    table,
                    scanned: scanner.scan(&block),
                    packed: Vec::new(),
                    staged: Some(staged),
                })
            });
            self.take_oldest(oldest)?;
        }
        self.drain()
    }
}
