//! The end that the process was asked for from outside: by Ctrl-C, or by whoever stops services.
//!
//! Runs have flags of their own, since a server ends one and goes on with others. This one is for those whom nobody hands a
//! flag: a bucket's client is made by whoever opens a place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// While something is awaited that cannot wake who waits, how often to look whether the run is to end.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

static ASKED_FOR: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static SIGNALLED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The flag of the process, which the first signal sets.
pub(crate) fn flag() -> Arc<AtomicBool> {
    Arc::clone(&ASKED_FOR)
}

/// The flag that only a signal sets: a server that ends of itself sets the other one for those who work for it.
pub(crate) fn signalled() -> Arc<AtomicBool> {
    Arc::clone(&SIGNALLED)
}

/// True once a signal has asked the process to end.
pub(crate) fn is_signalled() -> bool {
    SIGNALLED.load(Ordering::Relaxed)
}

/// True once the process was asked to end.
pub(crate) fn is_asked_for() -> bool {
    ASKED_FOR.load(Ordering::Relaxed)
}
