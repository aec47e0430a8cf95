//! One temp file for everything that comes once and is wanted later.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::io_error::at;
use crate::snapshot::error::SnapshotError;

/// Bytes that are copied at once.
const BUFFER: usize = 256 << 10;

/// Takes one piece after another. The file has no name, and is made when the first byte comes.
pub(super) struct Spool {
    temp_dir: PathBuf,
    file: Option<File>,
    length: u64,
    buffer: Vec<u8>,
}

/// How a piece was kept.
pub(super) enum Kept {
    /// All of it, in this range.
    Whole(Range<u64>),
    /// It broke off while it was read; nothing of it is kept.
    Broken(io::Error),
}

impl Spool {
    pub(super) fn new(temp_dir: &Path) -> Self {
        Spool {
            temp_dir: temp_dir.to_owned(),
            file: None,
            length: 0,
            buffer: Vec::new(),
        }
    }

    /// Keeps what `source` gives, to its end.
    ///
    /// # Errors
    /// The temp folder cannot be written, or the run was interrupted.
    pub(super) fn keep(
        &mut self,
        source: &mut dyn Read,
        interrupted: &AtomicBool,
    ) -> Result<Kept, SnapshotError> {
        let start = self.length;
        self.buffer.resize(BUFFER, 0);
        loop {
            check(interrupted)?;
            let count = match source.read(&mut self.buffer) {
                Ok(0) => return Ok(Kept::Whole(start..self.length)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // What has come lies there unread.
                Err(error) => return Ok(Kept::Broken(error)),
            };
            self.write(count)
                .map_err(|error| SnapshotError::Temp(at(&self.temp_dir)(error)))?;
            self.length += count as u64;
        }
    }

    fn write(&mut self, count: usize) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.temp_dir)?),
        };
        file.write_all(&self.buffer[..count])
    }

    /// What was kept; `None` if nothing was.
    pub(super) fn finish(self) -> Option<Arc<File>> {
        self.file.map(Arc::new)
    }
}

/// # Errors
/// The run was interrupted.
pub(super) fn check(interrupted: &AtomicBool) -> Result<(), SnapshotError> {
    match interrupted.load(Ordering::Relaxed) {
        true => Err(SnapshotError::Interrupted),
        false => Ok(()),
    }
}
