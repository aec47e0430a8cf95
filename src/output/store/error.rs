//! Why a store cannot be used.

use std::io;
use std::path::Path;

use crate::bucket::BucketError;
use crate::failure::{Cause, Failure, Policy};

/// Why a place cannot be written to. Most of these are of folders.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{path} is there already\n  name another folder, or replace the {what} in it with --force"
    )]
    Exists { path: String, what: &'static str },
    #[error(
        "{path} holds something other than {one}, so --force does not replace it\n  name another folder"
    )]
    HoldsSomethingElse { path: String, one: &'static str },
    #[error(
        "{0} holds something other than a failed export, so what this run leaves cannot be put there\n  move it away"
    )]
    FailedIsTaken(String),
    #[error(
        "{path} is being written by another run{holder}\n  wait until it has ended, or name another folder"
    )]
    InUse {
        path: String,
        /// Who that is, behind a colon; empty if it does not say so.
        holder: String,
    },
    #[error("{0} is not removed: another export has taken its place since\n  look at it again")]
    Changed(String),
    #[error("{path} stays as it is: it holds {other}, which is not of an export\n  move that away")]
    HoldsForeign { path: String, other: String },
    #[error(
        "{0} holds a plan for another way of exporting\n  finish it with relexport commit --plan {0}, or remove it"
    )]
    HoldsAPlan(String),
    #[error("{path} holds {what}, so no plan can be put there\n  name another place with --out")]
    NoPlaceForAPlan { path: String, what: &'static str },
    #[error("{0} is a file\n  name a folder with --out")]
    IsAFile(String),
    #[error("{0} lies below a file\n  name another folder with --out")]
    BelowAFile(String),
    #[error(
        "{0} is a link to a folder that is not there\n  make that folder, or name another one with --out"
    )]
    LeadsNowhere(String),
    #[error(
        "{0} is a mount point, so no other folder can take its place when it is complete\n  \
         name a folder below it with --out"
    )]
    MountPoint(String),
    #[error(
        "{path} cannot be moved ({source}), so no other folder can take its place when it is complete\n  \
         name another folder with --out"
    )]
    Unmovable { path: String, source: io::Error },
    #[error(
        "cannot use the folder {path}: {source}\n  see that it can be written, or name another one"
    )]
    Io { path: String, source: io::Error },
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(
        "there is nothing to replace in {0}: exports in a bucket lie beside one another\n  leave --force out"
    )]
    NothingToReplace(String),
    #[error(
        "another run has finished the export in {0} while this one went on with it\n  look at it with verify; this run has \
         changed nothing that it says"
    )]
    FinishedByAnother(String),
}

impl StoreError {
    pub(in crate::output) fn io(path: &Path, source: io::Error) -> Self {
        StoreError::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

impl Failure for StoreError {
    fn policy(&self) -> Policy {
        match self {
            StoreError::Exists { .. } => Policy::BeginAnew,
            StoreError::InUse { .. }
            | StoreError::Changed(_)
            | StoreError::FinishedByAnother(_) => Policy::EndRun(Cause::AnotherRun),
            StoreError::Bucket(error) => error.policy(),
            StoreError::Io { .. } => Policy::EndRun(Cause::Machine),
            // The user named a place that can never be right, whatever the disk's state.
            StoreError::HoldsSomethingElse { .. }
            | StoreError::FailedIsTaken(_)
            | StoreError::HoldsForeign { .. }
            | StoreError::HoldsAPlan(_)
            | StoreError::NoPlaceForAPlan { .. }
            | StoreError::IsAFile(_)
            | StoreError::BelowAFile(_)
            | StoreError::LeadsNowhere(_)
            | StoreError::MountPoint(_)
            | StoreError::NothingToReplace(_)
            | StoreError::Unmovable { .. } => Policy::EndRun(Cause::Request),
        }
    }
}
