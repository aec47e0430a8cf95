//! The history: every run of every job, in a SQLite database.
//!
//! It is what `relexport jobs` shows, what a guard compares with, and where the last success is remembered. No export
//! depends on it: a run that cannot use it says so and goes on.

mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};
use serde::Serialize;

use super::run_id::RunId;
use super::state::RunState;
use super::volume::Volume;
use crate::failure::{Cause, Failure, Policy};

/// The name of the file in the state folder.
const FILE_NAME: &str = "history.sqlite3";

/// How long another run is waited for that writes just now.
const BUSY: Duration = Duration::from_secs(10);

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(
        "cannot open the history {path}: {reason}\n  see that its folder can be written by the user who runs the jobs"
    )]
    Open { path: String, reason: String },
    #[error(
        "cannot use the history {path}: the file is damaged, or no database\n  move it away: the next run begins a new one"
    )]
    Damaged { path: String },
    #[error(
        "cannot use the history {path}: it is of version {found}, and this program knows versions up to {known}\n  \
         use the program that wrote it, or a newer one",
        known = schema::VERSION
    )]
    Newer { path: String, found: i64 },
    #[error(
        "cannot use the history {path}: it is a database of something else\n  name another state folder, or move it away"
    )]
    SomethingElse { path: String },
    #[error(
        "cannot use the history {path}: {reason}\n  see that there is room, and that the file can be written"
    )]
    Query { path: String, reason: String },
}

impl Failure for HistoryError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Machine)
    }
}

/// A run that begins.
#[derive(Debug)]
pub(crate) struct BegunRun<'r> {
    pub id: &'r RunId,
    pub job: &'r str,
    /// As messages show it.
    pub snapshot: &'r str,
    /// In milliseconds since 1970.
    pub started: i64,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct EndedRun<'r> {
    /// In milliseconds since 1970.
    pub ended: i64,
    pub state: RunState,
    pub exit_status: u8,
    /// Where its export lies, as messages show it.
    pub place: Option<&'r str>,
    pub error: Option<&'r str>,
    pub volume: &'r Volume,
}

/// A run, as the history has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PastRun {
    pub id: String,
    pub job: String,
    pub snapshot: String,
    /// In milliseconds since 1970.
    #[serde(serialize_with = "super::events::time")]
    pub started: i64,
    #[serde(serialize_with = "super::events::optional_time")]
    pub ended: Option<i64>,
    pub state: RunState,
    pub exit_status: Option<u8>,
    pub place: Option<String>,
    pub error: Option<String>,
    pub rows: u64,
    pub bytes: u64,
    pub failed_relations: u64,
}

/// The last run of a job that made a complete export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastSuccess {
    /// In milliseconds since 1970.
    pub ended: i64,
    pub volume: Volume,
}

/// An open history.
#[derive(Debug)]
pub(crate) struct History {
    connection: Connection,
    path: PathBuf,
}

impl History {
    /// Opens the history in a state folder, and makes both if they are not there.
    ///
    /// # Errors
    /// If that is not possible, or the file is damaged, of a newer program, or something else.
    pub(crate) fn open(state_dir: &Path) -> Result<History, HistoryError> {
        let path = state_dir.join(FILE_NAME);
        std::fs::create_dir_all(state_dir).map_err(|error| HistoryError::Open {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut history = Self::connect(path, flags)?;
        history.prepare()?;
        Ok(history)
    }

    /// Opens a history to look at; `None` if there is none yet.
    ///
    /// # Errors
    /// As [`History::open`].
    pub(crate) fn look(state_dir: &Path) -> Result<Option<History>, HistoryError> {
        let path = state_dir.join(FILE_NAME);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // SQLite tells what else is wrong.
            Ok(_) | Err(_) => {}
        }
        let history = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        match history.version()? {
            // Another run is just making it.
            0 => Ok(None),
            _ => Ok(Some(history)),
        }
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<History, HistoryError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|error| wrong(&path, &error))?;
        connection
            .busy_timeout(BUSY)
            .map_err(|error| wrong(&path, &error))?;
        Ok(History { connection, path })
    }

    /// Brings the tables to the version that this program knows.
    fn prepare(&mut self) -> Result<(), HistoryError> {
        if self.version()? < schema::VERSION {
            let path = self.path.clone();
            self.migrate().map_err(|error| wrong(&path, &error))?;
        }
        // Readers and one writer do not wait for each other then. While others use the file it may be impossible: the next
        // run does it. It answers with the mode that is in force.
        let mode = self
            .connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| {
                row.get::<_, String>(0)
            });
        if let Err(error) = mode {
            tracing::debug!("the history keeps its usual journal: {error}");
        }
        self.try_all(|connection| connection.pragma_update(None, "foreign_keys", true))
    }

    fn migrate(&mut self) -> rusqlite::Result<()> {
        // Two runs may begin at once: the second finds what the first has made.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let done = usize::try_from(version).unwrap_or_default();
        for migration in schema::MIGRATIONS.iter().skip(done) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", schema::VERSION)?;
        transaction.commit()
    }

    /// The version of the tables; 0 if there are none.
    fn version(&self) -> Result<i64, HistoryError> {
        let (version, application, tables) = self.try_all(|connection| {
            // Of one instant: another run may be making the tables between two questions.
            let instant = connection.unchecked_transaction()?;
            let pragma = |name| instant.pragma_query_value(None, name, |row| row.get(0));
            let (version, application): (i64, i64) =
                (pragma("user_version")?, pragma("application_id")?);
            let tables: i64 =
                instant.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            instant.commit()?;
            Ok((version, application, tables))
        })?;
        let path = || self.path.display().to_string();
        match (version, application) {
            (0, 0) if tables == 0 => Ok(0),
            (found, schema::APPLICATION) if found > schema::VERSION => Err(HistoryError::Newer {
                path: path(),
                found,
            }),
            (1.., schema::APPLICATION) => Ok(version),
            _ => Err(HistoryError::SomethingElse { path: path() }),
        }
    }

    /// Writes down that a run begins.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn begin(&self, run: &BegunRun<'_>) -> Result<(), HistoryError> {
        self.try_all(|connection| {
            connection.execute(
                "INSERT INTO runs (id, job, snapshot, started, state) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    run.id.as_str(),
                    run.job,
                    run.snapshot,
                    run.started,
                    RunState::Running.as_str()
                ],
            )
        })
        .map(drop)
    }

    /// Writes down how a run ended, and how much it exported.
    ///
    /// # Errors
    /// If it cannot be written; then nothing of it is.
    pub(crate) fn end(&mut self, id: &RunId, run: &EndedRun<'_>) -> Result<(), HistoryError> {
        let path = self.path.clone();
        self.write_end(id, run)
            .map_err(|error| wrong(&path, &error))
    }

    fn write_end(&mut self, id: &RunId, run: &EndedRun<'_>) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE runs SET ended = ?2, state = ?3, exit_status = ?4, place = ?5, error = ?6 WHERE id = ?1",
            params![
                id.as_str(),
                run.ended,
                run.state.as_str(),
                run.exit_status,
                run.place,
                run.error
            ],
        )?;
        {
            let mut insert = transaction.prepare(
                "INSERT INTO relations (run, name, rows, bytes, failed) \
                 SELECT number, ?2, ?3, ?4, ?5 FROM runs WHERE id = ?1",
            )?;
            for (name, relation) in &run.volume.relations {
                insert.execute(params![
                    id.as_str(),
                    name,
                    stored(relation.rows),
                    stored(relation.bytes),
                    stored(relation.failed)
                ])?;
            }
        }
        transaction.commit()
    }

    /// Finds the runs of a job that ended without saying so, and notes it. Whoever calls this holds the job's lock, so that
    /// none of them can be alive.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) fn bury(&self, job: &str) -> Result<Vec<PastRun>, HistoryError> {
        let running = self.in_state(job, RunState::Running)?;
        if !running.is_empty() {
            self.try_all(|connection| {
                connection.execute(
                    "UPDATE runs SET state = ?3 WHERE job = ?1 AND state = ?2",
                    params![job, RunState::Running.as_str(), RunState::Dead.as_str()],
                )
            })?;
        }
        Ok(running)
    }

    fn try_all<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        work(&self.connection).map_err(|error| wrong(&self.path, &error))
    }
}

/// A count as SQLite stores it.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn wrong(path: &Path, error: &rusqlite::Error) -> HistoryError {
    let path = path.display().to_string();
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            HistoryError::Damaged { path }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            HistoryError::Open { path, reason }
        }
        _ => HistoryError::Query { path, reason },
    }
}
