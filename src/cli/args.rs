//! The arguments, as the user writes them.

mod bench;
mod group;
mod parse;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::export::DEFAULT_BATCH_SIZE;

use crate::snapshot::Spec;

use super::examples;
use super::exit::STATUS_HELP;
use group::group_name;
use parse::{batch_size, local_path, memory, time, version, web_address};

pub use bench::{BenchArgs, BenchCommand, BenchCompareArgs, FromArg};

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
    Bench(BenchArgs),
    Groups(GroupsArgs),
    Inspect(InspectArgs),
    Status(StatusArgs),
    Verify(VerifyArgs),
    /// Take snapshots that can be exported from again and again, offline
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    Serve(Box<ServeArgs>),
    /// Make tokens for serve
    #[command(subcommand)]
    Token(TokenCommand),
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
    pub snapshot: Spec,
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
    /// Only this group, by id or full path; of an export that holds several, --json and --relation need it
    #[arg(long, short, value_name = "ID|PATH", value_parser = group_name)]
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

/// The heading of options about who may connect, and how.
const ACCESS: &str = "Access";

/// Serve GitLab's export API over a snapshot
///
/// Answers the group relations export API, and what a GitLab instance asks beside it when it migrates a group by
/// direct transfer. Exports run in the background and stay in the data folder; what was interrupted goes on at the
/// next start. Without a token file only this machine's loopback address is served.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SERVE)]
pub struct ServeArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// The folder for exports; made where it is missing
    #[arg(long, short, value_name = "DIR", value_parser = local_path())]
    pub data: PathBuf,
    /// Address and port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The path below which everything is served, such as /gitlab
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/",
        hide_default_value = true
    )]
    pub relative_url_root: String,
    /// The address that clients know, with the relative root, for links in answers
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub external_url: Option<String>,
    /// Top-level records of a batch
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH_SIZE, value_parser = batch_size)]
    pub batch_size: NonZeroU32,
    /// The edition whose relations are exported
    #[arg(long, value_enum, default_value_t = EditionArg::Ee)]
    pub edition: EditionArg,
    /// Compression from 1 (fastest) to 9 (smallest)
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub gzip_level: u32,
    /// The GitLab version to report [default: the snapshot's]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub gitlab_version: Option<String>,
    /// The address of the instance, for the metadata
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub source_url: Option<String>,
    /// Hashes of the tokens that are let in; `relexport token new` makes one
    #[arg(long, value_name = "FILE", help_heading = ACCESS)]
    pub token_file: Option<PathBuf>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = ACCESS)]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = ACCESS)]
    pub tls_key: Option<PathBuf>,
    /// Exports at the same time; each reads the snapshot once, for all groups that waited by then
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    #[arg(help_heading = LIMITS)]
    pub jobs: u16,
    /// Groups that may wait for their export; beyond it clients are told to come back later. 0 accepts no export
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = LIMITS)]
    pub queue: usize,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    New(TokenNewArgs),
}

/// Add a token to a token file and print it
///
/// The token is printed once and kept nowhere: the file gets its SHA-256 hash. A running server reads the file again
/// when it changes. To take a token back, delete its line or write `revoked` at its end.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::TOKEN_NEW)]
pub struct TokenNewArgs {
    /// The file; made where it is missing
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub token_file: PathBuf,
    /// Whose or what for it is, a word
    #[arg(long, value_name = "WORD")]
    pub name: Option<String>,
    /// Only these groups and their subgroups, by id or full path
    #[arg(long, value_name = "ID|PATH", value_delimiter = ',', value_parser = group_name)]
    pub groups: Vec<String>,
    /// Refuse groups that this snapshot does not have; reads it as far as `relexport groups` does
    #[arg(long, short, value_name = "PATH", requires = "groups")]
    pub snapshot: Option<Spec>,
    /// It may look at exports and download them, but not start any
    #[arg(long)]
    pub read_only: bool,
    /// The day (UTC) from which on it is not good any more, such as 2027-01-31
    #[arg(long, value_name = "DAY")]
    pub expires: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    Take(Box<SnapshotTakeArgs>),
    Verify(SnapshotVerifyArgs),
}

/// Take the tables that exports need out of a server or a dump, as a folder of CSV files
///
/// Writes each table as COPY's CSV with a header, compressed by zstd, with schema.sql and a snapshot.json that holds rows
/// and checksums. Everything is of one instant. An export from the folder is that of the source. The folder is there
/// only when it is complete.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SNAPSHOT_TAKE)]
pub struct SnapshotTakeArgs {
    /// The address of a server (postgres://…), a dump, a GitLab backup tar or folder, a folder of CSV files, or - for
    /// standard input
    #[arg(long, short, value_name = "URL|PATH")]
    pub from: Spec,
    /// The folder to make
    #[arg(long, short, value_name = "DIR", value_parser = local_path())]
    pub out: PathBuf,
    /// A pipeline file in place of the built-in one
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// Only the rows that an export of this group needs, by id, full path or GitLab's address of it; may be given
    /// several times
    #[arg(long, short, value_name = "ID|PATH", value_parser = group_name)]
    pub group: Vec<String>,
    /// The descendants of each group, too
    #[arg(long, requires = "group")]
    pub subgroups: bool,
    /// Replace a snapshot that is there already, once the new one is complete
    #[arg(long)]
    pub force: bool,
    /// Print what snapshot.json says on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Check the files of a taken snapshot against its snapshot.json
///
/// Every file must be there with its size and checksum and hold as many rows as are counted, and nothing else may lie in
/// the folder. Everything that is wrong is told.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SNAPSHOT_VERIFY)]
pub struct SnapshotVerifyArgs {
    /// The folder of the snapshot
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
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
    pub snapshot: Option<Spec>,
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
    #[arg(value_name = "DIR", value_parser = local_path())]
    pub dir: Option<PathBuf>,
}

/// Which snapshot to read, and how.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// A dump, a GitLab backup tar or folder, a folder of CSV files, - for standard input, the address of a server
    /// (postgres://…), or a server's data folder (pgdata:DIR)
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Spec,
    /// A pipeline file in place of the built-in one
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// Take tables whose data the snapshot does not hold as empty ones; else what needs them fails
    #[arg(long)]
    pub allow_missing: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How a live server or a data folder is read. Dumps and other files do not care.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Connections that read, besides the one that holds the instant [default: as many as threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    #[arg(help_heading = SERVER)]
    pub connections: Option<u16>,
    /// Read at a snapshot that another session has exported (pg_export_snapshot) and holds open
    #[arg(long, value_name = "ID", help_heading = SERVER)]
    pub pg_snapshot: Option<String>,
    /// Time for one query, until its last row has come; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    #[arg(help_heading = SERVER)]
    pub statement_timeout: Duration,
    /// Time to wait for a table that somebody has locked; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    #[arg(help_heading = SERVER)]
    pub lock_timeout: Duration,
    /// Time after which the server ends our sessions, should they fall silent; 0 is never
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = time)]
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
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    #[arg(help_heading = DATA_FOLDER)]
    pub pg_start_timeout: Duration,
    /// Folder for temp files and copies of data folders [default: the system's]
    #[arg(long, value_name = "DIR", help_heading = LIMITS, value_parser = local_path())]
    pub temp_dir: Option<PathBuf>,
}

/// Limits of a run.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Threads for scanning, rendering and compressing [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    #[arg(help_heading = LIMITS)]
    pub threads: Option<u16>,
    /// Memory for kept rows and their index; beyond it rows go to temp files, with 0 all of them
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
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
    /// A group's id, full path, or GitLab's address of it; may be given several times
    #[arg(
        long,
        short,
        value_name = "ID|PATH",
        required_unless_present = "all_groups",
        value_parser = group_name
    )]
    pub group: Vec<String>,
    /// Export the descendants of each group, too
    #[arg(long)]
    pub subgroups: bool,
    /// Export every group of the snapshot
    #[arg(long, conflicts_with_all = ["group", "subgroups"])]
    pub all_groups: bool,
    /// The folder to make
    #[arg(long, short, value_name = "DIR", required_unless_present = "dry_run", value_parser = local_path())]
    pub out: Option<PathBuf>,
    /// Replace an export that is there already, once the new one is complete
    #[arg(long)]
    pub force: bool,
    /// Go on with an export that was interrupted: files that are finished are kept
    #[arg(long, conflicts_with_all = ["force", "dry_run"])]
    pub resume: bool,
    /// Write one file per batch, for relations that GitLab batches
    #[arg(long)]
    pub batched: bool,
    /// Top-level records of a batch
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH_SIZE, value_parser = batch_size)]
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
    /// Refuse a snapshot that lacks a table or column that the pipeline names
    #[arg(long)]
    pub strict: bool,
    /// Say what would be written, and write nothing but temp files
    #[arg(long)]
    pub dry_run: bool,
    /// The GitLab version of the snapshot, where it does not say it (19.3.0-ee)
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub gitlab_version: Option<String>,
    /// The address of the instance, for the metadata
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub source_url: Option<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Say where the time went, by phase; the manifest always does
    #[arg(long, conflicts_with = "dry_run")]
    pub timings: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EditionArg {
    Ce,
    Ee,
}
