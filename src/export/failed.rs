//! What stays of a run that did not come to its end, or not to a good one.
//!
//! Finished files stay where they are, to be gone on with. If an older export was to be replaced, or might have been
//! (`--force`), the result goes to `<name>.failed`, if only to say why there is none.

use std::io;

use crate::failure::Failure;
use crate::output::{Claim, Draft, Ledger, Manifest};

use super::entries::manifest_of;
use super::error::ExportError;
use super::request::ExportRequest;
use super::resume;

/// Of a snapshot that could not be opened, so that its kind is not known.
const UNKNOWN: &str = "unknown";

/// The export ended, but not everything is finished. Returns what messages call its place.
///
/// # Errors
/// If it cannot be moved to its place; then it is taken away.
pub(super) fn set_aside(draft: &dyn Draft) -> Result<String, ExportError> {
    draft.set_aside().map_err(|error| {
        discard(draft);
        ExportError::Write(io::Error::other(error))
    })
}

/// The run ended with an error: what is finished stays, to be gone on with; a place without a finished file is cleared.
pub(super) fn leave(draft: &dyn Draft, first: Manifest, is_forced: bool, error: &ExportError) {
    let is_interrupted = error.policy().is_interruption();
    let files = match resume::finished_files(draft) {
        Ok(0) => {
            discard(draft);
            if !is_interrupted {
                note(draft.claim(), first, is_forced, error);
            }
            return;
        }
        Ok(files) => format!("{files} finished files"),
        Err(error) => {
            tracing::warn!("cannot tell which files are finished, so all stay: {error}");
            "files that may be finished".to_owned()
        }
    };
    if !is_interrupted && let Ok(manifest) = draft.manifest() {
        let mut ledger = Ledger::new(manifest);
        ledger.condemn(error.to_string());
        // On a full disk, say, the manifest that is there has to do.
        let _ = draft.put_manifest(ledger.manifest());
    }
    match draft.set_aside() {
        Ok(place) => {
            tracing::warn!("{place} has {files}; --resume with this folder goes on from there")
        }
        Err(error) => tracing::warn!("cannot keep the finished files: {error}"),
    }
}

/// A complete export could not take its place: it can be gone on with where it is kept.
pub(super) fn reopen(draft: &dyn Draft, first: &Manifest) {
    if draft.check().is_err() {
        // What lies there now is not this run's.
        return;
    }
    let reopened = draft
        .manifest()
        .map_err(io::Error::other)
        .and_then(|manifest| {
            let mut ledger = Ledger::new(manifest);
            ledger.reopen(first.resume.clone());
            draft.put_manifest(ledger.manifest())
        })
        .and_then(|()| draft.set_aside().map_err(io::Error::other));
    match reopened {
        Ok(place) => {
            tracing::warn!("the export is in {place}; --resume with this folder goes on from there")
        }
        Err(error) => tracing::warn!("cannot keep the export: {error}"),
    }
}

/// The snapshot could not even be opened.
pub(super) fn note_unread(
    request: &ExportRequest,
    claim: &dyn Claim,
    is_forced: bool,
    error: &ExportError,
) {
    if !error.policy().is_interruption() {
        let source = request.snapshot.shown();
        let first = manifest_of(request, UNKNOWN, &source);
        note(claim, first, is_forced, error);
    }
}

/// Leaves a manifest that says why there is no export, if one may have been replaced.
fn note(claim: &dyn Claim, first: Manifest, is_forced: bool, error: &ExportError) {
    if !is_forced {
        return;
    }
    let mut ledger = Ledger::new(first);
    ledger.come_to_nothing(error.to_string());
    match claim.note_failure(ledger.manifest()) {
        Ok(place) => tracing::info!("{place} says why it failed"),
        Err(error) => tracing::warn!("cannot write down why it failed: {error}"),
    }
}

fn discard(draft: &dyn Draft) {
    if let Err(error) = draft.discard() {
        tracing::warn!("cannot clear {}: {error}", draft.shown(""));
    }
}
