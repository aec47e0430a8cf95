//! `relexport run`: jobs of the configuration, one after another.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::dry_run;
use super::program::Exporting;
use crate::cli::args::RunArgs;
use crate::cli::config;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupt;
use crate::cli::job_export::read_given;
use crate::jobs::config::{ConfigError, Credentials, nearest};
use crate::jobs::events::Event;
use crate::jobs::lock::LockFolder;
use crate::jobs::outcome::worst;
use crate::jobs::runner::{Program, RunSettings, Runner, open_history};
use crate::jobs::{BrokenJob, Config, Job, JobName};

/// Runs the command.
pub(crate) fn run(args: &RunArgs, console: &Console) -> Result<Exit, Failure> {
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let mut program = Exporting::new(args, console, Arc::clone(&interrupted));
    let settings = RunSettings {
        lock_wait: args.lock_wait,
        metrics_file: args.metrics_file.clone(),
        without_guard: args.no_guard,
    };
    let mut config = match config::load(&args.files, &Credentials::of_process()) {
        Ok(config) => config,
        Err(error) if args.dry_run => return Err(error.into()),
        Err(error) => {
            tell_broken(args, settings, &error, &mut program, interrupted);
            return told(Err(error.into()), &mut program);
        }
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(failure) = read_given(&mut config.jobs, &args.given) {
        return told(Err(failure), &mut program);
    }
    let chosen = match chosen(&args.jobs, &config) {
        Ok(chosen) => chosen,
        Err(failure) => return told(Err(failure), &mut program),
    };
    if args.dry_run {
        return dry_run::run(&chosen, &config, args);
    }
    let history = open_history(&config.state_dir);
    let mut runner = Runner {
        program: &mut program,
        settings,
        history,
        metrics_dir: config.metrics_dir.clone(),
        interrupted,
        pinger: None,
    };
    let locks = LockFolder::new(&config.lock_dir, &config.state_dir);
    let mut statuses = Vec::new();
    let mut left: Vec<&str> = Vec::new();
    for job in &chosen {
        if runner.is_interrupted() {
            left.push(job.name().as_str());
            continue;
        }
        statuses.push(match job {
            Chosen::Sound(job) => runner.run(job, &locks),
            Chosen::Broken(job) => runner.run_broken(job),
        });
    }
    if !left.is_empty() {
        let text = format!("interrupted: these jobs were not run: {}", left.join(", "));
        return told(
            Err(Failure::new(Exit::Interrupted, anyhow::anyhow!(text))),
            &mut program,
        );
    }
    told(Ok(Exit::of_status(worst(statuses))), &mut program)
}

/// A job that is to run, or cannot.
pub(super) enum Chosen<'c> {
    Sound(&'c Job),
    Broken(&'c BrokenJob),
}

impl Chosen<'_> {
    pub(super) fn name(&self) -> &JobName {
        match self {
            Chosen::Sound(job) => &job.name,
            Chosen::Broken(job) => &job.name,
        }
    }
}

/// All jobs of a configuration, in the order of its files.
pub(super) fn all(config: &Config) -> Vec<Chosen<'_>> {
    let place = |file| config.files.iter().position(|known| known == file);
    let sound = config.jobs.iter().map(|job| {
        let place = (place(&job.file), job.line);
        (place, Chosen::Sound(job))
    });
    let broken = config.broken.iter().map(|job| {
        let place = (place(&job.file), job.line);
        (place, Chosen::Broken(job))
    });
    let mut all: Vec<_> = sound.chain(broken).collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, job)| job).collect()
}

/// The jobs that were asked for; all of them in the order of the files, if none was.
fn chosen<'c>(names: &[JobName], config: &'c Config) -> Result<Vec<Chosen<'c>>, Failure> {
    let mut all = all(config);
    if names.is_empty() {
        return match all.is_empty() {
            false => Ok(all),
            true => Err(without_jobs()),
        };
    }
    let mut chosen: Vec<Chosen<'c>> = Vec::new();
    for name in names {
        if chosen.iter().any(|job| job.name() == name) {
            return Err(Failure::usage(format!(
                "job {name} is named twice\n  name it once"
            )));
        }
        match all.iter().position(|job| job.name() == name) {
            Some(position) => chosen.push(all.remove(position)),
            None => return Err(no_job(name, &all)),
        }
    }
    Ok(chosen)
}

/// The failure of a configuration that has no job.
pub(super) fn without_jobs() -> Failure {
    Failure::usage(
        "there is no job in the configuration\n  add one, as `relexport config init` shows",
    )
}

fn no_job(name: &JobName, all: &[Chosen<'_>]) -> Failure {
    let names: Vec<&str> = all.iter().map(|job| job.name().as_str()).collect();
    let hint = match nearest(name.as_str(), names.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if names.is_empty() => "the configuration has no other job".to_owned(),
        None => format!("there are {}", names.join(", ")),
    };
    Failure::usage(format!("there is no job {name}\n  {hint}"))
}

/// No job can run: tells those who wait for the jobs that were asked for.
fn tell_broken(
    args: &RunArgs,
    settings: RunSettings,
    error: &ConfigError,
    program: &mut Exporting<'_>,
    interrupted: Arc<AtomicBool>,
) {
    let mut runner = Runner {
        program,
        settings,
        history: error.state_dir.as_deref().and_then(open_history),
        metrics_dir: error.metrics_dir.clone(),
        interrupted,
        pinger: None,
    };
    let is_asked = |job: &&BrokenJob| args.jobs.is_empty() || args.jobs.contains(&job.name);
    for job in error.jobs.iter().filter(is_asked) {
        runner.run_broken(job);
    }
}

/// The end of the program, which whoever reads its lines is told, too.
fn told(ended: Result<Exit, Failure>, program: &mut Exporting<'_>) -> Result<Exit, Failure> {
    match &ended {
        Ok(Exit::Success) => {}
        Ok(exit) => program.tell(&Event::ExitError {
            code: *exit as u8,
            message: "not every job made a complete export that can be trusted",
        }),
        Err(failure) => program.tell(&Event::ExitError {
            code: failure.exit as u8,
            message: &failure.error.to_string(),
        }),
    }
    match program.unprinted() {
        Some(failure) if ended.is_ok() => Err(failure),
        Some(_) | None => ended,
    }
}
