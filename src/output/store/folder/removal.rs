//! Taking a whole export away: under its locks, and by a rename first, so that a crash leaves no half export under a
//! final name.
//!
//! ```text
//! <name>                            the export
//! .<name>.relexport-gone-<random>   on its way out; its manifest goes last, so that it is known for what it was
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::anchor::Anchor;
use super::atomic::{self, folder_of, sync_folder};
use super::claim::{FolderClaim, is_mount_point};
use super::exchange::hidden;
use super::holding::manifest_in;
use super::own_files::foreign;
use crate::io_error::at;
use crate::output::manifest::{self, Manifest};
use crate::output::store::error::StoreError;

/// What stands in the name of a folder on its way out.
const GONE: &str = ".relexport-gone-";

/// True for names of what this program keeps beside exports.
pub(in crate::output) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name.contains(".relexport-")
}

/// True for a folder that may be an export of ours: no link to one, and nothing that is mounted there.
pub(in crate::output) fn is_own_folder(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|found| found.is_dir()) && !is_mount_point(place)
}

/// Removes the export that was begun at this time.
///
/// # Errors
/// If a run holds it, it is another one, something else lies in it, and those of the file system.
pub(in crate::output) fn remove(place: &Path, started_at: &str) -> Result<(), StoreError> {
    let io = |source| StoreError::io(place, source);
    let claim = FolderClaim::take(place)?;
    let anchor = held(&claim, place)?;
    let manifest = manifest_of(place)?;
    if manifest.started_at != started_at {
        return Err(StoreError::Changed(place.display().to_string()));
    }
    if let Some(other) = foreign(place, &manifest).map_err(io)? {
        return Err(StoreError::HoldsForeign {
            path: place.display().to_string(),
            other,
        });
    }
    let aside = free_name(place).map_err(io)?;
    anchor.check().map_err(io)?;
    fs::rename(place, &aside).map_err(at(place)).map_err(io)?;
    sync_folder(folder_of(place)).map_err(io)?;
    empty(&aside).map_err(io)
}

/// Changes the manifest of an export that no run holds.
///
/// # Errors
/// If a run holds it, there is no manifest, and those of the file system.
pub(in crate::output) fn change_manifest(
    place: &Path,
    change: impl FnOnce(&mut Manifest),
) -> Result<(), StoreError> {
    let io = |source| StoreError::io(place, source);
    let claim = FolderClaim::take(place)?;
    held(&claim, place)?;
    let mut manifest = manifest_of(place)?;
    change(&mut manifest);
    let bytes = manifest.to_json().map_err(io)?;
    atomic::replace(&place.join(manifest::FILE_NAME), &bytes).map_err(io)
}

/// The folder itself, which the claim of its place holds, as that of a run does.
fn held<'c>(claim: &'c FolderClaim, place: &Path) -> Result<&'c Anchor, StoreError> {
    let io = |reason| StoreError::io(place, io::Error::other(reason));
    match is_own_folder(place) {
        true => claim
            .folder
            .as_ref()
            .ok_or_else(|| io("it is gone, or cannot be opened")),
        false => Err(io("it is a link, a mount point or no folder")),
    }
}

fn manifest_of(place: &Path) -> Result<Manifest, StoreError> {
    manifest_in(place).ok_or_else(|| {
        let reason = io::Error::other("it has no manifest of an export any more");
        StoreError::io(place, reason)
    })
}

/// An empty folder beside a place, whose name the place can take on its way out.
fn free_name(place: &Path) -> io::Result<PathBuf> {
    let parent = folder_of(place);
    let folder = tempfile::Builder::new()
        .prefix(&hidden(place, &GONE[1..]))
        .rand_bytes(12)
        .tempdir_in(parent)
        .map_err(at(parent))?;
    Ok(folder.keep())
}

/// Removes a folder, its manifest last.
fn empty(folder: &Path) -> io::Result<()> {
    let manifest = folder.join(manifest::FILE_NAME);
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path == manifest {
            continue;
        }
        let removed = match fs::symlink_metadata(&path).map_err(at(&path))?.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(at(&path))?;
    }
    match fs::remove_file(&manifest) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&manifest)(error)),
        _ => {}
    }
    fs::remove_dir(folder).map_err(at(folder))
}

/// Removes what is left in a folder of exports of removals that were cut off. Returns what that was.
///
/// # Errors
/// Those of the file system.
pub(in crate::output) fn clear_shelf(root: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(root)(error)),
    };
    let mut cleared = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(root))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let is_left = name.starts_with('.') && name.contains(GONE) && is_own_folder(&path);
        if !is_left {
            continue;
        }
        // Its manifest goes last, so it is an export or holds nothing; else it is somebody's.
        let is_empty = fs::read_dir(&path).map_err(at(&path))?.next().is_none();
        let is_ours = match manifest_in(&path) {
            Some(manifest) => foreign(&path, &manifest).map_err(at(&path))?.is_none(),
            None => is_empty,
        };
        let folder = File::open(&path).map_err(at(&path))?;
        let is_free = flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_ours && is_free {
            empty(&path)?;
            cleared.push(path);
        }
    }
    Ok(cleared)
}
