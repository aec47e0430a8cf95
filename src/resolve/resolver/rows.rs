//! Rows on their way through the pool: blocks are scanned side by side, and what was found is taken in order.

use std::io;
use std::sync::Arc;

use crate::resolve::error::ResolveError;
use crate::resolve::keys::IndexKey;
use crate::resolve::plan::TableId;
use crate::resolve::stage::{self, StagedRows};
use crate::resolve::store::Entry;
use crate::snapshot::{Block, Position, SnapshotError};

use super::job::Job;
use super::table_state::Progress;
use super::{Pass, Resolver, SlotState};

/// Bad rows of a table that are described; the others are only counted.
const DESCRIBED: usize = 100;

impl Resolver {
    /// Takes rows of a table whose data has begun. Returns soon; the pool does the work.
    ///
    /// # Errors
    /// If temp files cannot be written, or the entity directory finds a row that it cannot read.
    pub(crate) fn rows(&mut self, table: TableId, block: Block) -> Result<(), ResolveError> {
        let current = match &self.tables[table].progress {
            Progress::Reading(current) => current,
            Progress::Awaited | Progress::Read | Progress::Empty => {
                return Err(ResolveError::Unannounced {
                    table: self.plan.tables[table].name.to_string(),
                });
            }
        };
        // The table's trouble says why its rows cannot be used.
        let Some((head, scanner)) = current else {
            return Ok(());
        };
        // Parts of a table may be read at the same time under heads of their own.
        let scanner = if Arc::ptr_eq(head, &block.head) || **head == *block.head {
            Arc::clone(scanner)
        } else {
            match self.scanner(table, &block.head, Pass::Snapshot) {
                Ok(scanner) => Arc::new(scanner),
                Err(error) => {
                    self.tables[table].broken(error.to_string());
                    return Ok(());
                }
            }
        };
        self.tables[table].coverage.rows(scanner.absent());
        if scanner.may_stage() {
            self.may_wait += block.bytes().len() as u64;
        }
        let is_packed = self.may_wait > stage::UNPACKED;
        let oldest = self.fan_out.give(move || {
            let mut scanned = scanner.scan(&block);
            let waiting = StagedRows::new(std::mem::take(&mut scanned.staged), is_packed);
            Ok(Job {
                table,
                scanned,
                waiting,
                staged: None,
            })
        });
        self.take_oldest(oldest)?;
        while let Some(ready) = self.fan_out.take_ready() {
            self.take(ready?)?;
        }
        Ok(())
    }

    /// Waits until every block that was given has been scanned.
    pub(super) fn drain(&mut self) -> Result<(), ResolveError> {
        while let Some(oldest) = self.fan_out.take() {
            self.take(oldest?)?;
        }
        Ok(())
    }

    /// Takes the job that had to make room for a new one, if one had to.
    pub(super) fn take_oldest(
        &mut self,
        oldest: Option<io::Result<Job>>,
    ) -> Result<(), ResolveError> {
        match oldest {
            Some(oldest) => self.take(oldest?),
            None => Ok(()),
        }
    }

    /// Keeps, stages and notes what a job found.
    ///
    /// # Errors
    /// As [`Resolver::rows`].
    fn take(&mut self, job: Job) -> Result<(), ResolveError> {
        let Job {
            table,
            scanned,
            waiting,
            staged,
        } = job;
        let state = &mut self.tables[table];
        let mut places = Vec::with_capacity(scanned.ranges.len());
        for (range, start) in scanned.ranges.iter().zip(&scanned.starts) {
            let before = staged.and_then(|block| state.staging.kept(block.number, *start));
            let at = match before {
                Some(at) => at,
                None => self.store.push(&scanned.kept[range.clone()])?,
            };
            if let Some(block) = staged.filter(|block| block.stays) {
                state.staging.note_kept(block.number, *start, at);
            }
            places.push(at);
        }
        for found in &scanned.found {
            self.store.enter(
                found.hop,
                found.key,
                Entry {
                    id: found.id,
                    at: places[found.row],
                },
            )?;
        }
        for fed in scanned.fed.chunk_by(|one, next| one.0 == next.0) {
            if let SlotState::Open(keys) = &mut self.slots[fed[0].0] {
                keys.add_integers(fed.iter().map(|(_, key)| *key));
            }
        }
        for (slot, key) in &scanned.fed_wide {
            if let SlotState::Open(keys) = &mut self.slots[*slot] {
                keys.insert(IndexKey::Wide(*key));
            }
        }
        for (slot, above, own) in scanned.below {
            self.below.entry(slot).or_default().push((above, own));
        }
        if !waiting.is_empty() {
            let number = state.staging.push(&waiting, &self.limits.temp_dir)?;
            self.staged_bytes += waiting.size();
            for (kept, start) in &scanned.kept_and_staged {
                state.staging.note_kept(number, *start, places[*kept]);
            }
        }
        if !scanned.observed.is_empty() {
            self.directories.observe(
                &self.plan.tables[table],
                &scanned.observed,
                &scanned.observed_positions,
            )?;
        }
        if let Some(broken) = scanned.broken {
            let table = &self.plan.tables[table];
            let error = SnapshotError::Damaged {
                place: Position {
                    table: Some(table.name.to_string()),
                    row: Some(broken.row),
                    offset: Some(broken.offset),
                    ..Position::default()
                },
                reason: broken.reason,
            };
            // As where the reader finds it: without these there is nothing to export.
            if table.is_observed() {
                return Err(error.into());
            }
            state.broken(error.to_string());
        }
        let described = &mut state.trouble.bad_rows;
        let room = DESCRIBED.saturating_sub(described.len());
        described.extend(scanned.bad.into_iter().take(room));
        state.trouble.bad_count += scanned.bad_rows;
        Ok(())
    }
}
