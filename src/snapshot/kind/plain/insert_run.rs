//! Consecutive `INSERT` statements of one table, which count as one block of data.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::block::Block;
use crate::snapshot::event::Sink;
use crate::snapshot::owners::Owners;
use crate::snapshot::sql::inserts;
use crate::snapshot::table_name::TableName;

/// Bytes of COPY text that make a block.
const BLOCK: usize = 1024 * 1024;

const CHANGED_LINE_ENDS: &str = "a value holds a line end, and the line ends of the dump were changed to CR LF: \
     what the value held cannot be told; let pg_dump write the file itself, with -f";

/// A run that is being read.
pub(crate) struct InsertRun {
    /// The text from `INSERT` to `VALUES`, by which most statements are known to belong to the run.
    pub(crate) text: Vec<u8>,
    pub(crate) table: TableName,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) owners: Owners,
    /// For every field of a row, whether its column is generated.
    pub(crate) generated: Vec<bool>,
    /// Other rows of the table went by before this run.
    pub(crate) again: bool,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Rows that wait to be handed out, as COPY text.
    pub(crate) buffer: Vec<u8>,
    pub(crate) buffer_offset: u64,
    pub(crate) buffer_first_row: u64,
}

impl InsertRun {
    /// Takes a row of a wanted table. `offset` is where its text begins in the stream, `crlf` tells that the stream's
    /// lines end with CR LF.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub(crate) fn row(
        &mut self,
        text: &[u8],
        offset: u64,
        escapes_everywhere: bool,
        crlf: bool,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, &'static str> {
        if self.buffer.is_empty() {
            self.buffer.reserve(BLOCK + BLOCK / 8);
            self.buffer_offset = offset;
            self.buffer_first_row = self.rows;
        }
        let start = self.buffer.len();
        inserts::row(text, &self.generated, escapes_everywhere, &mut self.buffer)?;
        if crlf
            && memchr::memmem::find(text, b"\r\n").is_some()
            && memchr::memmem::find(&self.buffer[start..], b"\\r\\n").is_some()
        {
            return Err(CHANGED_LINE_ENDS);
        }
        self.count(text.len());
        Ok(if self.buffer.len() >= BLOCK {
            self.hand_out(sink)
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Takes the row of a statement with `DEFAULT VALUES`, whose table has no columns.
    pub(crate) fn empty_row(&mut self, offset: u64) {
        if self.owners.are_wanted() {
            if self.buffer.is_empty() {
                self.buffer_offset = offset;
                self.buffer_first_row = self.rows;
            }
            self.buffer.push(b'\n');
        }
        self.count(0);
    }

    /// Counts a row.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += bytes as u64;
    }

    fn hand_out(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        if self.buffer.is_empty() {
            return ControlFlow::Continue(());
        }
        let buffer = Arc::new(std::mem::take(&mut self.buffer));
        let block = |head| Block {
            head,
            range: 0..buffer.len(),
            buffer: buffer.clone(),
            offset: self.buffer_offset,
            first_row: self.buffer_first_row,
            converted: None,
        };
        self.owners.rows(block, sink)
    }

    /// Hands out what waits, and the end.
    pub(crate) fn end(mut self, sink: Sink<'_>) -> ControlFlow<()> {
        self.hand_out(sink)?;
        self.owners.end(self.rows, self.bytes, sink)
    }
}
