//! `relexport bench`: which batch size, number of threads and gzip level suit a machine and its data.

mod report;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::bench::compare::Comparison;
use crate::bench::{self, Bench, BenchError, BenchObserver, BenchRequest, Point, RunScope, Sweep};
use crate::export::{BatchObserver, Expected, ExportObserver};
use crate::output::{FolderClaim, atomic};
use crate::snapshot;
use crate::snapshot::{Access, Spec};

use super::args::{
    BenchArgs, BenchCommand, BenchCompareArgs, EditionArg, ExportArgs, FromArg, LimitArgs,
    SnapshotArgs,
};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::kinds::{kinds, pipelines_of};
use super::progress::{PhaseBar, Progress, Unit, span};
use super::setup;
use super::stdout;

/// More points than anybody waits for; a list of sizes that was meant otherwise.
const MOST_POINTS: usize = 1000;

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, console: &Console) -> Result<Exit, Failure> {
    match &args.command {
        None => measure(args, console),
        Some(BenchCommand::Compare(args)) => compare(args),
        Some(BenchCommand::Schema) => {
            stdout::print_json(&bench::schema())?;
            Ok(Exit::Success)
        }
    }
}

/// The files of a bench.
const REPORTS: [&str; 3] = ["bench.json", "bench.csv", "bench.html"];

/// Claims the folder for the reports before anything is read.
fn claim(args: &BenchArgs) -> Result<Option<FolderClaim>, Failure> {
    let Some(out) = &args.out else {
        return Ok(None);
    };
    let claim = FolderClaim::take(out)?;
    let older = REPORTS.iter().find(|name| out.join(name).exists());
    match older {
        Some(older) if !args.force => Err(Failure::usage(format!(
            "cannot put a bench into {}: {older} is there already\n  \
             name another folder, or replace the bench in it with --force",
            out.display()
        ))),
        _ => Ok(Some(claim)),
    }
}

fn measure(args: &BenchArgs, console: &Console) -> Result<Exit, Failure> {
    let _claim = claim(args)?;
    let is_new = args.out.as_ref().filter(|out| !out.exists());
    let request = request(args, console)?;
    tell_plan(&request, console);
    let mut progress = BenchProgress {
        console: console.clone(),
        progress: Progress::new(console),
        bar: None,
        first: None,
    };
    let ended = bench::run(request, &mut progress);
    progress.finish();
    let Bench { result, stopped } = ended.map_err(|error| {
        if let Some(out) = is_new {
            // A folder that was made for nothing; where it cannot be taken away, it is empty.
            let _ = fs::remove_dir(out);
        }
        Failure::from(error)
    })?;
    match args.json {
        true => stdout::print_json(&result)?,
        false => stdout::print(&report::text(&result))?,
    }
    let written = match &args.out {
        Some(out) => write_reports(out, &result, console),
        None => Ok(()),
    };
    match stopped {
        // Why it ended says more than that a report could not be written for the same reason.
        Some(error) => {
            if let Err(failure) = written {
                failure.print(console);
            }
            Err(error.into())
        }
        None => written.map(|()| Exit::Success),
    }
}

/// Milliseconds that a run takes however small the snapshot is.
const START: u64 = 100;

/// Bytes of a snapshot that a run gets through in a second, on a machine of two cores that nobody has measured.
const BYTES_A_SECOND: u64 = 100_000_000;

/// Says how many runs there will be, and how long that may take, before anything is read.
fn tell_plan(request: &BenchRequest, console: &Console) {
    let points = request.points.len() as u64;
    let runs = points * u64::from(request.warmup + request.runs);
    // What cannot be read is told when it is opened.
    let found = bench::fingerprint(&request.export.snapshot).ok().flatten();
    let size = found.map(|(bytes, _)| bytes);
    let estimate = size.map(|size| estimate(request.from, size, runs));
    let takes = match estimate {
        Some(seconds) => format!(
            "about {} by the snapshot's size; the first run tells more",
            span(Duration::from_secs(seconds))
        ),
        None => "the first run tells how long that takes".to_owned(),
    };
    console.info(
        &format!(
            "{runs} runs: {points} combination{}, each {} to warm up and {} that count; {takes}",
            if points == 1 { "" } else { "s" },
            request.warmup,
            request.runs,
        ),
        serde_json::json!({"runs": runs, "combinations": points, "estimated_seconds": estimate}),
    );
}

/// Seconds, at least one. Rows that are found once are read once; writing them takes no longer than that.
fn estimate(from: RunScope, size: u64, runs: u64) -> u64 {
    let reads = match from {
        RunScope::Resolved => runs + 1,
        RunScope::Snapshot => runs,
    };
    (size.saturating_mul(reads) / BYTES_A_SECOND + runs * START / 1000).max(1)
}

fn write_reports(
    out: &Path,
    result: &bench::BenchResult,
    console: &Console,
) -> Result<(), Failure> {
    let json = serde_json::to_vec_pretty(result)
        .map(|mut json| {
            json.push(b'\n');
            json
        })
        .map_err(|error| Failure::new(Exit::Output, error))?;
    let csv = bench::csv::write(result).map_err(|error| Failure::new(Exit::Output, error))?;
    let html = bench::html::write(result).into_bytes();
    for (name, content) in REPORTS.into_iter().zip([json, csv, html]) {
        let path = out.join(name);
        atomic::replace(&path, &content).map_err(|error| {
            Failure::new(
                Exit::Output,
                anyhow::anyhow!(
                    "cannot write the report {error}\n  name another folder with --out"
                ),
            )
        })?;
    }
    let shown = out.display().to_string();
    console.info(
        &format!("bench.json, bench.csv and bench.html are in {shown}"),
        serde_json::json!({"out": shown}),
    );
    Ok(())
}

/// The request that the arguments make.
fn request(args: &BenchArgs, console: &Console) -> Result<BenchRequest, Failure> {
    // clap requires one unless there is a subcommand.
    let snapshot = args.snapshot.clone().unwrap_or(Spec::StandardInput);
    let sweep = Sweep {
        batch_sizes: args.batch_sizes.clone(),
        threads: match args.threads.is_empty() {
            true => vec![cores()],
            false => args.threads.clone(),
        },
        gzip_levels: args.gzip_levels.clone(),
        batched: match (args.batched, args.unbatched) {
            (true, true) => vec![true, false],
            (false, true) => vec![false],
            (_, false) => vec![true],
        },
    };
    let points = sweep.points();
    if points.len() > MOST_POINTS {
        return Err(Failure::usage(format!(
            "{} combinations are too many to measure: at most {MOST_POINTS}\n  \
             name fewer of --batch-sizes, --threads or --gzip-levels",
            points.len()
        )));
    }
    let export = export_args(args, &snapshot);
    let export_request = setup::request(&export, console)?;
    if let Some(out) = &args.out
        && out.exists()
        && !out.is_dir()
    {
        return Err(Failure::usage(format!(
            "{} is a file\n  name a folder with --out",
            out.display()
        )));
    }
    let from = from(args, &snapshot, console)?;
    let folder = match &args.out {
        Some(out) => {
            fs::create_dir_all(out).map_err(|source| {
                Failure::from(BenchError::Work {
                    path: out.display().to_string(),
                    source,
                })
            })?;
            out.clone()
        }
        None => export_request.limits.temp_dir.clone(),
    };
    let program = std::env::current_exe().map_err(|error| Failure::new(Exit::Output, error))?;
    Ok(BenchRequest {
        export: export_request,
        points,
        runs: args.runs,
        warmup: args.warmup,
        from,
        work: folder,
        program,
        arguments: arguments(args, &snapshot),
    })
}

/// Threads that the program may use at the same time.
fn cores() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    u16::try_from(cores).unwrap_or(u16::MAX)
}

/// Which part is measured: what the user says, else what the snapshot is good for.
fn from(args: &BenchArgs, snapshot: &Spec, console: &Console) -> Result<RunScope, Failure> {
    if let Spec::DataFolder(_) = snapshot {
        return Err(Failure::usage(
            "cannot measure a data folder: it would be copied for every run\n  \
             take a snapshot of it first: relexport snapshot take",
        ));
    }
    let is_address = matches!(snapshot, Spec::Server(_) | Spec::OtherAddress(_));
    let mut others = args.server.databases.given();
    let is_pipe = !is_address && !snapshot.can_be_read_again()
        || others.any(|(_, _, other)| *other == Spec::StandardInput);
    if is_pipe {
        // A pipe goes by once. What is not there at all is told when it is opened.
        return match args.from {
            Some(FromArg::Snapshot) => Err(Failure::usage(
                "a pipe cannot be read once for each run\n  name a file, or measure with --from resolved",
            )),
            _ => Ok(RunScope::Resolved),
        };
    }
    if let Some(FromArg::Snapshot) = args.from {
        return Ok(RunScope::Snapshot);
    }
    let kinds = kinds(&args.pipeline, &args.entities)?;
    let options = setup::open_options(&args.server, None, &pipelines_of(&kinds), console)?;
    let opened = snapshot::open_with(snapshot, &options)?;
    match (&opened.access, args.from) {
        (Access::Keyed(_), Some(FromArg::Resolved)) => Err(Failure::usage(
            "a live server is asked for the rows of each batch, so they cannot be found once for all runs\n  \
             leave out --from resolved",
        )),
        (Access::Keyed(_), _) => Ok(RunScope::Snapshot),
        (_, Some(FromArg::Resolved)) | (Access::Stream(_), _) => Ok(RunScope::Resolved),
        (Access::Tables(_), _) => Ok(RunScope::Snapshot),
    }
}

/// The arguments of the export that is measured, as [`setup::request`] takes them.
fn export_args(args: &BenchArgs, snapshot: &Spec) -> ExportArgs {
    let snapshot = SnapshotArgs {
        snapshot: snapshot.clone(),
        pipeline: args.pipeline.clone(),
        allow_missing: false,
        server: args.server.clone(),
    };
    ExportArgs {
        batched: true,
        relation: args.relations.clone(),
        edition: args.edition,
        // Rows are measured.
        no_files: true,
        limits: LimitArgs {
            threads: None,
            memory_limit: args.memory_limit,
        },
        ..ExportArgs::new(snapshot, args.entities.clone())
    }
}

/// The same for a process of its own.
fn arguments(args: &BenchArgs, snapshot: &Spec) -> Vec<OsString> {
    let mut list: Vec<OsString> = vec![
        "export".into(),
        "--snapshot".into(),
        snapshot.argument().into(),
    ];
    let mut option = |name: &str, value: Option<OsString>| {
        list.push(name.into());
        list.extend(value);
    };
    for group in &args.entities.group {
        option("--group", Some(group.into()));
    }
    for project in &args.entities.project {
        option("--project", Some(project.into()));
    }
    for relation in &args.relations {
        option("--relation", Some(relation.into()));
    }
    let entities = &args.entities;
    for (is_given, name) in [
        (entities.subgroups, "--subgroups"),
        (entities.all_groups, "--all-groups"),
        (entities.with_projects, "--with-projects"),
        (entities.all_projects, "--all-projects"),
    ] {
        if is_given {
            option(name, None);
        }
    }
    for pipeline in &args.pipeline {
        option("--pipeline", Some(pipeline.into()));
    }
    let edition = match args.edition {
        EditionArg::Ce => "ce",
        EditionArg::Ee => "ee",
    };
    option("--edition", Some(edition.into()));
    // Rows are measured.
    option("--no-files", None);
    let server = &args.server;
    if let Some(connections) = server.connections {
        option("--connections", Some(connections.to_string().into()));
    }
    if let Some(id) = &server.pg_snapshot {
        option("--pg-snapshot", Some(id.into()));
    }
    for (name, time) in [
        ("--statement-timeout", server.statement_timeout),
        ("--lock-timeout", server.lock_timeout),
        ("--idle-timeout", server.idle_timeout),
    ] {
        option(name, Some(format!("{}ms", time.as_millis()).into()));
    }
    if let Some(time) = server.stall_timeout {
        option(
            "--stall-timeout",
            Some(format!("{}ms", time.as_millis()).into()),
        );
    }
    for (name, _, snapshot) in server.databases.given() {
        option(name, Some(snapshot.argument().into()));
    }
    option("--memory-limit", Some(args.memory_limit.to_string().into()));
    option("--max-window", Some(server.max_window.to_string().into()));
    option("--max-row", Some(server.max_row.to_string().into()));
    if let Some(folder) = &server.temp_dir {
        option("--temp-dir", Some(PathBuf::from(folder).into_os_string()));
    }
    list
}

/// Shows the reading of the snapshot, and then the runs.
struct BenchProgress {
    console: Console,
    progress: Progress,
    bar: Option<PhaseBar>,
    /// When the first run began.
    first: Option<Instant>,
}

impl BenchProgress {
    fn finish(&mut self) {
        self.progress.finish();
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}

impl BenchObserver for BenchProgress {
    fn run(&mut self, behind: u64, of: u64, point: &Point) {
        if behind == 1
            && let Some(took) = self.first.take().map(|first| first.elapsed())
        {
            let rest = took.mul_f64((of - behind) as f64);
            self.console.info(
                &format!(
                    "the first run took {:.1} s; {} about {}",
                    took.as_secs_f64(),
                    match of - behind {
                        1 => "the other one takes".to_owned(),
                        others => format!("the {others} others take"),
                    },
                    span(Duration::from_secs_f64(rest.as_secs_f64().ceil()))
                ),
                serde_json::json!({"first_run_seconds": took.as_secs_f64(), "left_seconds": rest.as_secs_f64()}),
            );
        }
        if behind == 0 {
            self.first = Some(Instant::now());
            self.progress.finish();
            self.bar = PhaseBar::new(&self.console, "measuring", Unit::Runs, Some(of));
        }
        if let Some(bar) = &self.bar {
            bar.set(behind, point.to_string());
        }
        tracing::info!(run = behind + 1, of, "measuring {point}");
    }
}

impl ExportObserver for BenchProgress {
    fn reading(&mut self, size: Option<u64>, read: std::sync::Arc<std::sync::atomic::AtomicU64>) {
        self.progress.reading(size, read);
    }

    fn table(&mut self, name: &str) {
        self.progress.table(name);
    }

    fn writing(&mut self, expected: Expected) {
        self.progress.writing(expected);
    }
}

impl BatchObserver for BenchProgress {
    fn relation(&mut self, entity: usize, relation: &str, rows: u64) {
        self.progress.relation(entity, relation, rows);
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.progress.rendered(entity, relation, rows, bytes);
    }
}

fn compare(args: &BenchCompareArgs) -> Result<Exit, Failure> {
    let read = |path: &Path| bench::read(path).map_err(|error| Failure::new(Exit::Snapshot, error));
    let (first, second) = (read(&args.first)?, read(&args.second)?);
    let comparison = Comparison::of(&first, &second);
    if comparison.points.is_empty() {
        return Err(Failure::new(
            Exit::Snapshot,
            anyhow::anyhow!(
                "{} and {} have no point in common\n  measure both with the same batch sizes, threads and gzip levels",
                args.first.display(),
                args.second.display()
            ),
        ));
    }
    stdout::print(&report::comparison(&comparison))?;
    let Some(percent) = args.fail_if_slower else {
        return Ok(Exit::Success);
    };
    if let Some(reason) = comparison.says_nothing() {
        let reason =
            anyhow::anyhow!("cannot tell whether it became slower: {reason}\n  measure both alike");
        return Err(Failure::new(Exit::Snapshot, reason));
    }
    let unsure = comparison.too_few_runs();
    if !unsure.is_empty() {
        return Err(Failure::new(
            Exit::Snapshot,
            anyhow::anyhow!(
                "cannot tell a change from noise at {}: there are too few runs\n  4 runs in both files are enough; measure again with --runs 5",
                unsure[0]
            ),
        ));
    }
    let slower = comparison.slower_by(percent);
    for point in &slower {
        tracing::error!("slower by more than {percent} %: {point}");
    }
    Ok(match slower.is_empty() {
        true => Exit::Success,
        false => Exit::Failed,
    })
}
