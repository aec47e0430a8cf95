//! The fingerprint of what is served: the snapshot's files, the pipeline and the edition. Two runs of the server with
//! the same fingerprint find the same groups and write the same exports.

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::output::atomic::hex;

/// How deep a folder that is a snapshot is looked into: a backup's tree has `db/`, an archive's has none.
const DEPTH: usize = 2;
/// Letters of the fingerprint: it names a folder.
const LENGTH: usize = 16;

/// The fingerprint of a snapshot's path, sizes and times with whatever else decides what is served.
///
/// # Errors
/// Where the snapshot's files cannot be looked at.
pub fn fingerprint(snapshot: &Path, others: &[&str]) -> io::Result<String> {
    let mut hash = Sha256::new();
    let path = fs::canonicalize(snapshot)?;
    add(&mut hash, &path, DEPTH)?;
    for other in others {
        hash.update(other.as_bytes());
        hash.update([0]);
    }
    let mut text = hex(&hash.finalize());
    text.truncate(LENGTH);
    Ok(text)
}

fn add(hash: &mut Sha256, path: &Path, depth: usize) -> io::Result<()> {
    let found = fs::metadata(path)?;
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update([0]);
    if found.is_dir() {
        if depth == 0 {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        return entries
            .iter()
            .try_for_each(|entry| add(hash, entry, depth - 1));
    }
    if !found.is_file() {
        // A pipe has neither a size nor a time of its own.
        return Ok(());
    }
    let changed = found.modified()?.duration_since(UNIX_EPOCH);
    hash.update(found.len().to_le_bytes());
    hash.update(changed.unwrap_or_default().as_nanos().to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_has_another_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db/dump.sql");
        fs::create_dir(folder.path().join("db")).unwrap();
        fs::write(&file, "one").unwrap();
        let first = fingerprint(folder.path(), &["ee"]).unwrap();
        assert_eq!(first, fingerprint(folder.path(), &["ee"]).unwrap());
        assert_ne!(first, fingerprint(folder.path(), &["ce"]).unwrap());
        fs::write(&file, "three").unwrap();
        assert_ne!(first, fingerprint(folder.path(), &["ee"]).unwrap());
    }
}
