//! Output: files in GitLab's layout, complete under their final names or not there, and a manifest that tells the truth.
//!
//! This floor knows nothing of databases: it gets compressed pieces in order and the names to put them under. The
//! writing thread makes files of them in a [`store`]; the [`Ledger`] turns what becomes of the files into the manifest.

mod batch_number;
mod gzip;
pub mod layout;
mod ledger;
pub mod manifest;
mod noted;
mod now;
mod resume;
pub mod store;
pub mod verify;
mod writer;

pub use batch_number::BatchNumber;
pub use gzip::{GzipLevel, PIECE, Piece, compress, deflate};
pub use ledger::{Done, FileId, FileKey, Ledger, ReadFacts, unite};
pub use manifest::{
    BatchEntry, BatchStatus, ChoiceEntry, EntityEntry, FileEntry, LeftOutEntry, Manifest,
    ManifestError, OptionsEntry, PipelineEntry, RelationEntry, ResumeEntry, SkippedRow,
    SnapshotEntry, Status,
};
pub use noted::{LargeRecord, MissingFile, Noted, Notes, UnreadableValue};
pub use now::now;
pub use resume::take_up;
pub use store::folder::{FolderClaim, FolderDraft, Holding, Lock, LockError, atomic};
pub use store::{
    Begin, Claim, Contents, Draft, FileReader, FolderStore, Store, StoreError, StoredFile,
};
pub use writer::{Message, Writer};
