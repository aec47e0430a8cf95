//! Errors of the file system that say which path they are about: the system's own do not.

use std::io;
use std::path::Path;

/// Puts a path before an error, whose kind stays.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
