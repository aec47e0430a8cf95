//! Temp folders with names of their own: no run takes over another's, and what a dead run left is removed by the
//! next one.
//!
//! A living run holds its folder by `flock`, which the kernel lets go of however the run ends. Its number would not
//! tell: in containers it is always the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::io_error::at;

/// A folder that is held as long as this lives. It is not removed with it.
#[derive(Debug)]
pub(crate) struct TempFolder {
    path: PathBuf,
    held: File,
}

impl TempFolder {
    /// Makes a folder whose name begins with `prefix`, for its owner alone, and removes those that dead runs left.
    ///
    /// # Errors
    /// Those of the file system; they name the path.
    pub(crate) fn create(parent: &Path, prefix: &str) -> io::Result<TempFolder> {
        let named = at(parent);
        sweep(parent, prefix);
        loop {
            let folder = tempfile::Builder::new()
                .prefix(prefix)
                .tempdir_in(parent)
                .map_err(&named)?;
            let held = match File::open(folder.path()) {
                Ok(held) => held,
                // Another run took it for a dead one's before it could be held.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(named(error)),
            };
            let lock = flock(&held, FlockOperation::NonBlockingLockExclusive);
            // Before it was held, another run may have taken it for a dead one's.
            if lock != Err(Errno::WOULDBLOCK) && folder.path().exists() {
                return Ok(TempFolder {
                    path: folder.keep(),
                    held,
                });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Closing it would not do: a program that is being started at this moment holds it open, too. A file system
        // that cannot unlock has no locks.
        let _ = flock(&self.held, FlockOperation::Unlock);
    }
}

/// Removes the folders that dead runs left. Those of other users stay, and whatever is held.
fn sweep(parent: &Path, prefix: &str) {
    // What cannot be listed cannot be written either, which is told then.
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().as_bytes().starts_with(prefix.as_bytes());
        if !is_ours || !entry.file_type().is_ok_and(|found| found.is_dir()) {
            continue;
        }
        let path = entry.path();
        let removed = File::open(&path).and_then(|folder| {
            flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
            fs::remove_dir_all(&path)
        });
        match removed {
            Ok(()) => tracing::info!("removed {}, which an earlier run left", path.display()),
            Err(error) => tracing::debug!("{} stays: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_runs_left_goes_and_what_living_ones_hold_stays() {
        let temp = tempfile::tempdir().unwrap();
        let living = TempFolder::create(temp.path(), "relexport-test-").unwrap();
        let dead = TempFolder::create(temp.path(), "relexport-test-").unwrap();
        fs::write(dead.path().join("rows"), "x").unwrap();
        let left = dead.path().to_owned();
        drop(dead);
        fs::create_dir(temp.path().join("other")).unwrap();
        let next = TempFolder::create(temp.path(), "relexport-test-").unwrap();
        assert!(!left.exists());
        for stays in [living.path(), next.path(), &temp.path().join("other")] {
            assert!(stays.exists(), "{stays:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = TempFolder::create(Path::new("/nowhere/at/all"), "x-").unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/at/all: "),
            "{error}"
        );
    }
}
