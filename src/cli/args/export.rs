//! The arguments of `relexport export`.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::EditionArg;
use super::entities::EntityArgs;
use super::parse::{batch_bytes, batch_size_of, local_path, location, time, version, web_address};
use super::redaction::{EncryptionArgs, RedactionArgs};
use super::source::{LimitArgs, SnapshotArgs};
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::output::Location;

/// Export groups and projects from a snapshot
///
/// Writes a folder: for each relation a compressed NDJSON file, or one for each of its batches, and a manifest with
/// their checksums. Files get their names when they are complete.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::EXPORT)]
pub struct ExportArgs {
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    #[command(flatten)]
    pub entities: EntityArgs,
    /// The folder to make, or a bucket to write to
    ///
    /// In a bucket (s3://BUCKET/PREFIX, gs://…, az://CONTAINER/PREFIX) each run writes below a prefix of its own, such
    /// as PREFIX/2026-04-16_19-39-00_export_k3bd81xz/. Credentials are taken from the environment, under the clouds'
    /// own names.
    #[arg(long, short, value_name = "DIR|URL", required_unless_present = "dry_run", value_parser = location())]
    pub out: Option<Location>,
    /// Replace an export that is there already
    ///
    /// The old one goes when the new one is complete.
    #[arg(long)]
    pub force: bool,
    /// Go on with an export that was interrupted
    ///
    /// Files that are finished are kept.
    #[arg(long, conflicts_with_all = ["force", "dry_run"])]
    pub resume: bool,
    /// Wait this long for another run that writes there
    ///
    /// Such as 10min or 2h. Then, and without this option at once, the run ends with exit code 11.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time, conflicts_with = "dry_run")]
    pub lock_wait: Duration,
    /// Write one file per batch, for relations that GitLab batches
    #[arg(long)]
    pub batched: bool,
    /// Top-level records of a batch [default: 1000]
    ///
    /// With a relation before it, of that one alone: issues=200, or project.issues=200. May be given several times.
    #[arg(long, value_name = "N|RELATION=N", value_parser = batch_size_of)]
    pub batch_size: Vec<(Option<String>, NonZeroU32)>,
    /// End a batch before it has more NDJSON than this, too
    ///
    /// Such as 100MiB. A larger record is a batch of its own. Not for servers.
    #[arg(long, value_name = "SIZE", value_parser = batch_bytes, requires = "batched")]
    pub batch_bytes: Option<NonZeroU64>,
    /// Only this relation; may be given several times
    ///
    /// Of groups and of projects alike, or of one kind if its pipeline's name stands before it: project.issues.
    #[arg(long, value_name = "NAME")]
    pub relation: Vec<String>,
    /// Leave out a backup's files
    ///
    /// Its repositories, uploads, LFS objects, and diffs that are stored as files.
    #[arg(long)]
    pub no_files: bool,
    /// The edition of GitLab
    ///
    /// It decides which relations are exported.
    #[arg(long, value_enum, default_value_t = EditionArg::Ee)]
    pub edition: EditionArg,
    /// Compression from 1 (fastest) to 9 (smallest)
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub gzip_level: u32,
    /// Leave out rows that cannot be read, and list them in the manifest
    #[arg(long)]
    pub keep_going: bool,
    /// Refuse a snapshot without a table or column of the pipeline
    ///
    /// Of the relations that are exported, of the entity and of the rules for values; not if it has a ? in the pipeline.
    #[arg(long)]
    pub strict: bool,
    /// Say what would be written, and write nothing but temp files
    #[arg(long)]
    pub dry_run: bool,
    /// GitLab's version, if the snapshot does not say it
    ///
    /// Such as 19.3.0-ee.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub gitlab_version: Option<String>,
    /// The address of the instance, for the metadata
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub source_url: Option<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// A file that gets metrics of the run, for node_exporter
    ///
    /// For its textfile collector, so give it a name that ends in .prom. A run that fails keeps the time of the last success
    /// in it. The job's name is the file's.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", value_parser = local_path())]
    pub metrics_file: Option<PathBuf>,
    /// Say where the time went, by phase; the manifest always does
    #[arg(long, conflicts_with = "dry_run")]
    pub timings: bool,
    #[command(flatten)]
    pub redaction: RedactionArgs,
    #[command(flatten)]
    pub encryption: EncryptionArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl ExportArgs {
    /// Those of an export into no place, with nothing else said.
    pub(crate) fn new(snapshot: SnapshotArgs, entities: EntityArgs) -> ExportArgs {
        ExportArgs {
            snapshot,
            entities,
            out: None,
            force: false,
            resume: false,
            lock_wait: Duration::ZERO,
            batched: false,
            batch_size: Vec::new(),
            batch_bytes: None,
            relation: Vec::new(),
            no_files: false,
            edition: EditionArg::Ee,
            gzip_level: 6,
            keep_going: false,
            strict: false,
            dry_run: false,
            gitlab_version: None,
            source_url: None,
            json: false,
            metrics_file: None,
            timings: false,
            redaction: RedactionArgs::default(),
            encryption: EncryptionArgs::default(),
            limits: LimitArgs {
                threads: None,
                memory_limit: 512 << 20,
            },
        }
    }
}
