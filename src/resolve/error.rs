//! Why rows could not be found.

use std::io;

use crate::failure::{Cause, Failure, Policy};
use crate::pipeline::EntityId;
use crate::snapshot::SnapshotError;
use crate::snapshot::drive::Stopped;
use crate::visible::visible;

use super::entities::EntityError;
use super::plan::{KindId, PlanError};

/// Why resolving ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    #[error(transparent)]
    Snapshot(Box<SnapshotError>),
    #[error(transparent)]
    Entity(#[from] EntityError),
    /// The pipeline cannot be laid over the snapshot's catalog.
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the snapshot holds no table at all")]
    NoTables,
    /// Rows that have to be all of them are not.
    #[error("{0}")]
    Incomplete(String),
    /// A server does not give rows without which nothing can be done; in its words.
    #[error("{reason}")]
    Refused {
        reason: String,
        /// It may give them later: somebody had locked them, say.
        may_pass: bool,
    },
    /// A reader gave rows of a table whose data had not begun.
    #[error("rows of table {table} came before their head")]
    Unannounced { table: String },
    /// Something that the parts of this program promise each other does not hold.
    #[error("{0}")]
    Broken(&'static str),
    /// Under `strict`.
    #[error(
        "the snapshot lacks what the pipeline names, and --strict allows none of it:\n  {0}\n  mend the names, or mark columns that may be missing with ?"
    )]
    Strict(String),
    /// Whoever asked does not want rows by this plan, for this reason.
    #[error("{0}")]
    Denied(String),
    #[error("cannot use the temp folder: {0}\n  name another one with --temp-dir")]
    Temp(#[from] io::Error),
    #[error(
        "table {table} stands in two places of the snapshot, with tables between that depend on it, so it must be read twice\n  save the snapshot to a file, and name that"
    )]
    Reappeared { table: String },
    /// Names that were taken for keys are paths; these are their keys.
    #[error("a name turned out to be a path when rows had been looked for by it as an id\n  name it by its id: {}", list(.ids))]
    FoundByPath { kind: KindId, ids: Vec<EntityId> },
    /// The snapshot holds rows of other entities only.
    #[error(
        "{kind} {wanted} is not among those whose rows the snapshot was taken with\n  take one with it, or with whole tables"
    )]
    Limited { kind: String, wanted: String },
    /// A taken snapshot lacks what this pipeline needs.
    #[error(
        "the snapshot was taken for another pipeline ({pipeline}), and {lacks}\n  take one with what this run names: `snapshot take` has --pipeline, --group, --project and --with-projects, too"
    )]
    NotTaken { pipeline: String, lacks: String },
    #[error("interrupted")]
    Interrupted,
}

impl Failure for ResolveError {
    fn policy(&self) -> Policy {
        match self {
            ResolveError::Snapshot(error) => error.policy(),
            // `Reading::again` knows the other way.
            ResolveError::Reappeared { .. } | ResolveError::FoundByPath { .. } => Policy::ReadAgain,
            ResolveError::Temp(_) => Policy::EndRun(Cause::Machine),
            ResolveError::Denied(_) => Policy::EndRun(Cause::Request),
            ResolveError::Interrupted => Policy::EndRun(Cause::Interruption),
            ResolveError::Refused { may_pass: true, .. } => Policy::EndRun(Cause::TryAgain),
            ResolveError::Entity(_)
            | ResolveError::Plan(_)
            | ResolveError::NoTables
            | ResolveError::Incomplete(_)
            | ResolveError::Refused { .. }
            | ResolveError::Unannounced { .. }
            | ResolveError::Broken(_)
            | ResolveError::Strict(_)
            | ResolveError::Limited { .. }
            | ResolveError::NotTaken { .. } => Policy::EndRun(Cause::Snapshot),
        }
    }
}

impl From<Stopped<ResolveError>> for ResolveError {
    fn from(stopped: Stopped<ResolveError>) -> Self {
        match stopped {
            Stopped::Interrupted => ResolveError::Interrupted,
            Stopped::Threads(error) => (*error).into(),
            Stopped::Taker(error) => error,
        }
    }
}

impl From<SnapshotError> for ResolveError {
    fn from(error: SnapshotError) -> Self {
        ResolveError::Snapshot(Box::new(error))
    }
}

fn list(ids: &[EntityId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| visible(&id.to_string())).collect();
    ids.join(", ")
}
