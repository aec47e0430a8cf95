//! Where a snapshot's bytes lie. Kinds of snapshot are given a [`Place`] or a [`Folder`], and do not ask what it is made of.
//!
//! A file of this machine is opened anew for everyone who reads it, so that each has a position of its own, and is read by the system's
//! own calls.

mod folder;
mod found;
mod handle;
mod object;
mod pipe;
mod prefix;

use std::fmt;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::snapshot::error::SnapshotError;

pub(crate) use folder::{Entry, EntryKind, Folder};
pub(crate) use found::{Found, find};
pub(crate) use handle::{Handle, HeldFile, HeldReader};
pub(crate) use object::{Object, ObjectError};
pub(crate) use pipe::{Patience, Pipe, WaitError};
pub(crate) use prefix::Prefix;

/// True for an error of the system, of a bucket's server, or of a wait that was given up: the bytes could not be had, and
/// nothing is known of them.
pub(crate) fn is_of_source(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
        || ObjectError::within(error).is_some()
        || WaitError::within(error).is_some()
}

/// A file, or an object of a bucket.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On this machine.
    Path(PathBuf),
    Object(Object),
}

impl Place {
    /// Opens it at its beginning.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn open(&self) -> io::Result<Handle> {
        match self {
            Place::Path(path) => pipe::open_file(path).map(Handle::File),
            Place::Object(object) => object.reader().map(Handle::Object),
        }
    }

    /// Opens it at the beginning of a range. What is behind the range can be read, too, but is not fetched before it is.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn open_range(&self, range: Range<u64>) -> io::Result<Handle> {
        match self {
            Place::Path(path) => {
                let mut file = pipe::open_file(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Handle::File(file))
            }
            Place::Object(object) => object.range_reader(range).map(Handle::Object),
        }
    }

    /// Opens it to be held, so that what is put in its place later is never taken for it.
    ///
    /// # Errors
    /// Those of the file system, or of the bucket's server.
    pub(crate) fn hold(&self) -> io::Result<HeldFile> {
        match self {
            Place::Path(path) => HeldFile::open(path),
            Place::Object(object) => object.held().map(HeldFile::Object),
        }
    }

    /// That it cannot be read.
    pub(crate) fn failed(&self, source: io::Error) -> SnapshotError {
        SnapshotError::of_reading(&self.to_string(), source)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path(path) => path.display().fmt(f),
            Place::Object(object) => object.fmt(f),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Place {
        Place::Path(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Place {
        Place::from(path.as_path())
    }
}
