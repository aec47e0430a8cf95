//! What can go wrong while a snapshot is opened or read.

use std::fmt;
use std::io;

use crate::failure::{Cause, Failure, Policy};

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
    /// A server refused a query; the instant can still be read.
    #[error("the server refused to give rows of table {table}: {message} (SQLSTATE {sqlstate})")]
    Refused {
        table: String,
        /// PostgreSQL's own words.
        message: String,
        sqlstate: String,
    },
    /// A server's table is not what it was at the instant that is read, or its rows cannot be told to be all; other
    /// tables can still be read.
    #[error("table {table} cannot be read: {reason}")]
    Changed { table: String, reason: String },
    /// A server cannot be connected to, or not be held at one instant.
    #[error("cannot read from {server}: {reason}")]
    Unreachable { server: String, reason: String },
    /// The instant that was being read is gone: what is missing now can never be read of it.
    #[error("the server's snapshot is lost: {0}")]
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
    /// It was asked for that the opening ends early.
    #[error("interrupted")]
    Interrupted,
}

impl SnapshotError {
    /// Says of which snapshot an error is, unless it says so already.
    pub(super) fn of(mut self, name: &str) -> Self {
        if let SnapshotError::Damaged { place, .. } | SnapshotError::CutOff { place, .. } =
            &mut self
        {
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
            SnapshotError::Io { .. }
            | SnapshotError::NotASnapshot { .. }
            | SnapshotError::Unsupported { .. }
            | SnapshotError::Damaged { .. }
            | SnapshotError::CutOff { .. }
            | SnapshotError::Unreachable { .. }
            | SnapshotError::Lost(_) => Policy::EndRun(Cause::Snapshot),
            SnapshotError::Fault(_) => Policy::EndRun(Cause::Program),
            SnapshotError::Threads(_) | SnapshotError::Temp(_) => Policy::EndRun(Cause::Machine),
            SnapshotError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}
