//! A range of a file, read without moving anything that others read by.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::snapshot::place::{HeldFile, HeldReader};

/// The bytes of a range of a file. Reading fails where the file ends before them.
pub(super) struct Slice {
    reader: HeldReader,
    range: Range<u64>,
    /// What the file is called where it turns out to be too short.
    what: &'static str,
}

impl Slice {
    /// Of a file that nothing but this program knows of, or that was opened without following a link.
    pub(super) fn of_file(file: Arc<File>, range: Range<u64>, what: &'static str) -> Self {
        let reader = HeldFile::File(file).reader(range.clone());
        Slice::new(reader, range, what)
    }

    /// `reader` stands at the beginning of the range.
    pub(super) fn new(reader: HeldReader, range: Range<u64>, what: &'static str) -> Self {
        Slice {
            reader,
            range,
            what,
        }
    }
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end.saturating_sub(self.range.start);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "{} is cut off at byte {}: {left} bytes are missing",
                    self.what, self.range.start
                ),
            ));
        }
        self.range.start += count as u64;
        Ok(count)
    }
}
