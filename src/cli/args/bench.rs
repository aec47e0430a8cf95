//! The arguments of `relexport bench`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::EditionArg;
use super::entities::EntityArgs;
use super::parse::{batch_size, local_path, memory, percent};
use super::source::{LIMITS, ServerArgs};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::snapshot::Spec;

/// The headings of what a bench combines, and of how it measures.
const COMBINED: &str = "What is combined";
const MEASURED: &str = "How it is measured";

/// Measure which batch size, threads and gzip level suit this machine and these data
///
/// Exports a group with every combination, several times and in turns, and shows medians with their spread, what each
/// phase took, and which combination to take. That all of them write the same records is checked. Exports are written
/// below --out, else below --temp-dir, and taken away again.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = STATUS_HELP, after_long_help = examples::BENCH)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    /// What to read: a dump, a backup, CSV files, or a server
    ///
    /// A dump, a GitLab backup tar or folder, a folder of CSV files, one of these in a bucket (s3://BUCKET/KEY), - for
    /// standard input, or the address of a server.
    #[arg(long, short, value_name = "PATH|URL", required = true)]
    pub snapshot: Option<Spec>,
    /// A pipeline file in place of the built-in ones
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub entities: EntityArgs,
    /// Only these relations
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub relations: Vec<String>,
    /// The edition of GitLab
    ///
    /// It decides which relations are exported.
    #[arg(long, value_enum, default_value_t = EditionArg::Ee)]
    pub edition: EditionArg,
    /// Numbers of top-level records of a batch
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "50,100,500,1000,5000"
    )]
    #[arg(value_parser = batch_size, help_heading = COMBINED)]
    pub batch_sizes: Vec<NonZeroU32>,
    /// Numbers of threads [default: one per core]
    #[arg(long, value_name = "N,…", value_delimiter = ',', help_heading = COMBINED)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Vec<u16>,
    /// Compression levels from 1 (fastest) to 9 (smallest)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "6")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=9), help_heading = COMBINED)]
    pub gzip_levels: Vec<u32>,
    /// With one file per batch; this is the default
    #[arg(long, help_heading = COMBINED)]
    pub batched: bool,
    /// With one file per relation; together with --batched, both
    #[arg(long, help_heading = COMBINED)]
    pub unbatched: bool,
    /// Runs of each combination; comparisons need at least 4
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = MEASURED)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Runs of each combination before those, which do not count
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = MEASURED)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100))]
    pub warmup: u32,
    /// Which part of an export each run is
    ///
    /// By default resolved for what is read as a stream, else snapshot.
    #[arg(long, value_enum, help_heading = MEASURED)]
    pub from: Option<FromArg>,
    /// A folder for bench.json, bench.csv and bench.html
    #[arg(long, short, value_name = "DIR", value_parser = local_path())]
    pub out: Option<PathBuf>,
    /// Replace a bench that is in that folder already
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Memory for kept rows and their index
    ///
    /// Beyond it rows go to temp files; with 0 all of them do.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = memory)]
    #[arg(help_heading = LIMITS)]
    pub memory_limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FromArg {
    /// Rows are found once; each run builds, renders, compresses and writes batches of them
    Resolved,
    /// Each run is a whole export, in a process of its own
    Snapshot,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    Compare(BenchCompareArgs),
    /// Print the JSON Schema of bench.json
    Schema,
}

/// Say what changed between two benches beyond their noise
///
/// A change is told with the interval in which it lies with a probability of 95 %, by the ranks of the runs (Mann and
/// Whitney, Hodges and Lehmann), which takes 4 runs of both. Points are matched by their options.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::BENCH_COMPARE)]
pub struct BenchCompareArgs {
    /// The bench.json before
    #[arg(value_name = "A.json")]
    pub first: PathBuf,
    /// The bench.json after
    #[arg(value_name = "B.json")]
    pub second: PathBuf,
    /// Exit with 1 if a point's wall time grew by more than this
    ///
    /// Growth that may be chance does not count.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_if_slower: Option<f64>,
}
