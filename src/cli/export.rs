//! `relexport export`: the main job.

use std::time::Instant;

use crate::export::{ExportError, resumable_files, run as run_export};
use crate::output::{Begin, StoreError};

use super::args::ExportArgs;
use super::console::Console;
use super::effects;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::summary;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, console: &Console) -> Result<Exit, Failure> {
    let request = setup::request(args, console)?;
    // clap requires one unless nothing is to be written.
    let destination = setup::destination(args).ok_or_else(|| {
        Failure::usage("cannot export: no place for it is named\n  name a folder with --out")
    })?;
    let unfinished = match destination.begin {
        Begin::Resume => 0,
        Begin::New | Begin::Replace => resumable_files(&*destination.store),
    };
    if unfinished > 0 && destination.begin == Begin::Replace {
        tracing::warn!(
            "{} holds an export that is not finished, which this one replaces; its {unfinished} finished files are kept with \
             --resume in place of --force",
            destination.store.shown("")
        );
    }
    let started = Instant::now();
    let mut progress = Progress::new(console);
    let result = run_export(&request, &destination, &mut progress);
    progress.finish();
    let report = result.map_err(|error| told_of_resume(error, unfinished))?;
    effects::tell_version(args, report.manifest.snapshot.gitlab_version.as_deref());
    if args.json {
        stdout::print_json(&report.manifest)?;
    }
    summary::tell(&report, progress.rendered_bytes(), started, console);
    if let (true, Some(times)) = (args.timings, &report.manifest.timings) {
        summary::tell_timings(times, console);
    }
    Ok(if report.is_complete() && report.skipped_rows() == 0 {
        Exit::Success
    } else {
        Exit::Failed
    })
}

/// A folder that is refused because something is in it: where that can be gone on with, the message says so.
fn told_of_resume(error: ExportError, unfinished: usize) -> Failure {
    let exists = matches!(error, ExportError::Store(StoreError::Exists { .. }));
    let failure = Failure::from(error);
    match exists && unfinished > 0 {
        true => Failure {
            exit: failure.exit,
            error: anyhow::anyhow!(
                "{}; or go on with it with --resume: it is not finished",
                failure.error
            ),
        },
        false => failure,
    }
}
