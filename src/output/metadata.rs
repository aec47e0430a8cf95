//! The file that describes the whole export, `metadata.json.gz`: its bytes, its entry in the manifest, and the map of entities
//! that it holds. What else it says, `export/` knows.

use std::io;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::encryption::Recipients;
use super::manifest::{EntityEntry, FileEntry};
use super::{gzip, layout};
use crate::hex;

/// The key of the map of entities.
pub const ENTITIES_MAPPING: &str = "entities_mapping";

/// Where the files of each entity lie, by its full path.
pub fn entities_mapping(entities: &[EntityEntry]) -> Map<String, Value> {
    entities
        .iter()
        .map(|entity| (entity.full_path.clone(), Value::from(entity.prefix.clone())))
        .collect()
}

/// The file of this content, and its entry.
///
/// # Errors
/// If it cannot be encrypted.
pub fn metadata_file(
    content: &[u8],
    recipients: Option<&Recipients>,
) -> io::Result<(FileEntry, Vec<u8>)> {
    let compressed = gzip::compress(content, gzip::GzipLevel::default());
    let (name, bytes) = match recipients {
        Some(recipients) => (layout::SEALED_METADATA, recipients.encrypt(&compressed)?),
        None => (layout::METADATA, compressed),
    };
    let entry = FileEntry {
        file: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(&Sha256::digest(&bytes)),
    };
    Ok((entry, bytes))
}
