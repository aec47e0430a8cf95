//! A live PostgreSQL server, read at one instant.
//!
//! A coordinator connection begins a transaction and exports its snapshot; worker connections adopt it, so that whatever
//! they read is of that instant. Rows come by COPY. Nothing is written, and no lock is taken but those of reading.
//!
//! What can be asked again is asked again (`delivery.rs`); where the instant is gone, reading ends: rows of two
//! instants never meet.

mod address;
mod connection;
mod copy_query;
mod delivery;
mod failure;
mod keeper;
mod literal;
mod local;
mod login;
mod parameters;
mod passfile;
mod server_catalog;
mod service;
mod session;
mod socket;
mod target;
mod tls;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

pub(crate) use local::Local;

pub(crate) use address::{address_start, is_nearly_address, shown, split_password};
pub use parameters::PASSWORD_VARIABLE;
pub use session::Timeouts;

use crate::timings;

use crate::snapshot::{
    BlockHead, Catalog, Fields, KeyedSource, Query, RowForm, Sink, SnapshotError, SnapshotFacts,
    TableName, TableSize,
};
use delivery::Delivery;
use failure::Failure;
use keeper::Keeper;
use login::Server;
use parameters::ProcessEnvironment;
use server_catalog::ServerCatalog;
use session::one;
use target::Target;
use worker::{Trouble, Worker};

/// True for the address of a server.
pub(crate) fn is_address(spec: &str) -> bool {
    address::SCHEMES
        .iter()
        .any(|scheme| spec.starts_with(scheme))
}

/// How often something is tried before it is given up.
const TRIES: u32 = 5;

/// The wait before the second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A server, held at one instant.
pub struct PostgresSource {
    shared: Arc<Shared>,
    facts: SnapshotFacts,
    connections: usize,
    /// How many workers there still are.
    workers: AtomicUsize,
    /// Workers that nobody uses.
    free: (Sender<Worker>, Receiver<Worker>),
    progress: Arc<AtomicU64>,
    // Behind the workers: they end first.
    keeper: Keeper,
}

/// What workers need to know.
struct Shared {
    target: Target,
    server: Server,
    /// When the server was started.
    server_start: String,
    /// The exported snapshot's id.
    snapshot: String,
    timeouts: Timeouts,
    known: ServerCatalog,
    catalog: Arc<Catalog>,
}

impl PostgresSource {
    /// Connects, and holds the server at one instant: the present one, or that of a snapshot that somebody else
    /// exported.
    ///
    /// `connections` is how many queries can be answered at a time; one more holds the instant.
    ///
    /// # Errors
    /// [`SnapshotError::Unreachable`] with the reason, in words that hold no password.
    pub(crate) fn open(
        address: &str,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, SnapshotError> {
        let target = Target::read(address, &ProcessEnvironment)
            .map_err(|reason| unreachable_server(address, &Failure::Setup(reason)))?;
        Self::hold(target, connections, snapshot, timeouts)
            .map_err(|failure| unreachable_server(address, &failure))
    }

    fn hold(
        target: Target,
        connections: usize,
        snapshot: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, Failure> {
        let (mut coordinator, server) = retrying(|| login::connect_first(&target))?;
        let version = coordinator.major_version();
        if version < 10 {
            return Err(Failure::Setup(format!(
                "the server is PostgreSQL {}; 10 or newer is needed",
                coordinator.parameter("server_version").unwrap_or("9")
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
        let server_start = session::server_start(&mut coordinator)?;
        let known = server_catalog::read(&mut coordinator)?;
        tracing::debug!("{} is held at snapshot {id}", server.host.shown());
        let facts = SnapshotFacts {
            server_version: coordinator
                .parameter("server_version")
                .and_then(|version| version.split_whitespace().next())
                .map(str::to_owned),
            // When somebody else exported a snapshot, and where the log was then, is not known.
            taken_at: snapshot.is_none().then_some(taken_at),
            lsn: lsn.ok().filter(|_| snapshot.is_none()),
            ..SnapshotFacts::default()
        };
        let connections = connections.max(1);
        let free = crossbeam_channel::bounded(connections);
        let shared = Arc::new(Shared {
            target,
            server,
            server_start,
            snapshot: id,
            timeouts,
            catalog: Arc::new(known.catalog.clone()),
            known,
        });
        for _ in 0..connections {
            // The channel has room for all of them.
            let _ = free.0.send(Worker::default());
        }
        let keeper = Keeper::start(coordinator, timeouts.idle)
            .map_err(|error| Failure::Setup(format!("cannot start a thread: {error}")))?;
        Ok(PostgresSource {
            shared,
            facts,
            connections,
            workers: AtomicUsize::new(connections),
            free,
            progress: Arc::default(),
            keeper,
        })
    }

    /// The server and its database, as the manifest names them: `host:port/dbname`.
    pub(crate) fn shown(&self) -> String {
        let Shared { server, target, .. } = &*self.shared;
        format!("{}/{}", server.host.shown(), target.dbname)
    }

    /// Bytes of rows that have come.
    pub(crate) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Definitions of the server's tables, as SQL that [`super::read_schema`] reads.
    pub fn definitions(&self) -> &str {
        &self.shared.known.definitions
    }

    /// The id by which other sessions can adopt the instant, as long as this value lives.
    pub fn snapshot_id(&self) -> &str {
        &self.shared.snapshot
    }

    /// Answers a query, asking again where that can help.
    fn answer(&self, query: &Query<'_>, delivery: &mut Delivery<'_>) -> Result<(), SnapshotError> {
        let mut wait = FIRST_WAIT;
        let mut tries = 1;
        let mut stale = self.connections;
        loop {
            let mut worker = Lease::take(self);
            let was_open = worker.get().is_open();
            let failure = match worker.get().answer(&self.shared, query, delivery) {
                Ok(()) => return Ok(()),
                Err(Trouble::Lost(reason)) => return Err(SnapshotError::Lost(reason)),
                Err(Trouble::Changed(reason)) => {
                    return Err(SnapshotError::Changed {
                        table: query.table.to_string(),
                        reason: reason.to_owned(),
                    });
                }
                Err(Trouble::Failed(failure)) => failure,
            };
            // too_many_connections: the others will have to do.
            if failure.sqlstate() == Some("53300") && worker.retire() {
                tracing::info!("reading on one connection less: {failure}");
                continue;
            }
            drop(worker);
            let table = query.table;
            if failure.loses_instant() {
                return Err(self.lost(&failure));
            }
            // A connection that was made for an earlier query may have been dead for long, and so may the others: that is no
            // try at this query yet.
            if was_open && stale > 0 && failure.passes() && failure.ends_connection() {
                tracing::info!("a connection is gone: {failure}");
                stale -= 1;
                continue;
            }
            // Asked for too long is asked for too much: once more, with what the server has in its memory now.
            let most = match failure.sqlstate() {
                Some("57014") => 2,
                // The user has said how long to wait for it.
                Some("55P03") => 1,
                _ => TRIES,
            };
            if !failure.passes() || tries >= most {
                return Err(self.given_up(table, failure));
            }
            tracing::info!("table {table} is asked for again: {failure}");
            tries += 1;
            timings::waiting(|| std::thread::sleep(wait));
            wait *= 2;
        }
    }

    fn lost(&self, failure: &Failure) -> SnapshotError {
        SnapshotError::Lost(match self.keeper.failure() {
            Some(first) if first != failure.to_string() => format!("{first}; {failure}"),
            _ => failure.to_string(),
        })
    }

    /// The error of a query that was asked often enough.
    fn given_up(&self, table: &TableName, failure: Failure) -> SnapshotError {
        match failure {
            Failure::Server {
                message, sqlstate, ..
            } if sqlstate != "40001" && !sqlstate.starts_with("57P") => SnapshotError::Refused {
                table: table.to_string(),
                message,
                sqlstate,
            },
            // Nobody can be asked any more, or conflicts with recovery never end.
            failure => self.lost(&failure),
        }
    }
}

/// Tries something until it works, fails for good, or was tried often enough.
fn retrying<T>(mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match work() {
            // A server that is starting or full may soon be ready; one that is not there will not come.
            Err(failure @ Failure::Server { .. }) if failure.passes() => {
                tracing::info!("connecting again: {failure}");
            }
            result => return result,
        }
        timings::waiting(|| std::thread::sleep(wait));
        wait *= 2;
    }
    work()
}

fn unreachable_server(address: &str, failure: &Failure) -> SnapshotError {
    SnapshotError::Unreachable {
        server: shown(address),
        reason: failure.to_string(),
    }
}

/// A worker that is given back whatever happens.
struct Lease<'a> {
    source: &'a PostgresSource,
    worker: Worker,
    is_retired: bool,
}

impl<'a> Lease<'a> {
    /// Waits for a worker.
    fn take(source: &'a PostgresSource) -> Self {
        // The source holds the sending end, too, so there always comes one.
        let worker = timings::waiting(|| source.free.1.recv()).unwrap_or_default();
        Lease {
            source,
            worker,
            is_retired: false,
        }
    }

    fn get(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Gives the worker up for good, unless it is the last one. True where it is given up.
    fn retire(&mut self) -> bool {
        let fewer = |workers: usize| (workers > 1).then(|| workers - 1);
        let workers = &self.source.workers;
        self.is_retired = workers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok();
        self.is_retired
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.is_retired {
            // The source holds the receiving end, too.
            let _ = self.source.free.0.send(std::mem::take(&mut self.worker));
        }
    }
}

impl KeyedSource for PostgresSource {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.shared.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.facts.clone()
    }

    fn connections(&self) -> usize {
        self.connections
    }

    fn estimate(&self, table: &TableName) -> Option<TableSize> {
        self.shared.known.estimates.get(table).copied()
    }

    fn is_indexed(&self, table: &TableName, column: &str, known: &[&str]) -> bool {
        let server = &self.shared.known;
        let finds = |table: &TableName| {
            server
                .indexes
                .get(table)
                .is_some_and(|indexes| indexes.iter().any(|index| index.finds(column, known)))
        };
        let leaves = server
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
        self.answer(query, &mut delivery)
    }
}
