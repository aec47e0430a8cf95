//! Archives in custom format (-Fc): one file with the TOC first and the data in blocks behind it.
//!
//! A block is a byte for its type, the dump id of its TOC entry, and chunks (a length, then so many bytes) up to a chunk of
//! length 0. All chunks of a block together are one compressed stream. Where pg_dump could seek in its output, the
//! TOC says where each block begins; where it could not, blocks are found by hopping from one to the next.

mod blocks;
mod stream;

use std::io::{self, BufRead, BufReader, Seek};
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalog::{Contents, TableData};
use super::rows::read_rows;
use super::toc::{DataPlace, Toc};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::codec::compression::{Counted, INPUT_BUFFER, decoder_of};
use crate::snapshot::codec::read_errors::{cut_off, damaged, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::owners::Owners;
use crate::snapshot::place::{Handle, Place};
use crate::snapshot::source::{TablePart, TableSource};
use crate::snapshot::table_name::TableName;
use blocks::{
    BlockStart, Chunked, Layout, block_error, block_start, missing, skip_chunks, skip_large_objects,
};

pub use stream::CustomStream;

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
    place: Place,
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
    pub(crate) fn open(
        place: &Place,
        source: &str,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let file = place.open().map_err(|error| place.failed(error))?;
        let length = file.size().map_err(|error| place.failed(error))?;
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, file);
        let toc = Toc::read(&mut reader, None)?;
        let layout = Layout::of(&toc.header, source)?;
        let first_block = reader
            .stream_position()
            .map_err(|error| place.failed(error))?;
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
            place: place.clone(),
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
        let file = self.open_range(*next..self.length)?;
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, file);
        let skip = |reader: &mut BufReader<Handle>, count| {
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
                .map_err(|error| self.place.failed(error))?;
        }
    }

    fn found(&self) -> MutexGuard<'_, Vec<Option<u64>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_range(&self, range: Range<u64>) -> Result<Handle, SnapshotError> {
        let opened = self.place.open_range(range);
        opened.map_err(|error| self.place.failed(error))
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
        let end = match self.sizes[part.index] {
            0 => self.length,
            size => position.saturating_add(size),
        };
        let file = self.open_range(position..end)?;
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
