//! Blocks: whole rows of one table as text, the unit that readers hand to workers.

use std::ops::Range;
use std::sync::Arc;

use crate::snapshot::codec::csv_walk;
use crate::snapshot::codec::encoding::{Converted, Encoding};
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::table_name::TableName;

/// What is said of rows that have a zero byte.
pub const ZERO_BYTE: &str = "a zero byte stands in the row, and no text of PostgreSQL has one: something wrote over the snapshot, \
                             and rows may be gone; copy it again from where it was made";

/// The head of a run of rows: whose they are and what their fields mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHead {
    /// The table that the rows belong to. Rows that stand in a partition or in a table that inherits belong to the tables
    /// above it, too: they are told of for each table that is wanted. The columns are then those of the data.
    pub table: TableName,
    /// Column names in the order of the fields.
    pub columns: Vec<String>,
    pub form: RowForm,
}

/// Whole rows of one table: the unit that is handed from reader to workers, about 1 MiB.
#[derive(Debug, Clone)]
pub struct Block {
    pub head: Arc<BlockHead>,
    /// The buffer that `range` is a part of.
    pub buffer: Arc<Vec<u8>>,
    pub range: Range<usize>,
    /// Where the block's first byte stands in the decompressed source, in bytes from its start.
    pub offset: u64,
    /// Number of rows of this table's data before this block, so that a row can be named.
    pub first_row: u64,
    /// What the bytes were in the source, where they were converted to UTF-8.
    pub converted: Option<Arc<Converted>>,
}

impl Block {
    /// The rows' bytes. Every row, the last too, ends with a line end.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }

    /// The row that a zero byte stands in, from 1, and where that byte stands in the decompressed source; `None` if there is
    /// none. No text of PostgreSQL has this byte, in any encoding: something wrote over the rows, and some may be gone.
    pub fn zero_byte(&self) -> Option<(u64, u64)> {
        let bytes = self.bytes();
        let at = memchr::memchr(0, bytes)?;
        let before = &bytes[..at];
        let rows = match self.head.form {
            RowForm::CopyText => memchr::memchr_iter(b'\n', before).count() as u64,
            RowForm::Csv => csv_walk::row_ends(before).rows,
        };
        Some((self.first_row + rows + 1, self.offset_of(at)))
    }

    /// Makes sure that no zero byte stands in the rows.
    ///
    /// # Errors
    /// The damage, with its place.
    pub fn check_zero_bytes(&self) -> Result<(), SnapshotError> {
        match self.zero_byte() {
            None => Ok(()),
            Some((row, offset)) => Err(SnapshotError::Damaged {
                place: Position {
                    table: Some(self.head.table.to_string()),
                    row: Some(row),
                    offset: Some(offset),
                    ..Position::default()
                },
                reason: ZERO_BYTE.to_owned(),
            }),
        }
    }

    /// Where a position of [`Block::bytes`] stands in the decompressed source, in bytes from its start.
    pub fn offset_of(&self, place: usize) -> u64 {
        match &self.converted {
            None => self.offset + place as u64,
            Some(converted) => converted.offset_of(self.range.start + place),
        }
    }

    /// The block in UTF-8. Its rows must have been split without regard to backslashes, as those of CSV are.
    pub(crate) fn in_utf8(self, encoding: Encoding) -> Block {
        let start = self.offset - self.range.start as u64;
        match encoding.lines(&self.buffer, self.range.clone(), start) {
            None => self,
            Some((text, converted)) => Block {
                range: 0..text.len(),
                buffer: Arc::new(text),
                converted: Some(Arc::new(converted)),
                ..self
            },
        }
    }
}
