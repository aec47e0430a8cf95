//! What stays of a run that did not come to its end, or not to a good one.
//!
//! Finished files stay where they are, to be gone on with. Where an older export was to be replaced, or might have been
//! (`--force`), the result goes to `<name>.failed`, if only to say why there is none.

use std::io;
use std::path::PathBuf;

use crate::output::{Claim, Folder, Manifest, Status, manifest};

use super::entries::manifest_of;
use super::error::ExportError;
use super::request::ExportRequest;
use super::resume;

/// Of a snapshot that could not be opened, so that its kind is not known.
const UNKNOWN: &str = "unknown";

/// The export ended, but not everything is finished. Returns its place.
///
/// # Errors
/// Where it cannot be moved to its place; then it is taken away.
pub(super) fn set_aside(folder: &Folder) -> Result<PathBuf, ExportError> {
    folder.set_aside().map_err(|error| {
        discard(folder);
        ExportError::Write(io::Error::other(error))
    })
}

/// The run ended with an error: what is finished stays, to be gone on with; a folder without a finished file goes.
pub(super) fn leave(
    request: &ExportRequest,
    folder: &Folder,
    first: Manifest,
    error: &ExportError,
) {
    let is_interrupted = matches!(error, ExportError::Interrupted);
    let files = resume::finished_files(folder.work());
    if files == 0 {
        discard(folder);
        if !is_interrupted {
            note(request, folder.claim(), first, error);
        }
        return;
    }
    if !is_interrupted && let Ok(mut manifest) = manifest::read(folder.work()) {
        manifest.error = Some(error.to_string());
        // On a full disk, say, the manifest that is there has to do.
        let _ = manifest::write(folder.work(), &manifest);
    }
    match folder.set_aside() {
        Ok(place) => tracing::warn!(
            "{} has {files} finished files; --resume with this folder goes on from there",
            place.display()
        ),
        Err(error) => tracing::warn!("cannot keep the finished files: {error}"),
    }
}

/// A complete export could not take its place: it can be gone on with where it is kept.
pub(super) fn reopen(folder: &Folder, first: &Manifest) {
    if folder.check_identity().is_err() {
        // What lies there now is not this run's.
        return;
    }
    let reopened = manifest::read(folder.work())
        .map_err(io::Error::other)
        .and_then(|mut manifest| {
            manifest.status = Status::Failed;
            manifest.finished_at = None;
            manifest.resume.clone_from(&first.resume);
            manifest::write(folder.work(), &manifest)
        })
        .and_then(|()| folder.set_aside().map_err(io::Error::other));
    match reopened {
        Ok(place) => tracing::warn!(
            "the export is in {}; --resume with this folder goes on from there",
            place.display()
        ),
        Err(error) => tracing::warn!("cannot keep the export: {error}"),
    }
}

/// The snapshot could not even be opened.
pub(super) fn note_unread(request: &ExportRequest, claim: &Claim, error: &ExportError) {
    if !matches!(error, ExportError::Interrupted) {
        let source = request.snapshot.shown();
        note(
            request,
            claim,
            manifest_of(request, UNKNOWN, &source),
            error,
        );
    }
}

/// Leaves a manifest that says why there is no export, if one may have been replaced.
fn note(request: &ExportRequest, claim: &Claim, first: Manifest, error: &ExportError) {
    if !request.force {
        return;
    }
    let manifest = Manifest {
        status: Status::Failed,
        error: Some(error.to_string()),
        resume: None,
        entities: Vec::new(),
        ..first
    };
    match claim.note_failure(&manifest) {
        Ok(place) => tracing::info!("{} says why it failed", place.display()),
        Err(error) => tracing::warn!("cannot write down why it failed: {error}"),
    }
}

fn discard(folder: &Folder) {
    if let Err(error) = folder.discard() {
        tracing::warn!("cannot clear {}: {error}", folder.work().display());
    }
}
