//! Archives of files, member by member.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};
use tar::Archive;

use crate::hex;
use crate::json_text::Object;
use crate::output::{RelationEntry, inflated};

use super::changes::{ChangeKind, ChangedRecord, RelationChanges};
use super::relation::unreadable;
use super::{DiffError, Request, Side};

/// Members that are described, of all relations together; the others are counted.
const DESCRIBED: usize = 100;

/// Bytes of the list of LFS objects of one archive that are read.
const LIST: u64 = 256 << 20;

/// The list that GitLab puts beside LFS objects: which of them a project has. Each archive has its own.
const LFS_LIST: &str = "./lfs_objects.json";

/// What a member holds, and where.
struct Member {
    sha256: String,
    file: String,
}

/// Compares the members of a relation's archives by their names, whichever archive they lie in.
pub(super) fn compare(
    request: &Request<'_>,
    (old, new): (Option<&RelationEntry>, Option<&RelationEntry>),
    found: &mut RelationChanges,
    described: &mut usize,
) -> Result<(), DiffError> {
    let mut before = members(request, &request.old, old)?;
    let after = members(request, &request.new, new)?;
    let mut differ = |kind: ChangeKind, member: &Member, found: &mut RelationChanges| {
        match kind {
            ChangeKind::Added => found.added += 1,
            ChangeKind::Removed => found.removed += 1,
            ChangeKind::Changed => found.changed += 1,
        }
        if *described < DESCRIBED {
            *described += 1;
            found.records.push(ChangedRecord {
                kind,
                // A name may say what nobody is to read.
                key: None,
                file: member.file.clone(),
                line: 0,
                columns: Vec::new(),
                more_columns: 0,
            });
        }
    };
    for (name, member) in &after {
        match before.remove(name) {
            None => differ(ChangeKind::Added, member, found),
            Some(other) if other.sha256 != member.sha256 => {
                differ(ChangeKind::Changed, member, found)
            }
            Some(_) => found.same += 1,
        }
    }
    for member in before.values() {
        differ(ChangeKind::Removed, member, found);
    }
    Ok(())
}

fn members(
    request: &Request<'_>,
    side: &Side<'_>,
    entry: Option<&RelationEntry>,
) -> Result<BTreeMap<Vec<u8>, Member>, DiffError> {
    let mut members = BTreeMap::new();
    for file in entry.into_iter().flat_map(RelationEntry::files) {
        let mut read = || {
            let content = inflated(side.store, &file.file, side.identities)?;
            let mut archive = Archive::new(content);
            for member in archive.entries()? {
                let mut member = member?;
                let name = member.path_bytes().into_owned();
                let of = |sha256: String| Member {
                    sha256,
                    file: file.file.clone(),
                };
                if name == LFS_LIST.as_bytes() {
                    let mut text = String::new();
                    member.take(LIST).read_to_string(&mut text)?;
                    // Objects that are listed are told apart by their ids, since batches divide them anew.
                    for (oid, text) in Object::parse(&text).unwrap_or_default().0 {
                        let name = [LFS_LIST.as_bytes(), b":", oid.as_bytes()].concat();
                        members.insert(name, of(text.to_owned()));
                    }
                    continue;
                }
                let mut sha256 = Sha256::new();
                let mut buffer = vec![0; 64 << 10];
                loop {
                    match member.read(&mut buffer)? {
                        0 => break,
                        count => sha256.update(&buffer[..count]),
                    }
                }
                members.insert(name, of(hex::encode(&sha256.finalize())));
            }
            Ok(())
        };
        read().map_err(|source| unreadable(side, &file.file, source))?;
        request.read.fetch_add(file.bytes, Ordering::Relaxed);
    }
    Ok(members)
}
