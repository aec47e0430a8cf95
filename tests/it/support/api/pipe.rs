//! A snapshot that comes through a pipe, at the pace that a test wants: an export is then under way for as long as
//! the test needs it to be.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A named pipe.
pub(crate) struct Pipe(PathBuf);

/// A reader's end of it, which gets what the test gives.
pub(crate) struct Feed(File);

impl Pipe {
    pub(crate) fn new(path: &Path) -> Pipe {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        Pipe(path.to_owned())
    }

    /// Waits for a reader.
    pub(crate) fn open(&self) -> Feed {
        Feed(File::options().write(true).open(&self.0).unwrap())
    }

    /// Gives a reader everything. One that has enough may leave early.
    pub(crate) fn feed(&self, bytes: &[u8]) {
        let _ = self.open().0.write_all(bytes);
    }
}

impl Feed {
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }
}
