//! Scanning a block: which of its rows are wanted, and by which hop.
//!
//! This is the work that the pool does while a snapshot goes by: pure computation on a block that it owns.
//! Rows are split into fields, the key columns are parsed and tested, and only what matches is copied, cut
//! down to the table's layout. A row that cannot be split, or whose key cannot be read, is reported with its place.

use std::ops::Range;
use std::sync::Arc;

use crate::pipeline::{Condition, Test};
use crate::snapshot::codec::{copy_text, csv_text};
use crate::snapshot::{Block, BlockHead, RowForm, Table};

use super::keys::KeySet;
use super::plan::{HopId, PlanTable, SlotId};

/// How many bad rows of a block are described; the others are only counted.
const DESCRIBED: usize = 20;

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

#[derive(Debug)]
struct FieldTest {
    /// `None` where the data does not have the column: it is NULL then.
    field: Option<usize>,
    test: Test,
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

/// Where a row stands in its table's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Number of the row, from 1.
    pub row: u64,
    /// Where the row starts, in bytes of the decompressed source.
    pub offset: u64,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Number of the row in its table's data, from 1.
    pub row: u64,
    /// Where the row starts, in bytes of the decompressed source.
    pub offset: u64,
    pub reason: String,
}

/// What a scan of a block found.
#[derive(Debug, Default)]
pub struct Scanned {
    pub rows: u64,
    /// Kept rows one after the other, without line ends.
    pub kept: Vec<u8>,
    /// Ranges of `kept`, one per kept row.
    pub ranges: Vec<Range<usize>>,
    pub found: Vec<Found>,
    pub fed: Vec<(SlotId, i64)>,
    /// Rows that must wait, each ended by LF.
    pub staged: Vec<u8>,
    /// Of rows that were kept and wait, too: the position in `ranges`, and where the row begins in `staged`.
    pub kept_and_staged: Vec<(usize, usize)>,
    /// Where each kept row begins in the block.
    pub starts: Vec<usize>,
    /// Rows for the entity directory, each ended by LF.
    pub observed: Vec<u8>,
    /// Where the rows for the directory stand.
    pub observed_places: Vec<RowPlace>,
    pub bad: Vec<BadRow>,
    pub bad_rows: u64,
}

/// A hop found a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub hop: HopId,
    pub key: i64,
    pub id: i64,
    /// Position in [`Scanned::ranges`].
    pub row: usize,
}

impl Scanner {
    /// Compiles a scanner for one head of a table's data.
    ///
    /// # Errors
    /// A message where the head does not fit the table's definition or lacks the primary key.
    pub fn new(
        table: &PlanTable,
        definition: &Table,
        head: &BlockHead,
        hops: Vec<HopToScan<'_>>,
        observed: bool,
    ) -> Result<Scanner, String> {
        if let Some(column) = head
            .columns
            .iter()
            .find(|column| definition.column(column).is_none())
        {
            return Err(format!(
                "the data has a column {column} that the definition of the table does not have"
            ));
        }
        let field = |column: &str| -> Result<usize, String> {
            head.columns
                .iter()
                .position(|name| name == column)
                .ok_or_else(|| {
                    format!("the data has no column {column}, which is needed to find rows")
                })
        };
        let mut unlinked = None;
        let mut optional = |column: &str| {
            let found = field(column).ok();
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
                        .filter_map(|(slot, column)| Some((*slot, field(column).ok()?)))
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
            .map(|column| field(&column.name).ok())
            .collect();
        let fields = head.columns.len();
        Ok(Scanner {
            form: head.form,
            fields,
            columns: head.columns.clone(),
            is_layout: project.iter().copied().eq((0..fields).map(Some)),
            project,
            key: field(&table.layout[table.key].name)?,
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
        let mut rows = copy_text::Rows::new(bytes);
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
            scanned.found.push(Found {
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
            scanned.observed_places.push(scanned.place(block, at));
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

impl Scanned {
    fn bad(&mut self, block: &Block, at: usize, reason: String) {
        self.bad_rows += 1;
        if self.bad.len() < DESCRIBED {
            let RowPlace { row, offset } = self.place(block, at);
            self.bad.push(BadRow {
                row,
                offset,
                reason,
            });
        }
    }

    /// The place of the row that is being scanned.
    fn place(&self, block: &Block, at: usize) -> RowPlace {
        RowPlace {
            row: block.first_row + self.rows.max(1),
            offset: block.offset_of(at),
        }
    }
}

/// A row that was split into fields, whatever form it has.
trait Row {
    fn len(&self) -> usize;
    fn is_null(&self, field: usize) -> bool;
    /// The field's text, if it is the same in every form: no escapes, no quotes.
    fn plain(&self, field: usize) -> &[u8];
    /// All fields as COPY text, where the row is that.
    fn copy_text(&self) -> Option<&[u8]>;
    /// Appends the field as COPY text.
    fn copy(&self, field: usize, out: &mut Vec<u8>);

    fn integer(&self, field: usize) -> Option<i64> {
        parse_integer(self.plain(field))
    }

    fn passes(&self, condition: &FieldTest) -> bool {
        let Some(field) = condition.field else {
            return matches!(condition.test, Test::Null);
        };
        match &condition.test {
            Test::Null => self.is_null(field),
            Test::NotNull => !self.is_null(field),
            _ if self.is_null(field) => false,
            Test::In(texts) => texts
                .iter()
                .any(|text| text.as_bytes() == self.plain(field)),
            Test::Above(bound) => self.integer(field).is_some_and(|value| value > *bound),
            Test::Below(bound) => self.integer(field).is_some_and(|value| value < *bound),
        }
    }
}

struct CopyRow<'a> {
    bytes: &'a [u8],
    fields: &'a [Range<usize>],
}

impl Row for CopyRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn is_null(&self, field: usize) -> bool {
        self.plain(field) == b"\\N"
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].clone()]
    }

    fn copy_text(&self) -> Option<&[u8]> {
        let (first, last) = (self.fields.first()?, self.fields.last()?);
        Some(&self.bytes[first.start..last.end])
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.plain(field));
    }
}

struct CsvRow<'a> {
    bytes: &'a [u8],
    fields: &'a [csv_text::CsvField],
}

impl Row for CsvRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn is_null(&self, field: usize) -> bool {
        !self.fields[field].quoted && self.fields[field].range.is_empty()
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].range.clone()]
    }

    fn copy_text(&self) -> Option<&[u8]> {
        None
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        csv_text::to_copy_text(self.plain(field), self.fields[field].quoted, out);
    }
}

/// An integer in PostgreSQL's text form.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value: i128 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i128::from(digit - b'0');
    }
    i64::try_from(if negative { -value } else { value }).ok()
}
