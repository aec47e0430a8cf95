//! What a taken snapshot says of itself, held against what lies in its folder.
//!
//! The schema is small, and every value is read by it, so its checksum is compared whenever the folder is opened. Of the
//! tables' files the sizes are; their checksums are for `relexport snapshot verify`, which reads them whole.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::files::ListedFile;
use super::read_file;
use crate::hex;
use crate::snapshot::codec::read_errors::damaged;
use crate::snapshot::described::{Described, DescribedSchema};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::Folder;

/// The part of `snapshot.json` that reading needs.
#[derive(Debug, Deserialize)]
pub(super) struct Stated {
    schema: DescribedSchema,
    #[serde(flatten)]
    pub(super) described: Described,
}

impl Stated {
    /// Reads it; `None` where the folder has none.
    ///
    /// # Errors
    /// It cannot be read, or is not what `relexport snapshot take` writes.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, SnapshotError> {
        let at = folder.file(Described::FILE_NAME);
        let found = folder.find(Described::FILE_NAME);
        if found.map_err(|error| at.failed(error))?.is_none() {
            return Ok(None);
        }
        let json = read_file(folder, Described::FILE_NAME)?;
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| SnapshotError::Unsupported {
                what: at.to_string(),
                reason: format!(
                    "it is not what `relexport snapshot take` writes ({error}); take the snapshot again"
                ),
            })
    }

    /// True for the file of a table.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.described.tables.iter().any(|table| table.file == name)
    }

    /// Makes sure that the schema's file, of these bytes, is the one that was written.
    pub(super) fn check_schema(&self, name: &str, bytes: &[u8]) -> Result<(), SnapshotError> {
        let file = Described::FILE_NAME;
        let reason = if name != self.schema.file {
            format!("{file} says that the schema is in {:?}", self.schema.file)
        } else if bytes.len() as u64 != self.schema.bytes {
            format!(
                "it has {} bytes, but {file} says {}: copy it again, or take the snapshot again",
                bytes.len(),
                self.schema.bytes
            )
        } else if hex::encode(&Sha256::digest(bytes)) != self.schema.sha256 {
            format!(
                "its SHA-256 is not the one in {file}, so it was changed after the snapshot was taken: \
                 copy it again, or take the snapshot again"
            )
        } else {
            return Ok(());
        };
        Err(damaged(place(name), reason))
    }

    /// Makes sure that the tables' files are there, with their sizes.
    pub(super) fn check_files(&self, files: &[ListedFile]) -> Result<(), SnapshotError> {
        let file = Described::FILE_NAME;
        for table in &self.described.tables {
            let found = files.iter().find(|found| found.name == table.file);
            let reason = match found {
                None => format!("it is missing, though {file} lists it"),
                Some(found) if found.size != table.bytes => {
                    format!(
                        "it has {} bytes, but {file} says {}",
                        found.size, table.bytes
                    )
                }
                Some(_) => continue,
            };
            return Err(damaged(place(&table.file), reason));
        }
        Ok(())
    }
}

fn place(name: &str) -> Position {
    Position {
        member: Some(name.to_owned()),
        ..Position::default()
    }
}
