//! Why a snapshot could not be taken.

use std::io;

use crate::bucket::bucket_error;
use crate::failure::{Cause, Failure, Policy};
use crate::fault::Fault;
use crate::output::StoreError;
use crate::resolve::ResolveError;
use crate::snapshot::SnapshotError;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
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
    /// The files that were written cannot be read in order to be put elsewhere.
    #[error("cannot read what was taken: {0}\n  see that nobody changes it meanwhile")]
    Reread(io::Error),
    /// A call of a bucket failed, which says itself what is to be done.
    #[error("cannot put the snapshot into the bucket: {0}")]
    Bucket(io::Error),
    #[error(
        "{url} is not empty: {shown} is there\n  name an address below which nothing lies, or delete what is there"
    )]
    PrefixIsTaken { url: String, shown: String },
    #[error("cannot start a thread: {0}\n  raise the limit of processes (ulimit -u)")]
    Threads(io::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
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
            TakeError::Write(_)
            | TakeError::Temp(_)
            | TakeError::Reread(_)
            | TakeError::Threads(_) => Policy::EndRun(Cause::Machine),
            TakeError::Bucket(error) => match bucket_error(error) {
                Some(error) => error.policy(),
                None => Policy::EndRun(Cause::Machine),
            },
            TakeError::PrefixIsTaken { .. } => Policy::EndRun(Cause::Request),
            TakeError::Fault(_) => Policy::EndRun(Cause::Program),
            TakeError::Plan(_) => Policy::EndRun(Cause::Snapshot),
            TakeError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}
