//! The arguments of `relexport pipeline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::parse::local_path;
use super::source::ServerArgs;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::snapshot::Spec;

#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    Check(Box<PipelineCheckArgs>),
    Init(Box<PipelineInitArgs>),
    /// Print a built-in pipeline
    Show(PipelineShowArgs),
    /// Print the JSON Schema of pipeline files
    Schema,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::PIPELINE_SHOW)]
pub struct PipelineShowArgs {
    /// Its name: group or project
    #[arg(value_name = "NAME", default_value = "group")]
    pub name: String,
}

/// Check a pipeline file, and whether a snapshot has what it names
///
/// Prints every mistake with its line. With --snapshot also what of the pipeline's tables and columns the snapshot
/// lacks: a note says that something would be left out, a warning or an error that something is wrong.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::PIPELINE_CHECK)]
pub struct PipelineCheckArgs {
    /// The pipeline file [default: the built-in ones]
    ///
    /// Of the built-in ones, those whose entities the snapshot has a table of are held against it.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A snapshot whose tables the pipeline is held against
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Option<Spec>,
    /// Take every table or column that is missing for a mistake
    ///
    /// As export --strict does. Those that the pipeline says may be missing (with a ?) are none.
    #[arg(long, requires = "snapshot")]
    pub strict: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Make a first pipeline from the foreign keys of a snapshot
///
/// Writes every table from which foreign keys lead to the entity's table. Comments say what foreign keys do not: columns
/// that may link without one, and tables that nothing leads from. Rows are not read, but a plain dump is read to its end,
/// where it states its keys.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::PIPELINE_INIT)]
pub struct PipelineInitArgs {
    /// The snapshot whose foreign keys are followed
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Spec,
    /// The table of the tenants, with its schema unless that is public
    #[arg(long, value_name = "TABLE")]
    pub entity: String,
    /// What the manifest calls a tenant [default: by the table]
    #[arg(long, value_name = "NAME")]
    pub kind: Option<String>,
    /// Follow foreign keys that no row needs, too
    ///
    /// Without it they are not followed from a table whose every row is found without them.
    #[arg(long)]
    pub every_way: bool,
    /// The file to make [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = local_path())]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}
