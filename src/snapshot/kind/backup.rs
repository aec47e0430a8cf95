//! GitLab backups: a tar (or the same tree as a folder) with `db/database.sql.gz` in it.
//!
//! `gitlab-backup` writes `backup_information.yml`, then `db/`, then repositories, uploads and more, which may
//! be a thousand times larger than the database: a tar is read no further than the database. Other databases'
//! files (`db/ci_database.sql.gz`, …) hold tables of the same names and are never read. The dump is a plain
//! one however it is compressed: `.gz` stays in its name even where `COMPRESS_CMD` was set.

mod info;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::codec::compression::decoder;
use crate::snapshot::codec::read_errors::{damaged, io_error, read_error};
use crate::snapshot::codec::tar_members::{Member, Members};
use crate::snapshot::codec::whole_member::WholeMember;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::kind::archive::is_of_archive;
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::source::StreamSource;
use info::BackupInfo;

/// The main database's dump. The second name is what an administrator gets who unpacked the first.
const DATABASES: [&str; 2] = ["db/database.sql.gz", "db/database.sql"];

const INFORMATION: [&str; 2] = ["backup_information.yml", "backup_information.json"];

/// More than any real file of that kind needs; a larger one is not worth its memory.
const INFORMATION_LIMIT: u64 = 1 << 20;

/// Headers that are looked at behind the database for the backup's information. `gitlab-backup` writes it
/// first; a tar with a million repositories is not searched for it.
const HEADERS_AFTER_DATABASE: usize = 1000;

/// An opened GitLab backup: its database's dump, positioned at the beginning.
pub struct Backup {
    dump: Box<dyn Read + Send>,
    /// What the user named the snapshot by.
    source: String,
    /// The dump's name inside the backup.
    member: String,
    /// Bytes of the dump as the backup holds it, compressed.
    size: u64,
    info: BackupInfo,
}

impl Backup {
    /// Opens an uncompressed tar by hopping from header to header, and the database's bytes in it by a file
    /// handle of their own. `taken` counts the bytes read of the database, before decompression.
    ///
    /// # Errors
    /// The file cannot be read, is damaged before the database, or holds no database.
    pub fn from_tar_file(
        path: &Path,
        source: &str,
        taken: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(|error| io_error(path, error))?;
        let length = file
            .metadata()
            .map_err(|error| io_error(path, error))?
            .len();
        let mut search = Search::default();
        let mut members = Members::of_file(file);
        let mut headers_left = usize::MAX;
        let mut database: Option<Member> = None;
        while headers_left > 0 && (database.is_none() || search.info.is_none()) {
            let found = search.next(&mut members);
            match (found, &database) {
                (Ok(Some(Found::Database(member))), None) => {
                    database = Some(member);
                    headers_left = HEADERS_AFTER_DATABASE;
                }
                // Seeking goes past the end of a file without a word.
                (Ok(Some(Found::Other(member))), None)
                    if member.offset.saturating_add(member.size) > length =>
                {
                    return Err(search.tar_error(io::ErrorKind::UnexpectedEof.into()));
                }
                (Err(error), None) => return Err(error),
                (Ok(None), _) => break,
                (Err(error @ SnapshotError::Io { .. }), _) => return Err(error),
                // What is behind the database is not needed.
                (Err(error), _) => {
                    tracing::warn!("{source} is read no further than its database: {error}");
                    break;
                }
                (Ok(Some(_)), _) => {}
            }
            headers_left -= 1;
        }
        let Some(Member {
            name, size, offset, ..
        }) = database
        else {
            return Err(search.no_database(source));
        };
        let mut file = File::open(path).map_err(|error| io_error(path, error))?;
        file.seek(SeekFrom::Start(offset))
            .map_err(|error| io_error(path, error))?;
        let whole = Box::new(WholeMember::new(file, size));
        Backup::new(whole, source, name, size, search.info, taken)
    }

    /// Reads a tar, decompressed, up to the beginning of the database. Backup information that stands behind
    /// it is not seen.
    ///
    /// # Errors
    /// As [`Backup::from_tar_file`].
    pub fn from_tar_stream(tar: Box<dyn Read + Send>, source: &str) -> Result<Self, SnapshotError> {
        let mut search = Search::default();
        let mut members = Members::of_stream(tar);
        let database = loop {
            match search.next(&mut members)? {
                Some(Found::Database(member)) => break member,
                Some(Found::Other(_)) => {}
                None => return Err(search.no_database(source)),
            }
        };
        let Member { name, size, .. } = database;
        let whole = Box::new(WholeMember::new(members.into_inner(), size));
        // The compressed bytes were counted where the tar is read.
        Backup::new(whole, source, name, size, search.info, Arc::default())
    }

    /// Opens the folder that `SKIP=tar` leaves, or an unpacked tar. `taken` is as for [`Backup::from_tar_file`].
    ///
    /// # Errors
    /// As [`Backup::from_tar_file`], and where both `database.sql.gz` and `database.sql` are there.
    pub fn from_folder(
        path: &Path,
        source: &str,
        taken: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let mut search = Search {
            is_backup: true,
            ..Search::default()
        };
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
        let mut found = None;
        for name in DATABASES {
            let Some((file, size)) = open_inside(path, name)? else {
                continue;
            };
            if let Some((other, ..)) = found.replace((name, file, size)) {
                return Err(SnapshotError::Unsupported {
                    what: format!("GitLab backup {source}"),
                    reason: format!(
                        "it holds both {other} and {name}; leave only one of them in the folder"
                    ),
                });
            }
        }
        let Some((member, file, size)) = found else {
            return Err(search.no_database(source));
        };
        Backup::new(
            Box::new(file),
            source,
            member.to_owned(),
            size,
            search.info,
            taken,
        )
    }

    /// True if a folder is an unpacked backup, with a database or without.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut names = INFORMATION.iter().chain(&DATABASES);
        names.any(|name| path.join(name).symlink_metadata().is_ok())
    }

    fn new(
        member_bytes: Box<dyn Read + Send>,
        source: &str,
        member: String,
        size: u64,
        info: Option<BackupInfo>,
        taken: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let dump =
            decoder(member_bytes, taken).map_err(|error| read_error(place(&member), error))?;
        Ok(Backup {
            dump,
            source: source.to_owned(),
            member,
            size,
            info: info.unwrap_or_default(),
        })
    }

    /// Bytes of the database's dump as the backup holds it, compressed.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl StreamSource for Backup {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let Backup {
            dump,
            source,
            member,
            info,
            ..
        } = *self;
        let mut sink = |event| -> ControlFlow<()> {
            match event {
                Event::Catalog(catalog, mut facts) => {
                    facts.gitlab_version = info.gitlab_version.clone().or(facts.gitlab_version);
                    facts.taken_at = facts.taken_at.or_else(|| info.taken_at.clone());
                    sink(Event::Catalog(catalog, facts))
                }
                event => sink(event),
            }
        };
        Box::new(PlainDump::new(dump, source, Some(member))).read(wanted, &mut sink)
    }
}

/// True for a member that only a GitLab backup has.
pub(crate) fn is_of_backup(name: &str) -> bool {
    DATABASES.contains(&name) || INFORMATION.contains(&name) || name.starts_with("db/")
}

/// What a member of a tar is good for.
enum Found {
    Database(Member),
    Other(Member),
}

/// What was found so far on the way to the database.
#[derive(Default)]
struct Search {
    info: Option<BackupInfo>,
    /// The member looked at last, for errors.
    last: Option<String>,
    /// True if a member showed that this is a GitLab backup.
    is_backup: bool,
    /// A member that looks like a file of pg_dump -Fd.
    of_archive: Option<String>,
}

impl Search {
    /// Steps to the next member, and reads it if it is the backup's information.
    fn next<R: Read>(&mut self, members: &mut Members<R>) -> Result<Option<Found>, SnapshotError> {
        let Some(member) = members.next().map_err(|error| self.tar_error(error))? else {
            return Ok(None);
        };
        let name = member.name.as_str();
        self.is_backup |= name == "db" || name.starts_with("db/");
        if !self.is_backup && self.of_archive.is_none() && is_of_archive(name) {
            self.of_archive = Some(name.to_owned());
        }
        self.last = Some(member.name.clone());
        if DATABASES.contains(&name) {
            if !member.is_file {
                return Err(SnapshotError::Unsupported {
                    what: name.to_owned(),
                    reason: "it is a link or a sparse file in the tar; \
                             make the tar again with the database as a regular file"
                        .to_owned(),
                });
            }
            return Ok(Some(Found::Database(member)));
        }
        if INFORMATION.contains(&name) && self.info.is_none() {
            self.is_backup = true;
            if member.size <= INFORMATION_LIMIT {
                let content = members.content(member.size, INFORMATION_LIMIT);
                self.info = Some(BackupInfo::parse(
                    &content.map_err(|error| self.tar_error(error))?,
                ));
            }
        }
        Ok(Some(Found::Other(member)))
    }

    /// The tar itself does not go on as it should.
    fn tar_error(&self, error: io::Error) -> SnapshotError {
        let place = Position {
            member: self.last.clone(),
            ..Position::default()
        };
        if error.raw_os_error().is_some() {
            return read_error(place, error);
        }
        damaged(
            place,
            format!("the tar is cut off or damaged before the database: {error}"),
        )
    }

    fn no_database(&self, source: &str) -> SnapshotError {
        let missing = DATABASES[0];
        if self.is_backup {
            return SnapshotError::Unsupported {
                what: format!("GitLab backup {source}"),
                reason: format!(
                    "it holds no {missing}: it was made with SKIP=db, or is cut off; \
                     take a backup with the database, or name a dump made by pg_dump"
                ),
            };
        }
        let reason = match &self.of_archive {
            Some(member) => format!(
                "the tar holds {member}, as a folder of pg_dump -Fd does, but behind other files: \
                 unpack it and name that folder"
            ),
            None => format!(
                "a tar was found, but neither {missing} nor {} in it, nor toc.dat of pg_dump: \
                 unpack it and name what it holds",
                INFORMATION[0]
            ),
        };
        SnapshotError::NotASnapshot {
            path: source.to_owned(),
            reason,
        }
    }
}

fn place(member: &str) -> Position {
    Position {
        member: Some(member.to_owned()),
        ..Position::default()
    }
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

#[cfg(test)]
mod tests;
