//! Holding the instant: the coordinator's transaction is kept open, and alive, by a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::connection::Connection;
use super::failure::Failure;
use crate::fault::caught;

/// The thread; the instant is held as long as this lives.
pub(super) struct Keeper {
    /// `None` once the thread was told to end.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Ends its present wait.
    ending: Arc<AtomicBool>,
    failure: Arc<OnceLock<String>>,
}

impl Keeper {
    /// Takes the coordinator. `idle` is the time after which the server ends a session that is silent; `silence` the longest
    /// that this one is, and so how late its end is noticed.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub(super) fn start(
        mut coordinator: Connection,
        idle: Option<Duration>,
        silence: Duration,
    ) -> Result<Self, Failure> {
        let (end, ended) = bounded::<()>(0);
        let failure = Arc::new(OnceLock::new());
        let noted = Arc::clone(&failure);
        let ending = Arc::new(AtomicBool::new(false));
        coordinator.ended_by(Arc::clone(&ending));
        let silence = idle.map_or(silence, |idle| (idle / 3).min(silence));
        let keep = move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(silence) {
                let asked = caught(|| {
                    coordinator
                        .ask("SELECT 1")
                        .map_err(|failure| failure.to_string())
                });
                if let Err(failure) = asked.unwrap_or_else(|fault| Err(fault.to_string())) {
                    tracing::info!("the coordinator is lost: {failure}");
                    // Set once, here.
                    let _ = noted.set(format!("the session that held it has ended: {failure}"));
                    return;
                }
            }
        };
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(keep)
            .map_err(|error| Failure::Setup(format!("cannot start a thread: {error}")))?;
        Ok(Keeper {
            end: Some(end),
            thread: Some(thread),
            ending,
            failure,
        })
    }

    /// Why the instant is held no more, where that was noticed.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end = None;
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told when it happened.
            let _ = thread.join();
        }
    }
}
