//! Why a snapshot could not be taken.

use std::io;

use crate::failure::{Cause, Failure, Policy};
use crate::output::StoreError;
use crate::resolve::ResolveError;
use crate::snapshot::SnapshotError;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source cannot even be opened; the message names it.
    #[error(transparent)]
    Open(Box<SnapshotError>),
    /// The source cannot be read to its end.
    #[error("{from}: {source}")]
    Read {
        from: String,
        source: Box<ResolveError>,
    },
    #[error(
        "cannot write the snapshot: {0}\n  see that the folder stays and can be written, and that there is room"
    )]
    Write(io::Error),
    #[error("cannot use the temp folder: {0}\n  name another one with --temp-dir")]
    Temp(io::Error),
    #[error("{0}")]
    Plan(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure for TakeError {
    fn policy(&self) -> Policy {
        match self {
            TakeError::Store(error) => error.policy(),
            TakeError::Open(error) => error.policy(),
            TakeError::Read { source, .. } => source.policy(),
            TakeError::Write(_) | TakeError::Temp(_) => Policy::EndRun(Cause::Machine),
            TakeError::Plan(_) => Policy::EndRun(Cause::Snapshot),
            TakeError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}
