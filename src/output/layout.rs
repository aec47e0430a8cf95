//! Names of files: GitLab's offline-transfer layout, so that a bucket filled from the folder is what its
//! importer expects.

use std::path::{Component, Path};

use super::batch_number::BatchNumber;

/// The file that describes the whole export.
pub const METADATA: &str = "metadata.json.gz";

/// The path of a relation's file below the output folder: `json` for a relation that is one object rather
/// than NDJSON, `batch` for one of its batches.
pub fn file(prefix: &str, relation: &str, json: bool, batch: Option<BatchNumber>) -> String {
    match batch {
        Some(number) => format!("{prefix}/{relation}/batch_{number}.ndjson.gz"),
        None if json => format!("{prefix}/{relation}.json.gz"),
        None => format!("{prefix}/{relation}.ndjson.gz"),
    }
}

/// True for what can be the name of a file or folder, and nothing else.
pub fn is_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let first = components.next();
    first == Some(Component::Normal(name.as_ref())) && components.next().is_none()
}
