//! A backup as a folder: what `SKIP=tar` leaves, or an unpacked tar.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::search::Search;
use super::{Backup, BackupOptions, DATABASES, Dumps, OTHER_DATABASES, OpenedDumps, dump, unread};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::files::{BackupInfo, INFORMATION, INFORMATION_LIMIT};
use crate::snapshot::kind::plain::several::OtherDump;
use crate::snapshot::place::{EntryKind, Folder, Handle};

impl Backup {
    /// Opens the folder that `SKIP=tar` leaves, or an unpacked tar. `taken` is as for [`Backup::from_tar_file`].
    ///
    /// # Errors
    /// As [`Backup::from_tar_file`], and where a database is there twice, as `database.sql.gz` and `database.sql`.
    pub(crate) fn from_folder(
        folder: &Folder,
        source: &str,
        taken: Arc<AtomicU64>,
        options: &BackupOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut search = Search::new(options.routing);
        search.is_backup();
        for name in INFORMATION {
            if let Some((file, _)) = open_inside(folder, name)? {
                let mut text = Vec::new();
                file.take(INFORMATION_LIMIT)
                    .read_to_end(&mut text)
                    .map_err(|error| folder.file(name).failed(error))?;
                search.info = Some(BackupInfo::parse(&text));
                break;
            }
        }
        let names = DATABASES.map(str::to_owned);
        let Some((member, file, size)) = one_inside(folder, source, names)? else {
            return Err(search.no_database(source));
        };
        let main = dump(file, source, &member, Arc::clone(&taken))?;
        let (mut size, mut others) = (size, Vec::new());
        for database in options.routing.databases() {
            let names = OTHER_DATABASES.map(|end| format!("db/{database}{end}"));
            if let Some((member, file, more)) = one_inside(folder, source, names)? {
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
        let entries = folder.entries_in("db");
        for entry in entries.map_err(|error| folder.file("db").failed(error))? {
            // Names that are not UTF-8 are no databases'.
            let Ok(name) = entry.name.into_string() else {
                continue;
            };
            if entry.kind != EntryKind::Folder {
                let unread = unread(&format!("db/{name}"), options.routing);
                backup.warnings.extend(unread);
            }
        }
        Ok(backup)
    }

    /// True if a folder is an unpacked backup, with a database or without.
    pub(crate) fn is_one(folder: &Folder) -> bool {
        let mut names = INFORMATION.iter().chain(&DATABASES);
        names.any(|name| matches!(folder.find(name), Ok(Some(_))))
    }
}

/// Opens the one file that is there of these, with its name and size.
fn one_inside(
    folder: &Folder,
    source: &str,
    names: [String; 2],
) -> Result<Option<(String, Handle, u64)>, SnapshotError> {
    let mut found: Option<(String, Handle, u64)> = None;
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
fn open_inside(folder: &Folder, name: &str) -> Result<Option<(Handle, u64)>, SnapshotError> {
    let mut file_size = None;
    let slashes = name.match_indices('/').map(|(at, _)| at);
    for end in slashes.chain([name.len()]) {
        let at = folder.file(&name[..end]);
        let found = folder.find(&name[..end]);
        match found.map_err(|error| at.failed(error))? {
            Some(found) if found.kind == EntryKind::Link => {
                return Err(SnapshotError::Unsupported {
                    what: at.to_string(),
                    reason: "it is a symbolic link, and no link in a snapshot is followed; \
                             put the file itself there"
                        .to_owned(),
                });
            }
            Some(found) => file_size = (found.kind == EntryKind::File).then_some(found.size),
            None => return Ok(None),
        }
    }
    // Looked at before it is opened: opening a pipe waits for a writer.
    let Some(size) = file_size else {
        return Ok(None);
    };
    let at = folder.file(name);
    let file = at.open_range(0..size);
    Ok(Some((file.map_err(|error| at.failed(error))?, size)))
}
