//! The stand on which faults are tried: how often, on how many threads, and what became of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fastrand::Rng;

use crate::options::Options;
use crate::support::project;
use crate::table::{Report, Row, Verdict};

/// A try, and the most memory that a run had in it (in KiB).
pub(crate) struct Tried {
    pub verdict: Verdict,
    pub peak_kib: u64,
}

impl From<Verdict> for Tried {
    fn from(verdict: Verdict) -> Tried {
        Tried {
            verdict,
            peak_kib: 0,
        }
    }
}

/// How often a try whose fault did not come to pass is tried anew.
const DRAWS: u64 = 5;

pub(crate) struct Stand {
    options: Options,
    rows: Vec<Row>,
    started: Instant,
    threads: usize,
}

impl Stand {
    pub(crate) fn new(options: Options) -> Stand {
        let form = if options.is_long { "long" } else { "short" };
        println!("torture, {form} form, --seed {}", options.seed);
        Stand {
            options,
            rows: Vec::new(),
            started: Instant::now(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    pub(crate) fn is_long(&self) -> bool {
        self.options.is_long
    }

    pub(crate) fn is_wanted(&self, fault: &str) -> bool {
        self.options.is_wanted(fault)
    }

    /// One of two numbers, for the short form and the long one.
    pub(crate) fn short_or_long<T>(&self, short: T, long: T) -> T {
        if self.is_long() { long } else { short }
    }

    /// Dice for what is drawn once for a whole fault.
    pub(crate) fn dice(&self, fault: &str) -> Rng {
        Rng::with_seed(seed(&[&self.options.seed.to_le_bytes(), fault.as_bytes()]))
    }

    /// Says that a fault is not tried here, and why.
    pub(crate) fn skip(&mut self, fault: &str, why: &str) {
        if self.is_wanted(fault) {
            println!("{fault}: skipped, {why}");
            self.rows.push(Row {
                fault: fault.to_owned(),
                skipped: Some(why.to_owned()),
                ..Row::default()
            });
        }
    }

    /// Tries a fault so many times, several at once. Each try has dice of its own, which follow from the seed, the
    /// fault's name and the try's number.
    pub(crate) fn row<T: Into<Tried>>(
        &mut self,
        fault: &str,
        tries: usize,
        attempt: impl Fn(usize, &mut Rng) -> T + Sync,
    ) {
        let threads = self.threads;
        self.row_on(threads, fault, tries, attempt);
    }

    /// As [`Stand::row`], on so many threads: one for what needs the machine for itself.
    pub(crate) fn row_on<T: Into<Tried>>(
        &mut self,
        threads: usize,
        fault: &str,
        tries: usize,
        attempt: impl Fn(usize, &mut Rng) -> T + Sync,
    ) {
        if !self.is_wanted(fault) {
            return;
        }
        let tries = self.options.tries.unwrap_or(tries);
        let started = Instant::now();
        let row = Mutex::new(Row {
            fault: fault.to_owned(),
            ..Row::default()
        });
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= tries {
                    return;
                }
                let tried = self.one(fault, number, &attempt);
                let mut row = row.lock().unwrap();
                row.peak_mib = row.peak_mib.max(tried.peak_kib / 1024);
                row.count(number, tried.verdict);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads.min(tries) {
                scope.spawn(work);
            }
        });
        let mut row = row.into_inner().unwrap();
        row.seconds = started.elapsed().as_secs();
        println!(
            "{fault}: {} tried, {} survived, {} s",
            row.tried, row.survived, row.seconds
        );
        for wrong in &row.wrong {
            println!("  {wrong}");
        }
        self.rows.push(row);
    }

    fn one<T: Into<Tried>>(
        &self,
        fault: &str,
        number: usize,
        attempt: &impl Fn(usize, &mut Rng) -> T,
    ) -> Tried {
        for draw in 0..DRAWS {
            let mut dice = Rng::with_seed(seed(&[
                &self.options.seed.to_le_bytes(),
                fault.as_bytes(),
                &(number as u64).to_le_bytes(),
                &draw.to_le_bytes(),
            ]));
            let tried = catch_unwind(AssertUnwindSafe(|| attempt(number, &mut dice).into()));
            match tried {
                Ok(tried) if tried.verdict == Verdict::Missed => {}
                Ok(tried) => return tried,
                // What is not as the bench expects is held against the program.
                Err(_) => return Verdict::Lost("the bench gave up on it, see above".into()).into(),
            }
        }
        Verdict::Missed.into()
    }

    /// Prints the table, writes it below `target/torture`, and says whether everything was survived.
    pub(crate) fn finish(self) -> ExitCode {
        let report = Report {
            form: self.short_or_long("short", "long"),
            seed: self.options.seed,
            commit: commit(),
            seconds: self.started.elapsed().as_secs(),
            rows: self.rows,
        };
        let table = report.markdown();
        println!("\n{table}");
        let folder = project("target/torture");
        std::fs::create_dir_all(&folder).unwrap();
        let json = serde_json::to_string_pretty(&report).unwrap();
        std::fs::write(folder.join("torture.json"), json + "\n").unwrap();
        std::fs::write(folder.join("torture.md"), &table).unwrap();
        // Once more behind the table: of a long log people often have the end alone.
        for row in &report.rows {
            for wrong in &row.wrong {
                println!("{}: {wrong}", row.fault);
            }
        }
        println!(
            "{} s; again with --seed {}; target/torture/torture.md, torture.json",
            report.seconds, report.seed
        );
        match report.rows.iter().all(Row::is_clean) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

/// FNV-1a: which dice a try has must not depend on the release of a library.
fn seed(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The commit that is tried, with `+` if there is more than that; empty without git.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(project(""))
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let is_clean = git(&["status", "--porcelain"]).is_none_or(|changes| changes.is_empty());
    if is_clean { commit } else { commit + "+" }
}
