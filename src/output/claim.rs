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
use super::atomic::{folder_of, sync_folder};
use super::exchange::{self, hidden};
use super::folder::{Folder, FolderError, Holding, is_empty, lock_folder};
use super::lock::{Lock, LockError};
use super::manifest::{self, Manifest, Status};
use crate::io_error::at;

/// The name of a lock that lies in the folder.
pub(super) const LOCK: &str = ".relexport-lock";

/// What stands at the end of the name of a failed run's folder.
const FAILED: &str = ".failed";

/// A place that is held.
#[derive(Debug)]
pub struct Claim {
    /// As the user names it.
    pub(super) shown: PathBuf,
    /// Where that leads.
    pub(super) place: PathBuf,
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

impl Claim {
    /// Claims a place, and puts right what dead runs left beside it.
    ///
    /// # Errors
    /// Where nothing can ever be written there, another run holds it, and those of the file system.
    pub fn take(path: &Path) -> Result<Claim, FolderError> {
        FolderError::check_place(path)?;
        let io = |source| FolderError::io(path, source);
        let parents = Parents::make(path).map_err(io)?;
        let place = real_place(path).map_err(io)?;
        let lock = lock_place(&place, path)?;
        if lock.is_some() {
            exchange::clear(&place);
        }
        Ok(Claim {
            shown: path.to_owned(),
            place,
            _lock: lock,
            _parents: parents,
        })
    }

    /// Makes sure that a folder may be made here: there is nothing yet, or what may be replaced.
    ///
    /// # Errors
    /// Where it may not, or cannot be replaced as a whole.
    pub fn check(&self, force: bool, holding: Holding) -> Result<(), FolderError> {
        FolderError::check_content(&self.shown, force, holding)?;
        match self.place.exists() && !is_empty(&self.place) {
            true => self.check_replaceable(),
            false => Ok(()),
        }
    }

    /// As [`Claim::check`], for a folder that nothing is to be seen of before it is complete.
    ///
    /// # Errors
    /// As [`Claim::check`].
    pub fn check_beside(&self, force: bool, holding: Holding) -> Result<(), FolderError> {
        FolderError::check_content(&self.shown, force, holding)?;
        match self.place.exists() {
            true => self.check_replaceable(),
            false => Ok(()),
        }
    }

    /// A mount point cannot be renamed.
    fn check_replaceable(&self) -> Result<(), FolderError> {
        match is_mount_point(&self.place) {
            true => Err(FolderError::MountPoint(self.shown.display().to_string())),
            false => Ok(()),
        }
    }

    /// Makes the folder. Where one is to be replaced, makes it beside that.
    ///
    /// # Errors
    /// As [`Claim::check`], and those of the file system.
    pub fn create(self, force: bool) -> Result<Folder, FolderError> {
        self.check(force, Holding::EXPORT)?;
        let existed = self.place.exists();
        if existed && !is_empty(&self.place) {
            return self.stage();
        }
        if !existed {
            let made = fs::create_dir(&self.place);
            made.map_err(|error| FolderError::io(&self.shown, error))?;
            if let Err(error) = sync_folder(folder_of(&self.place)) {
                // The first error is the one to tell.
                let _ = fs::remove_dir(&self.place);
                return Err(FolderError::io(&self.shown, error));
            }
        }
        self.folder(None, !existed)
    }

    /// Makes a folder beside the place, which nothing is seen at before everything is complete.
    ///
    /// # Errors
    /// As [`Claim::check_beside`], and those of the file system.
    pub fn create_beside(self, force: bool, holding: Holding) -> Result<Folder, FolderError> {
        self.check_beside(force, holding)?;
        self.stage()
    }

    /// The folder of an unfinished export, to go on in.
    ///
    /// # Errors
    /// Where another run is writing into it, or it cannot be opened.
    pub fn go_on(self) -> Result<Folder, FolderError> {
        self.folder(None, true)
    }

    fn stage(self) -> Result<Folder, FolderError> {
        let io = |source| FolderError::io(&self.shown, source);
        let work = exchange::new_beside(&self.place).map_err(io)?;
        if self.place.exists()
            && !is_empty(&self.place)
            && let Err(source) = exchange::check_movable(&work, &self.place)
        {
            // It is empty, and nobody's.
            let _ = fs::remove_dir(&work);
            return Err(FolderError::Unmovable {
                path: self.shown.display().to_string(),
                source,
            });
        }
        self.folder(Some(work), true)
    }

    /// `staged` is a folder beside the place.
    fn folder(self, staged: Option<PathBuf>, created: bool) -> Result<Folder, FolderError> {
        let io = |source| FolderError::io(&self.shown, source);
        let is_filled = staged.is_some() && self.place.exists() && !is_empty(&self.place);
        let old = match is_filled {
            true => Some(Anchor::new(&self.place).map_err(io)?),
            false => None,
        };
        let anchor = Anchor::new(staged.as_ref().unwrap_or(&self.place)).map_err(io)?;
        // The second of two locks: it is told wherever the folder is seen from, under whatever name.
        if !lock_folder(&anchor.folder) {
            return Err(FolderError::InUse {
                path: self.shown.display().to_string(),
                holder: String::new(),
            });
        }
        Ok(Folder::new(self, staged, created, anchor, old))
    }

    /// Notes that a run came to nothing at all: its manifest goes to `<name>.failed`. Returns that place.
    ///
    /// # Errors
    /// Where something else has that name, and those of the file system.
    pub fn note_failure(&self, manifest: &Manifest) -> Result<PathBuf, FolderError> {
        let io = |source| FolderError::io(&self.shown, source);
        let work = exchange::new_beside(&self.place).map_err(io)?;
        let written = manifest::write(&work, manifest).map_err(io);
        let placed = written.and_then(|()| self.put_failed(&work));
        if placed.is_err() {
            // The first error is the one to tell; the next run tries again.
            let _ = fs::remove_dir_all(&work);
        }
        placed
    }

    /// Moves a folder to `<name>.failed`, in place of what an earlier failed run left there.
    pub(super) fn put_failed(&self, work: &Path) -> Result<PathBuf, FolderError> {
        let place = self.failed_place();
        let _lock = self.take_failed(&place)?;
        fs::rename(work, &place)
            .map_err(at(&place))
            .map_err(|error| FolderError::io(&self.shown, error))?;
        Ok(place)
    }

    /// Takes away what an earlier failed run left in `<name>.failed`.
    ///
    /// # Errors
    /// Those of the file system, and where another run goes on with it. What something else left stays.
    pub(super) fn clear_failed(&self) -> Result<(), FolderError> {
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
    fn take_failed(&self, place: &Path) -> Result<Option<Lock>, FolderError> {
        let lock = lock_place(place, place)?;
        if fs::symlink_metadata(place).is_err() {
            return Ok(lock);
        }
        if !is_failed(place) {
            return Err(FolderError::FailedIsTaken(place.display().to_string()));
        }
        fs::remove_dir_all(place).map_err(|error| FolderError::io(place, error))?;
        Ok(lock)
    }
}

/// True for the folder of an export that is not finished, or of nothing at all.
fn is_failed(place: &Path) -> bool {
    let is_folder = fs::symlink_metadata(place).is_ok_and(|found| found.is_dir());
    is_folder
        && (is_empty(place)
            || manifest::read(place).is_ok_and(|manifest| manifest.status != Status::Finished))
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
fn lock_place(place: &Path, shown: &Path) -> Result<Option<Lock>, FolderError> {
    let inside = place.join(LOCK);
    let take = |path: &Path| {
        Lock::take(path).map_err(|error| match error {
            LockError::Held(holder) => FolderError::InUse {
                path: shown.display().to_string(),
                holder: holder
                    .map(|holder| format!(": {holder}"))
                    .unwrap_or_default(),
            },
            LockError::Io(source) => FolderError::io(shown, at(path)(source)),
        })
    };
    if place.file_name().is_none() || is_mount_point(place) {
        return take(&inside);
    }
    match take(&place.with_file_name(hidden(place, "relexport-lock"))) {
        // Beside the folder nothing can be made, but in it.
        Err(FolderError::Io { .. }) if place.is_dir() => take(&inside),
        taken => taken,
    }
}

/// True for a folder that something is mounted at.
fn is_mount_point(folder: &Path) -> bool {
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

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_place_is_claimed_once_also_before_it_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("a/b/out");
        let claim = Claim::take(&out).unwrap();
        let error = Claim::take(&out).unwrap_err();
        assert!(matches!(error, FolderError::InUse { .. }), "{error}");
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
        let _claim = Claim::take(&link).unwrap();
        for path in [out.clone(), out.join("../out"), link.join(".")] {
            assert!(
                matches!(Claim::take(&path), Err(FolderError::InUse { .. })),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_folder_that_stays_keeps_what_was_made_above_it() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("a/out");
        drop(Claim::take(&out).unwrap().create(false).unwrap());
        assert_eq!(names(&temp.path().join("a")), ["out"]);
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
        let claim = Claim::take(&temp.path().join("out")).unwrap();
        let failed = temp.path().join("out.failed");
        fs::create_dir(&failed).unwrap();
        fs::write(failed.join("thesis.txt"), "years of work").unwrap();
        claim.clear_failed().unwrap();
        let work = exchange::new_beside(&claim.place).unwrap();
        assert!(matches!(
            claim.put_failed(&work),
            Err(FolderError::FailedIsTaken(_))
        ));
        assert!(failed.join("thesis.txt").exists());
        fs::remove_file(failed.join("thesis.txt")).unwrap();
        claim.put_failed(&work).unwrap();
        assert!(failed.exists() && !work.exists());
        claim.clear_failed().unwrap();
        assert_eq!(names(temp.path()), [".out.relexport-lock"]);
    }
}
