//! Arguments that several commands have: which snapshot is read, how, and within which limits.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::{bound, local_path, memory, time};
use crate::snapshot::Spec;

/// The heading of options that bound a run.
pub(super) const LIMITS: &str = "Limits";

/// The heading of options that name other databases.
const DATABASES: &str = "Several databases";

/// The heading of options that are for live servers only.
const SERVER: &str = "Live servers";

/// The heading of options that are for data folders only.
const DATA_FOLDER: &str = "Data folders";

/// Which snapshot to read, and how.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
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
    /// A pipeline file in place of the built-in ones
    ///
    /// Each takes entities of one kind. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// Take tables whose data the snapshot lacks as empty ones
    ///
    /// Without it, what needs them fails.
    #[arg(long)]
    pub allow_missing: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Snapshots of an application's other databases.
#[derive(Debug, Clone, Default, Args)]
pub struct DatabaseArgs {
    /// GitLab's CI database, if it is a snapshot of its own
    ///
    /// Read in the same way as the main one: another server, dump, archive or folder of CSV files. The databases that lie
    /// in a backup are found in it.
    #[arg(long, value_name = "PATH|URL", help_heading = DATABASES)]
    pub ci_snapshot: Option<Spec>,
    /// GitLab's sec database, if it is a snapshot of its own
    #[arg(long, value_name = "PATH|URL", help_heading = DATABASES)]
    pub sec_snapshot: Option<Spec>,
}

impl DatabaseArgs {
    /// Those that are given: the option, the database's name, and what is to be read.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, &Spec)> {
        let options = [
            ("--ci-snapshot", "ci", &self.ci_snapshot),
            ("--sec-snapshot", "sec", &self.sec_snapshot),
        ];
        options
            .into_iter()
            .filter_map(|(option, name, snapshot)| Some((option, name, snapshot.as_ref()?)))
    }
}

/// How a live server or a data folder is read, and what beside it. Dumps and other files care for little of it.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Connections that read [default: as many as threads]
    ///
    /// One more holds the instant that all of them read at.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    #[arg(help_heading = SERVER)]
    pub connections: Option<u16>,
    /// Read at a snapshot that another session has exported
    ///
    /// That is by pg_export_snapshot; the session must hold it open.
    #[arg(long, value_name = "ID", help_heading = SERVER)]
    pub pg_snapshot: Option<String>,
    /// Time for one query, until its last row has come
    ///
    /// 0 is for ever.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    #[arg(help_heading = SERVER)]
    pub statement_timeout: Duration,
    /// Time to wait for a table that somebody has locked
    ///
    /// 0 is for ever.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    #[arg(help_heading = SERVER)]
    pub lock_timeout: Duration,
    /// Time after which the server ends silent sessions
    ///
    /// Only sessions of this program. 0 is never.
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = time)]
    #[arg(help_heading = SERVER)]
    pub idle_timeout: Duration,
    /// Silence of a pipe or server that ends the run [default: 1h, 10min]
    ///
    /// If no byte comes for so long, whoever sends it has stalled: 1h on standard input and named pipes, 10min from a
    /// server. 0 is for ever.
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = LIMITS)]
    pub stall_timeout: Option<Duration>,
    /// The database of a data folder
    ///
    /// By default the only one that holds the pipeline's main table.
    #[arg(long, value_name = "NAME", help_heading = DATA_FOLDER)]
    pub pg_database: Option<String>,
    /// Folder of PostgreSQL's programs [default: looked for]
    ///
    /// They must be of the data folder's version.
    #[arg(long, value_name = "DIR", help_heading = DATA_FOLDER)]
    pub pg_bindir: Option<PathBuf>,
    /// Take a data folder that a server was running on as it is
    ///
    /// Only for a snapshot of a file system, made in one instant.
    #[arg(long, help_heading = DATA_FOLDER)]
    pub pg_atomic: bool,
    /// Time until the private server has replayed its log
    ///
    /// 0 is for ever.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    #[arg(help_heading = DATA_FOLDER)]
    pub pg_start_timeout: Duration,
    /// Folder for temp files and copied data folders [default: the system's]
    #[arg(long, value_name = "DIR", help_heading = LIMITS, value_parser = local_path())]
    pub temp_dir: Option<PathBuf>,
    /// Largest window of a decoder of zstd or xz
    ///
    /// A dump that was made with `zstd --long=31` asks for 2GiB. One with a larger window is refused, and not read. Every
    /// compressed file that is read at the same time has a window of its own.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = bound)]
    #[arg(help_heading = LIMITS)]
    pub max_window: usize,
    /// Longest row, or statement of SQL, that is read
    ///
    /// In bytes of the snapshot's own text. A row of a dump that is longer fails what needs its table; rows of tables that
    /// nobody needs are stepped over, of any length. While it goes by, a row takes some times its length.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = bound)]
    #[arg(help_heading = LIMITS)]
    pub max_row: usize,
}

/// Limits of a run.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Threads to scan, render and compress [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    #[arg(help_heading = LIMITS)]
    pub threads: Option<u16>,
    /// Memory for kept rows and their index
    ///
    /// Beyond it rows go to temp files; with 0 all of them do.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
    #[arg(help_heading = LIMITS)]
    pub memory_limit: usize,
}
