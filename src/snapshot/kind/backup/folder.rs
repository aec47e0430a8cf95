//! A backup as a folder: what `SKIP=tar` leaves, or an unpacked tar.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::info::BackupInfo;
use super::search::Search;
use super::{
    Backup, BackupOptions, DATABASES, Dumps, INFORMATION, INFORMATION_LIMIT, OTHER_DATABASES,
    OpenedDumps, dump, other_database,
};
use crate::snapshot::codec::read_errors::io_error;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::kind::plain::several::OtherDump;

impl Backup {
    /// Opens the folder that `SKIP=tar` leaves, or an unpacked tar. `taken` is as for [`Backup::from_tar_file`].
    ///
    /// # Errors
    /// As [`Backup::from_tar_file`], and where a database is there twice, as `database.sql.gz` and `database.sql`.
    pub fn from_folder(
        path: &Path,
        source: &str,
        taken: Arc<AtomicU64>,
        options: &BackupOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut search = Search::new(options.routing);
        search.is_backup();
        for name in INFORMATION {
            if let Some((file, _)) = open_inside(path, name)? {
                let mut text = Vec::new();
                file.take(INFORMATION_LIMIT)
                    .read_to_end(&mut text)
                    .map_err(|error| io_error(&path.join(name), error))?;
                search.info = Some(BackupInfo::parse(&text));
                break;
            }
        }
        let names = DATABASES.map(str::to_owned);
        let Some((member, file, size)) = one_inside(path, source, names)? else {
            return Err(search.no_database(source));
        };
        let main = dump(file, source, &member, Arc::clone(&taken))?;
        let (mut size, mut others) = (size, Vec::new());
        for database in options.routing.databases() {
            let names = OTHER_DATABASES.map(|end| format!("db/{database}{end}"));
            if let Some((member, file, more)) = one_inside(path, source, names)? {
                if options.is_read(database) {
                    size += more;
                }
                others.push(OtherDump {
                    dump: dump(file, source, &member, Arc::clone(&taken)),
                    database: database.to_owned(),
                });
            }
        }
        let dumps = Dumps::Opened(OpenedDumps { main, others });
        let mut backup = Backup::new(source, dumps, options);
        backup.size = size;
        backup.info = search.info.unwrap_or_default();
        let db = path.join("db");
        for entry in fs::read_dir(&db).map_err(|error| io_error(&db, error))? {
            let entry = entry.map_err(|error| io_error(&db, error))?;
            // Names that are not UTF-8 are no databases'.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let member = format!("db/{name}");
            if other_database(&member).is_some_and(|database| !options.routing.knows(database)) {
                backup.unknown.insert(member);
            }
        }
        Ok(backup)
    }

    /// True if a folder is an unpacked backup, with a database or without.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut names = INFORMATION.iter().chain(&DATABASES);
        names.any(|name| path.join(name).symlink_metadata().is_ok())
    }
}

/// Opens the one file that is there of these, with its name and size.
fn one_inside(
    folder: &Path,
    source: &str,
    names: [String; 2],
) -> Result<Option<(String, File, u64)>, SnapshotError> {
    let mut found: Option<(String, File, u64)> = None;
    for name in names {
        let Some((file, size)) = open_inside(folder, &name)? else {
            continue;
        };
        if let Some((other, ..)) = &found {
            return Err(SnapshotError::Unsupported {
                what: format!("GitLab backup {source}"),
                reason: format!(
                    "it holds both {other} and {name}; leave only one of them in the folder"
                ),
            });
        }
        found = Some((name, file, size));
    }
    Ok(found)
}

/// Opens a regular file of an unpacked backup and gives its size; `None` if there is none of that name.
/// A link is refused, also one that stands for the folder `db`: it could lead out of the backup.
fn open_inside(folder: &Path, name: &str) -> Result<Option<(File, u64)>, SnapshotError> {
    let mut path = PathBuf::from(folder);
    let mut file_size = None;
    for part in name.split('/') {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(SnapshotError::Unsupported {
                    what: path.display().to_string(),
                    reason: "it is a symbolic link, and no link in a snapshot is followed; \
                             put the file itself there"
                        .to_owned(),
                });
            }
            Ok(metadata) => file_size = metadata.is_file().then_some(metadata.len()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(io_error(&path, error)),
        }
    }
    // Looked at before it is opened: opening a pipe waits for a writer.
    let Some(size) = file_size else {
        return Ok(None);
    };
    let file = File::open(&path).map_err(|error| io_error(&path, error))?;
    Ok(Some((file, size)))
}
