//! A whole export: from a snapshot's name to a complete export in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::advice::advise;
use crate::fault::caught;
use crate::output::{
    Begin, Claim, Draft, EntityEntry, Ledger, Manifest, Message, Status, Writer, claim_within,
};
use crate::resolve::{LeftOutRelation, Outcome};
use crate::snapshot::{FileSource, Snapshot};
use crate::timings::{Phase, Timings};
use crate::visible::visible;

use super::batches::{BatchError, Batches};
use super::entries::{first_manifest, metadata, read_facts};
use super::error::{ExportError, batch_error};
use super::failed;
use super::find::{find_rows, open};
use super::observer::{ExportObserver, Relay, expected};
use super::redact::masks;
use super::report::ExportReport;
use super::request::{Destination, ExportRequest};
use super::resume;
use super::warnings::{tell_late_warnings, without_files};

#[cfg(test)]
mod tests;

/// Runs an export.
///
/// Its place is made before anything is read and holds a manifest from then on. If nothing can be exported it
/// is taken away again; if some relation fails, or the run ends when some files are finished, it stays and says so.
///
/// # Errors
/// If there is no export at all: the snapshot or the entity cannot be read, or the place cannot be written to.
pub fn run(
    request: &ExportRequest,
    destination: &Destination,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Resolve);
    // A place that can never be right, or is another run's, is told before anything is read.
    let held = claim(request, destination)?;
    match open(request) {
        Ok(snapshot) => run_in_place(request, snapshot, held, observer),
        Err(error) => {
            let is_forced = destination.begin == Begin::Replace;
            failed::note_unread(request, &*held.claim, is_forced, &error);
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
    destination: &Destination,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let held = claim(request, destination)?;
    run_in_place(request, snapshot, held, observer)
}

/// Where an export is written, held for this run.
struct HeldPlace {
    claim: Box<dyn Claim>,
    begin: Begin,
    /// What is there already, to be gone on with.
    unfinished: Option<Manifest>,
}

/// Claims the place; only then it is looked at.
fn claim(request: &ExportRequest, destination: &Destination) -> Result<HeldPlace, ExportError> {
    let take = || destination.store.claim();
    let claim = claim_within(destination.lock_wait, &request.interrupted, take)?
        .ok_or(ExportError::Interrupted)?;
    let (begin, unfinished) = match destination.begin {
        Begin::Resume => match resume::unfinished(request, &*destination.store)? {
            Some(unfinished) => (Begin::Resume, Some(unfinished)),
            None => (Begin::New, None),
        },
        begin => (begin, None),
    };
    claim.check(begin)?;
    Ok(HeldPlace {
        claim,
        begin,
        unfinished,
    })
}

fn run_in_place(
    request: &ExportRequest,
    snapshot: Snapshot,
    held: HeldPlace,
    observer: &mut dyn ExportObserver,
) -> Result<ExportReport, ExportError> {
    let mut first = first_manifest(request, &snapshot);
    first.conditional_put = held.claim.conditional_put();
    let draft = held.claim.begin(held.begin)?;
    let ledger = match held.unfinished {
        Some(earlier) => resume::go_on(&*draft, earlier, first)?,
        None => Ledger::new(first),
    };
    let first = ledger.manifest().clone();
    // An interrupted run does not wait for queries that still have the snapshot.
    let ending = snapshot.ending();
    // A fault leaves what a full disk leaves: something to be gone on with.
    let exported = caught(|| run_in(request, snapshot, &draft, ledger, observer))
        .unwrap_or_else(|fault| Err(fault.into()));
    drop(ending);
    match exported {
        Ok((manifest, left_out)) => {
            let complete = manifest.status == Status::Finished;
            // What nobody trusts replaces nothing.
            let is_good = complete && (manifest.suspect.is_empty() || !draft.replaces());
            let older_stays = !is_good && draft.replaces();
            let place = match is_good {
                true => {
                    let place = draft.commit();
                    place.inspect_err(|_| failed::reopen(&*draft, &first))?
                }
                false => failed::set_aside(&*draft)?,
            };
            Ok(ExportReport {
                manifest,
                place,
                older_stays,
                left_out,
            })
        }
        Err(error) => {
            let is_forced = held.begin == Begin::Replace;
            failed::leave(&*draft, first, is_forced, &error);
            Err(error)
        }
    }
}

type Exported = (Manifest, Vec<LeftOutRelation>);

fn run_in(
    request: &ExportRequest,
    snapshot: Snapshot,
    draft: &Arc<dyn Draft>,
    ledger: Ledger,
    observer: &mut dyn ExportObserver,
) -> Result<Exported, ExportError> {
    let earlier = ledger.manifest().entities.clone();
    let recipients = request.recipients.clone();
    let writer = Writer::start(Arc::<dyn Draft>::clone(draft), ledger, recipients)
        .map_err(ExportError::Write)?;
    let (outcome, files) = match find_rows(request, snapshot, observer) {
        Ok(found) => found,
        Err(error) => {
            // Its manifest goes away with the rest.
            writer.abandon();
            return Err(error);
        }
    };
    if let Some(why) = without_files(&outcome, &files) {
        advise(&why);
    }
    let name = draft.name();
    let manifest = write_rows(request, &name, writer, (&outcome, files), earlier, observer)?;
    Ok((manifest, outcome.resolved.plan.left_out.clone()))
}

/// Makes sure that each entity has a folder of its own, also where two kinds' prefixes are alike.
fn check_folders(entities: &[EntityEntry]) -> Result<(), ExportError> {
    let mut folders: BTreeMap<&str, &EntityEntry> = BTreeMap::new();
    for entity in entities {
        if let Some(other) = folders.insert(&entity.prefix, entity) {
            return Err(ExportError::Plan(format!(
                "{} {} and {} {} would have the same folder, {}\n  say another `prefix` in one of their pipelines",
                other.kind,
                visible(&other.full_path),
                entity.kind,
                visible(&entity.full_path),
                entity.prefix
            )));
        }
    }
    Ok(())
}

/// Writes the rows that were found, and the files that they name, but for what an `earlier` run finished. Returns the manifest as it was written.
/// `name` is that of the place, which the metadata tells.
pub(super) fn write_rows(
    request: &ExportRequest,
    name: &str,
    mut writer: Writer,
    (outcome, files): (&Outcome, FileSource),
    earlier: Vec<EntityEntry>,
    observer: &mut dyn ExportObserver,
) -> Result<Manifest, ExportError> {
    let masks = match masks(request, &outcome.resolved) {
        Ok(masks) => masks,
        Err(error) => {
            writer.abandon();
            return Err(error);
        }
    };
    let mut facts = read_facts(request, outcome, masks.as_deref());
    facts.warnings.extend(without_files(outcome, &files));
    let idle = masks.iter().flat_map(|masks| masks.idle());
    facts.warnings.extend(idle.cloned());
    if let Err(error) = check_folders(&facts.entities) {
        writer.abandon();
        return Err(error);
    }
    let metadata = metadata(request, name, outcome, &facts.entities);
    let finished = resume::unite(&outcome.resolved, &mut facts.entities, earlier);
    let in_part = resume::in_part(&facts.entities);
    tell_late_warnings(request, outcome);
    if let Some(error) = &facts.error {
        tracing::error!("{error}");
    }
    let resolved = &outcome.resolved;
    observer.writing(expected(resolved));
    let facts = Box::new(facts);
    let written = writer
        .send(Message::Read { facts, metadata })
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
                masks,
            )?
            .keeping(finished, in_part)
            .with_files(files, &request.limits.temp_dir)
            .run()
        });
    match written {
        Ok(()) => {
            if let Some(judge) = &request.judge {
                let judge = Message::Judge(judge.clone());
                writer.send(judge).map_err(ExportError::Write)?;
            }
            writer.finish().map_err(ExportError::Write)
        }
        Err(error) => {
            // The first error is the one to tell.
            writer.abandon();
            Err(batch_error(&request.snapshot)(error))
        }
    }
}
