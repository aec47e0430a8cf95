//! Waiting for what happens elsewhere, in another process for example, without a time by which it has to happen.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_while(what, || !is_so());
}

/// Looks again and again while it is not so yet; a test that gives up says what it waited for.
pub(crate) fn wait_while(what: &str, mut is_not_yet: impl FnMut() -> bool) {
    let started = Instant::now();
    while is_not_yet() {
        assert!(started.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
