//! Exports: batches of top-level rows, rendered side by side, written in order.
//!
//! [`run()`] is a whole export, from a snapshot's name to a complete folder. Inside, the resolved rows of each
//! relation are cut into batches, a [`FanOut`](crate::fan_out::FanOut) renders them on the pool, another compresses
//! pieces of what they became, and the writing thread makes files of the pieces.

mod batches;
mod dry_run;
mod entries;
mod error;
mod failed;
pub(crate) mod files;
mod find;
mod metadata;
mod observer;
mod outline;
mod prepared;
mod records;
pub(crate) mod redact;
mod render;
mod report;
mod request;
mod resume;
mod run;
pub mod share;
mod unchanged;
pub mod values;
mod warnings;

pub use batches::{BatchError, BatchObserver};
pub use dry_run::{DryRun, EntityCount, LeftOut, NestedCount, RelationCount, dry_run};
pub use entries::GENERATOR;
pub(crate) use entries::{left_out_entries, pipeline_entries, redaction_entry, terms};
pub use error::ExportError;
pub(crate) use files::repositories::git as git_program;
pub use files::repositories::{
    Bundle, BundleHeader, Found, ObjectFormat, ObjectId, Refs, Repositories, Repository,
    RepositoryError, RepositoryPath,
};
pub use metadata::{is_enterprise, version_by_tables};
pub use observer::{Expected, ExportObserver};
pub use outline::{Outline, OutlinedEntity, OutlinedRelation, Reach, outline};
pub use prepared::{Prepared, prepare};
pub use records::Records;
pub use redact::Redaction;
pub use render::{BadValue, Rendered, Renderer, Resident, WORKER_STACK};
pub use report::ExportReport;
pub use request::{DEFAULT_BATCH_SIZE, Destination, ExportOptions, ExportRequest};
pub use resume::resumable_files;
pub use run::{Worked, run, run_from, work};
pub use share::Share;
pub use unchanged::{Unchanged, unchanged};
pub(crate) use warnings::remarks_say;
