//! `/-/relexport/…`: what the page shows beyond GitLab's API, which has no words for it.

use axum::Json;
use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::access::{Access, Authenticated, RequestedGroup};
use super::address;
use super::archive;
use super::directory::{Directory, Group, Instance};
use super::errors::ApiError;
use super::exports::{self, GroupProgress, Run, State as RunState};
use super::groups::matches;
use super::paging::Page;
use super::params::Params;
use super::status;
use crate::output::{Manifest, RelationEntry, Status};

/// A group in the tree.
#[derive(Serialize)]
struct GroupLine {
    id: i64,
    parent_id: Option<i64>,
    name: String,
    path: String,
    full_path: String,
    /// Direct children.
    subgroups_count: usize,
    /// Null before the first export.
    export: Option<&'static str>,
    /// False for a group whose rows the snapshot was taken without: it is there for the paths of those below it.
    exportable: bool,
}

/// What the page says an export is at.
fn word(run: &Run, group: i64) -> &'static str {
    match run.state() {
        RunState::Waiting => "waiting",
        RunState::Running => "running",
        RunState::Failed(_) => "failed",
        RunState::Ended if run.is_complete_for(group) => "finished",
        RunState::Ended => "failed",
    }
}

fn line(app: &App, directory: &Directory, group: &Group) -> GroupLine {
    let newest = app.queue.runs_of(group.id).newest;
    GroupLine {
        id: group.id,
        parent_id: group.parent_id,
        name: group.name.clone(),
        path: group.path().to_owned(),
        full_path: group.full_path.clone(),
        subgroups_count: directory.count_below(group.id),
        export: newest.map(|run| word(&run, group.id)),
        exportable: directory.is_whole(group.id),
    }
}

/// The groups at the top of what a token may see: the roots, or the groups that the token names.
fn tops<'d>(directory: &'d Directory, access: &Access) -> Vec<&'d Group> {
    if access.sees_all() {
        return directory.below(None).collect();
    }
    let mut tops: Vec<&Group> = directory
        .groups()
        .iter()
        .filter(|group| access.may_see(directory, group))
        .filter(|group| {
            let parent = group.parent_id.and_then(|parent| directory.get(parent));
            parent.is_none_or(|parent| !access.may_see(directory, parent))
        })
        .collect();
    tops.sort_by_cached_key(|group| (group.name.to_lowercase(), group.id));
    tops
}

/// `GET /-/relexport/groups`: a page of groups: those at the top, or with `parent_id` those below a group, or with
/// `search` those whose name or path holds a text.
pub(crate) async fn groups(
    State(app): State<App>,
    Authenticated(access): Authenticated,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let page = Page::of(&params)?;
    let search = params.text("search")?.filter(|text| !text.is_empty());
    let parent = params.integer("parent_id")?;
    let directory = app.directory()?;
    let may_see = |group: &&Group| access.may_see(directory, group);
    let groups: Vec<&Group> = match (search, parent) {
        (Some(wanted), _) => {
            let all = directory.groups().iter();
            let mut found: Vec<&Group> = all
                .filter(|group| matches(group, &wanted))
                .filter(may_see)
                .collect();
            found.sort_by(|a, b| a.full_path.cmp(&b.full_path));
            found
        }
        (None, Some(parent)) => directory.below(Some(parent)).filter(may_see).collect(),
        (None, None) => tops(directory, &access),
    };
    let total = groups.len();
    let rows: Vec<GroupLine> = page
        .cut(groups)
        .into_iter()
        .map(|group| line(&app, directory, group))
        .collect();
    let address = address::of(&app, &headers, &uri);
    Ok(page.answer(&rows, total, &address, &params))
}

/// All that is known of a group's export.
#[derive(Serialize)]
struct Overview {
    group: GroupLine,
    /// `null` before the first export, else `waiting`, `running`, `finished` or `failed`.
    state: Option<&'static str>,
    /// Why the whole export came to nothing, or is not to be relied on.
    error: Option<String>,
    accepted_at: Option<String>,
    batched: Option<bool>,
    batch_size: Option<u32>,
    /// Groups that wait before this one; null unless it waits.
    groups_before: Option<usize>,
    progress: Option<GroupProgress>,
    /// The rows of the status endpoint, with their files.
    relations: Vec<RelationEntry>,
    /// The manifest of the newest export, with this group alone; null while there is none.
    manifest: Option<Manifest>,
    /// An older export of the group is complete and stays downloadable.
    older_complete: bool,
    /// Relations whose whole file is still that of the older export, because the newest has none.
    older_files: Vec<String>,
    /// Groups below this one whose export waits or runs with it.
    subgroups_under_way: usize,
    /// What can be had as one archive: the newest complete export; null where there is none.
    archive: Option<Archive>,
    /// The same with all groups below this one; null where it has none, or one read of the snapshot has not all of them.
    archive_with_subgroups: Option<Archive>,
}

/// What is in an archive.
#[derive(Serialize)]
struct Archive {
    groups: usize,
    /// Of the files in it.
    bytes: u64,
}

fn archive(app: &App, directory: &Directory, group: i64, subgroups: bool) -> Option<Archive> {
    if subgroups && directory.count_below(group) == 0 {
        return None;
    }
    let groups = archive::chosen(directory, group, subgroups);
    let run = archive::complete_run(app, group, &groups)?;
    Some(Archive {
        groups: groups.len(),
        bytes: archive::size(&run, &groups),
    })
}

/// Groups below one that a run is for, too.
fn below_in(directory: &Directory, run: &Run, group: i64) -> usize {
    let is_below = |other: &i64| {
        let mut above = directory.with_ancestors(*other).into_iter().skip(1);
        above.any(|above| above.id == group)
    };
    run.groups().iter().filter(|other| is_below(other)).count()
}

/// What is served.
#[derive(Serialize)]
struct Snapshot {
    kind: String,
    source: String,
    /// When it was taken, as it writes that itself; null where it does not.
    taken_at: Option<String>,
    /// When its file or folder was written last.
    changed_at: Option<String>,
    groups: usize,
}

/// `GET /-/relexport/snapshot`.
pub(crate) async fn snapshot(
    State(app): State<App>,
    _: Authenticated,
) -> Result<Response, ApiError> {
    let directory = app.directory()?;
    let Instance {
        kind,
        source,
        taken_at,
        ..
    } = directory.instance.clone();
    Ok(Json(Snapshot {
        kind,
        source,
        taken_at,
        changed_at: app.snapshot_changed_at.clone(),
        groups: directory.groups().len(),
    })
    .into_response())
}

/// `GET /-/relexport/groups/:id`.
pub(crate) async fn group(
    State(app): State<App>,
    group: RequestedGroup,
) -> Result<Response, ApiError> {
    let RequestedGroup(group) = group;
    let directory = app.directory()?;
    let runs = app.queue.runs_of(group.id);
    let group_line = line(&app, directory, &group);
    let Some(run) = runs.newest else {
        let nothing = Overview {
            group: group_line,
            state: None,
            error: None,
            accepted_at: None,
            batched: None,
            batch_size: None,
            groups_before: None,
            progress: None,
            relations: Vec::new(),
            manifest: None,
            older_complete: false,
            older_files: Vec::new(),
            subgroups_under_way: 0,
            archive: None,
            archive_with_subgroups: None,
        };
        return Ok(Json(nothing).into_response());
    };
    let manifest = run.manifest();
    let position = manifest
        .as_deref()
        .and_then(|manifest| exports::entity(manifest, group.id))
        .map(|(position, _)| position);
    let error = match run.state() {
        RunState::Failed(error) => Some(error),
        _ => manifest
            .as_ref()
            .and_then(|manifest| manifest.error.clone()),
    };
    let relations = status::rows_of(&app, &run, group.id);
    let complete = runs.complete.filter(|older| older.number != run.number);
    let older_files = complete
        .as_ref()
        .map(|older| older_files(&relations, status::rows_of(&app, older, group.id)));
    let is_under_way = matches!(run.state(), RunState::Waiting | RunState::Running);
    let subgroups_under_way = match is_under_way && group_line.subgroups_count > 0 {
        true => below_in(directory, &run, group.id),
        false => 0,
    };
    Ok(Json(Overview {
        subgroups_under_way,
        archive: archive(&app, directory, group.id, false),
        archive_with_subgroups: archive(&app, directory, group.id, true),
        state: group_line.export,
        group: group_line,
        error,
        accepted_at: run.accepted_at(group.id),
        batched: Some(run.batched),
        batch_size: Some(run.batch_size),
        groups_before: app.queue.place_of(&run),
        progress: Some(run.progress.of(position)),
        relations,
        // Other groups of the same run are not this token's business.
        manifest: manifest.map(|manifest| manifest.only(|id| id.integer() == Some(group.id))),
        older_complete: complete.is_some(),
        older_files: older_files.unwrap_or_default(),
    })
    .into_response())
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
