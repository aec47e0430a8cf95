//! Snapshots: immutable pictures of a database, whatever form they come in.
//!
//! Every kind of snapshot gives the same two things: a [`Catalog`] (tables, columns, types) and the rows of tables as
//! [`Block`]s of text. A row stays the bytes that PostgreSQL wrote; how the bytes of a block split into rows and fields
//! is the block's [`RowForm`]. `codec` turns bytes into bytes, `sql` reads and writes SQL text, `kind` has one folder
//! for each kind of snapshot.
//!
//! This floor knows nothing of pipelines, groups or JSON.

mod block;
mod catalog;
pub mod codec;
mod databases;
mod described;
pub(crate) mod drive;
mod error;
mod event;
mod facts;
mod files;
mod fingerprint;
mod foreign_keys;
mod keyed;
pub mod kind;
mod open;
mod opening;
mod owners;
mod ownership;
mod place;
mod routing;
mod several;
mod source;
mod spec;
mod sql;
mod sql_type;
mod stated_keys;
mod survey;
mod table_name;

pub use block::{Block, BlockHead, ZERO_BYTE};
pub use catalog::{Catalog, Column, Table};
pub use codec::csv_write::CsvWriter;
pub use codec::encoding::Converted;
pub use codec::row_form::RowForm;
pub use databases::{Databases, OtherDatabase};
pub use described::{Described, DescribedPipeline, DescribedSchema, DescribedTable};
pub use error::{Position, SnapshotError};
pub use event::{DatabaseEnd, DatabaseOutcome, Event, Sink, TableEnd, TableFilter};
pub use facts::{Holdings, Kind, SnapshotFacts, TableSize};
pub use files::{
    ArchiveTrouble, BackupFiles, BackupInfo, BackupPart, Behind, FileSource, Gathered,
    InnerArchive, TarIndex, Wanted, backup_parts,
};
pub use foreign_keys::ForeignKey;
pub use keyed::{ComparedAs, Ending, Fields, KeyColumn, KeyedSource, Predicate, Query};
pub use kind::archive::{CustomArchive, CustomStream, DirectoryArchive, TarArchive, TarStream};
pub use kind::backup::{Backup, BackupOptions};
pub use kind::csv::CsvFolder;
pub use kind::pgdata::PgdataOptions;
pub use kind::plain::PlainDump;
pub(crate) use kind::postgres::{HeldInstant, HoldEnd};
pub use kind::postgres::{PostgresSource, Timeouts};
pub use open::{OpenOptions, open, open_files, open_with};
pub use opening::{Listener, Opening, OpeningStep};
pub(crate) use place::{Pipe, is_of_source};
pub use routing::{MAIN_DATABASE, Routing, TwoDatabases};
pub use source::{Access, Snapshot, StreamSource, TablePart, TableSource};
pub use spec::Spec;
pub use sql::ddl::read_schema;
pub use sql::schema::schema_sql;
pub use sql_type::SqlType;
pub use stated_keys::{KeyVerdict, StatedKey, StatedKeys};
pub use survey::{Definitions, Onlooker, Survey, read_catalog, read_definitions, survey};
pub use table_name::TableName;
