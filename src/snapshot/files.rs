//! The files of a GitLab backup beside its databases: repositories, uploads, LFS objects, diffs.
//!
//! A backup is one tar (or the same tree as a folder) whose members are either files in their own right (bundles of
//! repositories) or tars again, compressed (`uploads.tar.gz`). Members are found by name and read by ranges:
//! [`BackupFiles`]. What lies in the inner archives is read once and kept: [`FileSource::gather`]. Names of members come
//! from the backup: they are looked up, and never made a path on disk.

mod contents;
mod folder;
mod gather;
mod index;
mod info;
mod inner;
mod kept;
mod names;
mod parts;
mod passing;
mod prefix;
mod saved;
mod slice;
mod spool;
mod tar_file;

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

pub(super) use folder::FolderFiles;
pub use gather::{ArchiveTrouble, Gathered, Wanted};
pub use info::BackupInfo;
pub(super) use info::{INFORMATION, INFORMATION_LIMIT};
pub use inner::InnerArchive;
pub use parts::{BackupPart, backup_parts};
pub use passing::Behind;
pub(super) use passing::Lent;
pub(super) use prefix::PrefixFiles;
pub use saved::TarIndex;
pub(super) use tar_file::TarFiles;

use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::Kind;
use crate::visible::visible;

/// The files of a GitLab backup, by the names of its members: without a leading `./`, parts separated by `/`.
pub trait BackupFiles: Send + Sync {
    /// Bytes of the regular file of that name; `None` if the backup has none.
    ///
    /// # Errors
    /// There is something of that name that is not read (a link, a sparse file), or the backup is cut off or damaged and
    /// may have held it.
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError>;

    /// Opens those bytes of a file, with a place to read at of its own: several threads may read at once. Reading fails
    /// where the backup ends before them.
    ///
    /// # Errors
    /// As [`BackupFiles::size_of`]; and if there is no such file, or it has no such bytes.
    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError>;

    /// The regular files whose names begin with `prefix`, with their sizes, in the order of their names' bytes.
    ///
    /// # Errors
    /// The backup is cut off or damaged, so that the list may lack some.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError>;

    /// Goes through the names and sizes of all regular files, in the order of their names' bytes. Gives why there may be
    /// more, in a backup that is cut off or damaged.
    ///
    /// # Errors
    /// The backup cannot be read.
    fn visit(&self, take: &mut dyn FnMut(&str, u64)) -> Result<Option<String>, SnapshotError> {
        for (name, size) in self.list("")? {
            take(&name, size);
        }
        Ok(None)
    }

    /// What of the backup was left out, or may be missing, as far as that has shown.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the backup says of itself.
    fn info(&self) -> &BackupInfo;
}

/// Where the files of a snapshot are.
pub enum FileSource {
    /// It has none.
    None {
        /// Why, for the user.
        why: String,
    },
    /// They can be read at any time.
    Here(Arc<dyn BackupFiles>),
    /// They come once, behind the databases: they are read when rows have been.
    Behind(Behind),
}

impl FileSource {
    /// That a snapshot of such a kind has no files.
    pub(super) fn none_in(kind: Kind) -> Self {
        let what = match kind {
            Kind::Plain | Kind::Custom | Kind::Directory | Kind::Tar => "a dump",
            Kind::Csv => "a folder of CSV files",
            Kind::Postgres => "a server's database",
            Kind::Pgdata => "a server's data folder",
            Kind::GitlabBackup => "this part of a backup",
        };
        FileSource::None {
            why: format!(
                "{what} holds no repositories, uploads or other files; a GitLab backup does"
            ),
        }
    }
}

/// A file of the backup cannot be read.
fn unreadable(name: &str, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::File {
        name: visible(name),
        reason: reason.into(),
        may_pass: false,
    }
}

/// As [`unreadable`], of what may be readable another time.
fn not_read(name: &str, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::File {
        name: visible(name),
        reason: reason.into(),
        may_pass: true,
    }
}

/// Reads what a backup says of itself.
fn read_info(files: &dyn BackupFiles) -> BackupInfo {
    let read = |name: &str| {
        let Some(size) = files.size_of(name)? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        files
            .open(name, 0..size.min(INFORMATION_LIMIT))?
            .read_to_end(&mut text)
            .map_err(|error| unreadable(name, error.to_string()))?;
        Ok::<_, SnapshotError>(Some(BackupInfo::parse(&text)))
    };
    for name in INFORMATION {
        match read(name) {
            Ok(Some(info)) => return info,
            Ok(None) => {}
            Err(error) => tracing::warn!("{error}"),
        }
    }
    BackupInfo::default()
}

/// True for a name of something in a folder.
fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.contains('\0')
}

/// Makes sure that a file of `size` bytes has such a range.
fn check_range(name: &str, range: &Range<u64>, size: u64) -> Result<(), SnapshotError> {
    match range.start <= range.end && range.end <= size {
        true => Ok(()),
        false => Err(unreadable(
            name,
            format!(
                "it has {size} bytes, and none from {} to {}",
                range.start, range.end
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
