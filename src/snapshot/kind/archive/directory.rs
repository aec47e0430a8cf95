//! Archives in directory format (-Fd): a folder with `toc.dat` and a file for each table's data.
//!
//! File names come from the TOC and are not trusted: only regular files directly in the folder are opened.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::catalog::{Contents, TableData};
use super::rows::read_rows;
use super::toc::{DataPlace, Format, Toc};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::codec::compression::{
    Compression, Counted, INPUT_BUFFER, decoder, decoder_of,
};
use crate::snapshot::codec::read_errors::{damaged, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::owners::Owners;
use crate::snapshot::place::{EntryKind, Folder};
use crate::snapshot::source::{TablePart, TableSource};
use crate::snapshot::table_name::TableName;

/// The TOC's file, also with a suffix.
const TOC: &str = "toc.dat";

/// Suffixes of files, and how they are compressed.
pub(crate) const SUFFIXES: [(&str, Compression); 4] = [
    ("", Compression::None),
    (".gz", Compression::Gzip),
    (".lz4", Compression::Lz4),
    (".zst", Compression::Zstd),
];

/// An opened archive in directory format.
pub struct DirectoryArchive {
    folder: Folder,
    source: String,
    contents: Contents,
    /// The file of each entry with data.
    files: Vec<Result<DataFile, Unusable>>,
    progress: Arc<AtomicU64>,
}

/// A file with the data of one entry.
struct DataFile {
    name: String,
    size: u64,
    compression: Compression,
}

/// Why an entry's file cannot be read. That is an error only for those who want its rows.
struct Unusable {
    name: String,
    reason: String,
    /// True where the archive's content cannot be what pg_dump wrote.
    is_damage: bool,
}

impl DirectoryArchive {
    /// True if a folder's file names are those of this kind of snapshot.
    pub(crate) fn is_one(names: &[String]) -> bool {
        toc_names(names).next().is_some()
    }

    /// Reads the TOC and looks for the files that it names. `progress` counts the bytes read of tables' data,
    /// before decompression.
    ///
    /// # Errors
    /// The folder cannot be read, or its TOC is damaged or of an unknown version.
    pub(crate) fn open(
        folder: &Folder,
        source: &str,
        names: &[String],
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let found: Vec<String> = toc_names(names).collect();
        let name = match &found[..] {
            [name] => name,
            [first, second, ..] => {
                return Err(SnapshotError::Unsupported {
                    what: folder.to_string(),
                    reason: format!(
                        "it holds both {first} and {second}; leave only one of them in the folder"
                    ),
                });
            }
            [] => {
                return Err(SnapshotError::NotASnapshot {
                    path: folder.to_string(),
                    reason: format!("{TOC} is missing, which pg_dump -Fd writes"),
                });
            }
        };
        let toc = read_toc(folder, name)?;
        if toc.header.format == Format::Custom {
            return Err(damaged(
                Position {
                    member: Some(name.clone()),
                    ..Position::default()
                },
                "it is an archive in custom format, not a folder's table of contents",
            ));
        }
        let contents = Contents::new(toc, Some(name))?;
        let files = contents
            .data
            .iter()
            .map(|data| match &data.place {
                DataPlace::File(name) => find(folder, name),
                _ => Err(unusable("", "the archive's TOC names no file", true)),
            })
            .collect();
        Ok(DirectoryArchive {
            folder: folder.clone(),
            source: source.to_owned(),
            contents,
            files,
            progress,
        })
    }

    /// Bytes of all tables' data on disk.
    pub fn size(&self) -> u64 {
        self.files.iter().flatten().map(|file| file.size).sum()
    }
}

/// The files of a folder that may be the TOC, in a fixed order.
fn toc_names(names: &[String]) -> impl Iterator<Item = String> + '_ {
    SUFFIXES
        .iter()
        .map(|(suffix, _)| format!("{TOC}{suffix}"))
        .filter(|name| names.contains(name))
}

fn read_toc(folder: &Folder, name: &str) -> Result<Toc, SnapshotError> {
    let at = folder.file(name);
    let found = folder.find(name).map_err(|error| at.failed(error))?;
    if found.is_some_and(|found| found.kind != EntryKind::File) {
        return Err(SnapshotError::Unsupported {
            what: at.to_string(),
            reason: NO_FILE.to_owned(),
        });
    }
    let file = at.open().map_err(|error| at.failed(error))?;
    let place = Position {
        member: Some(name.to_owned()),
        ..Position::default()
    };
    // Not part of what progress is measured by: it is read before anything is known to be.
    let reader =
        decoder(Box::new(file), Arc::default()).map_err(|error| read_error(place, error))?;
    Toc::read(
        &mut BufReader::with_capacity(INPUT_BUFFER, reader),
        Some(name),
    )
}

const NO_FILE: &str = "it is a symbolic link or no regular file, and no link in a snapshot is followed; \
                       put the file itself into the folder";

fn unusable(name: &str, reason: &str, is_damage: bool) -> Unusable {
    Unusable {
        name: name.to_owned(),
        reason: reason.to_owned(),
        is_damage,
    }
}

/// True for a name that means a file in a folder, whatever the system.
fn is_plain(name: &str) -> bool {
    let path = Path::new(name);
    let mut components = path.components();
    let is_one = matches!(
        (components.next(), components.next()),
        (Some(std::path::Component::Normal(only)), None) if only == name
    );
    is_one && !name.contains(['/', '\\', ':', '\0'])
}

/// Looks for the file of that name, or of that name with a suffix.
fn find(folder: &Folder, name: &str) -> Result<DataFile, Unusable> {
    if !is_plain(name) {
        let reason = "the archive's TOC names a file that is not directly in its folder";
        return Err(unusable(name, reason, true));
    }
    for (suffix, compression) in SUFFIXES {
        let name = format!("{name}{suffix}");
        match folder.find(&name) {
            Ok(Some(found)) if found.kind == EntryKind::File => {
                return Ok(DataFile {
                    name,
                    size: found.size,
                    compression,
                });
            }
            Ok(Some(_)) => return Err(unusable(&name, NO_FILE, false)),
            Ok(None) => {}
            Err(error) => return Err(unusable(&name, &error.to_string(), false)),
        }
    }
    let reason = "the folder lacks the file with the table's data: copy or dump it again";
    Err(unusable(name, reason, true))
}

impl Unusable {
    fn error(&self, data: &TableData) -> SnapshotError {
        match self.is_damage {
            true => damaged(
                Position {
                    member: Some(self.name.clone()),
                    table: Some(data.table.to_string()),
                    ..Position::default()
                },
                self.reason.clone(),
            ),
            false => SnapshotError::Unsupported {
                what: format!("{} (table {})", self.name, data.table),
                reason: self.reason.clone(),
            },
        }
    }
}

impl TableSource for DirectoryArchive {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.contents.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.contents.facts.clone()
    }

    /// One part for each file: the table's own, or those of its partitions.
    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        self.contents.parts(table, |index, _| {
            self.files[index].as_ref().map_or(0, |file| file.size)
        })
    }

    fn holdings(&self) -> Holdings {
        self.contents.holdings()
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let data = self.contents.part(part, &self.source)?;
        let file = self.files[part.index]
            .as_ref()
            .map_err(|unusable| unusable.error(data))?;
        let at = self.folder.file(&file.name);
        let opened = at.open_range(0..file.size);
        let opened = opened.map_err(|error| at.failed(error))?;
        let counted = Counted::new(opened, Arc::clone(&self.progress));
        let reader = decoder_of(
            file.compression,
            BufReader::with_capacity(INPUT_BUFFER, counted),
        )
        .map_err(|error| at.failed(error))?;
        let origin = Origin {
            source: self.source.clone(),
            member: Some(file.name.clone()),
        };
        // Whether the sink breaks makes no difference: this was the last thing to do.
        let owners = Owners::only(data.head_for(&part.table));
        read_rows(&self.contents, data, &owners, reader, origin, sink).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
