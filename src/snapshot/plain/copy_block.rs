//! One block of `COPY … FROM stdin`: its header, its rows and its end.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::snapshot::chunks::Chunk;
use crate::snapshot::ddl::{Ddl, Tokens};
use crate::snapshot::inserts::column_list;
use crate::snapshot::sql_text::{Token, tokens};
use crate::snapshot::{Block, BlockHead, Event, Sink, TableEnd, TableName};

/// What a `COPY` statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::snapshot) struct CopyHead {
    pub(in crate::snapshot) table: TableName,
    pub(in crate::snapshot) columns: Option<Vec<String>>,
}

/// Reads `COPY table [(columns)] FROM stdin;`.
///
/// # Errors
/// What cannot be read about any other form of `COPY`.
pub(in crate::snapshot) fn head(statement: &[u8], ddl: &Ddl) -> Result<CopyHead, &'static str> {
    const OTHER_FORM: &str = "only COPY of a table FROM stdin is known";
    let mut tokens = Tokens::new(tokens(statement));
    tokens.accept("copy");
    let table = ddl.name(&mut tokens).ok_or(OTHER_FORM)?;
    let columns = match tokens.accept_symbol(b'(') {
        true => Some(column_list(&mut tokens).ok_or(OTHER_FORM)?),
        false => None,
    };
    if !tokens.accept("from") {
        return Err(OTHER_FORM);
    }
    if let Some(Token::Text(_)) = tokens.peek() {
        return Err(
            "its rows stand in another file, as in restore.sql of a tar archive; give the archive itself",
        );
    }
    if !tokens.accept("stdin") {
        return Err(OTHER_FORM);
    }
    tokens.accept("with");
    // FREEZE changes nothing in the rows. pg_dump writes no option at all.
    let frozen =
        tokens.accept_symbol(b'(') && tokens.accept("freeze") && tokens.accept_symbol(b')');
    if frozen || tokens.accept("freeze") || tokens.peek() == Some(&Token::Symbol(b';')) {
        return Ok(CopyHead { table, columns });
    }
    Err("only COPY's text format without options is read in SQL text; dump with pg_dump")
}

/// A block that is being read.
pub(in crate::snapshot) struct CopyBlock {
    /// The table that the block names, and the root of its tree.
    pub(in crate::snapshot) table: TableName,
    pub(in crate::snapshot) root: TableName,
    /// Where rows are wanted, their head.
    pub(in crate::snapshot) head: Option<Arc<BlockHead>>,
    /// How many columns the rows have, where that is known.
    pub(in crate::snapshot) columns: Option<usize>,
    pub(in crate::snapshot) rows: u64,
    pub(in crate::snapshot) bytes: u64,
    pub(in crate::snapshot) end: Finder<'static>,
}

/// What came of a chunk.
pub(in crate::snapshot) enum Progress {
    /// The block goes on in the next chunk.
    More,
    /// It ended; the text goes on here.
    Ended(usize),
    /// The stream ends inside the block.
    Cut,
    /// A row has too few or too many columns: its number from 1, and where in the chunk it begins.
    WrongRow(u64, usize),
    /// The sink wants no more.
    Stopped,
}

impl CopyBlock {
    /// Takes rows from `start` on, which is a line's start.
    pub(in crate::snapshot) fn rows(
        &mut self,
        chunk: &Chunk,
        start: usize,
        sink: Sink<'_>,
    ) -> Progress {
        let bytes = chunk.bytes();
        let rest = &bytes[start..];
        let (range, next) = if rest.starts_with(b"\\.\n") {
            (start..start, Some(start + 3))
        } else if let Some(found) = self.end.find(rest) {
            (start..start + found + 1, Some(start + found + 4))
        } else if rest == b"\\." || rest.ends_with(b"\n\\.") {
            // The stream's last line, which lacks its end.
            (start..bytes.len() - 2, Some(bytes.len()))
        } else if rest.is_empty() || rest.ends_with(b"\n") {
            (start..bytes.len(), None)
        } else {
            self.rows += memchr::memchr_iter(b'\n', rest).count() as u64;
            return Progress::Cut;
        };
        let rows = memchr::memchr_iter(b'\n', &bytes[range.clone()]).count() as u64;
        let block_offset = chunk.offset_of(range.start);
        if let Some(head) = &self.head {
            if !range.is_empty() {
                let block = Block {
                    head: head.clone(),
                    buffer: chunk.buffer.clone(),
                    range: range.clone(),
                    offset: block_offset,
                    first_row: self.rows,
                    converted: chunk.converted.clone(),
                };
                if sink(Event::Rows(block)) == ControlFlow::Break(()) {
                    return Progress::Stopped;
                }
            }
        } else if let Some((row, place)) = self.wrong_row(bytes, range.clone(), rows) {
            return Progress::WrongRow(self.rows + row, place);
        }
        self.rows += rows;
        self.bytes += range.len() as u64;
        match next {
            None => Progress::More,
            Some(next) => {
                let end = TableEnd {
                    table: self.root.clone(),
                    rows: self.rows,
                    bytes: self.bytes,
                };
                match sink(Event::End(end)) {
                    ControlFlow::Continue(()) => Progress::Ended(next),
                    ControlFlow::Break(()) => Progress::Stopped,
                }
            }
        }
    }

    /// Looks whether rows that nobody else will look at have as many columns as they should.
    fn wrong_row(&self, bytes: &[u8], range: Range<usize>, rows: u64) -> Option<(u64, usize)> {
        let tabs = self.columns?.saturating_sub(1) as u64;
        let found = memchr::memchr_iter(b'\t', &bytes[range.clone()]).count() as u64;
        if found == rows * tabs {
            return None;
        }
        let mut place = range.start;
        for (index, line) in bytes[range]
            .split_inclusive(|&byte| byte == b'\n')
            .enumerate()
        {
            if memchr::memchr_iter(b'\t', line).count() as u64 != tabs {
                return Some((index as u64 + 1, place));
            }
            place += line.len();
        }
        None
    }
}
