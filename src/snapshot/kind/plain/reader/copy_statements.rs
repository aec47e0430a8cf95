//! `COPY` statements: whose rows follow, and whether anybody needs them.

use super::super::copy_block::{self, Copy, CopyHead};
use super::*;
use crate::snapshot::sql::text::skip_blank;

impl Reader<'_> {
    /// Begins to read the rows behind a `COPY`, whose text ends at `end`.
    pub(super) fn begin_copy(
        &mut self,
        chunk: &Chunk,
        text: &[u8],
        end: usize,
    ) -> Result<Step, SnapshotError> {
        let copy = copy_block::head(text, &self.ddl)
            .map_err(|reason| self.unsupported(&self.at("a COPY"), reason))?;
        let head = match copy {
            Copy::Rows(head) => head,
            Copy::Elsewhere(table, reason) => {
                self.table_seen()?;
                let table = self.frame.stands_in(table, self.ddl.catalog());
                return match self.is_needed(&table) {
                    true => Err(self.unsupported(&format!("the data of table {table}"), reason)),
                    false => Ok(Step::At(end)),
                };
            }
            Copy::Out => {
                self.judge(text)?;
                return Ok(Step::At(end));
            }
        };
        self.table_seen()?;
        let line_end = self.rest_of_line(chunk, end, &head.table)?;
        let CopyHead {
            table,
            columns,
            form,
        } = head;
        if let Some(named) = &columns {
            self.frame.columns_of(&table, named, self.ddl.catalog());
        }
        let columns = columns.or_else(|| self.columns_of(&table, false));
        let named = table.clone();
        let table = self.frame.stands_in(table, self.ddl.catalog());
        self.frame.rows_of(&table, true);
        if self.tell_catalog().is_break() {
            return Ok(Step::Stopped);
        }
        let count = columns.as_ref().map(Vec::len);
        self.rows_begin(&named, &table, false)?;
        if let Some(reason) = form.unread.filter(|_| self.is_needed(&table)) {
            return Err(self.unsupported(&format!("the data of table {table}"), reason));
        }
        let owners = self.owners(&table, columns)?;
        if owners.begin(self.sink).is_break() {
            return Ok(Step::Stopped);
        }
        let block = CopyBlock::new(table, owners, count, form);
        self.state = State::Copy(Box::new(block));
        // Rows begin with the next line.
        Ok(Step::At((line_end + 1).min(chunk.len)))
    }

    /// The end of the line on which a `COPY` ends. psql reads what is left of it after the rows.
    fn rest_of_line(
        &self,
        chunk: &Chunk,
        end: usize,
        table: &TableName,
    ) -> Result<usize, SnapshotError> {
        let rest = &chunk.bytes()[end..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        match skip_blank(&rest[..length], 0) == length && !ends_in_comment(&rest[..length]) {
            true => Ok(end + length),
            false => Err(self.unsupported(
                &format!("the data of table {table}"),
                "more follows COPY on its line, which psql reads after the rows; write it on a line behind them",
            )),
        }
    }
}

/// True for a line that ends inside of a comment `/* … */`.
fn ends_in_comment(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"/*").is_some() && !line.trim_ascii_end().ends_with(b"*/")
}
