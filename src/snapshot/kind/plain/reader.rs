//! The state machine that goes through a plain dump, chunk by chunk.

mod copy_statements;
mod ending;
mod insert_statements;
mod long_lines;
mod psql_lines;
mod statements;

use std::ops::ControlFlow;
use std::sync::Arc;

use super::changes::Changes;
use super::copy_block::{CopyBlock, Progress};
use super::databases::Databases;
use super::insert_run::InsertRun;
use crate::bounds;
use crate::snapshot::block::BlockHead;
use crate::snapshot::catalog::{Catalog, Table};
use crate::snapshot::codec::chunks::{Chunk, Origin, Piece};
use crate::snapshot::codec::long_line::LongLine;
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::facts::SnapshotFacts;
use crate::snapshot::owners::Owners;
use crate::snapshot::sql::ddl::Ddl;
use crate::snapshot::sql::frame::DumpFrame;
use crate::snapshot::sql::start::begins_like_sql;
use crate::snapshot::sql::text::{Scanner, Stop};
use crate::snapshot::table_name::TableName;

/// Bytes before the first line of SQL that may be something else: messages of psql, ssh or docker.
const NOISE: u64 = 64 * 1024;

/// Where in the dump the reader stands.
enum State {
    /// Before the first line that looks like SQL.
    Noise,
    /// Between statements.
    Between,
    /// In a statement that is looked at when it is whole.
    Statement,
    /// In an `INSERT`, before its rows.
    InsertHead,
    /// In the rows of an `INSERT`, where this is expected next.
    InsertRows(Expected),
    /// Behind the rows of an `INSERT`, in what is no comma and no semicolon.
    InsertTail,
    /// In a comment `/* … */`; what it stands in goes on behind it.
    Comment(Within),
    Copy(Box<CopyBlock>),
}

/// What comes next in the rows of an `INSERT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A row, in parentheses.
    Row,
    /// The rest of a row that has begun.
    RowEnd,
    /// A comma, the statement's end, or what may follow the rows.
    Comma,
}

/// What a comment stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Text,
    Rows(Expected),
}

/// What a step came to.
enum Step {
    /// The text goes on here.
    At(usize),
    /// The chunk is used up.
    NextChunk,
    /// The sink wants no more.
    Stopped,
}

pub(crate) struct Reader<'a> {
    origin: Origin,
    wanted: TableFilter<'a>,
    sink: Sink<'a>,
    state: State,
    scanner: Scanner,
    ddl: Ddl,
    frame: DumpFrame,
    databases: Databases,
    changes: Changes,
    /// Statements that have the database run code: the kind of the first, where it stands, and how many there are.
    code: Option<(&'static str, u64, u64)>,
    /// The last line end between statements was CR LF.
    crlf: bool,
    /// The part of a statement that earlier chunks held, and where it begins in the stream.
    pending: Vec<u8>,
    pending_offset: u64,
    /// The line that is too long for one chunk, while its pieces come.
    long: Option<LongLine>,
    /// The row of an `INSERT` that is being read was told to be too large.
    over_bound: bool,
    /// The run of inserts that the last statement belonged to.
    run: Option<InsertRun>,
    /// The catalog as it was told, once it was.
    told: Option<Arc<Catalog>>,
    any_table: bool,
    /// False for the statements of one table, out of an archive.
    is_whole: bool,
    /// Bytes of the stream that have gone by.
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads only statements with rows, whose tables are all in `ddl`. The catalog is not told.
    pub(crate) fn of_rows(
        origin: Origin,
        table: &TableName,
        ddl: Ddl,
        wanted: TableFilter<'a>,
        sink: Sink<'a>,
    ) -> Self {
        let mut reader = Reader::new(origin, wanted, sink);
        reader.frame.begin_section(table.clone());
        reader.state = State::Between;
        reader.any_table = true;
        reader.is_whole = false;
        reader.scanner.escapes_everywhere = ddl.escapes_everywhere();
        reader.told = Some(Arc::new(ddl.catalog().clone()));
        reader.ddl = ddl;
        reader
    }

    pub(crate) fn new(origin: Origin, wanted: TableFilter<'a>, sink: Sink<'a>) -> Self {
        Reader {
            origin,
            wanted,
            sink,
            state: State::Noise,
            scanner: Scanner::default(),
            ddl: Ddl::default(),
            frame: DumpFrame::default(),
            databases: Databases::default(),
            changes: Changes::default(),
            code: None,
            crlf: false,
            pending: Vec::new(),
            pending_offset: 0,
            long: None,
            over_bound: false,
            run: None,
            told: None,
            any_table: false,
            is_whole: true,
            offset: 0,
        }
    }

    /// Goes through a chunk.
    pub(crate) fn chunk(&mut self, chunk: &Chunk) -> Result<ControlFlow<()>, SnapshotError> {
        match chunk.piece {
            Piece::Lines => self.lines(chunk),
            Piece::More | Piece::Last => self.piece(chunk),
        }
    }

    /// Goes through whole lines.
    fn lines(&mut self, chunk: &Chunk) -> Result<ControlFlow<()>, SnapshotError> {
        let mut encoding = self.ddl.encoding();
        let mut converted = chunk.in_utf8(encoding, 0);
        let mut place = 0;
        loop {
            let text = converted.as_ref().unwrap_or(chunk);
            if place >= text.len {
                break;
            }
            let from = place;
            // Whoever reads the rows of a COPY looks for them there. Those that nobody needs end at a line that cannot be gone
            // without the next table missing its data.
            let in_copy = matches!(self.state, State::Copy(_));
            let step = self.step(text, place)?;
            let to = match step {
                Step::At(next) => next,
                Step::NextChunk | Step::Stopped => text.len,
            };
            if !in_copy {
                self.check_zero_bytes(text, from..to)?;
            }
            match step {
                Step::At(next) => place = next,
                Step::NextChunk => break,
                Step::Stopped => return Ok(ControlFlow::Break(())),
            }
            if self.ddl.encoding() != encoding {
                // A statement said that what follows it is in another encoding.
                let from = (text.offset_of(place) - chunk.offset) as usize;
                encoding = self.ddl.encoding();
                converted = chunk.in_utf8(encoding, from);
                place = if converted.is_some() { 0 } else { from };
            }
        }
        self.offset = chunk.offset + chunk.len as u64;
        Ok(ControlFlow::Continue(()))
    }

    /// Makes sure that nothing wrote over a part of a chunk: what followed a comment or a statement may be gone with it.
    fn check_zero_bytes(
        &self,
        chunk: &Chunk,
        part: std::ops::Range<usize>,
    ) -> Result<(), SnapshotError> {
        let bytes = chunk.bytes().get(part.clone()).unwrap_or_default();
        match memchr::memchr(0, bytes) {
            None => Ok(()),
            Some(at) => {
                let reason = "a zero byte stands outside of COPY's rows: something wrote over the dump; \
                              copy it again from where it was made";
                let offset = chunk.offset_of(part.start + at);
                Err(self.damaged(None, None, offset, reason))
            }
        }
    }

    fn step(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        match &mut self.state {
            State::Noise => self.noise(chunk, place),
            State::Between => self.between(chunk, place),
            State::Copy(block) => {
                let progress = block.rows(chunk, place, self.sink);
                let (table, rows) = (block.table.to_string(), block.rows);
                match progress {
                    Progress::More => Ok(Step::NextChunk),
                    Progress::Stopped => Ok(Step::Stopped),
                    Progress::Ended(next) => {
                        self.state = State::Between;
                        Ok(Step::At(next))
                    }
                    Progress::Cut => {
                        let offset = chunk.offset_of(chunk.len);
                        Err(self.cut_off(Some(table), Some(rows + 1), offset))
                    }
                    Progress::WrongRow(row, place, reason) => {
                        let offset = chunk.offset_of(place);
                        Err(self.damaged(Some(table), Some(row), offset, reason))
                    }
                    Progress::UnneededRow(row, wrong) => {
                        let offset = chunk.offset_of(wrong);
                        let reason = "the row has too few or too many columns";
                        let damage = self.damaged(Some(table), Some(row), offset, reason);
                        match (self.sink)(Event::Damage(damage)) {
                            ControlFlow::Continue(()) => Ok(Step::At(place)),
                            ControlFlow::Break(()) => Ok(Step::Stopped),
                        }
                    }
                }
            }
            State::Statement => self.statement(chunk, place),
            State::InsertHead => self.insert_head(chunk, place),
            State::InsertRows(expected) => {
                let expected = *expected;
                self.insert_rows(chunk, place, expected)
            }
            State::InsertTail => self.insert_tail(chunk, place),
            State::Comment(within) => {
                let within = *within;
                let end = self.scanner.scan(chunk.bytes(), place, Stop::Comment);
                Ok(end.map_or(Step::NextChunk, |end| {
                    self.state = match within {
                        Within::Text => State::Between,
                        Within::Rows(expected) => State::InsertRows(expected),
                    };
                    Step::At(end)
                }))
            }
        }
    }

    /// Steps over lines until one looks like SQL.
    fn noise(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let bytes = chunk.bytes();
        let rest = &bytes[place..];
        let offset = chunk.offset_of(place);
        if offset == 0 {
            // PowerShell's `>` writes UTF-16.
            if rest.starts_with(b"\xff\xfe") || rest.starts_with(b"\xfe\xff") {
                return Err(self.not_a_snapshot(
                    "it is UTF-16 text: let pg_dump write the file itself, with -f",
                ));
            }
            if rest.starts_with(b"\xef\xbb\xbf") {
                return Ok(Step::At(place + 3));
            }
        }
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        if begins_like_sql(&rest[..end]) {
            self.state = State::Between;
            return Ok(Step::At(place));
        }
        if offset > NOISE || rest[..end].contains(&0) {
            return Err(self.not_a_snapshot("it does not begin like a dump"));
        }
        Ok(Step::At(place + end))
    }

    /// Looks what comes next.
    fn between(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let bytes = chunk.bytes();
        let rest = &bytes[place..];
        let space = rest.iter().position(|byte| !byte.is_ascii_whitespace());
        let before = &rest[..space.unwrap_or(rest.len())];
        if let Some(end) = memchr::memchr(b'\n', before) {
            self.crlf = before[..end].ends_with(b"\r");
        }
        match space {
            None => return Ok(Step::NextChunk),
            Some(0) => {}
            Some(space) => return Ok(Step::At(place + space)),
        }
        if rest.starts_with(b"--") {
            // For PostgreSQL a CR ends a comment, too.
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            // Rows under another heading may stand in another table, though the statements look alike.
            if self.frame.comment(&rest[..end]) && self.end_run().is_none() {
                return Ok(Step::Stopped);
            }
            return Ok(Step::At(place + end));
        }
        if rest.starts_with(b"/*") {
            self.scanner.open_comment();
            self.state = State::Comment(Within::Text);
            return Ok(Step::At(place + 2));
        }
        if rest[0] == b'\\' {
            return self.psql_line(chunk, place);
        }
        self.pending.clear();
        self.pending_offset = chunk.offset_of(place);
        if rest
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"insert"))
        {
            self.state = State::InsertHead;
            // Most statements of a run begin alike, and need not be read again.
            if let Some(run) = self
                .run
                .as_ref()
                .filter(|run| !run.text.is_empty() && rest.starts_with(&run.text))
            {
                let next = place + run.text.len();
                self.state = State::InsertRows(Expected::Row);
                return Ok(Step::At(next));
            }
            return Ok(Step::At(place));
        }
        self.state = State::Statement;
        self.end_run()
            .map_or(Ok(Step::Stopped), |()| Ok(Step::At(place)))
    }

    /// Ends the run of inserts, if there is one. `None` if the sink wants no more.
    fn end_run(&mut self) -> Option<()> {
        let Some(run) = self.run.take() else {
            return Some(());
        };
        run.end(self.sink).is_continue().then_some(())
    }

    /// Looks for the end of what is being read. Gives its text, if it ends in this chunk, and the place after it.
    /// What earlier chunks held of it comes first.
    fn scan<'c>(
        &mut self,
        chunk: &'c Chunk,
        place: usize,
        stop: Stop,
    ) -> Result<Option<(Text<'c>, usize)>, SnapshotError> {
        let bytes = chunk.bytes();
        let Some(end) = self.scanner.scan(bytes, place, stop) else {
            self.keep(&bytes[place..])?;
            return Ok(None);
        };
        if self.scanner.at_command {
            return self.psql_end(chunk, place, end).map(Some);
        }
        if self.pending.is_empty() {
            return Ok(Some((Text::Chunk(&bytes[place..end]), end)));
        }
        // What it ends with is part of a chunk, so that it need not be measured.
        self.pending.extend_from_slice(&bytes[place..end]);
        Ok(Some((
            Text::Pending(std::mem::take(&mut self.pending)),
            end,
        )))
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), SnapshotError> {
        if self.pending.len() + part.len() > bounds::row() {
            return Err(self.too_long("the statement", self.pending_offset));
        }
        self.pending.extend_from_slice(part);
        Ok(())
    }

    /// Columns in the order of a table's definition.
    fn columns_of(&self, table: &TableName, with_generated: bool) -> Option<Vec<String>> {
        let catalog = self.ddl.catalog();
        let columns = catalog
            .table(table)?
            .columns
            .iter()
            .map(|column| column.name.clone());
        Some(
            columns
                .filter(|column| with_generated || !catalog.is_generated(table, column))
                .collect(),
        )
    }

    /// The tables that data of `table` belongs to, with these columns.
    fn owners(
        &self,
        table: &TableName,
        columns: Option<Vec<String>>,
    ) -> Result<Owners, SnapshotError> {
        let unsupported = |reason: &str| SnapshotError::Unsupported {
            what: format!("the data of table {table}"),
            reason: reason.into(),
        };
        let catalog = self.ddl.catalog();
        let owners = Owners::new(catalog, table, self.wanted, |holder| {
            let columns = columns.clone().ok_or_else(|| {
                unsupported(
                    "its columns are not named, and the dump has no definition of the table before it",
                )
            })?;
            // Whoever has the catalog that was told would take the table for one without types, or without these rows.
            if let Some(told) = &self.told
                && catalog.table(&holder).is_some()
            {
                let in_parts = |known: &Table| known.partitioned || told.has_children(&holder);
                match told.table(&holder) {
                    Some(known) if holder == *table || in_parts(known) => {}
                    _ => return Err(self.defined_too_late(table)),
                }
            }
            Ok(Arc::new(BlockHead {
                table: holder,
                columns,
                form: RowForm::CopyText,
            }))
        })?;
        Ok(owners)
    }

    fn defined_too_late(&self, table: &TableName) -> SnapshotError {
        let reason = "the table is defined after the data of another; dump with pg_dump";
        self.unsupported(&format!("the data of table {table}"), reason)
    }

    /// Notes that a table or its data comes.
    fn table_seen(&mut self) -> Result<(), SnapshotError> {
        self.any_table = true;
        self.databases
            .table_seen()
            .map_err(|(first, second)| SnapshotError::Unsupported {
                what: format!("a dump of several databases ({first}, {second})"),
                reason: "one snapshot is one database: dump it alone with pg_dump".into(),
            })
    }

    fn tell_catalog(&mut self) -> ControlFlow<()> {
        if self.told.is_some() {
            return ControlFlow::Continue(());
        }
        let catalog = Arc::new(self.ddl.catalog().clone());
        self.told = Some(catalog.clone());
        let facts = SnapshotFacts {
            is_of_cluster: self.frame.is_of_cluster() || self.databases.are_several(),
            ..self.frame.facts.clone()
        };
        (self.sink)(Event::Catalog(catalog, facts))
    }
}

/// A statement's text, in the chunk or put together from several.
enum Text<'c> {
    Chunk(&'c [u8]),
    Pending(Vec<u8>),
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Chunk(bytes) => bytes,
            Text::Pending(bytes) => bytes,
        }
    }
}
