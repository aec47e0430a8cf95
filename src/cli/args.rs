//! The arguments, as the user writes them.

mod bench;
mod config;
mod doctor;
mod engine;
mod entities;
mod export;
mod forget;
mod given;
mod group;
mod jobs;
mod parse;
mod pipeline;
mod plan;
mod redaction;
mod serve;
mod snapshot;
mod source;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::examples;
use super::exit::STATUS_HELP;
use crate::output::Location;
use crate::snapshot::Spec;
use group::{group_name, project_name};
use parse::local_path;

pub(crate) use bench::{BenchArgs, BenchCommand, BenchCompareArgs, FromArg};
pub(crate) use config::{
    ConfigCheckArgs, ConfigCommand, ConfigFileArgs, ConfigInitArgs, ConfigShowArgs,
};
pub(crate) use doctor::DoctorArgs;
pub(crate) use entities::EntityArgs;
pub(crate) use export::ExportArgs;
pub(crate) use forget::ForgetArgs;
pub(crate) use given::{GivenExport, ID_PREFIX as GIVEN_ID_PREFIX};
pub(crate) use jobs::{JobsArgs, RunArgs};
pub(crate) use pipeline::{PipelineCheckArgs, PipelineCommand, PipelineInitArgs};
pub(crate) use plan::{CommitArgs, HereArgs, PlanArgs, PlanCommand, PlanStatusArgs, WorkArgs};
pub(crate) use redaction::{EncryptionArgs, RedactCommand, RedactInitArgs, RedactionArgs};
pub(crate) use serve::{PrefetchArg, ServeArgs, TokenCommand};
pub(crate) use snapshot::{
    SnapshotCommand, SnapshotHoldArgs, SnapshotTakeArgs, SnapshotVerifyArgs,
};
pub(crate) use source::{DatabaseArgs, LimitArgs, ServerArgs, SnapshotArgs};

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

/// Options of every command.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Print no progress, no summary and no advice; errors and warnings only
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Say more (-v: what is done; -vv: why)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    #[arg(help_heading = GLOBAL)]
    pub verbose: u8,
    /// How standard error looks
    ///
    /// Text is for people; JSON is one object a line.
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
    Plan(Box<PlanArgs>),
    Work(WorkArgs),
    Commit(CommitArgs),
    Bench(BenchArgs),
    Groups(GroupsArgs),
    Inspect(InspectArgs),
    Run(Box<RunArgs>),
    Jobs(JobsArgs),
    Status(StatusArgs),
    Verify(Box<VerifyArgs>),
    Diff(DiffArgs),
    Forget(ForgetArgs),
    Doctor(Box<DoctorArgs>),
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
    /// Check, show or begin the configuration of jobs
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make redaction files, which say what stands in place of values
    #[command(subcommand)]
    Redact(Box<RedactCommand>),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// List the groups of a snapshot, or its projects
///
/// Prints id, parent, full path and name, in order of the paths.
/// A dump is read only until the tables that say so have gone by.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::GROUPS)]
pub struct GroupsArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// List the projects, rather than the groups
    ///
    /// With what the pipeline says is shown of each.
    #[arg(long, conflicts_with = "tree")]
    pub projects: bool,
    /// Say how large the files of each are, in a backup
    ///
    /// The bundles of its repository, its uploads and its LFS objects. All tables up to those that name files are read.
    #[arg(long, conflicts_with = "tree")]
    pub sizes: bool,
    /// Show subgroups below their parents
    #[arg(long)]
    pub tree: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Say what a snapshot is and which tables it holds
///
/// Prints its kind, the versions of the server and of GitLab, when it was taken, how many groups and projects it has, and its
/// tables with their rows and bytes (of row text, before compression). The whole snapshot is read. Of a live server: what its
/// statistics say, how far its log is, and which columns that rows are found by have no index.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::INSPECT)]
pub struct InspectArgs {
    /// What to read: a dump, a backup, CSV files, or a server
    ///
    /// A dump, a GitLab backup tar or folder, a folder of CSV files, - for standard input, the address of a server
    /// (postgres://…), or a server's data folder (pgdata:DIR).
    ///
    /// Dumps, backups and CSV files may lie in a bucket: s3://BUCKET/KEY (gs://, az://), or what the keys of several files
    /// begin with. They are read there, without a local copy. Settings are those of the cloud's own tools (AWS_…,
    /// GOOGLE_…, AZURE_…).
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Spec,
    /// A pipeline whose entities are counted [default: the built-in ones]
    ///
    /// On a live server, the columns that its rows are found by must have indexes. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Show how far the relations of an export are
///
/// Also of an export that is still being written. Ends with 1 if the export failed, or the relation that is asked for, and says
/// what is partial: rows left out, files missing, references that lead nowhere. With --json, what GitLab's endpoint GET /groups/:id/export_relations/status would answer: an array, or one object
/// with --relation.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::STATUS)]
pub struct StatusArgs {
    /// The folder of the export, or its bucket
    ///
    /// In a bucket the export itself (s3://BUCKET/PREFIX/2026-…), or what lies above several: then the newest is meant.
    #[arg(value_name = "DIR|URL", value_parser = parse::location())]
    pub dir: Location,
    /// Only this relation, with its batches
    #[arg(long, value_name = "NAME")]
    pub relation: Option<String>,
    /// Only this group, by id or full path
    ///
    /// For an export that holds several groups or projects, --json and --relation need it, or --project.
    #[arg(long, short, value_name = "ID|PATH", value_parser = group_name)]
    pub group: Option<String>,
    /// Only this project, by id or full path
    #[arg(long, value_name = "ID|PATH", value_parser = project_name, conflicts_with = "group")]
    pub project: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Check the files of an export against its manifest
///
/// Every file must be there with its size and checksum, be one gzip member, and hold a JSON object a line, as many as
/// are counted; batches must have their size; and nothing else may lie in the folder. Everything that is wrong is told,
/// and before the result what is partial, though nothing of it is wrong.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::VERIFY)]
pub struct VerifyArgs {
    /// The folder of the export, or its bucket
    ///
    /// In a bucket the export itself (s3://BUCKET/PREFIX/2026-…), or what lies above several: then the newest is meant.
    #[arg(value_name = "DIR|URL", value_parser = parse::location())]
    pub dir: Location,
    /// A pipeline file that was exported with, if it was not the built-in one
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// Say what GitLab's importer of offline transfers would refuse, too
    ///
    /// As of GitLab 19.3, where it is behind feature flags: the metadata's version, address and map of entities, and
    /// files that are too large.
    #[arg(long)]
    pub gitlab_offline: bool,
    /// The secret key of a recipient, for what encrypted files hold
    ///
    /// As age-keygen writes it; nobody else may be able to read it. Without it their sizes and checksums are looked at.
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub identity: Option<PathBuf>,
    /// A snapshot whose rows the files must hold, no more and no fewer
    ///
    /// The one that was exported from. It is read by another way than an export's: whole tables, several times, so that
    /// keys and values that the export lost or changed are told, by key. Not from standard input, which comes once. Of a
    /// server that goes on working, rows that changed since the export differ.
    #[arg(long, value_name = "PATH|URL")]
    pub against: Option<Spec>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Say what changed between two exports, by relation and key
///
/// Names the records that were added, removed and changed, and which of their keys, however deep, have other values. Of
/// each export it does not matter whether it lies in a folder or a bucket, and how it is cut into batches. Ends with 1 if
/// anything differs.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::DIFF)]
pub struct DiffArgs {
    /// The folder of the older export, or its bucket
    ///
    /// In a bucket the export itself (s3://BUCKET/PREFIX/2026-…), or what lies above several: then the newest is meant.
    #[arg(value_name = "OLD", value_parser = parse::location())]
    pub old: Location,
    /// The folder of the newer export, or its bucket
    #[arg(value_name = "NEW", value_parser = parse::location())]
    pub new: Location,
    /// Compare only this relation
    ///
    /// May be given several times.
    #[arg(long, value_name = "NAME")]
    pub relation: Vec<String>,
    /// Show the values of keys that changed
    ///
    /// As JSON, the old one and the new one, cut off after 200 letters.
    #[arg(long)]
    pub values: bool,
    /// A pipeline file that was exported with, if it was not the built-in one
    ///
    /// It says by which columns records are told apart; without it that is id or iid. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// The secret key of a recipient, for encrypted exports
    ///
    /// As age-keygen writes it; nobody else may be able to read it.
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub identity: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EditionArg {
    Ce,
    Ee,
}
