//! Snapshots: immutable pictures of a database, whatever form they come in.
//!
//! Every kind of snapshot gives the same two things: a [`Catalog`] (tables, columns, types) and
//! the rows of tables as [`Block`]s of text. Three shapes of access exist, because they decide how
//! rows can be found: a [`StreamSource`] goes by once, in the order in which it was written; a
//! [`TableSource`] opens any table at any time; a [`KeyedSource`] finds rows by key itself. A row stays the bytes that PostgreSQL wrote; how
//! the bytes of a block split into rows and fields is the block's [`RowForm`].
//!
//! This floor knows nothing of pipelines, groups or JSON.

pub mod archive;
mod backup;
mod backup_info;
mod catalog;
pub mod chunks;
pub mod compression;
pub mod copy_text;
mod csv;
pub mod csv_text;
mod csv_write;
mod ddl;
mod described;
mod dump_frame;
mod encoding;
mod error;
#[cfg(test)]
mod faulty;
mod fingerprint;
mod inserts;
mod keyed;
mod open;
mod owners;
mod pgdata;
mod plain;
mod postgres;
mod read_errors;
mod schema_sql;
mod sql_names;
mod sql_start;
mod sql_text;
mod sql_type;
mod stated_keys;
mod survey;
mod tar_members;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use archive::{CustomArchive, CustomStream, DirectoryArchive, TarArchive, TarStream};
pub use backup::Backup;
pub use catalog::{Catalog, Column, Table, TableName};
pub use csv::CsvFolder;
pub use csv_write::CsvWriter;
pub use ddl::read_schema;
pub use described::{Described, DescribedPipeline, DescribedSchema, DescribedTable};
pub use encoding::Converted;
pub use error::{Place, SnapshotError};
pub use fingerprint::fingerprint;
pub use keyed::{Fields, KeyedSource, Predicate, Query};
pub use open::{OpenOptions, open, open_with};
pub use pgdata::{Listener, PgdataOptions, PrivateServers, Step};
pub use plain::PlainDump;
pub(crate) use postgres::is_address;
pub use postgres::{
    PASSWORD_VARIABLE, PostgresSource, Timeouts, address_start, shown, split_password,
};
pub use schema_sql::schema_sql;
pub use sql_type::SqlType;
pub use stated_keys::{KeyVerdict, StatedKey, StatedKeys};
pub use survey::{Definitions, Survey, TableSize, read_definitions, survey};

/// What a snapshot says of itself. Facts that it does not state are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Version of the PostgreSQL server that was dumped, such as `15.4`.
    pub server_version: Option<String>,
    /// Version of the program that wrote the dump.
    pub dump_version: Option<String>,
    /// GitLab's version with its suffix (`16.5.1-ee`), from `backup_information.yml`.
    pub gitlab_version: Option<String>,
    /// When the snapshot was taken, as the snapshot writes it.
    pub taken_at: Option<String>,
    /// How far the server's write-ahead log was when the snapshot was taken, such as `0/16B3748`: of live servers only.
    pub lsn: Option<String>,
    /// Version of the archive's format, such as `1.14`: of pg_dump archives only.
    pub archive_version: Option<String>,
    /// The keys of the entities whose rows the snapshot was limited to; `None` where its tables are whole.
    pub only: Option<Vec<i64>>,
    /// The pipeline that a taken snapshot was taken for.
    pub taken_for: Option<DescribedPipeline>,
    /// What was found in it that belongs to nothing and is not read. The log has it already.
    pub warnings: Vec<String>,
    /// How the archive says that its data is compressed (`none`, `gzip`, `lz4`, `zstd`): of pg_dump archives only.
    pub compression: Option<String>,
}

/// The kinds of snapshot, by the names that the manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// pg_dump's SQL text.
    Plain,
    /// A GitLab backup: its tar, or the same tree as a folder.
    GitlabBackup,
    /// A folder of CSV files with a `schema.sql`.
    Csv,
    /// pg_dump's archive in custom format (-Fc).
    Custom,
    /// pg_dump's archive in directory format (-Fd).
    Directory,
    /// pg_dump's archive in tar format (-Ft).
    Tar,
    /// A live PostgreSQL server, read at one exported snapshot.
    Postgres,
    /// A server's data folder or a base backup, read through a private server on a copy.
    Pgdata,
}

impl Kind {
    /// The name in the manifest and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "plain",
            Kind::GitlabBackup => "gitlab-backup",
            Kind::Csv => "csv",
            Kind::Custom => "custom",
            Kind::Directory => "directory",
            Kind::Tar => "tar",
            Kind::Postgres => "postgres",
            Kind::Pgdata => "pgdata",
        }
    }
}

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

/// How the bytes of a block split into rows and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// COPY's text format: fields end at TAB, rows at LF, `\N` is NULL.
    CopyText,
    /// COPY's CSV format: an unquoted empty field is NULL, a quoted field may hold line ends.
    Csv,
}

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
    pub range: std::ops::Range<usize>,
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

/// Where a snapshot's definitions and its data do not match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Tables and partitions that are defined, but whose data is not there.
    pub without_data: Vec<TableName>,
    /// Tables whose data is there, but not their definition.
    pub undefined: Vec<TableName>,
    /// What makes rows doubtful, though none can be named. The log has it already.
    pub warnings: Vec<String>,
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
