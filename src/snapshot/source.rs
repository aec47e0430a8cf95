//! Sources: what every kind of snapshot offers, whatever form it comes in.
//!
//! Three shapes of access exist, because they decide how rows can be found: a [`StreamSource`] goes by once, in the
//! order in which it was written; a [`TableSource`] opens any table at any time; a [`KeyedSource`] finds rows by key
//! itself.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::{
    Block, BlockHead, Catalog, Holdings, KeyedSource, Kind, SnapshotError, SnapshotFacts,
    StatedKeys, TableName,
};

/// An opened snapshot.
pub struct Snapshot {
    pub kind: Kind,
    /// What the user named it by, without folders (for the manifest): a file or folder name, or `-`.
    pub source: String,
    /// Bytes on disk of what will be read, for progress; `None` for standard input and other pipes. Where
    /// tables are opened one by one the size of all tables' data: who reads only some adds up the sizes of their parts.
    pub size: Option<u64>,
    /// Bytes read so far of those that `size` counts, before decompression. Grows while the snapshot is read.
    pub progress: Arc<AtomicU64>,
    pub access: Access,
}

/// How the rows of a snapshot can be reached.
pub enum Access {
    Stream(Box<dyn StreamSource>),
    Tables(Box<dyn TableSource>),
    Keyed(Box<dyn KeyedSource>),
}

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
    /// Damage in the data of a table that is not wanted. Whoever does not need that table may go on.
    Damage(SnapshotError),
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

/// Takes a reader's events; `Break` makes the reader stop early and return `Ok`.
pub type Sink<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// Tells whether a reader should hand out the rows of a table, wherever they stand.
pub type Wanted<'a> = &'a (dyn Fn(&TableName) -> bool + Sync);

/// A snapshot that goes by once, in the order in which it was written.
pub trait StreamSource: Send {
    /// Reads to the end. Blocks on disk reads and on `sink`; call it on a thread of its own.
    ///
    /// # Errors
    /// Anything that makes what was read doubtful: damage, a cut end, an unknown format.
    fn read(self: Box<Self>, wanted: Wanted<'_>, sink: Sink<'_>) -> Result<(), SnapshotError>;
}

/// A snapshot whose tables can be opened one by one, also from several threads at once.
pub trait TableSource: Send + Sync {
    fn catalog(&self) -> Arc<Catalog>;
    fn facts(&self) -> SnapshotFacts;
    /// The separately readable parts of a table's data (those of its partitions and children, too), none where the snapshot has no data for it.
    fn parts(&self, table: &TableName) -> Vec<Part>;
    /// Where definitions and data do not match, in the whole snapshot.
    fn holdings(&self) -> Holdings;
    /// Reads one part: `Begin`, `Rows`…, `End`.
    ///
    /// # Errors
    /// As [`StreamSource::read`].
    fn read(&self, part: &Part, sink: Sink<'_>) -> Result<(), SnapshotError>;
}

/// A separately readable part of a table's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub table: TableName,
    /// The source's own number for it.
    pub index: usize,
    /// Bytes on disk, a measure of how long it takes.
    pub size: u64,
}
