//! The arguments of `relexport serve` and `relexport token`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::EditionArg;
use super::group::group_name;
use super::parse::{batch_size, local_path, time, version, web_address};
use super::source::{LIMITS, LimitArgs, SnapshotArgs};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::export::DEFAULT_BATCH_SIZE;
use crate::snapshot::Spec;

/// The heading of options about who may connect, and how.
const ACCESS: &str = "Access";

/// Serve GitLab's export API over a snapshot
///
/// Answers the relations export API of groups and projects, and what a GitLab instance asks beside it when it migrates
/// them by direct transfer. Exports run in the background and stay in the data folder; what was interrupted goes on at the
/// next start. Without a token file only this machine's loopback address is served.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::SERVE)]
pub struct ServeArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// The folder for exports; made if it is missing
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
    /// The address that clients know, for links in answers
    ///
    /// It includes the relative root.
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub external_url: Option<String>,
    /// Top-level records of a batch
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BATCH_SIZE, value_parser = batch_size)]
    pub batch_size: NonZeroU32,
    /// What comes with a group: family or entity
    ///
    /// A GitLab that migrates a group asks for each of its subgroups and projects in turn. They are exported in the same read
    /// of the snapshot, so that their own requests are answered at once.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = PrefetchArg::Family)]
    #[arg(hide_possible_values = true)]
    pub prefetch: PrefetchArg,
    /// Export this group, with its family, at the start
    ///
    /// By id or full path. In batches, as a GitLab asks for it. The log says when it is ready. May be given several times.
    #[arg(long, value_name = "ID|PATH", value_parser = group_name)]
    pub prepare: Vec<String>,
    /// The edition of GitLab
    ///
    /// It decides which relations are exported.
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
    /// Exports at the same time
    ///
    /// Each reads the snapshot once, for all that waited by then.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    #[arg(help_heading = LIMITS)]
    pub jobs: u16,
    /// Exports that may wait
    ///
    /// What is exported with one because it lies in the same group is no other. If more are asked for, clients are told to come
    /// back later. 0 accepts no export.
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = LIMITS)]
    pub queue: usize,
    /// Connections of clients at the same time
    ///
    /// Further ones wait to be accepted. There are fewer if the system lets the program open too few files: what exports need
    /// is never given to connections.
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u16).range(1..))]
    #[arg(help_heading = LIMITS)]
    pub max_connections: u16,
    /// Silence of a client that ends its connection
    ///
    /// While it sends a request's head, between two requests, and while it takes nothing of an answer. 0 is for ever.
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = time)]
    #[arg(help_heading = LIMITS)]
    pub client_timeout: Duration,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What is exported with a group that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrefetchArg {
    /// The group with its subgroups and all their projects
    Family,
    /// The group alone
    Entity,
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
    /// The file; made if it is missing
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub token_file: PathBuf,
    /// A word that says whose it is, or what for
    #[arg(long, value_name = "WORD")]
    pub name: Option<String>,
    /// Only these groups and their subgroups, by id or full path
    #[arg(long, value_name = "ID|PATH", value_delimiter = ',', value_parser = group_name)]
    pub groups: Vec<String>,
    /// Refuse groups that this snapshot does not have
    ///
    /// It is read as far as `relexport groups` reads it.
    #[arg(long, short, value_name = "PATH", requires = "groups")]
    pub snapshot: Option<Spec>,
    /// It may look at exports and download them, but not start any
    #[arg(long)]
    pub read_only: bool,
    /// The first day (UTC) on which it is not good any more, such as 2027-01-31
    #[arg(long, value_name = "DAY")]
    pub expires: Option<String>,
}
