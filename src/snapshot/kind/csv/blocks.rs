//! Cutting a CSV file into blocks of whole rows.

use std::io::{self, Read};
use std::mem;
use std::sync::Arc;

use memchr::memchr_iter;

use crate::bounds;
use crate::snapshot::block::{Block, BlockHead};
use crate::snapshot::codec::buffers::Buffers;
use crate::snapshot::codec::csv_text::{CsvErrorKind, next_row};
use crate::snapshot::codec::csv_walk::{RowEnds, row_ends};
use crate::snapshot::codec::read_errors::{cut_off, damaged, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::timings::{self, Phase};

/// Bytes read for a block. The header must stand in the first so many.
pub(super) const BLOCK: usize = 1 << 20;

/// Bytes that are asked for at once: what a decoder made before it fails is lost with the call, and an error is to say where the
/// data breaks.
const PIECE: usize = 32 << 10;

/// What is wrong with a row that the file ends in, and what to do.
const NO_LINE_END: &str = "has no line end, which COPY writes behind every row: the file is cut off, copy it again; \
                           if an editor took the line end away, put it back";

/// Reads a decompressed CSV file: first [`Blocks::header`], then [`Blocks::next`] to the end.
///
/// Rows are counted here, exactly, because only the thread that reads sees the blocks in order. That is a
/// search for quotes and line ends in bytes just read, faster than any decompression.
pub(super) struct Blocks<R> {
    reader: R,
    place: Position,
    /// What was read and not yet handed out are its first `filled` bytes; rows begin at `begin`.
    buffer: Vec<u8>,
    filled: usize,
    begin: usize,
    buffers: Buffers,
    /// Where the buffer stands in the file, in bytes.
    offset: u64,
    at_end: bool,
    rows: u64,
    bytes: u64,
}

impl<R: Read> Blocks<R> {
    /// `place` names the file in errors.
    pub(super) fn new(reader: R, place: Position) -> Self {
        let mut buffers = Buffers::new(BLOCK);
        Blocks {
            reader,
            place,
            buffer: buffers.take(),
            filled: 0,
            begin: 0,
            buffers,
            offset: 0,
            at_end: false,
            rows: 0,
            bytes: 0,
        }
    }

    /// Rows handed out.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of the rows handed out.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first row, with its line end.
    ///
    /// # Errors
    /// The file is empty, cannot be read, or does not begin with a row of at most [`BLOCK`] bytes.
    pub(super) fn header(&mut self) -> Result<Vec<u8>, SnapshotError> {
        self.fill(BLOCK)?;
        if self.filled == 0 {
            return Err(damaged(
                self.place.clone(),
                "the file is empty; even a table without rows has a line that names the columns",
            ));
        }
        let end = next_row(&self.buffer[..self.filled], 0, &mut Vec::new()).map_err(|error| {
            let reason = match error.kind {
                CsvErrorKind::NoLineEnd | CsvErrorKind::OpenQuote if !self.at_end => {
                    "its first line, which must name the columns, has no end".to_owned()
                }
                CsvErrorKind::NoLineEnd => {
                    return cut_off(
                        self.place.clone(),
                        format!("its first line, which names the columns, {NO_LINE_END}"),
                    );
                }
                _ => format!("its first line must name the columns, but {error}"),
            };
            damaged(self.place.clone(), reason)
        })?;
        self.begin = end;
        Ok(self.buffer[..end].to_vec())
    }

    /// The next block, `None` after the last.
    ///
    /// # Errors
    /// The file cannot be read, ends inside a row, or has a row that is larger than the run allows.
    pub(super) fn next(&mut self, head: &Arc<BlockHead>) -> Result<Option<Block>, SnapshotError> {
        self.next_within(bounds::row(), head)
    }

    /// As [`Blocks::next`], of rows of so many bytes at the most.
    fn next_within(
        &mut self,
        allowed: usize,
        head: &Arc<BlockHead>,
    ) -> Result<Option<Block>, SnapshotError> {
        let mut target = BLOCK;
        loop {
            self.fill(target)?;
            if self.at_end {
                self.finish()?;
                if self.begin == self.filled {
                    return Ok(None);
                }
            }
            let found = row_ends(&self.buffer[self.begin..self.filled]);
            let rows = RowEnds {
                rows: found.rows,
                end: match self.at_end {
                    true => self.filled,
                    false => self.begin + found.end,
                },
            };
            if rows.end > self.begin {
                return Ok(Some(self.hand_out(rows, head)));
            }
            // Where a row begins behind it nobody knows, so what follows cannot be read either.
            if self.filled - self.begin > allowed {
                let reason = bounds::too_long("the row", allowed);
                return Err(SnapshotError::TooLarge {
                    place: Box::new(self.at_row(1, self.begin)),
                    reason: format!(
                        "{reason}; a quote may be missing in it, or in a row before it"
                    ),
                    tables: Vec::new(),
                });
            }
            let most = (self.begin + allowed).saturating_add(BLOCK);
            target = (2 * self.filled.max(BLOCK)).min(most);
        }
    }

    /// Reads until the buffer holds `target` bytes or the file ends.
    fn fill(&mut self, target: usize) -> Result<(), SnapshotError> {
        if self.filled >= target || self.at_end {
            return Ok(());
        }
        let _decompress = timings::phase(Phase::Decompress);
        if self.buffer.len() < target {
            // Exact, so that a block holds no idle memory.
            self.buffer.reserve_exact(target - self.buffer.len());
            self.buffer.resize(target, 0);
        }
        while self.filled < target {
            let end = target.min(self.filled + PIECE);
            match self.reader.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let mut place = self.place.clone();
                    place.offset = Some(self.offset + self.filled as u64);
                    return Err(read_error(place, error));
                }
            }
        }
        Ok(())
    }

    /// At the end of the file: looks whether the last row is whole. COPY ends every row with a line end, so one that has
    /// none may lack the rest of its last field, too.
    fn finish(&mut self) -> Result<(), SnapshotError> {
        let rows = &self.buffer[self.begin..self.filled];
        if !memchr_iter(b'"', rows).count().is_multiple_of(2) {
            return Err(self.first_error());
        }
        if rows.last().is_some_and(|&byte| byte != b'\n') {
            let place = self.at_row(row_ends(rows).rows + 1, self.filled);
            return Err(cut_off(place, format!("its last row {NO_LINE_END}")));
        }
        Ok(())
    }

    /// Why the rest of the file, which holds an odd number of quotes, does not split into rows.
    fn first_error(&self) -> SnapshotError {
        let mut pos = self.begin;
        let mut fields = Vec::new();
        let mut row = 1;
        loop {
            match next_row(&self.buffer[..self.filled], pos, &mut fields) {
                Ok(next) if next < self.filled => pos = next,
                Err(error) => return damaged(self.at_row(row, error.at), error.to_string()),
                // Every row that `next_row` accepts has an even number of quotes.
                Ok(_) => {
                    return damaged(self.at_row(row, pos), CsvErrorKind::OpenQuote.to_string());
                }
            }
            row += 1;
        }
    }

    /// Hands out rows that end in the buffer.
    fn hand_out(&mut self, rows: RowEnds, head: &Arc<BlockHead>) -> Block {
        let RowEnds { rows, end } = rows;
        let rest = &self.buffer[end..self.filled];
        let mut next = self.buffers.take();
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        next[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
        let buffer = mem::replace(&mut self.buffer, next);
        let range = self.begin..end;
        let block = Block {
            head: Arc::clone(head),
            offset: self.offset + self.begin as u64,
            first_row: self.rows,
            buffer: self.buffers.lend(buffer),
            range,
            converted: None,
        };
        self.offset += end as u64;
        self.begin = 0;
        self.rows += rows;
        self.bytes += block.bytes().len() as u64;
        block
    }

    /// The place of the `nth` row from the next that is handed out (from 1), where `at` is a position in the buffer.
    fn at_row(&self, nth: u64, at: usize) -> Position {
        Position {
            row: Some(self.rows + nth),
            offset: Some(self.offset + at as u64),
            ..self.place.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::codec::row_form::RowForm;
    use crate::snapshot::table_name::TableName;

    fn head() -> Arc<BlockHead> {
        Arc::new(BlockHead {
            table: TableName::public("notes"),
            columns: vec!["id".to_owned(), "note".to_owned()],
            form: RowForm::Csv,
        })
    }

    /// As decoders fail: of what they made in the call that fails, nothing is given out.
    struct Failing {
        left: usize,
    }

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if into.len() > self.left {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "broken"));
            }
            self.left -= into.len();
            into.fill(b'\n');
            Ok(into.len())
        }
    }

    #[test]
    fn an_error_says_about_where_the_data_breaks() {
        let broken = 3 * BLOCK / 2;
        let mut blocks = Blocks::new(Failing { left: broken }, place());
        let error = loop {
            match blocks.next(&head()) {
                Ok(block) => assert!(block.is_some()),
                Err(error) => break error,
            }
        };
        let SnapshotError::Damaged { place, .. } = error else {
            panic!("{error}");
        };
        let at = place.offset.unwrap() as usize;
        assert!((broken - PIECE..=broken).contains(&at), "{at}");
    }

    fn place() -> Position {
        Position {
            member: Some("notes.csv".to_owned()),
            ..Position::default()
        }
    }

    /// The header, and each block's offset, first row and text.
    #[expect(
        clippy::type_complexity,
        reason = "a test's result, taken apart at once"
    )]
    fn read(text: &[u8]) -> Result<(Vec<u8>, Vec<(u64, u64, Vec<u8>)>), SnapshotError> {
        let mut blocks = Blocks::new(text, place());
        let header = blocks.header()?;
        let mut list = Vec::new();
        while let Some(block) = blocks.next(&head())? {
            list.push((block.offset, block.first_row, block.bytes().to_vec()));
        }
        let bytes: usize = list.iter().map(|(_, _, bytes)| bytes.len()).sum();
        assert_eq!(blocks.bytes(), bytes as u64);
        Ok((header, list))
    }

    fn message(text: &[u8]) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file_is_one_block() {
        let (header, blocks) = read(b"id,note\n1,\"a\nb\"\n2,\n").unwrap();
        assert_eq!(header, b"id,note\n");
        assert_eq!(blocks, [(8, 0, b"1,\"a\nb\"\n2,\n".to_vec())]);
    }

    #[test]
    fn a_header_alone_has_no_blocks() {
        for text in ["id,note\n", "id,note\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap().1, [], "{text:?}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_but_behind_a_row_is_an_error() {
        let text = b"id,note\n1,ab\n2,\"c,\nd\"\"\"\n3,\n";
        for cut in 0..text.len() {
            let is_whole = cut > 0 && text[cut - 1] == b'\n' && cut != 19;
            assert_eq!(read(&text[..cut]).is_ok(), is_whole, "cut at {cut}");
        }
        for (cut, parts) in [
            (4, ["notes.csv", "first line", "no line end"]),
            (11, ["notes.csv, row 1, byte 11", "cut off", "put it back"]),
            (23, ["notes.csv, row 2, byte 23", "no line end", "cut off"]),
        ] {
            let message = message(&text[..cut]);
            for part in parts {
                assert!(message.contains(part), "cut at {cut}: {message}");
            }
        }
    }

    #[test]
    fn blocks_join_to_the_file_and_count_its_rows() {
        let mut text = b"id,note\n".to_vec();
        let mut starts = Vec::new();
        for id in 0..30_000 {
            starts.push(text.len() as u64);
            let note = "line\n\"\"quoted\"\", ".repeat(id % 17);
            text.extend_from_slice(format!("{id},\"{note}\"\n").as_bytes());
        }
        let (_, blocks) = read(&text).unwrap();
        assert!(blocks.len() > 2);
        let mut joined = text[..8].to_vec();
        for (offset, first_row, bytes) in blocks {
            assert_eq!(offset, joined.len() as u64);
            assert_eq!(starts[first_row as usize], offset);
            joined.extend_from_slice(&bytes);
        }
        assert!(joined == text);
    }

    #[test]
    fn a_row_larger_than_a_block_stays_whole() {
        let large = format!("1,\"{}\"\n", "\n,\"\"".repeat(BLOCK / 3));
        let text = format!("id,note\n{large}2,b\n{large}3,c\n");
        let (_, blocks) = read(text.as_bytes()).unwrap();
        let joined: Vec<u8> = blocks
            .iter()
            .flat_map(|(_, _, bytes)| bytes.clone())
            .collect();
        assert!(joined == text.as_bytes()[8..]);
        assert!(blocks.iter().all(|(_, _, bytes)| row_ends(bytes).rows > 0));
        assert!(blocks.len() > 1);
    }

    #[test]
    fn damage_names_the_row() {
        let cases: [(&str, &[u8], &[&str]); 5] = [
            ("empty file", b"", &["notes.csv", "empty"]),
            (
                "header inside quotes",
                b"id,\"note",
                &["first line", "quoted field"],
            ),
            (
                "end inside quotes",
                b"id,note\n1,a\n2,\"b\n",
                &["row 2", "byte 17", "ends inside a quoted"],
            ),
            (
                "a stray quote",
                b"id,note\n1,a\n2,b\"\n3,c\n",
                &["row 2", "byte 15", "unquoted field"],
            ),
            (
                "end after a doubled quote",
                b"id,note\n1,\"\"\"",
                &["row 1", "ends inside a quoted"],
            ),
        ];
        for (name, text, expected) in cases {
            let message = message(text);
            for part in expected {
                assert!(message.contains(part), "{name}: {message}");
            }
        }
    }

    #[test]
    fn a_quote_that_never_closes_is_kept_no_longer_than_a_row_may_be() {
        let text = format!("id,note\n1,a\n2,\"{}", "b\n".repeat(4 * BLOCK));
        let mut blocks = Blocks::new(text.as_bytes(), place());
        blocks.header().unwrap();
        let first = blocks.next_within(3 * BLOCK, &head()).unwrap().unwrap();
        assert_eq!(first.bytes(), b"1,a\n");
        let error = blocks.next_within(3 * BLOCK, &head()).unwrap_err();
        assert!(matches!(error, SnapshotError::TooLarge { .. }), "{error}");
        for part in [
            "notes.csv, row 2, byte 12",
            "3MiB",
            "--max-row",
            "quote may be missing",
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(blocks.buffer.capacity() <= 5 * BLOCK);
    }

    #[test]
    fn a_header_without_an_end_is_refused() {
        let text = vec![b'a'; BLOCK + 1];
        assert!(message(&text).contains("has no end"));
    }
}
