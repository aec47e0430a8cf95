//! Exports: batches of top-level rows, rendered side by side, written in order.
//!
//! [`run()`] is a whole export, from a snapshot's name to a complete folder. Inside, the resolved rows of each
//! relation are cut into batches, a [`FanOut`](crate::fan_out::FanOut) renders them on the pool, another compresses
//! pieces of what they became, and the writing thread makes files of the pieces.

mod batches;
mod dry_run;
mod failed;
mod metadata;
mod prepared;
mod records;
mod render;
mod resume;
mod run;
pub mod values;

use std::num::NonZeroU32;

pub use batches::{BatchError, BatchObserver};
pub use dry_run::{DryRun, EntityCount, LeftOut, NestedCount, RelationCount, dry_run};
pub use metadata::{is_enterprise, version_by_tables};
pub use prepared::{Prepared, prepare};
pub use records::Records;
pub use render::{BadValue, Rendered, Renderer, Resident};
pub use resume::resumable_files;
pub use run::{Expected, ExportError, ExportObserver, ExportReport, ExportRequest, run, run_from};

use crate::output::GzipLevel;
use crate::pipeline::Edition;

/// What an export's files are to look like.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// One file per batch, for relations that can be batched.
    pub batched: bool,
    /// Top-level rows of a batch.
    pub batch_size: NonZeroU32,
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
