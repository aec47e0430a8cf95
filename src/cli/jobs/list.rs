//! `relexport jobs`: how the last runs of jobs went.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::run::{all, without_jobs};
use crate::civil::{UtcTime, utc_millis_to_iso};
use crate::cli::args::JobsArgs;
use crate::cli::config;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::span;
use crate::cli::stdout;
use crate::cli::table::{Align, Table};
use crate::jobs::JobName;
use crate::jobs::config::Credentials;
use crate::jobs::history::{History, PastRun};
use crate::jobs::lock;
use crate::jobs::state::RunState;
use crate::visible::visible_lines;

/// How far, in milliseconds, an export may lie in the future: clocks are set by NTP, and not all at once.
const TOLERANCE: i64 = 60 * 60 * 1000;

/// A job, and how its last runs went.
#[derive(Debug, Serialize)]
struct Listed {
    job: String,
    /// Of the last run; `null` if there was none.
    state: Option<RunState>,
    /// When the last complete export was made; `null` if none was.
    last_success: Option<String>,
    /// True if that lies in the future. Then nobody knows how old it is.
    is_in_future: bool,
    /// How old it is, in seconds, if that is known.
    age_seconds: Option<u64>,
    /// In so many seconds it is too old; below 0 if it is.
    stale_in_seconds: Option<i64>,
    /// True unless it is known to be young enough.
    is_stale: bool,
    /// The newest one first.
    runs: Vec<PastRun>,
}

impl Listed {
    /// True if somebody has to look at it.
    fn is_bad(&self) -> bool {
        let is_bad =
            |run: &PastRun| run.state.is_bad() || run.exit_status.is_some_and(|status| status != 0);
        self.is_stale || self.runs.first().is_some_and(is_bad)
    }
}

/// Runs the command.
pub(crate) fn list(args: &JobsArgs) -> Result<Exit, Failure> {
    let config = config::load(&args.files, &Credentials::Unread)?;
    let history = History::look(&config.state_dir)?;
    let jobs = all(&config);
    let mut names: Vec<JobName> = jobs.iter().map(|job| job.name().clone()).collect();
    if let Some(job) = &args.job {
        let is_known = match &history {
            Some(history) => history.jobs()?.iter().any(|name| name == job.as_str()),
            None => false,
        };
        if !is_known && !names.contains(job) {
            return Err(Failure::usage(format!(
                "there is no job {job}, neither in the configuration nor in the history\n  \
                 `relexport jobs` lists all"
            )));
        }
        names = vec![job.clone()];
    }
    // Whoever watches must not take it for good that no job can go wrong.
    if names.is_empty() {
        return Err(without_jobs());
    }
    let is_run = |job: &JobName| lock::is_run(&config.lock_dir, &config.state_dir, job);
    let now = UtcTime::now().millis();
    let mut listed = Vec::new();
    for name in &names {
        listed.push(look_up(name, history.as_ref(), args, now, &is_run)?);
    }
    if args.json {
        stdout::print_json(&listed)?;
    } else {
        stdout::print(&match (&args.job, listed.first()) {
            (Some(_), Some(job)) => runs_text(job),
            (_, _) => jobs_text(&listed),
        })?;
    }
    Ok(match listed.iter().any(Listed::is_bad) {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

fn look_up(
    name: &JobName,
    history: Option<&History>,
    args: &JobsArgs,
    now: i64,
    is_run: &dyn Fn(&JobName) -> bool,
) -> Result<Listed, Failure> {
    let (mut runs, success) = match history {
        Some(history) => (
            history.newest(name.as_str(), args.last)?,
            history.last_success(name.as_str())?,
        ),
        None => (Vec::new(), None),
    };
    // Whoever runs holds the lock; what says that it runs without it is dead, and the next run will write that down.
    let is_running = |run: &PastRun| run.state == RunState::Running;
    if runs.iter().any(is_running) && !is_run(name) {
        for run in runs.iter_mut().filter(|run| is_running(run)) {
            run.state = RunState::Dead;
        }
    }
    let ended = success.map(|success| success.ended);
    let limit = i64::try_from(args.stale_after.as_millis()).unwrap_or(i64::MAX);
    let is_in_future = ended.is_some_and(|ended| ended > now.saturating_add(TOLERANCE));
    let age = ended.filter(|_| !is_in_future).map(|ended| now - ended);
    Ok(Listed {
        job: name.to_string(),
        state: runs.first().map(|run| run.state),
        last_success: ended.map(utc_millis_to_iso),
        is_in_future,
        age_seconds: age.map(|age| u64::try_from(age / 1000).unwrap_or_default()),
        stale_in_seconds: age.map(|age| (limit - age) / 1000),
        is_stale: age.is_none_or(|age| age > limit),
        runs,
    })
}

/// A line for each job.
fn jobs_text(jobs: &[Listed]) -> String {
    let mut table = Table::new(&[
        ("JOB", Align::Left),
        ("LAST RUN", Align::Left),
        ("STATE", Align::Left),
        ("EXIT", Align::Right),
        ("TOOK", Align::Right),
        ("ROWS", Align::Right),
        ("SIZE", Align::Right),
        ("LAST COMPLETE EXPORT", Align::Left),
    ]);
    for job in jobs {
        let Some(run) = job.runs.first() else {
            let nothing = ["-", "never", "", "", "", ""].map(str::to_owned);
            table.row(
                [job.job.clone()]
                    .into_iter()
                    .chain(nothing)
                    .chain([freshness(job)]),
            );
            continue;
        };
        table.row(
            [job.job.clone()]
                .into_iter()
                .chain(cells(run))
                .chain([freshness(job)]),
        );
    }
    let mut text = table.text();
    for job in jobs.iter().filter(|job| job.is_bad()) {
        if let Some(error) = job.runs.first().and_then(|run| run.error.as_deref()) {
            text.push_str(&format!("\n{}: {}\n", job.job, visible_lines(error)));
        }
    }
    text
}

/// A line for each run of a job.
fn runs_text(job: &Listed) -> String {
    let mut table = Table::new(&[
        ("BEGUN", Align::Left),
        ("STATE", Align::Left),
        ("EXIT", Align::Right),
        ("TOOK", Align::Right),
        ("ROWS", Align::Right),
        ("SIZE", Align::Right),
        ("PLACE", Align::Left),
    ]);
    for run in &job.runs {
        let place = run.place.clone().unwrap_or_default();
        table.row(cells(run).into_iter().chain([place]));
    }
    let mut text = table.text();
    text.push_str(&format!("\nlast complete export: {}\n", freshness(job)));
    if let Some(error) = job.runs.first().and_then(|run| run.error.as_deref()) {
        text.push_str(&format!("\n{}\n", visible_lines(error)));
    }
    text
}

/// When a run began, how it ended, and how much came of it.
fn cells(run: &PastRun) -> [String; 6] {
    let took = run.ended.map(|ended| {
        let millis = u64::try_from(ended - run.started).unwrap_or_default();
        span(Duration::from_millis(millis))
    });
    [
        utc_millis_to_iso(run.started),
        run.state.to_string(),
        run.exit_status
            .map(|status| status.to_string())
            .unwrap_or_default(),
        took.unwrap_or_default(),
        HumanCount(run.rows).to_string(),
        HumanBytes(run.bytes).to_string(),
    ]
}

/// How old the last complete export is, and when it is too old.
fn freshness(job: &Listed) -> String {
    if let Some(time) = job.last_success.as_deref().filter(|_| job.is_in_future) {
        return format!("in the future, {time}: the clock was wrong then, or is now");
    }
    let (Some(age), Some(left)) = (job.age_seconds, job.stale_in_seconds) else {
        return "none".to_owned();
    };
    let age = span(Duration::from_secs(age));
    let seconds = |seconds: i64| span(Duration::from_secs(seconds.unsigned_abs()));
    match job.is_stale {
        true => format!("{age} ago, too old for {}", seconds(left)),
        false => format!("{age} ago, too old in {}", seconds(left)),
    }
}
