//! Driving a snapshot: the one place that reads a stream on a thread, parts of tables on several, and looks meanwhile
//! whether the run is to end.
//!
//! Reading waits for disks, pipes and servers, so it has plain threads, which hand on what comes over a bounded channel:
//! who is slow to take it slows the reading down. When the run is interrupted, or whoever takes the rows fails, no thread is waited
//! for: one may be waiting itself, for a pipe into which nothing comes. It stops at its next event, now that nobody
//! listens. A thread that dies is an error, and never an end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::fault::{Fault, caught};
pub(crate) use crate::interruption::LOOK_EVERY;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Event;
use crate::snapshot::source::{StreamSource, TablePart, TableSource};
use crate::snapshot::table_name::TableName;
use crate::timings::{self, Phase};

/// Reports that may wait to be taken, for each thread.
const WAITING: usize = 4;

/// Why driving ended early.
#[derive(Debug)]
pub(crate) enum Stopped<E> {
    /// The run was interrupted.
    Interrupted,
    /// The threads could not be started, or one died.
    Threads(Box<SnapshotError>),
    /// Whoever takes what comes has failed.
    Taker(E),
}

/// Threads that read. Each does one job at a time, in the order in which jobs are given, and reports on it.
pub(crate) struct Readers<Job, Report> {
    /// `None` when no more jobs will come.
    jobs: Option<Sender<Job>>,
    reports: Receiver<Result<Report, Fault>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where a reading thread's reports go.
pub(crate) struct Reports<Report>(Sender<Result<Report, Fault>>);

impl<Report> Reports<Report> {
    /// Hands a report on once there is room for it. `Break` if nobody listens any more.
    pub(crate) fn send(&self, report: Report) -> ControlFlow<()> {
        match timings::waiting(|| self.0.send(Ok(report)).is_ok()) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

impl<Job: Send + 'static, Report: Send + 'static> Readers<Job, Report> {
    /// Starts so many threads, at least one. `work` does a job, and sends reports on it; it ends early when they break off.
    ///
    /// # Errors
    /// [`SnapshotError::Threads`] if the system has no thread left.
    pub(crate) fn start(
        count: usize,
        work: impl Fn(Job, &Reports<Report>) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Result<Self, SnapshotError> {
        let count = count.max(1);
        let (jobs, given) = unbounded();
        let (reports, received) = bounded(WAITING * count);
        let work = Arc::new(work);
        let mut threads = Vec::with_capacity(count);
        for reader in 0..count {
            let (given, work) = (Receiver::clone(&given), Arc::clone(&work));
            let reports = Reports(Sender::clone(&reports));
            let timings = timings::current();
            let thread = thread::Builder::new()
                .name(format!("reader-{reader}"))
                .spawn(move || {
                    let _work = timings::work(timings.as_ref(), Phase::Scan);
                    while let Ok(job) = timings::waiting(|| given.recv()) {
                        match caught(|| work(job, &reports)) {
                            Ok(ControlFlow::Continue(())) => {}
                            Ok(ControlFlow::Break(())) => return,
                            Err(fault) => {
                                // If nobody listens any more, nobody waits for this job.
                                let _ = reports.0.send(Err(fault));
                                return;
                            }
                        }
                    }
                })
                .map_err(SnapshotError::Threads)?;
            threads.push(thread);
        }
        Ok(Readers {
            jobs: Some(jobs),
            reports: received,
            threads,
        })
    }

    /// Adds a job to those that wait.
    pub(crate) fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The last thread ends with an error that is reported, or when nobody takes reports any more.
            let _ = jobs.send(job);
        }
    }

    /// The threads end when they have done what was given.
    pub(crate) fn no_more(&mut self) {
        self.jobs = None;
    }

    /// Hands the next report to `take`; `None` when all threads have ended.
    ///
    /// # Errors
    /// Those of `take`, or why there is no report.
    pub(crate) fn next<T, E>(
        &self,
        interrupted: &AtomicBool,
        take: impl FnOnce(Report) -> Result<T, E>,
    ) -> Result<Option<T>, Stopped<E>> {
        loop {
            let report = timings::waiting(|| self.reports.recv_timeout(LOOK_EVERY));
            if interrupted.load(Ordering::Relaxed) {
                return Err(Stopped::Interrupted);
            }
            return match report {
                Ok(Ok(report)) => take(report).map(Some).map_err(Stopped::Taker),
                Ok(Err(fault)) => Err(Stopped::Threads(Box::new(fault.into()))),
                Err(RecvTimeoutError::Disconnected) => Ok(None),
                Err(RecvTimeoutError::Timeout) => continue,
            };
        }
    }

    /// Takes no more reports, and waits until the threads have noticed.
    pub(crate) fn finish(self) {
        let Readers {
            jobs,
            reports,
            threads,
        } = self;
        drop((jobs, reports));
        for thread in threads {
            // What a thread died of was reported before it ended.
            let _ = timings::waiting(|| thread.join());
        }
    }

    /// Waits until the threads have ended, but no longer than this. What they report meanwhile is dropped.
    pub(crate) fn wait(self, longest: Duration) {
        let end = Instant::now() + longest;
        while timings::waiting(|| self.reports.recv_deadline(end)).is_ok() {}
    }
}

/// What the thread that reads a stream reports.
enum StreamReport {
    Event(Event),
    End(Result<(), SnapshotError>),
}

/// Reads a stream, and hands its events to `take`, which may break off. Says how the reading ended: an error that follows
/// events may leave what came before it of use.
///
/// # Errors
/// Those of `take`, and why the reading ended before the stream did.
pub(crate) fn drive_stream<E>(
    source: Box<dyn StreamSource>,
    filter: impl Fn(&TableName) -> bool + Send + Sync + 'static,
    interrupted: &AtomicBool,
    mut take: impl FnMut(Event) -> Result<ControlFlow<()>, E>,
) -> Result<Result<(), SnapshotError>, Stopped<E>> {
    let readers = Readers::start(
        1,
        move |source: Box<dyn StreamSource>, reports: &Reports<StreamReport>| {
            let read = source.read(&filter, &mut |event| {
                reports.send(StreamReport::Event(event))
            });
            reports.send(StreamReport::End(read))
        },
    )
    .map_err(|error| Stopped::Threads(Box::new(error)))?;
    readers.give(source);
    let read = loop {
        let step = readers.next(interrupted, |report| match report {
            StreamReport::Event(event) => Ok(take(event)?.map_continue(|()| None)),
            StreamReport::End(read) => Ok(ControlFlow::Continue(Some(read))),
        })?;
        match step {
            Some(ControlFlow::Continue(None)) => {}
            Some(ControlFlow::Continue(Some(read))) => break read,
            // Whoever takes the events has enough.
            Some(ControlFlow::Break(())) => break Ok(()),
            None => return Err(Stopped::Threads(Box::new(Fault.into()))),
        }
    };
    readers.finish();
    Ok(read)
}

/// What threads that read parts of tables report, each with what the part was given with.
pub(crate) enum PartReport<Tag> {
    Event(Tag, Event),
    /// The part was read to its end, or cannot be.
    End(Tag, Result<(), SnapshotError>),
}

/// Threads that read parts of tables, each given with a tag that its reports come with.
pub(crate) type PartReaders<Tag> = Readers<(Tag, TablePart), PartReport<Tag>>;

/// Starts threads that read parts of tables. Events for which `wants` is false are not reported. A fault while a part is
/// read is that part's error.
///
/// # Errors
/// As [`Readers::start`].
pub(crate) fn part_readers<Tag: Copy + Send + 'static>(
    source: Arc<dyn TableSource>,
    count: usize,
    wants: impl Fn(&Event) -> bool + Send + Sync + 'static,
) -> Result<PartReaders<Tag>, SnapshotError> {
    Readers::start(
        count,
        move |(tag, part): (Tag, TablePart), reports: &Reports<PartReport<Tag>>| {
            let mut hand_on = |event| match wants(&event) {
                true => reports.send(PartReport::Event(tag, event)),
                false => ControlFlow::Continue(()),
            };
            let read = caught(|| source.read(&part, &mut hand_on))
                .unwrap_or_else(|fault| Err(fault.into()));
            reports.send(PartReport::End(tag, read))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does jobs that are numbers: reports them, and dies of 13.
    fn numbers(count: usize) -> Readers<u32, u32> {
        Readers::start(count, |job: u32, reports: &Reports<u32>| {
            assert_ne!(job, 13, "a fault that a test wants");
            reports.send(job)
        })
        .unwrap()
    }

    fn all(readers: &Readers<u32, u32>) -> Result<Vec<u32>, Stopped<()>> {
        let mut taken = Vec::new();
        while let Some(number) = readers.next(&AtomicBool::new(false), Ok)? {
            taken.push(number);
        }
        Ok(taken)
    }

    #[test]
    fn every_job_is_done_by_one_of_the_threads() {
        let mut readers = numbers(3);
        (0..12).for_each(|job| readers.give(job));
        readers.no_more();
        let mut taken = all(&readers).unwrap();
        taken.sort_unstable();
        assert_eq!(taken, (0..12).collect::<Vec<_>>());
        readers.finish();
    }

    #[test]
    fn a_thread_that_dies_is_an_error_and_no_end() {
        let mut readers = numbers(1);
        [1, 13, 2].into_iter().for_each(|job| readers.give(job));
        readers.no_more();
        assert!(matches!(
            all(&readers),
            Err(Stopped::Threads(error)) if matches!(*error, SnapshotError::Fault(_))
        ));
    }

    #[test]
    fn an_interrupted_run_waits_for_no_thread() {
        let (hold, held) = bounded::<()>(0);
        let readers = Readers::start(1, move |(): (), reports: &Reports<()>| {
            // Until the test is over.
            let _ = held.recv();
            reports.send(())
        })
        .unwrap();
        readers.give(());
        let next = readers.next(&AtomicBool::new(true), Ok::<(), ()>);
        assert!(matches!(next, Err(Stopped::Interrupted)));
        drop(hold);
        readers.finish();
    }

    #[test]
    fn whoever_takes_reports_may_fail() {
        let readers = numbers(1);
        readers.give(7);
        let next = readers.next(&AtomicBool::new(false), Err::<(), u32>);
        assert!(matches!(next, Err(Stopped::Taker(7))));
    }
}
