//! What the history says.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};

use super::{History, HistoryError, LastSuccess, PastRun};
use crate::jobs::state::RunState;
use crate::jobs::volume::{RelationVolume, Volume};

/// What a [`PastRun`] is read from.
const RUN: &str = "SELECT id, job, snapshot, started, ended, state, exit_status, place, error, \
    coalesce((SELECT sum(rows) FROM relations WHERE run = number), 0), \
    coalesce((SELECT sum(bytes) FROM relations WHERE run = number), 0), \
    coalesce((SELECT sum(failed) FROM relations WHERE run = number), 0) FROM runs";

impl History {
    /// The newest runs of a job, the newest one first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn newest(&self, job: &str, count: u32) -> Result<Vec<PastRun>, HistoryError> {
        self.try_all(|connection| {
            let sql = format!("{RUN} WHERE job = ?1 ORDER BY number DESC LIMIT ?2");
            let mut runs = connection.prepare(&sql)?;
            runs.query_map(params![job, count], past_run)?.collect()
        })
    }

    /// The runs of a job that are in a state, the oldest one first.
    pub(super) fn in_state(
        &self,
        job: &str,
        state: RunState,
    ) -> Result<Vec<PastRun>, HistoryError> {
        self.try_all(|connection| {
            let sql = format!("{RUN} WHERE job = ?1 AND state = ?2 ORDER BY number");
            let mut runs = connection.prepare(&sql)?;
            runs.query_map(params![job, state.as_str()], past_run)?
                .collect()
        })
    }

    /// The jobs that have runs.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn jobs(&self) -> Result<Vec<String>, HistoryError> {
        self.try_all(|connection| {
            let mut jobs = connection.prepare("SELECT DISTINCT job FROM runs ORDER BY job")?;
            jobs.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The last run of a job that made a complete export, and how much there was in it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn last_success(&self, job: &str) -> Result<Option<LastSuccess>, HistoryError> {
        self.try_all(|connection| {
            let found: Option<(i64, i64)> = connection
                .query_row(
                    "SELECT number, coalesce(ended, started) FROM runs WHERE job = ?1 AND state = ?2 \
                     ORDER BY number DESC LIMIT 1",
                    params![job, RunState::Finished.as_str()],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((number, ended)) = found else {
                return Ok(None);
            };
            let mut relations = connection
                .prepare("SELECT name, rows, bytes, failed FROM relations WHERE run = ?1")?;
            let relations = relations.query_map([number], |row| {
                let volume = RelationVolume {
                    rows: count(row, 1)?,
                    bytes: count(row, 2)?,
                    failed: count(row, 3)?,
                };
                Ok((row.get(0)?, volume))
            })?;
            Ok(Some(LastSuccess {
                ended,
                volume: Volume {
                    relations: relations.collect::<rusqlite::Result<_>>()?,
                },
            }))
        })
    }
}

fn past_run(row: &Row<'_>) -> rusqlite::Result<PastRun> {
    let state: String = row.get(5)?;
    let state = RunState::parse(&state).ok_or_else(|| {
        let reason = format!("{state} is no state of a run");
        rusqlite::Error::FromSqlConversionFailure(5, Type::Text, reason.into())
    })?;
    Ok(PastRun {
        id: row.get(0)?,
        job: row.get(1)?,
        snapshot: row.get(2)?,
        started: row.get(3)?,
        ended: row.get(4)?,
        state,
        exit_status: row.get(6)?,
        place: row.get(7)?,
        error: row.get(8)?,
        rows: count(row, 9)?,
        bytes: count(row, 10)?,
        failed_relations: count(row, 11)?,
    })
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    Ok(u64::try_from(count).unwrap_or_default())
}
