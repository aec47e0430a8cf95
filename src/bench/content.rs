//! What the files of an export hold, whatever their batches and compression: equal records have an equal checksum.

use std::io::{self, BufReader, Read};

use flate2::bufread::GzDecoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::output::{Contents, FileReader, Manifest};

/// The records of one relation of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RelationContent {
    /// The entity's folder in an export, such as `group_4351`.
    pub entity: String,
    pub relation: String,
    pub records: u64,
    /// Of NDJSON, before compression.
    pub bytes: u64,
    /// Of the content of all batches, joined and decompressed.
    pub sha256: String,
}

/// Reads all files of an export that its manifest names.
///
/// # Errors
/// Those of the store, and if a file is no gzip.
pub(crate) fn read(store: &dyn Contents, manifest: &Manifest) -> io::Result<Vec<RelationContent>> {
    let mut contents = Vec::new();
    let mut buffer = vec![0; 1 << 18];
    for entity in &manifest.entities {
        for relation in &entity.relations {
            let mut sha256 = Sha256::new();
            let mut bytes = 0;
            for file in relation.files() {
                let file = FileReader::new(store.read(&file.file)?);
                let mut content = GzDecoder::new(BufReader::new(file));
                loop {
                    let count = content.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    sha256.update(&buffer[..count]);
                    bytes += count as u64;
                }
            }
            contents.push(RelationContent {
                entity: entity.prefix.clone(),
                relation: relation.relation.clone(),
                records: relation.total_objects_count,
                bytes,
                sha256: hex::encode(&sha256.finalize()),
            });
        }
    }
    Ok(contents)
}

/// The first relation whose records two exports do not share.
pub(crate) fn first_difference<'a>(
    one: &'a [RelationContent],
    other: &'a [RelationContent],
) -> Option<&'a RelationContent> {
    let pairs = one.iter().zip(other);
    let differs = pairs
        .filter(|(one, other)| one != other)
        .map(|(one, _)| one);
    differs
        .chain(one.iter().skip(other.len()))
        .chain(other.iter().skip(one.len()))
        .next()
}
