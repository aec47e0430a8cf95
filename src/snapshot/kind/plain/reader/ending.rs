//! The end of a dump, good or bad, and where in it something is wrong.

use super::*;
use crate::snapshot::error::Position;

const ENDS_EARLY: &str = "the dump ends early: it is cut off, copy or dump it again";

const NOT_COMMITTED: &str = "the dump ends early, before the COMMIT of a transaction that holds rows: \
     it is cut off, copy or dump it again";

impl Reader<'_> {
    /// Names the table that was being read where `error` says that the stream ends early.
    pub(crate) fn place(&self, error: SnapshotError) -> SnapshotError {
        match error {
            SnapshotError::CutOff { place, reason } => {
                let (table, row) = self.table_and_row();
                let place = Position {
                    table,
                    row,
                    ..place
                };
                SnapshotError::CutOff { place, reason }
            }
            other => other,
        }
    }

    /// The table whose rows are being read, and the number of the next row.
    pub(super) fn table_and_row(&self) -> (Option<String>, Option<u64>) {
        match (&self.state, &self.run) {
            (State::Copy(block), _) => (Some(block.table.to_string()), Some(block.rows + 1)),
            (State::InsertRows(_) | State::InsertTail, Some(run)) => {
                (Some(run.table.to_string()), Some(run.rows + 1))
            }
            _ => (None, None),
        }
    }

    /// Ends the reading: the stream has no more.
    pub(crate) fn finish(mut self) -> Result<(), SnapshotError> {
        let open = match &self.state {
            State::Noise if self.offset == 0 => return Err(self.not_a_snapshot("it is empty")),
            State::Noise => return Err(self.not_a_snapshot("it does not begin like a dump")),
            State::Between => self.frame.is_open().then_some((None, None)),
            State::Copy(_)
            | State::InsertRows(_)
            | State::InsertTail
            | State::Statement
            | State::InsertHead
            | State::Comment(_) => Some(self.table_and_row()),
        };
        if let Some((table, row)) = open {
            return Err(self.cut_off(table, row, self.offset));
        }
        if self.changes.transaction.is_pending() {
            let error = self.cut_off(None, None, self.offset);
            return Err(match error {
                SnapshotError::CutOff { place, .. } => SnapshotError::CutOff {
                    place,
                    reason: NOT_COMMITTED.into(),
                },
                other => other,
            });
        }
        if !self.any_table && self.frame.facts.dump_version.is_none() {
            return Err(self.not_a_snapshot("it has no table, and nothing that pg_dump writes"));
        }
        if self.end_run().is_some() && self.tell_catalog().is_continue() {
            let keys = self.ddl.catalog().keys();
            let told = self.told.as_ref().map(|told| told.keys());
            if told != Some(keys) && (self.sink)(Event::Keys(keys.clone())).is_break() {
                return Ok(());
            }
            if self.is_whole {
                let mut holdings = self.frame.holdings(self.ddl.catalog());
                holdings.warnings.extend(self.about_code());
                for warning in &holdings.warnings {
                    tracing::warn!("{warning}");
                }
                // The last event: whether the sink breaks makes no difference.
                let _ = (self.sink)(Event::Holdings(holdings));
            }
        }
        Ok(())
    }

    pub(super) fn damaged(
        &self,
        table: Option<String>,
        row: Option<u64>,
        offset: u64,
        reason: &str,
    ) -> SnapshotError {
        let member = self.origin.member.clone();
        let place = Position {
            member,
            table,
            row,
            offset: Some(offset),
            line: None,
        };
        SnapshotError::Damaged {
            place,
            reason: reason.into(),
        }
    }

    pub(super) fn cut_off(
        &self,
        table: Option<String>,
        row: Option<u64>,
        offset: u64,
    ) -> SnapshotError {
        SnapshotError::CutOff {
            place: Position {
                member: self.origin.member.clone(),
                table,
                row,
                offset: Some(offset),
                line: None,
            },
            reason: ENDS_EARLY.into(),
        }
    }

    pub(super) fn not_a_snapshot(&self, reason: &str) -> SnapshotError {
        let path = match &self.origin.member {
            Some(member) => format!("{}: {member}", self.origin.source),
            None => self.origin.source.clone(),
        };
        SnapshotError::NotASnapshot {
            path,
            reason: reason.into(),
        }
    }
}
