//! The arguments of `relexport config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::parse::local_path;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;

/// Where the configuration is.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigFileArgs {
    /// The configuration [default: that in /etc/relexport]
    ///
    /// A file is read alone; of a folder its relexport.toml and conf.d/*.toml are.
    #[arg(long, value_name = "FILE|DIR", value_parser = local_path())]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    Init(ConfigInitArgs),
    Check(ConfigCheckArgs),
    Show(ConfigShowArgs),
    /// Print the JSON Schema of configuration files, for editors
    #[command(after_help = STATUS_HELP, after_long_help = examples::CONFIG_SCHEMA)]
    Schema,
}

/// Write a configuration to begin with
///
/// With comments, and with what is found on this machine: GitLab's backups, a local PostgreSQL server, the folder that
/// node_exporter reads.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::CONFIG_INIT)]
pub struct ConfigInitArgs {
    /// The file to make [default: print it]
    #[arg(value_name = "FILE", value_parser = local_path())]
    pub file: Option<PathBuf>,
    /// Look for nothing, and put nothing in force, as packages do
    #[arg(long)]
    pub sample: bool,
}

/// Check the configuration, without reading a snapshot
///
/// Every mistake is told with its file, line and column. Pipelines are read, and options are held against one another and
/// against the pipelines. Secrets in files and credentials may be for the service's eyes alone, so they are read only if
/// --secrets asks for it.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::CONFIG_CHECK)]
pub struct ConfigCheckArgs {
    #[command(flatten)]
    pub files: ConfigFileArgs,
    /// Read the secrets, too, as a run would
    #[arg(long)]
    pub secrets: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Show what a job comes to: its keys with the defaults, and the export that it makes
///
/// In the form of a configuration file, with secrets hidden. A comment has the command line of the export.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::CONFIG_SHOW)]
pub struct ConfigShowArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub job: String,
    #[command(flatten)]
    pub files: ConfigFileArgs,
    #[command(flatten)]
    pub given: super::GivenExport,
}
