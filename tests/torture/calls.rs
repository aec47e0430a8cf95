//! Faults of the kernel's calls: each write, sync, rename, read or open of a run fails in turn. strace makes them fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use fastrand::Rng;

use crate::kills::healed;
use crate::process::watch;
use crate::scenario::{Scenario, of_faults};
use crate::stand::Stand;
use crate::support::*;
use crate::table::Verdict;

/// The calls of a kind, and an error that they may end with.
struct Fault {
    what: &'static str,
    calls: &'static [&'static str],
    error: &'static str,
}

const WRITES: &[&str] = &["write", "writev", "pwrite64", "copy_file_range", "sendfile"];
const READS: &[&str] = &["read", "readv", "pread64"];
const RENAMES: &[&str] = &["rename", "renameat", "renameat2", "link", "linkat"];
const SYNCS: &[&str] = &["fsync", "fdatasync", "syncfs"];
const FOLDERS: &[&str] = &["mkdir", "mkdirat"];

const FAULTS: [Fault; 18] = [
    fault("a full disk at each write", WRITES, "ENOSPC"),
    fault("an I/O error at each write", WRITES, "EIO"),
    fault("a signal at each write", WRITES, "EINTR"),
    fault("an I/O error at each sync", SYNCS, "EIO"),
    fault("a full disk at each sync", SYNCS, "ENOSPC"),
    fault("an I/O error at each rename", RENAMES, "EIO"),
    fault("no permission at each rename", RENAMES, "EACCES"),
    fault("an I/O error at each read", READS, "EIO"),
    fault("a signal at each read", READS, "EINTR"),
    fault("no descriptor at each open", &["openat", "open"], "EMFILE"),
    fault("an I/O error at each open", &["openat", "open"], "EIO"),
    fault("a full disk at each new folder", FOLDERS, "ENOSPC"),
    fault(
        "an I/O error at each removal",
        &["unlink", "unlinkat", "rmdir"],
        "EIO",
    ),
    fault(
        "an I/O error at each look at a file",
        &["statx", "newfstatat", "fstat"],
        "EIO",
    ),
    fault("an I/O error at each listing", &["getdents64"], "EIO"),
    fault(
        "an I/O error at each seek",
        &["lseek", "ftruncate", "fallocate"],
        "EIO",
    ),
    fault("no lock at each lock", &["flock"], "ENOLCK"),
    fault("no thread at each thread", &["clone3", "clone"], "EAGAIN"),
];

const fn fault(what: &'static str, calls: &'static [&'static str], error: &'static str) -> Fault {
    Fault { what, calls, error }
}

/// After so many seconds a run is taken as one that never ends; strace slows it down.
const DEADLINE: &str = "300";

pub(crate) fn run(stand: &mut Stand) {
    let snapshots = Arc::new(Dir::new());
    let traced: Vec<Traced> = of_faults(&snapshots)
        .into_iter()
        .map(|scenario| Traced {
            scenario,
            calls: OnceLock::new(),
        })
        .collect();
    let missing = missing();
    for fault in &FAULTS {
        if let Some(why) = &missing {
            stand.skip(fault.what, why);
            continue;
        }
        if !stand.is_wanted(fault.what) {
            continue;
        }
        let mut places: Vec<(&Traced, &str, usize)> = Vec::new();
        for traced in &traced {
            places.extend(
                traced
                    .places(fault.calls)
                    .map(|(call, number)| (traced, call, number)),
            );
        }
        // All of them, in an order that follows from the seed, as far as the form has time.
        stand.dice(fault.what).shuffle(&mut places);
        let tries = stand.short_or_long(3, 120).min(places.len());
        stand.row(fault.what, tries, |number, _: &mut Rng| {
            let (traced, call, nth) = places[number % places.len()];
            struck(&traced.scenario, call, nth, fault.error)
        });
    }
}

/// Why calls cannot be made to fail on this machine.
fn missing() -> Option<String> {
    match Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output()
    {
        Err(_) => Some("strace is not installed".to_owned()),
        Ok(output) if !output.status.success() => Some("strace may not trace here".to_owned()),
        Ok(_) => None,
    }
}

/// An export, and which calls it makes.
struct Traced {
    scenario: Scenario,
    calls: OnceLock<BTreeMap<String, (usize, usize)>>,
}

impl Traced {
    /// Each call of these names, by its number among those of its thread.
    fn places<'a>(
        &'a self,
        names: &'a [&'static str],
    ) -> impl Iterator<Item = (&'static str, usize)> + 'a {
        let calls = self.calls.get_or_init(|| {
            let dir = Dir::new();
            let log = dir.join("log");
            let words = ["strace", "-f", "-y", "--seccomp-bpf", "-o"];
            let traced: Vec<&str> = FAULTS
                .iter()
                .flat_map(|fault| fault.calls.iter().copied())
                .collect();
            let filter = format!("trace={}", traced.join(","));
            let words = words
                .into_iter()
                .chain([log.to_str().unwrap(), "-e", &filter]);
            self.scenario.export(&dir).through(words).ok();
            count(&fs::read_to_string(log).unwrap())
        });
        names.iter().flat_map(move |name| {
            let (first, last) = calls.get(*name).copied().unwrap_or((1, 0));
            (first..=last).map(move |number| (*name, number))
        })
    }
}

/// For each call, the number of the first one that the program itself makes, and the most that a thread makes of it.
/// What comes before is the loader's, which looks for libraries.
fn count(log: &str) -> BTreeMap<String, (usize, usize)> {
    let mut threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut firsts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        // The second half of a call that was cut in two by another thread's is no other call.
        let Some((call, arguments)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if call.starts_with('<') {
            continue;
        }
        let number = threads.entry((thread, call)).or_default();
        *number += 1;
        if arguments.contains(".so") || arguments.contains("/maps") {
            firsts.insert(call, *number + 1);
        }
    }
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ((_, call), number) in threads {
        let first = firsts.get(call).copied().unwrap_or(1);
        let (_, last) = counts.entry(call.to_owned()).or_insert((first, 0));
        *last = number.max(*last);
    }
    counts
}

/// One run in which a call fails once in each thread that comes so far, and the next one, in which nothing does.
fn struck(scenario: &Scenario, call: &str, number: usize, error: &str) -> Verdict {
    let dir = Dir::new();
    let log = Dir::new();
    let log = log.write("log", "");
    let inject = format!("inject={call}:error={error}:when={number}");
    let words = [
        "timeout",
        "-s",
        "KILL",
        DEADLINE,
        "strace",
        "-f",
        "-y",
        "--seccomp-bpf",
        "-o",
    ];
    let filter = format!("trace={call}");
    let words = words
        .into_iter()
        .chain([log.to_str().unwrap(), "-e", &filter, "-e", &inject]);
    let ended = watch(scenario.export(&dir).through(words));
    let place = format!("{}: {call} number {number}", scenario.name);
    verdict(scenario, &dir, &log, &ended).of(&place)
}

fn verdict(scenario: &Scenario, dir: &Dir, log: &Path, ended: &crate::process::Ended) -> Verdict {
    let log = fs::read_to_string(log).unwrap();
    let mut hits = log
        .lines()
        .filter(|line| line.contains("(INJECTED)"))
        .peekable();
    if hits.peek().is_none() {
        return Verdict::Missed;
    }
    // What fails may be the very write of the message.
    let is_mute = hits.any(|line| line.contains("write(2<") || line.contains("write(1<"));
    match ended.run.code {
        Some(137) => {
            return Verdict::Hung(format!("no end after {DEADLINE} s: {}", ended.run.stderr));
        }
        Some(0) => {
            if let Some(fault) = ended.fault() {
                return fault;
            }
            return match scenario.undisturbed().difference(&dir.join("out")) {
                // A snapshot that could not be looked at has no fingerprint: the manifest says less, and nothing wrong.
                Some(difference) if difference.ends_with(" at .terms") => Verdict::Survived,
                Some(difference) => Verdict::Lied(format!("it ended with 0, and {difference}")),
                None => Verdict::Survived,
            };
        }
        _ => {}
    }
    match ended.fault() {
        Some(Verdict::Lost(_)) if is_mute => {}
        Some(fault) => return fault,
        None => {}
    }
    healed(scenario, dir)
}
