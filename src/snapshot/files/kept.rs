//! What was kept of a backup that came once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::contents::{Collector, Contents};
use super::gather::{Archive, Gathered, Wanted};
use super::index::{Entry, Sort};
use super::inner::{self, InnerArchive};
use super::passing::{Behind, PassingTar};
use super::slice::Slice;
use super::spool::{Kept, Spool, check};
use super::{BackupFiles, BackupInfo, INFORMATION, INFORMATION_LIMIT, check_range, unreadable};
use crate::snapshot::codec::tar_members::Member;
use crate::snapshot::error::SnapshotError;

/// What messages call a tar that went by.
const BACKUP: &str = "the backup";

/// The members that were wanted of a tar that went by, in a temp file.
struct KeptFiles {
    contents: Contents,
    /// `None` if no byte was kept.
    kept: Option<Arc<File>>,
    info: BackupInfo,
}

impl BackupFiles for KeptFiles {
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError> {
        Ok(self.contents.find(name)?.map(|entry| entry.size))
    }

    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError> {
        let Some(entry) = self.contents.find(name)? else {
            return Err(unreadable(name, "the backup holds no such file"));
        };
        check_range(name, &range, entry.size)?;
        Ok(open_kept(self.kept.as_ref(), entry, range))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        self.contents.list(prefix)
    }

    fn visit(&self, take: &mut dyn FnMut(&str, u64)) -> Result<Option<String>, SnapshotError> {
        Ok(self.contents.visit(take))
    }

    fn warnings(&self) -> Vec<String> {
        self.contents.says(BACKUP)
    }

    fn info(&self) -> &BackupInfo {
        &self.info
    }
}

/// Opens bytes of what was kept in a temp file.
pub(super) fn open_kept(
    kept: Option<&Arc<File>>,
    entry: Entry,
    range: Range<u64>,
) -> Box<dyn Read + Send> {
    let range = entry.offset + range.start..entry.offset + range.end;
    match kept {
        Some(file) => Box::new(Slice::of_file(Arc::clone(file), range, "the temp file")),
        // None of the files has a byte.
        None => Box::new(io::empty()),
    }
}

/// Reads what is left of a tar to its end, and keeps what is wanted.
///
/// # Errors
/// As [`super::FileSource::gather`], and those of [`Behind::take`].
pub(super) fn gather(
    behind: Behind,
    archives: &BTreeSet<InnerArchive>,
    wanted: &dyn Wanted,
    mut spool: Spool,
    interrupted: &AtomicBool,
) -> Result<Gathered, SnapshotError> {
    let is_wanted = |name: &str| match InnerArchive::of_member(name) {
        Some((archive, _)) if archives.contains(&archive) => true,
        Some(_) | None => wanted.member(name),
    };
    let misses = |tar: &PassingTar| tar.passed.has(&is_wanted);
    let mut pass = Pass {
        archives,
        wanted,
        interrupted,
        collector: Collector::default(),
        found: BTreeMap::new(),
        info: None,
    };
    let mut tar = behind.take(misses, interrupted)?;
    pass.collector = std::mem::take(&mut tar.passed);
    pass.info = tar.info.take();
    while let Some(member) = tar.next() {
        check(interrupted)?;
        pass.member(&mut tar, &member, &mut spool)?;
    }
    let Pass {
        collector,
        mut found,
        info,
        ..
    } = pass;
    let contents = collector.finish(tar.broken);
    contents.log(BACKUP);
    for archive in archives {
        if !found.contains_key(archive) {
            found.insert(*archive, (0, Archive::missing(*archive, &contents)));
        }
    }
    let kept = spool.finish();
    let found = found
        .into_iter()
        .map(|(archive, (_, read))| (archive, read));
    let files = KeptFiles {
        contents,
        kept: kept.clone(),
        info: info.unwrap_or_default(),
    };
    Ok(Gathered::new(Some(Arc::new(files)), found.collect(), kept))
}

/// One way through a tar.
struct Pass<'a> {
    archives: &'a BTreeSet<InnerArchive>,
    wanted: &'a dyn Wanted,
    interrupted: &'a AtomicBool,
    collector: Collector,
    /// The archives that have come, and which of their names they had.
    found: BTreeMap<InnerArchive, (usize, Archive)>,
    info: Option<BackupInfo>,
}

impl Pass<'_> {
    /// Keeps of a member what is wanted.
    fn member(
        &mut self,
        tar: &mut PassingTar,
        member: &Member,
        spool: &mut Spool,
    ) -> Result<(), SnapshotError> {
        let Some((name, sort)) = self.collector.name(member) else {
            return Ok(());
        };
        let mut entry = Entry {
            sort,
            offset: 0,
            size: member.size,
        };
        let archive = InnerArchive::of_member(&name);
        let archive = archive.filter(|(archive, _)| self.archives.contains(archive));
        match archive {
            _ if sort != Sort::File => {}
            Some((archive, rank)) => {
                entry.sort = Sort::Gone;
                // Of its two names the first is the archive's own; of the same name the last one counts.
                if self
                    .found
                    .get(&archive)
                    .is_none_or(|(found, _)| rank <= *found)
                {
                    let bytes = Box::new(tar.members.body(member.size));
                    let read = inner::read(archive, bytes, self.wanted, spool, self.interrupted)?;
                    self.found
                        .insert(archive, (rank, Archive::new(&name, read)));
                }
            }
            None if INFORMATION.contains(&name.as_str()) && self.info.is_none() => {
                entry.sort = Sort::Gone;
                let mut text = Vec::new();
                let body = tar.members.body(member.size).take(INFORMATION_LIMIT);
                // Where the tar is cut off here, it is found to be at the next step.
                if { body }.read_to_end(&mut text).is_ok() {
                    self.info = Some(BackupInfo::parse(&text));
                }
            }
            None if self.wanted.member(&name) => {
                match spool.keep(&mut tar.members.body(member.size), self.interrupted)? {
                    Kept::Whole(range) => entry.offset = range.start,
                    Kept::Broken(error) => {
                        tar.has_stopped(Some(&error));
                        entry.sort = Sort::Cut;
                    }
                }
            }
            None => entry.sort = Sort::Gone,
        }
        self.collector.add(&name, entry);
        Ok(())
    }
}
