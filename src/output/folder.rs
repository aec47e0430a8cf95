//! The output folder: made before anything is read, replaced only by a complete one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::atomic::{folder_of, part_of, sync_folder};
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
    #[error("{0} is being written by another run")]
    InUse(String),
    #[error("{0} is a file\n  name a folder with --out")]
    IsAFile(String),
    #[error("{0} lies below a file\n  name another folder with --out")]
    BelowAFile(String),
    #[error("cannot use the folder {path}: {source}")]
    Io { path: String, source: io::Error },
}

impl FolderError {
    /// True where the user named a place that can never be right, whatever the disk's state.
    pub fn is_usage(&self) -> bool {
        !matches!(self, FolderError::Io { .. })
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
    /// Where the export will be.
    path: PathBuf,
    /// Where files are written: `path` itself, or a folder beside it that takes its place in the end.
    work: PathBuf,
    created: bool,
    /// Keeps other runs away from `work` while this value lives; `None` on a file system without locks.
    _lock: Option<File>,
}

impl Folder {
    /// Says what is wrong with a place, without touching it.
    ///
    /// # Errors
    /// Where the place cannot become an output folder.
    pub fn check(path: &Path, force: bool, holding: Holding) -> Result<(), FolderError> {
        let shown = path.display().to_string();
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => Err(FolderError::IsAFile(shown)),
            Ok(_) if is_empty(path) => Ok(()),
            Ok(_) if !force => Err(FolderError::Exists {
                path: shown,
                what: holding.what,
            }),
            Ok(_) if !(holding.is_one)(path) => Err(FolderError::HoldsSomethingElse {
                path: shown,
                one: holding.one,
            }),
            Ok(_) => Ok(()),
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

    /// Makes the folder. Where an export is to be replaced, makes one beside it.
    ///
    /// # Errors
    /// As [`Folder::check`], and those of the file system.
    pub fn create(path: &Path, force: bool) -> Result<Folder, FolderError> {
        Self::check(path, force, Holding::EXPORT)?;
        let io = |source| FolderError::Io {
            path: path.display().to_string(),
            source,
        };
        let existed = path.exists();
        let replaces = existed && !is_empty(path);
        let work = if replaces {
            beside(path, "new").map_err(io)?
        } else {
            path.to_owned()
        };
        fs::create_dir_all(&work).map_err(io)?;
        let _lock = lock(&work)?;
        let path = if replaces {
            path.to_owned()
        } else {
            work.clone()
        };
        Ok(Folder {
            path,
            work,
            created: replaces || !existed,
            _lock,
        })
    }

    /// Makes a folder beside the place, which nothing is seen at before everything is complete.
    ///
    /// # Errors
    /// As [`Folder::create`].
    pub fn create_beside(
        path: &Path,
        force: bool,
        holding: Holding,
    ) -> Result<Folder, FolderError> {
        Self::check(path, force, holding)?;
        let io = |source| FolderError::Io {
            path: path.display().to_string(),
            source,
        };
        if !path.exists() {
            fs::create_dir_all(folder_of(path)).map_err(io)?;
        }
        let work = beside(path, "new").map_err(io)?;
        fs::create_dir(&work).map_err(io)?;
        Ok(Folder {
            _lock: lock(&work)?,
            // Where a link leads is replaced, not the link.
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            work,
            created: true,
        })
    }

    /// The folder of an unfinished export, to go on in.
    ///
    /// # Errors
    /// Where another run is writing into it, or it cannot be opened.
    pub fn of_unfinished(path: &Path) -> Result<Folder, FolderError> {
        Ok(Folder {
            path: path.to_owned(),
            work: path.to_owned(),
            created: true,
            _lock: lock(path)?,
        })
    }

    /// Where files are to be written.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The name of the export's folder.
    pub fn name(&self) -> String {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The export is complete: it takes the place of the one that it replaces. Returns that place.
    ///
    /// # Errors
    /// Those of the file system; the old export is then still there, under its name or beside it.
    pub fn commit(self) -> Result<PathBuf, FolderError> {
        if self.replaces() && (!self.path.exists() || is_empty(&self.path)) {
            fs::rename(&self.work, &self.path).map_err(|error| self.io(error))?;
            sync_folder(folder_of(&self.path)).map_err(|error| self.io(error))?;
        } else if self.replaces() {
            let old = beside(&self.path, "old").map_err(|error| self.io(error))?;
            fs::rename(&self.path, &old).map_err(|error| self.io(error))?;
            if let Err(error) = fs::rename(&self.work, &self.path) {
                // Put the old one back; where that fails, too, the first error says more.
                let _ = fs::rename(&old, &self.path);
                return Err(self.io(error));
            }
            sync_folder(folder_of(&self.path)).map_err(|error| self.io(error))?;
            fs::remove_dir_all(&old).map_err(|error| self.io(error))?;
        }
        Ok(self.path)
    }

    /// The export is not complete. Where it would have replaced another, it goes to `<name>.failed` beside that
    /// (in place of an earlier one); else it stays where it is. Returns its place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn set_aside(self) -> Result<PathBuf, FolderError> {
        if !self.replaces() {
            return Ok(self.path);
        }
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".failed");
        let place = self.path.with_file_name(name);
        if manifest::read(&place).is_ok() {
            fs::remove_dir_all(&place).map_err(|error| self.io(error))?;
        }
        fs::rename(&self.work, &place).map_err(|error| self.io(error))?;
        Ok(place)
    }

    fn io(&self, source: io::Error) -> FolderError {
        FolderError::Io {
            path: self.path.display().to_string(),
            source,
        }
    }

    /// The export came to nothing: takes away what was made.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn discard(self) -> io::Result<()> {
        if self.created {
            return fs::remove_dir_all(&self.work);
        }
        for entry in fs::read_dir(&self.work)? {
            let entry = entry?.path();
            if entry.is_dir() {
                fs::remove_dir_all(entry)?
            } else {
                fs::remove_file(entry)?
            }
        }
        Ok(())
    }

    /// True where what is in its place stays there until this is complete.
    pub fn replaces(&self) -> bool {
        self.work != self.path
    }
}

/// True for a folder without anything but what a run leaves that was killed before its manifest was there.
fn is_empty(folder: &Path) -> bool {
    let part = part_of(&folder.join(manifest::FILE_NAME));
    let is_part = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.path() == part);
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_part))
}

/// Locks a folder for this process, as long as the file that is returned is open.
fn lock(folder: &Path) -> Result<Option<File>, FolderError> {
    let opened = File::open(folder).map_err(|source| FolderError::Io {
        path: folder.display().to_string(),
        source,
    })?;
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(opened)),
        Err(Errno::WOULDBLOCK) => Err(FolderError::InUse(folder.display().to_string())),
        Err(_) => Ok(None),
    }
}

/// A free name in the same folder, so that a rename is enough to move it.
fn beside(path: &Path, what: &str) -> io::Result<PathBuf> {
    // The real place: `out` may be written as `.`, or be a link.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            fs::canonicalize(folder_of(path))?.join(name)
        }
        found => found?,
    };
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("the root folder cannot be replaced"))?;
    let name = name.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{what}-{}", std::process::id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = r#"{"manifest_version":1,"generator":"relexport","status":1,"started_at":"","finished_at":null,
        "snapshot":{"kind":"plain","source":"-","server_version":null,"gitlab_version":null},
        "pipeline":{"name":"group","sha256":""},"options":{"batched":false,"batch_size":1,"edition":"ee"},"entities":[]}"#;

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
            let folder = Folder::create_beside(&out, false, Holding::EXPORT).unwrap();
            fs::write(folder.work().join("manifest.json"), EXPORT).unwrap();
            assert!(!out.join("manifest.json").exists());
            folder.commit().unwrap();
            assert!(out.join("manifest.json").exists());
            assert!(Folder::create_beside(&out, false, Holding::EXPORT).is_err());
            let folder = Folder::create_beside(&out, true, Holding::EXPORT).unwrap();
            fs::write(folder.work().join("new"), "").unwrap();
            folder.commit().unwrap();
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
}
