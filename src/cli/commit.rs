//! `relexport commit`: one export of what the tasks of a plan have made.

use std::time::Instant;

use indicatif::HumanCount;
use serde_json::json;

use super::args::CommitArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::planned;
use super::progress::Progress;
use super::stdout;
use crate::engine::listed;
use crate::output::{Manifest, Partial};
use crate::plan::{self, Committed, Found, PlanFile};

/// Runs the command.
pub(crate) fn run(args: &CommitArgs, console: &Console) -> Result<Exit, Failure> {
    let found = plan::find(&args.plan.plan)?;
    let Some(plan) = &found.plan else {
        return committed_already(args, &found, console);
    };
    let done = commit(args, &found, plan, console);
    // Another commit may have been first, and taken away what this one still read.
    match done.is_err() && plan::is_committed(&*found.place) {
        true => committed_already(args, &found, console),
        false => done,
    }
}

fn committed_already(args: &CommitArgs, found: &Found, console: &Console) -> Result<Exit, Failure> {
    plan::clear(&*found.place)?;
    console.info(
        &format!("{}: was committed already", found.shown),
        json!({"committed": true}),
    );
    if args.json {
        stdout::print_json(&found.place.manifest()?)?;
    }
    Ok(Exit::Success)
}

fn commit(
    args: &CommitArgs,
    found: &Found,
    plan: &PlanFile,
    console: &Console,
) -> Result<Exit, Failure> {
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let started = Instant::now();
    let mut progress = Progress::new(console);
    let mut request = || planned::request(plan, &args.here, &interrupted, console);
    let committed = plan::commit(&found.place, plan, &mut request, &mut progress);
    progress.finish();
    match committed? {
        Committed::Finished(manifest) => {
            tell(&manifest, plan, started, console);
            if args.json {
                stdout::print_json(&*manifest)?;
            }
            Ok(match manifest.skipped_rows().is_empty() {
                true => Exit::Success,
                false => Exit::Failed,
            })
        }
        // So it looks while another commit takes the plan away.
        Committed::Missing(_) if plan::is_committed(&*found.place) => {
            committed_already(args, found, console)
        }
        Committed::Missing(missing) => {
            stdout::print(&format!("{}\n", listed(&missing, args.list_as)))?;
            tracing::error!(
                "{} of {} tasks are missing, so nothing is committed\n  `relexport plan status --plan {}` says what failed",
                missing.len(),
                plan.tasks.len(),
                found.shown
            );
            Ok(Exit::Failed)
        }
    }
}

fn tell(manifest: &Manifest, plan: &PlanFile, started: Instant, console: &Console) {
    let relations = || {
        manifest
            .entities
            .iter()
            .flat_map(|entity| &entity.relations)
    };
    let records: u64 = relations()
        .map(|relation| relation.total_objects_count)
        .sum();
    let files = relations()
        .map(|relation| relation.files().count())
        .sum::<usize>();
    let seconds = started.elapsed().as_secs_f64();
    console.info(
        &format!(
            "{} tasks, {} relations, {} records in {files} files, committed in {seconds:.1} s",
            plan.tasks.len(),
            relations().count(),
            HumanCount(records)
        ),
        json!({"tasks": plan.tasks.len(), "relations": relations().count(), "records": records, "files": files,
            "seconds": seconds}),
    );
    for finding in Partial::of(manifest).untold() {
        match finding.what.is_lack() {
            true => tracing::warn!("{}", finding.says),
            false => crate::advice::advise(&finding.says),
        }
    }
}
