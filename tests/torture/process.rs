//! A run that is watched: killed at a moment, given up after a while, its memory looked at.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Program, Run};
use crate::table::Verdict;

/// After what time a run is taken as one that never ends.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// How often a run is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// A run that is over.
pub(crate) struct Ended {
    pub run: Run,
    /// It was killed before it came to its end.
    pub was_killed: bool,
    has_hung: bool,
    /// The most memory that it had, as far as that was seen.
    pub peak_kib: u64,
}

impl Ended {
    /// What is a fault whatever else came of the run: a panic, a crash, no end. Also a failure without a word.
    pub(crate) fn fault(&self) -> Option<Verdict> {
        let Run { code, stderr, .. } = &self.run;
        if self.has_hung {
            return Some(Verdict::Hung(format!(
                "no end after {DEADLINE:?}: {stderr}"
            )));
        }
        if self.was_killed {
            return None;
        }
        match code {
            None => Some(Verdict::Panicked(format!("it crashed: {stderr}"))),
            Some(70 | 101) => Some(Verdict::Panicked(stderr.clone())),
            Some(_) if stderr.contains("a fault in this program") => {
                Some(Verdict::Panicked(stderr.clone()))
            }
            Some(0) => None,
            Some(code) if stderr.trim().is_empty() => Some(Verdict::Lost(format!(
                "it ended with {code} and without a word"
            ))),
            Some(_) => None,
        }
    }
}

/// Runs a program to its end.
pub(crate) fn watch(program: Program) -> Ended {
    watch_until(program, None, DEADLINE)
}

/// Runs a program, and kills it after a time as a power cut would.
pub(crate) fn kill_after(program: Program, time: Duration) -> Ended {
    watch_until(program, Some(time), DEADLINE)
}

/// Runs a program to its end, and does something at a moment of the run.
pub(crate) fn watch_and(program: Program, time: Duration, act: impl FnOnce() + Send) -> Ended {
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(time);
            act();
        });
        watch(program)
    })
}

/// Runs a program that is killed at a moment, and given up at another one.
pub(crate) fn watch_until(program: Program, kill: Option<Duration>, deadline: Duration) -> Ended {
    let begun = Instant::now();
    let started = program.start();
    let pid = started.pid();
    let is_over = AtomicBool::new(false);
    let (run, (was_killed, has_hung, peak_kib)) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let limit = kill.unwrap_or(deadline);
            let mut peak = 0;
            loop {
                if is_over.load(Ordering::SeqCst) {
                    return (false, false, peak);
                }
                if begun.elapsed() >= limit {
                    send_kill(pid);
                    return (kill.is_some(), kill.is_none(), peak);
                }
                peak = peak.max(peak_of(pid).unwrap_or(0));
                thread::sleep(GLANCE.min(limit.saturating_sub(begun.elapsed())));
            }
        });
        let run = started.wait();
        is_over.store(true, Ordering::SeqCst);
        (run, watcher.join().unwrap())
    });
    Ended {
        // One that came to its end in the same moment was not killed.
        was_killed: was_killed && run.code.is_none(),
        run,
        has_hung,
        peak_kib,
    }
}

fn send_kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended in this moment.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The most memory that a process had so far, in KiB.
fn peak_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
