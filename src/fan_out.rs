//! Fanning work out over a rayon pool while results come back in order.
//!
//! rayon and blocking calls deadlock, so the pool gets only pure computation on owned values. The thread
//! that calls [`FanOut`] is a plain one: it may wait for input, for results and for disks. A job's one
//! send goes into a channel that has room for every job under way, so it never blocks.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use rayon::ThreadPool;

use crate::fault::{Fault, caught};
use crate::timings::{self, Phase};

/// Jobs under way, at most `window` of them, whose results are taken in the order in which the jobs were given.
pub(crate) struct FanOut<R> {
    pool: Arc<ThreadPool>,
    window: usize,
    phase: Phase,
    under_way: VecDeque<Receiver<Result<R, Fault>>>,
}

impl<R: Send + 'static> FanOut<R> {
    /// `phase` is what the jobs' CPU time counts as.
    pub(crate) fn new(pool: Arc<ThreadPool>, window: usize, phase: Phase) -> Self {
        FanOut {
            pool,
            window: window.max(1),
            phase,
            under_way: VecDeque::new(),
        }
    }

    /// The pool that the jobs run on.
    pub(crate) fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Gives the pool a job. Where the window is full, waits for the oldest job and returns its result.
    pub(crate) fn give(&mut self, job: impl FnOnce() -> R + Send + 'static) -> Option<R> {
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
            let _ = sender.send(caught(job));
        });
        self.under_way.push_back(receiver);
        oldest
    }

    /// The result of the oldest job that has not been taken, after waiting for it; `None` when none is under way.
    ///
    /// # Panics
    /// The job has panicked: without its result the run cannot go on.
    pub(crate) fn take(&mut self) -> Option<R> {
        let oldest = self.under_way.pop_front()?;
        Some(result_of(
            timings::waiting(|| oldest.recv()).unwrap_or(Err(Fault)),
        ))
    }

    /// The result of the oldest job if it is there already.
    ///
    /// # Panics
    /// As [`FanOut::take`].
    pub(crate) fn take_ready(&mut self) -> Option<R> {
        let ready = self.under_way.front()?.try_recv().ok()?;
        self.under_way.pop_front();
        Some(result_of(ready))
    }
}

/// Goes on with a job's panic on the thread that waits for its result, if it had one.
fn result_of<R>(result: Result<R, Fault>) -> R {
    result.unwrap_or_else(|fault| std::panic::resume_unwind(Box::new(fault)))
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

    #[test]
    fn a_job_that_panics_ends_the_one_that_waits_for_it() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let mut fan_out = FanOut::new(Arc::new(pool.unwrap()), 3, Phase::Scan);
        let panics: fn() -> u32 = || panic!("a test's own panic");
        for job in [panics, || 2, panics] {
            assert_eq!(fan_out.give(job), None);
        }
        assert_eq!(caught(|| fan_out.take()), Err(Fault));
        assert_eq!(fan_out.take(), Some(2));
        let ready = caught(|| {
            loop {
                if let Some(ready) = fan_out.take_ready() {
                    return ready;
                }
                std::thread::yield_now();
            }
        });
        assert_eq!(ready, Err(Fault));
        assert_eq!(fan_out.take(), None);
    }
}
