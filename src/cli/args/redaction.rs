//! Arguments of redaction.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::EditionArg;
use super::parse::local_path;
use super::source::ServerArgs;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::snapshot::Spec;

/// The heading of options of redaction.
const REDACTION: &str = "Redaction";

/// The heading of options of encryption.
const ENCRYPTION: &str = "Encryption";

/// What stands in place of columns' values.
#[derive(Debug, Clone, Default, Args)]
pub struct RedactionArgs {
    /// Write other values in place of those of columns, as a file says
    ///
    /// By column null, a constant, a keyed hash, an address or a name that was made up. A backup's files are left out, unless
    /// the file says that they stay.
    #[arg(long, value_name = "FILE", help_heading = REDACTION, value_parser = local_path())]
    pub redact: Option<PathBuf>,
    /// The secret key of hashes
    ///
    /// With one key, a value has the same hash in all exports. Nobody else may be able to read the file.
    #[arg(long, value_name = "FILE", help_heading = REDACTION, requires = "redact", value_parser = local_path())]
    pub redact_key_file: Option<PathBuf>,
}

/// Whom files are encrypted for.
#[derive(Debug, Clone, Default, Args)]
pub struct EncryptionArgs {
    /// Encrypt every file but the manifest for this recipient (age)
    ///
    /// A public key as age-keygen prints it (age1…). May be given several times.
    #[arg(long, value_name = "RECIPIENT", help_heading = ENCRYPTION)]
    pub encrypt_to: Vec<String>,
    /// The same for the recipients in a file, one a line
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE", help_heading = ENCRYPTION, value_parser = local_path())]
    pub encrypt_to_file: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum RedactCommand {
    Init(Box<RedactInitArgs>),
    /// Print the JSON Schema of redaction files
    Schema,
}

/// Make a first redaction file for a snapshot
///
/// Names every column that the pipelines write and that may hold text, each with a rule that lets nothing pass. Rows are not
/// read.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::REDACT_INIT)]
pub struct RedactInitArgs {
    /// The snapshot whose columns are named
    #[arg(long, short, value_name = "PATH|URL")]
    pub snapshot: Spec,
    /// A pipeline that is exported with [default: the built-in ones]
    ///
    /// May be given several times.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Vec<PathBuf>,
    /// The edition of GitLab
    #[arg(long, value_enum, default_value_t = EditionArg::Ee)]
    pub edition: EditionArg,
    /// The file to make [default: standard output]
    #[arg(long, short, value_name = "FILE", value_parser = local_path())]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}
