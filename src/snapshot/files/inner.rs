//! The archives inside a backup: tars of files, compressed by whatever the administrator chose.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::contents::Collector;
use super::gather::Wanted;
use super::index::{Entry, Sort};
use super::spool::{Kept, Spool, check};
use crate::snapshot::codec::compression::decoder;
use crate::snapshot::codec::tar_members::Members;
use crate::snapshot::error::SnapshotError;
use crate::visible::visible;

/// One of a backup's archives of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InnerArchive {
    Uploads,
    Lfs,
    ExternalDiffs,
}

impl InnerArchive {
    pub const ALL: [InnerArchive; 3] = [
        InnerArchive::Uploads,
        InnerArchive::Lfs,
        InnerArchive::ExternalDiffs,
    ];

    /// The names that it may have in a backup. GitLab writes the first, whatever it compresses with; the second is what is
    /// left when somebody has decompressed it.
    pub fn members(self) -> [&'static str; 2] {
        match self {
            InnerArchive::Uploads => ["uploads.tar.gz", "uploads.tar"],
            InnerArchive::Lfs => ["lfs.tar.gz", "lfs.tar"],
            InnerArchive::ExternalDiffs => ["external_diffs.tar.gz", "external_diffs.tar"],
        }
    }

    /// The archive that a member of a backup is, and which of its names the member has.
    pub(in crate::snapshot) fn of_member(name: &str) -> Option<(InnerArchive, usize)> {
        InnerArchive::ALL.into_iter().find_map(|archive| {
            let rank = archive.members().into_iter().position(|own| own == name)?;
            Some((archive, rank))
        })
    }
}

/// Reads an archive to its end, and keeps what is wanted of it. What is wrong with it is told, and is no error: what
/// came before is of use.
///
/// # Errors
/// The temp folder cannot be written, or the run was interrupted.
pub(super) fn read(
    archive: InnerArchive,
    bytes: Box<dyn Read + Send + '_>,
    wanted: &dyn Wanted,
    spool: &mut Spool,
    interrupted: &AtomicBool,
) -> Result<(Collector, Option<String>), SnapshotError> {
    let mut collector = Collector::default();
    let bytes = match decoder(bytes, Arc::default()) {
        Ok(bytes) => bytes,
        Err(error) => return Ok((collector, Some(error.to_string()))),
    };
    let mut members = Members::of_stream(bytes);
    loop {
        check(interrupted)?;
        let member = match members.next() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => {
                let place = members.next_header();
                let what = format!("it goes no further than byte {place} of its tar: {error}");
                return Ok((collector, Some(what)));
            }
        };
        let Some((name, sort)) = collector.name(&member) else {
            continue;
        };
        if !wanted.inner(archive, &name) {
            continue;
        }
        let mut entry = Entry {
            sort,
            offset: 0,
            size: member.size,
        };
        if sort == Sort::File {
            match spool.keep(&mut members.body(member.size), interrupted)? {
                Kept::Whole(range) => entry.offset = range.start,
                Kept::Broken(error) => {
                    entry.sort = Sort::Cut;
                    collector.add(&name, entry);
                    let what = format!("it goes no further than {}: {error}", visible(&name));
                    return Ok((collector, Some(what)));
                }
            }
        }
        collector.add(&name, entry);
    }
    if !members.has_ended() {
        let what = format!("its tar is cut off at byte {}", members.position());
        return Ok((collector, Some(what)));
    }
    // Only at its end a compressed stream shows whether its bytes were those that were written.
    let rest = read_rest(&mut members.into_inner(), interrupted)?;
    Ok((collector, rest))
}

/// Reads what is behind the end of a tar. Gives what is wrong with it.
fn read_rest(
    rest: &mut dyn Read,
    interrupted: &AtomicBool,
) -> Result<Option<String>, SnapshotError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        check(interrupted)?;
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) if buffer[..count].iter().any(|byte| *byte != 0) => {
                return Ok(Some("more stands behind the end of its tar".to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Ok(Some(format!(
                    "its end is damaged, so that any of its files may be: {error}"
                )));
            }
        }
    }
}
