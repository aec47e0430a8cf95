//! `GET /-/relexport/groups/:id`, and the same of a project: all that is known of its export.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{EntityLine, line, word};
use crate::api::App;
use crate::api::archive;
use crate::api::directory::Directory;
use crate::api::entity::{EntityRef, Kind};
use crate::api::errors::ApiError;
use crate::api::exportable::{Exportable, family};
use crate::api::exports::{EntityProgress, Run, State as RunState};
use crate::api::status;
use crate::output::{Manifest, Partial, RelationEntry, Status};

/// All that is known of an entity's export.
#[derive(Serialize)]
struct Overview {
    /// As `group` or `project`.
    #[serde(flatten)]
    line: Subject,
    /// `null` before the first export, else `waiting`, `running`, `finished` or `failed`.
    state: Option<&'static str>,
    /// Why the whole export came to nothing, or is not to be relied on.
    error: Option<String>,
    accepted_at: Option<String>,
    batched: Option<bool>,
    batch_size: Option<u32>,
    /// Groups and projects that wait before this one; null unless it waits.
    groups_before: Option<usize>,
    progress: Option<EntityProgress>,
    /// The rows of the status endpoint, with their files.
    relations: Vec<RelationEntry>,
    /// The manifest of the newest export, with this entity alone; null while there is none.
    manifest: Option<Manifest>,
    /// What of it is partial, in sentences.
    partial: Partial,
    /// An older export is complete and stays downloadable.
    older_complete: bool,
    /// Relations whose whole file is still that of the older export, because the newest has none.
    older_files: Vec<String>,
    /// Groups and projects below this one whose export waits or runs with it.
    subgroups_under_way: usize,
    projects_under_way: usize,
    /// Where the exports of a group and of all that lies in it are; null for one in which nothing lies.
    family: Option<Family>,
    /// What can be had as one archive: the newest complete export; null where there is none.
    archive: Option<Archive>,
    /// The same with all that lies in the group; null where nothing does, or one read of the snapshot has not all of it.
    archive_with_subgroups: Option<Archive>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Subject {
    Group(EntityLine),
    Project(EntityLine),
}

/// How many groups and projects there are, the group itself among them, and where their exports are.
#[derive(Default, Serialize)]
struct Family {
    groups: usize,
    projects: usize,
    waiting: usize,
    running: usize,
    finished: usize,
    failed: usize,
}

/// What is in an archive.
#[derive(Serialize)]
struct Archive {
    groups: usize,
    projects: usize,
    /// Of the files in it.
    bytes: u64,
}

/// Answers the request.
pub(crate) async fn one<E: Exportable>(
    State(app): State<App>,
    asked: E,
) -> Result<Response, ApiError> {
    let entity = asked.entity();
    let directory = app.directory()?;
    let line = line(&app, directory, entity).ok_or_else(|| ApiError::not_found("404 Not Found"))?;
    let runs = app.queue.runs_of(entity);
    let below = family(directory, entity);
    let newest = runs.newest;
    let members = Members::of(&app, entity, &below, newest.as_ref());
    let mut overview = Overview {
        line: match entity.kind {
            Kind::Group => Subject::Group(line),
            Kind::Project => Subject::Project(line),
        },
        state: None,
        error: None,
        accepted_at: None,
        batched: None,
        batch_size: None,
        groups_before: None,
        progress: None,
        relations: Vec::new(),
        manifest: None,
        partial: Partial::default(),
        older_complete: false,
        older_files: Vec::new(),
        subgroups_under_way: members.groups_under_way,
        projects_under_way: members.projects_under_way,
        family: (!below.is_empty()).then_some(members.family),
        archive: None,
        archive_with_subgroups: None,
    };
    let Some(run) = newest else {
        return Ok(Json(overview).into_response());
    };
    // Others of the same run are not this token's business.
    let manifest = run.manifest_of(&HashSet::from([entity]));
    let relations = status::rows_of(&app, &run, entity);
    let complete = runs.complete.filter(|older| older.number != run.number);
    if let Some(older) = &complete {
        overview.older_files = older_files(&relations, status::rows_of(&app, older, entity));
    }
    overview.state = Some(word(&run, entity));
    overview.error = match run.state() {
        RunState::Failed(error) => Some(error),
        _ => manifest.as_ref().and_then(|found| found.error.clone()),
    };
    overview.accepted_at = run.accepted_at(entity);
    overview.batched = Some(run.options.batched);
    overview.batch_size = Some(run.options.batch_size);
    overview.groups_before = app.queue.place_of(&run);
    let position = run.entry(entity).map(|(position, _)| position);
    overview.progress = Some(run.progress.of(position));
    overview.relations = relations;
    overview.manifest =
        manifest.filter(|found| !found.entities.is_empty() || found.error.is_some());
    overview.partial = (overview.manifest.as_ref()).map_or_else(Partial::default, Partial::of);
    overview.older_complete = complete.is_some();
    overview.archive = archive(&app, directory, entity, false);
    if !below.is_empty() {
        overview.archive_with_subgroups = archive(&app, directory, entity, true);
    }
    Ok(Json(overview).into_response())
}

/// What becomes of a group and of all that lies in it.
#[derive(Default)]
struct Members {
    family: Family,
    /// Those below whose export waits or runs with the group's.
    groups_under_way: usize,
    projects_under_way: usize,
}

impl Members {
    fn of(app: &App, entity: EntityRef, below: &[EntityRef], own: Option<&Arc<Run>>) -> Members {
        let mut members = Members::default();
        let mut all = vec![entity];
        all.extend(below);
        // Of a run that goes on, what is complete so far: the family's parts end one by one.
        let mut complete: HashMap<u64, Arc<HashSet<EntityRef>>> = HashMap::new();
        for (member, newest) in all.iter().zip(app.queue.newest_of(&all)) {
            let family = &mut members.family;
            match member.kind {
                Kind::Group => family.groups += 1,
                Kind::Project => family.projects += 1,
            }
            let Some(run) = newest else {
                continue;
            };
            let state = run.state();
            let complete = complete
                .entry(run.number)
                .or_insert_with(|| run.complete_so_far());
            match state {
                RunState::Waiting => family.waiting += 1,
                RunState::Running if complete.contains(member) => family.finished += 1,
                RunState::Running => family.running += 1,
                RunState::Ended if run.is_complete_for(*member) => family.finished += 1,
                RunState::Ended | RunState::Failed(_) => family.failed += 1,
            }
            let is_with_it = *member != entity && own.is_some_and(|own| Arc::ptr_eq(own, &run));
            if is_with_it && matches!(state, RunState::Waiting | RunState::Running) {
                match member.kind {
                    Kind::Group => members.groups_under_way += 1,
                    Kind::Project => members.projects_under_way += 1,
                }
            }
        }
        members
    }
}

fn archive(
    app: &App,
    directory: &Directory,
    entity: EntityRef,
    subgroups: bool,
) -> Option<Archive> {
    let all = archive::chosen(directory, entity, subgroups);
    let run = archive::complete_run(app, entity, &all)?;
    let count = |kind| all.iter().filter(|it| it.kind == kind).count();
    Some(Archive {
        groups: count(Kind::Group),
        projects: count(Kind::Project),
        bytes: archive::size(&run, &all),
    })
}

/// The relations that a download takes from the older export, as far as that has them in one file.
fn older_files(newest: &[RelationEntry], older: Vec<RelationEntry>) -> Vec<String> {
    let is_there = |name: &str| {
        let mut rows = newest.iter();
        rows.any(|row| row.relation == name && row.status == Status::Finished)
    };
    older
        .into_iter()
        .filter(|row| row.batches.is_none() && row.file.is_some() && !is_there(&row.relation))
        .map(|row| row.relation)
        .collect()
}
