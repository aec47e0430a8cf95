//! A folder of CSV files, one for each table, with a `schema.sql` beside them for the types.
//!
//! The files are what `COPY … TO … WITH (FORMAT csv, HEADER)` and psql's `\copy` write: `<table>.csv`, raw or
//! compressed, which is told by content and not by the suffix. `schema.sql` is `pg_dump --schema-only`.
//! A folder that `relexport snapshot take` made says in `snapshot.json` what it is a picture of; what that lists has to be
//! there. A file's name is the name of a table in schema `public`, or of a partition of such a table. Only regular
//! files directly in the folder are read: no link and no name from inside the data leads anywhere else.

mod blocks;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::compression::decoder;
use super::csv_text::next_row;
use super::ddl::{Ddl, Fault, first_words};
use super::dump_frame::DumpFrame;
use super::encoding::Encoding;
use super::read_errors::{damaged, io_error, read_error};
use super::{
    BlockHead, Catalog, Described, Event, Part, Place, RowForm, Sink, SnapshotError, SnapshotFacts,
    Table, TableEnd, TableName, TableSource,
};
use blocks::Blocks;

/// The name of the file that holds the definitions of the tables.
const SCHEMA: &str = "schema.sql";

/// Larger than any real schema (GitLab's has 6 MB), small enough to be read whole.
const SCHEMA_LIMIT: u64 = 256 << 20;

/// Suffixes of compressed files. They say only which files are meant: content tells the compression.
const COMPRESSED: [&str; 5] = [".gz", ".zst", ".lz4", ".xz", ".bz2"];

/// An opened folder of CSV files.
pub struct CsvFolder {
    path: PathBuf,
    catalog: Arc<Catalog>,
    facts: SnapshotFacts,
    /// Of the files with rows, as the schema states it.
    encoding: Encoding,
    /// By name; the index is that of the [`Part`].
    files: Vec<DataFile>,
    progress: Arc<AtomicU64>,
}

/// A file with rows.
struct DataFile {
    name: String,
    /// The table that the rows belong to, the root of a partition tree.
    table: TableName,
    size: u64,
    is_link: bool,
}

impl CsvFolder {
    /// True if a folder's file names are those of this kind of snapshot: a schema and at least one table.
    pub(super) fn is_one(names: &[String]) -> bool {
        names.iter().any(|name| is_schema(name)) && CsvFolder::holds_tables(names)
    }

    /// True if one of a folder's file names is that of a table's data.
    pub(super) fn holds_tables(names: &[String]) -> bool {
        names.iter().any(|name| stem(name).is_some())
    }

    /// Reads the schema and lists the files. `progress` counts the bytes read from data files, before
    /// decompression.
    ///
    /// # Errors
    /// The folder or its schema cannot be read, or two files hold the same table or partition.
    pub fn open(path: &Path, progress: Arc<AtomicU64>) -> Result<Self, SnapshotError> {
        let mut schemas = Vec::new();
        let mut files: HashMap<String, (String, fs::Metadata)> = HashMap::new();
        let entries = fs::read_dir(path).map_err(|error| io_error(path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| io_error(path, error))?;
            // Of the link itself, not of what it points to.
            let metadata = entry.metadata().map_err(|error| io_error(path, error))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !metadata.is_file() && !metadata.is_symlink() {
                continue;
            }
            if is_schema(&name) {
                schemas.push(name);
            } else if let Some(stem) = stem(&name) {
                let stem = stem.to_owned();
                if let Some((other, _)) = files.get(&stem) {
                    return Err(twice(path, other, &name));
                }
                files.insert(stem, (name, metadata));
            }
        }
        schemas.sort();
        let schema = match &schemas[..] {
            [schema] => schema,
            [first, second, ..] => return Err(twice(path, first, second)),
            [] => {
                return Err(SnapshotError::NotASnapshot {
                    path: path.display().to_string(),
                    reason: format!("{SCHEMA} is missing, which pg_dump --schema-only writes"),
                });
            }
        };
        let (mut catalog, mut facts, encoding) = read_schema(&path.join(schema), schema)?;
        if let Some(described) = read_description(&path.join(Described::FILE_NAME))? {
            check_listed(&described, &files)?;
            for table in &described.partitioned {
                catalog.set_partitioned(&TableName::public(table));
            }
            facts = described.facts();
        }
        Ok(CsvFolder {
            path: path.to_owned(),
            files: data_files(&catalog, files),
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

    /// The table that a file's rows belong to, and the file's columns by its header row.
    fn head(&self, file: &DataFile, header: &[u8]) -> Result<BlockHead, SnapshotError> {
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
            table: file.table.clone(),
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

    /// One part for each file: the table's own, or those of its partitions.
    fn parts(&self, table: &TableName) -> Vec<Part> {
        let files = self.files.iter().enumerate();
        files
            .filter(|(_, file)| file.table == *table)
            .map(|(index, file)| Part {
                table: table.clone(),
                index,
                size: file.size,
            })
            .collect()
    }

    fn read(&self, part: &Part, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let Some(file) = self.files.get(part.index) else {
            return Err(SnapshotError::Unsupported {
                what: format!("part {} of table {}", part.index, part.table),
                reason: format!("{} has no such part", self.path.display()),
            });
        };
        if file.is_link {
            return Err(SnapshotError::Unsupported {
                what: file.name.clone(),
                reason: "it is a symbolic link, and no link in a snapshot is followed; \
                         put the file itself into the folder"
                    .to_owned(),
            });
        }
        let path = self.path.join(&file.name);
        let opened = File::open(&path).map_err(|error| io_error(&path, error))?;
        let reader = decoder(Box::new(opened), Arc::clone(&self.progress))
            .map_err(|error| read_error(file.place(None), error))?;
        let mut blocks = Blocks::new(reader, file.place(None));
        let head = Arc::new(self.head(file, &self.encoding.text(&blocks.header()?))?);
        if sink(Event::Begin(Arc::clone(&head))).is_break() {
            return Ok(());
        }
        while let Some(block) = blocks.next(&head)? {
            if sink(Event::Rows(self.encoding.block(block))).is_break() {
                return Ok(());
            }
        }
        // The last event: whether the sink breaks makes no difference.
        let _ = sink(Event::End(TableEnd {
            table: file.table.clone(),
            rows: blocks.rows(),
            bytes: blocks.bytes(),
        }));
        Ok(())
    }
}

impl DataFile {
    fn place(&self, line: Option<u64>) -> Place {
        Place {
            member: Some(self.name.clone()),
            line,
            ..Place::default()
        }
    }
}

/// Name of the table or partition that a file of this name holds, `None` for other files.
fn stem(name: &str) -> Option<&str> {
    let stem = uncompressed(name).strip_suffix(".csv")?;
    // Archivers leave files like `._notes.csv` beside the real ones.
    (!stem.is_empty() && !stem.starts_with('.')).then_some(stem)
}

fn is_schema(name: &str) -> bool {
    uncompressed(name) == SCHEMA
}

fn uncompressed(name: &str) -> &str {
    COMPRESSED
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}

fn twice(path: &Path, one: &str, other: &str) -> SnapshotError {
    let (one, other) = (one.min(other), one.max(other));
    SnapshotError::Unsupported {
        what: path.display().to_string(),
        reason: format!(
            "{one} and {other} hold the same table; leave only one of them in the folder"
        ),
    }
}

/// What a taken snapshot says of itself; `None` where nothing does.
fn read_description(path: &Path) -> Result<Option<Described>, SnapshotError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    };
    let unsupported = |reason: String| SnapshotError::Unsupported {
        what: path.display().to_string(),
        reason,
    };
    if !metadata.is_file() {
        return Err(unsupported(
            "it is no regular file, and no link in a snapshot is followed".to_owned(),
        ));
    }
    if metadata.len() > SCHEMA_LIMIT {
        return Err(unsupported(format!(
            "it is larger than {} MiB",
            SCHEMA_LIMIT >> 20
        )));
    }
    let json = fs::read(path).map_err(|error| io_error(path, error))?;
    serde_json::from_slice(&json).map(Some).map_err(|error| {
        unsupported(format!(
            "it is not what `relexport snapshot take` writes ({error}); take the snapshot again"
        ))
    })
}

/// Makes sure that the files of a taken snapshot are there with their sizes. Their checksums are for `verify`.
fn check_listed(
    described: &Described,
    files: &HashMap<String, (String, fs::Metadata)>,
) -> Result<(), SnapshotError> {
    for table in &described.tables {
        let place = Place {
            member: Some(table.file.clone()),
            ..Place::default()
        };
        let found = files
            .get(&table.table)
            .filter(|(name, _)| *name == table.file);
        match found {
            None => {
                return Err(damaged(
                    place,
                    format!("it is missing, though {} lists it", Described::FILE_NAME),
                ));
            }
            Some((_, metadata)) if metadata.len() != table.bytes => {
                return Err(damaged(
                    place,
                    format!(
                        "it has {} bytes, but {} says {}",
                        metadata.len(),
                        Described::FILE_NAME,
                        table.bytes
                    ),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn read_schema(
    path: &Path,
    name: &str,
) -> Result<(Catalog, SnapshotFacts, Encoding), SnapshotError> {
    let place = || Place {
        member: Some(name.to_owned()),
        ..Place::default()
    };
    let metadata = fs::symlink_metadata(path).map_err(|error| io_error(path, error))?;
    if !metadata.is_file() {
        return Err(SnapshotError::Unsupported {
            what: path.display().to_string(),
            reason: "it is a symbolic link, and no link in a snapshot is followed".to_owned(),
        });
    }
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    // Not part of what progress is measured by: it is read before anything is known to be.
    let reader =
        decoder(Box::new(file), Arc::default()).map_err(|error| read_error(place(), error))?;
    let mut sql = Vec::new();
    reader
        .take(SCHEMA_LIMIT + 1)
        .read_to_end(&mut sql)
        .map_err(|error| read_error(place(), error))?;
    if sql.len() as u64 > SCHEMA_LIMIT {
        return Err(SnapshotError::Unsupported {
            what: path.display().to_string(),
            reason: format!("it is larger than {} MiB", SCHEMA_LIMIT >> 20),
        });
    }
    let mut frame = DumpFrame::default();
    for line in sql.split(|&byte| byte == b'\n') {
        frame.comment(line);
    }
    let encoding = schema_encoding(&sql).map_err(|fault| fault.at(Some(name.to_owned()), 0))?;
    let catalog = super::read_schema(&encoding.text(&sql)).map_err(|error| match error {
        SnapshotError::Damaged { place: at, reason } => {
            let member = Some(name.to_owned());
            damaged(Place { member, ..at }, reason)
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

/// Finds the table of each file. Where a partitioned table has a file of its own, the files of its partitions
/// would repeat its rows and are left out.
fn data_files(catalog: &Catalog, files: HashMap<String, (String, fs::Metadata)>) -> Vec<DataFile> {
    let roots: HashMap<&str, TableName> = files
        .keys()
        .map(|stem| (stem.as_str(), table_of(catalog, stem)))
        .collect();
    let mut kept: Vec<DataFile> = files
        .iter()
        .filter_map(|(stem, (name, metadata))| {
            let table = roots[stem.as_str()].clone();
            let root_has_a_file =
                table.name != *stem && roots.get(table.name.as_str()) == Some(&table);
            (!root_has_a_file).then(|| DataFile {
                name: name.clone(),
                table,
                size: metadata.len(),
                is_link: metadata.is_symlink(),
            })
        })
        .collect();
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    kept
}

/// The table that the rows of `<stem>.csv` belong to. GitLab keeps partitions in schemas of their own
/// (`gitlab_partitions_static`), but only roots in `public` count.
fn table_of(catalog: &Catalog, stem: &str) -> TableName {
    let public = TableName::public(stem);
    if catalog.table(&public).is_some() {
        return catalog.root(&public).clone();
    }
    let mut roots = catalog
        .tables()
        .filter(|table| table.name.name == stem)
        .map(|table| catalog.root(&table.name))
        .filter(|root| root.schema == "public");
    match roots.next() {
        Some(root) if roots.all(|other| other == root) => root.clone(),
        // Unknown, or two partitions of one name: an error when the table is asked for.
        _ => public,
    }
}

#[cfg(test)]
mod tests;
