//! What can go wrong while a snapshot is opened or read.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::bucket::BucketError;
use crate::failure::{Cause, Failure, Policy};
use crate::snapshot::place::{ObjectError, WaitError};
use crate::snapshot::table_name::TableName;
use crate::time_span;

/// The option that says how long nothing may come out of a pipe, or from a server.
pub(super) const STALL_OPTION: &str = "--stall-timeout";

/// Where in a snapshot something is: as much as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// A file or member inside the snapshot (`db/database.sql.gz`), where it has several.
    pub member: Option<String>,
    /// The table whose data was being read.
    pub table: Option<String>,
    /// Number of the row in the table's data, from 1.
    pub row: Option<u64>,
    /// Bytes from the start of the decompressed source.
    pub offset: Option<u64>,
    /// Line of the decompressed source, from 1.
    pub line: Option<u64>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(member) = &self.member {
            parts.push(member.clone());
        }
        if let Some(table) = &self.table {
            parts.push(format!("table {table}"));
        }
        if let Some(row) = self.row {
            parts.push(format!("row {row}"));
        }
        if let Some(line) = self.line {
            parts.push(format!("line {line}"));
        }
        if let Some(offset) = self.offset {
            parts.push(format!("byte {offset}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// Why a snapshot cannot be opened or read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file or folder cannot be read at all.
    #[error("cannot read {path}: {source}")]
    Io { path: String, source: io::Error },
    /// An object of a bucket, or its bucket, cannot be read.
    #[error(transparent)]
    Bucket(ObjectError),
    /// Nothing that this program knows.
    #[error("{path} is not a snapshot: {reason}")]
    NotASnapshot { path: String, reason: String },
    /// A kind or feature that is known but not read.
    #[error("{what} cannot be read: {reason}")]
    Unsupported { what: String, reason: String },
    /// The bytes are damaged.
    #[error("the snapshot is damaged ({place}): {reason}")]
    Damaged { place: Position, reason: String },
    /// The bytes end too early; what came before the end is whole.
    #[error("the snapshot ends too early ({place}): {reason}")]
    CutOff { place: Position, reason: String },
    /// It would take more memory than the run allows. The reason says by which option more is allowed.
    #[error("the snapshot needs more memory than it may take ({place}): {reason}")]
    TooLarge {
        place: Box<Position>,
        reason: String,
        /// The tables of a row that was stepped over, while all else can be read; none if the reading ends.
        tables: Vec<TableName>,
    },
    /// A server refused a query; the instant can still be read.
    #[error("the server refused to give rows of table {table}: {message} (SQLSTATE {sqlstate})")]
    Refused {
        table: String,
        /// PostgreSQL's own words.
        message: String,
        sqlstate: String,
        /// It is nothing that was asked wrongly: the same query may be answered later.
        may_pass: bool,
    },
    /// A server's table is not what it was at the instant that is read, or its rows cannot be told to be all; other
    /// tables can still be read.
    #[error("table {table} cannot be read: {reason}")]
    Changed { table: String, reason: String },
    /// A file of a backup cannot be read; others can.
    #[error("cannot read {name} of the backup: {reason}")]
    File {
        name: String,
        reason: String,
        /// The system does not give its bytes: another time it may.
        may_pass: bool,
    },
    /// A server cannot be connected to, or not be held at one instant.
    #[error("cannot read from {server}: {reason}")]
    Unreachable { server: String, reason: String },
    /// A server says that it is starting, is full, or keeps something locked for too long.
    #[error(
        "cannot read from {server}: {reason}\n  try again when the server is ready and has room"
    )]
    NotNow { server: String, reason: String },
    /// Nobody holds the instant that was named by the id of an exported snapshot.
    #[error(
        "cannot read from {server} at the instant that was named: {reason}\n  the instant is gone if `relexport snapshot hold`, or \
         whoever else exported it, has ended; hold another one, and name that"
    )]
    NotHeld { server: String, reason: String },
    /// The instant that was being read is gone: what is missing now can never be read of it.
    #[error("the server's snapshot is lost: {0}\n  export again, which reads another instant")]
    Lost(String),
    /// A thread that read it has panicked.
    #[error("{0}")]
    Fault(#[from] crate::fault::Fault),
    /// The system has no thread left.
    #[error(
        "cannot start a thread: {0}\n  raise the limit of processes (ulimit -u), or lower --threads or --connections"
    )]
    Threads(io::Error),
    /// What comes too early cannot be kept for later.
    #[error("cannot use the temp folder: {0}\n  name another one with --temp-dir")]
    Temp(io::Error),
    /// Nothing has come out of a pipe, or from a server, for so long. The option says how long that may be.
    #[error(
        "cannot read {path}: it stalled, no byte has come for {}\n  see what became of whoever sends it; {option} waits longer, \
         and with 0 for ever", time_span::shown(*.silence)
    )]
    Stalled {
        path: String,
        silence: Duration,
        option: &'static str,
    },
    /// It was asked for that the opening ends early.
    #[error("interrupted")]
    Interrupted,
}

impl SnapshotError {
    /// True if a server refused what it may give later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, SnapshotError::Refused { may_pass: true, .. })
    }

    /// What cannot be read at all, by the error of its file or its object.
    pub(super) fn of_reading(path: &str, source: io::Error) -> Self {
        if let Some(error) = ObjectError::within(&source) {
            return SnapshotError::Bucket(error.clone());
        }
        match WaitError::within(&source) {
            Some(WaitError::Interrupted) => return SnapshotError::Interrupted,
            Some(WaitError::Stalled(silence)) => {
                return SnapshotError::Stalled {
                    path: path.to_owned(),
                    silence,
                    option: STALL_OPTION,
                };
            }
            None => {}
        }
        match source.downcast::<BucketError>() {
            Ok(error) => SnapshotError::Bucket(ObjectError::from(error)),
            Err(source) => SnapshotError::Io {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Says of which snapshot an error is, unless it says so already.
    pub(super) fn of(mut self, name: &str) -> Self {
        if let SnapshotError::Damaged { place, .. } | SnapshotError::CutOff { place, .. } =
            &mut self
        {
            place.member.get_or_insert_with(|| name.to_owned());
        }
        if let SnapshotError::TooLarge { place, .. } = &mut self {
            place.member.get_or_insert_with(|| name.to_owned());
        }
        if let SnapshotError::Unsupported { what, .. } = &mut self
            && !what.contains(name)
        {
            *what = format!("{name}: {what}");
        }
        self
    }
}

impl Failure for SnapshotError {
    fn policy(&self) -> Policy {
        match self {
            // A server's other tables can still be read.
            SnapshotError::Refused { .. } | SnapshotError::Changed { .. } => Policy::FailRelation,
            // Rows, and other files, are as good as before.
            SnapshotError::File { .. } => Policy::FailRelation,
            SnapshotError::Io { .. }
            | SnapshotError::NotASnapshot { .. }
            | SnapshotError::Unsupported { .. }
            | SnapshotError::Damaged { .. }
            | SnapshotError::CutOff { .. }
            | SnapshotError::TooLarge { .. }
            | SnapshotError::Unreachable { .. }
            | SnapshotError::Stalled { .. }
            | SnapshotError::NotHeld { .. }
            | SnapshotError::Lost(_) => Policy::EndRun(Cause::Snapshot),
            SnapshotError::NotNow { .. } => Policy::EndRun(Cause::TryAgain),
            SnapshotError::Bucket(error) => error.cause().of_reading(),
            SnapshotError::Fault(_) => Policy::EndRun(Cause::Program),
            SnapshotError::Threads(_) | SnapshotError::Temp(_) => Policy::EndRun(Cause::Machine),
            SnapshotError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}
