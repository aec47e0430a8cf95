//! The arguments of `relexport pipeline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::source::ServerArgs;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::snapshot::Spec;

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
