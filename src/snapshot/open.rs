//! Opening a snapshot: what it is, is told by its content and never by its name.

mod bucket;
mod content;
mod files;
mod opened;
mod options;
mod several;

use std::fs;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::codec::compression::{Compression, MAGIC_LENGTH, decoder};
use crate::snapshot::codec::read_errors::{io_error, read_error};
use crate::snapshot::codec::tar_members::Members;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::facts::Kind;
use crate::snapshot::files::{BackupFiles, FileSource, FolderFiles, PrefixFiles, TarFiles};
use crate::snapshot::keyed::KeyedSource;
use crate::snapshot::kind::archive::{Again, is_of_archive, is_toc_of_archive};
use crate::snapshot::kind::archive::{
    CustomArchive, CustomStream, DirectoryArchive, TarArchive, TarStream,
};
use crate::snapshot::kind::backup::is_of_backup;
use crate::snapshot::kind::backup::{Backup, BackupOptions};
use crate::snapshot::kind::csv::CsvFolder;
use crate::snapshot::kind::pgdata::PgdataSource;
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::kind::postgres::{PostgresSource, is_nearly_address};
use crate::snapshot::place::{Folder, Handle, Pipe, Place, is_of_source};
use crate::snapshot::source::{Access, Snapshot, TableSource};
use crate::snapshot::spec::Spec;

pub use files::open_files;
pub use options::OpenOptions;

use content::Content;
use opened::{Named, Opened};

/// Decompressed bytes that a kind is told by.
const START: u64 = 4096;

/// Opens a snapshot as [`open_with`] does, with default options.
///
/// # Errors
/// As [`open_with`].
pub fn open(spec: &Spec) -> Result<Snapshot, SnapshotError> {
    open_with(spec, &OpenOptions::default())
}

/// Opens what the user named.
///
/// Reads no more than is needed to tell the kind (the schema of a CSV folder, the way to the database in a
/// tar); damage behind that shows when the snapshot is read. From standard input this blocks until the
/// input has come that far. A server is connected to, and held at one instant for as long as the snapshot lives.
/// A data folder is copied, and a private server started on the copy; both are gone when the snapshot is.
///
/// # Errors
/// There is nothing under that name, it cannot be read, or it is no snapshot that this program reads.
pub fn open_with(spec: &Spec, options: &OpenOptions) -> Result<Snapshot, SnapshotError> {
    match options.databases.others.is_empty() {
        true => open_one(spec, options, Arc::default()).map(Opened::snapshot),
        false => several::open(spec, options),
    }
}

/// Opens one snapshot. `progress` counts what is read of it.
fn open_one(
    spec: &Spec,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    open_kind(spec, options, progress).map_err(|error| match spec.name() {
        Some(name) => error.of(&name),
        None => error,
    })
}

fn open_kind(
    spec: &Spec,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    if options.pg_snapshot.is_some() && !matches!(spec, Spec::Server(_) | Spec::StandardInput) {
        return Err(unsupported(
            "a snapshot id",
            "only a live PostgreSQL server has exported snapshots; name one by its address",
        ));
    }
    match spec {
        Spec::StandardInput => {
            let input = Pipe::of_standard_input(options.patience());
            let input = input.map_err(|error| SnapshotError::of_reading("-", error))?;
            open_stream(Box::new(input), "-", None, options, progress)
        }
        Spec::Server(address) => {
            let mut server = PostgresSource::open(
                address,
                options.connections,
                options.pg_snapshot.as_deref(),
                options.timeouts,
                &options.opening.interrupted,
            )?;
            server.count_in(Arc::clone(&progress));
            let source = server.shown();
            Ok(keyed(Kind::Postgres, source, progress, server))
        }
        Spec::DataFolder(path) => {
            let server = PgdataSource::open(
                path,
                &options.pgdata,
                options.connections,
                options.timeouts,
                &options.opening,
            )?;
            // Nothing else is read with a data folder, so its own count will do.
            let progress = server.progress();
            Ok(keyed(Kind::Pgdata, source_name(path), progress, server))
        }
        Spec::Path(path) => open_path(path, options, progress),
        Spec::Bucket(url) => bucket::open(url, options, progress),
        Spec::OtherAddress(text) => {
            let opened = open_path(Path::new(text), options, progress);
            opened.map_err(|error| match error {
                SnapshotError::Io { source, .. }
                    if source.kind() == io::ErrorKind::NotFound && bucket::is_meant(text) =>
                {
                    bucket::mistake(text)
                }
                SnapshotError::Io { source, .. }
                    if source.kind() == io::ErrorKind::NotFound && is_nearly_address(text) =>
                {
                    unsupported(
                        "an address of a server in this form",
                        "write postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or ~/.pgpass",
                    )
                }
                error => error,
            })
        }
    }
}

/// A snapshot that finds rows by key itself.
fn keyed(
    kind: Kind,
    source: String,
    progress: Arc<AtomicU64>,
    server: impl KeyedSource + 'static,
) -> Opened {
    Opened::Other(Snapshot {
        kind,
        source,
        size: None,
        progress,
        access: Access::Keyed(Box::new(server)),
        files: FileSource::none_in(kind),
    })
}

fn open_path(
    path: &Path,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io_error(
            path,
            io::Error::new(
                io::ErrorKind::NotFound,
                "there is no such file or folder; name a dump, a GitLab backup or a folder of CSV files, \
                 or - for standard input",
            ),
        ),
        _ => io_error(path, error),
    })?;
    let source = source_name(path);
    if metadata.is_dir() {
        return open_folder(&path.into(), &source, options, progress);
    }
    let place = Place::from(path);
    if metadata.is_file() {
        let size = metadata.len();
        let file = place.open().map_err(|error| place.failed(error))?;
        let opened = open_file(&place, file, &source, options, progress)?;
        Ok(opened.or_size(size))
    } else {
        // A named pipe, or a shell's `<(zcat dump.sql.gz)`.
        let pipe = Pipe::open(path, options.patience());
        let pipe = pipe.map_err(|error| place.failed(error))?;
        open_stream(Box::new(pipe), &source, None, options, progress)
    }
}

/// The last component of a path, without the folders it lies in.
fn source_name(path: &Path) -> String {
    // Paths like `.` and `..` have none.
    let name = match path.file_name() {
        Some(name) => Some(name.to_owned()),
        None => path
            .canonicalize()
            .ok()
            .and_then(|path| path.file_name().map(ToOwned::to_owned)),
    };
    name.map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn open_folder(
    folder: &Folder,
    source: &str,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    let entries = folder.entries().map_err(|error| folder.failed(error))?;
    // Names that are not UTF-8 belong to no snapshot.
    let names = entries.into_iter().map(|entry| entry.name.into_string());
    let names: Vec<String> = names.flatten().collect();
    let has = |name: &str| names.iter().any(|other| other == name);
    if DirectoryArchive::is_one(&names) {
        let archive = DirectoryArchive::open(folder, source, &names, Arc::clone(&progress))?;
        let size = archive.size();
        return Ok(tables(Kind::Directory, source, size, progress, archive));
    }
    if CsvFolder::is_one(&names) {
        let csv = CsvFolder::open(folder, Arc::clone(&progress))?;
        return Ok(tables(Kind::Csv, source, csv.size(), progress, csv));
    }
    if Backup::is_one(folder) {
        let taken = Arc::clone(&progress);
        let backup = Backup::from_folder(folder, source, taken, &of_backup(options))?;
        let size = Some(backup.size());
        let files = FileSource::Here(files_of(folder)?);
        return Ok(opened_backup(source, size, progress, backup, files));
    }
    if has("PG_VERSION") && matches!(folder.find("global/pg_control"), Ok(Some(_))) {
        return Err(unsupported(
            &format!("{source} (a PostgreSQL data folder)"),
            "its files mean nothing without a server; to have one started on a copy of it, write pgdata: in front of its name",
        ));
    }
    let reason = if CsvFolder::holds_tables(&names) {
        "the folder holds CSV files but no schema.sql; write one beside them with pg_dump --schema-only"
    } else {
        "looked in the folder for CSV files with a schema.sql, for a GitLab backup \
         (backup_information.yml, db/database.sql.gz), and for pg_dump's toc.dat"
    };
    Err(SnapshotError::NotASnapshot {
        path: folder.to_string(),
        reason: reason.to_owned(),
    })
}

/// The files of a backup that lies in a folder.
fn files_of(folder: &Folder) -> Result<Arc<dyn BackupFiles>, SnapshotError> {
    Ok(match folder {
        Folder::Path(path) => Arc::new(FolderFiles::open(path)?),
        Folder::Prefix(prefix) => Arc::new(PrefixFiles::new(prefix)),
    })
}

/// Which databases of a backup are read.
fn of_backup(options: &OpenOptions) -> BackupOptions<'_> {
    BackupOptions {
        routing: &options.databases.routing,
        needed: options.databases.needed.as_ref(),
        temp_dir: &options.temp_dir,
    }
}

fn opened_backup(
    source: &str,
    size: Option<u64>,
    progress: Arc<AtomicU64>,
    backup: Backup,
    files: FileSource,
) -> Opened {
    Opened::Other(Snapshot {
        kind: Kind::GitlabBackup,
        source: source.to_owned(),
        size,
        progress,
        access: Access::Stream(Box::new(backup)),
        files,
    })
}

/// The size is that of what will be read of the file; `None` means all of it.
fn open_file(
    place: &Place,
    mut file: Handle,
    source: &str,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    let mut start = Vec::new();
    file.by_ref()
        .take(START)
        .read_to_end(&mut start)
        .map_err(|error| place.failed(error))?;
    let compression = Compression::detect(&start[..start.len().min(MAGIC_LENGTH)]);
    let content = match compression {
        Compression::None => Content::tell(&start),
        // What is compressed as a whole can only be read in order.
        _ => Content::Unknown,
    };
    let content = match content {
        Content::Tar if holds_archive(place)? => Content::TarArchive,
        content => content,
    };
    match content {
        Content::Tar => {
            let taken = Arc::clone(&progress);
            let backup = Backup::from_tar_file(place, source, taken, &of_backup(options))?;
            let size = Some(backup.size());
            let index = options.files_index.as_deref();
            let files = FileSource::Here(Arc::new(TarFiles::open(place, source, index)?));
            return Ok(opened_backup(source, size, progress, backup, files));
        }
        Content::CustomArchive => {
            let archive = CustomArchive::open(place, source, Arc::clone(&progress))?;
            let size = archive.size();
            return Ok(tables(Kind::Custom, source, size, progress, archive));
        }
        Content::TarArchive => {
            let archive = TarArchive::open(place, source, Arc::clone(&progress))?;
            let size = archive.size();
            let kind = match archive.is_folder() {
                true => Kind::Directory,
                false => Kind::Tar,
            };
            return Ok(tables(kind, source, size, progress, archive));
        }
        Content::Sql | Content::Unknown => {}
    }
    file.rewind().map_err(|error| place.failed(error))?;
    open_stream(Box::new(file), source, Some(place), options, progress)
}

/// A snapshot whose tables can be opened one by one.
fn tables(
    kind: Kind,
    source: &str,
    size: u64,
    progress: Arc<AtomicU64>,
    tables: impl TableSource + 'static,
) -> Opened {
    Opened::Other(Snapshot {
        kind,
        source: source.to_owned(),
        size: Some(size),
        progress,
        access: Access::Tables(Box::new(tables)),
        files: FileSource::none_in(kind),
    })
}

/// True where an uncompressed tar is that of a folder which pg_dump -Fd wrote. What says so first decides: the table
/// of contents, or what only a GitLab backup has.
fn holds_archive(place: &Place) -> Result<bool, SnapshotError> {
    let file = place.open().map_err(|error| place.failed(error))?;
    let mut members = Members::of_file(file);
    loop {
        match members.next() {
            Ok(Some(member)) if is_of_backup(&member.name) => return Ok(false),
            Ok(Some(member)) if is_toc_of_archive(&member.name) => return Ok(true),
            Ok(Some(_)) => {}
            Err(error) if is_of_source(&error) => return Err(place.failed(error)),
            // Who looks for the database comes by the same damage, and tells of it.
            Ok(None) | Err(_) => return Ok(false),
        }
    }
}

/// As [`holds_archive`], by the beginning of a tar that goes by: any of the folder's files decides, because its table
/// of contents may stand anywhere.
fn begins_archive(start: &[u8]) -> bool {
    let mut members = Members::of_stream(start);
    loop {
        match members.next() {
            Ok(Some(member)) if is_of_backup(&member.name) => return false,
            Ok(Some(member)) if is_of_archive(&member.name) => return true,
            Ok(Some(_)) => {}
            // There is more than the beginning.
            Ok(None) | Err(_) => return false,
        }
    }
}

/// Opens what comes in order and cannot be sought in. `again` is where it can be read once more from its beginning.
fn open_stream(
    stream: Box<dyn Read + Send>,
    source: &str,
    again: Option<&Place>,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    let failed = |error| {
        read_error(
            Position {
                member: Some(source.to_owned()),
                ..Position::default()
            },
            error,
        )
    };
    let mut reader = decoder(stream, Arc::clone(&progress)).map_err(failed)?;
    let mut start = Vec::new();
    reader
        .by_ref()
        .take(START)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let whole: Box<dyn Read + Send> = Box::new(Cursor::new(start.clone()).chain(reader));
    let again = again.map(|place| Again {
        place: place.clone(),
        taken: Arc::clone(&progress),
    });
    let (kind, access): (_, Access) = match Content::tell(&start) {
        Content::Sql => {
            let named = Named {
                source: source.to_owned(),
                size: None,
                progress,
            };
            return Ok(Opened::Plain(PlainDump::new(whole, source, None), named));
        }
        Content::Tar if begins_archive(&start) => {
            let archive = TarStream::new(whole, source, again);
            (Kind::Directory, Access::Stream(Box::new(archive)))
        }
        Content::Tar => {
            let mut backup = Backup::from_tar_stream(whole, source, &of_backup(options))?;
            let again = again.as_ref().map(|again| &again.place);
            let files = match backup.take_behind(again) {
                Some(behind) => FileSource::Behind(behind),
                None => FileSource::none_in(Kind::GitlabBackup),
            };
            return Ok(opened_backup(source, None, progress, backup, files));
        }
        Content::CustomArchive => {
            let archive = CustomStream::new(whole, source);
            (Kind::Custom, Access::Stream(Box::new(archive)))
        }
        Content::TarArchive => {
            let archive = TarStream::new(whole, source, again);
            (Kind::Tar, Access::Stream(Box::new(archive)))
        }
        Content::Unknown => return Err(not_a_snapshot(source, &start)),
    };
    Ok(Opened::Other(Snapshot {
        kind,
        source: source.to_owned(),
        size: None,
        progress,
        access,
        files: FileSource::none_in(kind),
    }))
}

fn not_a_snapshot(source: &str, start: &[u8]) -> SnapshotError {
    let reason = match start {
        [] => "it is empty".to_owned(),
        _ => format!(
            "looked for SQL text or an archive by pg_dump, a GitLab backup's tar, and any of them compressed by gzip, \
             zstd, lz4, xz or bzip2, but it begins with \"{}\"",
            start[..start.len().min(16)].escape_ascii()
        ),
    };
    SnapshotError::NotASnapshot {
        path: source.to_owned(),
        reason,
    }
}

fn unsupported(what: &str, reason: &str) -> SnapshotError {
    SnapshotError::Unsupported {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
