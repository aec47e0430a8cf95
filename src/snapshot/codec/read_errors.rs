//! How errors of the file system and of decompression become a [`SnapshotError`].

use std::io;
use std::path::Path;

use crate::snapshot::error::{Position, SnapshotError};

/// The file or folder itself cannot be opened or listed.
pub(crate) fn io_error(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io {
        path: path.display().to_string(),
        source,
    }
}

/// Reading broke off. Only the operating system's errors have a code; all others come from the content: a
/// stream that does not decompress, or ends too early.
pub(crate) fn read_error(place: Position, error: io::Error) -> SnapshotError {
    if error.raw_os_error().is_some() {
        SnapshotError::Io {
            path: place.to_string(),
            source: error,
        }
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        cut_off(place, format!("it is cut off, copy it again ({error})"))
    } else {
        damaged(
            place,
            format!("it cannot be decompressed, copy it again ({error})"),
        )
    }
}

pub(crate) fn cut_off(place: Position, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::CutOff {
        place,
        reason: reason.into(),
    }
}

pub(crate) fn damaged(place: Position, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged {
        place,
        reason: reason.into(),
    }
}
