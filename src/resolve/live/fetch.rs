//! Fetching ahead: several threads load rounds, which are handed out in the order in which they were planned.
//!
//! One thread asks for keys of top-level rows and cuts them into rounds; as many threads as the source has connections
//! load them. All of them are plain threads, because they wait for the network. How far they are ahead is bounded, and so
//! is what a round may take of memory.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, unbounded};

use crate::resolve::error::ResolveError;
use crate::resolve::interrupt::check_interrupted;
use crate::snapshot::SnapshotError;
use crate::snapshot::drive::LOOK_EVERY;
use crate::timings::{self, Phase};

use super::loader::{Loader, Reply};
use super::planner::{Hangup, Planner};
use super::requests::RelationRequest;
use super::round::Fetched;
use super::rows::Live;

/// Rounds that may be ready, beside one for each connection.
const READY: usize = 2;

/// Rows on their way from the source, in order.
pub struct Fetch {
    jobs: Receiver<Receiver<Reply>>,
    current: Option<Receiver<Reply>>,
    planner: Option<JoinHandle<()>>,
    interrupted: Arc<AtomicBool>,
}

impl Live {
    /// Starts to fetch these relations, in this order.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn fetch(
        &self,
        requests: Vec<RelationRequest>,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Fetch, ResolveError> {
        let connections = self.source.connections().max(1);
        let (given, jobs) = bounded(connections + READY);
        let (work, taken) = unbounded();
        let loader = Arc::new(Loader::new(self, interrupted));
        // None of these threads is waited for: if the run ends early, one may be waiting for the network.
        for number in 0..connections {
            let (loader, taken) = (Arc::clone(&loader), taken.clone());
            let load = move || {
                while let Ok((job, replies)) = timings::waiting(|| taken.recv()) {
                    loader.load(job, &replies);
                }
            };
            start_thread(format!("loader-{number}"), load)?;
        }
        let planner = Planner {
            loader,
            given,
            work,
        };
        let planning = start_thread("planner".to_owned(), move || match planner.plan(requests) {
            // All has been given, or nobody waits for it.
            Ok(()) | Err(Hangup) => {}
        })?;
        Ok(Fetch {
            jobs,
            current: None,
            planner: Some(planning),
            interrupted: Arc::clone(interrupted),
        })
    }
}

/// Starts a thread that works for this thread's run.
fn start_thread(
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, SnapshotError> {
    let timings = timings::current();
    let thread = thread::Builder::new().name(name);
    thread
        .spawn(move || {
            let _work = timings::work(timings.as_ref(), Phase::Resolve);
            work();
        })
        .map_err(SnapshotError::Threads)
}

impl Fetch {
    /// What comes next, after waiting for it; `None` when all has been fetched.
    ///
    /// # Errors
    /// If the instant is lost or the run is interrupted. Nothing can be fetched after that.
    pub fn take(&mut self) -> Result<Option<Fetched>, ResolveError> {
        loop {
            if let Some(replies) = &self.current {
                let reply = receive(replies, &self.interrupted)?
                    .ok_or(ResolveError::Broken("a loading thread ended early"))?;
                match reply? {
                    Some(fetched) => return Ok(Some(fetched)),
                    None => self.current = None,
                }
            }
            self.current = receive(&self.jobs, &self.interrupted)?;
            if self.current.is_none() {
                if let Some(Err(panic)) = self.planner.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return Ok(None);
            }
        }
    }
}

/// Waits for a message; `None` if none will come any more.
fn receive<T>(from: &Receiver<T>, interrupted: &AtomicBool) -> Result<Option<T>, ResolveError> {
    loop {
        match timings::waiting(|| from.recv_timeout(LOOK_EVERY)) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => check_interrupted(interrupted)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}
