//! Scanning a block: which of its rows are wanted, and by which hop.
//!
//! This is the work that the pool does while a snapshot goes by: pure computation on a block that it owns.
//! Rows are split into fields, the key columns are parsed and tested, and only what matches is copied, cut
//! down to the table's layout. A row that cannot be split, or whose key cannot be read, is reported with its place.

mod found;
mod head_error;
mod row;

use std::ops::Range;
use std::sync::Arc;

use crate::pipeline::Condition;
use crate::snapshot::codec::{copy_text, csv_text};
use crate::snapshot::{Block, BlockHead, RowForm, Table};

use super::keys::KeySet;
use super::plan::{HopId, PlanTable, SlotId};
use row::{CopyRow, CsvRow, FieldTest, Row};

pub use found::{BadRow, FoundRow, RowPosition, Scanned};
pub(crate) use head_error::HeadError;

/// What to do with the rows of one table under one head.
#[derive(Debug)]
pub struct Scanner {
    form: RowForm,
    fields: usize,
    /// The data's columns, by field.
    columns: Vec<String>,
    /// Field of each layout column; `None` where the data does not have the column.
    project: Vec<Option<usize>>,
    /// The data has the layout's columns and no others, in the layout's order.
    is_layout: bool,
    key: usize,
    ready: Vec<ScanHop>,
    /// Rows that only these hops' conditions let through wait until their keys are known.
    pending: Vec<PendingHop>,
    observed: bool,
    /// A column that is needed to find rows and that the data does not have, so that it is NULL in all of these rows.
    unlinked: Option<String>,
}

#[derive(Debug)]
struct ScanHop {
    hop: HopId,
    child: usize,
    conditions: Vec<FieldTest>,
    keys: Arc<KeySet>,
    /// Slots that rows of this hop feed, and the field that they take.
    feeds: Vec<(SlotId, usize)>,
}

#[derive(Debug)]
struct PendingHop {
    child: usize,
    conditions: Vec<FieldTest>,
}

/// A hop as the scanner is given it.
pub struct HopToScan<'a> {
    pub hop: HopId,
    pub child: &'a str,
    pub filter: &'a [Condition],
    /// The keys, or `None` while they are not known.
    pub keys: Option<Arc<KeySet>>,
    /// Slots that the hop's rows feed, by column name.
    pub feeds: Vec<(SlotId, &'a str)>,
}

impl Scanner {
    /// Compiles a scanner for one head of a table's data.
    ///
    /// # Errors
    /// If the head does not fit the table's definition or lacks the primary key.
    pub fn new(
        table: &PlanTable,
        definition: &Table,
        head: &BlockHead,
        hops: Vec<HopToScan<'_>>,
        observed: bool,
    ) -> Result<Scanner, HeadError> {
        if let Some(column) = head
            .columns
            .iter()
            .find(|column| definition.column(column).is_none())
        {
            return Err(HeadError::UnknownColumn(column.clone()));
        }
        let field = |column: &str| head.columns.iter().position(|name| name == column);
        let mut unlinked = None;
        let mut optional = |column: &str| {
            let found = field(column);
            if found.is_none() {
                unlinked.get_or_insert_with(|| column.to_owned());
            }
            found
        };
        let mut ready = Vec::new();
        let mut pending = Vec::new();
        for hop in hops {
            let tests = hop.filter.iter().map(|condition| FieldTest {
                field: optional(&condition.column),
                test: condition.test.clone(),
            });
            let conditions = tests.collect();
            // NULL leads nowhere.
            let Some(child) = optional(hop.child) else {
                continue;
            };
            match hop.keys {
                None => pending.push(PendingHop { child, conditions }),
                Some(keys) if keys.is_empty() => {}
                Some(keys) => {
                    let feeds = hop
                        .feeds
                        .iter()
                        .filter_map(|(slot, column)| Some((*slot, field(column)?)))
                        .collect();
                    ready.push(ScanHop {
                        hop: hop.hop,
                        child,
                        conditions,
                        keys,
                        feeds,
                    });
                }
            }
        }
        let project: Vec<Option<usize>> = table
            .layout
            .iter()
            .map(|column| field(&column.name))
            .collect();
        let fields = head.columns.len();
        let key = table.key_name();
        Ok(Scanner {
            form: head.form,
            fields,
            columns: head.columns.clone(),
            is_layout: project.iter().copied().eq((0..fields).map(Some)),
            project,
            key: field(key).ok_or_else(|| HeadError::NoColumn(key.to_owned()))?,
            ready,
            pending,
            observed,
            unlinked,
        })
    }

    /// A column that is needed to find rows, but that the data does not have.
    pub fn unlinked(&self) -> Option<&str> {
        self.unlinked.as_deref()
    }

    /// Layout columns that the data does not have.
    pub fn absent(&self) -> impl Iterator<Item = usize> + '_ {
        self.project
            .iter()
            .enumerate()
            .filter(|(_, field)| field.is_none())
            .map(|(column, _)| column)
    }

    /// Scans a block of whole rows.
    pub fn scan(&self, block: &Block) -> Scanned {
        let mut scanned = Scanned::default();
        match self.form {
            RowForm::CopyText => self.scan_copy_text(block, &mut scanned),
            RowForm::Csv => self.scan_csv(block, &mut scanned),
        }
        scanned.fed.sort_unstable();
        scanned.fed.dedup();
        scanned
    }

    fn scan_copy_text(&self, block: &Block, scanned: &mut Scanned) {
        let bytes = block.bytes();
        let mut fields: Vec<Range<usize>> = Vec::with_capacity(self.fields);
        let mut rows = copy_text::CopyRows::new(bytes);
        while let Some(range) = rows.next_row(&mut fields) {
            let row = CopyRow {
                bytes,
                fields: &fields,
            };
            self.row(&row, block, range.start, scanned);
        }
    }

    fn scan_csv(&self, block: &Block, scanned: &mut Scanned) {
        let bytes = block.bytes();
        let mut fields = Vec::with_capacity(self.fields);
        let mut at = 0;
        while at < bytes.len() {
            match csv_text::next_row(bytes, at, &mut fields) {
                Ok(next) => {
                    let row = CsvRow {
                        bytes,
                        fields: &fields,
                    };
                    self.row(&row, block, at, scanned);
                    at = next;
                }
                Err(error) => {
                    // Behind broken quotes nothing of the block can be told apart any more.
                    scanned.bad(
                        block,
                        at,
                        format!("{error}; the rows after it in this block are lost, too"),
                    );
                    return;
                }
            }
        }
    }

    fn row(&self, row: &impl Row, block: &Block, at: usize, scanned: &mut Scanned) {
        scanned.rows += 1;
        let found_before = scanned.found.len();
        if row.len() != self.fields {
            let reason = format!(
                "{} fields, but the table's data has {} columns",
                row.len(),
                self.fields
            );
            scanned.bad(block, at, reason);
            return;
        }
        let mut kept = None;
        for hop in &self.ready {
            if !hop.conditions.iter().all(|condition| row.passes(condition))
                || row.is_null(hop.child)
            {
                continue;
            }
            let Some(key) = row.integer(hop.child) else {
                scanned.found.truncate(found_before);
                scanned.bad(block, at, self.no_integer(hop.child, "a key"));
                return;
            };
            if !hop.keys.contains(key) {
                continue;
            }
            let Some(id) = row.integer(self.key) else {
                scanned.bad(block, at, self.no_integer(self.key, "the primary key"));
                return;
            };
            let kept = *kept.get_or_insert_with(|| {
                let from = scanned.kept.len();
                self.copy(row, &mut scanned.kept);
                scanned.ranges.push(from..scanned.kept.len());
                scanned.starts.push(at);
                scanned.ranges.len() - 1
            });
            scanned.found.push(FoundRow {
                hop: hop.hop,
                key,
                id,
                row: kept,
            });
            for (slot, field) in &hop.feeds {
                match row.integer(*field) {
                    Some(value) => scanned.fed.push((*slot, value)),
                    None if row.is_null(*field) => {}
                    None => {
                        // A row is used by all hops or by none.
                        scanned.found.truncate(found_before);
                        scanned.bad(block, at, self.no_integer(*field, "a key"));
                        return;
                    }
                }
            }
        }
        let waits = |hop: &PendingHop| {
            !row.is_null(hop.child) && hop.conditions.iter().all(|condition| row.passes(condition))
        };
        if let Some(hop) = self.pending.iter().find(|hop| waits(hop)) {
            // Checked here, where the row's place is known.
            if let Some(field) = [hop.child, self.key]
                .into_iter()
                .find(|field| row.integer(*field).is_none())
            {
                scanned.found.truncate(found_before);
                scanned.bad(block, at, self.no_integer(field, "a key"));
                return;
            }
            if let Some(kept) = kept {
                scanned.kept_and_staged.push((kept, scanned.staged.len()));
            }
            self.copy(row, &mut scanned.staged);
            scanned.staged.push(b'\n');
        }
        if self.observed {
            self.copy(row, &mut scanned.observed);
            scanned.observed.push(b'\n');
            scanned.observed_positions.push(scanned.position(block, at));
        }
    }

    fn no_integer(&self, field: usize, what: &str) -> String {
        format!(
            "column {} is no integer, but it is {what}",
            self.columns[field]
        )
    }

    fn copy(&self, row: &impl Row, out: &mut Vec<u8>) {
        if let Some(whole) = row.copy_text().filter(|_| self.is_layout) {
            return out.extend_from_slice(whole);
        }
        for (position, field) in self.project.iter().enumerate() {
            if position > 0 {
                out.push(b'\t');
            }
            match field {
                Some(field) => row.copy(*field, out),
                None => out.extend_from_slice(b"\\N"),
            }
        }
    }
}

/// Rows that were cut down to a table's layout before, as a block.
pub(super) fn layout_block(head: Arc<BlockHead>, rows: Vec<u8>) -> Block {
    Block {
        head,
        range: 0..rows.len(),
        buffer: Arc::new(rows),
        offset: 0,
        first_row: 0,
        converted: None,
    }
}
