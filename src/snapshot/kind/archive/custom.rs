//! Archives in custom format (-Fc): one file with the TOC first and the data in blocks behind it.
//!
//! A block is a byte for its type, the dump id of its TOC entry, and chunks (a length, then so many bytes) up to a chunk of
//! length 0. All chunks of a block together are one compressed stream. Where pg_dump could seek in its output, the
//! TOC says where each block begins; where it could not, blocks are found by hopping from one to the next.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalog::{Contents, TableData};
use super::rows::read_rows;
use super::toc::{DataPlace, Format, Header, Toc, read_int};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::codec::compression::{Compression, Counted, INPUT_BUFFER, decoder_of};
use crate::snapshot::codec::read_errors::{cut_off, damaged, io_error, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::owners::Owners;
use crate::snapshot::source::{StreamSource, TablePart, TableSource};
use crate::snapshot::table_name::TableName;

/// Type of a block with the rows of one entry.
const ROWS: u8 = 1;

/// Type of a block with large objects.
const LARGE_OBJECTS: u8 = 3;

/// How integers and data are written in an archive's blocks.
#[derive(Debug, Clone, Copy)]
struct Layout {
    int_size: u8,
    compression: Compression,
}

impl Layout {
    /// # Errors
    /// The header is that of a `toc.dat`, whose data is in other files.
    fn of(header: &Header, source: &str) -> Result<Self, SnapshotError> {
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
struct BlockStart {
    is_rows: bool,
    dump_id: i64,
}

/// Reads the head of a block; `None` where the archive ends before it.
fn block_start(reader: &mut impl Read, layout: Layout) -> io::Result<Option<BlockStart>> {
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
struct Chunked<R> {
    inner: R,
    int_size: u8,
    /// Bytes of the present chunk that are still to come.
    left: u64,
    ended: bool,
    /// Met behind bytes that had to be handed out first.
    error: Option<io::Error>,
}

impl<R: BufRead> Chunked<R> {
    fn new(inner: R, int_size: u8) -> Self {
        Chunked {
            inner,
            int_size,
            left: 0,
            ended: false,
            error: None,
        }
    }

    /// Goes on to the next chunk if the present one is done.
    fn next_chunk(&mut self) -> io::Result<()> {
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
fn skip_chunks<R: Read>(
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
fn skip_large_objects<R: Read>(
    reader: &mut R,
    int_size: u8,
    skip: fn(&mut R, u64) -> io::Result<()>,
) -> io::Result<()> {
    while read_int(reader, int_size)? != 0 {
        skip_chunks(reader, int_size, skip)?;
    }
    Ok(())
}

fn skip_by_reading<R: Read>(reader: &mut R, count: u64) -> io::Result<()> {
    match io::copy(&mut reader.by_ref().take(count), &mut io::sink())? < count {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(()),
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// An error between blocks or in the head of one.
fn block_error(error: io::Error, offset: Option<u64>) -> SnapshotError {
    let place = Position {
        offset,
        ..Position::default()
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof if error.raw_os_error().is_none() => cut_off(
            place,
            "the archive is cut off inside its data, copy it again",
        ),
        _ => read_error(place, error),
    }
}

fn missing(data: &TableData) -> SnapshotError {
    cut_off(
        Position {
            table: Some(data.table.to_string()),
            ..Position::default()
        },
        "the archive ends before the table's data: it is cut off, copy it again",
    )
}

/// An archive in custom format that goes by once.
pub struct CustomStream {
    reader: Box<dyn Read + Send>,
    source: String,
}

impl CustomStream {
    /// Reads `reader`, which gives the archive from its first byte. Messages call the snapshot `source`.
    pub fn new(reader: Box<dyn Read + Send>, source: impl Into<String>) -> Self {
        CustomStream {
            reader,
            source: source.into(),
        }
    }
}

impl StreamSource for CustomStream {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, self.reader);
        let toc = Toc::read(&mut reader, None)?;
        let layout = Layout::of(&toc.header, &self.source)?;
        let contents = Contents::new(toc, None)?;
        let told = Event::Catalog(Arc::clone(&contents.catalog), contents.facts.clone());
        if sink(told).is_break() {
            return Ok(());
        }
        let mut seen = vec![false; contents.data.len()];
        let failed = |error| block_error(error, None);
        while let Some(start) = block_start(&mut reader, layout).map_err(failed)? {
            let data = contents.data_of(start.dump_id).filter(|_| start.is_rows);
            if let Some((index, data)) = data {
                if std::mem::replace(&mut seen[index], true) {
                    let place = Position {
                        table: Some(data.table.to_string()),
                        ..Position::default()
                    };
                    return Err(damaged(place, "the archive holds the table's data twice"));
                }
                if let Some(owners) = contents.owners(data, wanted) {
                    let mut chunks = Chunked::new(&mut reader, layout.int_size);
                    let origin = Origin {
                        source: self.source.clone(),
                        member: None,
                    };
                    let read =
                        read_block(&contents, data, &owners, &mut chunks, layout, origin, sink)?;
                    if read.is_break() {
                        return Ok(());
                    }
                    continue;
                }
            }
            let skipped = match start.is_rows {
                true => skip_chunks(&mut reader, layout.int_size, skip_by_reading),
                false => skip_large_objects(&mut reader, layout.int_size, skip_by_reading),
            };
            skipped.map_err(|error| {
                let table = data.map(|(_, data)| data.table.to_string());
                match block_error(error, None) {
                    SnapshotError::CutOff { place, reason } => {
                        cut_off(Position { table, ..place }, reason)
                    }
                    other => other,
                }
            })?;
        }
        match seen.iter().position(|seen| !seen) {
            Some(index) => Err(missing(&contents.data[index])),
            None => {
                // The last event: whether the sink breaks makes no difference.
                let _ = sink(Event::Holdings(contents.holdings()));
                Ok(())
            }
        }
    }
}

/// Reads the rows of a block whose head was read, up to the end of the block.
fn read_block(
    contents: &Contents,
    data: &TableData,
    owners: &Owners,
    chunks: &mut Chunked<impl BufRead + Send>,
    layout: Layout,
    origin: Origin,
    sink: Sink<'_>,
) -> Result<std::ops::ControlFlow<()>, SnapshotError> {
    let place = || Position {
        table: Some(data.table.to_string()),
        ..Position::default()
    };
    let input = BufReader::with_capacity(INPUT_BUFFER, &mut *chunks);
    let decoder =
        decoder_of(layout.compression, input).map_err(|error| read_error(place(), error))?;
    let flow = read_rows(contents, data, owners, decoder, origin, sink)?;
    if flow.is_break() {
        return Ok(flow);
    }
    // A decoder may stop before the chunk that ends the block.
    let rest = chunks
        .fill_buf()
        .map_err(|error| read_error(place(), error))?;
    match rest.is_empty() {
        true => Ok(flow),
        false => Err(damaged(
            place(),
            "more bytes follow the table's compressed data",
        )),
    }
}

/// An archive in custom format in a file, whose tables can be opened one by one.
pub struct CustomArchive {
    path: PathBuf,
    source: String,
    contents: Contents,
    layout: Layout,
    /// Bytes of each entry's block, as far as positions tell; 0 where they do not.
    sizes: Vec<u64>,
    length: u64,
    /// Positions of blocks, by index of the data, as far as they are known.
    found: Mutex<Vec<Option<u64>>>,
    /// Where the next block begins that nobody has passed in search of another.
    next: Mutex<u64>,
    progress: Arc<AtomicU64>,
}

impl CustomArchive {
    /// Reads the TOC of an archive. `progress` counts the bytes read of tables' data, before decompression.
    ///
    /// # Errors
    /// The file cannot be read, or its TOC is damaged or of an unknown version.
    pub fn open(
        path: &Path,
        source: &str,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(|error| io_error(path, error))?;
        let length = file
            .metadata()
            .map_err(|error| io_error(path, error))?
            .len();
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, file);
        let toc = Toc::read(&mut reader, None)?;
        let layout = Layout::of(&toc.header, source)?;
        let first_block = reader
            .stream_position()
            .map_err(|error| io_error(path, error))?;
        let contents = Contents::new(toc, None)?;
        let found: Vec<Option<u64>> = contents
            .data
            .iter()
            .map(|data| match data.place {
                DataPlace::At(position) => Some(position),
                _ => None,
            })
            .collect();
        Ok(CustomArchive {
            path: path.to_owned(),
            source: source.to_owned(),
            sizes: sizes(&found, length),
            contents,
            layout,
            length,
            found: Mutex::new(found),
            next: Mutex::new(first_block),
            progress,
        })
    }

    /// Bytes of the data of all tables; of the whole file where positions are not known.
    pub fn size(&self) -> u64 {
        match self.sizes.contains(&0) {
            true => self.length,
            false => self.sizes.iter().sum(),
        }
    }

    /// Where the block of that data begins. Looks through the file for it if the TOC does not say it; what is passed
    /// on the way is remembered, so that all searches together go through the file once.
    fn position(&self, index: usize) -> Result<u64, SnapshotError> {
        if let Some(position) = self.found()[index] {
            return Ok(position);
        }
        // One thread searches, others that know their positions go on.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = self.reader_at(*next)?;
        let skip = |reader: &mut BufReader<File>, count| {
            let count = i64::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            reader.seek_relative(count)
        };
        loop {
            if let Some(position) = self.found()[index] {
                return Ok(position);
            }
            let position = *next;
            let failed = |error| block_error(error, Some(position));
            let Some(start) = block_start(&mut reader, self.layout).map_err(failed)? else {
                return Err(missing(&self.contents.data[index]));
            };
            match start.is_rows {
                true => skip_chunks(&mut reader, self.layout.int_size, skip),
                false => skip_large_objects(&mut reader, self.layout.int_size, skip),
            }
            .map_err(failed)?;
            let data = self.contents.data_of(start.dump_id);
            if let Some((other, data)) = data.filter(|_| start.is_rows) {
                let before = self.found()[other].replace(position);
                if before.is_some() && data.place == DataPlace::Unknown {
                    let place = Position {
                        table: Some(data.table.to_string()),
                        offset: Some(position),
                        ..Position::default()
                    };
                    return Err(damaged(place, "the archive holds the table's data twice"));
                }
            }
            *next = reader
                .stream_position()
                .map_err(|error| io_error(&self.path, error))?;
        }
    }

    fn found(&self) -> MutexGuard<'_, Vec<Option<u64>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader_at(&self, position: u64) -> Result<BufReader<File>, SnapshotError> {
        let mut file = File::open(&self.path).map_err(|error| io_error(&self.path, error))?;
        file.seek(SeekFrom::Start(position))
            .map_err(|error| io_error(&self.path, error))?;
        Ok(BufReader::with_capacity(INPUT_BUFFER, file))
    }
}

/// How far it is from each position to the next one, or to the end of the file.
fn sizes(positions: &[Option<u64>], length: u64) -> Vec<u64> {
    let mut sorted: Vec<u64> = positions.iter().flatten().copied().collect();
    sorted.sort_unstable();
    let size = |position: u64| {
        let next = sorted.partition_point(|other| *other <= position);
        let end = sorted.get(next).copied().unwrap_or(length).min(length);
        end.saturating_sub(position)
    };
    positions
        .iter()
        .map(|position| position.map_or(0, size))
        .collect()
}

impl TableSource for CustomArchive {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.contents.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.contents.facts.clone()
    }

    /// One part for each block: the table's own, or those of its partitions.
    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        self.contents.parts(table, |index, _| self.sizes[index])
    }

    fn holdings(&self) -> Holdings {
        self.contents.holdings()
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let data = self.contents.part(part, &self.source)?;
        let position = self.position(part.index)?;
        let place = || Position {
            table: Some(data.table.to_string()),
            offset: Some(position),
            ..Position::default()
        };
        if position >= self.length {
            let reason = format!(
                "the table's data begins behind the archive's end, at byte {}: it is cut off, copy it again",
                self.length
            );
            return Err(cut_off(place(), reason));
        }
        let file = self.reader_at(position)?.into_inner();
        let counted = Counted::new(file, Arc::clone(&self.progress));
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, counted);
        let start =
            block_start(&mut reader, self.layout).map_err(|error| read_error(place(), error))?;
        let expected = BlockStart {
            is_rows: true,
            dump_id: data.dump_id,
        };
        if start != Some(expected) {
            let reason =
                "what stands where the archive's TOC has the table's data is something else";
            return Err(damaged(place(), reason));
        }
        let origin = Origin {
            source: self.source.clone(),
            member: None,
        };
        let mut chunks = Chunked::new(reader, self.layout.int_size);
        // Whether the sink breaks makes no difference: this was the last thing to do.
        let owners = Owners::only(data.head_for(&part.table));
        let (contents, layout) = (&self.contents, self.layout);
        read_block(contents, data, &owners, &mut chunks, layout, origin, sink).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
