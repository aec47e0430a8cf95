//! The output folder: made before anything is read, replaced only by a complete one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::anchor::Anchor;
use super::atomic::part_of;
use super::claim::{Claim, LOCK};
use super::exchange;
use super::manifest;

/// Why the output folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(
        "{path} is there already\n  name another folder, or replace the {what} in it with --force"
    )]
    Exists { path: String, what: &'static str },
    #[error(
        "{path} holds something other than {one}, so --force does not replace it\n  name another folder"
    )]
    HoldsSomethingElse { path: String, one: &'static str },
    #[error(
        "{0} holds something other than a failed export, so what this run leaves cannot be put there\n  move it away"
    )]
    FailedIsTaken(String),
    #[error(
        "{path} is being written by another run{holder}\n  wait until it has ended, or name another folder"
    )]
    InUse {
        path: String,
        /// Who that is, behind a colon; empty where it does not say so.
        holder: String,
    },
    #[error("{0} is a file\n  name a folder with --out")]
    IsAFile(String),
    #[error("{0} lies below a file\n  name another folder with --out")]
    BelowAFile(String),
    #[error(
        "{0} is a link to a folder that is not there\n  make that folder, or name another one with --out"
    )]
    LeadsNowhere(String),
    #[error(
        "{0} is a mount point, so no other folder can take its place when it is complete\n  \
         name a folder below it with --out"
    )]
    MountPoint(String),
    #[error(
        "{path} cannot be moved ({source}), so no other folder can take its place when it is complete\n  \
         name another folder with --out"
    )]
    Unmovable { path: String, source: io::Error },
    #[error(
        "cannot use the folder {path}: {source}\n  see that it can be written, or name another one"
    )]
    Io { path: String, source: io::Error },
}

impl FolderError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        FolderError::Io {
            path: path.display().to_string(),
            source,
        }
    }

    /// True where the user named a place that can never be right, whatever the disk's state.
    pub fn is_usage(&self) -> bool {
        !matches!(self, FolderError::Io { .. } | FolderError::InUse { .. })
    }

    /// Says what is wrong with the name of a place.
    pub(super) fn check_place(path: &Path) -> Result<(), FolderError> {
        let shown = path.display().to_string();
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => Err(FolderError::IsAFile(shown)),
            Ok(_) => Ok(()),
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
                Err(FolderError::LeadsNowhere(shown))
            }
            Err(_) => {
                let above = path
                    .ancestors()
                    .skip(1)
                    .find(|above| fs::symlink_metadata(above).is_ok());
                match above {
                    Some(above) if !above.is_dir() => Err(FolderError::BelowAFile(shown)),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Says what is wrong with what lies at a place already.
    pub(super) fn check_content(
        path: &Path,
        force: bool,
        holding: Holding,
    ) -> Result<(), FolderError> {
        let shown = path.display().to_string();
        if !path.exists() || is_empty(path) {
            Ok(())
        } else if !force {
            Err(FolderError::Exists {
                path: shown,
                what: holding.what,
            })
        } else if !(holding.is_one)(path) {
            Err(FolderError::HoldsSomethingElse {
                path: shown,
                one: holding.one,
            })
        } else {
            Ok(())
        }
    }
}

/// What a folder is made to hold, which is what it may be replaced for.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    /// Its name, and the name with an article.
    pub what: &'static str,
    pub one: &'static str,
    /// True for a folder that holds one.
    pub is_one: fn(&Path) -> bool,
}

impl Holding {
    /// An export, told by its manifest.
    pub const EXPORT: Holding = Holding {
        what: "export",
        one: "an export",
        is_one: |folder| manifest::read(folder).is_ok(),
    };
}

/// An output folder that is being filled.
#[derive(Debug)]
pub struct Folder {
    /// Where files are written: the place itself, or a folder beside it that takes its place in the end.
    work: PathBuf,
    is_staged: bool,
    created: bool,
    /// Of `work`; locked, so that it is told by a lock, too, that a run fills it.
    anchor: Anchor,
    /// What is to be replaced.
    old: Option<Anchor>,
    claim: Claim,
}

impl Folder {
    /// Says what is wrong with a place, without touching it.
    ///
    /// # Errors
    /// Where the place cannot become an output folder.
    pub fn check(path: &Path, force: bool, holding: Holding) -> Result<(), FolderError> {
        FolderError::check_place(path)?;
        FolderError::check_content(path, force, holding)
    }

    /// Claims a place and makes the folder of an export.
    ///
    /// # Errors
    /// As [`Claim::take`] and [`Claim::create`].
    pub fn create(path: &Path, force: bool) -> Result<Folder, FolderError> {
        Claim::take(path)?.create(force)
    }

    pub(super) fn new(
        claim: Claim,
        staged: Option<PathBuf>,
        created: bool,
        anchor: Anchor,
        old: Option<Anchor>,
    ) -> Folder {
        Folder {
            is_staged: staged.is_some(),
            work: staged.unwrap_or_else(|| claim.place.clone()),
            created,
            anchor,
            old,
            claim,
        }
    }

    /// Where files are to be written.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The claim that the folder was made by.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The name of the export's folder.
    pub fn name(&self) -> String {
        let name = self.claim.place.file_name();
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Makes sure that files are still written into the folder that was made.
    ///
    /// # Errors
    /// Where it was removed or replaced.
    pub fn check_identity(&self) -> Result<(), FolderError> {
        self.anchor.check().map_err(|error| self.io(error))
    }

    /// The export is complete: it takes the place of the one that it replaces. Returns that place.
    ///
    /// # Errors
    /// Those of the file system, and where somebody else has changed what lies there; the old export is then still
    /// there, and the new one where it was written.
    pub fn commit(&self) -> Result<PathBuf, FolderError> {
        self.check_identity()?;
        if self.is_staged {
            exchange::put(&self.work, &self.claim.place, self.old.as_ref())
                .map_err(|error| self.io(error))?;
        }
        Ok(self.claim.shown.clone())
    }

    /// Takes away what an earlier run that failed left in `<name>.failed`: this one has replaced it.
    pub fn clear_failed(&self) {
        if let Err(error) = self.claim.clear_failed() {
            tracing::warn!("cannot take away what an earlier run left: {error}");
        }
    }

    /// The export is not complete. Where it would have replaced another, it goes to `<name>.failed` beside that
    /// (in place of an earlier one); else it stays where it is. Returns its place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn set_aside(&self) -> Result<PathBuf, FolderError> {
        match self.is_staged {
            true => self.claim.put_failed(&self.work),
            false => Ok(self.claim.shown.clone()),
        }
    }

    fn io(&self, source: io::Error) -> FolderError {
        FolderError::io(&self.claim.shown, source)
    }

    /// The export came to nothing: takes away what was made. What somebody else put in its place stays.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn discard(&self) -> io::Result<()> {
        self.anchor.check()?;
        if self.created {
            return fs::remove_dir_all(&self.work);
        }
        for entry in fs::read_dir(&self.work)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?
            } else {
                fs::remove_file(entry.path())?
            }
        }
        Ok(())
    }

    /// True where what is in its place stays there until this is complete.
    pub fn replaces(&self) -> bool {
        self.is_staged
    }
}

/// True for a folder without anything but what a run leaves that was killed before its manifest was there.
pub(super) fn is_empty(folder: &Path) -> bool {
    let part = part_of(&folder.join(manifest::FILE_NAME));
    let lock = folder.join(LOCK);
    let is_nothing = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path() == part || entry.path() == lock)
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_nothing))
}

/// Locks an open folder for as long as it is open; false where another run has. A file system without locks has
/// nothing to say.
pub(super) fn lock_folder(folder: &File) -> bool {
    flock(folder, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = r#"{"manifest_version":1,"generator":"relexport","status":1,"started_at":"","finished_at":null,
        "snapshot":{"kind":"plain","source":"-","server_version":null,"gitlab_version":null},
        "pipeline":{"name":"group","sha256":""},"options":{"batched":false,"batch_size":1,"edition":"ee"},"entities":[]}"#;

    fn beside(out: &Path, force: bool) -> Result<Folder, FolderError> {
        Claim::take(out)?.create_beside(force, Holding::EXPORT)
    }

    #[test]
    fn an_older_export_stays_until_the_new_one_is_complete() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("manifest.json"), EXPORT).unwrap();
        fs::write(out.join("old.gz"), "old").unwrap();
        assert!(matches!(
            Folder::create(&out, false),
            Err(FolderError::Exists { .. })
        ));
        let folder = Folder::create(&out, true).unwrap();
        fs::write(folder.work().join("new.gz"), "new").unwrap();
        assert!(out.join("old.gz").exists());
        folder.commit().unwrap();
        drop(folder);
        assert!(out.join("new.gz").exists() && !out.join("old.gz").exists());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn force_replaces_nothing_but_an_export() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(
            Folder::create(temp.path(), true),
            Err(FolderError::HoldsSomethingElse { .. })
        ));
    }

    #[test]
    fn a_folder_beside_takes_its_place_only_when_it_is_complete() {
        let temp = tempfile::tempdir().unwrap();
        let empty = temp.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for out in [temp.path().join("a/new"), empty] {
            let folder = beside(&out, false).unwrap();
            fs::write(folder.work().join("manifest.json"), EXPORT).unwrap();
            assert!(!out.join("manifest.json").exists());
            folder.commit().unwrap();
            drop(folder);
            assert!(out.join("manifest.json").exists());
            assert!(beside(&out, false).is_err());
            let folder = beside(&out, true).unwrap();
            fs::write(folder.work().join("new"), "").unwrap();
            folder.commit().unwrap();
            drop(folder);
            assert!(out.join("new").exists() && !out.join("manifest.json").exists());
            assert_eq!(
                fs::read_dir(out.parent().unwrap())
                    .unwrap()
                    .filter(|entry| {
                        let name = entry.as_ref().unwrap().file_name();
                        name.to_string_lossy().starts_with('.')
                    })
                    .count(),
                0
            );
        }
    }

    #[test]
    fn files_are_no_folders() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(
            Folder::create(&file, true),
            Err(FolderError::IsAFile(_))
        ));
        assert!(matches!(
            Folder::create(&file.join("a/b"), true),
            Err(FolderError::BelowAFile(_))
        ));
    }

    #[test]
    fn a_link_stays_and_where_it_leads_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("disk/out"), temp.path().join("out"));
        fs::create_dir_all(&real).unwrap();
        fs::write(real.join("manifest.json"), EXPORT).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let folder = Folder::create(&link, true).unwrap();
        assert_eq!(
            folder.work().parent(),
            Some(real.canonicalize().unwrap().parent().unwrap())
        );
        fs::write(folder.work().join("new.gz"), "new").unwrap();
        assert_eq!(folder.commit().unwrap(), link);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(real.join("new.gz").exists());
        let lost = temp.path().join("lost");
        std::os::unix::fs::symlink(temp.path().join("nowhere"), &lost).unwrap();
        assert!(matches!(
            Folder::create(&lost, false),
            Err(FolderError::LeadsNowhere(_))
        ));
    }

    #[test]
    fn what_somebody_else_put_in_its_place_is_not_taken_away() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("out");
        let folder = Folder::create(&out, false).unwrap();
        fs::remove_dir(&out).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis.txt"), "years of work").unwrap();
        assert!(folder.commit().is_err());
        assert!(folder.discard().is_err());
        assert!(out.join("thesis.txt").exists());
    }
}
