//! The data folder: its layout, and what is found in it when the server starts.
//!
//! ```text
//! DATA/lock                            held by the server that uses the folder
//! DATA/<fingerprint>/directory.ndjson  the groups of the snapshot
//! DATA/<fingerprint>/ghosts.json       its users that stand for deleted ones
//! DATA/<fingerprint>/files.index       where the files of the backup are in it
//! DATA/<fingerprint>/repositories/     those that were fetched by git, unpacked
//! DATA/<fingerprint>/exports/<n>/      a run: request.json, and in files/ the engine's output folder
//! ```
//!
//! Exports of another snapshot, pipeline or edition lie in a folder of their own and are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::api::entity::EntityRef;
use crate::failure::{Cause, Failure, Policy};
use crate::output::atomic::{replace, sync_folder};
use crate::output::{Lock, LockError};

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataFolderError {
    #[error(
        "the data folder {path} is in use by another server{holder}\n  name another one with --data"
    )]
    InUse {
        path: String,
        /// Who that is, behind a colon; empty where it does not say so.
        holder: String,
    },
    #[error("cannot use the data folder {path}: {source}\n  name another one with --data")]
    Io { path: String, source: io::Error },
}

impl Failure for DataFolderError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            DataFolderError::InUse { .. } => Cause::AnotherRun,
            DataFolderError::Io { .. } => Cause::Machine,
        })
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RequestFile")]
pub(crate) struct RunRequest {
    /// When it was asked for, by entity.
    pub entities: BTreeMap<EntityRef, String>,
    /// Those of them that nobody asked for: they are exported because others of their family are.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub prefetched: BTreeSet<EntityRef>,
    pub batched: bool,
    pub batch_size: u32,
    /// How often the run was begun.
    #[serde(default)]
    pub attempts: u32,
    /// Why it came to nothing, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RunRequest {
    /// Entities of another request more, as that says.
    pub(crate) fn join(&mut self, added: &RunRequest) {
        for (entity, at) in &added.entities {
            self.prefetched.remove(entity);
            self.entities.insert(*entity, at.clone());
        }
        self.prefetched.extend(&added.prefetched);
    }

    /// Takes entities out.
    pub(crate) fn leave_out(&mut self, entities: &[EntityRef]) {
        for entity in entities {
            self.entities.remove(entity);
            self.prefetched.remove(entity);
        }
    }
}

/// A request as it may lie on disk.
#[derive(Deserialize)]
struct RequestFile {
    #[serde(default)]
    entities: BTreeMap<EntityRef, String>,
    #[serde(default)]
    prefetched: BTreeSet<EntityRef>,
    /// Of releases that knew no other entities: groups by their numbers.
    #[serde(default)]
    groups: BTreeMap<i64, String>,
    batched: bool,
    batch_size: u32,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    error: Option<String>,
}

impl From<RequestFile> for RunRequest {
    fn from(file: RequestFile) -> RunRequest {
        let groups = file.groups.into_iter();
        let mut entities: BTreeMap<EntityRef, String> =
            groups.map(|(id, at)| (EntityRef::group(id), at)).collect();
        entities.extend(file.entities);
        RunRequest {
            entities,
            prefetched: file.prefetched,
            batched: file.batched,
            batch_size: file.batch_size,
            attempts: file.attempts,
            error: file.error,
        }
    }
}

/// The part of the data folder that belongs to what is served.
pub(crate) struct SnapshotFolder {
    root: PathBuf,
    _data: DataFolder,
}

/// The data folder, held as long as the server runs.
pub(crate) struct DataFolder {
    path: PathBuf,
    /// `None` on a file system without locks.
    _lock: Option<Lock>,
}

impl DataFolder {
    /// Takes the data folder, before anything else is read or made.
    ///
    /// # Errors
    /// Where another server uses it, and those of the file system.
    pub(crate) fn take(path: &Path) -> Result<DataFolder, DataFolderError> {
        let io = |source| DataFolderError::Io {
            path: path.display().to_string(),
            source,
        };
        fs::create_dir_all(path).map_err(io)?;
        // Programs that are started in folders of it are told where it is.
        let path = &path.canonicalize().map_err(io)?;
        let lock = Lock::take_lasting(&path.join("lock")).map_err(|error| match error {
            LockError::Held(holder) => DataFolderError::InUse {
                path: path.display().to_string(),
                holder: holder
                    .map(|holder| format!(": {holder}"))
                    .unwrap_or_default(),
            },
            LockError::Io(source) => io(source),
        })?;
        Ok(DataFolder {
            path: path.to_owned(),
            _lock: lock,
        })
    }
}

impl SnapshotFolder {
    /// Makes what is missing in the data folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(
        data: DataFolder,
        fingerprint: &str,
    ) -> Result<SnapshotFolder, DataFolderError> {
        let root = data.path.join(fingerprint);
        fs::create_dir_all(root.join("exports")).map_err(|source| DataFolderError::Io {
            path: data.path.display().to_string(),
            source,
        })?;
        Ok(SnapshotFolder { root, _data: data })
    }

    /// The file with the groups of the snapshot.
    pub(crate) fn directory(&self) -> PathBuf {
        self.root.join("directory.ndjson")
    }

    /// The file with the users that stand for deleted ones.
    pub(crate) fn ghosts(&self) -> PathBuf {
        self.root.join("ghosts.json")
    }

    /// The folder of repositories that were unpacked.
    pub(crate) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    /// Where the files of the backup are in it.
    pub(crate) fn file_index(&self) -> PathBuf {
        self.root.join("files.index")
    }

    fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// The folder of a run.
    pub(crate) fn run(&self, number: u64) -> PathBuf {
        self.exports().join(number.to_string())
    }

    /// The runs that an earlier server left, in order of their numbers, and the last number that is taken. Folders without a
    /// request, which a crash leaves when a run is being made, are taken away; one whose request cannot be read is left alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn runs(&self) -> io::Result<(Vec<(u64, RunRequest)>, u64)> {
        let mut runs = Vec::new();
        let mut last = 0;
        for entry in fs::read_dir(self.exports())? {
            let entry = entry?;
            let Some(number) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let request = fs::read(request_file(&entry.path()))
                .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
            match request {
                Ok(request) => runs.push((number, request)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!("export {number} has no request, so it is taken away");
                    gone(fs::remove_dir_all(entry.path()))?;
                    continue;
                }
                // It may be a whole export of another version.
                Err(error) => tracing::warn!(
                    "cannot read the request of export {number}, so it is not served: {error}\n  delete {} if nobody needs it",
                    entry.path().display()
                ),
            }
            last = last.max(number);
        }
        runs.sort_by_key(|(number, _)| *number);
        Ok((runs, last))
    }

    /// Writes a run's request; its folder is made where it is missing, and so is the one above, which somebody may have removed
    /// while the server runs.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(&self, number: u64, request: &RunRequest) -> io::Result<()> {
        let folder = self.run(number);
        if !folder.exists() {
            let is_first = !self.exports().exists();
            fs::create_dir_all(&folder)?;
            sync_folder(&self.exports())?;
            if is_first {
                sync_folder(&self.root)?;
            }
        }
        let mut json = serde_json::to_vec(request)?;
        json.push(b'\n');
        replace(&request_file(&folder), &json)
    }
}

/// Takes a run's folder out of those that a server would find, and leaves the folder to whoever takes it away.
///
/// # Errors
/// Those of the file system.
pub(crate) fn forget(folder: &Path) -> io::Result<()> {
    gone(fs::remove_file(request_file(folder)))
}

/// What somebody else removed first is removed.
pub(crate) fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn request_file(folder: &Path) -> PathBuf {
    folder.join("request.json")
}

/// The output folder of a run's folder.
pub(crate) fn files(folder: &Path) -> PathBuf {
    folder.join("files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_request_cannot_be_read_is_left_alone_and_its_number_is_taken() {
        let data = tempfile::tempdir().unwrap();
        let folder = DataFolder::take(data.path()).unwrap();
        let snapshot = SnapshotFolder::open(folder, "f").unwrap();
        let good =
            r#"{"groups": {"7": "2026-01-01T00:00:00.000Z"}, "batched": false, "batch_size": 9}"#;
        for (number, request) in [(2, Some(good)), (3, Some("{")), (4, None)] {
            fs::create_dir(snapshot.run(number)).unwrap();
            if let Some(request) = request {
                fs::write(request_file(&snapshot.run(number)), request).unwrap();
            }
        }
        let (runs, last) = snapshot.runs().unwrap();
        assert_eq!((runs.len(), runs[0].0, last), (1, 2, 3));
        assert_eq!(runs[0].1.batch_size, 9);
        // The request is one of an earlier release.
        let entities: Vec<_> = runs[0].1.entities.keys().copied().collect();
        assert_eq!(entities, [EntityRef::group(7)]);
        assert!(snapshot.run(3).exists() && !snapshot.run(4).exists());
    }
}
