//! What the file that describes the whole export says, held against the manifest.

use std::io::{self, BufReader, Read};

use flate2::bufread::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::content::Seal;
use crate::output::manifest::Manifest;
use crate::output::metadata::entities_mapping;
use crate::output::store::{Contents, FileReader};

/// Bytes beside the map of entities.
const BESIDE: u64 = 64 << 10;
/// Letters that JSON may write for one.
const LETTERS: u64 = 6;

/// What is looked at of the metadata.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub instance_version: String,
    pub source_hostname: String,
    pub entities_mapping: Map<String, Value>,
}

impl Metadata {
    /// Reads the file, of at most so many bytes when it is inflated.
    ///
    /// # Errors
    /// If it cannot be read or decrypted, is larger, or is not what it should be.
    pub(super) fn read(
        store: &dyn Contents,
        name: &str,
        seal: Seal<'_>,
        limit: u64,
    ) -> io::Result<Metadata> {
        let file = BufReader::new(FileReader::new(store.read(name)?));
        match seal {
            Seal::None => Metadata::inflated(file, limit),
            Seal::Opened(identities) => {
                Metadata::inflated(BufReader::new(identities.open(file)?), limit)
            }
            Seal::Closed => Err(io::Error::other("it is encrypted")),
        }
    }

    fn inflated(file: impl io::BufRead, limit: u64) -> io::Result<Metadata> {
        let mut json = Vec::new();
        GzDecoder::new(file)
            .take(limit + 1)
            .read_to_end(&mut json)?;
        if json.len() as u64 > limit {
            let reason = format!("it is larger than it may be ({limit} bytes when it is inflated)");
            return Err(io::Error::other(reason));
        }
        Ok(serde_json::from_slice(&json)?)
    }
}

/// What is wrong with the map of entities: an importer would put rows where they do not belong, or miss them.
pub(super) fn wrong(store: &dyn Contents, manifest: &Manifest, seal: Seal<'_>) -> Vec<String> {
    let expected = entities_mapping(&manifest.entities);
    let size = |(path, prefix): (&String, &Value)| (path.len() + prefix.to_string().len()) as u64;
    let limit = LETTERS * expected.iter().map(size).sum::<u64>() + BESIDE;
    let found = match Metadata::read(store, manifest.metadata_name(), seal, limit) {
        Ok(metadata) => metadata.entities_mapping,
        Err(error) => return vec![format!("it cannot be held against the manifest: {error}")],
    };
    let mut messages = Vec::new();
    for (path, prefix) in &expected {
        match found.get(path) {
            Some(found) if found == prefix => {}
            Some(found) => messages.push(format!(
                "{path} is to lie in {found}, but the manifest says {prefix}"
            )),
            None => messages.push(format!("it does not say where {path} lies")),
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        messages.push(format!("it names {path}, which the manifest does not"));
    }
    messages
}
