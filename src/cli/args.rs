//! The arguments, as the user writes them.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::export::DEFAULT_BATCH_SIZE;

use super::examples;
use super::exit::STATUS_HELP;

/// Takes one group out of a GitLab database snapshot, in GitLab's own export format.
///
/// A snapshot is a file of pg_dump in any format, a GitLab backup, a folder of CSV files, a live PostgreSQL
/// server, read at one instant, or a server's data folder.
#[derive(Debug, Parser)]
#[command(
    name = "relexport",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = STATUS_HELP, after_long_help = examples::ALL)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// The heading of options that every command has.
const GLOBAL: &str = "Global options";

/// The heading of options that bound a run.
const LIMITS: &str = "Limits";

/// The heading of options that are for live servers only.
const SERVER: &str = "Live servers";

/// The heading of options that are for data folders only.
const DATA_FOLDER: &str = "Data folders";

/// Options of every command.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Print no progress and no summary; errors and warnings only
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Say more (-v: what is done; -vv: why)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    #[arg(help_heading = GLOBAL)]
    pub verbose: u8,
    /// How standard error looks: text for people, or JSON, one object a line
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    #[arg(value_name = "FORMAT", help_heading = GLOBAL)]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Export(ExportArgs),
    Groups(GroupsArgs),
    Inspect(InspectArgs),
    Status(StatusArgs),
    Verify(VerifyArgs),
    /// Check or print pipelines, which say what is exported
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// List the groups of a snapshot
///
/// Prints id, parent, full path and name, in order of the paths.
/// A dump is read only until the tables that say so have gone by.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::GROUPS)]
pub struct GroupsArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// Show subgroups below their parents
    #[arg(long)]
    pub tree: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Say what a snapshot is and which tables it holds
///
/// Prints its kind, the versions of the server and of GitLab, when it was taken, and its tables with their rows and
/// bytes (of row text, before compression). The whole snapshot is read. Of a live server: what its statistics say, how far
/// its log is, and which columns that rows are found by have no index.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::INSPECT)]
pub struct InspectArgs {
    /// A dump, a GitLab backup tar or folder, a folder of CSV files, - for standard input, the address of a server
    /// (postgres://…), or a server's data folder (pgdata:DIR)
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: String,
    /// The pipeline whose key columns must have indexes on a live server [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Show how far the relations of an export are
///
/// Also of an export that is still being written. With --json, what GitLab's endpoint GET /groups/:id/export_relations/status would answer: an array, or one object
/// with --relation.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::STATUS)]
pub struct StatusArgs {
    /// The folder of the export
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Only this relation, with its batches
    #[arg(long, value_name = "NAME")]
    pub relation: Option<String>,
    /// The group, by id or full path, where the export holds several
    #[arg(long, short, value_name = "ID|PATH")]
    pub group: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Check the files of an export against its manifest
///
/// Every file must be there with its size and checksum, be one gzip member, and hold a JSON object a line, as many as
/// are counted; batches must have their size; and nothing else may lie in the folder. Everything that is wrong is told.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::VERIFY)]
pub struct VerifyArgs {
    /// The folder of the export
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The pipeline file that was exported with, where it was not the built-in one
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    Check(Box<PipelineCheckArgs>),
    /// Print the built-in pipeline
    Show,
    /// Print the JSON Schema of pipeline files
    Schema,
}

/// Check a pipeline file, and whether a snapshot has what it names
///
/// Prints every mistake with its line. With --snapshot also what of the pipeline's tables and columns the snapshot
/// lacks: a note says that something would be left out, a warning or an error that something is wrong.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::PIPELINE_CHECK)]
pub struct PipelineCheckArgs {
    /// The pipeline file [default: the built-in one]
    #[arg(value_name = "FILE", required_unless_present = "snapshot")]
    pub file: Option<PathBuf>,
    /// A snapshot whose tables the pipeline is held against
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = examples::COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(after_long_help = examples::MAN)]
pub struct ManArgs {
    /// A folder that gets a page for each command [default: print the main page]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Which snapshot to read, and how.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// A dump, a GitLab backup tar or folder, a folder of CSV files, - for standard input, the address of a server
    /// (postgres://…), or a server's data folder (pgdata:DIR)
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: String,
    /// A pipeline file in place of the built-in one
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How a live server or a data folder is read. Dumps and other files do not care.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Connections that read, besides the one that holds the instant [default: as many as threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    #[arg(help_heading = SERVER)]
    pub connections: Option<u16>,
    /// Read at a snapshot that another session has exported (pg_export_snapshot) and holds open
    #[arg(long, value_name = "ID", help_heading = SERVER)]
    pub pg_snapshot: Option<String>,
    /// Time for one query, until its last row has come; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    #[arg(help_heading = SERVER)]
    pub statement_timeout: Duration,
    /// Time to wait for a table that somebody has locked; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    #[arg(help_heading = SERVER)]
    pub lock_timeout: Duration,
    /// Time after which the server ends our sessions, should they fall silent; 0 is never
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = parse_time)]
    #[arg(help_heading = SERVER)]
    pub idle_timeout: Duration,
    /// The database of a data folder [default: the only one that holds the pipeline's main table]
    #[arg(long, value_name = "NAME", help_heading = DATA_FOLDER)]
    pub pg_database: Option<String>,
    /// Folder of PostgreSQL's programs of the data folder's version [default: looked for]
    #[arg(long, value_name = "DIR", help_heading = DATA_FOLDER)]
    pub pg_bindir: Option<PathBuf>,
    /// Take a data folder that a server was running on as it is: it is a snapshot of a file system, made in one instant
    #[arg(long, help_heading = DATA_FOLDER)]
    pub pg_atomic: bool,
    /// Time until the private server is ready, for replaying its log; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    #[arg(help_heading = DATA_FOLDER)]
    pub pg_start_timeout: Duration,
    /// Folder for temp files and copies of data folders [default: the system's]
    #[arg(long, value_name = "DIR", help_heading = LIMITS)]
    pub temp_dir: Option<PathBuf>,
}

/// Limits of a run.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Threads for scanning, rendering and compressing [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    #[arg(help_heading = LIMITS)]
    pub threads: Option<u16>,
    /// Memory for kept rows and their index; beyond it rows go to temp files
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_size)]
    #[arg(help_heading = LIMITS)]
    pub memory_limit: usize,
}

/// Export groups from a snapshot
///
/// Writes a folder: for each relation a compressed NDJSON file, or one for each of its batches, and a manifest with
/// their checksums. Files get their names when they are complete.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::EXPORT)]
pub struct ExportArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// A group's id or full path; may be given several times
    #[arg(
        long,
        short,
        value_name = "ID|PATH",
        required_unless_present = "all_groups"
    )]
    pub group: Vec<String>,
    /// Export the descendants of each group, too
    #[arg(long)]
    pub subgroups: bool,
    /// Export every group of the snapshot
    #[arg(long, conflicts_with_all = ["group", "subgroups"])]
    pub all_groups: bool,
    /// The folder to make
    #[arg(long, short, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Replace an export that is there already, once the new one is complete
    #[arg(long)]
    pub force: bool,
    /// Write one file per batch, for relations that GitLab batches
    #[arg(long)]
    pub batched: bool,
    /// Top-level records of a batch
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH_SIZE, value_parser = parse_batch_size)]
    pub batch_size: NonZeroU32,
    /// Only this relation; may be given several times
    #[arg(long, value_name = "NAME")]
    pub relation: Vec<String>,
    /// The edition whose relations are exported
    #[arg(long, value_enum, default_value_t = EditionArg::Ee)]
    pub edition: EditionArg,
    /// Compression from 1 (fastest) to 9 (smallest)
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub gzip_level: u32,
    /// Leave out rows that cannot be read, and list them in the manifest
    #[arg(long)]
    pub keep_going: bool,
    /// Say what would be written, and write nothing but temp files
    #[arg(long)]
    pub dry_run: bool,
    /// The GitLab version of the snapshot, where it does not say it (19.3.0-ee)
    #[arg(long, value_name = "VERSION")]
    pub gitlab_version: Option<String>,
    /// The address of the instance, for the metadata
    #[arg(long, value_name = "URL")]
    pub source_url: Option<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EditionArg {
    Ce,
    Ee,
}

/// A time such as `500ms`, `30s`, `10min` or `1h`; `0` is none.
fn parse_time(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a time as 500ms, 30s, 10min or 1h, or 0";
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milliseconds: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "" if digits == "0" => 1,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(milliseconds)
        // PostgreSQL keeps milliseconds in 31 bits.
        .filter(|milliseconds| *milliseconds <= i32::MAX as u64)
        .map(Duration::from_millis)
        .ok_or_else(|| "the time is longer than a server can wait (24 days)".to_owned())
}

/// A number of records.
fn parse_batch_size(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| format!("a batch has from 1 to {} records", u32::MAX))
}

/// A size such as `512MiB`, `2G` or `1000000` (bytes).
fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return Err("write a size as 512MiB, 2GiB or a number of bytes".to_owned()),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "write a size as 512MiB, 2GiB or a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "the size is too large".to_owned())
}
