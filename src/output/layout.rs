//! Names of files: GitLab's offline-transfer layout, so that a bucket filled from the folder is what its
//! importer expects.

/// The file that describes the whole export.
pub const METADATA: &str = "metadata.json.gz";

/// The path of a relation's file below the output folder: `json` for a relation that is one object rather
/// than NDJSON, `batch` for one of its batches.
pub fn file(prefix: &str, relation: &str, json: bool, batch: Option<u32>) -> String {
    match batch {
        Some(number) => format!("{prefix}/{relation}/batch_{number}.ndjson.gz"),
        None if json => format!("{prefix}/{relation}.json.gz"),
        None => format!("{prefix}/{relation}.ndjson.gz"),
    }
}
