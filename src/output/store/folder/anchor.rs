//! Whether a folder is still the one that a run began in.
//!
//! Paths are only names: while a run writes, somebody may remove its folder, or put another one under its name.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::lock::let_go;
use crate::io_error::at;

/// Which file or folder something is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::of(&found))
    }

    /// Of what is under a name; a link counts as itself.
    pub(super) fn of_path(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self::of(&found))
    }

    fn of(found: &Metadata) -> Self {
        Identity {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// A folder that is held open, so that its identity is not given to another one.
#[derive(Debug)]
pub(super) struct Anchor {
    path: PathBuf,
    folder: File,
    identity: Identity,
}

impl Anchor {
    /// Holds the folder that a path leads to.
    ///
    /// # Errors
    /// Where the folder cannot be opened.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let folder = File::open(path)?;
        Ok(Anchor {
            path: path.to_owned(),
            identity: Identity::of_file(&folder)?,
            folder,
        })
    }

    /// Locks the folder for as long as it is held open; false if another run has locked it. A file system without locks
    /// has nothing to say.
    pub(super) fn lock(&self) -> bool {
        flock(&self.folder, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
    }

    /// Makes sure that the name still leads to the folder.
    ///
    /// # Errors
    /// Where it does not.
    pub(super) fn check(&self) -> io::Result<()> {
        let what = match fs::metadata(&self.path).map(|found| Identity::of(&found)) {
            Ok(found) if found == self.identity => return Ok(()),
            Ok(_) => "replaced by another one",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "removed",
            Err(error) => return Err(at(&self.path)(error)),
        };
        Err(io::Error::other(format!(
            "{}: the folder was {what} while it was being written",
            self.path.display()
        )))
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let_go(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_removed_or_replaced_is_noticed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("out");
        fs::create_dir(&path).unwrap();
        let anchor = Anchor::new(&path).unwrap();
        anchor.check().unwrap();
        fs::remove_dir(&path).unwrap();
        assert!(anchor.check().unwrap_err().to_string().contains("removed"));
        fs::create_dir(&path).unwrap();
        assert!(anchor.check().unwrap_err().to_string().contains("replaced"));
    }

    #[test]
    fn a_lock_is_let_go_of_though_a_program_that_is_being_started_still_has_the_folder_open() {
        let temp = tempfile::tempdir().unwrap();
        let first = Anchor::new(temp.path()).unwrap();
        assert!(first.lock());
        let inherited = first.folder.try_clone().unwrap();
        let second = Anchor::new(temp.path()).unwrap();
        assert!(!second.lock());
        drop(first);
        assert!(second.lock());
        drop(inherited);
    }
}
