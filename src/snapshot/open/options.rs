//! How a snapshot is opened.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::snapshot::databases::Databases;
use crate::snapshot::kind::pgdata::PgdataOptions;
use crate::snapshot::kind::postgres::Timeouts;
use crate::snapshot::opening::Opening;
use crate::snapshot::place::Patience;
use crate::snapshot::routing::Routing;
use crate::snapshot::table_name::TableName;

/// The silence of a pipe that nobody means: before its first byte, pg_dump may wait for locks and for a server far away.
const PIPE_SILENCE: Duration = Duration::from_secs(60 * 60);

/// How a snapshot is opened. Most of it is for live servers and data folders only.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Queries that are answered at the same time, each on a connection of its own.
    pub connections: usize,
    /// The id of an exported snapshot that is read in place of the present instant.
    pub pg_snapshot: Option<String>,
    pub timeouts: Timeouts,
    /// How long standard input or another pipe may bring nothing; `None` is for ever.
    pub pipe_silence: Option<Duration>,
    pub pgdata: PgdataOptions,
    pub opening: Opening,
    /// The databases that the snapshot is made of.
    pub databases: Databases,
    /// Where parts of a snapshot are kept that come out of a pipe too early.
    pub temp_dir: PathBuf,
    /// A file in which the names of a backup's members may be kept from one run to the next.
    pub files_index: Option<PathBuf>,
}

impl Default for OpenOptions {
    /// A connection per core, and the present instant.
    fn default() -> Self {
        OpenOptions {
            connections: std::thread::available_parallelism().map_or(1, usize::from),
            pg_snapshot: None,
            timeouts: Timeouts::default(),
            pipe_silence: Some(PIPE_SILENCE),
            pgdata: PgdataOptions::default(),
            opening: Opening::default(),
            databases: Databases::default(),
            temp_dir: std::env::temp_dir(),
            files_index: None,
        }
    }
}

impl OpenOptions {
    /// How a pipe is waited for.
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            silence: self.pipe_silence,
            interrupted: Arc::clone(&self.opening.interrupted),
        }
    }

    /// The default ones, with what is said of databases.
    pub fn of_databases(routing: &Routing) -> Self {
        OpenOptions {
            databases: Databases {
                routing: routing.clone(),
                ..Databases::default()
            },
            ..OpenOptions::default()
        }
    }

    /// These, for a run that needs these tables only; `None` means all.
    #[must_use]
    pub fn needing(&self, tables: Option<BTreeSet<TableName>>) -> Self {
        let mut options = self.clone();
        options.databases.needed = tables;
        options
    }
}
