//! What an export is asked for.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rayon::ThreadPool;

use crate::output::encryption::Recipients;
use crate::output::{Begin, GzipLevel, Judge, Store};
use crate::pipeline::Edition;
use crate::resolve::{KindChoice, Limits, Selection};
use crate::snapshot::{OpenOptions, Spec};

use super::redact::Redaction;
use super::share::Share;

/// What is to be exported, and from where.
#[derive(Clone)]
pub struct ExportRequest {
    pub snapshot: Spec,
    pub open: OpenOptions,
    /// The kinds of entity, each behind the one that its entities lie within, if there is such.
    pub kinds: Vec<KindChoice>,
    pub selection: Selection,
    /// What of that this run makes.
    pub share: Share,
    pub options: ExportOptions,
    pub limits: Limits,
    pub pool: Arc<ThreadPool>,
    /// What is written in place of columns' values.
    pub redaction: Option<Arc<Redaction>>,
    /// Whom files are encrypted for.
    pub recipients: Option<Arc<Recipients>>,
    /// The GitLab version to report where the snapshot does not say it.
    pub gitlab_version: Option<String>,
    /// The instance's address, for the metadata.
    pub source_url: Option<String>,
    /// The job that this is the export of, for the manifest.
    pub job: Option<String>,
    /// Who says of the complete export whether it can be trusted. One that cannot is `suspect` in its manifest from the start,
    /// and replaces no older one.
    pub judge: Option<Judge>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
}

impl ExportRequest {
    /// True if files of a backup are left out because they cannot be redacted.
    pub(super) fn leaves_out_files(&self) -> bool {
        let redaction = self.redaction.as_ref();
        redaction.is_some_and(|redaction| !redaction.keeps_files)
    }
}

/// Where an export goes, and what may be there already.
#[derive(Debug, Clone)]
pub struct Destination {
    pub store: Arc<dyn Store>,
    /// To resume also begins a new export, if nothing is there to be gone on with.
    pub begin: Begin,
    /// How long another run that holds the place is waited for.
    pub lock_wait: Duration,
}

/// What an export's files are to look like.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// One file per batch, for relations that can be batched.
    pub batched: bool,
    /// Top-level rows of a batch.
    pub batch_size: NonZeroU32,
    /// Those of relations that have a size of their own, by their names, before which that of their pipeline and a dot may
    /// stand.
    pub batch_sizes: BTreeMap<String, NonZeroU32>,
    /// Bytes of NDJSON after which a batch ends, too.
    pub batch_bytes: Option<NonZeroU64>,
    pub gzip_level: GzipLevel,
    pub edition: Edition,
    /// Leave out rows that cannot be rendered, and list them, rather than fail their relation.
    pub keep_going: bool,
    /// Take tables whose data the snapshot does not hold as empty ones, rather than fail what needs them.
    pub allow_missing: bool,
    /// Refuse a snapshot that lacks a table or column that the pipeline names.
    pub strict: bool,
}

/// The batch size that GitLab had for years, and ours unless told otherwise.
// A constant is computed by the compiler: were it zero, the program would not build.
pub const DEFAULT_BATCH_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
