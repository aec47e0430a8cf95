//! One block of `COPY … FROM stdin`: its header, its rows and its end.
//!
//! Lines may end with CR LF: in COPY text no value holds either byte, so nothing is lost by that.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use memchr::memmem::Finder;

use super::copy_form::{CopyForm, OTHER_LINE_END};
use crate::bounds;
use crate::snapshot::block::Block;
use crate::snapshot::codec::chunks::{Chunk, Piece};
use crate::snapshot::codec::long_line::LongLine;
use crate::snapshot::error::Position;
use crate::snapshot::event::Sink;
use crate::snapshot::owners::Owners;
use crate::snapshot::sql::ddl::{Ddl, Tokens};
use crate::snapshot::sql::inserts::column_list;
use crate::snapshot::sql::text::{Token, tokens};
use crate::snapshot::table_name::TableName;

/// What a `COPY` statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Copy {
    /// Rows of a table follow.
    Rows(CopyHead),
    /// Rows of a table come from somewhere else, for the reason that is given.
    Elsewhere(TableName, &'static str),
    /// It writes rows, and changes none.
    Out,
}

/// What a `COPY` statement says of the rows that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyHead {
    pub(crate) table: TableName,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) form: CopyForm,
}

/// Reads `COPY table [(columns)] FROM stdin [options];`.
///
/// # Errors
/// What cannot be understood.
pub(crate) fn head(statement: &[u8], ddl: &Ddl) -> Result<Copy, &'static str> {
    const OTHER_FORM: &str = "only COPY of a table FROM stdin is known";
    let mut tokens = Tokens::new(tokens(statement));
    tokens.accept("copy");
    if tokens.peek() == Some(&Token::Symbol(b'(')) {
        return Ok(Copy::Out);
    }
    let table = ddl.known_name(&mut tokens).ok_or(OTHER_FORM)?;
    let columns = match tokens.accept_symbol(b'(') {
        true => Some(column_list(&mut tokens).ok_or(OTHER_FORM)?),
        false => None,
    };
    let mut form = CopyForm::default();
    if tokens.accept("with") && tokens.accept("oids") {
        form.oids = true;
    }
    if tokens.accept("to") {
        return Ok(Copy::Out);
    }
    if !tokens.accept("from") {
        return Err(OTHER_FORM);
    }
    if tokens.accept("program") {
        return Ok(Copy::Elsewhere(table, "its rows come from a program"));
    }
    if !(tokens.accept("stdin") || tokens.accept("pstdin")) {
        return Ok(Copy::Elsewhere(
            table,
            "its rows stand in another file, as in restore.sql of a tar archive; give the archive itself",
        ));
    }
    form.options(&mut tokens)?;
    Ok(Copy::Rows(CopyHead {
        table,
        columns,
        form,
    }))
}

/// A block that is being read.
pub(crate) struct CopyBlock {
    /// The table that the block names.
    pub(crate) table: TableName,
    pub(crate) owners: Owners,
    /// How many columns the rows have, where that is known.
    pub(crate) columns: Option<usize>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    form: CopyForm,
    /// A row with the columns' names is still to come.
    header_comes: bool,
    /// Lines end with CR LF, as after a terminal or a program of Windows. Known from the first line on.
    crlf: Option<bool>,
    end: Finder<'static>,
}

/// What came of a chunk.
pub(crate) enum Progress {
    /// The block goes on in the next chunk.
    More,
    /// It ended; the text goes on here.
    Ended(usize),
    /// The stream ends inside the block.
    Cut,
    /// A row is not what it should be: its number from 1, where in the chunk it begins, and why.
    WrongRow(u64, usize, &'static str),
    /// A row that nobody wants has too few or too many columns. The block looks at its rows no more, and goes on where it
    /// was.
    UnneededRow(u64, usize),
    /// The sink wants no more.
    Stopped,
}

/// What came of a piece of a long line.
pub(crate) enum Pieced {
    /// Nothing so far.
    More,
    /// The whole line, of a table that is wanted.
    Line(Chunk),
    /// As [`Progress::UnneededRow`], with where it stands in the stream.
    UnneededRow(u64, u64),
    /// The sink wants no more.
    Stopped,
}

/// Where the rows in a chunk are, and where the text goes on where they end in it.
type Found = (Range<usize>, Option<usize>);

impl CopyBlock {
    /// A block of which nothing has been read. `columns` says how many its rows have, where that is known.
    pub(crate) fn new(
        table: TableName,
        owners: Owners,
        columns: Option<usize>,
        form: CopyForm,
    ) -> Self {
        CopyBlock {
            table,
            owners,
            columns,
            rows: 0,
            bytes: 0,
            header_comes: form.header,
            form,
            crlf: None,
            end: Finder::new(b"\n\\.\n"),
        }
    }

    /// Looks for the rows from `start` on, which is a line's start. `None` where the stream ends inside of one.
    fn find(&mut self, bytes: &[u8], start: usize) -> Option<Found> {
        let rest = &bytes[start..];
        if self.crlf.is_none() && !rest.is_empty() {
            let first = memchr::memchr(b'\n', rest).map_or(rest, |end| &rest[..end]);
            self.see_line_end(first.ends_with(b"\r"));
        }
        // The line that ends the rows, without its own beginning.
        let line = &self.end.needle()[1..];
        if rest.starts_with(line) {
            Some((start..start, Some(start + line.len())))
        } else if let Some(found) = self.end.find(rest) {
            Some((
                start..start + found + 1,
                Some(start + found + 1 + line.len()),
            ))
        } else if let Some(last) = [&b"\\."[..], b"\\.\r"]
            .into_iter()
            .find(|last| rest.strip_suffix(*last).is_some_and(ends_a_line))
        {
            // The stream's last line, which lacks its end.
            Some((start..bytes.len() - last.len(), Some(bytes.len())))
        } else if ends_a_line(rest) {
            Some((start..bytes.len(), None))
        } else {
            None
        }
    }

    /// Takes rows from `start` on, which is a line's start.
    pub(crate) fn rows(&mut self, chunk: &Chunk, start: usize, sink: Sink<'_>) -> Progress {
        let bytes = chunk.bytes();
        let Some((mut range, next)) = self.find(bytes, start) else {
            self.rows += memchr::memchr_iter(b'\n', &bytes[start..]).count() as u64;
            return Progress::Cut;
        };
        if self.header_comes
            && let Some(length) = memchr::memchr(b'\n', &bytes[range.clone()])
        {
            self.header_comes = false;
            range.start += length + 1;
        }
        let crlf = self.crlf == Some(true);
        if !crlf && bytes[range.clone()].ends_with(b"\r\n") {
            let last = bytes[range.start..range.end - 1]
                .iter()
                .rposition(|&byte| byte == b'\n');
            let place = range.start + last.map_or(0, |last| last + 1);
            let before = memchr::memchr_iter(b'\n', &bytes[range.start..place]).count() as u64;
            return Progress::WrongRow(self.rows + before + 1, place, OTHER_LINE_END);
        }
        let rows = memchr::memchr_iter(b'\n', &bytes[range.clone()]).count() as u64;
        if self.owners.are_wanted() {
            if !range.is_empty() {
                let (buffer, part, converted) = if crlf || !self.form.is_plain() {
                    let mut plain = Vec::with_capacity(range.len());
                    let rewritten = self.form.rewrite(&bytes[range.clone()], crlf, &mut plain);
                    if let Err((row, place, reason)) = rewritten {
                        let row = self.rows + row + 1;
                        return Progress::WrongRow(row, range.start + place, reason);
                    }
                    let part = 0..plain.len();
                    (Arc::new(plain), part, None)
                } else {
                    let converted = chunk.converted.clone();
                    (chunk.buffer.clone(), range.clone(), converted)
                };
                let block = |head| Block {
                    head,
                    buffer: buffer.clone(),
                    range: part.clone(),
                    offset: chunk.offset_of(range.start),
                    first_row: self.rows,
                    converted: converted.clone(),
                };
                if self.owners.rows(block, sink).is_break() {
                    return Progress::Stopped;
                }
            }
        } else if let Some((row, place)) = self.wrong_row(bytes, range.clone(), rows) {
            // It was told: the rows after it are stepped over.
            self.columns = None;
            return Progress::UnneededRow(self.rows + row, place);
        }
        self.rows += rows;
        self.bytes += range.len() as u64;
        match next {
            None => Progress::More,
            Some(next) => match self.owners.end(self.rows, self.bytes, sink) {
                ControlFlow::Continue(()) => Progress::Ended(next),
                ControlFlow::Break(()) => Progress::Stopped,
            },
        }
    }

    /// Takes a piece of a line that is too long for one chunk, which `line` is or becomes: only rows that are wanted are put
    /// together. Gives the line once it is whole and wanted, as a chunk to go on with.
    pub(crate) fn piece(
        &mut self,
        line: &mut Option<LongLine>,
        chunk: &Chunk,
        member: Option<&String>,
        sink: Sink<'_>,
    ) -> Pieced {
        let allowed = bounds::row();
        let begun = line.get_or_insert_with(|| LongLine::new(chunk, self.owners.are_wanted()));
        if !begun.push(chunk, allowed) {
            let place = Position {
                member: member.cloned(),
                table: Some(self.table.to_string()),
                row: Some(self.rows + 1),
                offset: Some(begun.offset()),
                line: None,
            };
            let reason = bounds::too_long("the row", allowed);
            if self.owners.too_large(place, reason, sink).is_break() {
                return Pieced::Stopped;
            }
        }
        if chunk.piece == Piece::More {
            return Pieced::More;
        }
        match line.take() {
            None => Pieced::More,
            Some(line) => self.long_line(line),
        }
    }

    /// Takes a long line all of which has come.
    fn long_line(&mut self, line: LongLine) -> Pieced {
        let (offset, length, tabs) = (line.offset(), line.length(), line.tabs());
        let (is_whole, crlf) = (line.is_whole(), line.ends_with_crlf());
        if let Some(chunk) = line.into_chunk() {
            return Pieced::Line(chunk);
        }
        if !is_whole {
            // The stream ends in it, which its end will tell.
            return Pieced::More;
        }
        self.see_line_end(crlf);
        if std::mem::take(&mut self.header_comes) {
            return Pieced::More;
        }
        self.rows += 1;
        self.bytes += length;
        match self.tabs().filter(|_| !self.owners.are_wanted()) {
            Some(expected) if expected != tabs => {
                self.columns = None;
                Pieced::UnneededRow(self.rows, offset)
            }
            Some(_) | None => Pieced::More,
        }
    }

    /// Tabs in a row, if that is known and can be told from the bytes.
    fn tabs(&self) -> Option<u64> {
        if self.form.unread.is_some() || self.form.delimiter != b'\t' {
            return None;
        }
        Some(match (self.columns?, self.form.oids) {
            (columns, true) => columns,
            (columns, false) => columns.saturating_sub(1),
        } as u64)
    }

    /// The first line says how all of them end.
    fn see_line_end(&mut self, crlf: bool) {
        if self.crlf.is_none() {
            if crlf {
                self.end = Finder::new(b"\n\\.\r\n");
            }
            self.crlf = Some(crlf);
        }
    }

    /// Looks whether rows that nobody else will look at have as many columns as they should.
    fn wrong_row(&self, bytes: &[u8], range: Range<usize>, rows: u64) -> Option<(u64, usize)> {
        let tabs = self.tabs()?;
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

/// True for whole lines, none among them.
fn ends_a_line(text: &[u8]) -> bool {
    text.is_empty() || text.ends_with(b"\n")
}
