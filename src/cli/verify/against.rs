//! `relexport verify --against`: whether an export holds what a snapshot holds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indicatif::HumanCount;

use crate::against::{Report, Request, against};
use crate::cli::args::VerifyArgs;
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::cli::{interrupt, setup};
use crate::export::ExportObserver;
use crate::output::encryption::Identities;
use crate::output::{Manifest, Store};
use crate::pipeline::Pipeline;
use crate::snapshot::Spec;
use crate::visible::visible;

/// Keys of records that are not compared and are told one by one; `--json` has all of them.
const TOLD: usize = 20;

/// Refuses what cannot be compared with, before anything is read.
pub(super) fn check(args: &VerifyArgs) -> Result<(), Failure> {
    match &args.against {
        Some(Spec::StandardInput) => Err(Failure::usage(
            "cannot compare with standard input: the snapshot is read several times\n  save it to a file, and name that one",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Makes sure that all pipelines that the export was made by are known.
pub(super) fn check_pipelines(
    args: &VerifyArgs,
    manifest: &Manifest,
    known: &[&Pipeline],
) -> Result<(), Failure> {
    if args.against.is_none() {
        return Ok(());
    }
    let made_by = manifest.pipelines();
    let mut unknown = made_by.iter().filter(|entry| {
        let mut known = known.iter();
        !known.any(|pipeline| pipeline.sha256 == entry.sha256)
    });
    match unknown.next() {
        None => Ok(()),
        Some(entry) => Err(Failure::usage(format!(
            "cannot compare with a snapshot: the export was made by a pipeline {} that is not one of the built-in ones\n  \
             name its file with --pipeline, as it was",
            visible(&entry.name)
        ))),
    }
}

/// Compares, if that is asked for.
pub(super) fn run(
    args: &VerifyArgs,
    console: &Console,
    store: &dyn Store,
    manifest: &Manifest,
    pipelines: &[&Pipeline],
    identities: Option<&Identities>,
) -> Result<Option<Report>, Failure> {
    let Some(snapshot) = &args.against else {
        return Ok(None);
    };
    if manifest.is_sealed() && identities.is_none() {
        return Err(Failure::usage(
            "cannot compare with a snapshot: the files are encrypted\n  give the secret key of a recipient with --identity",
        ));
    }
    let interrupted =
        interrupt::flag().map_err(|error| Failure::new(crate::cli::exit::Exit::Output, error))?;
    let mut open = setup::open_options(&args.server, Some(1), pipelines, console)?;
    open.opening.interrupted = Arc::clone(&interrupted);
    let read: Arc<AtomicU64> = Arc::default();
    let mut progress = Progress::new(console);
    progress.reading(None, Arc::clone(&read));
    let report = against(&Request {
        store: store as _,
        manifest,
        pipelines,
        identities,
        snapshot,
        open: &open,
        interrupted: &interrupted,
        read: &read,
    });
    progress.finish();
    Ok(Some(report?))
}

/// What the comparison came to, for people.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(&visible(line));
        text.push('\n');
    };
    for problem in &report.problems {
        line(problem);
    }
    for difference in &report.differences {
        line(&difference.to_string());
    }
    let described = report.differences.len() as u64;
    if report.different > described {
        let more = HumanCount(report.different - described);
        line(&format!("{more} more records differ"));
    }
    let mut left_out: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for relation in &report.relations {
        if let Some(reason) = &relation.not_compared {
            *left_out.entry((&relation.relation, reason)).or_default() += 1;
        }
    }
    for ((relation, reason), count) in left_out {
        let of = match count {
            1 => "1 entity".to_owned(),
            count => format!("{} entities", HumanCount(count)),
        };
        line(&format!("not compared: {relation} of {of}: {reason}"));
    }
    for column in report.not_compared.iter().take(TOLD) {
        line(&format!(
            "not compared: {}.{}: {}",
            column.pipeline, column.column, column.reason
        ));
    }
    let count = report.not_compared.len();
    if count > TOLD {
        line(&format!(
            "not compared: {} more columns, which --json lists",
            count - TOLD
        ));
    }
    let result = match (report.compared_nothing(), report.is_right()) {
        (true, _) => "nothing was compared: there is neither a record nor a row of one".to_owned(),
        (false, true) => "the files hold what the snapshot holds".to_owned(),
        (false, false) => {
            let problems = report.problems.len() as u64;
            let mut result = match report.different {
                1 => "1 record differs".to_owned(),
                count => format!("{} records differ", HumanCount(count)),
            };
            if problems > 0 {
                // Writing to a string cannot fail.
                let _ = write!(result, ", and {} cannot be compared", HumanCount(problems));
            }
            result
        }
    };
    line(&format!(
        "{} records against {} rows, {} columns ({} not compared), by {} passes over the snapshot: {result}",
        HumanCount(report.records),
        HumanCount(report.rows),
        HumanCount(report.compared_columns),
        HumanCount(count as u64),
        HumanCount(report.passes),
    ));
    text
}
