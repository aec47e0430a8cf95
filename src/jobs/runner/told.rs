//! Those who are told how a job went: history, metrics, pings, hooks, and whoever reads what the program prints.

use std::path::{Path, PathBuf};

use super::{Night, Program, Runner};
use crate::civil::UtcTime;
use crate::jobs::events::Event;
use crate::jobs::history::EndedRun;
use crate::jobs::hooks::{HookFacts, HookKind, HookRunner};
use crate::jobs::job::{Hooks, JobName, Ping};
use crate::jobs::metrics::{JobMetrics, MetricsFile};
use crate::jobs::outcome::Outcome;
use crate::jobs::ping::{LOG_BYTES, PingKind, Pinger};
use crate::jobs::redactor::{Redactor, end_of};
use crate::jobs::state::RunState;
use crate::output::{Location, Partial};

/// Who wants to know how a job went.
pub(crate) struct Told<'t> {
    pub name: &'t JobName,
    pub hooks: &'t Hooks,
    pub ping: Option<&'t Ping>,
    pub metrics_file: Option<PathBuf>,
    pub redactor: Redactor,
}

/// The file of a job's metrics in the folder for all of them.
pub(crate) fn metrics_file(folder: Option<&Path>, job: &JobName) -> Option<PathBuf> {
    folder.map(|folder| folder.join(format!("relexport_{job}.prom")))
}

/// Whole seconds since 1970; 0 for a clock that stands before.
fn seconds(millis: i64) -> u64 {
    u64::try_from(millis / 1000).unwrap_or(0)
}

impl<P: Program> Runner<'_, P> {
    /// A job has ended: tells everybody. Returns its exit status.
    pub(super) fn finish(&mut self, told: &Told<'_>, night: &Night, outcome: Outcome) -> u8 {
        let error = outcome
            .error
            .as_deref()
            .map(|error| told.redactor.clean(error));
        let (job, state) = (told.name, outcome.state);
        let (name, how) = (job.as_str(), ended_as(state));
        match (&error, &outcome.place) {
            (Some(error), _) => {
                let text = format!("job {job} {how}: {error}");
                self.program.complain(name, outcome.exit_status, &text);
            }
            (None, Some(place)) => self.program.say(name, &format!("job {job} {how}: {place}")),
            (None, None) => self.program.say(name, &format!("job {job} {how}")),
        }
        let ended = UtcTime::now();
        let run = EndedRun {
            ended: ended.millis(),
            state,
            exit_status: outcome.exit_status,
            place: outcome.place.as_deref(),
            error: error.as_deref(),
            volume: &outcome.volume,
        };
        let written = self
            .history
            .as_mut()
            .map(|history| history.end(&night.id, &run));
        self.without_history(written);
        self.put_metrics(told, night, &outcome, ended);
        let kind = PingKind::End {
            exit_status: outcome.exit_status,
        };
        let log = told.redactor.clean(&self.program.log());
        self.ping(told, kind, night, end_of(&log, LOG_BYTES));
        self.after(told, night, &outcome, error.as_deref());
        self.program.tell(&Event::JobSummary {
            job: job.as_str(),
            run_id: night.id.as_str(),
            state,
            exit_status: outcome.exit_status,
            started_at: night.started.millis(),
            ended_at: ended.millis(),
            duration_seconds: night.clock.elapsed().as_secs_f64(),
            rows: outcome.volume.rows(),
            bytes: outcome.volume.bytes(),
            failed_relations: outcome.volume.failed(),
            place: outcome.place.as_deref(),
            removed: &outcome.removed,
            error: error.as_deref(),
            partial: outcome.manifest.as_ref().map(Partial::of),
        });
        outcome.exit_status
    }

    /// `ended` is what the history has, too: the metric of a success stays what it was when it is read from there later.
    fn put_metrics(&self, told: &Told<'_>, night: &Night, outcome: &Outcome, ended: UtcTime) {
        let Some(path) = &told.metrics_file else {
            return;
        };
        let ended = seconds(ended.millis());
        let last_success = match outcome.state {
            RunState::Finished => Some(ended),
            _ => self.remembered_success(told.name),
        };
        let metrics = JobMetrics {
            job: told.name.to_string(),
            ended,
            last_success,
            exit_status: outcome.exit_status,
            is_suspect: outcome.state == RunState::Suspect,
            duration: night.clock.elapsed(),
            rows: outcome.volume.rows(),
            bytes: outcome.volume.bytes(),
            failed_relations: outcome.volume.failed(),
        };
        if let Err(error) = MetricsFile::new(path).put(&metrics) {
            tracing::warn!("{error}");
        }
    }

    /// When the history says that the last complete export was made, in seconds since 1970.
    fn remembered_success(&self, job: &JobName) -> Option<u64> {
        match self.history.as_ref()?.last_success(job.as_str()) {
            Ok(success) => Some(seconds(success?.ended)),
            Err(error) => {
                tracing::warn!("{error}");
                None
            }
        }
    }

    /// Sends a ping, if somebody wants it.
    pub(super) fn ping(&mut self, told: &Told<'_>, kind: PingKind, night: &Night, log: &str) {
        let Some(ping) = told.ping else {
            return;
        };
        let sent = match &self.pinger {
            Some(pinger) => pinger.ping(&ping.url, kind, &night.id, log),
            None => Pinger::new().and_then(|pinger| {
                let sent = pinger.ping(&ping.url, kind, &night.id, log);
                self.pinger = Some(pinger);
                sent
            }),
        };
        if let Err(error) = sent {
            tracing::warn!("job {}: {error}", told.name);
        }
    }

    /// The hooks that follow a run.
    fn after(&self, told: &Told<'_>, night: &Night, outcome: &Outcome, error: Option<&str>) {
        let manifest = match (&outcome.manifest, &outcome.place) {
            // A place that was written to is one.
            (Some(manifest), Some(place)) => Location::parse(place)
                .ok()
                .map(|place| place.shown_manifest(manifest.status)),
            _ => None,
        };
        let facts = HookFacts {
            job: told.name.as_str(),
            run_id: night.id.as_str(),
            status: outcome.state.as_str(),
            exit_status: Some(outcome.exit_status),
            out: outcome.place.as_deref(),
            manifest: manifest.as_deref(),
            error,
        };
        let (kind, hooks) = match outcome.exit_status {
            0 => (HookKind::Success, &told.hooks.success),
            _ => (HookKind::Failure, &told.hooks.failure),
        };
        let runner = HookRunner {
            time_limit: told.hooks.time_limit,
            redactor: &told.redactor,
            interrupted: &self.interrupted,
        };
        let hooks = hooks.iter().map(|hook| (kind, hook));
        let after = told.hooks.after.iter().map(|hook| (HookKind::After, hook));
        for (kind, hook) in hooks.chain(after) {
            if let Err(error) = runner.run(kind, hook, &facts) {
                tracing::warn!("job {}: {error}", told.name);
            }
        }
    }
}

fn ended_as(state: RunState) -> &'static str {
    match state {
        RunState::Running => "goes on",
        RunState::Finished => "is exported",
        RunState::Skipped => "is skipped, since the snapshot has not changed",
        RunState::Suspect => "is suspect",
        RunState::Failed => "failed",
        RunState::Interrupted => "was interrupted",
        RunState::Dead => "is dead",
    }
}
