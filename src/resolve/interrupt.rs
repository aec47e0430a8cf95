//! Ending a run early: the flag is looked at between blocks, and while nothing comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::error::ResolveError;

/// While nothing comes out of a pipe or from a server, how often to look whether the run is to end.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn check_interrupted(interrupted: &AtomicBool) -> Result<(), ResolveError> {
    if interrupted.load(Ordering::Relaxed) {
        Err(ResolveError::Interrupted)
    } else {
        Ok(())
    }
}
