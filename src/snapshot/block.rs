//! Blocks: whole rows of one table as text, the unit that readers hand to workers.

use std::ops::Range;
use std::sync::Arc;

use crate::snapshot::codec::encoding::{Converted, Encoding};
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::table_name::TableName;

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
