//! The blocks of a custom archive: what each begins with, and the chunks that its data comes in.

use std::io::{self, BufRead, Read};

use super::super::catalog::TableData;
use super::super::toc::{Format, Header, read_int};
use crate::snapshot::codec::compression::Compression;
use crate::snapshot::codec::read_errors::{cut_off, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::is_of_source;

/// Type of a block with the rows of one entry.
pub(super) const ROWS: u8 = 1;

/// Type of a block with large objects.
pub(super) const LARGE_OBJECTS: u8 = 3;

/// How integers and data are written in an archive's blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) int_size: u8,
    pub(super) compression: Compression,
}

impl Layout {
    /// # Errors
    /// The header is that of a `toc.dat`, whose data is in other files.
    pub(super) fn of(header: &Header, source: &str) -> Result<Self, SnapshotError> {
        match header.format {
            Format::Custom => Ok(Layout {
                int_size: header.int_size,
                compression: header.compression,
            }),
            Format::Files => Err(SnapshotError::Unsupported {
                what: format!("{source} (the table of contents of a pg_dump archive)"),
                reason:
                    "its data is in other files: name the folder that it is in, or the whole tar"
                        .to_owned(),
            }),
        }
    }
}

/// The head of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockStart {
    pub(super) is_rows: bool,
    pub(super) dump_id: i64,
}

/// Reads the head of a block; `None` where the archive ends before it.
pub(super) fn block_start(
    reader: &mut impl Read,
    layout: Layout,
) -> io::Result<Option<BlockStart>> {
    let mut kind = Vec::with_capacity(1);
    if reader.by_ref().take(1).read_to_end(&mut kind)? == 0 {
        return Ok(None);
    }
    let is_rows = match kind[0] {
        ROWS => true,
        LARGE_OBJECTS => false,
        other => return Err(invalid(format!("a block of data has the type {other}"))),
    };
    let dump_id = read_int(reader, layout.int_size)?;
    Ok(Some(BlockStart { is_rows, dump_id }))
}

/// The joined chunks of a block, up to the one of length 0.
pub(super) struct Chunked<R> {
    pub(super) inner: R,
    pub(super) int_size: u8,
    /// Bytes of the present chunk that are still to come.
    pub(super) left: u64,
    pub(super) ended: bool,
    /// Met behind bytes that had to be handed out first.
    pub(super) error: Option<io::Error>,
}

impl<R: BufRead> Chunked<R> {
    pub(super) fn new(inner: R, int_size: u8) -> Self {
        Chunked {
            inner,
            int_size,
            left: 0,
            ended: false,
            error: None,
        }
    }

    /// Goes on to the next chunk if the present one is done.
    pub(super) fn next_chunk(&mut self) -> io::Result<()> {
        while self.left == 0 && !self.ended {
            let length = read_int(&mut self.inner, self.int_size)?;
            self.left = u64::try_from(length)
                .map_err(|_| invalid(format!("a chunk of data has {length} bytes")))?;
            self.ended = length == 0;
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Chunked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.next_chunk()?;
        if self.ended {
            return Ok(&[]);
        }
        let bytes = self.inner.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the archive ends inside a chunk of data, {} bytes of which are missing",
                    self.left
                ),
            ));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.inner.consume(count);
    }
}

impl<R: BufRead> Read for Chunked<R> {
    /// Fills the buffer from as many chunks as it takes: pg_dump's are of 4 KiB, too small for a decoder to be fast.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            let bytes = match self.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => bytes,
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            };
            let count = bytes.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&bytes[..count]);
            filled += count;
            self.consume(count);
        }
        Ok(filled)
    }
}

/// Steps over the chunks of a block, without looking into them, by `skip`.
pub(super) fn skip_chunks<R: Read>(
    reader: &mut R,
    int_size: u8,
    skip: fn(&mut R, u64) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let length = read_int(reader, int_size)?;
        match u64::try_from(length) {
            Ok(0) => return Ok(()),
            Ok(length) => skip(reader, length)?,
            Err(_) => return Err(invalid(format!("a chunk of data has {length} bytes"))),
        }
    }
}

/// Steps over a block with large objects: each is an OID and chunks, until an OID is 0.
pub(super) fn skip_large_objects<R: Read>(
    reader: &mut R,
    int_size: u8,
    skip: fn(&mut R, u64) -> io::Result<()>,
) -> io::Result<()> {
    while read_int(reader, int_size)? != 0 {
        skip_chunks(reader, int_size, skip)?;
    }
    Ok(())
}

pub(super) fn skip_by_reading<R: Read>(reader: &mut R, count: u64) -> io::Result<()> {
    match io::copy(&mut reader.by_ref().take(count), &mut io::sink())? < count {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(()),
    }
}

pub(super) fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// An error between blocks or in the head of one.
pub(super) fn block_error(error: io::Error, offset: Option<u64>) -> SnapshotError {
    let place = Position {
        offset,
        ..Position::default()
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof if !is_of_source(&error) => cut_off(
            place,
            "the archive is cut off inside its data, copy it again",
        ),
        _ => read_error(place, error),
    }
}

pub(super) fn missing(data: &TableData) -> SnapshotError {
    cut_off(
        Position {
            table: Some(data.table.to_string()),
            ..Position::default()
        },
        "the archive ends before the table's data: it is cut off, copy it again",
    )
}
