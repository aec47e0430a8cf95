//! `INSERT` statements: their heads, and their rows, which become COPY text.

use super::*;
use crate::snapshot::sql::inserts;
use crate::snapshot::sql::inserts::{InsertHead, InsertRows};

impl Reader<'_> {
    pub(super) fn insert_head(
        &mut self,
        chunk: &Chunk,
        place: usize,
    ) -> Result<Step, SnapshotError> {
        let Some((text, end)) = self.scan(chunk, place, Stop::Values)? else {
            return Ok(Step::NextChunk);
        };
        let text = text.bytes();
        self.table_seen()?;
        let head = inserts::head(text, &self.ddl).ok_or_else(|| {
            let reason = "it does not say into which table; dump with pg_dump";
            self.unsupported(&self.at("an INSERT"), reason)
        })?;
        self.refuse(&head)?;
        if let InsertRows::Made(_) = head.rows {
            return self.query_for_rows(text, end);
        }
        let default_values = head.rows == InsertRows::Default;
        if self.continue_run(head, default_values)?.is_break() {
            return Ok(Step::Stopped);
        }
        if let Some(run) = &mut self.run {
            match default_values {
                true => run.empty_row(self.pending_offset),
                false => run.text = text.to_vec(),
            }
        }
        self.state = State::InsertRows(match default_values {
            true => Expected::Comma,
            false => Expected::Row,
        });
        Ok(Step::At(end))
    }

    /// Refuses rows that are needed, but do not stand in the statement.
    fn refuse(&self, head: &InsertHead) -> Result<(), SnapshotError> {
        let has_columns = || {
            let names = self.columns_of(&head.table, false);
            names.is_some_and(|names| !names.is_empty())
        };
        let reason = match head.rows {
            InsertRows::Made(reason) => reason,
            InsertRows::Default if has_columns() => {
                "it leaves its values to the database; dump with pg_dump"
            }
            InsertRows::Default | InsertRows::Values => return Ok(()),
        };
        let table = self.frame.stands_in(head.table.clone(), self.ddl.catalog());
        if !self.is_needed(&table) {
            return Ok(());
        }
        let what = self.at(&format!("an INSERT of rows of table {}", head.table));
        Err(self.unsupported(&what, reason))
    }

    /// Nobody needs the rows of this statement, but the query that makes them may change others.
    fn query_for_rows(&mut self, text: &[u8], end: usize) -> Result<Step, SnapshotError> {
        if self.end_run().is_none() {
            return Ok(Step::Stopped);
        }
        if text.ends_with(b";") {
            self.state = State::Between;
            self.judge(text)?;
        } else {
            self.pending = text.to_vec();
            self.state = State::Statement;
        }
        Ok(Step::At(end))
    }

    /// Rows of this statement follow: those of the present run go on, or a new run begins.
    fn continue_run(
        &mut self,
        head: InsertHead,
        default_values: bool,
    ) -> Result<ControlFlow<()>, SnapshotError> {
        let goes_on = self
            .run
            .as_ref()
            .is_some_and(|run| run.table == head.table && run.columns == head.columns);
        if goes_on {
            return Ok(ControlFlow::Continue(()));
        }
        if self.end_run().is_none() || self.tell_catalog().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(named) = &head.columns {
            self.frame
                .columns_of(&head.table, named, self.ddl.catalog());
        }
        let run = self.new_run(head.table, head.columns, default_values)?;
        let told = run.owners.begin(self.sink);
        if told.is_continue() {
            self.run = Some(run);
        }
        Ok(told)
    }

    fn new_run(
        &mut self,
        table: TableName,
        columns: Option<Vec<String>>,
        default_values: bool,
    ) -> Result<InsertRun, SnapshotError> {
        let stands_in = self.frame.stands_in(table.clone(), self.ddl.catalog());
        let again = self.frame.has_rows_of(&stands_in);
        self.frame.rows_of(&stands_in, false);
        self.rows_begin(&table, &stands_in, true)?;
        let catalog = self.ddl.catalog();
        let all = match (&columns, default_values) {
            (Some(columns), _) => Some(columns.clone()),
            (None, true) => Some(Vec::new()),
            // pg_dump writes the values of a partition in the partition's order, also where the statement names its root.
            (None, false) => self.columns_of(&stands_in, true),
        };
        let is_generated = |column: &String| catalog.is_generated(&stands_in, column);
        let generated = all.iter().flatten().map(is_generated).collect();
        let with_values = all.map(|all| {
            let columns = all.into_iter();
            columns.filter(|column| !is_generated(column)).collect()
        });
        let owners = self.owners(&stands_in, with_values)?;
        Ok(InsertRun {
            text: Vec::new(),
            table,
            columns,
            owners,
            generated,
            again,
            rows: 0,
            bytes: 0,
            buffer: Vec::new(),
            buffer_offset: 0,
            buffer_first_row: 0,
        })
    }

    /// Takes rows of an `INSERT` and what stands between them, as far as they stand in the chunk.
    pub(super) fn insert_rows(
        &mut self,
        chunk: &Chunk,
        mut place: usize,
        mut expected: Expected,
    ) -> Result<Step, SnapshotError> {
        let bytes = chunk.bytes();
        while place < bytes.len() {
            let expects_row = match expected {
                Expected::RowEnd => {
                    self.state = State::InsertRows(expected);
                    match self.row(chunk, place)? {
                        Step::At(end) => place = end,
                        step => return Ok(step),
                    }
                    expected = Expected::Comma;
                    continue;
                }
                Expected::Row => true,
                Expected::Comma => false,
            };
            match BetweenRows::at(&bytes[place..], expects_row) {
                BetweenRows::Blank(length) => place += length,
                BetweenRows::Comment => {
                    self.scanner.open_comment();
                    self.state = State::Comment(Within::Rows(expected));
                    return Ok(Step::At(place + 2));
                }
                BetweenRows::Row => {
                    self.pending_offset = chunk.offset_of(place);
                    expected = Expected::RowEnd;
                }
                BetweenRows::Comma => {
                    place += 1;
                    expected = Expected::Row;
                }
                BetweenRows::StatementEnd => {
                    self.state = State::Between;
                    return Ok(Step::At(place + 1));
                }
                BetweenRows::Other => {
                    self.pending_offset = chunk.offset_of(place);
                    if expects_row {
                        return self.no_row(place);
                    }
                    self.state = State::InsertTail;
                    return Ok(Step::At(place));
                }
            }
        }
        self.state = State::InsertRows(expected);
        Ok(Step::NextChunk)
    }

    /// What stands where a row should begin is none.
    fn no_row(&mut self, place: usize) -> Result<Step, SnapshotError> {
        if let Some(run) = self.run.as_ref().filter(|run| run.owners.are_wanted()) {
            let (table, row) = (run.table.to_string(), run.rows + 1);
            let reason = "what stands here is no row in parentheses";
            return Err(self.damaged(Some(table), Some(row), self.pending_offset, reason));
        }
        self.state = State::InsertTail;
        Ok(Step::At(place))
    }

    /// Takes a row, which begins in this chunk or began in an earlier one.
    fn row(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let bytes = chunk.bytes();
        let wanted = self.run.as_ref().is_some_and(|run| run.owners.are_wanted());
        if !wanted || self.over_bound {
            let Some(end) = self.scanner.scan(bytes, place, Stop::Tuple) else {
                return Ok(Step::NextChunk);
            };
            if self.scanner.at_command {
                return self
                    .psql_end(chunk, place, end)
                    .map(|(_, end)| Step::At(end));
            }
            self.over_bound = false;
            if let Some(run) = &mut self.run {
                run.count((chunk.offset_of(end) - self.pending_offset) as usize);
            }
            return Ok(Step::At(end));
        }
        let Some((text, end)) = (match self.scan(chunk, place, Stop::Tuple) {
            Err(SnapshotError::TooLarge { .. }) => {
                return Ok(match self.row_too_long() {
                    ControlFlow::Continue(()) => Step::NextChunk,
                    ControlFlow::Break(()) => Step::Stopped,
                });
            }
            scanned => scanned?,
        }) else {
            return Ok(Step::NextChunk);
        };
        let Some(run) = &mut self.run else {
            return Ok(Step::At(end));
        };
        let (text, crlf) = (text.bytes(), self.crlf);
        let escapes = self.scanner.escapes_everywhere;
        match run.row(text, self.pending_offset, escapes, crlf, self.sink) {
            Ok(ControlFlow::Continue(())) => Ok(Step::At(end)),
            Ok(ControlFlow::Break(())) => Ok(Step::Stopped),
            Err(reason) => {
                let (table, row) = (run.table.to_string(), run.rows + 1);
                Err(self.damaged(Some(table), Some(row), self.pending_offset, reason))
            }
        }
    }

    /// Looks at what follows the last row.
    pub(super) fn insert_tail(
        &mut self,
        chunk: &Chunk,
        place: usize,
    ) -> Result<Step, SnapshotError> {
        let Some((text, end)) = self.scan(chunk, place, Stop::Statement)? else {
            return Ok(Step::NextChunk);
        };
        self.state = State::Between;
        if let Some(run) = self.run.as_ref().filter(|run| run.owners.are_wanted())
            && let Err(reason) = inserts::tail(text.bytes()).and_then(|leaves_out| {
                let keys = self.ddl.catalog().keys().of(&run.table);
                // Rows of a data-only dump behind the definitions have other primary keys than one another: pg_dump read them of
                // one table. Those of several places need not.
                match leaves_out && keys.iter().any(|key| !key.primary || run.again) {
                    true => Err("ON CONFLICT leaves out rows, by a key or a unique constraint that stands before them; \
                                 restore all of it into a server, and export from that"),
                    false => Ok(()),
                }
            })
        {
            let what = self.at(&format!("an INSERT of rows of table {}", run.table));
            return Err(self.unsupported(&what, reason));
        }
        Ok(Step::At(end))
    }
}

/// What stands before, between or behind the rows of an `INSERT`.
enum BetweenRows {
    /// White space, or a comment to the end of its line: so many bytes.
    Blank(usize),
    /// A comment that needs an end mark begins.
    Comment,
    /// A row begins.
    Row,
    Comma,
    StatementEnd,
    /// What else follows the last row, or stands where a row should begin.
    Other,
}

impl BetweenRows {
    /// What `bytes`, of which there is at least one, begin with.
    fn at(bytes: &[u8], expects_row: bool) -> BetweenRows {
        match bytes {
            [first, ..] if first.is_ascii_whitespace() => {
                let blank = |byte: &u8| byte.is_ascii_whitespace();
                let length = bytes.iter().position(|byte| !blank(byte));
                BetweenRows::Blank(length.unwrap_or(bytes.len()))
            }
            [b'-', b'-', ..] => {
                let length = memchr::memchr2(b'\n', b'\r', bytes);
                BetweenRows::Blank(length.unwrap_or(bytes.len()))
            }
            [b'/', b'*', ..] => BetweenRows::Comment,
            [b'(', ..] if expects_row => BetweenRows::Row,
            [b',', ..] if !expects_row => BetweenRows::Comma,
            [b';', ..] if !expects_row => BetweenRows::StatementEnd,
            _ => BetweenRows::Other,
        }
    }
}
