//! Settling: sealing the slots whose keys have become known, and deciding the rows that waited for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::snapshot::{Block, BlockHead, RowForm};

use super::{Job, Pass, Resolver, SlotState, StageBlock};
use crate::resolve::error::ResolveError;
use crate::resolve::keys::KeySet;
use crate::resolve::plan::{HopId, SlotId, SlotSource, TableId};
use crate::resolve::stage;

impl Resolver {
    /// Seals what can be sealed and decides what waited for it, until nothing moves any more.
    pub(super) fn settle(&mut self) -> Result<(), ResolveError> {
        loop {
            let mut moved = self.seal_entities()?;
            for hop in 0..self.plan.hops.len() {
                let (table, slot) = (self.plan.hops[hop].table, self.plan.hops[hop].slot);
                let waits = self.tables[table]
                    .staged_hops
                    .as_ref()
                    .is_some_and(|hops| hops.contains(&hop));
                if !self.hop_done[hop]
                    && self.tables[table].gone
                    && self.slots[slot].sealed().is_some()
                    && !waits
                {
                    self.hop_done[hop] = true;
                    moved = true;
                }
            }
            for slot in 0..self.slots.len() {
                moved |= self.seal(slot);
            }
            for table in 0..self.tables.len() {
                moved |= self.unstage(table)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn seal(&mut self, slot: SlotId) -> bool {
        let hops = self.plan.slots[slot].hops();
        let is_of_rows = matches!(
            self.plan.slots[slot],
            SlotSource::Rows { .. } | SlotSource::Collected { .. }
        );
        if !is_of_rows || !hops.iter().all(|hop| self.hop_done[*hop]) {
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

    fn seal_entities(&mut self) -> Result<bool, ResolveError> {
        if self.entities.is_none() && self.observed_gone() {
            // Known as early as possible, so that a wrong name ends the run at once.
            self.entities()?;
        }
        let is_open = |slot: &SlotState, source: &SlotSource| {
            matches!(source, SlotSource::EntityKey | SlotSource::EntityRoot)
                && slot.sealed().is_none()
        };
        let open: Vec<SlotId> = (0..self.slots.len())
            .filter(|slot| is_open(&self.slots[*slot], &self.plan.slots[*slot]))
            .collect();
        if open.is_empty() || !self.observed_gone() {
            return Ok(false);
        }
        let entities = self.entities()?;
        for slot in open {
            let keys = match self.plan.slots[slot] {
                SlotSource::EntityRoot => entities.iter().map(|entity| entity.root).collect(),
                _ => entities.iter().map(|entity| entity.id).collect(),
            };
            self.slots[slot] = SlotState::Sealed(Arc::new(KeySet::Only(keys)));
        }
        Ok(true)
    }

    /// Decides staged rows of a table where every hop that they wait for can be decided; at the snapshot's end
    /// also where only some can, because a tree may come back to a table (a parent's parent).
    fn unstage(&mut self, table: TableId) -> Result<bool, ResolveError> {
        let waiting = match &self.tables[table].staged_hops {
            Some(hops) if self.tables[table].gone && !hops.is_empty() => hops.clone(),
            _ => return Ok(false),
        };
        let (ready, later): (Vec<HopId>, Vec<HopId>) = waiting
            .into_iter()
            .partition(|hop| self.slots[self.plan.hops[*hop].slot].sealed().is_some());
        let own_rows_needed = later.iter().any(|hop| {
            self.plan.slots[self.plan.hops[*hop].slot]
                .hops()
                .iter()
                .any(|source| ready.contains(source))
        });
        if ready.is_empty() || !(later.is_empty() || self.at_end || own_rows_needed) {
            return Ok(false);
        }
        if let Some(mut stage) = self.tables[table].stage.take() {
            let head = Arc::new(BlockHead {
                table: self.plan.tables[table].name.clone(),
                columns: self.plan.tables[table]
                    .layout
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
                form: RowForm::CopyText,
            });
            let rows_so_far = self.tables[table].rows;
            // The layout is cut from the table's definition, so this scanner always fits; were it not so, the table is broken.
            match self.scanner(table, &head, Pass::Stage) {
                Err(reason) => self.tables[table].trouble.broken = Some(reason),
                Ok(scanner) => {
                    let scanner = Arc::new(scanner);
                    for (number, packed) in stage.blocks()?.enumerate() {
                        let block_of_stage = StageBlock {
                            number,
                            stays: !later.is_empty(),
                        };
                        let (packed, scanner, head) =
                            (packed?, Arc::clone(&scanner), Arc::clone(&head));
                        let oldest = self.fan_out.give(move || {
                            let rows = stage::unpack(&packed)?;
                            let range = 0..rows.len();
                            let block = Block {
                                head,
                                buffer: Arc::new(rows),
                                range,
                                offset: 0,
                                first_row: 0,
                                converted: None,
                            };
                            Ok(Job {
                                table,
                                scanned: scanner.scan(&block),
                                packed: Vec::new(),
                                stage: Some(block_of_stage),
                            })
                        });
                        self.take(oldest)?;
                    }
                    self.drain()?;
                }
            }
            // Rows of a stage have been counted when they went by.
            self.tables[table].rows = rows_so_far;
            match later.is_empty() {
                true => self.tables[table].kept_of_stage = HashMap::default(),
                false => self.tables[table].stage = Some(stage),
            }
        }
        self.tables[table].staged_hops = Some(later);
        Ok(true)
    }
}
