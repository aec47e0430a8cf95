//! Where the time of a run goes: CPU by phase, and the time in which nothing could be computed.
//!
//! A thread says for which run it works and in which phase ([`Timings::work`]); code below it says where the phase
//! changes ([`phase`]) and where the thread waits ([`waiting`]). At each change the thread's own CPU clock is read
//! and what went by since the last change is charged to the phase that ends. Who works for a run is kept by thread,
//! so that a decoder need not be told, and so that several runs in one process do not mix. Where a thread works for
//! no run, nothing is measured.
//!
//! A reading of the clock costs about a quarter of a microsecond: phases change with chunks, jobs and pieces, never
//! with rows.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Taking bytes from files, pipes and the network.
    Read,
    Decompress,
    /// Telling statements, blocks and rows apart, and which rows are wanted.
    Scan,
    /// Keeping rows, their keys and the order of tables.
    Resolve,
    /// From kept rows to NDJSON.
    Render,
    /// Deflating, with the checksums of content.
    Compress,
    /// Files and their checksums, and the manifest.
    Write,
}

/// Number of phases.
const PHASES: usize = 7;

/// The times of one run.
#[derive(Debug)]
pub(crate) struct Timings {
    started: Instant,
    /// Nanoseconds of CPU, by phase.
    cpu: [AtomicU64; PHASES],
    queries: AtomicU64,
    round_trips: AtomicU64,
    idle: Mutex<Idle>,
}

/// How long no thread of the run computed.
#[derive(Debug)]
struct Idle {
    computing: usize,
    /// Since when nobody does.
    since: Instant,
    waited: Duration,
}

/// The times of a run, in seconds. All but `wall` and `wait` are CPU time, of all threads together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// From the beginning to the end, on the clock.
    pub wall: f64,
    /// The part of `wall` in which every thread waited: for a disk, a pipe, a server or the end of a sync.
    pub wait: f64,
    /// Taking bytes from files, pipes and the network.
    pub read: f64,
    /// Decompressing what was read.
    pub decompress: f64,
    /// Telling statements, blocks and rows apart, and which rows are wanted.
    pub scan: f64,
    /// Keeping rows, their keys and the order of tables.
    pub resolve: f64,
    /// From kept rows to NDJSON.
    pub render: f64,
    /// Deflating, with the checksums of content.
    pub compress: f64,
    /// Files and their checksums, and the manifest.
    pub write: f64,
    /// What a live server was asked; none where there is no server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerCalls>,
}

/// What a live server was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerCalls {
    /// Queries: for rows, for the catalog, and those that begin and end the instant.
    pub queries: u64,
    /// How often an answer was waited for: once for each query, once more for each that was prepared, and once for each
    /// login.
    pub round_trips: u64,
}

impl Times {
    /// The CPU phases by name, in the order in which data goes through them.
    pub fn phases(&self) -> [(&'static str, f64); PHASES] {
        [
            ("read", self.read),
            ("decompress", self.decompress),
            ("scan", self.scan),
            ("resolve", self.resolve),
            ("render", self.render),
            ("compress", self.compress),
            ("write", self.write),
        ]
    }

    /// CPU seconds of all phases.
    pub fn cpu(&self) -> f64 {
        self.phases().iter().map(|(_, seconds)| seconds).sum()
    }
}

thread_local! {
    static STINT: RefCell<Option<Stint>> = const { RefCell::new(None) };
}

/// What the present thread works on.
struct Stint {
    timings: Arc<Timings>,
    phase: Phase,
    /// The thread's CPU clock when the phase began, or was last charged.
    since: Duration,
}

impl Stint {
    /// Charges what went by to the phase. Gives the CPU time of it.
    fn charge(&mut self) -> Duration {
        let now = thread_cpu();
        let spent = now.saturating_sub(self.since);
        self.since = now;
        let nanoseconds = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.timings.cpu[self.phase as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        spent
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // The clock begins at 0 with the thread: neither part is ever negative.
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

impl Timings {
    /// Begins to measure a run.
    pub(crate) fn start() -> Arc<Timings> {
        let now = Instant::now();
        Arc::new(Timings {
            started: now,
            cpu: Default::default(),
            queries: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            idle: Mutex::new(Idle {
                computing: 0,
                since: now,
                waited: Duration::ZERO,
            }),
        })
    }

    /// The present thread works for this run until the guard is dropped.
    pub(crate) fn work(self: &Arc<Self>, phase: Phase) -> Work {
        self.computes();
        let stint = Stint {
            timings: Arc::clone(self),
            phase,
            since: thread_cpu(),
        };
        Work {
            before: STINT.with_borrow_mut(|current| current.replace(stint)),
        }
    }

    /// The times so far; of the present thread up to now, of the others up to their last change of phase.
    pub(crate) fn so_far(&self) -> Times {
        STINT.with_borrow_mut(|current| current.as_mut().map(Stint::charge));
        let seconds = |phase: Phase| {
            self.cpu[phase as usize].load(Ordering::Relaxed) as f64 / 1_000_000_000.0
        };
        let waited = {
            let idle = self.idle();
            match idle.computing {
                0 => idle.waited + idle.since.elapsed(),
                _ => idle.waited,
            }
        };
        Times {
            wall: rounded(self.started.elapsed().as_secs_f64()),
            wait: rounded(waited.as_secs_f64()),
            read: rounded(seconds(Phase::Read)),
            decompress: rounded(seconds(Phase::Decompress)),
            scan: rounded(seconds(Phase::Scan)),
            resolve: rounded(seconds(Phase::Resolve)),
            render: rounded(seconds(Phase::Render)),
            compress: rounded(seconds(Phase::Compress)),
            write: rounded(seconds(Phase::Write)),
            server: self.server(),
        }
    }

    fn server(&self) -> Option<ServerCalls> {
        let calls = ServerCalls {
            queries: self.queries.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
        };
        (calls.round_trips > 0).then_some(calls)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more thread computes.
    fn computes(&self) {
        let mut idle = self.idle();
        if idle.computing == 0 {
            let waited = idle.since.elapsed();
            idle.waited += waited;
        }
        idle.computing += 1;
    }

    /// One thread less computes.
    fn rests(&self) {
        let mut idle = self.idle();
        idle.computing = idle.computing.saturating_sub(1);
        if idle.computing == 0 {
            idle.since = Instant::now();
        }
    }

    /// A thread computes again after a wait that cost it some CPU: a read that found its bytes in memory, say.
    fn computes_again(&self, cpu: Duration) {
        let mut idle = self.idle();
        if idle.computing == 0 {
            let waited = idle.since.elapsed().saturating_sub(cpu);
            idle.waited += waited;
        }
        idle.computing += 1;
    }
}

/// Microseconds are as far as the figures mean something.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// While it lives, the thread works for a run.
pub(crate) struct Work {
    before: Option<Stint>,
}

impl Drop for Work {
    fn drop(&mut self) {
        let before = self.before.take();
        let ended = STINT.with_borrow_mut(|current| {
            let mut ended = std::mem::replace(current, before);
            if let Some(ended) = &mut ended {
                ended.charge();
            }
            if let Some(current) = current {
                // What went by since belongs to the work that has ended.
                current.since = thread_cpu();
            }
            ended
        });
        if let Some(ended) = ended {
            ended.timings.rests();
        }
    }
}

/// The run that the present thread works for, to hand it on to a thread that is about to be started.
pub(crate) fn current() -> Option<Arc<Timings>> {
    STINT.with_borrow(|current| current.as_ref().map(|stint| Arc::clone(&stint.timings)))
}

/// [`Timings::work`] for a run that was handed on; nothing where there is none.
pub(crate) fn work(timings: Option<&Arc<Timings>>, phase: Phase) -> Option<Work> {
    timings.map(|timings| timings.work(phase))
}

/// The present thread is in another phase until the guard is dropped.
pub(crate) fn phase(phase: Phase) -> InPhase {
    InPhase {
        before: change(phase),
    }
}

/// The present thread sends a query to a server.
pub(crate) fn query() {
    count(|timings| &timings.queries);
}

/// The present thread sends something to a server and will wait for its answer.
pub(crate) fn round_trip() {
    count(|timings| &timings.round_trips);
}

fn count(what: fn(&Timings) -> &AtomicU64) {
    STINT.with_borrow(|current| {
        if let Some(stint) = current {
            what(&stint.timings).fetch_add(1, Ordering::Relaxed);
        }
    });
}

fn change(phase: Phase) -> Option<Phase> {
    STINT.with_borrow_mut(|current| {
        let stint = current.as_mut()?;
        stint.charge();
        Some(std::mem::replace(&mut stint.phase, phase))
    })
}

/// While it lives, the thread is in a phase.
pub(crate) struct InPhase {
    before: Option<Phase>,
}

impl Drop for InPhase {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            change(before);
        }
    }
}

/// Runs what may block: a channel's end, a sync. Its CPU time is charged to the present phase as always; while all
/// threads of the run are in here, nothing is computed.
pub(crate) fn waiting<T>(block: impl FnOnce() -> T) -> T {
    wait_in(None, block)
}

/// As [`waiting`], for taking bytes from outside: what it costs is charged to [`Phase::Read`].
pub(crate) fn reading<T>(block: impl FnOnce() -> T) -> T {
    wait_in(Some(Phase::Read), block)
}

fn wait_in<T>(phase: Option<Phase>, block: impl FnOnce() -> T) -> T {
    let Some((timings, before)) = STINT.with_borrow_mut(|current| {
        let stint = current.as_mut()?;
        stint.charge();
        let before = stint.phase;
        stint.phase = phase.unwrap_or(before);
        Some((Arc::clone(&stint.timings), before))
    }) else {
        return block();
    };
    timings.rests();
    let result = block();
    let spent = STINT.with_borrow_mut(|current| {
        let stint = current.as_mut()?;
        let spent = stint.charge();
        stint.phase = before;
        Some(spent)
    });
    timings.computes_again(spent.unwrap_or_default());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes until the thread has used so much CPU.
    fn burn(milliseconds: u64) {
        let end = thread_cpu() + Duration::from_millis(milliseconds);
        while thread_cpu() < end {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn cpu_is_charged_to_the_phase_it_was_spent_in() {
        let timings = Timings::start();
        {
            let _work = timings.work(Phase::Scan);
            burn(20);
            {
                let _write = phase(Phase::Write);
                reading(|| burn(10));
                burn(5);
            }
            burn(20);
            let (timings, handed_on) = (Arc::clone(&timings), current());
            waiting(|| {
                std::thread::spawn(move || {
                    let _work = work(handed_on.as_ref(), Phase::Render);
                    burn(30);
                    drop(timings);
                })
                .join()
                .unwrap();
            });
        }
        let times = timings.so_far();
        for (name, seconds) in times.phases() {
            let expected = match name {
                "scan" => 0.040,
                "read" => 0.010,
                "write" => 0.005,
                "render" => 0.030,
                _ => 0.0,
            };
            assert!(seconds >= expected, "{times:?}");
            assert_eq!(seconds > 0.0, expected > 0.0, "{times:?}");
        }
    }

    #[test]
    fn only_when_every_thread_waits_is_nothing_computed() {
        let timings = Timings::start();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = {
            let timings = Arc::clone(&timings);
            std::thread::spawn(move || {
                let _work = timings.work(Phase::Scan);
                sender.send(()).unwrap();
                burn(50);
            })
        };
        receiver.recv().unwrap();
        {
            let _work = timings.work(Phase::Resolve);
            waiting(|| thread.join().unwrap());
        }
        // The other thread computed while this one waited.
        let times = timings.so_far();
        assert!(times.wall - times.wait >= 0.05, "{times:?}");
        let other = Timings::start();
        let _work = other.work(Phase::Write);
        waiting(|| std::thread::park_timeout(Duration::from_millis(20)));
        assert!(other.so_far().wait > 0.0);
    }

    #[test]
    fn a_thread_that_works_for_no_run_is_not_measured() {
        assert!(current().is_none());
        let _phase = phase(Phase::Read);
        assert_eq!(waiting(|| 5), 5);
        let timings = Timings::start();
        {
            let _work = timings.work(Phase::Read);
            assert!(Arc::ptr_eq(&current().unwrap(), &timings));
        }
        assert!(current().is_none());
    }
}
