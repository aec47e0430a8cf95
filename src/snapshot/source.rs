//! Sources: what every kind of snapshot offers, whatever form it comes in.
//!
//! Three shapes of access exist, because they decide how rows can be found: a [`StreamSource`] goes by once, in the
//! order in which it was written; a [`TableSource`] opens any table at any time; a [`KeyedSource`] finds rows by key
//! itself.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::{Sink, TableFilter};
use crate::snapshot::facts::{Holdings, Kind, SnapshotFacts};
use crate::snapshot::files::FileSource;
use crate::snapshot::keyed::{Ending, KeyedSource};
use crate::snapshot::table_name::TableName;

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
    /// The files that lie beside its rows.
    pub files: FileSource,
}

impl Snapshot {
    /// Held by whoever ends with the snapshot, however many threads still have a part of it: what was started for it (a
    /// private server, say) is gone once this is dropped.
    pub fn ending(&self) -> Option<Ending> {
        match &self.access {
            Access::Keyed(source) => source.ending(),
            Access::Stream(_) | Access::Tables(_) => None,
        }
    }
}

/// How the rows of a snapshot can be reached.
pub enum Access {
    Stream(Box<dyn StreamSource>),
    Tables(Box<dyn TableSource>),
    Keyed(Box<dyn KeyedSource>),
}

/// A snapshot that goes by once, in the order in which it was written.
pub trait StreamSource: Send {
    /// Reads to the end. Blocks on disk reads and on `sink`; call it on a thread of its own.
    ///
    /// # Errors
    /// Anything that makes what was read doubtful: damage, a cut end, an unknown format.
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError>;
}

/// A snapshot whose tables can be opened one by one, also from several threads at once.
pub trait TableSource: Send + Sync {
    fn catalog(&self) -> Arc<Catalog>;
    fn facts(&self) -> SnapshotFacts;
    /// The separately readable parts of a table's data (those of its partitions and children, too), none where the snapshot has no data for it.
    fn parts(&self, table: &TableName) -> Vec<TablePart>;
    /// Where definitions and data do not match, in the whole snapshot.
    fn holdings(&self) -> Holdings;
    /// Reads one part: `Begin`, `Rows`…, `End`.
    ///
    /// # Errors
    /// As [`StreamSource::read`].
    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError>;
}

/// A separately readable part of a table's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePart {
    pub table: TableName,
    /// The source's own number for it.
    pub index: usize,
    /// Bytes on disk, a measure of how long it takes.
    pub size: u64,
}
