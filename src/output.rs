//! Output: files in GitLab's layout, complete under their final names or not there, and a manifest that tells the truth.
//!
//! This floor knows nothing of databases: it gets compressed pieces in order and the names to put them under.

mod anchor;
pub mod atomic;
mod claim;
mod exchange;
mod folder;
mod gzip;
pub mod layout;
mod lock;
pub mod manifest;
mod resume;
pub mod verify;
mod writer;

pub use claim::Claim;
pub use folder::{Folder, FolderError, Holding};
pub use gzip::{GzipLevel, PIECE, Piece, compress, deflate};
pub use lock::{Lock, LockError};
pub use manifest::{
    BatchEntry, BatchStatus, EntityEntry, FileEntry, Manifest, ManifestError, OptionsEntry,
    PipelineEntry, RelationEntry, ResumeEntry, SkippedRow, SnapshotEntry, Status,
};
pub use resume::take_up;
pub use writer::{Done, FileId, Known, Message, Writer};

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, as the manifest writes times: UTC, three fractional digits.
pub fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    crate::civil::utc_millis_to_iso(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
