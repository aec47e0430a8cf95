//! The state machine that goes through a plain dump, chunk by chunk.

mod insert_statements;

use std::ops::ControlFlow;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::copy_block::{self, CopyBlock, Progress};
use super::databases::Databases;
use super::insert_run::InsertRun;
use crate::snapshot::chunks::{Chunk, LONGEST_LINE, Origin};
use crate::snapshot::ddl::{Ddl, first_words};
use crate::snapshot::dump_frame::DumpFrame;
use crate::snapshot::sql_text::{Scanner, Stop};
use crate::snapshot::{
    BlockHead, Catalog, Event, Place, RowForm, Sink, SnapshotError, TableName, Wanted, inserts,
};

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
    /// In the rows of an `INSERT`. Tells what the part of the statement that is being read begins with, once
    /// that is seen.
    InsertRows(Option<u8>),
    Copy(Box<CopyBlock>),
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

pub(in crate::snapshot) struct Reader<'a> {
    origin: Origin,
    wanted: Wanted<'a>,
    sink: Sink<'a>,
    state: State,
    scanner: Scanner,
    ddl: Ddl,
    frame: DumpFrame,
    databases: Databases,
    /// The part of a statement that earlier chunks held, and where it begins in the stream.
    pending: Vec<u8>,
    pending_offset: u64,
    /// The run of inserts that the last statement belonged to.
    run: Option<InsertRun>,
    /// The catalog as it was told, once it was.
    told: Option<Arc<Catalog>>,
    any_table: bool,
    /// Bytes of the stream that have gone by.
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads only statements with rows, whose tables are all in `ddl`. The catalog is not told.
    pub(in crate::snapshot) fn of_rows(
        origin: Origin,
        ddl: Ddl,
        wanted: Wanted<'a>,
        sink: Sink<'a>,
    ) -> Self {
        let mut reader = Reader::new(origin, wanted, sink);
        reader.state = State::Between;
        reader.any_table = true;
        reader.scanner.escapes_everywhere = ddl.escapes_everywhere();
        reader.told = Some(Arc::new(ddl.catalog().clone()));
        reader.ddl = ddl;
        reader
    }

    pub(super) fn new(origin: Origin, wanted: Wanted<'a>, sink: Sink<'a>) -> Self {
        Reader {
            origin,
            wanted,
            sink,
            state: State::Noise,
            scanner: Scanner::default(),
            ddl: Ddl::default(),
            frame: DumpFrame::default(),
            databases: Databases::default(),
            pending: Vec::new(),
            pending_offset: 0,
            run: None,
            told: None,
            any_table: false,
            offset: 0,
        }
    }

    /// Goes through a chunk.
    pub(in crate::snapshot) fn chunk(
        &mut self,
        chunk: &Chunk,
    ) -> Result<ControlFlow<()>, SnapshotError> {
        let mut encoding = self.ddl.encoding();
        let mut converted = encoding.chunk(chunk, 0);
        let mut place = 0;
        loop {
            let text = converted.as_ref().unwrap_or(chunk);
            if place >= text.len {
                break;
            }
            match self.step(text, place)? {
                Step::At(next) => place = next,
                Step::NextChunk => break,
                Step::Stopped => return Ok(ControlFlow::Break(())),
            }
            if self.ddl.encoding() != encoding {
                // A statement said that what follows it is in another encoding.
                let from = (text.offset_of(place) - chunk.offset) as usize;
                encoding = self.ddl.encoding();
                converted = encoding.chunk(chunk, from);
                place = if converted.is_some() { 0 } else { from };
            }
        }
        self.offset = chunk.offset + chunk.len as u64;
        Ok(ControlFlow::Continue(()))
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
                    Progress::WrongRow(row, place) => {
                        let offset = chunk.offset_of(place);
                        let reason = "the row has too few or too many columns";
                        Err(self.damaged(Some(table), Some(row), offset, reason))
                    }
                }
            }
            State::Statement => self.statement(chunk, place),
            State::InsertHead => self.insert_head(chunk, place),
            State::InsertRows(_) => self.insert_rows(chunk, place),
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
        if looks_like_sql(&rest[..end]) {
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
        let Some(space) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            return Ok(Step::NextChunk);
        };
        if space > 0 {
            return Ok(Step::At(place + space));
        }
        if rest[0] == b'\\' || rest.starts_with(b"--") {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.frame.comment(&rest[..end]);
            if let Some(arguments) = rest[..end].strip_prefix(b"\\connect ") {
                self.databases.connect(arguments);
            }
            if let Some(name) = rest[..end].strip_prefix(b"\\encoding ") {
                let offset = chunk.offset_of(place);
                self.ddl
                    .set_encoding(String::from_utf8_lossy(name).trim().trim_matches('\''))
                    .map_err(|fault| fault.at(self.origin.member.clone(), offset))?;
            }
            return Ok(Step::At(place + end));
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
                self.state = State::InsertRows(None);
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
        if self.pending.is_empty() {
            return Ok(Some((Text::Chunk(&bytes[place..end]), end)));
        }
        self.keep(&bytes[place..end])?;
        Ok(Some((
            Text::Pending(std::mem::take(&mut self.pending)),
            end,
        )))
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), SnapshotError> {
        if self.pending.len() + part.len() > LONGEST_LINE {
            let reason = "a statement is longer than PostgreSQL could read";
            return Err(self.damaged(None, None, self.pending_offset, reason));
        }
        self.pending.extend_from_slice(part);
        Ok(())
    }

    fn statement(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let Some((text, end)) = self.scan(chunk, place, Stop::Statement)? else {
            return Ok(Step::NextChunk);
        };
        let text = text.bytes();
        self.state = State::Between;
        let words = first_words(text);
        match words.first().map(String::as_str) {
            Some("copy") => return self.begin_copy(chunk, text, end),
            Some("create") if words.iter().any(|word| word == "table") => self.table_seen()?,
            _ => {}
        }
        let fault = |fault: crate::snapshot::ddl::Fault| {
            fault.at(self.origin.member.clone(), self.pending_offset)
        };
        self.ddl.statement(text).map_err(fault)?;
        self.scanner.escapes_everywhere = self.ddl.escapes_everywhere();
        Ok(Step::At(end))
    }

    fn begin_copy(
        &mut self,
        chunk: &Chunk,
        text: &[u8],
        end: usize,
    ) -> Result<Step, SnapshotError> {
        self.table_seen()?;
        let shown = || String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        let head =
            copy_block::head(text, &self.ddl).map_err(|reason| SnapshotError::Unsupported {
                what: shown(),
                reason: reason.into(),
            })?;
        let rest = &chunk.bytes()[end..];
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if rest[..line_end].ends_with(b"\r") {
            return Err(SnapshotError::Unsupported {
                what: "a dump with CR LF line ends".into(),
                reason:
                    "they may also have changed values: let pg_dump write the file itself, with -f"
                        .into(),
            });
        }
        let columns = head.columns.or_else(|| self.columns_of(&head.table, false));
        let root = self.ddl.catalog().root(&head.table).clone();
        if self.tell_catalog().is_break() {
            return Ok(Step::Stopped);
        }
        let count = columns.as_ref().map(Vec::len);
        let head_of_rows = match (self.wanted)(&root) {
            true => Some(self.block_head(&head.table, &root, columns)?),
            false => None,
        };
        if let Some(head) = &head_of_rows
            && (self.sink)(Event::Begin(head.clone())).is_break()
        {
            return Ok(Step::Stopped);
        }
        self.state = State::Copy(Box::new(CopyBlock {
            table: head.table,
            root,
            head: head_of_rows,
            columns: count,
            rows: 0,
            bytes: 0,
            end: Finder::new(b"\n\\.\n"),
        }));
        // Rows begin with the next line.
        Ok(Step::At((end + line_end + 1).min(chunk.len)))
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

    fn block_head(
        &self,
        table: &TableName,
        root: &TableName,
        columns: Option<Vec<String>>,
    ) -> Result<Arc<BlockHead>, SnapshotError> {
        let unsupported = |reason: &str| SnapshotError::Unsupported {
            what: format!("the data of table {table}"),
            reason: reason.into(),
        };
        let columns = columns.ok_or_else(|| {
            unsupported(
                "its columns are not named, and the dump has no definition of the table before it",
            )
        })?;
        // Whoever has the catalog that was told would take the table for one without types.
        let told_too_early = self
            .told
            .as_ref()
            .is_some_and(|told| told.table(root).is_none());
        if told_too_early && self.ddl.catalog().table(root).is_some() {
            return Err(unsupported(
                "the table is defined after the data of another; dump with pg_dump",
            ));
        }
        Ok(Arc::new(BlockHead {
            table: root.clone(),
            columns,
            form: RowForm::CopyText,
        }))
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
        (self.sink)(Event::Catalog(catalog, self.frame.facts.clone()))
    }

    /// Names the table that was being read where `error` says that the stream ends early.
    pub(in crate::snapshot) fn place(&self, error: SnapshotError) -> SnapshotError {
        match error {
            SnapshotError::CutOff { place, reason } => {
                let (table, row) = self.table_and_row();
                let place = Place {
                    table,
                    row,
                    ..place
                };
                SnapshotError::CutOff { place, reason }
            }
            other => other,
        }
    }

    /// The table whose rows are being read, and the number of the next row.
    fn table_and_row(&self) -> (Option<String>, Option<u64>) {
        match (&self.state, &self.run) {
            (State::Copy(block), _) => (Some(block.table.to_string()), Some(block.rows + 1)),
            (State::InsertRows(_), Some(run)) => (Some(run.table.to_string()), Some(run.rows + 1)),
            _ => (None, None),
        }
    }

    /// Ends the reading: the stream has no more.
    pub(in crate::snapshot) fn finish(mut self) -> Result<(), SnapshotError> {
        let open = match &self.state {
            State::Noise if self.offset == 0 => return Err(self.not_a_snapshot("it is empty")),
            State::Noise => return Err(self.not_a_snapshot("it does not begin like a dump")),
            State::Between => self.frame.is_open().then_some((None, None)),
            State::Copy(_) | State::InsertRows(_) | State::Statement | State::InsertHead => {
                Some(self.table_and_row())
            }
        };
        if let Some((table, row)) = open {
            return Err(self.cut_off(table, row, self.offset));
        }
        if !self.any_table && self.frame.facts.dump_version.is_none() {
            return Err(self.not_a_snapshot("it has no table, and nothing that pg_dump writes"));
        }
        if self.end_run().is_some() && self.tell_catalog().is_continue() {
            let keys = self.ddl.catalog().keys();
            let told = self.told.as_ref().map(|told| told.keys());
            if told != Some(keys) {
                // The last event: whether the sink breaks makes no difference.
                let _: ControlFlow<()> = (self.sink)(Event::Keys(keys.clone()));
            }
        }
        Ok(())
    }

    fn damaged(
        &self,
        table: Option<String>,
        row: Option<u64>,
        offset: u64,
        reason: &str,
    ) -> SnapshotError {
        let member = self.origin.member.clone();
        let place = Place {
            member,
            table,
            row,
            offset: Some(offset),
            line: None,
        };
        SnapshotError::Damaged {
            place,
            reason: reason.into(),
        }
    }

    fn cut_off(&self, table: Option<String>, row: Option<u64>, offset: u64) -> SnapshotError {
        SnapshotError::CutOff {
            place: Place {
                member: self.origin.member.clone(),
                table,
                row,
                offset: Some(offset),
                line: None,
            },
            reason: ENDS_EARLY.into(),
        }
    }

    fn not_a_snapshot(&self, reason: &str) -> SnapshotError {
        let path = match &self.origin.member {
            Some(member) => format!("{}: {member}", self.origin.source),
            None => self.origin.source.clone(),
        };
        SnapshotError::NotASnapshot {
            path,
            reason: reason.into(),
        }
    }
}

const ENDS_EARLY: &str = "the dump ends early: it is cut off, copy or dump it again";

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

/// True for a line that dumps and hand-made SQL begin with.
fn looks_like_sql(line: &[u8]) -> bool {
    const WORDS: [&str; 14] = [
        "alter", "analyze", "begin", "comment", "copy", "create", "drop", "grant", "insert",
        "revoke", "select", "set", "start", "truncate",
    ];
    let line = line.trim_ascii_start();
    if line.starts_with(b"--") || line.starts_with(b"/*") || line.starts_with(b"\\") {
        return true;
    }
    let letters = line
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let ended = line
        .get(letters)
        .is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b';');
    ended
        && WORDS
            .iter()
            .any(|word| word.as_bytes().eq_ignore_ascii_case(&line[..letters]))
}
