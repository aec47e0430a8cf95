//! The fingerprint of what is served: the snapshot's files, the pipeline and the edition. Two runs of the server with
//! the same fingerprint find the same groups and write the same exports.

use std::ffi::OsString;
use std::fs;
use std::io;

use sha2::{Digest, Sha256};

use crate::hex;
use crate::snapshot::Spec;

/// Letters of the fingerprint: it names a folder.
const LENGTH: usize = 16;

/// The fingerprint of a snapshot's place, sizes and times with whatever else decides what is served.
///
/// # Errors
/// Where the snapshot's files cannot be looked at.
pub(crate) fn fingerprint(of: &Spec, others: &[&str]) -> io::Result<String> {
    let mut hash = Sha256::new();
    let (place, files): (OsString, _) = match of.path() {
        Some(path) => {
            let path = fs::canonicalize(path)?;
            (path.clone().into(), Spec::Path(path).fingerprint()?)
        }
        None => (of.shown().into(), of.fingerprint()?),
    };
    // A pipe has neither a size nor a time of its own.
    let files = files.unwrap_or_default();
    hash.update(place.as_encoded_bytes());
    hash.update([0]);
    for other in [files.as_str()].iter().chain(others) {
        hash.update(other.as_bytes());
        hash.update([0]);
    }
    let mut text = hex::encode(&hash.finalize());
    text.truncate(LENGTH);
    Ok(text)
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
        let spec = Spec::Path(folder.path().to_owned());
        let first = fingerprint(&spec, &["ee"]).unwrap();
        assert_eq!(first, fingerprint(&spec, &["ee"]).unwrap());
        assert_ne!(first, fingerprint(&spec, &["ce"]).unwrap());
        fs::write(&file, "three").unwrap();
        assert_ne!(first, fingerprint(&spec, &["ee"]).unwrap());
    }
}
