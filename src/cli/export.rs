//! `relexport export`: the main job.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::advice::advise;
use crate::export::{ExportError, ExportReport, ExportRequest, resumable_files, run as run_export};
use crate::jobs::clock::Clock;
use crate::jobs::metrics::{JobMetrics, MetricsFile};
use crate::jobs::volume::Volume;
use crate::memory;
use crate::output::{Begin, Judge, Location, StoreError};

use super::args::ExportArgs;
use super::console::Console;
use super::effects;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::summary;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, console: &Console) -> Result<Exit, Failure> {
    let Some(path) = &args.metrics_file else {
        let exported = exported(args, console, ExportOrder::alone()?)?;
        return Ok(exported.exit());
    };
    let file = MetricsFile::new(path);
    file.check()?;
    let clock = Clock::start();
    let result = exported(args, console, ExportOrder::alone()?);
    let metrics = metrics_of(path, &clock, &result);
    if let Err(error) = file.put(&metrics) {
        // What the run came to is told by its exit status; this one, by metrics that grow old.
        tracing::warn!("{error}");
    }
    result.map(|exported| exported.exit())
}

/// What an export came to, when its summary has been told.
pub(crate) struct Exported {
    pub report: ExportReport,
}

impl Exported {
    pub(crate) fn exit(&self) -> Exit {
        match self.report.is_complete() && self.report.skipped_rows() == 0 {
            true => Exit::Success,
            false => Exit::Failed,
        }
    }
}

/// Says that the run took more memory than its limit lets one expect: something in the snapshot asked for it.
fn tell_memory(args: &ExportArgs) {
    const BESIDE_ROWS: u64 = 128 << 20;
    const OF_THREAD: u64 = 8 << 20;
    let limit = args.limits.memory_limit as u64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.limits.threads.map_or(threads, usize::from) as u64;
    if let Some(peak) = memory::peak()
        && peak > limit + BESIDE_ROWS + threads * OF_THREAD
    {
        advise(&format!(
            "the run had {} MiB in memory at the most, with a limit of {} MiB for kept rows: long rows, rows that are \
             nested in one record, windows of decoders and entities take some besides (docs/memory.md)",
            peak >> 20,
            limit >> 20
        ));
    }
}

/// What is written down of a run for monitoring. A job is called as its file.
fn metrics_of(path: &Path, clock: &Clock, result: &Result<Exported, Failure>) -> JobMetrics {
    let (exit, volume) = match result {
        Ok(exported) => (exported.exit(), Volume::of(&exported.report.manifest)),
        Err(failure) => (failure.exit, Volume::default()),
    };
    let ended = clock.now();
    JobMetrics {
        job: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        ended,
        last_success: (exit == Exit::Success).then_some(ended),
        exit_status: exit as u8,
        is_suspect: false,
        duration: clock.elapsed(),
        rows: volume.rows(),
        bytes: volume.bytes(),
        failed_relations: volume.failed(),
    }
}

/// For whom an export is made.
pub(crate) struct ExportOrder {
    pub interrupted: Arc<AtomicBool>,
    /// The job that it is the export of.
    pub job: Option<String>,
    /// Who says whether it can be trusted.
    pub judge: Option<Judge>,
}

impl ExportOrder {
    /// An export that the command line asks for.
    fn alone() -> Result<ExportOrder, Failure> {
        Ok(ExportOrder {
            interrupted: interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?,
            job: None,
            judge: None,
        })
    }
}

/// Exports, and tells of it.
///
/// # Errors
/// If there is no export at all.
pub(crate) fn exported(
    args: &ExportArgs,
    console: &Console,
    order: ExportOrder,
) -> Result<Exported, Failure> {
    let request = ExportRequest {
        job: order.job,
        judge: order.judge,
        ..setup::request_until(args, console, order.interrupted)?
    };
    // clap requires one unless nothing is to be written.
    let destination = setup::destination(args)?.ok_or_else(|| {
        Failure::usage("cannot export: no place for it is named\n  name a folder with --out")
    })?;
    let unfinished = match (destination.begin, &args.out) {
        // In a bucket nothing that is there is in the way of a new export.
        (Begin::Resume, _) | (_, Some(Location::Bucket(_))) => 0,
        (Begin::New | Begin::Replace, _) => resumable_files(&*destination.store),
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
    let report = result
        .map_err(|error| setup::told_of_wait(told_of_resume(error, unfinished), args.lock_wait))?;
    effects::tell_version(args, report.manifest.snapshot.gitlab_version.as_deref());
    if args.json {
        stdout::print_json(&report.manifest)?;
    }
    summary::tell(&report, progress.rendered_bytes(), started, console);
    tell_memory(args);
    if let (true, Some(times)) = (args.timings, &report.manifest.timings) {
        summary::tell_timings(times, console);
    }
    Ok(Exported { report })
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
