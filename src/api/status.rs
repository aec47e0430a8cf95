//! `GET /groups/:id/export_relations/status`, and the same of a project: what each relation's export is at.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::App;
use super::directory::Instance;
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::exportable::Exportable;
use super::exports::{Engine, Run, State as RunState};
use super::params::Params;
use super::portable::is_portable;
use crate::output::{BatchEntry, BatchStatus, FileEntry, RelationEntry, Status};
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{Relations, Selection};

/// A relation that every export has.
struct Template {
    name: String,
    batched: bool,
}

/// The relations of every export, by kind: those of the pipeline, without those that the snapshot has no table for.
pub(crate) struct Templates {
    group: Vec<Template>,
    project: Vec<Template>,
}

impl Templates {
    /// Those of what is served from a snapshot.
    pub(crate) fn new(engine: &Engine, instance: &Instance) -> Templates {
        let of = |pipeline, left_out| templates(pipeline, engine.edition, left_out);
        let project = engine
            .kinds
            .project()
            .zip(instance.projects_left_out.as_ref());
        Templates {
            group: of(engine.kinds.group(), &instance.left_out),
            project: project.map_or_else(Vec::new, |(pipeline, left_out)| of(pipeline, left_out)),
        }
    }

    fn of(&self, kind: Kind) -> &[Template] {
        match kind {
            Kind::Group => &self.group,
            Kind::Project => &self.project,
        }
    }
}

fn templates(pipeline: &Pipeline, edition: Edition, left_out: &[String]) -> Vec<Template> {
    let selection = Selection {
        relations: Relations::All,
        edition,
        files: false,
        ..Selection::default()
    };
    let relations = selection.relations(pipeline).into_iter();
    relations
        .filter(|relation| !left_out.contains(&relation.name))
        .map(|relation| Template {
            name: relation.name.clone(),
            batched: relation.batched,
        })
        .collect()
}

/// Answers the request.
pub(crate) async fn get<E: Exportable>(
    State(app): State<App>,
    asked: E,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let wanted = params.text("relation")?;
    let entity = asked.entity();
    look_for_files(&app, entity, wanted.clone()).await?;
    match wanted {
        None => Ok(Json(rows(&app, entity)).into_response()),
        Some(wanted) => {
            let run = app.queue.runs_of(entity).newest;
            let row = run.and_then(|run| row_of(&app, &run, entity, &wanted));
            let row = row.ok_or_else(|| ApiError::not_found("Export not found"))?;
            Ok(Json(row.without_files()).into_response())
        }
    }
}

/// Looks whether the files of the newest export are there, or those of one relation: what is finished can be downloaded.
async fn look_for_files(
    app: &App,
    entity: EntityRef,
    relation: Option<String>,
) -> Result<(), ApiError> {
    let newest = app.queue.runs_of(entity).newest;
    let Some(run) = newest.filter(|run| run.is_over()) else {
        return Ok(());
    };
    let look = move || run.look_for_files(entity, relation.as_deref());
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| ApiError::internal("cannot look for files", error))
}

/// True for a relation of a kind that has an export, whatever is in it.
pub(crate) fn is_known(app: &App, kind: Kind, relation: &str) -> bool {
    let templates = app.templates.get();
    let mut own = templates.iter().flat_map(|templates| templates.of(kind));
    own.any(|template| template.name == relation)
        || is_portable(kind, relation, app.options.engine.edition)
}

/// One of the rows of an entity in a run, with its files. A destination takes a missing row for a failure, which costs it
/// many minutes, so a relation that GitLab has and the snapshot has no table for is one without objects.
pub(crate) fn row_of(
    app: &App,
    run: &Run,
    entity: EntityRef,
    relation: &str,
) -> Option<RelationEntry> {
    let mut rows = rows_of(app, run, entity).into_iter();
    let found = rows.find(|row| row.relation == relation);
    found.or_else(|| {
        let is_known = is_known(app, entity.kind, relation);
        is_known.then(|| empty(relation, run.accepted_at(entity).unwrap_or_default()))
    })
}

/// The rows of an entity, as GitLab gives them; none before its first export.
pub(crate) fn rows(app: &App, entity: EntityRef) -> Vec<RelationEntry> {
    let Some(run) = app.queue.runs_of(entity).newest else {
        return Vec::new();
    };
    let mut rows = rows_of(app, &run, entity);
    for row in &mut rows {
        *row = row.without_files();
    }
    rows
}

/// The rows of an entity in a run, with files. Before the engine knows the entities they are all at their beginning.
pub(crate) fn rows_of(app: &App, run: &Run, entity: EntityRef) -> Vec<RelationEntry> {
    let mut rows = match run.entry(entity) {
        Some((_, entry)) => entry.relations,
        None => begun(app, run, entity),
    };
    if run.state() == RunState::Waiting {
        rows.iter_mut().for_each(wait_again);
    }
    let lost = run.lost_files(entity);
    if !lost.is_empty() {
        rows.iter_mut().for_each(|row| lack(row, &lost));
    }
    rows
}

/// What is not there any more is not finished, whatever the manifest says.
fn lack(row: &mut RelationEntry, lost: &BTreeSet<String>) {
    const REASON: &str =
        "a file of it is gone from the server's data folder: ask for the export again";
    let is_lost = |file: &Option<FileEntry>| {
        let file = file.as_ref();
        file.is_some_and(|file| lost.contains(&file.file))
    };
    let mut lacks = is_lost(&row.file);
    for batch in row.batches.iter_mut().flatten() {
        if is_lost(&batch.file) {
            lacks = true;
            batch.status = BatchStatus::Failed;
            batch.error = Some(REASON.to_owned());
        }
    }
    if lacks {
        row.status = Status::Failed;
        row.error = Some(REASON.to_owned());
    }
}

/// What failed in a run that waits to go on is tried once more.
fn wait_again(row: &mut RelationEntry) {
    if row.status != Status::Finished {
        row.status = Status::Started;
        row.error = None;
    }
    for batch in row.batches.iter_mut().flatten() {
        if batch.status != BatchStatus::Finished {
            batch.status = BatchStatus::Created;
            batch.error = None;
        }
    }
}

fn begun(app: &App, run: &Run, entity: EntityRef) -> Vec<RelationEntry> {
    let error = match run.state() {
        RunState::Failed(error) => Some(error),
        RunState::Waiting | RunState::Running => None,
        // Nobody may wait for it for ever.
        RunState::Ended => Some(format!(
            "the export ended without this {}",
            entity.kind.word()
        )),
    };
    let templates = app.templates.get();
    let templates = templates.map_or(&[][..], |templates| templates.of(entity.kind));
    let rows = templates.iter().map(|template| {
        let batched = run.options.batched && template.batched;
        RelationEntry {
            relation: template.name.clone(),
            status: match error {
                Some(_) => Status::Failed,
                None => Status::Started,
            },
            error: error.clone(),
            updated_at: run.accepted_at(entity).unwrap_or_default(),
            batched,
            batches_count: 0,
            total_objects_count: 0,
            batches: batched.then(Vec::new),
            file: None,
            rows_read: None,
            skipped: Vec::new(),
            skipped_count: 0,
            skipped_nested_count: 0,
            notes: Default::default(),
        }
    });
    rows.collect()
}

/// A relation without objects, which is finished.
fn empty(relation: &str, at: String) -> RelationEntry {
    RelationEntry {
        relation: relation.to_owned(),
        status: Status::Finished,
        error: None,
        updated_at: at,
        batched: true,
        batches_count: 0,
        total_objects_count: 0,
        batches: Some(Vec::<BatchEntry>::new()),
        file: None,
        rows_read: None,
        skipped: Vec::new(),
        skipped_count: 0,
        skipped_nested_count: 0,
        notes: Default::default(),
    }
}
