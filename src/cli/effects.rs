//! Options that can have no effect beside the others: each is said in a warning, so that nobody relies on it.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{
    BenchArgs, Cli, Command, ExportArgs, PipelineCheckArgs, PipelineCommand, RedactCommand,
    ServerArgs, SnapshotArgs, SnapshotCommand, SnapshotTakeArgs, VerifyArgs,
};
use super::exit::Failure;
use super::logging::stated_filter;
use crate::environment::LOG_VARIABLE;
use crate::jobs::metrics::MetricsFile;
use crate::snapshot::Spec;

/// Options that only a live server or a data folder's private one looks at: names of arguments, and of options.
const OF_SERVERS: [(&str, &str); 4] = [
    ("connections", "--connections"),
    ("statement_timeout", "--statement-timeout"),
    ("lock_timeout", "--lock-timeout"),
    ("idle_timeout", "--idle-timeout"),
];

/// Options that only a data folder looks at.
const OF_DATA_FOLDERS: [(&str, &str); 4] = [
    ("pg_database", "--pg-database"),
    ("pg_bindir", "--pg-bindir"),
    ("pg_atomic", "--pg-atomic"),
    ("pg_start_timeout", "--pg-start-timeout"),
];

/// Other options that only a snapshot can have a use for.
const OF_ANY_SNAPSHOT: [(&str, &str); 7] = [
    ("pg_snapshot", "--pg-snapshot"),
    ("temp_dir", "--temp-dir"),
    ("stall_timeout", "--stall-timeout"),
    ("max_window", "--max-window"),
    ("max_row", "--max-row"),
    ("ci_snapshot", "--ci-snapshot"),
    ("sec_snapshot", "--sec-snapshot"),
];

/// Warns of each option that was given and changes nothing.
///
/// # Errors
/// Where an option asks for something that is impossible with the others.
pub(crate) fn tell(cli: &Cli, matches: &ArgMatches) -> Result<(), Failure> {
    let mut given = GivenOptions::new(matches);
    match &cli.command {
        Command::Export(args) => export(args, cli.global.quiet, &mut given)?,
        Command::Bench(args) => bench(args, &mut given)?,
        Command::Groups(args) => of_snapshot(&args.snapshot, &mut given)?,
        Command::Serve(args) => of_snapshot(&args.snapshot, &mut given)?,
        Command::Inspect(args) => {
            snapshot(&args.snapshot, &args.server, &mut given)?;
            temp_dir(&args.snapshot, &args.server, &mut given);
        }
        Command::Snapshot(SnapshotCommand::Take(args)) => take(args, &mut given)?,
        Command::Pipeline(PipelineCommand::Check(args)) => pipeline_check(args, &mut given)?,
        Command::Pipeline(PipelineCommand::Init(args)) => {
            snapshot(&args.snapshot, &args.server, &mut given)?;
            temp_dir(&args.snapshot, &args.server, &mut given);
        }
        Command::Verify(args) => verify(args, &mut given)?,
        Command::Redact(command) => match &**command {
            RedactCommand::Init(args) => {
                snapshot(&args.snapshot, &args.server, &mut given)?;
                temp_dir(&args.snapshot, &args.server, &mut given);
            }
            RedactCommand::Schema => {}
        },
        Command::Snapshot(SnapshotCommand::Hold(_) | SnapshotCommand::Verify(_))
        | Command::Pipeline(PipelineCommand::Show(_) | PipelineCommand::Schema)
        | Command::Status(_)
        // What they have of an export is looked at when it is put together.
        | Command::Plan(_)
        | Command::Work(_)
        | Command::Commit(_)
        | Command::Run(_)
        | Command::Jobs(_)
        | Command::Diff(_)
        | Command::Forget(_)
        | Command::Doctor(_)
        | Command::Token(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => {}
    }
    if cli.global.verbose > 0 && stated_filter().is_some() {
        given.without_effect(
            "verbose",
            "-v",
            &format!("while {LOG_VARIABLE} says what is logged"),
        );
    }
    for warning in given.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Warns of a `--gitlab-version` beside a snapshot that says its version itself, which shows only when it was read.
pub(crate) fn tell_version(args: &ExportArgs, reported: Option<&str>) {
    if let (Some(given), Some(reported)) = (args.gitlab_version.as_deref(), reported)
        && given != reported
    {
        tracing::warn!(
            "--gitlab-version has no effect: the snapshot says that it is of {reported}"
        );
    }
}

/// Looks at the arguments of a job's export, which stand on no command line.
///
/// # Errors
/// As [`tell`].
pub(crate) fn check_job(args: &ExportArgs) -> Result<(), Failure> {
    let matches = ArgMatches::default();
    export(args, false, &mut GivenOptions::new(&matches))
}

/// The options that the user gave, and what is said of them.
struct GivenOptions<'a> {
    /// Those of the innermost subcommand, which has the global ones, too.
    matches: &'a ArgMatches,
    warnings: Vec<String>,
}

impl<'a> GivenOptions<'a> {
    fn new(matches: &'a ArgMatches) -> Self {
        let mut matches = matches;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        GivenOptions {
            matches,
            warnings: Vec::new(),
        }
    }

    /// True if the user gave the option, and it is not just there by default.
    fn has(&self, argument: &str) -> bool {
        self.matches.try_contains_id(argument).is_ok()
            && self.matches.value_source(argument) == Some(ValueSource::CommandLine)
    }

    fn without_effect(&mut self, argument: &str, option: &str, when: &str) {
        if self.has(argument) {
            self.warnings.push(format!("{option} has no effect {when}"));
        }
    }
}

fn of_snapshot(args: &SnapshotArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    snapshot(&args.snapshot, &args.server, given)
}

/// Options of servers and data folders beside snapshots that are something else. The other databases of an instance are read
/// by the same ones.
fn snapshot(spec: &Spec, server: &ServerArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    if !matches!(spec, Spec::Server(_)) && given.has("pg_snapshot") {
        return Err(Failure::usage(
            "cannot read at the exported snapshot that --pg-snapshot names: only a live server has some\n  \
             name the server by its address, or leave --pg-snapshot out",
        ));
    }
    if !databases(spec, server).any(reads_a_server) {
        for (argument, option) in OF_SERVERS {
            let when = "on a snapshot of files; it is for live servers and data folders";
            given.without_effect(argument, option, when);
        }
    }
    if !databases(spec, server).any(is_data_folder) {
        for (argument, option) in OF_DATA_FOLDERS {
            let when = "on this snapshot; it is for data folders (pgdata:DIR)";
            given.without_effect(argument, option, when);
        }
    }
    Ok(())
}

/// The main database, and those that are named beside it.
fn databases<'s>(main: &'s Spec, server: &'s ServerArgs) -> impl Iterator<Item = &'s Spec> {
    let others = server.databases.given().map(|(_, _, spec)| spec);
    std::iter::once(main).chain(others)
}

fn is_data_folder(spec: &Spec) -> bool {
    matches!(spec, Spec::DataFolder(_))
}

/// True if rows come from a server: a live one, or the private one of a data folder.
fn reads_a_server(spec: &Spec) -> bool {
    matches!(spec, Spec::Server(_) | Spec::DataFolder(_))
}

/// Of commands that keep no rows, the temp folder gets copies of data folders only.
fn temp_dir(spec: &Spec, server: &ServerArgs, given: &mut GivenOptions<'_>) {
    if !databases(spec, server).any(is_data_folder) {
        given.without_effect("temp_dir", "--temp-dir", "here: no temp file is needed");
    }
}

fn export(args: &ExportArgs, quiet: bool, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    of_snapshot(&args.snapshot, given)?;
    if !args.batched {
        given.without_effect(
            "batch_size",
            "--batch-size",
            "on the files without --batched, which makes one of each batch",
        );
    }
    if args.batch_bytes.is_some() && reads_a_server(&args.snapshot.snapshot) {
        return Err(Failure::usage(
            "cannot cut batches by bytes: the rows of a server are cut into batches before they are read\n  leave \
             --batch-bytes out, or export from a snapshot of the server (`relexport snapshot take`)",
        ));
    }
    if args.dry_run {
        let when = "with --dry-run, which writes nothing";
        given.without_effect("gzip_level", "--gzip-level", when);
        given.without_effect("source_url", "--source-url", when);
        if args.out.is_none() {
            given.without_effect("force", "--force", when);
        }
        if !args.json {
            given.without_effect("gitlab_version", "--gitlab-version", when);
        }
    }
    if let Some(path) = &args.metrics_file
        && !MetricsFile::new(path).is_collected()
    {
        given.warnings.push(format!(
            "{}: node_exporter reads files only whose names end in .prom",
            path.display()
        ));
    }
    if quiet {
        let when = "with --quiet; the manifest has the times";
        given.without_effect("timings", "--timings", when);
    }
    Ok(())
}

fn bench(args: &BenchArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    match &args.snapshot {
        Some(name) => snapshot(name, &args.server, given),
        None => Ok(()),
    }
}

fn take(args: &SnapshotTakeArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    snapshot(&args.from, &args.server, given)?;
    if args.group.is_empty() && args.project.is_empty() {
        given.without_effect(
            "memory_limit",
            "--memory-limit",
            "without --group or --project: no row is kept",
        );
        temp_dir(&args.from, &args.server, given);
    }
    Ok(())
}

fn verify(args: &VerifyArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    match &args.against {
        Some(spec) => {
            snapshot(spec, &args.server, given)?;
            temp_dir(spec, &args.server, given);
        }
        None => without_snapshot("without --against", given),
    }
    Ok(())
}

/// Options of snapshots where none is read.
fn without_snapshot(when: &str, given: &mut GivenOptions<'_>) {
    for (argument, option) in OF_SERVERS
        .into_iter()
        .chain(OF_DATA_FOLDERS)
        .chain(OF_ANY_SNAPSHOT)
    {
        given.without_effect(argument, option, when);
    }
}

fn pipeline_check(args: &PipelineCheckArgs, given: &mut GivenOptions<'_>) -> Result<(), Failure> {
    if let Some(name) = &args.snapshot {
        snapshot(name, &args.server, given)?;
        temp_dir(name, &args.server, given);
        return Ok(());
    }
    without_snapshot("without --snapshot", given);
    Ok(())
}
