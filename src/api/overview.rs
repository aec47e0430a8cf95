//! `/-/relexport/…`: what the page shows beyond GitLab's API, which has no words for it.

mod one;

pub(crate) use one::one;

use axum::Json;
use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::access::{Access, Authenticated};
use super::address;
use super::directory::{Directory, Group, Instance, Project};
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::exports::{Run, State as RunState};
use super::groups::{is_match, matches};
use super::paging::Page;
use super::params::Params;

/// A group in the tree.
#[derive(Serialize)]
pub(super) struct GroupLine {
    id: i64,
    parent_id: Option<i64>,
    name: String,
    path: String,
    full_path: String,
    /// Direct children.
    subgroups_count: usize,
    /// Projects that lie right in it.
    projects_count: usize,
    /// Null before the first export.
    export: Option<&'static str>,
    /// False for a group whose rows the snapshot was taken without: it is there for the paths of those below it.
    exportable: bool,
}

/// A project in the tree.
#[derive(Serialize)]
pub(super) struct ProjectLine {
    id: i64,
    /// The group that it lies in; null for a person's.
    group_id: Option<i64>,
    name: String,
    path: String,
    full_path: String,
    archived: bool,
    /// Null before the first export.
    export: Option<&'static str>,
    exportable: bool,
}

/// Either, with a word that says which it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum EntityLine {
    Group(GroupLine),
    Project(ProjectLine),
}

/// What the page says an export is at.
pub(super) fn word(run: &Run, entity: EntityRef) -> &'static str {
    match run.state() {
        RunState::Waiting => "waiting",
        RunState::Running => "running",
        RunState::Failed(_) => "failed",
        RunState::Ended if run.is_complete_for(entity) => "finished",
        RunState::Ended => "failed",
    }
}

fn group_line(app: &App, directory: &Directory, group: &Group) -> GroupLine {
    let entity = EntityRef::group(group.id);
    let newest = app.queue.runs_of(entity).newest;
    GroupLine {
        id: group.id,
        parent_id: group.parent_id,
        name: group.name.clone(),
        path: group.path().to_owned(),
        full_path: group.full_path.clone(),
        subgroups_count: directory.count_below(group.id),
        projects_count: directory.count_projects_of(group.id),
        export: newest.map(|run| word(&run, entity)),
        exportable: directory.is_whole(group.id),
    }
}

fn project_line(app: &App, directory: &Directory, project: &Project) -> ProjectLine {
    let entity = EntityRef::project(project.id);
    let newest = app.queue.runs_of(entity).newest;
    ProjectLine {
        id: project.id,
        group_id: project.group_id,
        name: project.name.clone(),
        path: project.path().to_owned(),
        full_path: project.full_path.clone(),
        archived: project.archived,
        export: newest.map(|run| word(&run, entity)),
        exportable: directory.instance.projects_left_out.is_some(),
    }
}

/// The line of an entity that the directory has.
pub(super) fn line(app: &App, directory: &Directory, entity: EntityRef) -> Option<EntityLine> {
    match entity.kind {
        Kind::Group => {
            let group = directory.get(entity.id)?;
            Some(EntityLine::Group(group_line(app, directory, group)))
        }
        Kind::Project => {
            let project = directory.project(entity.id)?;
            Some(EntityLine::Project(project_line(app, directory, project)))
        }
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
        .map(|group| group_line(&app, directory, group))
        .collect();
    let address = address::of(&app, &headers, &uri);
    Ok(page.answer(&rows, total, &address, &params))
}

/// `GET /-/relexport/entities`: a page of groups and projects, the groups first: those at the top, or with `parent_id` those
/// right in a group, or with `search` those whose name or path holds a text.
pub(crate) async fn entities(
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
    let (groups, projects) = match (search, parent) {
        (Some(wanted), _) => found(directory, &access, &wanted),
        (None, Some(parent)) => {
            let groups = directory.below(Some(parent));
            let groups = groups.filter(|group| access.may_see(directory, group));
            let mut projects = directory.projects_of(parent, false);
            projects.retain(|project| access.may_see_project(directory, project));
            projects.sort_by_cached_key(|project| (project.name.to_lowercase(), project.id));
            (groups.collect(), projects)
        }
        (None, None) => (tops(directory, &access), homeless(directory, &access)),
    };
    let groups = groups.into_iter().map(|group| EntityRef::group(group.id));
    let projects = projects.into_iter();
    let projects = projects.map(|project| EntityRef::project(project.id));
    let all: Vec<EntityRef> = groups.chain(projects).collect();
    let total = all.len();
    let rows: Vec<EntityLine> = page
        .cut(all)
        .into_iter()
        .filter_map(|entity| line(&app, directory, entity))
        .collect();
    let address = address::of(&app, &headers, &uri);
    Ok(page.answer(&rows, total, &address, &params))
}

/// The groups and projects whose name or path holds a text, each in order of their paths.
fn found<'d>(
    directory: &'d Directory,
    access: &Access,
    wanted: &str,
) -> (Vec<&'d Group>, Vec<&'d Project>) {
    let wanted = wanted.to_lowercase();
    let mut groups: Vec<&Group> = directory
        .groups()
        .iter()
        .filter(|group| is_match(&group.name, &group.full_path, &wanted))
        .filter(|group| access.may_see(directory, group))
        .collect();
    groups.sort_by(|a, b| a.full_path.cmp(&b.full_path));
    let mut projects: Vec<&Project> = directory
        .projects()
        .iter()
        .filter(|project| is_match(&project.name, &project.full_path, &wanted))
        .filter(|project| access.may_see_project(directory, project))
        .collect();
    projects.sort_by(|a, b| a.full_path.cmp(&b.full_path));
    (groups, projects)
}

/// The projects that lie in no group, in order of their paths; for who sees everything.
fn homeless<'d>(directory: &'d Directory, access: &Access) -> Vec<&'d Project> {
    if !access.sees_all() {
        return Vec::new();
    }
    let all = directory.projects().iter();
    let mut homeless: Vec<&Project> = all.filter(|it| it.group_id.is_none()).collect();
    homeless.sort_by(|a, b| a.full_path.cmp(&b.full_path));
    homeless
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
    projects: usize,
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
        projects: directory.projects().len(),
    })
    .into_response())
}
