//! Scanning a block: which of its rows are wanted, and by which hop.
//!
//! This is the work that the pool does while a snapshot goes by: pure computation on a block that it owns.
//! Rows are split into fields, the key columns are parsed and tested, and only what matches is copied, cut
//! down to the table's layout. A row that cannot be split, or whose key cannot be read, is reported with its place; one behind
//! which no row's beginning is known breaks the table.

mod found;
mod gate;
mod head_error;
mod layout;
mod row;

use std::collections::HashSet;
use std::sync::Arc;

use crate::key::KeyForm;
use crate::snapshot::codec::{copy_walk, csv_text, csv_walk};
use crate::snapshot::{Block, BlockHead, RowForm, Table};

use super::condition::{ColumnTest, ValueTest, Verdict};
use super::keys::{Fields, IndexKey, KeyRead, KeySet, KeyShape, RowOrder};
use super::plan::{Feed, HopId, PlanTable, SlotId};
use gate::{Answer, Gate, GateHop, GateKeys};
use layout::Layout;
use row::{CopyRow, CsvRow, Row, SplitCsvRow};

pub use found::{BadRow, FoundRow, RowPosition, Scanned};
pub(crate) use head_error::HeadError;

/// What to do with the rows of one table under one head.
#[derive(Debug)]
pub struct Scanner {
    form: RowForm,
    fields: usize,
    /// The data's columns, by field.
    columns: Vec<String>,
    layout: Layout,
    id: RowId,
    ready: Vec<ScanHop>,
    /// Rows that only these hops' conditions let through wait until their keys are known.
    pending: Vec<PendingHop>,
    observed: bool,
    /// Slots are fed with the texts of keys, by which a server is asked.
    feeds_texts: bool,
    /// A column that is needed to find rows and that the data does not have, so that it is NULL in all of these rows.
    unlinked: Option<String>,
    gate: Gate,
}

/// How the number is made that rows of one key are ordered by.
#[derive(Debug)]
enum RowId {
    /// It is the key itself.
    Integer(usize),
    /// It is what the bytes begin with that the rows are ordered by.
    Prefix(RowOrder, Vec<usize>),
    /// The table has no key, or none that is known so far.
    None,
}

#[derive(Debug)]
struct ScanHop {
    hop: HopId,
    child: Vec<usize>,
    shape: KeyShape,
    conditions: Vec<FieldTest>,
    keys: Arc<KeySet>,
    /// Slots that rows of this hop feed.
    feeds: Vec<ScanFeed>,
}

/// A slot that is fed from these fields.
#[derive(Debug)]
struct ScanFeed {
    slot: SlotId,
    fields: Vec<usize>,
    shape: KeyShape,
}

#[derive(Debug)]
struct PendingHop {
    child: Vec<usize>,
    shape: KeyShape,
    conditions: Vec<FieldTest>,
    /// The hop finds rows by keys of its own rows: who is below whom has to be known before its keys are.
    below: Option<ScanFeed>,
}

/// A condition on a field.
#[derive(Debug, Clone)]
struct FieldTest {
    /// `None` where the data does not have the column: it is NULL then.
    field: Option<usize>,
    test: ValueTest,
}

/// What comes of the conditions of a hop.
enum Judged {
    Pass,
    Fail,
    /// This field, which is asked for, is no value of its type, and no other condition fails.
    Wrong(usize),
}

/// Asks a row for the conditions of a hop.
#[inline]
fn judge(conditions: &[FieldTest], row: &impl Fields) -> Judged {
    let mut judged = Judged::Pass;
    for FieldTest { field, test } in conditions {
        match (test.judge(row, *field), field) {
            (Verdict::Passes, _) => {}
            // What is not there is no wrong value.
            (Verdict::Fails, _) | (Verdict::Wrong, None) => return Judged::Fail,
            (Verdict::Wrong, Some(field)) => judged = Judged::Wrong(*field),
        }
    }
    judged
}

/// A hop as the scanner is given it.
pub struct HopToScan<'a> {
    pub hop: HopId,
    pub child: Vec<&'a str>,
    pub shape: KeyShape,
    pub tests: &'a [ColumnTest],
    /// The keys, or `None` while they are not known.
    pub keys: Option<Arc<KeySet>>,
    /// Slots that the hop's rows feed.
    pub feeds: Vec<Feed<'a>>,
    /// The slot among `feeds` that the hop's own keys come from, where it is one.
    pub own_slot: Option<SlotId>,
}

/// What a scan is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanFor {
    /// Rows go to the directory of entities, too.
    pub observed: bool,
    /// Keys are fed as texts.
    pub texts: bool,
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
        purpose: ScanFor,
    ) -> Result<Scanner, HeadError> {
        if let Some(column) = head
            .columns
            .iter()
            .find(|column| definition.column(column).is_none())
        {
            return Err(HeadError::UnknownColumn(column.clone()));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = head.columns.iter().find(|column| !seen.insert(*column)) {
            return Err(HeadError::Twice(twice.clone()));
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
        let feed = |feed: &Feed<'_>| {
            let fields: Option<Vec<usize>> =
                feed.columns.iter().map(|column| field(column)).collect();
            // NULL feeds nothing.
            Some(ScanFeed {
                slot: feed.slot,
                fields: fields?,
                shape: feed.shape.clone(),
            })
        };
        let mut ready = Vec::new();
        let mut pending = Vec::new();
        for hop in hops {
            let tests = hop.tests.iter().map(|test| FieldTest {
                field: optional(&test.column),
                test: test.test.clone(),
            });
            let conditions = tests.collect();
            let child: Vec<Option<usize>> =
                hop.child.iter().map(|column| optional(column)).collect();
            // NULL leads nowhere.
            let Some(child) = child.into_iter().collect::<Option<Vec<usize>>>() else {
                continue;
            };
            let shape = hop.shape;
            match hop.keys {
                None => {
                    let own = |feed: &&Feed<'_>| Some(feed.slot) == hop.own_slot;
                    pending.push(PendingHop {
                        child,
                        shape,
                        conditions,
                        below: hop.feeds.iter().find(own).and_then(feed),
                    });
                }
                Some(keys) if keys.is_empty() => {}
                Some(keys) => ready.push(ScanHop {
                    hop: hop.hop,
                    child,
                    shape,
                    conditions,
                    keys,
                    feeds: hop.feeds.iter().filter_map(feed).collect(),
                }),
            }
        }
        let copied: Vec<Option<usize>> = table
            .layout
            .iter()
            .map(|column| field(&column.name))
            .collect();
        let fields = head.columns.len();
        let key = table.key.iter().map(|at| {
            let name = &table.layout[*at].name;
            field(name).ok_or_else(|| HeadError::NoColumn(name.clone()))
        });
        let key: Vec<usize> = key.collect::<Result<_, _>>()?;
        let id = match (table.integer_key(), key.as_slice()) {
            (Some(_), [key]) => RowId::Integer(*key),
            (_, []) => RowId::None,
            (_, key) => RowId::Prefix(table.key_order.at(key), key.to_vec()),
        };
        let gate = Gate::new(gate_hops(&ready, &pending));
        Ok(Scanner {
            form: head.form,
            fields,
            columns: head.columns.clone(),
            layout: Layout::new(&copied),
            id,
            ready,
            pending,
            observed: purpose.observed,
            feeds_texts: purpose.texts,
            unlinked,
            gate,
        })
    }

    /// A column that is needed to find rows, but that the data does not have.
    pub fn unlinked(&self) -> Option<&str> {
        self.unlinked.as_deref()
    }

    /// Some hop's keys are not known, so that rows may have to wait.
    pub fn may_stage(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Layout columns that the data does not have.
    pub fn absent(&self) -> impl Iterator<Item = usize> + '_ {
        self.layout.absent()
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
        scanned.fed_wide.sort_unstable();
        scanned.fed_wide.dedup();
        scanned.fed_texts.sort_unstable();
        scanned.fed_texts.dedup();
        scanned
    }

    fn scan_copy_text(&self, block: &Block, scanned: &mut Scanned) {
        let has_zero = copy_walk::walk_rows(block.bytes(), |walked| {
            let row = CopyRow(walked);
            match self.ask(&row) {
                Answer::PassedOver => scanned.rows += 1,
                Answer::Waits => self.row_that_waits(&row, scanned),
                Answer::LookedAt => self.row(&row, block, walked.range().start, scanned),
            }
        });
        if has_zero {
            scanned.note_zero_byte(block);
        }
    }

    fn scan_csv(&self, block: &Block, scanned: &mut Scanned) {
        let bytes = block.bytes();
        let walked = csv_walk::walk_rows(bytes, |walked| {
            let copied = || CsvRow::to_be_copied(walked);
            match self.ask(&CsvRow::new(walked)) {
                Answer::PassedOver => scanned.rows += 1,
                Answer::Waits => self.row_that_waits(&copied(), scanned),
                Answer::LookedAt => self.row(&copied(), block, walked.range().start, scanned),
            }
        });
        // The rows of a block that a walk stops in are split one by one.
        let mut fields = Vec::with_capacity(self.fields);
        let mut at = walked.end;
        while at < bytes.len() {
            match self.next_csv_row(block, at, &mut fields, scanned) {
                Some(next) => at = next,
                None => break,
            }
        }
        if walked.has_zero {
            scanned.note_zero_byte(block);
        }
    }

    /// Splits the row that begins at `at`, and looks at it. Returns where the next begins; `None` if nobody knows, and that is
    /// noted. A row that does not split costs itself alone if its end is known.
    fn next_csv_row(
        &self,
        block: &Block,
        at: usize,
        fields: &mut Vec<csv_text::CsvField>,
        scanned: &mut Scanned,
    ) -> Option<usize> {
        let bytes = block.bytes();
        let malformed = match csv_text::next_row(bytes, at, fields) {
            Ok(next) => {
                self.row(&SplitCsvRow { bytes, fields }, block, at, scanned);
                return Some(next);
            }
            Err(error) => error,
        };
        scanned.rows += 1;
        match csv_text::row_end(bytes, at) {
            Ok(next) => {
                scanned.bad(block, at, malformed.to_string());
                Some(next)
            }
            Err(error) => {
                scanned.broken(block, error.at, error.to_string());
                None
            }
        }
    }

    /// What is to be done with a row. Asked of every row, so it costs as little as can be.
    #[inline]
    fn ask(&self, row: &impl Row) -> Answer {
        if row.len() != self.fields || self.observed {
            return Answer::LookedAt;
        }
        match self.gate.ask(row) {
            // It is to have an order when it is found.
            Answer::Waits if self.id(row).is_err() => Answer::LookedAt,
            answer => answer,
        }
    }

    /// Notes a row that waits, and of which nothing else is to be noted.
    fn row_that_waits(&self, row: &impl Row, scanned: &mut Scanned) {
        scanned.rows += 1;
        self.stage(row, scanned);
    }

    fn stage(&self, row: &impl Row, scanned: &mut Scanned) {
        self.layout.copy(row, &mut scanned.staged);
        scanned.staged.push(b'\n');
    }

    fn row(&self, row: &impl Row, block: &Block, at_row: usize, scanned: &mut Scanned) {
        scanned.rows += 1;
        let found_before = scanned.found.len();
        if row.len() != self.fields {
            let reason = format!(
                "{} fields, but the table's data has {} columns",
                row.len(),
                self.fields
            );
            scanned.bad(block, at_row, reason);
            return;
        }
        let fed_before = scanned.fed_so_far();
        let mut kept = None;
        for hop in &self.ready {
            match judge(&hop.conditions, row) {
                Judged::Pass => {}
                Judged::Fail => continue,
                Judged::Wrong(field) => {
                    scanned.take_back(found_before, fed_before);
                    scanned.bad(block, at_row, self.no_value(field));
                    return;
                }
            }
            let key = match hop.shape.read(row, &hop.child) {
                KeyRead::Is(key) => key,
                KeyRead::Null => continue,
                KeyRead::Wrong(at) => {
                    scanned.take_back(found_before, fed_before);
                    scanned.bad(block, at_row, self.no_key(&hop.shape, &hop.child, at));
                    return;
                }
            };
            if !hop.keys.contains(key) {
                continue;
            }
            let id = match self.id(row) {
                Ok(id) => id,
                Err(reason) => {
                    scanned.take_back(found_before, fed_before);
                    scanned.bad(block, at_row, reason);
                    return;
                }
            };
            let kept = *kept.get_or_insert_with(|| {
                let from = scanned.kept.len();
                self.layout.copy(row, &mut scanned.kept);
                scanned.ranges.push(from..scanned.kept.len());
                scanned.starts.push(at_row);
                scanned.ranges.len() - 1
            });
            scanned.found.push(FoundRow {
                hop: hop.hop,
                key,
                id,
                row: kept,
            });
            for feed in &hop.feeds {
                if let Err(at) = self.feed(feed, row, scanned) {
                    // A row is used by all hops or by none.
                    scanned.take_back(found_before, fed_before);
                    scanned.bad(block, at_row, self.no_key(&feed.shape, &feed.fields, at));
                    return;
                }
            }
        }
        // Checked here, where the row's place is known.
        let mut waits = false;
        let mut wrong = None;
        for hop in &self.pending {
            if wrong.is_some() || waits && hop.below.is_none() {
                continue;
            }
            match judge(&hop.conditions, row) {
                Judged::Pass => {}
                Judged::Fail => continue,
                Judged::Wrong(field) => {
                    wrong = Some(self.no_value(field));
                    continue;
                }
            }
            let key = match hop.shape.read(row, &hop.child) {
                KeyRead::Is(key) => key,
                KeyRead::Null => continue,
                KeyRead::Wrong(at) => {
                    wrong = Some(self.no_key(&hop.shape, &hop.child, at));
                    continue;
                }
            };
            waits = true;
            if let Some(below) = &hop.below {
                match below.shape.read(row, &below.fields) {
                    KeyRead::Is(own) => scanned.below.push((below.slot, key, own)),
                    KeyRead::Null => {}
                    KeyRead::Wrong(at) => {
                        wrong = Some(self.no_key(&below.shape, &below.fields, at));
                    }
                }
            }
        }
        if waits && wrong.is_none() {
            wrong = self.id(row).err();
        }
        if let Some(reason) = wrong {
            scanned.take_back(found_before, fed_before);
            scanned.bad(block, at_row, reason);
            return;
        }
        if waits {
            if let Some(kept) = kept {
                scanned.kept_and_staged.push((kept, scanned.staged.len()));
            }
            self.stage(row, scanned);
        }
        if self.observed {
            self.layout.copy(row, &mut scanned.observed);
            scanned.observed.push(b'\n');
            scanned
                .observed_positions
                .push(scanned.position(block, at_row));
        }
    }

    /// Feeds a slot with a row's key.
    ///
    /// # Errors
    /// The position of the field that is no value of its type.
    #[inline]
    fn feed(&self, feed: &ScanFeed, row: &impl Row, scanned: &mut Scanned) -> Result<(), usize> {
        if self.feeds_texts {
            match feed.shape.read_key(row, &feed.fields) {
                KeyRead::Is(key) => scanned.fed_texts.push((feed.slot, key)),
                KeyRead::Null => {}
                KeyRead::Wrong(at) => return Err(at),
            }
            return Ok(());
        }
        match feed.shape.read(row, &feed.fields) {
            KeyRead::Is(IndexKey::Integer(key)) => scanned.fed.push((feed.slot, key)),
            KeyRead::Is(IndexKey::Wide(key)) => scanned.fed_wide.push((feed.slot, key)),
            KeyRead::Null => {}
            KeyRead::Wrong(at) => return Err(at),
        }
        Ok(())
    }

    /// The number that a row is ordered by.
    ///
    /// # Errors
    /// Why it has none.
    #[inline]
    fn id(&self, row: &impl Row) -> Result<i64, String> {
        match &self.id {
            RowId::Integer(key) => row.integer(*key).ok_or_else(|| {
                format!(
                    "column {} is no integer, but it is the primary key",
                    self.columns[*key]
                )
            }),
            RowId::Prefix(order, key) => order.prefix(row).ok_or_else(|| {
                let names: Vec<&str> = key.iter().map(|at| self.columns[*at].as_str()).collect();
                format!(
                    "column {} is no value of its type, but it is the primary key",
                    names.join(", ")
                )
            }),
            RowId::None => Ok(0),
        }
    }

    fn no_value(&self, field: usize) -> String {
        let column = self.columns.get(field).map_or("?", String::as_str);
        format!("column {column} is no value of its type, but rows are chosen by it")
    }

    fn no_key(&self, shape: &KeyShape, fields: &[usize], at: usize) -> String {
        let what = match shape.forms().get(at) {
            Some(KeyForm::Integer) => "no integer",
            Some(_) | None => "no value of its type",
        };
        let column = fields.get(at).map_or("?", |field| &self.columns[*field]);
        format!("column {column} is {what}, but it is a key")
    }
}

/// What the gate has to know of all hops.
fn gate_hops<'h>(
    ready: &'h [ScanHop],
    pending: &'h [PendingHop],
) -> impl Iterator<Item = GateHop> + 'h {
    let ready = ready.iter().map(|hop| GateHop {
        conditions: hop.conditions.clone(),
        child: hop.child.clone(),
        shape: hop.shape.clone(),
        keys: GateKeys::Known(Arc::clone(&hop.keys)),
    });
    let pending = pending.iter().map(|hop| GateHop {
        conditions: hop.conditions.clone(),
        child: hop.child.clone(),
        shape: hop.shape.clone(),
        keys: GateKeys::Awaited {
            noted: hop.below.is_some(),
        },
    });
    ready.chain(pending)
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

#[cfg(test)]
mod tests;
