//! `relexport run --dry-run`: what each job would do.

use super::run::Chosen;
use crate::civil::UtcTime;
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::job_export::job_arguments;
use crate::cli::stdout;
use crate::jobs::config::shell_words;
use crate::jobs::lock;
use crate::jobs::runner::{metrics_file, would_go};
use crate::jobs::{Config, Job};
use crate::visible::visible;

/// Tells of every job, and does nothing.
pub(super) fn run(chosen: &[Chosen<'_>], config: &Config, args: &RunArgs) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    let mut texts = Vec::new();
    for job in chosen {
        let lines = match job {
            Chosen::Sound(job) => lines(job, config, args),
            Chosen::Broken(job) => {
                exit = Exit::Usage;
                let mistakes = job.mistakes.iter();
                mistakes
                    .map(|mistake| ("cannot run", mistake.to_string()))
                    .collect()
            }
        };
        let mut text = format!("job {}\n", job.name());
        for (what, value) in lines {
            text.push_str(&format!("  {what:<10} {}\n", visible(&value)));
        }
        texts.push(text);
    }
    stdout::print(&texts.join("\n"))?;
    Ok(exit)
}

/// What a job would do: what about it, and how.
fn lines(job: &Job, config: &Config, args: &RunArgs) -> Vec<(&'static str, String)> {
    let now = UtcTime::now();
    let mut lines = Vec::new();
    let snapshot = match job.snapshot.choose() {
        Ok(snapshot) => snapshot,
        Err(error) => return vec![("cannot run", error.to_string())],
    };
    let place = match job.place(&snapshot, now) {
        Ok(place) => place,
        Err(error) => return vec![("cannot run", error.to_string())],
    };
    if lock::is_run(&config.lock_dir, &config.state_dir, &job.name) {
        lines.push(("is running", "another run of it goes on now".to_owned()));
    }
    lines.push(("reads", snapshot.shown()));
    lines.push(("into", place.clone()));
    let given = job_arguments(job, &args.given, &snapshot, &place);
    let arguments = given
        .arguments
        .iter()
        .map(|argument| argument.to_string_lossy());
    let arguments: Vec<String> = arguments.map(String::from).collect();
    let words = shell_words(arguments.iter().map(String::as_str));
    lines.push(("by", format!("relexport export {words}")));
    for (what, hooks) in [
        ("before", &job.hooks.before),
        ("success", &job.hooks.success),
        ("failure", &job.hooks.failure),
        ("after", &job.hooks.after),
    ] {
        // Arguments may be secret.
        lines.extend(
            hooks
                .iter()
                .map(|hook| (what, hook.first().cloned().unwrap_or_default())),
        );
    }
    if job.ping.is_some() {
        lines.push(("pings", "when it begins and when it ends".to_owned()));
    }
    let metrics = args
        .metrics_file
        .clone()
        .or_else(|| job.metrics_file.clone());
    let metrics = metrics.or_else(|| metrics_file(config.metrics_dir.as_deref(), &job.name));
    if let Some(path) = metrics {
        lines.push(("metrics", path.display().to_string()));
    }
    match would_go(job, &place, now) {
        Ok(names) => lines.extend(names.into_iter().map(|name| ("removes", name))),
        Err(reason) => lines.push(("removes", format!("cannot be told: {reason}"))),
    }
    lines
}
