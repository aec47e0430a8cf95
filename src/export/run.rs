//! A whole export: from a snapshot's name to a complete folder.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::ThreadPool;

use crate::fault::{Fault, caught};
use crate::output::{
    Claim, EntityEntry, Folder, FolderError, Holding, Known, Manifest, OptionsEntry, PipelineEntry,
    RelationEntry, SnapshotEntry, Status, Writer, manifest, now,
};
use crate::pipeline::{Edition, Pipeline, doubtful_keys};
use crate::resolve::{
    self, Choice, EntityInfo, Limits, Outcome, Plan, Request, ResolveError, Resolved, Rows,
    Selection, resolve,
};
use crate::snapshot::{
    self, Access, OpenOptions, Snapshot, SnapshotError, SnapshotFacts, TableName,
};
use crate::timings::{Phase, Timings};

use super::ExportOptions;
use super::batches::{BatchError, BatchObserver, Batches};
use super::failed;
use super::metadata::{self, Instance};
use super::resume;

/// What is to be exported, from where, to where.
pub struct ExportRequest {
    /// A path, `-` for standard input, or the address of a server.
    pub snapshot: String,
    pub open: OpenOptions,
    pub out: PathBuf,
    /// Replace an export that is there already.
    pub force: bool,
    /// Go on with an unfinished export that is there already.
    pub resume: bool,
    pub pipeline: Pipeline,
    pub selection: Selection,
    pub choice: Choice,
    pub options: ExportOptions,
    pub limits: Limits,
    pub pool: Arc<ThreadPool>,
    /// The GitLab version to report where the snapshot does not say it.
    pub gitlab_version: Option<String>,
    /// The instance's address, for the metadata.
    pub source_url: Option<String>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
}

/// Told how far an export is.
pub trait ExportObserver: BatchObserver {
    /// The snapshot is about to be read: so many bytes, and how many have been read so far.
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>);
    /// The data of a table goes by.
    fn table(&mut self, name: &str);
    /// The rows are found; rendering begins, of so many relations with so many top-level rows in all.
    fn writing(&mut self, expected: Expected);
}

/// What is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub relations: u64,
    /// `None` where it shows only as they are asked for.
    pub rows: Option<u64>,
}

/// What an export came to.
#[derive(Debug)]
pub struct ExportReport {
    pub manifest: Manifest,
    /// The folder that holds it.
    pub place: PathBuf,
    /// An older export that stays in its place, because this one is not complete.
    pub older_stays: bool,
    pub left_out: Vec<(String, String)>,
}

impl ExportReport {
    /// Rows that were left out under `keep_going`; a row counts for each relation that might have had it.
    pub fn skipped_rows(&self) -> u64 {
        let entities = &self.manifest.entities;
        let relations = entities.iter().flat_map(|entity| &entity.relations);
        relations.map(|relation| relation.skipped_count).sum()
    }

    /// True where everything is finished.
    pub fn is_complete(&self) -> bool {
        self.manifest.status == Status::Finished
    }
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The snapshot cannot even be opened; the message names it.
    #[error(transparent)]
    Open(Box<SnapshotError>),
    #[error("{}: {source}", .snapshot)]
    Resolve {
        snapshot: String,
        source: Box<ResolveError>,
    },
    #[error(
        "cannot write the export: {0}\n  see that the folder stays and can be written, and that there is room; \
         --resume goes on with files that are finished"
    )]
    Write(io::Error),
    #[error("cannot use the temp folder: {0}\n  name another one with --temp-dir")]
    Temp(io::Error),
    #[error("{0}")]
    Plan(String),
    /// What is in the output folder is not the beginning of the export that was asked for.
    #[error("cannot go on with the export in {path}: {reason}")]
    Resume { path: String, reason: String },
    #[error("the export is not complete: {0}")]
    Fault(#[from] Fault),
    #[error("interrupted")]
    Interrupted,
}

pub(super) fn batch_error(snapshot: &str) -> impl FnOnce(BatchError) -> ExportError {
    move |error| match error {
        BatchError::Write(source) => ExportError::Write(source),
        BatchError::Temp(source) => ExportError::Temp(source),
        BatchError::Interrupted => ExportError::Interrupted,
        BatchError::Plan(reason) | BatchError::Changed(reason) => ExportError::Plan(reason),
        BatchError::Resolve(source) => resolve_error(snapshot)(source),
    }
}

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
    // A fault leaves what a full disk leaves: a folder to be gone on with.
    let exported = caught(|| run_in(request, snapshot, &folder, first.clone(), observer))
        .unwrap_or_else(|fault| Err(fault.into()));
    // An interrupted run does not wait for queries that still have the snapshot.
    request.open.pgdata.servers.end();
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

fn resolve_error(request: &str) -> impl FnOnce(ResolveError) -> ExportError {
    move |source| match source {
        ResolveError::Interrupted => ExportError::Interrupted,
        ResolveError::Temp(source) => ExportError::Temp(source),
        source => ExportError::Resolve {
            // An address may hold a password.
            snapshot: snapshot::shown(request),
            source: Box::new(source),
        },
    }
}

pub(super) fn open(request: &ExportRequest) -> Result<Snapshot, ExportError> {
    snapshot::open_with(&request.snapshot, &request.open).map_err(|error| match error {
        SnapshotError::Interrupted => ExportError::Interrupted,
        error => ExportError::Open(Box::new(error)),
    })
}

/// True for a snapshot that can be opened again: neither standard input nor another pipe.
fn lasts(name: &str) -> bool {
    std::fs::metadata(name).is_ok_and(|found| found.is_file() || found.is_dir())
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
        .send(crate::output::Message::Known(Box::new(known)))
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

/// Finds the rows of an export, in one read of the snapshot where that is possible.
pub(super) fn find_rows(
    request: &ExportRequest,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<Outcome, ExportError> {
    let mut snapshot = snapshot;
    let mut reading = Reading {
        choice: request.choice.clone(),
        seal_late: false,
        again: false,
    };
    loop {
        match read_once(request, snapshot, observer, &reading) {
            // A table in two places, with others between that were decided by its first part: read once more, deciding
            // nothing before the end.
            Err(ResolveError::Reappeared { table }) if lasts(&request.snapshot) => {
                tracing::warn!(
                    "table {table} stands in two places of the snapshot; reading it once more"
                );
                reading.seal_late = true;
            }
            // A name of digits was looked for as an id, and is a path.
            Err(ResolveError::FoundByPath { ids }) if lasts(&request.snapshot) => {
                reading.choice = Choice::Named {
                    names: ids.iter().map(i64::to_string).collect(),
                    descendants: false,
                };
            }
            outcome => return outcome.map_err(resolve_error(&request.snapshot)),
        }
        reading.again = true;
        snapshot = open(request)?;
    }
}

/// How a snapshot is read, which may have to be read again.
struct Reading {
    choice: Choice,
    seal_late: bool,
    /// Not for the first time.
    again: bool,
}

/// Bytes on disk of what an export will read.
fn size_to_read(request: &ExportRequest, snapshot: &Snapshot) -> Option<u64> {
    let Access::Tables(source) = &snapshot.access else {
        return snapshot.size;
    };
    let tables = request.selection.tables(&request.pipeline);
    let parts = tables
        .into_iter()
        .flat_map(|table| source.parts(&TableName::public(table)));
    Some(parts.map(|part| part.size).sum())
}

fn read_once(
    request: &ExportRequest,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
    reading: &Reading,
) -> Result<Outcome, ResolveError> {
    let size = size_to_read(request, &snapshot);
    observer.reading(size, Arc::clone(&snapshot.progress));
    let resolve_request = Request {
        pipeline: &request.pipeline,
        selection: &request.selection,
        choice: &reading.choice,
        limits: &request.limits,
        pool: Arc::clone(&request.pool),
        interrupted: Arc::clone(&request.interrupted),
        seal_late: reading.seal_late,
        allow_missing: request.options.allow_missing,
        strict: request.options.strict,
        stop_early: false,
    };
    let mut tables = Tables {
        observer,
        again: reading.again,
    };
    let outcome = resolve(snapshot, &resolve_request, &mut tables);
    // A signal may have ended what writes into a pipe, too: then that its end was missing is no news.
    match request.interrupted.load(Ordering::Relaxed) {
        true => Err(ResolveError::Interrupted),
        false => outcome,
    }
}

/// Passes on what the resolver tells.
struct Tables<'a> {
    observer: &'a mut dyn ExportObserver,
    /// The snapshot is read once more, and its plan has been told.
    again: bool,
}

impl resolve::Observer for Tables<'_> {
    fn planned(&mut self, plan: &Plan, _facts: &SnapshotFacts) {
        for warning in plan_warnings(plan).filter(|_| !self.again) {
            tracing::warn!("{warning}");
        }
    }

    fn table(&mut self, name: &TableName) {
        self.observer.table(&name.to_string());
    }
}

/// Passes on what the batches tell.
pub(super) struct Relay<'a>(pub &'a mut dyn ExportObserver);

impl BatchObserver for Relay<'_> {
    fn relation(&mut self, entity: usize, relation: &str, rows: u64) {
        self.0.relation(entity, relation, rows);
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.0.rendered(entity, relation, rows, bytes);
    }
}

/// Who writes the manifest.
pub(super) const GENERATOR: &str = concat!("relexport ", env!("CARGO_PKG_VERSION"));

pub(super) fn first_manifest(request: &ExportRequest, snapshot: &Snapshot) -> Manifest {
    Manifest {
        resume: resume::terms(request),
        ..manifest_of(request, snapshot.kind.name(), &snapshot.source)
    }
}

/// The manifest of an export of which nothing is known yet, and that cannot be gone on with.
pub(super) fn manifest_of(request: &ExportRequest, kind: &str, source: &str) -> Manifest {
    Manifest {
        manifest_version: manifest::VERSION,
        generator: GENERATOR.to_owned(),
        status: Status::Started,
        started_at: now(),
        finished_at: None,
        error: None,
        snapshot: SnapshotEntry {
            kind: kind.to_owned(),
            source: source.to_owned(),
            server_version: None,
            gitlab_version: None,
            taken_at: None,
            lsn: None,
        },
        pipeline: pipeline_entry(request),
        options: options_entry(request),
        resume: None,
        warnings: Vec::new(),
        missing_tables: 0,
        timings: None,
        entities: Vec::new(),
    }
}

pub(super) fn pipeline_entry(request: &ExportRequest) -> PipelineEntry {
    PipelineEntry {
        name: request.pipeline.name.clone(),
        sha256: request.pipeline.sha256.clone(),
    }
}

pub(super) fn options_entry(request: &ExportRequest) -> OptionsEntry {
    OptionsEntry {
        batched: request.options.batched,
        batch_size: request.options.batch_size.get(),
        edition: match request.options.edition {
            Edition::Ce => "ce".to_owned(),
            Edition::Ee => "ee".to_owned(),
        },
    }
}

/// What of the pipeline the snapshot cannot give.
fn plan_warnings(plan: &Plan) -> impl Iterator<Item = String> + '_ {
    let left_out = plan.left_out.iter();
    let left_out = left_out.map(|(relation, table)| resolve::no_table(relation, table));
    left_out.chain(plan.warnings.iter().cloned())
}

/// Tables without data that were taken as empty ones, because the request allows it.
fn taken_as_empty(request: &ExportRequest, resolved: &Resolved) -> Vec<String> {
    let is_read = |table: usize| resolved.plan.hops.iter().any(|hop| hop.table == table);
    let missing = resolved.without_data.iter();
    let missing = missing.filter(|(table, _)| request.options.allow_missing && is_read(**table));
    let warning = |(table, names): (&usize, &BTreeSet<TableName>)| {
        let name = &resolved.plan.tables[*table].name;
        let partitions: Vec<String> = names
            .iter()
            .filter(|it| *it != name)
            .map(ToString::to_string)
            .collect();
        match partitions.is_empty() {
            true => format!(
                "table {name} is defined, but the snapshot holds no data for it: taken as empty"
            ),
            false => format!(
                "table {name}: the snapshot holds no data for its partitions {}: taken as empty",
                partitions.join(", ")
            ),
        }
    };
    missing.map(warning).collect()
}

/// What showed only when the snapshot had been read.
pub(super) fn late_warnings(request: &ExportRequest, outcome: &Outcome) -> Vec<String> {
    let mut warnings = taken_as_empty(request, &outcome.resolved);
    let tables = request.selection.tables(&request.pipeline);
    warnings.extend(doubtful_keys(&request.pipeline, &outcome.catalog, &tables));
    warnings
}

/// What the snapshot could not give, though no relation failed for it.
pub(super) fn warnings(request: &ExportRequest, outcome: &Outcome) -> Vec<String> {
    // What was told when the snapshot was opened comes first.
    let told = outcome.facts.warnings.iter().cloned();
    told.chain(plan_warnings(&outcome.resolved.plan))
        .chain(late_warnings(request, outcome))
        .collect()
}

/// Why the whole export is not to be relied on.
pub(super) fn whole_error(request: &ExportRequest, outcome: &Outcome) -> Option<String> {
    if let Some(cut_off) = &outcome.cut_off {
        return Some(cut_off.to_string());
    }
    let entity = &request.pipeline.entity;
    outcome.resolved.entities.is_empty().then(|| {
        format!(
            "there is no {} to export: table {} of the snapshot has no row of one; `relexport inspect` tells what it holds",
            entity.kind, entity.table
        )
    })
}

fn known(request: &ExportRequest, folder: &Folder, outcome: &Outcome) -> Known {
    let resolved = &outcome.resolved;
    let entities: Vec<EntityEntry> = resolved
        .entities
        .iter()
        .map(|entity| entry(request, resolved, entity))
        .collect();
    let stated = outcome
        .facts
        .gitlab_version
        .clone()
        .or_else(|| request.gitlab_version.clone());
    let version = stated.clone().or_else(|| {
        let by_tables = metadata::version_by_tables(&outcome.catalog)?;
        let suffix = if request.options.edition == Edition::Ee {
            "-ee"
        } else {
            ""
        };
        Some(format!("{by_tables}{suffix}"))
    });
    let instance = Instance {
        version: version.as_deref().unwrap_or_default(),
        enterprise: metadata::is_enterprise(stated.as_deref(), request.options.edition),
        export_prefix: &folder.name(),
        source_hostname: request.source_url.as_deref().unwrap_or_default(),
    };
    // A dump is its instant; of a server, the manifest alone tells which one was read, and so with what was taken of one.
    let is_of_server = matches!(resolved.rows, Rows::Live(_)) || outcome.facts.lsn.is_some();
    let instant = is_of_server.then_some(&outcome.facts);
    Known {
        metadata: metadata::content(&instance, &entities),
        entities,
        server_version: outcome.facts.server_version.clone(),
        gitlab_version: stated,
        taken_at: instant.and_then(|facts| facts.taken_at.clone()),
        lsn: instant.and_then(|facts| facts.lsn.clone()),
        missing_tables: taken_as_empty(request, resolved).len() as u64,
        warnings: warnings(request, outcome),
        error: whole_error(request, outcome),
    }
}

/// An entity's entry in the manifest, before anything of it is written.
pub(super) fn entry(
    request: &ExportRequest,
    resolved: &Resolved,
    entity: &EntityInfo,
) -> EntityEntry {
    let at = now();
    EntityEntry {
        id: entity.id,
        kind: request.pipeline.entity.kind.clone(),
        full_path: entity.full_path.clone(),
        prefix: request
            .pipeline
            .entity
            .prefix
            .replace("{key}", &entity.id.to_string()),
        relations: resolved
            .plan
            .relations
            .iter()
            .map(|relation| {
                let batched = request.options.batched && relation.batched;
                RelationEntry {
                    relation: relation.name.clone(),
                    status: Status::Started,
                    error: None,
                    updated_at: at.clone(),
                    batched,
                    batches_count: 0,
                    total_objects_count: 0,
                    batches: batched.then(Vec::new),
                    file: None,
                    skipped: Vec::new(),
                    skipped_count: 0,
                }
            })
            .collect(),
    }
}

pub(super) fn expected(resolved: &Resolved) -> Expected {
    let relations = (resolved.plan.relations.len() * resolved.entities.len()) as u64;
    let Rows::Kept(store) = &resolved.rows else {
        return Expected {
            relations,
            rows: None,
        };
    };
    let mut rows = 0;
    for relation in &resolved.plan.relations {
        let Ok(resolve::PlanSource::Rows(node)) = &relation.source else {
            continue;
        };
        for entity in &resolved.entities {
            for reach in &node.reach {
                let key = if reach.parent == 0 {
                    entity.id
                } else {
                    entity.root
                };
                rows += store.found(reach.hop, key).len() as u64;
            }
        }
    }
    Expected {
        relations,
        rows: Some(rows),
    }
}
