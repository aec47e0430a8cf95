//! Folders that snapshots of several files lie in.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::Place;
use super::prefix::Prefix;
use crate::snapshot::error::SnapshotError;

/// A folder with files, or what objects begin with.
#[derive(Clone, Debug)]
pub(crate) enum Folder {
    /// On this machine.
    Path(PathBuf),
    Prefix(Prefix),
}

/// What lies in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    /// Bytes of a file.
    pub(crate) size: u64,
    pub(crate) kind: EntryKind,
}

/// What an entry of a folder is by itself: a link is no file, whatever it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    /// A pipe, a device, a socket.
    Other,
}

impl EntryKind {
    fn of(metadata: &Metadata) -> EntryKind {
        match metadata.file_type() {
            kind if kind.is_file() => EntryKind::File,
            kind if kind.is_dir() => EntryKind::Folder,
            kind if kind.is_symlink() => EntryKind::Link,
            _ => EntryKind::Other,
        }
    }
}

impl Folder {
    /// What lies directly in it, in no order.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        match self {
            Folder::Path(path) => entries_of(path),
            Folder::Prefix(prefix) => prefix.entries(""),
        }
    }

    /// What lies directly in a folder in it.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn entries_in(&self, name: &str) -> io::Result<Vec<Entry>> {
        match self {
            Folder::Path(path) => entries_of(&path.join(name)),
            Folder::Prefix(prefix) => prefix.entries(name),
        }
    }

    /// What has that name in it, which may lead through folders in it; `None` if there is nothing.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<Entry>> {
        match self {
            Folder::Path(path) => match fs::symlink_metadata(path.join(name)) {
                Ok(metadata) => Ok(Some(Entry {
                    name: name.into(),
                    size: metadata.len(),
                    kind: EntryKind::of(&metadata),
                })),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            },
            Folder::Prefix(prefix) => prefix.find(name),
        }
    }

    /// The file of that name, whether it is there or not.
    pub(crate) fn file(&self, name: &str) -> Place {
        match self {
            Folder::Path(path) => Place::Path(path.join(name)),
            Folder::Prefix(prefix) => Place::Object(prefix.object(name)),
        }
    }

    /// That it cannot be read.
    pub(crate) fn failed(&self, source: io::Error) -> SnapshotError {
        SnapshotError::of_reading(&self.to_string(), source)
    }
}

fn entries_of(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Of the link itself, not of what it points to.
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It has been removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        entries.push(Entry {
            name: entry.file_name(),
            size: metadata.len(),
            kind: EntryKind::of(&metadata),
        });
    }
    Ok(entries)
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Folder::Path(path) => path.display().fmt(f),
            Folder::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl From<&Path> for Folder {
    fn from(path: &Path) -> Folder {
        Folder::Path(path.to_owned())
    }
}
