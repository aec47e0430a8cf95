//! Gathering: one pass over what can only be read in order, keeping what will be wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::contents::{Broken, Collector, Contents};
use super::inner::{self, InnerArchive};
use super::kept::{self, open_kept};
use super::spool::Spool;
use super::{BackupFiles, FileSource, check_range};
use crate::snapshot::error::SnapshotError;

/// What is wanted of a backup's files.
pub trait Wanted: Sync {
    /// True for a member of the backup that will be opened. Asked only where members come once, in their order.
    fn member(&self, name: &str) -> bool;

    /// True for a file in an archive that will be opened, by its name there (without `./`).
    fn inner(&self, archive: InnerArchive, path: &str) -> bool;

    /// The archives of which something is wanted; others are not read.
    fn archives(&self) -> Vec<InnerArchive>;
}

/// Why an archive gave less than it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveTrouble {
    /// The backup has no such archive: it was skipped, there was nothing to put in, or it is kept elsewhere.
    Absent,
    /// It cannot be read, or only up to some place: files that were found before it can be read.
    Damaged(String),
}

impl fmt::Display for ArchiveTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveTrouble::Absent => f.write_str("the backup does not have it"),
            ArchiveTrouble::Damaged(what) => f.write_str(what),
        }
    }
}

/// The files that were wanted, each to be opened as often as one likes.
#[derive(Default)]
pub struct Gathered {
    files: Option<Arc<dyn BackupFiles>>,
    archives: BTreeMap<InnerArchive, Archive>,
    /// Where the ranges in the archives' contents are.
    kept: Option<Arc<File>>,
}

/// What was found of an archive.
pub(super) struct Archive {
    contents: Contents,
    trouble: Option<ArchiveTrouble>,
}

impl Gathered {
    pub(super) fn new(
        files: Option<Arc<dyn BackupFiles>>,
        archives: BTreeMap<InnerArchive, Archive>,
        kept: Option<Arc<File>>,
    ) -> Self {
        Gathered {
            files,
            archives,
            kept,
        }
    }

    /// The backup's own members; `None` for a snapshot without files.
    pub fn files(&self) -> Option<&Arc<dyn BackupFiles>> {
        self.files.as_ref()
    }

    /// Bytes of a file of an archive, if it was wanted and is there.
    pub fn inner_size(&self, archive: InnerArchive, path: &str) -> Option<u64> {
        let found = self.archives.get(&archive)?.contents.find(path).ok()?;
        found.map(|entry| entry.size)
    }

    /// Opens those bytes of a file of an archive; `None` if the archive has no such file. Several threads may read at once.
    ///
    /// # Errors
    /// It is no regular file, has no such bytes, or the archive is damaged and may have held it.
    pub fn open_inner(
        &self,
        archive: InnerArchive,
        path: &str,
        range: Range<u64>,
    ) -> io::Result<Option<Box<dyn Read + Send>>> {
        let Some(Archive { contents, .. }) = self.archives.get(&archive) else {
            return Ok(None);
        };
        let Some(entry) = contents.find(path).map_err(io::Error::other)? else {
            return Ok(None);
        };
        check_range(path, &range, entry.size).map_err(io::Error::other)?;
        Ok(Some(open_kept(self.kept.as_ref(), entry, range)))
    }

    /// What of the backup and of the archives that were wanted was left out, as far as that has shown, and what may be
    /// missing of the backup itself. Of an archive that is its [`Gathered::trouble`].
    pub fn warnings(&self) -> Vec<String> {
        let files = self.files.iter();
        let mut warnings: Vec<String> = files.flat_map(|files| files.warnings()).collect();
        for (archive, Archive { contents, .. }) in &self.archives {
            let [member, _] = archive.members();
            warnings.extend(contents.warnings.iter().map(|it| format!("{member}: {it}")));
        }
        warnings
    }

    /// Why an archive that was wanted gave less than it may hold; `None` if it was read to its end.
    pub fn trouble(&self, archive: InnerArchive) -> Option<&ArchiveTrouble> {
        self.archives.get(&archive)?.trouble.as_ref()
    }
}

impl FileSource {
    /// Reads each archive of which something is wanted, once, and keeps what is wanted in one temp file in `temp_dir`, which
    /// has no name and goes with what is returned. Nothing but names is in memory.
    ///
    /// A damaged or missing archive is no error: see [`Gathered::trouble`].
    ///
    /// # Errors
    /// The temp folder cannot be written, or `interrupted` was set.
    pub fn gather(
        self,
        wanted: &dyn Wanted,
        temp_dir: &Path,
        interrupted: &AtomicBool,
    ) -> Result<Gathered, SnapshotError> {
        let archives: BTreeSet<InnerArchive> = wanted.archives().into_iter().collect();
        match self {
            FileSource::None { .. } => Ok(Gathered {
                archives: archives
                    .into_iter()
                    .map(|archive| (archive, Archive::absent()))
                    .collect(),
                ..Gathered::default()
            }),
            FileSource::Here(files) => {
                let mut spool = Spool::new(temp_dir);
                let mut found = BTreeMap::new();
                for archive in archives {
                    let read = read_archive(&*files, archive, wanted, &mut spool, interrupted)?;
                    found.insert(archive, read);
                }
                Ok(Gathered::new(Some(files), found, spool.finish()))
            }
            FileSource::Behind(behind) => {
                let spool = Spool::new(temp_dir);
                kept::gather(behind, &archives, wanted, spool, interrupted)
            }
        }
    }
}

/// Reads an archive of a backup whose members can be opened.
fn read_archive(
    files: &dyn BackupFiles,
    archive: InnerArchive,
    wanted: &dyn Wanted,
    spool: &mut Spool,
    interrupted: &AtomicBool,
) -> Result<Archive, SnapshotError> {
    let open = |name: &str| match files.size_of(name)? {
        Some(size) => files.open(name, 0..size).map(Some),
        None => Ok(None),
    };
    for name in archive.members() {
        match open(name) {
            Ok(Some(bytes)) => {
                let read = inner::read(archive, bytes, wanted, spool, interrupted)?;
                return Ok(Archive::new(name, read));
            }
            Ok(None) => {}
            Err(error) => return Ok(Archive::damaged(error.to_string())),
        }
    }
    Ok(Archive::absent())
}

impl Archive {
    /// What was read of an archive, and what is wrong with it.
    pub(super) fn new(name: &str, (collector, trouble): (Collector, Option<String>)) -> Self {
        let broken = trouble.map(|trouble| format!("{name} is damaged: {trouble}"));
        let contents = collector.finish(broken.clone().map(Broken::damaged));
        contents.log(name);
        Archive {
            contents,
            trouble: broken.map(ArchiveTrouble::Damaged),
        }
    }

    /// An archive that has not come in a tar that holds these members.
    pub(super) fn missing(archive: InnerArchive, contents: &Contents) -> Self {
        let mut members = archive.members().into_iter();
        match members.find_map(|name| contents.find(name).err()) {
            Some(error) => Archive::damaged(error.to_string()),
            None => Archive::absent(),
        }
    }

    fn absent() -> Self {
        Archive {
            contents: Contents::default(),
            trouble: Some(ArchiveTrouble::Absent),
        }
    }

    fn damaged(what: String) -> Self {
        Archive {
            contents: Contents {
                broken: Some(Broken::damaged(what.clone())),
                ..Contents::default()
            },
            trouble: Some(ArchiveTrouble::Damaged(what)),
        }
    }
}
