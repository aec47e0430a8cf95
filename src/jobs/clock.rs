//! When a run began, and how long it has taken: on two clocks, since the system's may be set while a run goes on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A run's clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    begun: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock {
            begun: Instant::now(),
        }
    }

    /// How long it has taken.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The time now, in seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }
}
