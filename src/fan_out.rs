//! Fanning work out over a rayon pool while results come back in order.
//!
//! rayon and blocking calls deadlock, so the pool gets only pure computation on owned values. The thread
//! that calls [`FanOut`] is a plain one: it may wait for input, for results and for disks. A job's one
//! send goes into a channel that has room for every job under way, so it never blocks.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use rayon::ThreadPool;

use crate::timings::{self, Phase};

/// Jobs under way, at most `window` of them, whose results are taken in the order in which the jobs were given.
pub struct FanOut<R> {
    pool: Arc<ThreadPool>,
    window: usize,
    phase: Phase,
    under_way: VecDeque<Receiver<R>>,
}

impl<R: Send + 'static> FanOut<R> {
    /// `phase` is what the jobs' CPU time counts as.
    pub fn new(pool: Arc<ThreadPool>, window: usize, phase: Phase) -> Self {
        FanOut {
            pool,
            window: window.max(1),
            phase,
            under_way: VecDeque::new(),
        }
    }

    /// The pool that the jobs run on.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Gives the pool a job. Where the window is full, waits for the oldest job and returns its result.
    pub fn give(&mut self, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let oldest = if self.under_way.len() >= self.window {
            self.take()
        } else {
            None
        };
        let (sender, receiver) = bounded(1);
        let (timings, phase) = (timings::current(), self.phase);
        self.pool.spawn_fifo(move || {
            let _work = timings::work(timings.as_ref(), phase);
            // The receiver is gone only where the whole run was given up; then nobody wants the result.
            let _ = sender.send(job());
        });
        self.under_way.push_back(receiver);
        oldest
    }

    /// The result of the oldest job that has not been taken, after waiting for it; `None` when none is under way.
    pub fn take(&mut self) -> Option<R> {
        let oldest = self.under_way.pop_front()?;
        // A job that panicked has ended the process: rayon aborts when a spawned job panics.
        timings::waiting(|| oldest.recv()).ok()
    }

    /// The result of the oldest job if it is there already.
    pub fn take_ready(&mut self) -> Option<R> {
        let ready = self.under_way.front()?.try_recv().ok()?;
        self.under_way.pop_front();
        Some(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let pool = Arc::new(
            rayon::ThreadPoolBuilder::new()
                .num_threads(4)
                .build()
                .unwrap(),
        );
        let mut fan_out = FanOut::new(pool, 5, Phase::Scan);
        let mut results = Vec::new();
        for i in 0..100u64 {
            // Early jobs take longest, so that later ones finish first.
            let work =
                move || (0..(100 - i) * 1000).fold(i, |sum, n| std::hint::black_box(sum + n - n));
            results.extend(fan_out.give(work));
        }
        while let Some(result) = fan_out.take() {
            results.push(result);
        }
        assert_eq!(results, (0..100).collect::<Vec<_>>());
    }
}
