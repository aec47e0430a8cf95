//! The lock that keeps two runs from writing to one place: a file that is held by `flock`, and says who holds it.
//!
//! The kernel lets go of it when the process ends, however that happens, so a file that nobody holds means nothing.
//! A process's number would not tell: in containers it is always the same.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::anchor::Identity;
use crate::output::now::now;

/// The name of a lock that lies in the folder which it is of.
pub(super) const INSIDE: &str = ".relexport-lock";

/// Bytes of a lock file that are shown at the most.
const SHOWN: usize = 200;

/// A lock that is held; its file goes away with it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    /// False for a file that stays: it belongs to the folder's layout.
    is_removed: bool,
}

/// Why a lock cannot be had.
#[derive(Debug)]
pub enum LockError {
    /// Another run holds it; who that is, as far as it says so.
    Held(Option<String>),
    Io(io::Error),
}

impl Lock {
    /// Takes a lock without waiting, whose file is removed in the end. `None` on a file system without locks.
    ///
    /// # Errors
    /// Where another run holds it, and those of the file system.
    pub fn take(path: &Path) -> Result<Option<Lock>, LockError> {
        Self::hold(path, true)
    }

    /// As [`Lock::take`], but the file stays.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn take_lasting(path: &Path) -> Result<Option<Lock>, LockError> {
        Self::hold(path, false)
    }

    /// True if somebody holds the lock now; false where that cannot be told. For a moment nobody can take it.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else {
            return false;
        };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }

    fn hold(path: &Path, is_removed: bool) -> Result<Option<Lock>, LockError> {
        loop {
            let (file, is_own) = open(path).map_err(LockError::Io)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => return Err(LockError::Held(holder(&file))),
                Err(error) => {
                    tracing::warn!(
                        "{}: the file system has no locks ({error}); \
                         see to it that no other run writes to the same place",
                        path.display()
                    );
                    return Ok(None);
                }
            }
            // Whoever held it may have removed the file after it was opened here.
            let is_current = Identity::of_file(&file).map_err(LockError::Io)?
                == match Identity::of_path(path) {
                    Ok(found) => found,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(LockError::Io(error)),
                };
            if !is_current {
                continue;
            }
            if !is_own {
                // Another user's, who is dead: it cannot be written, but its folder can.
                fs::remove_file(path).map_err(LockError::Io)?;
                continue;
            }
            let lock = Lock {
                path: path.to_owned(),
                file,
                is_removed,
            };
            if let Err(error) = lock.sign() {
                // On a full disk, say. It is held all the same.
                tracing::debug!("{} does not say who holds it: {error}", path.display());
            }
            return Ok(Some(lock));
        }
    }

    /// Who holds a lock now, as far as its file says so; `None` if nobody does, or if that cannot be told. For a moment
    /// nobody can take it.
    pub(crate) fn held_by(path: &Path) -> Option<String> {
        let file = File::open(path).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => {
                Some(holder(&file).unwrap_or_else(|| "by somebody who does not say so".to_owned()))
            }
            Ok(()) | Err(_) => None,
        }
    }

    /// Writes down who holds it.
    fn sign(&self) -> io::Result<()> {
        let host = rustix::system::uname();
        let text = format!(
            "pid {} on host {}, since {}\n",
            std::process::id(),
            host.nodename().to_string_lossy(),
            now()
        );
        self.file.set_len(0)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let is_ours =
            || Some(Identity::of_file(&self.file).ok()? == Identity::of_path(&self.path).ok()?);
        if self.is_removed && is_ours() == Some(true) {
            // Still locked, so nobody else took it in the meantime. A file that stays is harmless.
            let _ = fs::remove_file(&self.path);
        }
        let_go(&self.file);
    }
}

/// Unlocks a file that is about to be closed. Closing it would not do: a program that is being started at this moment,
/// a hook say, holds the file open, too, until it has begun.
pub(super) fn let_go(file: &File) {
    // A file system that cannot do so has no locks.
    let _ = flock(file, FlockOperation::Unlock);
}

/// Opens a lock file, and makes it where there is none; false where it can only be read. A link is not followed:
/// it could lead to a file that is precious.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let owned = options.clone().write(true).create(true).open(path);
    match owned {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            match options.open(path) {
                Ok(file) => Ok((file, false)),
                // The first error says more.
                Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// What a lock file says of who holds it; nothing where that is not plain text.
fn holder(file: &File) -> Option<String> {
    let mut bytes = vec![0; SHOWN];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    let line = text.lines().next()?.trim();
    let is_plain = !line.is_empty() && line.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    is_plain.then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_holds_it_and_the_file_goes_with_the_first() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let first = Lock::take(&path).unwrap().unwrap();
        let Err(LockError::Held(Some(holder))) = Lock::take(&path) else {
            panic!("it is held");
        };
        assert!(
            holder.starts_with(&format!("pid {} on host ", std::process::id())),
            "{holder}"
        );
        drop(first);
        assert!(!path.exists());
        assert!(Lock::take(&path).unwrap().is_some());
    }

    /// As a program does that is being started when the lock is let go of.
    #[test]
    fn it_is_let_go_of_though_somebody_still_has_its_file_open() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let lock = Lock::take_lasting(&path).unwrap().unwrap();
        let inherited = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(!Lock::is_held(&path));
        drop(inherited);
    }

    #[test]
    fn a_file_that_a_dead_run_left_is_no_lock() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        fs::write(
            &path,
            format!(
                "pid {} on host here, since ever, and some more",
                std::process::id()
            ),
        )
        .unwrap();
        let lock = Lock::take(&path).unwrap().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("since ever") && text.ends_with("Z\n"),
            "{text}"
        );
        drop(lock);
    }

    #[test]
    fn a_link_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let (precious, path) = (temp.path().join("thesis.txt"), temp.path().join("lock"));
        fs::write(&precious, "years of work").unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Io(_))));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "years of work");
    }

    #[test]
    fn what_does_not_say_who_it_is_is_not_shown() {
        let temp = tempfile::tempdir().unwrap();
        for text in ["", "\n", "\x1b[2J", "pid 1\u{7f}"] {
            let path = temp.path().join("lock");
            fs::write(&path, text).unwrap();
            assert_eq!(holder(&File::open(&path).unwrap()), None, "{text:?}");
        }
    }
}
