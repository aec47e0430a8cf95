//! Whose rows some data are: of a table that inherits they are its own and those of the tables above it.
//!
//! What is told of the data is told of each table that is wanted, one after the other; the bytes are shared.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::block::{Block, BlockHead};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableEnd};
use crate::snapshot::table_name::TableName;

/// The tables that some data belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Owners {
    /// The data's head, for each table that is wanted.
    heads: Vec<Arc<BlockHead>>,
    /// The tables that are told of the data's end.
    ends: Vec<TableName>,
}

impl Owners {
    /// Of data that stands in `table`. `head` makes the head for a wanted table.
    ///
    /// # Errors
    /// Those of `head`.
    pub(crate) fn new<E>(
        catalog: &Catalog,
        table: &TableName,
        wanted: &dyn Fn(&TableName) -> bool,
        mut head: impl FnMut(TableName) -> Result<Arc<BlockHead>, E>,
    ) -> Result<Owners, E> {
        let mut owners = Owners {
            heads: Vec::new(),
            ends: Vec::new(),
        };
        for holder in catalog.holders(table) {
            let is_wanted = wanted(&holder);
            // Rows of partitions count as their root's.
            if is_wanted || !catalog.is_partition(&holder) {
                owners.ends.push(holder.clone());
            }
            if is_wanted {
                owners.heads.push(head(holder)?);
            }
        }
        Ok(owners)
    }

    /// One wanted table, whatever others the data belongs to.
    pub(crate) fn only(head: Arc<BlockHead>) -> Owners {
        Owners {
            ends: vec![head.table.clone()],
            heads: vec![head],
        }
    }

    /// True for a table that rows are handed out for.
    pub(crate) fn contain(&self, table: &TableName) -> bool {
        self.heads.iter().any(|head| head.table == *table)
    }

    /// True where rows are to be handed out.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.heads.is_empty()
    }

    /// The tables that are told of the data's end.
    pub(crate) fn ends(&self) -> &[TableName] {
        &self.ends
    }

    pub(crate) fn begin(&self, sink: Sink<'_>) -> ControlFlow<()> {
        self.heads
            .iter()
            .try_for_each(|head| sink(Event::Begin(Arc::clone(head))))
    }

    /// Hands out rows; `block` makes their block for each head.
    pub(crate) fn rows(
        &self,
        block: impl Fn(Arc<BlockHead>) -> Block,
        sink: Sink<'_>,
    ) -> ControlFlow<()> {
        self.heads
            .iter()
            .try_for_each(|head| sink(Event::Rows(block(Arc::clone(head)))))
    }

    /// A row that stands at `place` is larger than the run allows, and is stepped over.
    pub(crate) fn too_large(
        &self,
        place: Position,
        reason: String,
        sink: Sink<'_>,
    ) -> ControlFlow<()> {
        let tables = self.heads.iter().map(|head| head.table.clone());
        sink(Event::Damage(SnapshotError::TooLarge {
            place: Box::new(place),
            reason,
            tables: tables.collect(),
        }))
    }

    pub(crate) fn end(&self, rows: u64, bytes: u64, sink: Sink<'_>) -> ControlFlow<()> {
        self.ends.iter().try_for_each(|table| {
            sink(Event::End(TableEnd {
                table: table.clone(),
                rows,
                bytes,
            }))
        })
    }
}
