//! The index of a tar in a file, for the next run: hopping over the headers of a large backup takes a while.
//!
//! ```text
//! relexport tar index 1                          what it is, and the version of this format
//! 1a2b3c4d                                       CRC-32 of everything behind this line
//! {"fingerprint": "…", "warnings": ["…", …]}     of which tar it is, and what of it is left out
//! …                                              the bytes of an `Index`
//! ```
//!
//! It can be thrown away at any time: what is damaged, of another version or of another tar is made anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::index::Index;
use crate::hex;
use crate::visible::visible;

/// The first line.
const MAGIC: &str = "relexport tar index 1\n";

/// Bytes of the second line.
const CHECKSUM: usize = 9;

/// The third line.
#[derive(Serialize, Deserialize)]
struct Head {
    fingerprint: String,
    warnings: Vec<String>,
}

/// An index as it is kept in a file.
pub struct TarIndex(Contents);

impl TarIndex {
    /// Reads a file's bytes. `None` unless they are the index of a tar that has this fingerprint and so many bytes.
    pub fn read(bytes: Vec<u8>, fingerprint: &str, length: u64) -> Option<TarIndex> {
        decode(bytes, fingerprint, length).map(TarIndex)
    }

    /// The files whose names begin with `prefix`, with their places in the tar, in the order of their names' bytes.
    pub fn files(&self, prefix: &str) -> impl Iterator<Item = (String, Range<u64>)> {
        let files = self.0.index.with_prefix(prefix);
        files.map(|(name, entry)| (name, entry.offset..entry.offset + entry.size))
    }

    /// The place of a file in the tar.
    pub fn find(&self, name: &str) -> Option<Range<u64>> {
        let entry = self.0.index.get(name)?;
        Some(entry.offset..entry.offset + entry.size)
    }
}

/// The contents of a tar that has this fingerprint and so many bytes; `None` if the file is not of it, or not there.
pub(super) fn load(path: &Path, fingerprint: &str, length: u64) -> Option<Contents> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("the index {} cannot be read: {error}", path.display());
            return None;
        }
    };
    let read = decode(bytes, fingerprint, length);
    if read.is_none() {
        tracing::info!(
            "the index {} is of no use, and is made anew",
            path.display()
        );
    }
    read
}

/// Saves the contents of a tar that was gone through to its end. Nobody ever sees half a file.
///
/// # Errors
/// Those of the file system.
pub(super) fn save(path: &Path, fingerprint: &str, contents: &Contents) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for piece in encode(fingerprint, contents)? {
        file.write_all(&piece)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// The pieces of a file.
fn encode(fingerprint: &str, contents: &Contents) -> io::Result<[Vec<u8>; 2]> {
    let mut head = serde_json::to_vec(&Head {
        fingerprint: fingerprint.to_owned(),
        warnings: contents.warnings.clone(),
    })?;
    head.push(b'\n');
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head);
    sum.update(contents.index.bytes());
    let mut start = [MAGIC.as_bytes(), &checksum(sum.finalize())].concat();
    start.extend(head);
    Ok([start, contents.index.bytes().to_vec()])
}

/// The second line.
fn checksum(sum: u32) -> [u8; CHECKSUM] {
    let mut line = *b"00000000\n";
    let digits = hex::encode(&sum.to_be_bytes());
    line[..8].copy_from_slice(digits.as_bytes());
    line
}

fn decode(mut bytes: Vec<u8>, fingerprint: &str, length: u64) -> Option<Contents> {
    let rest = bytes.strip_prefix(MAGIC.as_bytes())?;
    let (sum, rest) = rest.split_at_checked(CHECKSUM)?;
    if checksum(crc32fast::hash(rest)) != sum {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&rest[..end]).ok()?;
    if head.fingerprint != fingerprint {
        return None;
    }
    let start = bytes.len() - (rest.len() - end - 1);
    bytes.drain(..start);
    let index = Index::read(bytes, length)?;
    Some(Contents {
        index,
        warnings: head.warnings.iter().map(|text| visible(text)).collect(),
        broken: None,
    })
}

#[cfg(test)]
mod tests;
