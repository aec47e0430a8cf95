//! The tar of an archive: its members, as an importer takes them.

use std::io::{self, Read};
use std::str;

use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use crate::hex;

/// Members that are described; the others are only counted.
const DESCRIBED: usize = 100;

/// The digits of an object id of LFS, which is the SHA-256 of the object.
const LFS_OID: usize = 64;

/// Bytes of a bundle's first line.
const BUNDLE_MAGIC: usize = 16;

/// Reads a tar to its end, and says what is wrong with it.
///
/// # Errors
/// If its bytes cannot be had.
pub(super) fn check(content: &mut dyn Read) -> io::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut more = 0;
    let mut archive = Archive::new(content);
    for entry in archive.entries()? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(format!("it is no whole tar: {error}"));
                return Ok(problems);
            }
        };
        if let Err(problem) = member(entry)? {
            match problems.len() < DESCRIBED {
                true => problems.push(problem),
                false => more += 1,
            }
        }
    }
    if more > 0 {
        problems.push(format!("{more} more members are not right"));
    }
    Ok(problems)
}

/// Looks at one member; the inner error is what is wrong with it.
fn member(mut entry: Entry<'_, impl Read>) -> io::Result<Result<(), String>> {
    let name = entry.path_bytes().into_owned();
    let Ok(name) = str::from_utf8(&name) else {
        return Ok(Err("a member's name is not UTF-8".to_owned()));
    };
    let wrong = |what: &str| Ok(Err(format!("member {name:?} {what}")));
    let kind = entry.header().entry_type();
    if kind == EntryType::Directory {
        return Ok(Ok(()));
    }
    if kind != EntryType::Regular {
        return wrong("is no regular file, and an importer refuses links");
    }
    let Some(inner) = name.strip_prefix("./") else {
        return wrong("does not begin with ./");
    };
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("leads elsewhere");
    }
    let is_oid = inner.len() == LFS_OID && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_oid {
        let mut sha256 = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match entry.read(&mut buffer)? {
                0 => break,
                count => sha256.update(&buffer[..count]),
            }
        }
        return match hex::encode(&sha256.finalize()) == inner {
            true => Ok(Ok(())),
            false => wrong("has another SHA-256 than its name says"),
        };
    }
    if inner.ends_with(".bundle") && !inner.contains('/') {
        let mut magic = Vec::new();
        entry.take(BUNDLE_MAGIC as u64).read_to_end(&mut magic)?;
        if !matches!(
            magic.as_slice(),
            b"# v2 git bundle\n" | b"# v3 git bundle\n"
        ) {
            return wrong("is no git bundle");
        }
    }
    Ok(Ok(()))
}
