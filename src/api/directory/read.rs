//! Reading the directory from a snapshot, or from the file of an earlier run.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::ThreadPool;

use super::file;
use super::write::write;
use super::{Directory, Instance};
use crate::export::{is_enterprise, version_by_tables};
use crate::failure::{Cause, Failure, Policy};
use crate::pipeline::{Edition, Entity, EntityId, Pipeline, PipelineError};
use crate::resolve::{
    Choice, Id, KindChoice, Limits, Observer, Outcome, Plan, PlanError, PlanKind, Relations,
    Request, ResolveError, Selection, plan, resolve, without_data,
};
use crate::snapshot;
use crate::snapshot::{
    OpenOptions, Opening, Snapshot, SnapshotError, SnapshotFacts, Spec, TableName,
};

/// The pipelines that say what is known of every group, and of every project.
const GROUPS: &str = include_str!("../../../pipelines/directory.yml");
const PROJECTS: &str = include_str!("../../../pipelines/project_directory.yml");

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
    /// The pipeline of groups.
    pub pipeline: &'a Pipeline,
    /// The pipeline of projects, if they are served.
    pub projects: Option<&'a Pipeline>,
    pub edition: Edition,
    /// Take tables without data as empty ones.
    pub allow_missing: bool,
    pub limits: &'a Limits,
    pub pool: Arc<ThreadPool>,
    pub interrupted: Arc<AtomicBool>,
    /// How long the snapshot may bring nothing if it is a pipe; `None` is for ever.
    pub pipe_silence: Option<Duration>,
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
    let found = match source.projects {
        Some(projects) => with_projects(source, projects)?,
        None => groups_alone(source)?,
    };
    write(&found, path).map_err(file_error)?;
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
    let options = OpenOptions {
        pipe_silence: source.pipe_silence,
        opening: Opening {
            interrupted: Arc::clone(&source.interrupted),
            ..Opening::default()
        },
        ..OpenOptions::of_databases(&source.pipeline.databases)
    };
    snapshot::open_with(source.snapshot, &options.needing(Some(BTreeSet::new())))
}

/// What was read of a snapshot.
pub(super) struct Found {
    pub outcome: Outcome,
    /// The ids of the entities, in their order.
    pub ids: Vec<i64>,
    pub instance: Instance,
    /// The projects whose rows the snapshot was taken with; `None` where its tables are whole.
    pub only_projects: Option<BTreeSet<EntityId>>,
}

/// Groups and projects out of one read. A snapshot that does not say which projects there are has its groups still.
fn with_projects(source: &Source<'_>, projects: &Pipeline) -> Result<Found, DirectoryError> {
    let error = match found(source, Some(projects)) {
        Err(error) if !source.interrupted.load(Ordering::Relaxed) => error,
        other => return other,
    };
    let mut found = groups_alone(source)?;
    let name = &projects.name;
    found.instance.warnings.push(match &error {
        DirectoryError::Resolve(error) if lacks_table(error, projects) => {
            let table = &projects.entity.table;
            format!("the snapshot has no table {table}, so no {name} is served")
        }
        error => {
            let reason = error.to_string().replace("\n  ", "; ");
            format!("no {name} is served: {reason}")
        }
    });
    Ok(found)
}

/// True where the table of the pipeline's entities is what is missing.
fn lacks_table(error: &ResolveError, pipeline: &Pipeline) -> bool {
    let ResolveError::Plan(PlanError::NoEntityTable { table, .. }) = error else {
        return false;
    };
    *table == pipeline.entity.table
}

fn groups_alone(source: &Source<'_>) -> Result<Found, DirectoryError> {
    found(source, None)
}

fn found(source: &Source<'_>, projects: Option<&Pipeline>) -> Result<Found, DirectoryError> {
    let served: Vec<&Pipeline> = [source.pipeline].into_iter().chain(projects).collect();
    let (named, outcome) = find(source, projects)?;
    check_key(&served, &outcome.resolved.plan)?;
    let instance = instance(source, projects, named, &outcome)?;
    let ids = outcome.resolved.entities.iter().map(|found| {
        let pipeline = served.get(found.kind.position());
        let pipeline = pipeline.unwrap_or(&source.pipeline);
        integer(&pipeline.entity, &found.id)
    });
    let ids = ids.collect::<Result<Vec<i64>, DirectoryError>>()?;
    let only_projects = projects.and_then(|projects| outcome.facts.only_of(&projects.name));
    let only_projects = only_projects.map(|only| only.iter().cloned().collect());
    Ok(Found {
        outcome,
        ids,
        instance,
        only_projects,
    })
}

fn find(
    source: &Source<'_>,
    projects: Option<&Pipeline>,
) -> Result<(SnapshotName, Outcome), DirectoryError> {
    let mut groups = Pipeline::parse(GROUPS, "pipelines/directory.yml")?;
    groups.entity = source.pipeline.entity.clone();
    let mut pipelines = vec![groups];
    if let Some(served) = projects {
        let mut projects = Pipeline::parse(PROJECTS, "pipelines/project_directory.yml")?;
        let within = projects.entity.within.take();
        projects.entity = Entity {
            within,
            // They are among the columns.
            shown: Vec::new(),
            ..served.entity.clone()
        };
        pipelines.push(projects);
    }
    let kinds: Vec<KindChoice> = pipelines
        .into_iter()
        .map(|pipeline| KindChoice {
            pipeline,
            choice: Choice::All,
        })
        .collect();
    let snapshot = open(source)?;
    let named = SnapshotName {
        kind: snapshot.kind.name(),
        source: snapshot.source.clone(),
    };
    let request = Request {
        kinds: &kinds,
        selection: &Selection {
            relations: Relations::All,
            edition: source.edition,
            files: false,
            ..Selection::default()
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

/// The keys of groups, which are numbers wherever the server names them.
fn integers(source: &Source<'_>, ids: &[EntityId]) -> Result<Vec<i64>, DirectoryError> {
    let ids = ids.iter();
    ids.map(|id| integer(&source.pipeline.entity, id)).collect()
}

fn integer(entity: &Entity, id: &EntityId) -> Result<i64, DirectoryError> {
    id.integer().ok_or_else(|| no_integer(entity))
}

fn no_integer(entity: &Entity) -> DirectoryError {
    DirectoryError::Key {
        kind: entity.kind.clone(),
        table: entity.table.to_string(),
    }
}

/// Makes sure that keys are integers, even where there is no entity. `served` are the pipelines that are served, kind by
/// kind.
fn check_key(served: &[&Pipeline], plan: &Plan) -> Result<(), DirectoryError> {
    let is_integer = |kind: &PlanKind| {
        let key = kind.key.as_ref();
        key.is_some_and(|key| key.sql_type.is_integer())
    };
    let mut kinds = plan.kinds.iter().zip(served);
    match kinds.find(|(kind, _)| !is_integer(kind)) {
        None => Ok(()),
        Some((_, pipeline)) => Err(no_integer(&pipeline.entity)),
    }
}

/// Tells nobody.
pub(super) struct SilentObserver;

impl Observer for SilentObserver {
    fn planned(&mut self, _plan: &Plan, _facts: &SnapshotFacts) -> Result<(), ResolveError> {
        Ok(())
    }

    fn table(&mut self, name: &TableName) {
        tracing::debug!("reading the groups, at table {name}");
    }
}

/// What the snapshot says of the whole instance.
fn instance(
    source: &Source<'_>,
    projects: Option<&Pipeline>,
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
        files: true,
        ..Selection::default()
    };
    let served: Vec<&Pipeline> = [source.pipeline].into_iter().chain(projects).collect();
    let served = plan(&served, &selection, &outcome.catalog)
        .map_err(|error| DirectoryError::Plan(error.to_string()))?;
    let left_out = |pipeline: &Pipeline| -> Vec<String> {
        let left_out = served.left_out.iter();
        left_out
            .filter(|it| it.pipeline == pipeline.name)
            .map(|it| it.relation.clone())
            .collect()
    };
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
        left_out: left_out(source.pipeline),
        projects_left_out: projects.map(left_out),
        warnings,
    })
}
