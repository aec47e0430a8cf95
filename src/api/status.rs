//! `GET /groups/:id/export_relations/status`: what each relation's export is at.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::RequestedGroup;
use super::errors::ApiError;
use super::exports::{Run, State as RunState};
use super::params::Params;
use crate::output::{BatchEntry, Manifest, RelationEntry, Status};
use crate::pipeline::Pipeline;
use crate::resolve::{Relations, Selection};

/// The relation of files, which a snapshot of the database does not have. Every destination asks for it and takes
/// a missing row for a failure, so there is a row that says that there is nothing to fetch.
const UPLOADS: &str = "uploads";

/// A relation that every export has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    name: String,
    batched: bool,
}

/// The relations of every export: those of the pipeline, without those that the snapshot has no table for.
pub(crate) fn templates(
    pipeline: &Pipeline,
    edition: crate::pipeline::Edition,
    left_out: &[String],
) -> Vec<Template> {
    let selection = Selection {
        relations: Relations::All,
        edition,
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
pub(crate) async fn get(
    State(app): State<App>,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let wanted = params.text("relation")?;
    let rows = rows(&app, group.0.id);
    let Some(wanted) = wanted else {
        return Ok(Json(rows).into_response());
    };
    match rows.into_iter().find(|row| row.relation == wanted) {
        Some(row) => Ok(Json(row).into_response()),
        None => Err(ApiError::not_found("Export not found")),
    }
}

/// The rows of a group, as GitLab gives them; none before its first export.
pub(crate) fn rows(app: &App, group: i64) -> Vec<RelationEntry> {
    let Some(run) = app.queue.runs_of(group).newest else {
        return Vec::new();
    };
    let mut rows = rows_of(app, &run, group);
    for row in &mut rows {
        *row = row.without_files();
    }
    rows
}

/// The rows of a group in a run, with files. Before the engine knows the groups they are all at their beginning.
pub(crate) fn rows_of(app: &App, run: &Run, group: i64) -> Vec<RelationEntry> {
    let manifest = run.manifest();
    let found = manifest.as_deref().and_then(|manifest| of(manifest, group));
    let mut rows = match found {
        Some(found) => found.to_vec(),
        None => begun(app, run, group),
    };
    let at = rows.iter().position(|row| row.relation == "self");
    let uploads = uploads(run.accepted_at(group).unwrap_or_default());
    rows.insert(at.unwrap_or(rows.len()), uploads);
    rows
}

fn of(manifest: &Manifest, group: i64) -> Option<&[RelationEntry]> {
    super::exports::entity(manifest, group).map(|(_, entity)| entity.relations.as_slice())
}

fn begun(app: &App, run: &Run, group: i64) -> Vec<RelationEntry> {
    let error = match run.state() {
        RunState::Failed(error) => Some(error),
        RunState::Waiting | RunState::Running | RunState::Ended => None,
    };
    let templates = app.templates.get().map(Vec::as_slice).unwrap_or_default();
    let rows = templates.iter().map(|template| {
        let batched = run.batched && template.batched;
        RelationEntry {
            relation: template.name.clone(),
            status: match error {
                Some(_) => Status::Failed,
                None => Status::Started,
            },
            error: error.clone(),
            updated_at: run.accepted_at(group).unwrap_or_default(),
            batched,
            batches_count: 0,
            total_objects_count: 0,
            batches: batched.then(Vec::new),
            file: None,
            skipped: Vec::new(),
            skipped_count: 0,
            notes: Default::default(),
        }
    });
    rows.collect()
}

fn uploads(at: String) -> RelationEntry {
    RelationEntry {
        relation: UPLOADS.to_owned(),
        status: Status::Finished,
        error: None,
        updated_at: at,
        batched: true,
        batches_count: 0,
        total_objects_count: 0,
        batches: Some(Vec::<BatchEntry>::new()),
        file: None,
        skipped: Vec::new(),
        skipped_count: 0,
        notes: Default::default(),
    }
}
