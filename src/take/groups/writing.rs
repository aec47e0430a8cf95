//! Rows on their way to the files of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::super::files::{Files, StopReason};
use super::super::{TakeError, TakeRequest};
use super::parents::Parents;
use crate::resolve::{EntityInfo, Outcome, ResolveError, TableId};
use crate::snapshot;
use crate::snapshot::{Block, BlockHead};

/// Bytes of a table's rows that are written together.
const BLOCK: usize = 1 << 20;

/// Blocks on the pool.
const WINDOW: usize = 6;

/// Rows on their way to the files.
pub(super) struct Writing {
    files: Files,
    /// What each table's rows are like, and those that are waiting to be enough for a block.
    heads: BTreeMap<TableId, (Arc<BlockHead>, Vec<u8>)>,
    /// Why nothing more can be written.
    stop: Option<StopReason>,
    /// By kind.
    parents: Vec<Parents>,
}

impl Writing {
    /// Begins the files of all tables for which the source has data, but of none in other entities' schemas.
    pub(super) fn begin(
        request: &TakeRequest,
        outcome: &Outcome,
        others: &BTreeSet<String>,
        folder: &Path,
    ) -> Result<Self, StopReason> {
        let resolved = &outcome.resolved;
        let plan = &*resolved.plan;
        let mut files = Files::new(folder, &outcome.catalog, &request.pool, WINDOW);
        let mut heads = BTreeMap::new();
        for (id, table) in plan.tables.enumerate() {
            if resolved.unseen.contains(&id) && resolved.without_data.contains_key(&id) {
                continue;
            }
            if others.contains(&table.name.schema) {
                continue;
            }
            let head = Arc::new(table.layout_head());
            // A column without data stays one.
            let absent = resolved.absent.get(&id);
            let there = |position: &usize| !absent.is_some_and(|it| it.contains(position));
            let written = (0..table.layout.len()).filter(there);
            let written = written.map(|at| table.layout[at].name.clone()).collect();
            files.begin_with(&head, written)?;
            heads.insert(id, (head, Vec::new()));
        }
        Ok(Writing {
            files,
            heads,
            stop: None,
            parents: Parents::all(&request.kinds, plan),
        })
    }

    /// Takes a row of a table.
    pub(super) fn row(&mut self, table: TableId, row: &[u8]) -> Result<(), ResolveError> {
        for parents in &mut self.parents {
            parents.note(table, row);
        }
        if let Some((_, waiting)) = self.heads.get_mut(&table) {
            waiting.extend_from_slice(row);
            waiting.push(b'\n');
            if waiting.len() >= BLOCK
                && let Err(stop) = self.hand_over(table)
            {
                self.stop = Some(stop);
                return Err(ResolveError::Interrupted);
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, table: TableId) -> Result<(), StopReason> {
        let Some((head, waiting)) = self.heads.get_mut(&table) else {
            return Ok(());
        };
        let rows = std::mem::take(waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let range: Range<usize> = 0..rows.len();
        self.files.rows(Block {
            head: Arc::clone(head),
            buffer: Arc::new(rows),
            range,
            offset: 0,
            first_row: 0,
            converted: None,
        })
    }

    /// Why nothing more could be written, if that is so.
    pub(super) fn take_stop(&mut self) -> Option<StopReason> {
        self.stop.take()
    }

    /// Makes sure that whatever is above these entities was written.
    pub(super) fn check_parents(&self, entities: &[EntityInfo]) -> Result<(), TakeError> {
        let mut parents = self.parents.iter();
        parents.try_for_each(|parents| parents.check(entities))
    }

    /// Gives the files their names.
    pub(super) fn finish(mut self) -> Result<Vec<snapshot::DescribedTable>, StopReason> {
        let tables: Vec<TableId> = self.heads.keys().copied().collect();
        for table in tables {
            self.hand_over(table)?;
        }
        self.files.finish()
    }
}
