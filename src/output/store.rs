//! Where exports lie. A *store* holds the files of one export under their names: a folder ([`FolderStore`]), or a prefix
//! of a bucket ([`bucket`]).
//!
//! ```text
//! Store ──claim──► Claim ──begin──► Draft ──commit────► the export is in its place
//!                                         ──set_aside──► it is not complete, and can be gone on with
//!                                         ──discard────► nothing is left of it
//! ```
//!
//! A place that several processes write to at the same time, by a plan, is a [`SharedPlace`] (`shared.rs`).
//!
//! Nothing here speaks of what only a folder has: files beside their final names, renames, syncs, locks. On a bucket
//! [`Files::write`] is an upload that is complete when it is committed, and [`Files::replace`] puts one whole object. So
//! no call renames a file, and none appends to one.
//!
//! What the rest of the program relies on, whatever the store:
//!
//! - A file under its name is whole. What was not committed is not there, or not under that name.
//! - When a call that writes returns `Ok`, what it wrote outlives a crash of the program and of the machine.
//! - When it returns an error, its effect may have happened or not: a file may be there that nobody was told of.
//!   The manifest alone says what is finished, and it is written after what it speaks of.
//! - A claim ends with the process, however that ends; on a bucket some minutes later.

pub(crate) mod bucket;
mod claim;
mod contents;
mod error;
pub mod folder;
#[cfg(test)]
pub(crate) mod memory;
mod shared;
mod waiting;

pub use claim::{Begin, Claim, Draft, Files, NewFile, Store, Written};
pub use contents::{Contents, FileReader, Listed, StoredFile, is_no_file};
pub use error::StoreError;
pub use folder::FolderStore;
pub use shared::SharedPlace;
pub(crate) use waiting::claim_within;
