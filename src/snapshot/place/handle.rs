//! Files while they are open.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::object::{HeldObject, ObjectReader};
use super::pipe::open_file;
use crate::snapshot::fingerprint;

/// A file that is read at a position of its own.
#[derive(Debug)]
pub(crate) enum Handle {
    File(File),
    Object(ObjectReader),
}

impl Handle {
    /// Its bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            Handle::File(file) => Ok(file.metadata()?.len()),
            Handle::Object(object) => Ok(object.size()),
        }
    }
}

impl Read for Handle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Handle::File(file) => file.read(buffer),
            Handle::Object(object) => object.read(buffer),
        }
    }
}

impl Seek for Handle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Handle::File(file) => file.seek(to),
            Handle::Object(object) => object.seek(to),
        }
    }
}

/// A file that is held open and read at many places by many threads.
#[derive(Debug, Clone)]
pub(crate) enum HeldFile {
    File(Arc<File>),
    Object(HeldObject),
}

impl HeldFile {
    pub(super) fn open(path: &Path) -> io::Result<HeldFile> {
        Ok(HeldFile::File(Arc::new(open_file(path)?)))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            HeldFile::File(file) => Ok(file.metadata()?.len()),
            HeldFile::Object(object) => Ok(object.size()),
        }
    }

    /// A value that changes when it is written to; `None` if nobody can tell.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        match self {
            HeldFile::File(file) => {
                let found = file.metadata().ok()?;
                Some(fingerprint::of_file(&found))
            }
            HeldFile::Object(object) => Some(object.fingerprint()),
        }
    }

    /// Reads a range; what is behind it can be read, too, but is not fetched before it is.
    pub(crate) fn reader(&self, range: Range<u64>) -> HeldReader {
        match self {
            HeldFile::File(file) => HeldReader::File {
                file: Arc::clone(file),
                position: range.start,
            },
            HeldFile::Object(object) => HeldReader::Object(object.reader(range)),
        }
    }
}

/// A place in a held file that nobody else moves.
#[derive(Debug)]
pub(crate) enum HeldReader {
    File { file: Arc<File>, position: u64 },
    Object(ObjectReader),
}

impl Read for HeldReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            HeldReader::File { file, position } => {
                let count = file.read_at(buffer, *position)?;
                *position += count as u64;
                Ok(count)
            }
            HeldReader::Object(object) => object.read(buffer),
        }
    }
}

impl Seek for HeldReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            HeldReader::File { position, .. } => {
                *position = sought(*position, to)?;
                Ok(*position)
            }
            HeldReader::Object(object) => object.seek(to),
        }
    }
}

/// Where seeking leads that nobody but us does.
///
/// # Errors
/// There is no such position. Nobody asks where the end is.
pub(super) fn sought(position: u64, to: SeekFrom) -> io::Result<u64> {
    let position = match to {
        SeekFrom::Start(position) => Some(position),
        SeekFrom::Current(by) => position.checked_add_signed(by),
        SeekFrom::End(_) => None,
    };
    // The system knows no positions beyond those of a signed number.
    let position = position.filter(|position| i64::try_from(*position).is_ok());
    position.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
