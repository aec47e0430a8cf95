//! `relexport snapshot`: takes snapshots, checks those that were taken, and holds a server at an instant.

mod hold;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use serde_json::json;

use crate::export::ExportObserver;
use crate::memory;
use crate::output::Partial;
use crate::pipeline::Pipeline;
use crate::resolve::{Choice, KindChoice};
use crate::snapshot::TableName;
use crate::take::{TakeObserver, TakeRequest, read_manifest, take, verify::verify};

use super::args::{EntityArgs, SnapshotCommand, SnapshotTakeArgs, SnapshotVerifyArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::kinds::{all_kinds, kinds, pipelines_of};
use super::progress::Progress;
use super::{interrupt, setup, stdout, verify as verify_export};

/// Runs the command.
pub(crate) fn run(command: &SnapshotCommand, console: &Console) -> Result<Exit, Failure> {
    match command {
        SnapshotCommand::Take(args) => run_take(args, console),
        SnapshotCommand::Hold(args) => hold::run(args, console),
        SnapshotCommand::Verify(args) => run_verify(args, console),
    }
}

impl TakeObserver for Progress {
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>) {
        ExportObserver::reading(self, size, read);
    }

    fn table(&mut self, name: &TableName) {
        ExportObserver::table(self, &name.to_string());
    }
}

fn run_take(args: &SnapshotTakeArgs, console: &Console) -> Result<Exit, Failure> {
    let (kinds, limited) = take_kinds(args)?;
    let request = TakeRequest {
        from: args.from.clone(),
        open: setup::open_options(
            &args.server,
            args.limits.threads,
            &pipelines_of(&kinds),
            console,
        )?,
        out: args.out.clone(),
        force: args.force,
        lock_wait: args.lock_wait,
        kinds,
        limited,
        limits: setup::limits(args.limits.memory_limit, &args.server),
        pool: setup::pool(&args.limits)?,
        interrupted: interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?,
    };
    let started = Instant::now();
    let mut progress = Progress::new(console);
    let taken = take(&request, &mut progress);
    progress.finish();
    let taken = taken.map_err(|error| setup::told_of_wait(error.into(), args.lock_wait))?;
    if args.json {
        stdout::print_json(&taken)?;
    }
    let tables = &taken.described.tables;
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
    let peak = memory::peak();
    let seconds = started.elapsed().as_secs_f64();
    let memory = peak
        .map(|peak| format!(", {} of memory at the most", HumanBytes(peak)))
        .unwrap_or_default();
    console.info(
        &format!(
            "{} tables, {} rows in {}, {seconds:.1} s{memory}",
            tables.len(),
            HumanCount(rows),
            HumanBytes(bytes),
        ),
        json!({"tables": tables.len(), "rows": rows, "bytes": bytes, "seconds": seconds, "peak_memory_bytes": peak}),
    );
    Ok(Exit::Success)
}

/// The kinds whose tables are taken, and whether only rows of the chosen entities are.
fn take_kinds(args: &SnapshotTakeArgs) -> Result<(Vec<KindChoice>, bool), Failure> {
    let limited = !args.group.is_empty() || !args.project.is_empty();
    let entities = EntityArgs {
        group: args.group.clone(),
        subgroups: args.subgroups,
        project: args.project.clone(),
        with_projects: limited && args.with_projects,
        ..EntityArgs::default()
    };
    let kinds = match (limited, args.with_projects, args.pipeline.is_empty()) {
        (true, ..) => kinds(&args.pipeline, &entities)?,
        // Built-in pipelines are those of groups unless more is said.
        (false, false, true) => vec![KindChoice {
            pipeline: Pipeline::builtin(),
            choice: Choice::All,
        }],
        (false, true, _) => kinds(
            &args.pipeline,
            &EntityArgs {
                all_groups: true,
                all_projects: true,
                ..EntityArgs::default()
            },
        )?,
        (false, false, false) => all_kinds(&args.pipeline)?,
    };
    Ok((kinds, limited))
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    files: u64,
    bytes: u64,
    rows: u64,
    problems: &'a [crate::output::verify::Problem],
}

fn run_verify(args: &SnapshotVerifyArgs, console: &Console) -> Result<Exit, Failure> {
    let taken = read_manifest(&args.dir)?;
    setup::start_shared_pool()?;
    let mut progress = Progress::new(console);
    let read: Arc<AtomicU64> = Arc::default();
    let tables = taken.described.tables.iter();
    let size = tables.map(|table| table.bytes).sum::<u64>() + taken.schema.bytes;
    ExportObserver::reading(&mut progress, Some(size), Arc::clone(&read));
    let verified = verify(&args.dir, &taken, &read);
    progress.finish();
    let verified = verified.map_err(|error| {
        let shown = args.dir.display();
        Failure::new(
            Exit::Snapshot,
            anyhow::anyhow!("cannot list the folder {shown}: {error}\n  look at its permissions"),
        )
    })?;
    let ok = verified.problems.is_empty();
    if args.json {
        stdout::print_json(&Answer {
            ok,
            files: verified.files,
            bytes: verified.bytes,
            rows: verified.objects,
            problems: &verified.problems,
        })?;
    } else {
        stdout::print(&verify_export::text(
            &verified,
            &Partial::default(),
            "rows",
            "snapshot.json",
        ))?;
    }
    Ok(if ok { Exit::Success } else { Exit::Failed })
}
