//! The workers of a server: as many as connections are allowed. Whoever has a query borrows one.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::worker::Worker;
use crate::timings;

/// All workers.
pub(super) struct Workers {
    /// How many there were at the beginning.
    most: usize,
    /// How many there still are.
    left: AtomicUsize,
    /// Those that nobody uses.
    idle: (Sender<Worker>, Receiver<Worker>),
}

impl Workers {
    /// At least one.
    pub(super) fn new(count: usize) -> Self {
        let most = count.max(1);
        let idle = crossbeam_channel::bounded(most);
        for _ in 0..most {
            // The channel has room for all of them.
            let _ = idle.0.send(Worker::default());
        }
        Workers {
            most,
            left: AtomicUsize::new(most),
            idle,
        }
    }

    /// How many there were at the beginning.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Waits for a worker.
    pub(super) fn borrow(&self) -> Borrowed<'_> {
        Borrowed {
            workers: self,
            // There always comes one: the channel's sending end is held here, too.
            worker: timings::waiting(|| self.idle.1.recv()).unwrap_or_default(),
            is_retired: false,
        }
    }
}

/// A worker that is given back whatever happens.
pub(super) struct Borrowed<'a> {
    workers: &'a Workers,
    worker: Worker,
    is_retired: bool,
}

impl Borrowed<'_> {
    pub(super) fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Gives the worker up for good, unless it is the last one. True if it is given up.
    pub(super) fn retire(&mut self) -> bool {
        let fewer = |workers: usize| (workers > 1).then(|| workers - 1);
        let left = &self.workers.left;
        self.is_retired = left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok();
        self.is_retired
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if !self.is_retired {
            // The channel's receiving end is held by the workers, too.
            let _ = self.workers.idle.0.send(std::mem::take(&mut self.worker));
        }
    }
}
