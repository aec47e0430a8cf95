//! What the files of an export hold, whatever their batches and compression: equal records have an equal checksum.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::output::{Contents, FileReader, Manifest};
use crate::pipeline::{Pipeline, Source};
use crate::resolve::KindChoice;

/// The records of one relation of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RelationContent {
    /// The entity's folder in an export, such as `group_4351`.
    pub entity: String,
    pub relation: String,
    pub records: u64,
    /// Of NDJSON, before compression.
    pub bytes: u64,
    /// Of the content of all batches, joined and decompressed. Of a relation with an order, which holds inside each batch,
    /// the sum of its lines' checksums, so that it does not depend on the batches.
    pub sha256: String,
}

/// Reads all files of an export that its manifest names.
///
/// # Errors
/// Those of the store, and if a file is no gzip.
pub(crate) fn read(
    store: &dyn Contents,
    manifest: &Manifest,
    kinds: &[KindChoice],
) -> io::Result<Vec<RelationContent>> {
    let mut contents = Vec::new();
    for entity in &manifest.entities {
        let mut of_kinds = kinds.iter();
        let kind = of_kinds.find(|kind| kind.pipeline.entity.kind == entity.kind);
        // A bench is about records; relations of files have none.
        let relations = entity.relations.iter();
        for relation in relations.filter(|relation| relation.files().next().is_some()) {
            let mut checksum =
                match kind.is_some_and(|kind| has_order(&kind.pipeline, &relation.relation)) {
                    true => Checksum::OfLines([0; 4]),
                    false => Checksum::OfAll(Sha256::new()),
                };
            let mut bytes = 0;
            for file in relation.files() {
                let file = FileReader::new(store.read(&file.file)?);
                bytes += checksum.add(GzDecoder::new(BufReader::new(file)))?;
            }
            contents.push(RelationContent {
                entity: entity.prefix.clone(),
                relation: relation.relation.clone(),
                records: relation.total_objects_count,
                bytes,
                sha256: checksum.finish(),
            });
        }
    }
    Ok(contents)
}

/// True if a relation's records are sorted by more than their keys, by which batches are cut.
fn has_order(pipeline: &Pipeline, name: &str) -> bool {
    let mut relations = pipeline.relations.iter();
    let relation = relations.find(|relation| relation.name == name);
    relation.is_some_and(|relation| match &relation.source {
        Source::Rows(node) => !node.order.is_empty(),
        Source::Collected(_) | Source::Maxima(_) => false,
    })
}

enum Checksum {
    OfAll(Sha256),
    /// The sum of four parts of each line's.
    OfLines([u64; 4]),
}

impl Checksum {
    /// Adds the content of a file; returns how many bytes it has.
    fn add(&mut self, content: impl Read) -> io::Result<u64> {
        let mut content = BufReader::with_capacity(1 << 18, content);
        let mut bytes = 0;
        match self {
            Checksum::OfAll(sha256) => loop {
                let buffer = content.fill_buf()?;
                let count = buffer.len();
                if count == 0 {
                    return Ok(bytes);
                }
                sha256.update(buffer);
                content.consume(count);
                bytes += count as u64;
            },
            Checksum::OfLines(sum) => {
                let mut line = Vec::new();
                loop {
                    line.clear();
                    let count = content.read_until(b'\n', &mut line)?;
                    if count == 0 {
                        return Ok(bytes);
                    }
                    let digest = Sha256::digest(&line);
                    for (sum, part) in sum.iter_mut().zip(digest.as_chunks::<8>().0) {
                        *sum = sum.wrapping_add(u64::from_be_bytes(*part));
                    }
                    bytes += count as u64;
                }
            }
        }
    }

    fn finish(self) -> String {
        match self {
            Checksum::OfAll(sha256) => hex::encode(&sha256.finalize()),
            Checksum::OfLines(sum) => hex::encode(&sum.map(u64::to_be_bytes).concat()),
        }
    }
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
