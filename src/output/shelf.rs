//! A *shelf* holds the exports of a job, or of several: a folder with one folder for each export, or a prefix of a bucket.
//!
//! A shelf knows exports of this program alone: a folder with a manifest of ours, which is no link and no mount point; in
//! a bucket, keys below a name that a run gave, with a manifest of ours. Whatever else lies there is never listed, and
//! never deleted.
//!
//! Only an export that is finished, suspect to no guard, and whose files are all there at their sizes *counts*: the keep
//! rules choose among these, and `latest` leads to one of them.

mod bucket;
mod folder;
mod state;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use bucket::BucketShelf;
pub use folder::FolderShelf;
pub use state::{ExportState, state_of};

use super::location::Location;
use super::manifest::Manifest;
use super::store::{Store, StoreError};
use crate::civil::UtcTime;

/// The name under which the newest export that counts is found.
pub const LATEST: &str = "latest";

/// A place with many exports.
pub trait Shelf: Debug + Send + Sync {
    /// What messages call it.
    fn shown(&self) -> String;

    /// What messages call one of its exports.
    fn shown_export(&self, name: &str) -> String;

    /// Every export of ours that lies here, finished or not, in no order. None, if the shelf is not there.
    ///
    /// # Errors
    /// If the shelf cannot be listed. What is wrong with one export is its [`ExportState`].
    fn exports(&self) -> io::Result<Vec<ShelvedExport>>;

    /// One of its exports, to be read.
    ///
    /// # Errors
    /// If its place cannot be used.
    fn store(&self, name: &str) -> Result<Arc<dyn Store>, StoreError>;

    /// Removes an export that [`Shelf::exports`] listed, while nobody else can write to it. At no moment, whatever dies,
    /// something is left that a reader takes for a finished export which it is not.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if a run holds it; if it is another one by now, or, in a folder, holds something that is not of
    /// an export (in a bucket that stays, and is told); and those of the place.
    fn remove(&self, export: &ShelvedExport) -> Result<(), StoreError>;

    /// Says in the manifest of a finished export what a guard found, so that it never counts.
    ///
    /// # Errors
    /// If the manifest cannot be read or written.
    fn mark_suspect(&self, name: &str, reasons: &[String]) -> Result<(), StoreError>;

    /// The name of the export that `latest` leads to, if it leads to one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn latest(&self) -> io::Result<Option<String>>;

    /// Lets `latest` lead to an export: readers see the old one or the new one.
    ///
    /// # Errors
    /// If something of somebody else has the name, and those of the place.
    fn set_latest(&self, name: &str) -> io::Result<()>;

    /// Removes what is left of removals that were cut off. Returns what messages call it.
    ///
    /// # Errors
    /// If the shelf cannot be listed, or something cannot be removed.
    fn clear(&self) -> io::Result<Vec<String>>;
}

/// The shelf at a place, as the user names it.
///
/// # Errors
/// If no shelf can be there, said in a sentence.
pub fn open(place: &str) -> Result<Box<dyn Shelf>, String> {
    match Location::parse(place)? {
        Location::Folder(folder) => Ok(Box::new(FolderShelf::new(folder))),
        Location::Bucket(url) => match BucketShelf::new(&url) {
            Ok(shelf) => Ok(Box::new(shelf)),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// An export that lies on a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelvedExport {
    /// Its name on the shelf.
    pub name: String,
    /// The job that made it.
    pub job: Option<String>,
    /// When it was begun, as its manifest says it: the night that it is of. The name of its place does not count.
    pub time: Option<UtcTime>,
    /// The same as it is written; with it, another export under this name is told from this one.
    pub started_at: String,
    /// Of its finished files.
    pub bytes: u64,
    pub state: ExportState,
}

impl ShelvedExport {
    /// What a manifest says of an export; `length` gives the size of each file that is there.
    pub fn new(
        name: String,
        manifest: &Manifest,
        length: impl Fn(&str) -> io::Result<u64>,
    ) -> Self {
        let relations = manifest
            .entities
            .iter()
            .flat_map(|entity| &entity.relations);
        let files = relations.flat_map(|relation| relation.files());
        ShelvedExport {
            name,
            job: manifest.job.clone(),
            time: UtcTime::parse(&manifest.started_at),
            started_at: manifest.started_at.clone(),
            bytes: files.map(|file| file.bytes).fold(0, u64::saturating_add),
            state: state_of(manifest, length),
        }
    }

    /// When it was begun, if it is one that keep rules count.
    pub fn counted(&self) -> Option<UtcTime> {
        self.time.filter(|_| self.state == ExportState::Whole)
    }
}

/// The newest export of a job that counts and does not lie in the future.
pub fn newest<'e>(
    exports: &'e [ShelvedExport],
    job: Option<&str>,
    now: UtcTime,
) -> Option<&'e ShelvedExport> {
    let of_job = exports.iter().filter(|export| export.job.as_deref() == job);
    let counted = of_job.filter_map(|export| Some((export.counted()?, export)));
    let past = counted.filter(|(time, _)| *time <= now);
    let newest = past.max_by_key(|(time, export)| (*time, &export.name));
    newest.map(|(_, export)| export)
}
