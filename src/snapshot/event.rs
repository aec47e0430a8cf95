//! Events: what a reader of a snapshot tells while it reads.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::block::{Block, BlockHead};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::stated_keys::StatedKeys;
use crate::snapshot::table_name::TableName;

/// What a reader tells while it reads.
#[derive(Debug)]
pub enum Event {
    /// The catalog is complete as far as data can need it. Comes once, before any row.
    Catalog(Arc<Catalog>, SnapshotFacts),
    /// The keys of all tables, where constraints are stated behind rows, as in plain dumps. Comes at the end, if more are
    /// stated than the catalog has.
    Keys(StatedKeys),
    /// Data of a table begins. Data that belongs to several wanted tables begins for each of them, one after the other; so
    /// do its rows come, and its end.
    Begin(Arc<BlockHead>),
    /// Some of its rows.
    Rows(Block),
    /// The data of a table, or of one partition of it, ended well. For tables that were not wanted this is
    /// the only event; a source that steps over their data without decoding it tells nothing of them.
    End(TableEnd),
    /// Damage in the data of a table that is not wanted: whoever does not need that table may go on. Or, as
    /// [`SnapshotError::TooLarge`] of some tables, a row of them that was stepped over: their other rows come.
    Damage(SnapshotError),
    /// All that comes of one of several databases has come. Only streams of several databases tell this, of each that is read.
    DatabaseEnd(DatabaseEnd),
    /// A stream was read to its end: what it turned out to hold. The last event, of streams only.
    Holdings(Holdings),
}

/// What went by of one table, or of one partition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEnd {
    /// The table the rows belong to. Data ends for each of its tables, for partitions only where they are wanted.
    pub table: TableName,
    pub rows: u64,
    /// Bytes of row text, before compression.
    pub bytes: u64,
}

/// What became of one of the several databases of a stream. An error of one does not keep the others from being read; the
/// stream ends with the first.
#[derive(Debug, Clone)]
pub struct DatabaseEnd {
    /// The tables that are taken from it.
    pub tables: Arc<BTreeSet<TableName>>,
    pub outcome: DatabaseOutcome,
}

/// How the reading of a database ended.
#[derive(Debug, Clone)]
pub enum DatabaseOutcome {
    /// At its end: what it turned out to hold of its tables.
    Whole(Holdings),
    /// Early, for this reason: tables whose data had not come by then are not all there.
    CutOff(String),
    /// Nothing of it is to be relied on, for this reason.
    Doubtful(String),
}

/// Takes a reader's events; `Break` makes the reader stop early and return `Ok`.
pub type Sink<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// Tells whether a reader should hand out the rows of a table, wherever they stand.
pub type TableFilter<'a> = &'a (dyn Fn(&TableName) -> bool + Sync);
