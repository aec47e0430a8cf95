//! `INSERT` statements: their heads, and their rows, which become COPY text.

use super::*;

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
        let head = inserts::head(text, &self.ddl).ok_or_else(|| SnapshotError::Unsupported {
            what: String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned(),
            reason: "only INSERT INTO … VALUES is known, as pg_dump writes it".into(),
        })?;
        let goes_on = self
            .run
            .as_ref()
            .is_some_and(|run| run.table == head.table && run.columns == head.columns);
        if head.default_values
            && self
                .columns_of(&head.table, false)
                .is_some_and(|names| !names.is_empty())
        {
            return Err(SnapshotError::Unsupported {
                what: format!("the data of table {}", head.table),
                reason: "an INSERT leaves its values to the database; dump with pg_dump".into(),
            });
        }
        if !goes_on {
            if self.end_run().is_none() || self.tell_catalog().is_break() {
                return Ok(Step::Stopped);
            }
            let run = self.new_run(head.table, head.columns, head.default_values)?;
            if let Some(head) = &run.head
                && (self.sink)(Event::Begin(head.clone())).is_break()
            {
                return Ok(Step::Stopped);
            }
            self.run = Some(run);
        }
        if let Some(run) = &mut self.run {
            match head.default_values {
                true => run.empty_row(self.pending_offset),
                false => run.text = text.to_vec(),
            }
        }
        self.state = State::InsertRows(None);
        Ok(Step::At(end))
    }

    fn new_run(
        &self,
        table: TableName,
        columns: Option<Vec<String>>,
        default_values: bool,
    ) -> Result<InsertRun, SnapshotError> {
        let catalog = self.ddl.catalog();
        let root = catalog.root(&table).clone();
        let all = match (&columns, default_values) {
            (Some(columns), _) => Some(columns.clone()),
            (None, true) => Some(Vec::new()),
            (None, false) => self.columns_of(&table, true),
        };
        let (mut generated, mut head) = (Vec::new(), None);
        if (self.wanted)(&root) {
            let with_values = all.map(|all| {
                generated = all
                    .iter()
                    .map(|column| catalog.is_generated(&table, column))
                    .collect();
                all.into_iter()
                    .filter(|column| !catalog.is_generated(&table, column))
                    .collect()
            });
            head = Some(self.block_head(&table, &root, with_values)?);
        }
        Ok(InsertRun {
            text: Vec::new(),
            table,
            root,
            columns,
            head,
            generated,
            rows: 0,
            bytes: 0,
            buffer: Vec::new(),
            buffer_offset: 0,
            buffer_first_row: 0,
        })
    }

    /// Takes a row of an `INSERT`, or what follows the last.
    pub(super) fn insert_rows(
        &mut self,
        chunk: &Chunk,
        place: usize,
    ) -> Result<Step, SnapshotError> {
        let bytes = chunk.bytes();
        let State::InsertRows(first) = self.state else {
            return Ok(Step::At(place));
        };
        if first.is_none() {
            let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
            let Some(skipped) = bytes[place..].iter().position(|byte| !is_between(byte)) else {
                return Ok(Step::NextChunk);
            };
            self.pending_offset = chunk.offset_of(place + skipped);
            self.state = State::InsertRows(Some(bytes[place + skipped]));
            return Ok(Step::At(place + skipped));
        }
        let wanted = self.run.as_ref().is_some_and(|run| run.head.is_some());
        if !wanted {
            let Some(end) = self.scanner.scan(bytes, place, Stop::Tuple) else {
                return Ok(Step::NextChunk);
            };
            if first == Some(b'(')
                && let Some(run) = &mut self.run
            {
                run.count((chunk.offset_of(end) - self.pending_offset) as usize);
            }
            return Ok(self.after_row(bytes, end));
        }
        let Some((text, end)) = self.scan(chunk, place, Stop::Tuple)? else {
            return Ok(Step::NextChunk);
        };
        // `ON CONFLICT DO NOTHING` and its like change no row of the dump.
        if first == Some(b'(')
            && let Some(run) = &mut self.run
        {
            match run.row(
                text.bytes(),
                self.pending_offset,
                self.scanner.escapes_everywhere,
                self.sink,
            ) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(Step::Stopped),
                Err(reason) => {
                    let (table, row) = (run.table.to_string(), run.rows + 1);
                    return Err(self.damaged(Some(table), Some(row), self.pending_offset, reason));
                }
            }
        }
        Ok(self.after_row(bytes, end))
    }

    fn after_row(&mut self, bytes: &[u8], end: usize) -> Step {
        self.state = match bytes[end - 1] {
            b';' => State::Between,
            _ => State::InsertRows(None),
        };
        Step::At(end)
    }
}
