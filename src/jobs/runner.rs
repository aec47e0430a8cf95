//! Runs of jobs, one after another: what comes before an export and what follows from it.
//!
//! ```text
//! lock ─► history, ping start ─► before ─► export ─► guard ─► latest, keep rules ─► history, metrics, ping, hooks, summary
//! ```
//!
//! Whatever happens between the lock and the summary, the right side is reached: it is what tells of failures. What goes
//! wrong there is a warning and changes no exit status.

mod after;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::events::{self, Event};
use super::guard;
use super::history::{BegunRun, History, HistoryError};
use super::hooks::{HookFacts, HookKind, HookRunner};
use super::job::{BrokenJob, Job, JobName};
use super::lock::LockFolder;
use super::outcome::{Ended, INTERRUPTED, Outcome};
use super::ping::{PingKind, Pinger};
use super::redactor::Redactor;
use super::run_id::RunId;
use super::volume::Volume;
use crate::civil::UtcTime;
use crate::environment;
use crate::failure::{Cause, Failure};
use crate::fault::caught;
use crate::output::{Judge, Manifest};
use crate::snapshot::Spec;

pub(crate) use after::would_go;
pub(crate) use told::{Told, metrics_file};

/// What the program does for a run: it knows the arguments of an export, and where lines are printed.
pub(crate) trait Program {
    /// Makes the export of a job.
    ///
    /// # Errors
    /// If there is none; what there is of it is where its place says.
    fn export(&mut self, order: Order<'_>) -> Result<Exported, Ended>;

    /// The exit status that a cause leads to.
    fn exit_status(&self, cause: Cause) -> u8;

    /// Tells programs what happens.
    fn tell(&mut self, event: &Event<'_>);

    /// Tells people what happens.
    fn say(&mut self, job: &str, text: &str);

    /// Tells people what went wrong, and which exit status follows.
    fn complain(&mut self, job: &str, exit_status: u8, text: &str);

    /// From now on the log is kept, for whoever is told how this job went.
    fn begin_log(&mut self);

    /// What was logged since then; of a long log the end.
    fn log(&self) -> String;
}

/// An export that a job wants.
pub(crate) struct Order<'o> {
    pub job: &'o Job,
    pub snapshot: Spec,
    /// A folder, or the address of a bucket.
    pub place: String,
    /// True if the place holds the one export of the job, which the new one replaces.
    pub replaces: bool,
    pub judge: Judge,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Exported {
    /// It would be this one once more, so none was made.
    Unchanged { place: String },
    Done {
        manifest: Box<Manifest>,
        place: String,
        exit_status: u8,
    },
}

/// What the user asked of this run, over what the files say.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunSettings {
    pub lock_wait: Option<Duration>,
    pub metrics_file: Option<PathBuf>,
    /// Take what the export holds as right, whatever the guard says.
    pub without_guard: bool,
}

/// Runs jobs.
pub(crate) struct Runner<'r, P> {
    pub program: &'r mut P,
    pub settings: RunSettings,
    pub history: Option<History>,
    pub metrics_dir: Option<PathBuf>,
    pub interrupted: Arc<AtomicBool>,
    /// Made when the first ping is sent.
    pub pinger: Option<Pinger>,
}

/// One run of one job.
struct Night {
    id: RunId,
    clock: Clock,
    started: UtcTime,
}

impl Night {
    fn begin() -> Night {
        Night {
            id: RunId::new(),
            clock: Clock::start(),
            started: UtcTime::now(),
        }
    }
}

/// Opens the history; a run goes on without it, which is told.
pub(crate) fn open_history(state_dir: &std::path::Path) -> Option<History> {
    match History::open(state_dir) {
        Ok(history) => Some(history),
        Err(error) => {
            tracing::warn!("{error}; this run is not written down");
            None
        }
    }
}

impl<P: Program> Runner<'_, P> {
    /// Runs a job to its end, and tells whoever wants to know. Returns its exit status.
    pub(crate) fn run(&mut self, job: &Job, locks: &LockFolder) -> u8 {
        let night = Night::begin();
        let secrets = job
            .environment
            .values()
            .chain(job.ping.iter().map(|ping| &ping.url));
        let told = Told {
            name: &job.name,
            hooks: &job.hooks,
            ping: job.ping.as_ref(),
            metrics_file: self.metrics_of(&job.name, job.metrics_file.clone()),
            redactor: Redactor::new(secrets),
        };
        self.program.begin_log();
        let variables = job.environment.iter();
        let variables = variables.map(|(name, secret)| (name.clone(), secret.expose().to_owned()));
        // Also for what follows the export: its place may be a bucket. Hooks do not get them.
        let _lent = environment::lend(variables.collect());
        let wait = self.settings.lock_wait.unwrap_or(job.lock_wait);
        let lock = locks.take(&job.name, wait, &self.interrupted);
        let outcome = match &lock {
            Ok(_) => {
                let outcome = caught(|| self.locked(job, &told, &night));
                // The hook has told where.
                outcome.unwrap_or_else(|fault| {
                    Outcome::ended(Ended {
                        exit_status: self.program.exit_status(Cause::Program),
                        message: fault.to_string(),
                    })
                })
            }
            Err(error) => {
                self.write_begin(&job.name, "", &night);
                Outcome::ended(self.ended(error))
            }
        };
        let status = self.finish(&told, &night, outcome);
        // Hooks may use the export, so the next run waits for them, too.
        drop(lock);
        status
    }

    /// Tells whoever wants to know that a job cannot run, because of what its file says.
    pub(crate) fn run_broken(&mut self, job: &BrokenJob) -> u8 {
        let night = Night::begin();
        let told = Told {
            name: &job.name,
            hooks: &job.hooks,
            ping: job.ping.as_ref(),
            metrics_file: self.metrics_of(&job.name, job.metrics_file.clone()),
            redactor: Redactor::new(job.ping.iter().map(|ping| &ping.url)),
        };
        self.program.begin_log();
        self.write_begin(&job.name, "", &night);
        let mistakes: Vec<String> = job.mistakes.iter().map(ToString::to_string).collect();
        let ended = Ended {
            exit_status: self.program.exit_status(Cause::Request),
            message: format!(
                "the configuration of job {} is wrong\n  {}",
                job.name,
                mistakes.join("\n  ")
            ),
        };
        self.finish(&told, &night, Outcome::ended(ended))
    }

    /// True if a signal asks for the end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What is done while the job's lock is held.
    fn locked(&mut self, job: &Job, told: &Told<'_>, night: &Night) -> Outcome {
        self.bury(&job.name);
        let chosen = self.choose(job, night);
        let shown = match &chosen {
            Ok((snapshot, _)) => snapshot.shown(),
            Err(_) => String::new(),
        };
        self.write_begin(&job.name, &shown, night);
        let place = chosen.as_ref().ok().map(|(_, place)| place.as_str());
        self.program.tell(&Event::JobStart {
            job: job.name.as_str(),
            run_id: night.id.as_str(),
            started_at: night.started.millis(),
            snapshot: chosen.is_ok().then_some(&shown),
            place,
        });
        self.ping(told, PingKind::Start, night, "");
        let (snapshot, place) = match chosen {
            Ok(chosen) => chosen,
            Err(ended) => return Outcome::ended(ended),
        };
        self.program.say(
            job.name.as_str(),
            &format!("job {}: exporting {shown} to {place}", job.name),
        );
        if let Err(ended) = self.before(told, night, &place) {
            return Outcome::ended(ended);
        }
        let exported = self.export(job, snapshot, &place);
        let outcome = match exported {
            Ok(Exported::Done {
                manifest,
                place,
                exit_status,
            }) => Outcome::exported(*manifest, place, exit_status),
            Ok(Exported::Unchanged { place }) => return Outcome::skipped(place),
            Err(ended) => return Outcome::ended(ended),
        };
        if let Some(manifest) = &outcome.manifest {
            let (name, id) = (job.name.as_str(), night.id.as_str());
            for event in events::relations(name, id, manifest) {
                self.program.tell(&event);
            }
        }
        match outcome.exit_status {
            0 => self.settle(job, outcome),
            _ => outcome,
        }
    }

    /// Which snapshot is read, and where its export goes.
    fn choose(&self, job: &Job, night: &Night) -> Result<(Spec, String), Ended> {
        let snapshot = job.snapshot.choose().map_err(|error| self.ended(&error))?;
        let place = job.place(&snapshot, night.started);
        Ok((snapshot, place.map_err(|error| self.ended(&error))?))
    }

    fn before(&mut self, told: &Told<'_>, night: &Night, place: &str) -> Result<(), Ended> {
        let facts = HookFacts {
            job: told.name.as_str(),
            run_id: night.id.as_str(),
            status: "running",
            out: Some(place),
            ..HookFacts::default()
        };
        let runner = HookRunner {
            time_limit: told.hooks.time_limit,
            redactor: &told.redactor,
            interrupted: &self.interrupted,
        };
        for hook in &told.hooks.before {
            runner
                .run(HookKind::Before, hook, &facts)
                .map_err(|error| self.ended(&error))?;
            if self.is_interrupted() {
                return Err(Ended {
                    exit_status: INTERRUPTED,
                    message: "interrupted".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn export(&mut self, job: &Job, snapshot: Spec, place: &str) -> Result<Exported, Ended> {
        let last = match self.settings.without_guard {
            true => None,
            false => self.last_success(job),
        };
        let guard = job.guard.clone();
        let is_guarded = !self.settings.without_guard;
        let judge = Judge::new(move |manifest: &Manifest| {
            if !is_guarded {
                return Vec::new();
            }
            let volume = Volume::of(manifest);
            for name in guard::unknown(&guard, &volume, last.as_ref()) {
                tracing::warn!("the guard names {name}, but the export has no such relation");
            }
            guard::judge(&guard, &volume, last.as_ref())
        });
        self.program.export(Order {
            job,
            snapshot,
            place: place.to_owned(),
            replaces: !job.destination.changes(),
            judge,
        })
    }

    /// What a guard compares with: the last success in the history, or, if that is lost, the newest good export that is
    /// there.
    fn last_success(&self, job: &Job) -> Option<Volume> {
        if job.guard.max_shrink.is_empty() {
            return None;
        }
        if let Some(history) = &self.history {
            match history.last_success(job.name.as_str()) {
                Ok(Some(success)) => return Some(success.volume),
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}"),
            }
        }
        match after::newest_good(job) {
            Ok(volume) => volume,
            Err(reason) => {
                tracing::warn!("job {}: nothing can be compared with: {reason}", job.name);
                None
            }
        }
    }

    /// Writes down the dead: runs of this job that ended without saying so.
    fn bury(&self, job: &JobName) {
        let Some(history) = &self.history else {
            return;
        };
        match history.bury(job.as_str()) {
            Ok(dead) => {
                for run in dead {
                    tracing::warn!(
                        "job {job}: the run {} of {} ended without saying so: it was killed, or the machine went down",
                        run.id,
                        crate::civil::utc_millis_to_iso(run.started)
                    );
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }

    fn write_begin(&mut self, job: &JobName, snapshot: &str, night: &Night) {
        let run = BegunRun {
            id: &night.id,
            job: job.as_str(),
            snapshot,
            started: night.started.millis(),
        };
        let begun = self.history.as_ref().map(|history| history.begin(&run));
        self.without_history(begun);
    }

    /// What the history could not take is told once.
    fn without_history(&mut self, written: Option<Result<(), HistoryError>>) {
        if let Some(Err(error)) = written {
            tracing::warn!("{error}; this run is not written down");
            self.history = None;
        }
    }

    fn ended<E: Failure + ToString + ?Sized>(&self, error: &E) -> Ended {
        Ended {
            exit_status: self.program.exit_status(error.policy().cause()),
            message: error.to_string(),
        }
    }

    fn metrics_of(&self, job: &JobName, own: Option<PathBuf>) -> Option<PathBuf> {
        let asked = self.settings.metrics_file.clone();
        asked
            .or(own)
            .or_else(|| metrics_file(self.metrics_dir.as_deref(), job))
    }
}
