//! Copying a data folder: what a server needs of it and nothing else, by sharing blocks where the file system can.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::folder::{DataFolder, small_file, unreadable};
use super::work::ServerUser;
use crate::snapshot::codec::read_errors::io_error;
use crate::snapshot::error::SnapshotError;

/// Folders whose content is the database.
const COPIED: [&str; 7] = [
    "base",
    "global",
    "pg_commit_ts",
    "pg_logical",
    "pg_multixact",
    "pg_twophase",
    "pg_xact",
];

/// Folders whose content a server makes anew, or that would make it remember others: its subscribers, say.
const EMPTY: [&str; 8] = [
    "pg_dynshmem",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
];

/// Folders inside of the log's whose content is about others, too.
const EMPTY_OF_LOG: [&str; 2] = ["archive_status", "summaries"];

/// Bytes that are copied without looking up.
const STRETCH: u64 = 64 << 20;

/// What is to be copied.
#[derive(Default)]
pub(crate) struct Listing {
    /// Folders of the copy, parents first.
    folders: Vec<PathBuf>,
    files: Vec<Listed>,
    /// Links of the copy, and where they lead.
    links: Vec<(PathBuf, PathBuf)>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
}

struct Listed {
    from: PathBuf,
    to: PathBuf,
    size: u64,
}

impl Listing {
    /// Lists what a copy below `work` holds: the data folder as `data`, tablespaces as `tablespaces/OID`.
    ///
    /// # Errors
    /// Something cannot be read, or is a link where PostgreSQL makes none.
    pub(crate) fn of(folder: &DataFolder, work: &Path) -> Result<Listing, SnapshotError> {
        let (from, to) = (&folder.path, work.join("data"));
        let mut listing = Listing::default();
        listing.folders.push(to.clone());
        for name in COPIED {
            listing.folder(&from.join(name), &to.join(name), &[])?;
        }
        // May be a link to another disk.
        let log = from.join("pg_wal");
        let log = log
            .canonicalize()
            .map_err(|error| unreadable(&log, error))?;
        listing.folder(&log, &to.join("pg_wal"), &EMPTY_OF_LOG)?;
        listing
            .folders
            .extend(EMPTY.iter().map(|name| to.join(name)));
        listing.tablespaces(folder, work)?;
        listing.file(from.join("PG_VERSION"), to.join("PG_VERSION"))?;
        if folder.has_label {
            listing.file(from.join("backup_label"), to.join("backup_label"))?;
        }
        Ok(listing)
    }

    /// Tablespaces lie elsewhere; the copy has its own.
    fn tablespaces(&mut self, folder: &DataFolder, work: &Path) -> Result<(), SnapshotError> {
        let from = folder.path.join("pg_tblspc");
        let to = work.join("data/pg_tblspc");
        self.folders.push(to.clone());
        let mut found = Vec::new();
        for entry in entries(&from)? {
            let (path, name) = (entry.path(), entry.file_name());
            let target = path.canonicalize().map_err(|error| {
                unreadable(
                    &path,
                    match error.kind() {
                        io::ErrorKind::NotFound => io::Error::new(
                            error.kind(),
                            "the tablespace's folder, to which it leads, is not there; put it there, or change the link",
                        ),
                        _ => error,
                    },
                )
            })?;
            if self.links.is_empty() {
                self.folders.push(work.join("tablespaces"));
            }
            let copy = work.join("tablespaces").join(&name);
            self.folder(&target, &copy, &[])?;
            self.links.push((to.join(&name), copy));
            found.push(name);
        }
        // By low-level backups: `OID path` a line. A server would make links to these very paths.
        let map = small_file(&folder.path.join("tablespace_map")).unwrap_or_default();
        for line in map.lines() {
            let oid = line.split(' ').next().unwrap_or_default();
            if !found.iter().any(|name| name == oid) {
                return Err(SnapshotError::Unsupported {
                    what: format!("tablespace {oid}"),
                    reason: format!(
                        "tablespace_map names it, and pg_tblspc has no link to it; make pg_tblspc/{oid} a link to the backup's \
                         copy of the tablespace"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Lists a folder with everything below it. Of folders named in `without` the content is left out.
    fn folder(&mut self, from: &Path, to: &Path, without: &[&str]) -> Result<(), SnapshotError> {
        let mut waiting = vec![(from.to_owned(), to.to_owned())];
        while let Some((from, to)) = waiting.pop() {
            self.folders.push(to.clone());
            for entry in entries(&from)? {
                let path = entry.path();
                let kind = entry
                    .file_type()
                    .map_err(|error| unreadable(&path, error))?;
                let name = entry.file_name();
                let shown = name.to_string_lossy();
                // Temp files, and caches that are made anew.
                if shown.starts_with("pgsql_tmp") || shown.starts_with("pg_internal.init") {
                    continue;
                }
                let target = to.join(&name);
                if kind.is_dir() && without.contains(&&*shown) {
                    self.folders.push(target);
                } else if kind.is_dir() {
                    waiting.push((path, target));
                } else if kind.is_file() {
                    self.file(path, target)?;
                } else {
                    return Err(SnapshotError::Unsupported {
                        what: path.display().to_string(),
                        reason: "it is neither file nor folder; only pg_wal and tablespaces can be links".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, from: PathBuf, to: PathBuf) -> Result<(), SnapshotError> {
        let metadata = fs::metadata(&from).map_err(|error| unreadable(&from, error))?;
        let size = metadata.len();
        self.bytes += size;
        self.files.push(Listed { from, to, size });
        Ok(())
    }

    /// Makes the copy. `told` is asked now and then whether to go on, with the bytes that are copied.
    ///
    /// # Errors
    /// There is not enough space, something cannot be read or written, or `told` has an error.
    pub(crate) fn copy(
        &self,
        work: &Path,
        user: &ServerUser,
        told: &mut dyn FnMut(u64) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        self.check_space(work)?;
        for folder in &self.folders {
            user.make_folder(folder)
                .map_err(|error| unwritable(folder, error))?;
        }
        for (link, target) in &self.links {
            symlink(target, link).map_err(|error| unwritable(link, error))?;
        }
        let mut done = 0;
        for file in &self.files {
            told(done)?;
            let from = File::open(&file.from).map_err(|error| unreadable(&file.from, error))?;
            let to = create(&file.to).map_err(|error| unwritable(&file.to, error))?;
            if !share(&from, &to) {
                let mut copied = 0;
                copy_content(&from, &to, &mut |bytes| {
                    copied += bytes;
                    told(done + copied)
                })
                .map_err(|error| match error {
                    Stopped::Told(error) => *error,
                    Stopped::Io(error) => unwritable(&file.to, error),
                })?;
            }
            user.give(&file.to)
                .map_err(|error| unwritable(&file.to, error))?;
            done += file.size;
        }
        Ok(())
    }

    /// Where blocks cannot be shared, there must be room for all of them.
    fn check_space(&self, work: &Path) -> Result<(), SnapshotError> {
        let Some(file) = self.files.iter().find(|file| file.size > 0) else {
            return Ok(());
        };
        let probe = work.join("probe");
        let from = File::open(&file.from).map_err(|error| unreadable(&file.from, error))?;
        let to = create(&probe).map_err(|error| unwritable(&probe, error))?;
        let shares = share(&from, &to);
        drop(to);
        fs::remove_file(&probe).map_err(|error| unwritable(&probe, error))?;
        tracing::info!(bytes = self.bytes, shares, "copying the data folder");
        let space = rustix::fs::statvfs(work)
            .map(|found| found.f_bavail.saturating_mul(found.f_frsize))
            .map_err(|error| unwritable(work, error.into()))?;
        if !shares && space < self.bytes {
            let reason = format!(
                "the copy needs {} bytes, and there are {space}; name a folder with more space, or one on a file system \
                 that shares blocks with the original, by --temp-dir",
                self.bytes
            );
            return Err(unwritable(
                work,
                io::Error::new(io::ErrorKind::StorageFull, reason),
            ));
        }
        Ok(())
    }
}

/// The entries of a folder in order of their names; none where it is not there.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, SnapshotError> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        // A server tells better what it cannot do without.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    let mut entries = found
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| unreadable(folder, error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// An error about the copy, not about the original.
pub(crate) fn unwritable(path: &Path, error: io::Error) -> SnapshotError {
    io_error(
        path,
        io::Error::new(
            error.kind(),
            format!("{error} (it is a part of the private copy)"),
        ),
    )
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes `to` share the blocks of `from`; false where the file system cannot.
#[cfg(target_os = "linux")]
fn share(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Elsewhere copying does it by itself, or not at all.
#[cfg(not(target_os = "linux"))]
fn share(_from: &File, _to: &File) -> bool {
    false
}

enum Stopped {
    Io(io::Error),
    Told(Box<SnapshotError>),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Stopped::Io(error)
    }
}

/// Copies the bytes, without holes; `told` gets the number of bytes each time.
fn copy_content(
    from: &File,
    to: &File,
    told: &mut dyn FnMut(u64) -> Result<(), SnapshotError>,
) -> Result<(), Stopped> {
    let size = from.metadata()?.len();
    let mut at = 0;
    while let Some((begin, mut left)) = stretch(from, to, at)? {
        at = begin;
        while left > 0 {
            // The kernel copies it, where it can.
            let copied = io::copy(&mut from.take(left.min(STRETCH)), &mut &*to)?;
            if copied == 0 {
                break;
            }
            at += copied;
            left = left.saturating_sub(copied);
            told(copied).map_err(|error| Stopped::Told(Box::new(error)))?;
        }
        if at >= size || left > 0 {
            break;
        }
    }
    // A hole at the end.
    to.set_len(size)?;
    Ok(())
}

/// Moves both files to the next bytes behind `at` that are no hole: where they are, and how many.
#[cfg(target_os = "linux")]
fn stretch(from: &File, to: &File, at: u64) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{SeekFrom, seek};
    let begin = match seek(from, SeekFrom::Data(at)) {
        Ok(begin) => begin,
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = seek(from, SeekFrom::Hole(begin))?;
    seek(from, SeekFrom::Start(begin))?;
    seek(to, SeekFrom::Start(begin))?;
    Ok(Some((begin, end - begin)))
}

/// The whole file, once: holes are copied as zeros.
#[cfg(not(target_os = "linux"))]
fn stretch(_from: &File, _to: &File, at: u64) -> io::Result<Option<(u64, u64)>> {
    Ok((at == 0).then_some((0, u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn a_copy_has_the_bytes_and_the_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&path).unwrap();
        file.write_all_at(b"begin", 0).unwrap();
        file.write_all_at(b"middle", 4 << 20).unwrap();
        // A hole at the end, too.
        file.set_len(9 << 20).unwrap();
        let mut told = 0;
        let result = copy_content(
            &File::open(&path).unwrap(),
            &create(&copy).unwrap(),
            &mut |bytes| {
                told += bytes;
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert!(fs::read(&path).unwrap() == fs::read(&copy).unwrap());
        let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
        assert_eq!(blocks(&copy), blocks(&path));
        if blocks(&path) < 1000 {
            assert!(told < 1 << 20, "{told}");
        }
        let empty = folder.path().join("empty");
        let result = copy_content(
            &File::create_new(&empty)
                .and_then(|_| File::open(&empty))
                .unwrap(),
            &create(&folder.path().join("empty copy")).unwrap(),
            &mut |_| Ok(()),
        );
        assert!(result.is_ok());
    }

    #[test]
    fn a_copy_that_cannot_fit_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::write(&from, "content").unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        if share(
            &File::open(&from).unwrap(),
            &create(&folder.path().join("shared")).unwrap(),
        ) {
            return;
        }
        let listing = Listing {
            files: vec![Listed {
                from,
                to: work.join("to"),
                size: 7,
            }],
            bytes: u64::MAX,
            ..Listing::default()
        };
        let user = ServerUser::choose((1, 1)).unwrap();
        let error = listing.copy(&work, &user, &mut |_| Ok(())).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("the copy needs"), "{error}");
        assert!(error.contains("--temp-dir"), "{error}");
        assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
    }
}
