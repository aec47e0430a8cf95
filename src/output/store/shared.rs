//! A place that several processes write to, on one machine or on many: each writes files of its own, or the same bytes
//! under the same names as its twin.
//!
//! ```text
//! begin_shared ──► the plan, by put_new ──► files of the tasks, each of their manifests by put_new
//!                                       ──► finish ──► clear(the plan's folder)
//! ```
//!
//! Nobody holds such a place. What keeps runs apart is [`SharedPlace::put_new`], of which one alone succeeds, and that an
//! export and a plan refuse each other's places.

use std::collections::BTreeMap;
use std::io;

use super::claim::Files;
use super::error::StoreError;
use crate::bucket::ConditionalPut;
use crate::output::layout;
use crate::output::manifest::{self, Manifest};

/// A place in which several processes, on several machines, write one export at the same time, each file by one of them
/// (or by twins, that write the same bytes).
///
/// What makes an export of it, its manifest and the file that describes it, is written by [`SharedPlace::finish`] alone;
/// [`Files::write`], [`Files::replace`] and [`Files::remove`] refuse these names, and so does [`Files::put_manifest`].
///
/// In a folder nothing can be written any more once the plan's folder is cleared: whatever is half-written lies there. A
/// bucket cannot keep a late twin from writing the same bytes once more.
pub trait SharedPlace: Files {
    /// Makes the place ready: a folder is made, with what is above it; a bucket is asked what it does and whether it can
    /// be written to. Holds nothing afterwards, and may be done again while a plan lies here.
    ///
    /// # Errors
    /// If an export lies here, or anything else without a plan; if nothing can be written.
    fn begin_shared(&self) -> Result<(), StoreError>;

    /// The name of the place itself, without what is above it.
    fn name(&self) -> String;

    /// Writes a whole small file, only if none of that name is there; false if one is, which is left alone. Of all who
    /// write one name at the same time, on whatever machines, one is told true. On a file system or a bucket that knows no
    /// such thing, which a warning tells, it is told apart only from those who have written before.
    ///
    /// # Errors
    /// Those of the store; they name the file.
    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool>;

    /// Whether [`SharedPlace::put_new`] is refused by a bucket's server if a file is there already; `None` in a folder.
    ///
    /// # Errors
    /// If the server cannot be asked.
    fn conditional_put(&self) -> io::Result<Option<ConditionalPut>> {
        Ok(None)
    }

    /// The size of every file below a folder, at any depth, by its name from the place on; with an empty one of all that
    /// lies here, the plan's files among them. Nothing, if there is no such folder. What is half-written is left out. On a
    /// bucket it is one listing.
    ///
    /// # Errors
    /// If it cannot be listed.
    fn sizes(&self, folder: &str) -> io::Result<BTreeMap<String, u64>>;

    /// The export is complete: puts what describes it (compressed, encrypted if the others are) and its manifest, in the
    /// order in which readers of the store take it for complete. If a manifest that names the same files is there already,
    /// that one stays and what else is missing is put, so that it is harmless to do this twice.
    ///
    /// # Errors
    /// `AlreadyExists` if a manifest of other files is there; else those of the store.
    fn finish(&self, manifest: &Manifest, metadata: &[u8]) -> io::Result<()>;

    /// Removes a folder and all that lies in it, at any depth. Of the plan's folder the plan goes first, and whatever
    /// workers left half-written that were killed goes, too. It need not be there; with an empty name it is refused.
    ///
    /// # Errors
    /// If something cannot be removed; the rest may still be there.
    fn clear(&self, folder: &str) -> io::Result<()>;
}

/// Refuses the names that [`SharedPlace::finish`] alone writes.
pub(super) fn check_name(name: &str) -> io::Result<()> {
    match [
        manifest::FILE_NAME,
        layout::METADATA,
        layout::SEALED_METADATA,
    ]
    .contains(&name)
    {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name} is written when all tasks are done, and not before"),
        )),
        false => Ok(()),
    }
}

/// Refuses to remove everything.
pub(super) fn check_folder(folder: &str) -> io::Result<()> {
    match folder.is_empty() {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a whole place is not cleared",
        )),
        false => Ok(()),
    }
}

/// True if two manifests are of the same export: their files are the same, whenever they were written.
pub(super) fn is_same_export(one: &Manifest, other: &Manifest) -> bool {
    let files = |manifest: &'_ Manifest| {
        let relations = manifest
            .entities
            .iter()
            .flat_map(|entity| &entity.relations);
        let files = relations.flat_map(|relation| relation.files());
        files.cloned().collect::<Vec<_>>()
    };
    one.status == other.status && files(one) == files(other)
}

/// A manifest of a finished export of one group, whose labels have these bytes.
#[cfg(test)]
pub(super) fn manifest_of(labels: u64, finished_at: &str) -> Manifest {
    let json = serde_json::json!({
        "manifest_version": manifest::VERSION, "generator": "relexport", "status": 1,
        "started_at": "2026-11-27T02:00:00.000Z", "finished_at": finished_at,
        "snapshot": {"kind": "plain", "source": "-", "server_version": null, "gitlab_version": null},
        "pipeline": {"name": "group", "sha256": ""},
        "options": {"batched": false, "batch_size": 1, "edition": "ee"},
        "entities": [{
            "id": 1, "type": "group", "full_path": "g", "prefix": "group_1",
            "relations": [{
                "relation": "labels", "status": 1, "error": null, "updated_at": finished_at,
                "batched": false, "batches_count": 0, "total_objects_count": 1,
                "file": "group_1/labels.ndjson.gz", "bytes": labels, "sha256": format!("{labels:064}")
            }]
        }]
    });
    Manifest::parse(json.to_string().as_bytes(), "manifest.json".to_owned()).unwrap()
}
