//! Ending a run early: the flag is looked at between blocks, and while nothing comes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::ResolveError;

pub(super) fn check_interrupted(interrupted: &AtomicBool) -> Result<(), ResolveError> {
    if interrupted.load(Ordering::Relaxed) {
        Err(ResolveError::Interrupted)
    } else {
        Ok(())
    }
}
