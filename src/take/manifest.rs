//! `snapshot.json`: what a taken snapshot is and holds.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Cause, Failure, Policy};
use crate::output::atomic;
use crate::snapshot::{Described, DescribedSchema, Snapshot};

/// The version of this file's form.
pub(crate) const VERSION: u32 = 1;

/// Name of the file with the tables' definitions.
pub(super) const SCHEMA: &str = "schema.sql";

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub snapshot_version: u32,
    pub generator: String,
    /// When it was complete.
    pub made_at: String,
    pub from: SourceEntry,
    pub schema: DescribedSchema,
    #[serde(flatten)]
    pub described: Described,
}

/// What it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    pub kind: String,
    /// As the manifest of an export names it; never with a password.
    pub source: String,
}

impl SourceEntry {
    pub(super) fn of(source: &Snapshot) -> SourceEntry {
        SourceEntry {
            kind: source.kind.name().to_owned(),
            source: source.source.clone(),
        }
    }
}

/// Why it cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("cannot read {path}: {source}\n  is this a folder of `relexport snapshot take`?")]
    Io { path: String, source: io::Error },
    #[error(
        "cannot read {path}: it does not describe a snapshot ({source})\n  if it was changed or cut off, take the snapshot again"
    )]
    Form {
        path: String,
        source: serde_json::Error,
    },
    #[error(
        "cannot read {path}: it has snapshot version {found}, but this program reads version {VERSION}\n  \
         use the program that wrote it"
    )]
    Version { path: String, found: u32 },
}

impl Failure for ManifestError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Snapshot)
    }
}

/// What `snapshot.json` of any version has.
#[derive(Deserialize)]
struct Head {
    snapshot_version: u32,
}

/// Reads the description of a taken snapshot.
///
/// # Errors
/// Where the file is missing, is something else, or has another version.
pub(crate) fn read(folder: &Path) -> Result<Taken, ManifestError> {
    let path = folder.join(Described::FILE_NAME);
    let shown = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|source| ManifestError::Io {
        path: shown.clone(),
        source,
    })?;
    // Another version may have another form, too.
    if let Ok(Head { snapshot_version }) = serde_json::from_slice(&bytes)
        && snapshot_version != VERSION
    {
        return Err(ManifestError::Version {
            path: shown,
            found: snapshot_version,
        });
    }
    serde_json::from_slice(&bytes).map_err(|source| ManifestError::Form {
        path: shown,
        source,
    })
}

/// Writes it, which says that everything else is there.
pub(super) fn write(folder: &Path, taken: &Taken) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(taken)?;
    json.push(b'\n');
    atomic::replace(&folder.join(Described::FILE_NAME), &json)
}
