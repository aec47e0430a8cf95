//! Going on with an unfinished export: which of its files are kept, and what is cleared away.

use std::collections::HashSet;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::ledger::Ledger;
use super::manifest::FileEntry;
use super::store::{Contents, Draft, FileReader, is_no_file};
use crate::hex;

/// Bytes that are read at once while a file is checked.
const CHUNK: usize = 1 << 20;

/// Brings a draft and its ledger to a state from which an export can go on: only files that are there just as the
/// ledger says count as finished, and every other file of an entity is removed.
///
/// # Errors
/// Those of the store.
pub fn take_up(draft: &dyn Draft, ledger: &mut Ledger) -> io::Result<()> {
    let folders = ledger.folders();
    for found in draft.list("")? {
        if !found.is_folder && folders.contains(&found.name) {
            let reason = format!("{} in its folder is no folder of an export", found.name);
            return Err(io::Error::other(reason));
        }
    }
    let mut whole = HashSet::new();
    for file in ledger.claimed_files() {
        if is_whole(draft, file)? {
            whole.insert(file.clone());
        }
    }
    ledger.keep(&whole);
    // Before files are removed, so that the manifest never speaks of one that is gone.
    draft.put_manifest(ledger.manifest())?;
    let kept: HashSet<&str> = ledger
        .finished_files()
        .map(|file| file.file.as_str())
        .collect();
    draft.sweep(&folders, &|name| kept.contains(name))
}

/// True if the file is there with the size and the checksum that it was finished with.
fn is_whole(draft: &dyn Contents, entry: &FileEntry) -> io::Result<bool> {
    let file = match draft.read(&entry.file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_no_file(&error) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    if file.length() != entry.bytes {
        return Ok(false);
    }
    let mut content = FileReader::new(file);
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match content.read(&mut chunk)? {
            0 => return Ok(hex::encode(&digest.finalize()) == entry.sha256),
            length => digest.update(&chunk[..length]),
        }
    }
}
