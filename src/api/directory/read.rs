//! Reading the directory from a snapshot, or from the file of an earlier run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;
use serde_json::value::RawValue;

use super::file::{self, Line};
use super::{Directory, Instance};
use crate::export::{Records, is_enterprise, version_by_tables};
use crate::failure::{Cause, Failure, Policy};
use crate::output::atomic::{folder_of, sync_folder};
use crate::pipeline::{Edition, EntityId, Pipeline, PipelineError};
use crate::resolve::{
    Choice, KindChoice, Limits, Observer, Outcome, Plan, PlanKind, Relations, Request,
    ResolveError, Selection, plan, resolve, without_data,
};
use crate::snapshot;
use crate::snapshot::{OpenOptions, Snapshot, SnapshotError, SnapshotFacts, Spec, TableName};

/// The pipeline that says what is known of every group.
const PIPELINE: &str = include_str!("../../../pipelines/directory.yml");

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error(transparent)]
    Open(Box<SnapshotError>),
    #[error(transparent)]
    Resolve(Box<ResolveError>),
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    #[error("{0}")]
    Plan(String),
    /// Addresses of the API name a group by its number or its path.
    #[error(
        "cannot serve the {kind}s of table {table}: their key is no integer, and the addresses of the API hold \
         numbers\n  export them with `relexport export`, or serve by a pipeline whose entity has a key of integers"
    )]
    Key { kind: String, table: String },
    /// A list that lacks groups would be taken for a whole one.
    #[error("cannot list the groups: {0}")]
    Incomplete(String),
    #[error("cannot keep the list of groups in {path}: {source}")]
    File { path: String, source: io::Error },
}

impl Failure for DirectoryError {
    fn policy(&self) -> Policy {
        match self {
            DirectoryError::Open(error) => error.policy(),
            DirectoryError::Resolve(error) => error.policy(),
            DirectoryError::Pipeline(_)
            | DirectoryError::Plan(_)
            | DirectoryError::Key { .. }
            | DirectoryError::Incomplete(_) => Policy::EndRun(Cause::Snapshot),
            DirectoryError::File { .. } => Policy::EndRun(Cause::Machine),
        }
    }
}

impl From<SnapshotError> for DirectoryError {
    fn from(error: SnapshotError) -> Self {
        DirectoryError::Open(Box::new(error))
    }
}

impl From<ResolveError> for DirectoryError {
    fn from(error: ResolveError) -> Self {
        DirectoryError::Resolve(Box::new(error))
    }
}

/// What decides the directory.
pub(crate) struct Source<'a> {
    pub snapshot: &'a Spec,
    /// The pipeline that is served.
    pub pipeline: &'a Pipeline,
    pub edition: Edition,
    /// Take tables without data as empty ones.
    pub allow_missing: bool,
    pub limits: &'a Limits,
    pub pool: Arc<ThreadPool>,
    pub interrupted: Arc<AtomicBool>,
}

/// Opens the directory in `path`, or reads the snapshot and writes it there. Blocks; for a plain thread.
///
/// # Errors
/// Where the snapshot cannot be read, or lacks groups, or the file cannot be written.
pub(crate) fn read(source: &Source<'_>, path: &Path) -> Result<Directory, DirectoryError> {
    let file_error = |source| DirectoryError::File {
        path: path.display().to_string(),
        source,
    };
    match file::open(path) {
        Ok(Some(directory)) => return Ok(directory),
        Ok(None) => {}
        Err(error) => tracing::warn!("reading the groups anew: {}", file_error(error)),
    }
    let (named, outcome) = find(source)?;
    check_key(source, &outcome.resolved.plan)?;
    let instance = instance(source, named, &outcome)?;
    let ids = outcome.resolved.entities.iter().map(|group| &group.id);
    let ids = ids.map(|id| integer(source, id));
    let ids = ids.collect::<Result<Vec<i64>, DirectoryError>>()?;
    write(&outcome, &ids, &instance, path).map_err(file_error)?;
    file::open(path)
        .and_then(|directory| directory.ok_or_else(|| io::Error::other("it is not there")))
        .map_err(file_error)
}

/// The snapshot's kind and name.
struct SnapshotName {
    kind: &'static str,
    source: String,
}

/// Opens the snapshot, of which no other database is needed.
pub(super) fn open(source: &Source<'_>) -> Result<Snapshot, SnapshotError> {
    let options = OpenOptions::of_databases(&source.pipeline.databases);
    snapshot::open_with(source.snapshot, &options.needing(Some(BTreeSet::new())))
}

fn find(source: &Source<'_>) -> Result<(SnapshotName, Outcome), DirectoryError> {
    let mut pipeline = Pipeline::parse(PIPELINE, "pipelines/directory.yml")?;
    pipeline.entity = source.pipeline.entity.clone();
    let snapshot = open(source)?;
    let named = SnapshotName {
        kind: snapshot.kind.name(),
        source: snapshot.source.clone(),
    };
    let request = Request {
        kinds: &[KindChoice {
            pipeline,
            choice: Choice::All,
        }],
        selection: &Selection {
            relations: Relations::All,
            edition: source.edition,
        },
        limits: source.limits,
        pool: Arc::clone(&source.pool),
        interrupted: Arc::clone(&source.interrupted),
        seal_late: false,
        allow_missing: source.allow_missing,
        strict: false,
        stop_early: true,
    };
    Ok((named, resolve(snapshot, &request, &mut SilentObserver)?))
}

/// The keys of entities, which are numbers wherever the server names them.
fn integers(source: &Source<'_>, ids: &[EntityId]) -> Result<Vec<i64>, DirectoryError> {
    ids.iter().map(|id| integer(source, id)).collect()
}

fn integer(source: &Source<'_>, id: &EntityId) -> Result<i64, DirectoryError> {
    id.integer().ok_or_else(|| no_integer(source))
}

fn no_integer(source: &Source<'_>) -> DirectoryError {
    let entity = &source.pipeline.entity;
    DirectoryError::Key {
        kind: entity.kind.clone(),
        table: entity.table.to_string(),
    }
}

/// Makes sure that keys are integers, even where there is no group.
fn check_key(source: &Source<'_>, plan: &Plan) -> Result<(), DirectoryError> {
    let mut kinds = plan.kinds.iter();
    let is_integer = |kind: &PlanKind| {
        let key = kind.key.as_ref();
        key.is_some_and(|key| key.sql_type.is_integer())
    };
    match kinds.all(is_integer) {
        true => Ok(()),
        false => Err(no_integer(source)),
    }
}

/// Tells nobody.
pub(super) struct SilentObserver;

impl Observer for SilentObserver {
    fn planned(&mut self, _plan: &Plan, _facts: &SnapshotFacts) {}

    fn table(&mut self, name: &TableName) {
        tracing::debug!("reading the groups, at table {name}");
    }
}

/// What the snapshot says of the whole instance.
fn instance(
    source: &Source<'_>,
    named: SnapshotName,
    outcome: &Outcome,
) -> Result<Instance, DirectoryError> {
    if let Some(cut_off) = &outcome.cut_off {
        return Err(DirectoryError::Incomplete(cut_off.to_string()));
    }
    let resolved = &outcome.resolved;
    let missing = resolved.without_data.iter();
    let mut warnings: Vec<String> = missing
        .filter_map(|(table, missing)| {
            let table = &resolved.plan.tables[*table].name;
            Some(without_data(table, missing.first()?))
        })
        .collect();
    for (table, trouble) in &resolved.troubles {
        let table = &resolved.plan.tables[*table];
        let reason = match (&trouble.broken, trouble.bad_rows.first()) {
            (Some(reason), _) => reason.clone(),
            (None, Some(row)) => format!("row {} (byte {}): {}", row.row, row.offset, row.reason),
            (None, None) => format!("{} rows cannot be read", trouble.bad_count),
        };
        let reason = format!("table {}: {reason}", table.name);
        if table.is_observed() {
            return Err(DirectoryError::Incomplete(reason));
        }
        warnings.push(reason);
    }
    let only = outcome
        .facts
        .only_of(&source.pipeline.name)
        .map(|ids| integers(source, ids));
    let only = only.transpose()?;
    if only.is_some() {
        warnings.push(
            "the snapshot was taken with the rows of some groups: others cannot be exported, and members that these inherit \
             from others, and titles and states of iterations, are not known"
                .to_owned(),
        );
    }
    let selection = Selection {
        relations: Relations::All,
        edition: source.edition,
    };
    let served = plan(&[source.pipeline], &selection, &outcome.catalog)
        .map_err(|error| DirectoryError::Plan(error.to_string()))?;
    let stated = outcome.facts.gitlab_version.clone();
    let enterprise = is_enterprise(stated.as_deref(), source.edition);
    let suffix = if enterprise { "-ee" } else { "" };
    let by_tables = || version_by_tables(&outcome.catalog).map(|found| format!("{found}{suffix}"));
    Ok(Instance {
        kind: named.kind.to_owned(),
        source: named.source,
        taken_at: outcome.facts.taken_at.clone(),
        only,
        version: stated.or_else(by_tables),
        enterprise,
        left_out: served.left_out.into_iter().map(|it| it.relation).collect(),
        warnings,
    })
}

/// Writes the file beside its name, so that it is whole or not there. `ids` are those of the entities, in their order.
fn write(outcome: &Outcome, ids: &[i64], instance: &Instance, path: &Path) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut out = BufWriter::new(File::create(&part)?);
    let groups = ids.iter().copied().zip(&outcome.resolved.entities);
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by_key(|(id, _)| *id);
    let records = Records::new(&outcome.resolved).map_err(io::Error::other)?;
    file::write_head(&mut out, instance, groups.len())?;
    for (id, group) in groups {
        let of = |relation| -> io::Result<Vec<Box<RawValue>>> {
            let found = records.of(relation, group)?;
            found
                .into_iter()
                .map(|json| {
                    let json = String::from_utf8(json).map_err(io::Error::other)?;
                    Ok(RawValue::from_string(json)?)
                })
                .collect()
        };
        let line = Line {
            id,
            parent_id: group.parent_id.as_ref().and_then(EntityId::integer),
            full_path: &group.full_path,
            name: &group.name,
            group: of("groups")?.pop(),
            badges: of("badges")?,
            members: of("members")?,
            invited: of("invited")?,
            iterations: of("iterations")?,
        };
        file::write_line(&mut out, &line)?;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&part, path)?;
    sync_folder(folder_of(path))
}
