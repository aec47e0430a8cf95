//! Arguments of `relexport doctor`.

use clap::Args;

use super::ServerArgs;
use super::config::ConfigFileArgs;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::output::Location;
use crate::snapshot::Spec;

/// Say whether jobs can run: source, destination, space, clock, locks
///
/// Opens each job's snapshot as far as its tables' definitions, makes and removes a file where exports go, and looks at
/// free space, clocks, locks and hooks. Every finding is ok, a warning or a problem, and says what to do. Nothing is exported. The
/// exit status is 1 if there is a problem.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::DOCTOR)]
pub struct DoctorArgs {
    /// Only these jobs [default: all]
    #[arg(value_name = "JOB", conflicts_with_all = ["snapshot", "out"])]
    pub jobs: Vec<String>,
    /// A snapshot to look at, without a configuration
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Option<Spec>,
    /// A folder or bucket for exports to look at, without a configuration
    #[arg(long, short, value_name = "DIR|URL", value_parser = Location::parse)]
    pub out: Option<Location>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub files: ConfigFileArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}
