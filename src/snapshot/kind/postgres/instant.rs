//! The instant: the session that begins and exports it, and what is known of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::address::shown;
use super::answer::retrying;
use super::connection::Connection;
use super::environment::ProcessEnvironment;
use super::failure::Failure;
use super::login::{self, Server};
use super::session::{self, Timeouts, one};
use super::target::Target;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::SnapshotFacts;
use crate::snapshot::place::Patience;

/// An instant of a server, held as long as the coordinator's transaction lasts.
pub(super) struct Instant {
    pub(super) coordinator: Connection,
    pub(super) server: Server,
    /// The id by which other sessions adopt it.
    pub(super) id: String,
    /// When the server was started.
    pub(super) started: String,
    pub(super) facts: SnapshotFacts,
}

impl Instant {
    /// Connects and begins the transaction: at the present instant, or at that of a snapshot that somebody else exported.
    pub(super) fn begin(
        target: &Target,
        snapshot: Option<&str>,
        timeouts: &Timeouts,
    ) -> Result<Instant, Failure> {
        let (mut coordinator, server) =
            retrying(&target.patience, || login::connect_first(target))?;
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
        session::begin(&mut coordinator, snapshot, timeouts)?;
        let taken_at = one(
            &mut coordinator,
            "SELECT pg_catalog.to_char(pg_catalog.clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.MS \"UTC\"')",
        )?;
        let id = one(&mut coordinator, "SELECT pg_catalog.pg_export_snapshot()")?;
        let started = session::server_start(&mut coordinator)?;
        let visible = match version {
            13.. => "SELECT pg_catalog.pg_current_snapshot()",
            _ => "SELECT pg_catalog.txid_current_snapshot()",
        };
        let visible = one(&mut coordinator, visible)?;
        tracing::debug!("{} is held at snapshot {id}", server.host.shown());
        let facts = SnapshotFacts {
            server_version: coordinator
                .server_version()
                .and_then(|version| version.split_whitespace().next())
                .map(str::to_owned),
            // When somebody else exported a snapshot, and where the log was then, is not known.
            taken_at: snapshot.is_none().then_some(taken_at),
            lsn: lsn.ok().filter(|_| snapshot.is_none()),
            instant: Some(format!("{started} {visible}")),
            ..SnapshotFacts::default()
        };
        Ok(Instant {
            coordinator,
            server,
            id,
            started,
            facts,
        })
    }
}

/// What an address says of a server, as far as it can be told without one.
pub(super) fn target_of(
    address: &str,
    timeouts: &Timeouts,
    interrupted: &Arc<AtomicBool>,
) -> Result<Target, Failure> {
    let target = Target::read(address, &ProcessEnvironment).map_err(Failure::Setup)?;
    let patience = Patience {
        silence: timeouts.silence,
        interrupted: Arc::clone(interrupted),
    };
    Ok(Target { patience, ..target })
}

/// The error of a server that cannot be held at an instant: at the present one, or at that of a snapshot's id.
pub(super) fn not_held(address: &str, snapshot: Option<&str>, failure: &Failure) -> SnapshotError {
    let (server, reason) = (shown(address), failure.to_string());
    if let Some(error) = failure.end_of_wait(&server) {
        return error;
    }
    if snapshot.is_some() && failure.is_of_snapshot() {
        return SnapshotError::NotHeld { server, reason };
    }
    match failure.may_pass_later() {
        true => SnapshotError::NotNow { server, reason },
        false => SnapshotError::Unreachable { server, reason },
    }
}
