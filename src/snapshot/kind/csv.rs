//! A folder of CSV files, one for each table, with a `schema.sql` beside them for the types.
//!
//! The files are what `COPY … TO … WITH (FORMAT csv, HEADER)` and psql's `\copy` write: `<table>.csv`, raw or
//! compressed, which is told by content and not by the suffix. `schema.sql` is `pg_dump --schema-only`.
//! A folder that `relexport snapshot take` made says in `snapshot.json` what it is a picture of; what that lists has to be
//! there ([`stated`]). A file's name is the name of a table, with its schema before a dot unless that is `public`, or of a partition of
//! a table ([`files`]).
//! Only regular files directly in the folder are read: no link and no name from inside the data leads anywhere else.

mod blocks;
mod files;
mod stated;

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::block::BlockHead;
use crate::snapshot::catalog::{Catalog, Table};
use crate::snapshot::codec::compression::decoder;
use crate::snapshot::codec::csv_text::next_row;
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::codec::read_errors::{damaged, read_error};
use crate::snapshot::codec::row_form::RowForm;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableEnd};
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::place::{EntryKind, Folder};
use crate::snapshot::source::{TablePart, TableSource};
use crate::snapshot::sql::ddl::{Ddl, Fault, first_words};
use crate::snapshot::sql::frame::DumpFrame;
use crate::snapshot::table_name::TableName;
use blocks::Blocks;
use files::{DataFile, Listing, is_schema, qualified, stem};
use stated::Stated;

/// The name of the file that holds the definitions of the tables.
const SCHEMA: &str = "schema.sql";

/// Larger than any real schema (GitLab's has 6 MB), small enough to be read whole.
const SMALL: u64 = 256 << 20;

/// An opened folder of CSV files.
pub struct CsvFolder {
    folder: Folder,
    catalog: Arc<Catalog>,
    facts: SnapshotFacts,
    /// Of the files with rows, as the schema states it.
    encoding: Encoding,
    /// By name; the index is that of the [`TablePart`].
    files: Vec<DataFile>,
    holdings: Holdings,
    progress: Arc<AtomicU64>,
}

impl CsvFolder {
    /// True if a folder's file names are those of this kind of snapshot: a schema and at least one table.
    pub(crate) fn is_one(names: &[String]) -> bool {
        names.iter().any(|name| is_schema(name)) && CsvFolder::holds_tables(names)
    }

    /// True if one of a folder's file names is that of a table's data.
    pub(crate) fn holds_tables(names: &[String]) -> bool {
        names.iter().any(|name| stem(name).is_some())
    }

    /// Reads the schema and lists the files. `progress` counts the bytes read from data files, before
    /// decompression. Files that belong to no table are named in a warning, in the log and in [`SnapshotFacts::warnings`].
    ///
    /// # Errors
    /// The folder or its schema cannot be read, or a taken snapshot is not what it says of itself.
    pub(crate) fn open(folder: &Folder, progress: Arc<AtomicU64>) -> Result<Self, SnapshotError> {
        let listing = Listing::of(folder)?;
        let schema = match &listing.schemas[..] {
            [schema] => schema,
            [first, second, ..] => {
                return Err(SnapshotError::Unsupported {
                    what: folder.to_string(),
                    reason: format!(
                        "{first} and {second} both hold the schema; leave only one of them in the folder"
                    ),
                });
            }
            [] => {
                return Err(SnapshotError::NotASnapshot {
                    path: folder.to_string(),
                    reason: format!("{SCHEMA} is missing, which pg_dump --schema-only writes"),
                });
            }
        };
        let stated = Stated::read(folder)?;
        let sql = read_file(folder, schema)?;
        if let Some(stated) = &stated {
            stated.check_schema(schema, &sql)?;
            stated.check_files(&listing.files)?;
        }
        let (mut catalog, mut facts, encoding) = parse_schema(sql, schema, folder)?;
        if let Some(stated) = &stated {
            for table in &stated.described.partitioned {
                catalog.set_partitioned(&TableName::public(table));
                for table in qualified(&catalog, table) {
                    catalog.set_partitioned(&table);
                }
            }
            facts = SnapshotFacts::stated_in(&stated.described);
        }
        let is_listed = stated
            .as_ref()
            .map(|stated| |name: &str| stated.lists(name));
        let listed = is_listed
            .as_ref()
            .map(|listed| listed as &dyn Fn(&str) -> bool);
        let named: HashSet<TableName> = listing.named(&catalog, listed).collect();
        let holdings = catalog.holdings(named.iter(), |table| named.contains(table));
        let (files, warnings) = listing.assign(&catalog, listed);
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        facts.warnings = warnings;
        Ok(CsvFolder {
            folder: folder.clone(),
            files,
            holdings,
            catalog: Arc::new(catalog),
            facts,
            encoding,
            progress,
        })
    }

    /// Bytes of all data files on disk.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The head of a file's rows as those of `holder`, with the file's columns by its header row.
    fn head(
        &self,
        file: &DataFile,
        holder: &TableName,
        header: &[u8],
    ) -> Result<BlockHead, SnapshotError> {
        let wrong = |reason: String| damaged(file.place(Some(1)), reason);
        let table = self.table(file)?;
        let mut fields = Vec::new();
        next_row(header, 0, &mut fields).map_err(|error| wrong(error.to_string()))?;
        let mut columns: Vec<String> = Vec::with_capacity(fields.len());
        for field in fields {
            let name = String::from_utf8_lossy(&header[field.range]).into_owned();
            let name = match field.quoted {
                true => name.replace("\"\"", "\""),
                false => name,
            };
            if table.column(&name).is_none() {
                return Err(wrong(format!(
                    "its first line names the column {name:?}, which table {} does not have by {SCHEMA}; \
                     the line must name the columns, as COPY's option HEADER writes it",
                    table.name
                )));
            }
            if columns.contains(&name) {
                return Err(wrong(format!(
                    "its first line names the column {name:?} twice"
                )));
            }
            columns.push(name);
        }
        Ok(BlockHead {
            table: holder.clone(),
            columns,
            form: RowForm::Csv,
        })
    }

    fn table(&self, file: &DataFile) -> Result<&Table, SnapshotError> {
        self.catalog.table(&file.table).ok_or_else(|| {
            damaged(
                file.place(None),
                format!("{SCHEMA} defines no table {}", file.table),
            )
        })
    }
}

impl TableSource for CsvFolder {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.facts.clone()
    }

    /// One part for each file: the table's own, those of its partitions and of tables that inherit from it.
    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        let files = self.files.iter().enumerate();
        files
            .filter(|(_, file)| file.holders.contains(table))
            .map(|(index, file)| TablePart {
                table: table.clone(),
                index,
                size: file.size,
            })
            .collect()
    }

    fn holdings(&self) -> Holdings {
        self.holdings.clone()
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let Some(file) = self.files.get(part.index) else {
            return Err(SnapshotError::Unsupported {
                what: format!("part {} of table {}", part.index, part.table),
                reason: format!("{} has no such part", self.folder),
            });
        };
        if let Some(reason) = &file.unusable {
            return Err(SnapshotError::Unsupported {
                what: file.name.clone(),
                reason: reason.clone(),
            });
        }
        let at = self.folder.file(&file.name);
        let opened = at.open_range(0..file.size);
        let opened = opened.map_err(|error| at.failed(error))?;
        let reader = decoder(Box::new(opened), Arc::clone(&self.progress))
            .map_err(|error| read_error(file.place(None), error))?;
        let mut blocks = Blocks::new(reader, file.place(None));
        let header = blocks.header()?;
        let head = self.head(file, &part.table, &self.encoding.text(&header))?;
        let head = Arc::new(head);
        if sink(Event::Begin(Arc::clone(&head))).is_break() {
            return Ok(());
        }
        while let Some(block) = blocks.next(&head)? {
            if sink(Event::Rows(block.in_utf8(self.encoding))).is_break() {
                return Ok(());
            }
        }
        // The last event: whether the sink breaks makes no difference.
        let _ = sink(Event::End(TableEnd {
            table: part.table.clone(),
            rows: blocks.rows(),
            bytes: blocks.bytes(),
        }));
        Ok(())
    }
}

/// The bytes of a small file that must be a regular one: no link in a snapshot is followed.
fn read_file(folder: &Folder, name: &str) -> Result<Vec<u8>, SnapshotError> {
    let at = folder.file(name);
    let unsupported = |reason: String| SnapshotError::Unsupported {
        what: at.to_string(),
        reason,
    };
    let found = folder.find(name).map_err(|error| at.failed(error))?;
    if found.is_some_and(|found| found.kind != EntryKind::File) {
        return Err(unsupported(
            "it is a symbolic link or no regular file, and no link in a snapshot is followed; \
             put the file itself into the folder"
                .to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    let file = at.open().map_err(|error| at.failed(error))?;
    file.take(SMALL + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| at.failed(error))?;
    match bytes.len() as u64 > SMALL {
        true => Err(unsupported(too_large())),
        false => Ok(bytes),
    }
}

fn too_large() -> String {
    format!("it is larger than {} MiB", SMALL >> 20)
}

/// The tables that the bytes of a schema's file define, and what it says of the dump.
fn parse_schema(
    bytes: Vec<u8>,
    name: &str,
    folder: &Folder,
) -> Result<(Catalog, SnapshotFacts, Encoding), SnapshotError> {
    let place = || Position {
        member: Some(name.to_owned()),
        ..Position::default()
    };
    let mut sql = Vec::new();
    // Not part of what progress is measured by: it is read before anything is known to be.
    decoder(Box::new(Cursor::new(bytes)), Arc::default())
        .and_then(|reader| reader.take(SMALL + 1).read_to_end(&mut sql))
        .map_err(|error| read_error(place(), error))?;
    if sql.len() as u64 > SMALL {
        return Err(SnapshotError::Unsupported {
            what: folder.file(name).to_string(),
            reason: too_large(),
        });
    }
    let mut frame = DumpFrame::default();
    for line in sql.split(|&byte| byte == b'\n') {
        frame.comment(line);
    }
    let encoding = schema_encoding(&sql).map_err(|fault| fault.at(Some(name.to_owned()), 0))?;
    let catalog =
        crate::snapshot::read_schema(&encoding.text(&sql)).map_err(|error| match error {
            SnapshotError::Damaged { place: at, reason } => {
                let member = Some(name.to_owned());
                damaged(Position { member, ..at }, reason)
            }
            other => other,
        })?;
    Ok((catalog, frame.facts, encoding))
}

/// The encoding that the settings before the first definition state, each on a line of its own, as pg_dump writes them.
fn schema_encoding(sql: &[u8]) -> Result<Encoding, Fault> {
    let mut ddl = Ddl::default();
    for line in sql.split(|&byte| byte == b'\n') {
        match first_words(line).first().map(String::as_str) {
            Some("set" | "select") => ddl.statement(line)?,
            Some("create" | "alter" | "comment") => break,
            _ => {}
        }
    }
    Ok(ddl.encoding())
}

#[cfg(test)]
mod tests;
