//! Why there is no export.

use std::io;

use crate::bucket::bucket_error;
use crate::failure::{Cause, Failure, Policy};
use crate::fault::Fault;
use crate::output::StoreError;
use crate::resolve::{EntityError, ResolveError};
use crate::snapshot::{SnapshotError, Spec};

use super::batches::BatchError;
use super::request::ExportRequest;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot cannot even be opened; the message names it.
    #[error(transparent)]
    Open(Box<SnapshotError>),
    #[error("{}: {source}", .snapshot)]
    Resolve {
        snapshot: String,
        source: Box<ResolveError>,
    },
    #[error("{}", unwritten(.0))]
    Write(io::Error),
    #[error("cannot use the temp folder: {0}\n  name another one with --temp-dir")]
    Temp(io::Error),
    #[error("{0}")]
    Plan(String),
    /// The redaction file is not for this snapshot.
    #[error("{0}")]
    Redaction(String),
    /// What is in the output folder is not the beginning of the export that was asked for.
    #[error("cannot go on with the export in {path}: {reason}")]
    Resume { path: String, reason: String },
    #[error("the export is not complete: {0}")]
    Fault(#[from] Fault),
    #[error("interrupted")]
    Interrupted,
}

impl Failure for ExportError {
    fn policy(&self) -> Policy {
        match self {
            ExportError::Store(error) => error.policy(),
            ExportError::Open(error) => error.policy(),
            ExportError::Resolve { source, .. } => source.policy(),
            ExportError::Resume { .. } => Policy::BeginAnew,
            ExportError::Redaction(_) => Policy::EndRun(Cause::Request),
            ExportError::Write(error) => match bucket_error(error) {
                Some(error) => error.policy(),
                None => Policy::EndRun(Cause::Machine),
            },
            ExportError::Temp(_) => Policy::EndRun(Cause::Machine),
            ExportError::Plan(_) => Policy::EndRun(Cause::Snapshot),
            ExportError::Fault(_) => Policy::EndRun(Cause::Program),
            ExportError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}

/// An error of a bucket says itself what to do.
fn unwritten(error: &io::Error) -> String {
    match bucket_error(error) {
        Some(error) => format!(
            "cannot write the export: {error}\n  --resume goes on with files that are finished"
        ),
        None => format!(
            "cannot write the export: {error}\n  see that the folder stays and can be written, and that there is room; \
             --resume goes on with files that are finished"
        ),
    }
}

pub(super) fn batch_error(snapshot: &Spec) -> impl FnOnce(BatchError) -> ExportError {
    move |error| match error {
        BatchError::Write(source) => ExportError::Write(source),
        BatchError::Temp(source) => ExportError::Temp(source),
        BatchError::Interrupted => ExportError::Interrupted,
        BatchError::Plan(reason) | BatchError::Changed(reason) => ExportError::Plan(reason),
        BatchError::Files(source) => ExportError::Open(source),
        BatchError::Resolve(source) => resolve_error(snapshot)(source),
    }
}

/// An error that tells no names of entities where they are redacted: it is written into manifests and histories, and
/// given to hooks.
pub(super) fn without_names(request: &ExportRequest, error: ExportError) -> ExportError {
    let Some(redaction) = &request.redaction else {
        return error;
    };
    let ExportError::Resolve { snapshot, source } = error else {
        return error;
    };
    let source = match *source {
        ResolveError::Entity(EntityError::NoFamily { .. } | EntityError::Hidden { .. }) => source,
        ResolveError::Entity(_) => {
            let mut entities = request.kinds.iter().map(|kind| &kind.pipeline.entity);
            match entities.find(|entity| redaction.hides_names_of(entity)) {
                Some(entity) => {
                    let kind = entity.kind.clone();
                    Box::new(ResolveError::Entity(EntityError::Hidden { kind }))
                }
                None => source,
            }
        }
        _ => source,
    };
    ExportError::Resolve { snapshot, source }
}

pub(super) fn resolve_error(snapshot: &Spec) -> impl FnOnce(ResolveError) -> ExportError {
    move |source| match source {
        ResolveError::Interrupted => ExportError::Interrupted,
        ResolveError::Temp(source) => ExportError::Temp(source),
        ResolveError::Denied(reason) => ExportError::Redaction(reason),
        source => ExportError::Resolve {
            snapshot: snapshot.shown(),
            source: Box::new(source),
        },
    }
}
