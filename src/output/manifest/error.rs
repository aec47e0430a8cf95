//! Why a manifest cannot be read, and what to do then.

use super::VERSION;
use crate::bucket::{BucketError, bucket_error};
use crate::failure::{Cause, Failure, Policy};

impl ManifestError {
    /// True if the store failed: there may be a manifest all the same.
    pub fn is_of_store(&self) -> bool {
        match self {
            // What has the name but is no file was put there by somebody.
            ManifestError::Io { source, .. } => !matches!(
                source.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidInput
            ),
            ManifestError::Form { .. }
            | ManifestError::Version { .. }
            | ManifestError::Planned { .. } => false,
        }
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{}", unreadable(.path, .source))]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error(
        "cannot read {path}: it is no manifest of an export ({source})\n  if it was changed or cut off, export again into another folder"
    )]
    Form {
        path: String,
        source: serde_json::Error,
    },
    #[error(
        "cannot read {path}: it has manifest version {found}, but this program reads version {VERSION}\n  \
         use the program that wrote it"
    )]
    Version { path: String, found: u32 },
    #[error(
        "cannot read {path}: {plan} lies there that is not committed yet, so it is no export\n  \
         see what is missing with relexport plan status --plan {path}, and finish it with relexport commit"
    )]
    Planned {
        path: String,
        /// Itself, with how many tasks it has.
        plan: String,
    },
}

impl Failure for ManifestError {
    fn policy(&self) -> Policy {
        let of_bucket = match self {
            ManifestError::Io { source, .. } => bucket_error(source),
            ManifestError::Form { .. }
            | ManifestError::Version { .. }
            | ManifestError::Planned { .. } => None,
        };
        match of_bucket {
            Some(BucketError::NotFound { .. }) | None => Policy::EndRun(Cause::Snapshot),
            // Whoever wants a manifest looks at an export.
            Some(error) => error.of_reading(),
        }
    }
}

/// An error of a bucket says itself what to do.
fn unreadable(path: &str, source: &std::io::Error) -> String {
    match bucket_error(source) {
        Some(error) => format!("cannot read {path}: {error}"),
        None if path.contains("://") => format!(
            "cannot read {path}: no export is there, nor below\n  name the address that --out had, or that of one export"
        ),
        None => format!("cannot read {path}: {source}\n  is this the folder of an export?"),
    }
}
