//! Why a plan cannot be made, worked on or committed.

use std::io;

use crate::bucket::bucket_error;
use crate::export::ExportError;
use crate::failure::{Cause, Failure, Policy};
use crate::output::{ManifestError, StoreError};
use crate::take::TakeError;

/// Why a plan cannot be made, worked on or committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Take(#[from] TakeError),
    #[error(transparent)]
    Manifest(ManifestError),
    #[error("{0}")]
    Place(String),
    #[error(
        "no plan lies in {0}\n  name what --out of `relexport plan` was, or the file that its -o wrote"
    )]
    NoPlan(String),
    #[error("cannot read {path}: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("cannot read {path}: it is no plan ({source})\n  plan again, with another --out")]
    Form {
        path: String,
        source: serde_json::Error,
    },
    #[error(
        "cannot read {path}: it has plan version {found}, but this program reads version {known}\n  use the program that made it"
    )]
    Version {
        path: String,
        found: u32,
        known: u32,
    },
    /// Another program, snapshot or pipeline than the plan's.
    #[error("{0}")]
    Another(String),
    /// What was asked for cannot be cut, or not so.
    #[error("{0}")]
    Refused(String),
    #[error(
        "another plan lies in {0} already\n  commit it (`relexport commit`), name another --out, or remove it with its folder .relexport-plan"
    )]
    AnotherPlan(String),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
    /// Two attempts at a task came to something else.
    #[error(
        "two workers disagree on task {task}: {path} is not what this one made\n  \
         one of them read another snapshot or has a damaged machine: remove that file, and what it names, and make the task again"
    )]
    Disagree { task: u32, path: String },
    #[error("task {task} is not complete: {reason}")]
    Incomplete { task: u32, reason: String },
    #[error("interrupted: the task is begun anew by the next attempt")]
    Stopped,
    /// What tasks have made does not go together.
    #[error("cannot commit {place}: {problem}")]
    Inconsistent { place: String, problem: String },
}

impl PlanError {
    pub(super) fn unreadable(path: &str, source: io::Error) -> PlanError {
        PlanError::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn write(path: &str, source: io::Error) -> PlanError {
        PlanError::Write {
            path: path.to_owned(),
            source,
        }
    }

    /// True if the same attempt may go well later.
    pub(crate) fn may_pass(&self) -> bool {
        self.policy() == Policy::EndRun(Cause::TryAgain)
    }
}

impl Failure for PlanError {
    fn policy(&self) -> Policy {
        let of_io = |error: &io::Error, otherwise: Cause| match bucket_error(error) {
            Some(error) => error.policy(),
            None => Policy::EndRun(otherwise),
        };
        match self {
            PlanError::Export(error) => error.policy(),
            PlanError::Store(error) => error.policy(),
            PlanError::Take(error) => error.policy(),
            PlanError::Manifest(error) => error.policy(),
            PlanError::Place(_) | PlanError::Refused(_) | PlanError::AnotherPlan(_) => {
                Policy::EndRun(Cause::Request)
            }
            PlanError::NoPlan(_)
            | PlanError::Form { .. }
            | PlanError::Version { .. }
            | PlanError::Another(_) => Policy::EndRun(Cause::Snapshot),
            PlanError::Unreadable { source, .. } => of_io(source, Cause::Snapshot),
            PlanError::Write { source, .. } => of_io(source, Cause::Machine),
            PlanError::Disagree { .. }
            | PlanError::Incomplete { .. }
            | PlanError::Inconsistent { .. } => Policy::EndRun(Cause::Finding),
            PlanError::Stopped => Policy::EndRun(Cause::TryAgain),
        }
    }
}
