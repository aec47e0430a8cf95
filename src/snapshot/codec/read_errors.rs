//! How errors of the file system and of decompression become a [`SnapshotError`].

use std::io;
use std::path::Path;

use crate::snapshot::codec::compression::WindowTooLarge;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::is_of_source;

/// The file or folder itself cannot be opened or listed.
pub(crate) fn io_error(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io {
        path: path.display().to_string(),
        source,
    }
}

/// Reading broke off. The errors of the system and of a bucket are told by what they are; all others come from the content: a
/// stream that does not decompress, or ends too early.
pub(crate) fn read_error(place: Position, error: io::Error) -> SnapshotError {
    if is_of_source(&error) {
        SnapshotError::of_reading(&place.to_string(), error)
    } else if let Some(window) = WindowTooLarge::within(&error) {
        SnapshotError::TooLarge {
            place: Box::new(place),
            reason: window.to_string(),
            tables: Vec::new(),
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
