//! The arguments of commands about jobs: `run` and `jobs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::{local_path, time};
use super::{ConfigFileArgs, GivenExport};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::jobs::JobName;

/// Run jobs, as a file of configuration says
///
/// For each job: takes its lock, exports into its place, looks at how many rows there are, lets `latest` lead to the new
/// export, removes those that no rule keeps, and tells whoever the file names. One job's failure does not stop the next one.
/// The exit status is that of the job that needs somebody most: of 130, 70, 4, 3, 2, 1, 11 and 75 the one that comes first.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::RUN)]
pub struct RunArgs {
    /// Jobs, by name [default: all, in the order of the files]
    #[arg(value_name = "JOB", value_parser = JobName::parse)]
    pub(crate) jobs: Vec<JobName>,
    #[command(flatten)]
    pub files: ConfigFileArgs,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait for another run of the same job
    ///
    /// So long at the most, such as 30min. Without it, what the job says, else not at all.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub lock_wait: Option<Duration>,
    /// Trust the exports, whatever their guards say
    ///
    /// For once, if there are fewer rows for a good reason. The next runs are compared with this one.
    #[arg(long)]
    pub no_guard: bool,
    /// A file that gets metrics of the runs, for node_exporter
    ///
    /// In place of those that the jobs say. What it says of other jobs stays.
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub metrics_file: Option<PathBuf>,
    /// Print what happens as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub given: GivenExport,
}

/// Show how the last runs of jobs went
///
/// Without a job: the last run of each, and when its last complete export was made. Exits with 1 if the last run of a job
/// failed, is suspect, was interrupted or died, and if its last complete export is too old, so that it can be a check.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::JOBS)]
pub struct JobsArgs {
    /// A job, to show its last runs
    #[arg(value_name = "JOB", value_parser = JobName::parse)]
    pub(crate) job: Option<JobName>,
    #[command(flatten)]
    pub files: ConfigFileArgs,
    /// Runs to show of a job
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub last: u32,
    /// After this time, the last complete export is too old
    #[arg(long, value_name = "TIME", default_value = "26h", value_parser = time)]
    pub stale_after: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
