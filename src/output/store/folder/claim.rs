//! The claim of one run to a place: nobody else writes there while it lives.
//!
//! It is taken before anything is read or made, and for places at which there is nothing yet, too. The lock is a file
//! beside the place, `.<name>.relexport-lock`, so that it stays with the name when folders are exchanged. It lies in
//! the folder where that is a mount point, which may be seen from elsewhere under another name, or where nothing can be
//! written beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::anchor::Anchor;
use super::atomic::{folder_of, replace};
use super::exchange::{self, hidden};
use super::holding::{Holding, check_content, check_place, is_empty, manifest_in};
use super::lock::{INSIDE, Lock, LockError};
use super::own_files::foreign;
use crate::io_error::at;
use crate::output::manifest::{self, Manifest, Status};
use crate::output::store::error::StoreError;

/// What stands at the end of the name of a failed run's folder.
const FAILED: &str = ".failed";

/// A place that is held.
#[derive(Debug)]
pub struct FolderClaim {
    /// As the user names it.
    pub(super) shown: PathBuf,
    /// Where that leads.
    pub(super) place: PathBuf,
    /// The folder that lies there already, locked, too: whoever came here by another name, or after somebody removed the lock
    /// file, is told by it. `None` if there is none, or if it cannot be opened.
    pub(super) folder: Option<Anchor>,
    /// Dropped before `_parents`: its file lies in one of them.
    _lock: Option<Lock>,
    _parents: Parents,
}

/// Folders above a place that were made for it. Those that are empty in the end go again.
#[derive(Debug)]
struct Parents(Vec<PathBuf>);

impl Drop for Parents {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            if fs::remove_dir(folder).is_err() {
                // It has become somebody's.
                return;
            }
        }
    }
}

impl Parents {
    /// Makes what is missing above a place.
    fn make(place: &Path) -> io::Result<Parents> {
        let above = place.ancestors().skip(1);
        let mut missing: Vec<PathBuf> = above
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
            .map(Path::to_owned)
            .collect();
        missing.reverse();
        let mut made = Parents(Vec::new());
        for folder in missing {
            match fs::create_dir(&folder) {
                Ok(()) => made.0.push(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}

impl FolderClaim {
    /// Claims a place, and puts right what dead runs left beside it.
    ///
    /// # Errors
    /// Where nothing can ever be written there, another run holds it, and those of the file system.
    pub fn take(path: &Path) -> Result<FolderClaim, StoreError> {
        check_place(path)?;
        let io = |source| StoreError::io(path, source);
        let parents = Parents::make(path).map_err(io)?;
        let place = real_place(path).map_err(io)?;
        let lock = lock_place(&place, path)?;
        if lock.is_some() {
            exchange::clear(&place);
        }
        let folder = lock_folder(&place, path)?;
        Ok(FolderClaim {
            shown: path.to_owned(),
            place,
            folder,
            _lock: lock,
            _parents: parents,
        })
    }

    /// Makes sure that a folder may be made here: there is nothing yet, or what may be replaced.
    ///
    /// # Errors
    /// Where it may not, or cannot be replaced as a whole.
    pub fn check_in_place(&self, force: bool, holding: Holding) -> Result<(), StoreError> {
        check_content(&self.shown, force, holding)?;
        match self.place.exists() && !is_empty(&self.place) {
            true => self.check_replaceable(),
            false => Ok(()),
        }
    }

    /// As [`FolderClaim::check_in_place`], for a folder that nothing is to be seen of before it is complete.
    ///
    /// # Errors
    /// As [`FolderClaim::check_in_place`].
    pub fn check_beside(&self, force: bool, holding: Holding) -> Result<(), StoreError> {
        check_content(&self.shown, force, holding)?;
        match self.place.exists() {
            true => self.check_replaceable(),
            false => Ok(()),
        }
    }

    /// A mount point cannot be renamed.
    fn check_replaceable(&self) -> Result<(), StoreError> {
        match is_mount_point(&self.place) {
            true => Err(StoreError::MountPoint(self.shown.display().to_string())),
            false => Ok(()),
        }
    }

    /// Notes that a run came to nothing at all: its manifest goes to `<name>.failed`. Returns that place.
    ///
    /// # Errors
    /// Where something else has that name, and those of the file system.
    pub(super) fn put_note(&self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        let io = |source| StoreError::io(&self.shown, source);
        let work = exchange::new_beside(&self.place).map_err(io)?;
        let written = put_manifest(&work, manifest).map_err(io);
        let placed = written.and_then(|()| self.put_failed(&work));
        if placed.is_err() {
            // The first error is the one to tell; the next run tries again.
            let _ = fs::remove_dir_all(&work);
        }
        placed
    }

    /// Moves a folder to `<name>.failed`, in place of what an earlier failed run left there.
    pub(super) fn put_failed(&self, work: &Path) -> Result<PathBuf, StoreError> {
        let place = self.failed_place();
        let _lock = self.take_failed(&place)?;
        fs::rename(work, &place)
            .map_err(at(&place))
            .map_err(|error| StoreError::io(&self.shown, error))?;
        Ok(place)
    }

    /// Takes away what an earlier failed run left in `<name>.failed`.
    ///
    /// # Errors
    /// Those of the file system, and where another run goes on with it. What something else left stays.
    pub(super) fn clear_failed(&self) -> Result<(), StoreError> {
        let place = self.failed_place();
        match is_failed(&place) {
            true => self.take_failed(&place).map(drop),
            false => Ok(()),
        }
    }

    /// Beside where the user's path leads, so that a rename is enough.
    fn failed_place(&self) -> PathBuf {
        let mut name = self.place.file_name().unwrap_or_default().to_os_string();
        name.push(FAILED);
        self.place.with_file_name(name)
    }

    /// Makes `<name>.failed` free, and keeps others from it.
    fn take_failed(&self, place: &Path) -> Result<Option<Lock>, StoreError> {
        let lock = lock_place(place, place)?;
        if fs::symlink_metadata(place).is_err() {
            return Ok(lock);
        }
        if !is_failed(place) {
            return Err(StoreError::FailedIsTaken(place.display().to_string()));
        }
        fs::remove_dir_all(place).map_err(|error| StoreError::io(place, error))?;
        Ok(lock)
    }
}

/// Writes the manifest of a folder.
fn put_manifest(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    replace(&folder.join(manifest::FILE_NAME), &manifest.to_json()?)
}

/// True for the folder of an export that is not finished or not trusted, or of nothing at all, in which nothing of
/// somebody lies.
fn is_failed(place: &Path) -> bool {
    let is_folder = fs::symlink_metadata(place).is_ok_and(|found| found.is_dir());
    is_folder
        && (is_empty(place)
            || manifest_in(place).is_some_and(|manifest| {
                let is_failed = manifest.status != Status::Finished || !manifest.suspect.is_empty();
                is_failed && foreign(place, &manifest).is_ok_and(|other| other.is_none())
            }))
}

/// Where a path leads, also if nothing is there yet; what is above it is there.
fn real_place(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            Ok(fs::canonicalize(folder_of(path))?.join(name))
        }
        found => found,
    }
}

/// Takes the lock of a place; `None` on a file system without locks.
fn lock_place(place: &Path, shown: &Path) -> Result<Option<Lock>, StoreError> {
    let inside = place.join(INSIDE);
    let take = |path: &Path| {
        Lock::take(path).map_err(|error| match error {
            LockError::Held(holder) => StoreError::InUse {
                path: shown.display().to_string(),
                holder: holder
                    .map(|holder| format!(": {holder}"))
                    .unwrap_or_default(),
            },
            LockError::Io(source) => StoreError::io(shown, at(path)(source)),
        })
    };
    if place.file_name().is_none() || is_mount_point(place) {
        return take(&inside);
    }
    match take(&place.with_file_name(hidden(place, "relexport-lock"))) {
        // Beside the folder nothing can be made, but in it.
        Err(StoreError::Io { .. }) if place.is_dir() => take(&inside),
        taken => taken,
    }
}

/// Locks the folder that lies at a place, if one does and it can be opened; what is wrong with it otherwise is told when it
/// is written to.
fn lock_folder(place: &Path, shown: &Path) -> Result<Option<Anchor>, StoreError> {
    let Ok(folder) = Anchor::new(place) else {
        return Ok(None);
    };
    match folder.lock() {
        true => Ok(Some(folder)),
        false => Err(StoreError::InUse {
            path: shown.display().to_string(),
            holder: String::new(),
        }),
    }
}

/// True for a folder that something is mounted at.
pub(super) fn is_mount_point(folder: &Path) -> bool {
    is_mount_root(folder).unwrap_or_else(|| {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        folder.is_dir() && device(folder) != device(&folder.join(".."))
    })
}

/// What the kernel says; `None` where it does not say it.
#[cfg(target_os = "linux")]
fn is_mount_root(folder: &Path) -> Option<bool> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let found = statx(CWD, folder, AtFlags::empty(), StatxFlags::BASIC_STATS).ok()?;
    let is_known = found
        .stx_attributes_mask
        .contains(StatxAttributes::MOUNT_ROOT);
    is_known.then(|| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount_root(_folder: &Path) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::store::folder::names;

    #[test]
    fn a_place_is_claimed_once_also_before_it_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("a/b/out");
        let claim = FolderClaim::take(&out).unwrap();
        let error = FolderClaim::take(&out).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        let error = error.to_string();
        let holder = format!(
            "being written by another run: pid {} on host",
            std::process::id()
        );
        assert!(error.contains(&holder), "{error}");
        drop(claim);
        // Nothing was made, so nothing is left.
        assert_eq!(names(temp.path()), [""; 0]);
    }

    #[test]
    fn every_name_of_a_place_is_one_claim() {
        let temp = tempfile::tempdir().unwrap();
        let (out, link) = (temp.path().join("out"), temp.path().join("link"));
        fs::create_dir(&out).unwrap();
        std::os::unix::fs::symlink(&out, &link).unwrap();
        let _claim = FolderClaim::take(&link).unwrap();
        for path in [out.clone(), out.join("../out"), link.join(".")] {
            assert!(
                matches!(FolderClaim::take(&path), Err(StoreError::InUse { .. })),
                "{path:?}"
            );
        }
    }

    #[test]
    fn the_root_folder_is_a_mount_point_and_a_new_folder_is_not() {
        let temp = tempfile::tempdir().unwrap();
        assert!(is_mount_point(Path::new("/")));
        assert!(!is_mount_point(temp.path()));
        assert!(!is_mount_point(&temp.path().join("missing")));
    }

    #[test]
    fn only_what_a_failed_run_left_gives_way() {
        let temp = tempfile::tempdir().unwrap();
        let claim = FolderClaim::take(&temp.path().join("out")).unwrap();
        let failed = temp.path().join("out.failed");
        fs::create_dir(&failed).unwrap();
        fs::write(failed.join("thesis.txt"), "years of work").unwrap();
        claim.clear_failed().unwrap();
        let work = exchange::new_beside(&claim.place).unwrap();
        assert!(matches!(
            claim.put_failed(&work),
            Err(StoreError::FailedIsTaken(_))
        ));
        assert!(failed.join("thesis.txt").exists());
        fs::remove_file(failed.join("thesis.txt")).unwrap();
        claim.put_failed(&work).unwrap();
        assert!(failed.exists() && !work.exists());
        claim.clear_failed().unwrap();
        assert_eq!(names(temp.path()), [".out.relexport-lock"]);
    }
}
