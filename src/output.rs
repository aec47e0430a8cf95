//! Output: files in GitLab's layout, complete under their final names or not there, and a manifest that tells the truth.
//!
//! This floor knows nothing of databases: it gets compressed pieces in order and the names to put them under. The
//! writing thread makes files of them in a [`store`]; the [`Ledger`] turns what becomes of the files into the manifest.

mod batch_number;
pub mod encryption;
mod gzip;
mod inflated;
mod judge;
pub mod layout;
mod ledger;
mod location;
pub mod manifest;
mod metadata;
mod noted;
mod now;
pub mod partial;
pub mod pattern;
mod resume;
pub mod retention;
pub mod shelf;
pub mod store;
pub mod verify;
mod writer;

pub use batch_number::BatchNumber;
pub use gzip::{GzipLevel, PIECE, Piece, compress, deflate};
pub(crate) use inflated::{each_line, inflated};
pub use judge::Judge;
pub use layout::{FileForm, PLAN_FOLDER};
pub use ledger::{Done, FileId, FileKey, Ledger, ReadFacts, append_part, unite};
pub use location::Location;
pub use manifest::{
    BatchEntry, BatchStatus, ChoiceEntry, EntityEntry, FileEntry, LeftOutEntry,
    LeftOutRelationEntry, Manifest, ManifestError, OptionsEntry, PipelineEntry, RedactionEntry,
    RelationEntry, ResumeEntry, SkippedRow, SnapshotEntry, Status, TableInParts, TableWithoutData,
};
pub use metadata::{ENTITIES_MAPPING, entities_mapping, metadata_file};
pub use noted::{
    DamagedFile, DanglingReference, LargeRecord, MissingFile, Noted, Notes, UnreadableValue,
};
pub use now::now;
pub use partial::Partial;
pub use resume::take_up;
pub(crate) use store::claim_within;
pub use store::folder::{FolderClaim, FolderDraft, Holding, Lock, LockError, atomic};
pub use store::{
    Begin, Claim, Contents, Draft, FileReader, Files, FolderStore, Listed, NewFile, SharedPlace,
    Store, StoreError, StoredFile, Written,
};
pub use writer::{Message, Writer};
