//! A whole export: from a snapshot's name to a complete export in its place.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::advice::advise;
use crate::fault::caught;
use crate::output::{
    Begin, Claim, EntityEntry, Files, Ledger, Manifest, Message, Status, Writer, claim_within,
};
use crate::resolve::{LeftOutRelation, Outcome, Plan, Resolved};
use crate::snapshot::{FileSource, Snapshot};
use crate::timings::{Phase, Timings};
use crate::visible::visible;

use super::batches::{BatchError, BatchShare, Batches, Told};
use super::entries::{first_manifest, metadata, read_facts};
use super::error::{ExportError, batch_error};
use super::failed;
use super::find::{find_rows, open};
use super::observer::{ExportObserver, Relay, expected};
use super::redact::{Masks, masks};
use super::report::ExportReport;
use super::request::{Destination, ExportRequest};
use super::resume;
use super::share::{References, Share};
use super::warnings::{same_paths, tell_late_warnings, without_files};

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
    let name = draft.name();
    let place = (Arc::clone(&draft) as Arc<dyn Files>, Some(name.as_str()));
    let exported = caught(|| work_in(request, snapshot, place, ledger, observer))
        .unwrap_or_else(|fault| Err(fault.into()));
    drop(ending);
    match exported {
        Ok(Worked {
            manifest, left_out, ..
        }) => {
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

/// What a run made of its share of an export.
#[derive(Debug)]
pub struct Worked {
    /// Of its entities and relations.
    pub manifest: Manifest,
    /// Relations that the snapshot has no table for.
    pub left_out: Vec<LeftOutRelation>,
    /// What the records refer to, of relations that somebody else collects from them.
    pub references: Vec<References>,
}

/// Makes the request's share of an export that other runs complete. The files that come of it are there when this returns;
/// what describes the export is not written.
///
/// # Errors
/// As [`run()`]; files that were finished before may be there.
pub fn work(
    request: &ExportRequest,
    files: Arc<dyn Files>,
    observer: &mut dyn ExportObserver,
) -> Result<Worked, ExportError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Resolve);
    let snapshot = open(request)?;
    let ledger = Ledger::new(first_manifest(request, &snapshot));
    // An interrupted run does not wait for queries that still have the snapshot.
    let ending = snapshot.ending();
    let worked = caught(|| work_in(request, snapshot, (files, None), ledger, observer))
        .unwrap_or_else(|fault| Err(fault.into()));
    drop(ending);
    worked
}

/// Makes the request's share, and, if the place has a name, the file that describes the whole export.
fn work_in(
    request: &ExportRequest,
    snapshot: Snapshot,
    (place, name): (Arc<dyn Files>, Option<&str>),
    ledger: Ledger,
    observer: &mut dyn ExportObserver,
) -> Result<Worked, ExportError> {
    let earlier = ledger.manifest().entities.clone();
    let recipients = request.recipients.clone();
    let writer = Writer::start(place, ledger, recipients).map_err(ExportError::Write)?;
    let (outcome, files) = match find_rows(request, snapshot, observer) {
        Ok(found) => found,
        Err(error) => {
            // Its manifest goes away with the rest.
            writer.abandon();
            return Err(error);
        }
    };
    if let Some(why) = without_files(&outcome.resolved.plan, &files)
        && !request.share.of_plan
    {
        advise(&why);
    }
    let (manifest, references) =
        write_rows(request, name, writer, (&outcome, files), earlier, observer)?;
    Ok(Worked {
        manifest,
        left_out: outcome.resolved.plan.left_out.clone(),
        references,
    })
}

/// Makes sure that each entity has a folder of its own, also where two kinds' prefixes are alike.
pub(super) fn check_folders(entities: &[EntityEntry]) -> Result<(), ExportError> {
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

/// Writes the rows that were found, and the files that they name, but for what an `earlier` run finished. Returns the manifest
/// as it was written, and what others have to know of the records. `name` is that of the place, which the metadata tells;
/// without it none is written.
pub(super) fn write_rows(
    request: &ExportRequest,
    name: Option<&str>,
    mut writer: Writer,
    (outcome, files): (&Outcome, FileSource),
    earlier: Vec<EntityEntry>,
    observer: &mut dyn ExportObserver,
) -> Result<(Manifest, Vec<References>), ExportError> {
    let masks = match masks(request, &outcome.resolved) {
        Ok(masks) => masks,
        Err(error) => {
            writer.abandon();
            return Err(error);
        }
    };
    let mut facts = read_facts(request, outcome, masks.as_deref());
    if !request.share.of_plan {
        let plan = &outcome.resolved.plan;
        let of_export = export_warnings(plan, &files, masks.as_deref());
        facts.warnings.extend(of_export);
        let same = same_paths(&facts.entities);
        for warning in &same {
            tracing::warn!("{warning}");
        }
        facts.warnings.extend(same);
    }
    if let Err(error) = check_folders(&facts.entities) {
        writer.abandon();
        return Err(error);
    }
    let metadata = name.map(|name| metadata(request, name, outcome, &facts.entities));
    let finished = resume::unite(&outcome.resolved, &mut facts.entities, earlier);
    let in_part = resume::in_part(&facts.entities);
    tell_late_warnings(request, outcome);
    if let Some(error) = &facts.error {
        tracing::error!("{error}");
    }
    let resolved = &outcome.resolved;
    observer.writing(expected(resolved));
    let share = batch_share(&request.share, &facts.entities);
    let paths = facts.entities.iter();
    let paths = paths.map(|entity| entity.full_path.clone()).collect();
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
            .sharing(share)
            .with_files(files, &request.limits.temp_dir)
            .calling(paths)
            .run()
        });
    match written {
        Ok(told) => {
            if let Some(judge) = &request.judge {
                let judge = Message::Judge(judge.clone());
                writer.send(judge).map_err(ExportError::Write)?;
            }
            let manifest = writer.finish().map_err(ExportError::Write)?;
            let references = references(resolved, &manifest, told);
            Ok((manifest, references))
        }
        Err(error) => {
            // The first error is the one to tell.
            writer.abandon();
            Err(batch_error(&request.snapshot)(error))
        }
    }
}

/// What is to be said of an export as a whole, not of one of its shares.
fn export_warnings(plan: &Plan, files: &FileSource, masks: Option<&Masks>) -> Vec<String> {
    let idle = masks
        .into_iter()
        .flat_map(|masks| masks.idle().iter().cloned());
    without_files(plan, files).into_iter().chain(idle).collect()
}

/// A run's share, by the positions that entities and relations have in its manifest.
fn batch_share(share: &Share, entities: &[EntityEntry]) -> BatchShare {
    let positions: HashMap<&str, usize> = entities
        .iter()
        .enumerate()
        .map(|(position, entity)| (entity.prefix.as_str(), position))
        .collect();
    BatchShare::new(share.part, &share.collected, |prefix, name| {
        let entity = *positions.get(prefix)?;
        let mut relations = entities[entity].relations.iter();
        let relation = relations.position(|relation| relation.relation == name)?;
        Some((entity, relation))
    })
}

/// What records refer to, by the names of entities and relations.
fn references(resolved: &Resolved, manifest: &Manifest, told: Told) -> Vec<References> {
    let told = told.into_iter();
    told.map(|((entity, relation), columns)| {
        let planned = &resolved.plan.relations[relation];
        References {
            prefix: manifest.entities[entity].prefix.clone(),
            pipeline: planned.pipeline.clone(),
            relation: planned.name.clone(),
            columns,
        }
    })
    .collect()
}
