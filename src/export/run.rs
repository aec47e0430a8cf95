//! A whole export: from a snapshot's name to a complete folder.

use crate::fault::caught;
use crate::output::{Claim, EntityEntry, Folder, Holding, Manifest, Message, Status, Writer};
use crate::resolve::Outcome;
use crate::snapshot::Snapshot;
use crate::timings::{Phase, Timings};

use super::batches::{BatchError, Batches};
use super::entries::{first_manifest, known};
use super::error::{ExportError, batch_error};
use super::failed;
use super::find::{find_rows, open};
use super::observer::{ExportObserver, Relay, expected};
use super::report::ExportReport;
use super::request::ExportRequest;
use super::resume;
use super::warnings::late_warnings;

/// Runs an export.
///
/// The folder is made before anything is read and holds a manifest from then on. Where nothing can be exported it
/// is taken away again; where some relation fails, or the run ends when some files are finished, it stays and says so.
///
/// # Errors
/// Where there is no export at all: the snapshot or the entity cannot be read, or the folder cannot be written.
pub fn run(
    request: &ExportRequest,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Resolve);
    // A place that can never be right, or is another run's, is told before anything is read.
    let place = claim(request)?;
    match open(request) {
        Ok(snapshot) => run_in_folder(request, snapshot, place, observer),
        Err(error) => {
            failed::note_unread(request, &place.claim, &error);
            Err(error)
        }
    }
}

/// Runs an export from a snapshot that is open already; the request's own name of one serves for messages.
///
/// # Errors
/// As [`run()`].
pub fn run_from(
    request: &ExportRequest,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let place = claim(request)?;
    run_in_folder(request, snapshot, place, observer)
}

/// Where an export is written, held for this run.
struct Place {
    claim: Claim,
    /// What is there already, to be gone on with.
    unfinished: Option<Manifest>,
}

/// Claims the folder; only then it is looked at.
fn claim(request: &ExportRequest) -> Result<Place, ExportError> {
    let claim = Claim::take(&request.out)?;
    let unfinished = match request.resume {
        true => resume::unfinished(request)?,
        false => None,
    };
    if unfinished.is_none() {
        claim.check(request.force, Holding::EXPORT)?;
    }
    Ok(Place { claim, unfinished })
}

fn run_in_folder(
    request: &ExportRequest,
    snapshot: Snapshot,
    place: Place,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let mut first = first_manifest(request, &snapshot);
    let folder = match place.unfinished {
        Some(earlier) => {
            let folder = place.claim.go_on()?;
            first = resume::go_on(folder.work(), earlier, first)?;
            folder
        }
        None => place.claim.create(request.force)?,
    };
    // An interrupted run does not wait for queries that still have the snapshot.
    let ending = snapshot.ending();
    // A fault leaves what a full disk leaves: a folder to be gone on with.
    let exported = caught(|| run_in(request, snapshot, &folder, first.clone(), observer))
        .unwrap_or_else(|fault| Err(fault.into()));
    drop(ending);
    match exported {
        Ok((manifest, left_out)) => {
            let complete = manifest.status == Status::Finished;
            let older_stays = !complete && folder.replaces();
            let place = match complete {
                true => {
                    let place = folder.commit();
                    let place = place.inspect_err(|_| failed::reopen(&folder, &first))?;
                    folder.clear_failed();
                    place
                }
                false => failed::set_aside(&folder)?,
            };
            Ok(ExportReport {
                manifest,
                place,
                older_stays,
                left_out,
            })
        }
        Err(error) => {
            failed::leave(request, &folder, first, &error);
            Err(error)
        }
    }
}

type Exported = (Manifest, Vec<(String, String)>);

fn run_in(
    request: &ExportRequest,
    snapshot: Snapshot,
    folder: &Folder,
    first: Manifest,
    observer: &mut dyn ExportObserver,
) -> Result<Exported, ExportError> {
    let earlier = first.entities.clone();
    let writer = Writer::start(folder.work(), first).map_err(ExportError::Write)?;
    let outcome = match find_rows(request, snapshot, observer) {
        Ok(outcome) => outcome,
        Err(error) => {
            // Its manifest goes away with the folder.
            writer.abandon();
            return Err(error);
        }
    };
    let manifest = write_rows(request, folder, writer, &outcome, earlier, observer)?;
    Ok((manifest, outcome.resolved.plan.left_out.clone()))
}

/// Writes the rows that were found into a folder, but for what an `earlier` run finished there. Returns the manifest as it was written.
pub(super) fn write_rows(
    request: &ExportRequest,
    folder: &Folder,
    mut writer: Writer,
    outcome: &Outcome,
    earlier: Vec<EntityEntry>,
    observer: &mut dyn ExportObserver,
) -> Result<Manifest, ExportError> {
    let mut known = known(request, folder, outcome);
    let finished = resume::merge(&outcome.resolved.plan, &mut known.entities, earlier);
    for warning in late_warnings(request, outcome) {
        tracing::warn!("{warning}");
    }
    if let Some(error) = &known.error {
        tracing::error!("{error}");
    }
    let resolved = &outcome.resolved;
    observer.writing(expected(resolved));
    let written = writer
        .send(Message::Known(Box::new(known)))
        .map_err(BatchError::Write)
        .and_then(|()| {
            let interrupted = &request.interrupted;
            let mut relay = Relay(observer);
            Batches::new(
                resolved,
                &request.options,
                &request.pool,
                &mut writer,
                &mut relay,
                interrupted,
            )?
            .keeping(finished)
            .run()
        });
    match written {
        Ok(()) => writer.finish().map_err(ExportError::Write),
        Err(error) => {
            // The first error is the one to tell.
            writer.abandon();
            Err(batch_error(&request.snapshot)(error))
        }
    }
}
