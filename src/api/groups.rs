//! Groups, for people and for direct-transfer destinations.

use axum::Json;
use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::access::{Authenticated, RequestedGroup};
use super::address;
use super::app::reading;
use super::attributes::{Attributes, attributes};
use super::badge::BadgeEntity;
use super::directory::Group;
use super::errors::ApiError;
use super::paging::Page;
use super::params::Params;

/// A group as GitLab's API shows it.
#[derive(Serialize)]
struct GroupEntity {
    id: i64,
    web_url: String,
    name: String,
    path: String,
    description: Option<String>,
    visibility: Option<&'static str>,
    share_with_group_lock: Option<bool>,
    require_two_factor_authentication: Option<bool>,
    two_factor_grace_period: Option<i64>,
    project_creation_level: Option<&'static str>,
    auto_devops_enabled: Option<bool>,
    subgroup_creation_level: Option<&'static str>,
    emails_disabled: bool,
    emails_enabled: bool,
    mentions_disabled: Option<bool>,
    lfs_enabled: bool,
    archived: bool,
    avatar_url: Option<String>,
    request_access_enabled: Option<bool>,
    full_name: String,
    full_path: String,
    created_at: Option<String>,
    parent_id: Option<i64>,
    organization_id: Option<i64>,
    marked_for_deletion_on: Option<String>,
}

impl GroupEntity {
    fn new(base: &str, of: Attributes) -> Self {
        GroupEntity {
            id: of.id,
            web_url: format!("{base}/groups/{}", of.full_path),
            name: of.name,
            path: of.path,
            description: of.description,
            visibility: of.visibility,
            share_with_group_lock: of.share_with_group_lock,
            require_two_factor_authentication: of.require_two_factor_authentication,
            two_factor_grace_period: of.two_factor_grace_period,
            project_creation_level: of.project_creation_level,
            auto_devops_enabled: None,
            subgroup_creation_level: of.subgroup_creation_level,
            emails_disabled: of.emails_disabled,
            emails_enabled: !of.emails_disabled,
            mentions_disabled: of.mentions_disabled,
            lfs_enabled: of.lfs_enabled,
            archived: false,
            avatar_url: None,
            request_access_enabled: of.request_access_enabled,
            full_name: of.full_name,
            full_path: of.full_path,
            created_at: of.created_at,
            parent_id: of.parent_id,
            organization_id: of.organization_id,
            marked_for_deletion_on: None,
        }
    }
}

/// True where the group's name or path holds the text, or its full path, where the text has a slash.
pub(crate) fn matches(group: &Group, wanted: &str) -> bool {
    is_match(&group.name, &group.full_path, &wanted.to_lowercase())
}

/// True where a name or the last part of a full path holds a text of small letters, or all of the path, where the text has a
/// slash.
pub(crate) fn is_match(name: &str, full_path: &str, wanted: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(wanted);
    let path = full_path
        .rsplit_once('/')
        .map_or(full_path, |(_, path)| path);
    match wanted.contains('/') {
        true => holds(full_path),
        false => holds(name) || holds(path),
    }
}

fn sort(groups: &mut [Group], params: &Params) -> Result<(), ApiError> {
    let by = params.choice("order_by", &["name", "path", "id", "similarity"])?;
    let order = params.choice("sort", &["asc", "desc"])?;
    match by {
        "path" => groups.sort_by(|a, b| (a.path(), a.id).cmp(&(b.path(), b.id))),
        "id" => groups.sort_by_key(|group| group.id),
        _ => groups.sort_by_cached_key(|group| (group.name.to_lowercase(), group.id)),
    }
    if order == "desc" {
        groups.reverse();
    }
    Ok(())
}

/// Answers with a page of groups.
async fn answer(
    app: &App,
    headers: &HeaderMap,
    uri: &OriginalUri,
    params: &Params,
    mut groups: Vec<Group>,
) -> Result<Response, ApiError> {
    let page = Page::of(params)?;
    if let Some(wanted) = params.text("search")?.filter(|text| !text.is_empty()) {
        groups.retain(|group| matches(group, &wanted));
    }
    sort(&mut groups, params)?;
    let total = groups.len();
    let groups = page.cut(groups);
    let base = address::base(app, headers);
    let rows = reading(app, move |directory| {
        let rows = groups.iter().map(|group| {
            let attributes = attributes(directory, group)?;
            Ok(GroupEntity::new(&base, attributes))
        });
        rows.collect::<std::io::Result<Vec<_>>>()
    });
    let address = address::of(app, headers, uri);
    Ok(page.answer(&rows.await?, total, &address, params))
}

/// `GET /groups`: the groups that the token may see.
pub(crate) async fn list(
    State(app): State<App>,
    Authenticated(access): Authenticated,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let top_only = params.boolean("top_level_only")?.unwrap_or(false);
    let directory = app.directory()?;
    let seen = directory.groups().iter().filter(|group| {
        (!top_only || group.parent_id.is_none()) && access.may_see(directory, group)
    });
    let groups = seen.cloned().collect();
    answer(&app, &headers, &uri, &params, groups).await
}

/// `GET /groups/:id/subgroups`: the direct children.
pub(crate) async fn subgroups(
    State(app): State<App>,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let groups = app.directory()?.below(Some(group.0.id)).cloned().collect();
    answer(&app, &headers, &uri, &params, groups).await
}

/// `GET /groups/:id`.
pub(crate) async fn one(
    State(app): State<App>,
    group: RequestedGroup,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let base = address::base(&app, &headers);
    let found = reading(&app, move |directory| {
        attributes(directory, &group.0).map(|found| GroupEntity::new(&base, found))
    });
    Ok(Json(found.await?).into_response())
}

/// `GET /groups/:id/badges`: the group's own.
pub(crate) async fn badges(
    State(app): State<App>,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let page = Page::of(&params)?;
    let wanted = params.text("name")?.filter(|name| !name.is_empty());
    let id = group.0.id;
    let mut badges = reading(&app, move |directory| Ok(directory.details(id)?.badges)).await?;
    badges.retain(|badge| wanted.is_none() || badge.name == wanted);
    let total = badges.len();
    let rows: Vec<BadgeEntity> = page
        .cut(badges)
        .into_iter()
        .map(|badge| {
            // Placeholders such as %{default_branch} are about projects; a group has nothing to put there.
            let (link_url, image_url) = (badge.link_url.clone(), badge.image_url.clone());
            BadgeEntity::new(badge, "group", link_url, image_url)
        })
        .collect();
    let address = address::of(&app, &headers, &uri);
    Ok(page.answer(&rows, total, &address, &params))
}
