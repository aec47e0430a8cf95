//! The arguments of `relexport snapshot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::group::{group_names, project_names};
use super::parse::{local_path, time};
use super::source::{LimitArgs, ServerArgs};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::snapshot::Spec;

#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    Take(Box<SnapshotTakeArgs>),
    Hold(SnapshotHoldArgs),
    Verify(SnapshotVerifyArgs),
}

/// Take the tables that exports need out of a server or a dump, as a folder of CSV files
///
/// Writes each table as COPY's CSV with a header, compressed by zstd, with schema.sql and a snapshot.json that holds rows
/// and checksums. Everything is of one instant. An export from the folder is that of the source, without the files of a
/// GitLab backup. The folder is there only when it is complete.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SNAPSHOT_TAKE)]
pub struct SnapshotTakeArgs {
    /// What to read: a server, a dump, a backup, or CSV files
    ///
    /// The address of a server (postgres://…), a dump, a GitLab backup tar or folder, a folder of CSV files, one of these
    /// in a bucket (s3://BUCKET/KEY, gs://, az://), or - for standard input.
    #[arg(long, short, value_name = "URL|PATH")]
    pub from: Spec,
    /// The folder to make
    #[arg(long, short, value_name = "DIR", value_parser = local_path())]
    pub out: PathBuf,
    /// A pipeline file in place of the built-in ones
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// Only the rows that an export of this group needs
    ///
    /// The group by id, full path, GitLab's address of it, or a pattern such as acme/**. May be given several times.
    #[arg(long, short, value_name = "ID|PATH", value_parser = group_names, allow_negative_numbers = true)]
    pub group: Vec<String>,
    /// The descendants of each group, too
    #[arg(long, requires = "group")]
    pub subgroups: bool,
    /// Only the rows that an export of this project needs
    ///
    /// The project by id, full path, GitLab's address of it, or a pattern such as acme/**. May be given several times, and
    /// beside --group.
    #[arg(long, value_name = "ID|PATH", value_parser = project_names, allow_negative_numbers = true)]
    pub project: Vec<String>,
    /// The projects in the groups, too
    ///
    /// Without --group and --project, the tables that projects need.
    #[arg(long)]
    pub with_projects: bool,
    /// Replace a snapshot that is there already
    ///
    /// The old one goes when the new one is complete.
    #[arg(long)]
    pub force: bool,
    /// Wait this long for another run that writes there
    ///
    /// Such as 10min or 2h. Then, and without this option at once, the run ends with exit code 11.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    pub lock_wait: Duration,
    /// Print what snapshot.json says on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Hold a server at the present instant, for exports that read it
///
/// Exports a snapshot of the server, prints its id in one line, and keeps it until Ctrl-C or SIGTERM, which end this command with 0.
/// Whatever is given the id by --pg-snapshot reads the server as it is now, on whichever machine and however often. If the
/// instant is lost, because the server or the connection has ended, this command ends with 3.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SNAPSHOT_HOLD)]
pub struct SnapshotHoldArgs {
    /// The address of the server (postgres://…)
    #[arg(long, short, value_name = "URL")]
    pub from: Spec,
    /// A file that has the id, as long as the instant is held
    ///
    /// A file of this name is replaced. It is removed at the end.
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub id_file: Option<PathBuf>,
    /// Silence after which the server ends the session
    ///
    /// Should this program hang; while it runs it gives a sign of life in time. 0 is never.
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = time)]
    pub idle_timeout: Duration,
    /// Silence of the server that loses the instant
    ///
    /// While an answer of it is awaited. 0 is for ever.
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = time)]
    pub stall_timeout: Duration,
    /// Print the id as JSON, with what is known of the instant
    ///
    /// The server, its version, and when and where in its log that was.
    #[arg(long)]
    pub json: bool,
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
