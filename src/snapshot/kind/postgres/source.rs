//! A live server as a snapshot: held at one instant, and asked query by query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::address::shown;
use super::answer::{answer, retrying};
use super::delivery::Delivery;
use super::environment::ProcessEnvironment;
use super::failure::Failure;
use super::held_server::HeldServer;
use super::keeper::Keeper;
use super::login;
use super::server_catalog;
use super::session::{self, Timeouts, one};
use super::target::Target;
use super::workers::Workers;
use crate::snapshot::block::BlockHead;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{SnapshotFacts, TableSize};
use crate::snapshot::keyed::{Fields, KeyedSource, Query};
use crate::snapshot::place::Patience;
use crate::snapshot::table_name::TableName;

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
    /// may be otherwise later.
    pub(crate) fn open(
        address: &str,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, SnapshotError> {
        let target = Target::read(address, &ProcessEnvironment)
            .map_err(|reason| unreachable_server(address, &Failure::Setup(reason)))?;
        let patience = Patience {
            silence: timeouts.silence,
            interrupted: Arc::clone(interrupted),
        };
        let target = Target { patience, ..target };
        Self::hold(target, connections, snapshot, timeouts)
            .map_err(|failure| unreachable_server(address, &failure))
    }

    pub(super) fn hold(
        target: Target,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, Failure> {
        let (mut coordinator, server) =
            retrying(&target.patience, || login::connect_first(&target))?;
        let version = coordinator.major_version();
        if version < 10 {
            return Err(Failure::Setup(format!(
                "the server is PostgreSQL {}; 10 or newer is needed",
                coordinator.server_version().unwrap_or("9")
            )));
        }
        // Not every server that speaks the protocol has a log. Read before the instant, so that all that the log
        // holds up to there is in it. A time limit that the database sets is not lifted yet; two statements are one transaction.
        let lsn = one(
            &mut coordinator,
            "SET LOCAL statement_timeout = 0; \
             SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
             ELSE pg_catalog.pg_current_wal_lsn() END",
        );
        session::begin(&mut coordinator, snapshot, &timeouts)?;
        let taken_at = one(
            &mut coordinator,
            "SELECT pg_catalog.to_char(pg_catalog.clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.MS \"UTC\"')",
        )?;
        let id = one(&mut coordinator, "SELECT pg_catalog.pg_export_snapshot()")?;
        let started = session::server_start(&mut coordinator)?;
        let tables = server_catalog::read(&mut coordinator)?;
        tracing::debug!("{} is held at snapshot {id}", server.host.shown());
        let facts = SnapshotFacts {
            server_version: coordinator
                .server_version()
                .and_then(|version| version.split_whitespace().next())
                .map(str::to_owned),
            // When somebody else exported a snapshot, and where the log was then, is not known.
            taken_at: snapshot.is_none().then_some(taken_at),
            lsn: lsn.ok().filter(|_| snapshot.is_none()),
            ..SnapshotFacts::default()
        };
        let held = HeldServer {
            target,
            server,
            started,
            snapshot: id,
            timeouts,
            catalog: Arc::new(tables.catalog.clone()),
            tables,
        };
        let keeper = Keeper::start(coordinator, timeouts.idle)
            .map_err(|error| Failure::Setup(format!("cannot start a thread: {error}")))?;
        Ok(PostgresSource {
            held,
            facts,
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

    /// The id by which other sessions can adopt the instant, as long as this value lives.
    pub fn snapshot_id(&self) -> &str {
        &self.held.snapshot
    }
}

fn unreachable_server(address: &str, failure: &Failure) -> SnapshotError {
    let (server, reason) = (shown(address), failure.to_string());
    if let Some(error) = failure.end_of_wait(&server) {
        return error;
    }
    match failure.may_pass_later() {
        true => SnapshotError::NotNow { server, reason },
        false => SnapshotError::Unreachable { server, reason },
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
        let (Fields::Columns(columns) | Fields::Maxima(columns)) = &query.fields;
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
