//! The arguments, as the user writes them.

mod bench;
mod entities;
mod export;
mod group;
mod parse;
mod pipeline;
mod serve;
mod snapshot;
mod source;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::examples;
use super::exit::STATUS_HELP;
use crate::snapshot::Spec;
use group::{group_name, project_name};
use parse::local_path;

pub(crate) use bench::{BenchArgs, BenchCommand, BenchCompareArgs, FromArg};
pub(crate) use entities::EntityArgs;
pub(crate) use export::ExportArgs;
pub(crate) use pipeline::{PipelineCheckArgs, PipelineCommand, PipelineInitArgs};
pub(crate) use serve::{ServeArgs, TokenCommand};
pub(crate) use snapshot::{SnapshotCommand, SnapshotTakeArgs, SnapshotVerifyArgs};
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
    /// Print no progress and no summary; errors and warnings only
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
/// are counted; batches must have their size; and nothing else may lie in the folder. Everything that is wrong is told.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::VERIFY)]
pub struct VerifyArgs {
    /// The folder of the export
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// A pipeline file that was exported with, if it was not the built-in one
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
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
