//! A live server as a snapshot: held at one instant, and asked query by query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::answer::answer;
use super::delivery::Delivery;
use super::failure::Failure;
use super::held_server::HeldServer;
use super::instant::{Instant, not_held, target_of};
use super::keeper::Keeper;
use super::server_catalog;
use super::session::Timeouts;
use super::target::Target;
use super::workers::Workers;
use crate::snapshot::block::BlockHead;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{SnapshotFacts, TableSize};
use crate::snapshot::keyed::{Fields, KeyedSource, Query};
use crate::snapshot::table_name::TableName;

/// The longest silence of the session that holds the instant.
const SILENCE: Duration = Duration::from_secs(30);

/// A server, held at one instant.
pub struct PostgresSource {
    held: HeldServer,
    facts: SnapshotFacts,
    workers: Workers,
    progress: Arc<AtomicU64>,
    // Behind the workers: they end first.
    keeper: Keeper,
}

impl PostgresSource {
    /// Connects, and holds the server at one instant: the present one, or that of a snapshot that somebody else
    /// exported.
    ///
    /// `connections` is how many queries can be answered at a time; one more holds the instant.
    ///
    /// # Errors
    /// [`SnapshotError::Unreachable`] with the reason, in words that hold no password; [`SnapshotError::NotNow`] if that
    /// may be otherwise later; [`SnapshotError::NotHeld`] if nobody holds the snapshot that is named.
    pub(crate) fn open(
        address: &str,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, SnapshotError> {
        target_of(address, &timeouts, interrupted)
            .and_then(|target| Self::hold(target, connections, snapshot, timeouts))
            .map_err(|failure| not_held(address, snapshot, &failure))
    }

    pub(super) fn hold(
        target: Target,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, Failure> {
        let mut instant = Instant::begin(&target, snapshot, &timeouts)?;
        let tables = server_catalog::read(&mut instant.coordinator)?;
        let held = HeldServer {
            target,
            server: instant.server,
            started: instant.started,
            snapshot: instant.id,
            timeouts,
            catalog: Arc::new(tables.catalog.clone()),
            tables,
        };
        let keeper = Keeper::start(instant.coordinator, timeouts.idle, SILENCE)?;
        Ok(PostgresSource {
            held,
            facts: instant.facts,
            workers: Workers::new(connections),
            progress: Arc::default(),
            keeper,
        })
    }

    /// The server and its database, as the manifest names them: `host:port/dbname`.
    pub(crate) fn shown(&self) -> String {
        let HeldServer { server, target, .. } = &self.held;
        format!("{}/{}", server.host.shown(), target.dbname)
    }

    /// Counts the bytes of rows that come in this counter.
    pub(crate) fn count_in(&mut self, progress: Arc<AtomicU64>) {
        self.progress = progress;
    }

    /// Bytes of rows that have come.
    pub(crate) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Definitions of the server's tables, as SQL that [`read_schema`](crate::snapshot::read_schema) reads.
    pub fn definitions(&self) -> &str {
        &self.held.tables.definitions
    }

    /// Tables of which the server's log has no rows (UNLOGGED).
    pub(crate) fn unlogged(&self) -> &[TableName] {
        &self.held.tables.unlogged
    }

    /// The id by which other sessions can adopt the instant, as long as this value lives.
    pub fn snapshot_id(&self) -> &str {
        &self.held.snapshot
    }
}

impl KeyedSource for PostgresSource {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.held.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.facts.clone()
    }

    fn connections(&self) -> usize {
        self.workers.most()
    }

    fn estimate(&self, table: &TableName) -> Option<TableSize> {
        self.held.tables.estimates.get(table).copied()
    }

    fn is_indexed(&self, table: &TableName, column: &str, known: &[&str]) -> bool {
        let tables = &self.held.tables;
        let finds = |table: &TableName| {
            tables
                .indexes
                .get(table)
                .is_some_and(|indexes| indexes.iter().any(|index| index.finds(column, known)))
        };
        let leaves = tables
            .leaves
            .get(table)
            .map(Vec::as_slice)
            .unwrap_or_default();
        finds(table) || (!leaves.is_empty() && leaves.iter().all(finds))
    }

    fn read(&self, query: &Query<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let columns = match &query.fields {
            Fields::Columns(columns) => columns.as_slice(),
            Fields::Maximum(column) | Fields::Gathered(column, _) => std::slice::from_ref(column),
        };
        let head = BlockHead {
            table: query.table.clone(),
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            form: RowForm::CopyText,
        };
        let mut delivery = Delivery::new(head, sink, &self.progress);
        answer(
            &self.held,
            &self.workers,
            &self.keeper,
            query,
            &mut delivery,
        )
    }
}
