//! An instant that is held for other processes, which adopt it by its id; nothing is read of it here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::failure::Failure;
use super::instant::{Instant, not_held, target_of};
use super::keeper::Keeper;
use super::session::Timeouts;
use crate::interruption::LOOK_EVERY;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::SnapshotFacts;
use crate::snapshot::place::Patience;

/// The longest silence of the session. Whoever begins to read should not learn before the holder that the instant is gone.
const SILENCE: Duration = Duration::from_secs(2);

/// An instant of a server, which lives as long as this value.
pub(crate) struct HeldInstant {
    server: String,
    id: String,
    facts: SnapshotFacts,
    keeper: Keeper,
    interrupted: Arc<AtomicBool>,
}

/// Why an instant is not held any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HoldEnd {
    /// The run was asked to end.
    AskedFor,
    /// The session has ended: for this reason, in words.
    Lost(String),
}

impl HeldInstant {
    /// Connects, and holds the server at the present instant.
    ///
    /// # Errors
    /// [`SnapshotError::Unreachable`] with the reason, in words that hold no password; [`SnapshotError::NotNow`] if that
    /// may be otherwise later.
    pub(crate) fn begin(
        address: &str,
        timeouts: &Timeouts,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, SnapshotError> {
        Self::try_begin(address, timeouts, interrupted)
            .map_err(|failure| not_held(address, None, &failure))
    }

    fn try_begin(
        address: &str,
        timeouts: &Timeouts,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let target = target_of(address, timeouts, interrupted)?;
        let instant = Instant::begin(&target, None, timeouts)?;
        Ok(HeldInstant {
            server: format!("{}/{}", instant.server.host.shown(), target.dbname),
            id: instant.id,
            facts: instant.facts,
            keeper: Keeper::start(instant.coordinator, timeouts.idle, SILENCE)?,
            interrupted: Arc::clone(interrupted),
        })
    }

    /// The server and its database: `host:port/dbname`.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The id by which other sessions adopt the instant.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn facts(&self) -> &SnapshotFacts {
        &self.facts
    }

    /// Waits until the instant is to be given up, or is gone.
    pub(crate) fn wait(&self) -> HoldEnd {
        let patience = Patience {
            silence: None,
            interrupted: Arc::clone(&self.interrupted),
        };
        while patience.pause(LOOK_EVERY) {
            if let Some(reason) = self.keeper.failure() {
                return HoldEnd::Lost(reason);
            }
        }
        HoldEnd::AskedFor
    }
}
