//! The time until a snapshot is open: who is told what takes long, and who may end it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What takes long before a snapshot can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningStep {
    /// Bytes of a data folder that are copied, and all of them.
    Copying { done: u64, total: u64 },
    /// A private server starts, and may have to replay its log, for so long already.
    Starting { since: Duration },
}

/// Somebody who is told of each [`OpeningStep`], every ten seconds at the most.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(OpeningStep) + Send + Sync>>);

impl Listener {
    /// Calls a function.
    pub fn new(tell: impl Fn(OpeningStep) + Send + Sync + 'static) -> Self {
        Listener(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, step: OpeningStep) {
        if let Some(tell) = &self.0 {
            tell(step);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// What whoever opens a snapshot sees of it, and can do about it.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Set from outside to end the opening early.
    pub interrupted: Arc<AtomicBool>,
    /// Told what takes long.
    pub listener: Listener,
}
