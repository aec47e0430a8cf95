//! `relexport export`: the main job.

use std::time::Instant;

use crate::export::run as run_export;

use super::args::ExportArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::summary;

/// Runs the command.
pub fn run(args: &ExportArgs, console: &Console) -> Result<Exit, Failure> {
    let request = setup::request(args, console)?;
    let started = Instant::now();
    let mut progress = Progress::new(console);
    let result = run_export(&request, &mut progress);
    progress.finish();
    let report = result?;
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
