//! The files of a backup as a folder: what `SKIP=tar` leaves, or an unpacked tar.
//!
//! No link is followed, at any level: each part of a name is opened in the folder that the part before it is.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::index::Sort;
use super::slice::Slice;
use super::{BackupFiles, BackupInfo, check_range, is_part, not_read, read_info, unreadable};
use crate::io_error::at;
use crate::snapshot::codec::read_errors::io_error;
use crate::snapshot::error::SnapshotError;
use crate::visible::visible;

/// How a folder on the way to a file is opened.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// How a file is opened. Opening a pipe must not wait for a writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The tree of an unpacked backup.
pub(in crate::snapshot) struct FolderFiles {
    path: PathBuf,
    root: Arc<OwnedFd>,
    info: OnceLock<BackupInfo>,
    /// What was told of the first entry of the tree that cannot be listed.
    left_out: OnceLock<String>,
}

impl FolderFiles {
    /// Opens the folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::snapshot) fn open(path: &Path) -> Result<Self, SnapshotError> {
        let root = File::open(path).map_err(|error| io_error(path, error))?;
        Ok(FolderFiles {
            path: path.to_owned(),
            root: Arc::new(root.into()),
            info: OnceLock::new(),
            left_out: OnceLock::new(),
        })
    }

    /// Opens a folder of the tree; `None` if there is none.
    fn folder(&self, parts: &[&str], name: &str) -> Result<Option<Arc<OwnedFd>>, SnapshotError> {
        let mut folder = Arc::clone(&self.root);
        for part in parts {
            match openat(&*folder, *part, FOLDER, Mode::empty()) {
                Ok(inner) => folder = Arc::new(inner),
                // A link is told as what it stands in the place of.
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let found = statat(&*folder, *part, AtFlags::SYMLINK_NOFOLLOW);
                    let kind = found.map(|found| FileType::from_raw_mode(found.st_mode));
                    return match kind {
                        Ok(FileType::Symlink) => Err(link(name)),
                        Ok(_) | Err(_) => Ok(None),
                    };
                }
                Err(error) => return self.nothing(name, error),
            }
        }
        Ok(Some(folder))
    }

    /// Opens a regular file of the tree, and gives its size; `None` if there is none.
    fn file(&self, name: &str) -> Result<Option<(File, u64)>, SnapshotError> {
        let parts: Vec<&str> = name.split('/').collect();
        let Some((last, folders)) = parts.split_last() else {
            return Ok(None);
        };
        if !parts.iter().all(|part| is_part(part)) {
            return Ok(None);
        }
        let Some(folder) = self.folder(folders, name)? else {
            return Ok(None);
        };
        let file = match openat(&*folder, *last, FILE, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) => return Err(link(name)),
            // Sockets and devices without a driver.
            Err(Errno::NXIO) => return Err(unreadable(name, "it is no regular file")),
            Err(error) => return self.nothing(name, error),
        };
        let found = file.metadata().map_err(|error| self.failed(name, error))?;
        match (found.is_file(), found.is_dir()) {
            (true, _) => Ok(Some((file, found.len()))),
            (false, true) => Ok(None),
            (false, false) => Err(unreadable(name, "it is no regular file")),
        }
    }

    /// There is nothing of that name, if that is what the error says.
    fn nothing<T>(&self, name: &str, error: Errno) -> Result<Option<T>, SnapshotError> {
        match error {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Ok(None),
            error => Err(self.failed(name, error.into())),
        }
    }

    fn failed(&self, name: &str, error: std::io::Error) -> SnapshotError {
        not_read(name, at(&self.path)(error).to_string())
    }

    /// Adds the regular files below a folder whose names begin with `prefix`.
    fn add_files(
        &self,
        within: &str,
        prefix: &str,
        files: &mut Vec<(String, u64)>,
    ) -> Result<(), SnapshotError> {
        let mut folders = vec![within.to_owned()];
        while let Some(within) = folders.pop() {
            let parts: Vec<&str> = within.split_terminator('/').collect();
            if !parts.iter().all(|part| is_part(part)) {
                continue;
            }
            let Some(folder) = self.folder(&parts, &within)? else {
                continue;
            };
            let failed = |error: Errno| self.failed(&within, error.into());
            for entry in Dir::read_from(&*folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let Ok(last) = entry.file_name().to_str() else {
                    self.warn(&format!("{within}{}", entry.file_name().to_string_lossy()));
                    continue;
                };
                let name = format!("{within}{last}");
                let may_begin = name.starts_with(prefix) || prefix.starts_with(&name);
                if !is_part(last) || !may_begin {
                    continue;
                }
                let found = match statat(&*folder, last, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(found) => found,
                    // It has been removed since.
                    Err(Errno::NOENT) => continue,
                    Err(error) => return Err(self.failed(&name, error.into())),
                };
                match FileType::from_raw_mode(found.st_mode) {
                    FileType::Directory => folders.push(format!("{name}/")),
                    FileType::RegularFile if name.starts_with(prefix) => {
                        let size = u64::try_from(found.st_size).unwrap_or_default();
                        files.push((name, size));
                    }
                    FileType::RegularFile => {}
                    _ => self.warn(&name),
                }
            }
        }
        Ok(())
    }

    /// Tells of the first entry that is not listed.
    fn warn(&self, name: &str) {
        let warning = format!(
            "{}: {} is a link, no regular file, or has a name that is not UTF-8: it is left out, \
             and so are others like it",
            self.path.display(),
            visible(name)
        );
        if self.left_out.set(warning.clone()).is_ok() {
            tracing::warn!("{warning}");
        }
    }
}

fn link(name: &str) -> SnapshotError {
    let reason = Sort::Link.trouble().unwrap_or_default();
    unreadable(name, reason)
}

impl BackupFiles for FolderFiles {
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError> {
        Ok(self.file(name)?.map(|(_, size)| size))
    }

    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError> {
        let Some((file, size)) = self.file(name)? else {
            return Err(unreadable(name, "the backup holds no such file"));
        };
        check_range(name, &range, size)?;
        Ok(Box::new(Slice::of_file(Arc::new(file), range, "the file")))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        let mut files = Vec::new();
        self.add_files(folder, prefix, &mut files)?;
        files.sort_unstable();
        Ok(files)
    }

    fn warnings(&self) -> Vec<String> {
        self.left_out.get().cloned().into_iter().collect()
    }

    fn info(&self) -> &BackupInfo {
        self.info.get_or_init(|| read_info(self))
    }
}
