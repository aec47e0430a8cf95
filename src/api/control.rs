//! Starting exports, and taking them back.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use super::access::{MayWrite, RequestedGroup};
use super::directory::Group;
use super::errors::ApiError;
use super::exports::QueueFull;
use super::params::Params;
use super::request;

/// `POST /groups/:id/export_relations`: asks for an export, as GitLab does.
pub(crate) async fn start(
    State(app): State<App>,
    MayWrite: MayWrite,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let params = params(query, headers, request).await?;
    ask(app, vec![group.0], &params).await?;
    Ok(accepted(json!({ "message": "202 Accepted" })))
}

/// `POST /-/relexport/groups/:id/export`: the same, where wanted with all groups below the group.
pub(crate) async fn start_tree(
    State(app): State<App>,
    MayWrite: MayWrite,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let params = params(query, headers, request).await?;
    let groups = with_subgroups(&app, group.0, &params)?;
    let count = groups.len();
    ask(app, groups, &params).await?;
    Ok(accepted(
        json!({ "message": "202 Accepted", "groups": count }),
    ))
}

/// `DELETE /-/relexport/groups/:id/export`: takes back what waits or runs, where wanted of all groups below the group, too.
pub(crate) async fn cancel(
    State(app): State<App>,
    MayWrite: MayWrite,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    // GitLab's framework reads the body of a DELETE, too.
    let params = params(query, headers, request).await?;
    let groups = with_subgroups(&app, group.0, &params)?;
    let groups: Vec<i64> = groups.iter().map(|group| group.id).collect();
    let cancelled = tokio::task::spawn_blocking(move || app.queue.cancel(&groups));
    match cancelled.await {
        Ok(Ok(0)) => Err(ApiError::not_found(
            "404 Not Found: no export of this group waits or runs",
        )),
        Ok(Ok(count)) => {
            Ok(Json(json!({ "message": "200 Cancelled", "groups": count })).into_response())
        }
        Ok(Err(error)) => Err(ApiError::internal("cannot take an export back", error)),
        Err(error) => Err(ApiError::internal("cannot take an export back", error)),
    }
}

async fn params(
    query: Option<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Params, ApiError> {
    let body = request::body(request.into_body()).await?;
    Params::of_request(query.as_deref(), &headers, &body).await
}

fn accepted(body: serde_json::Value) -> Response {
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// The group, and with `subgroups` those below it, whoever may see a group may see those.
fn with_subgroups(app: &App, group: Group, params: &Params) -> Result<Vec<Group>, ApiError> {
    let mut groups = Vec::new();
    if params.boolean("subgroups")?.unwrap_or(false) {
        let directory = app.directory()?;
        groups.extend(directory.descendants(group.id).into_iter().cloned());
    }
    groups.insert(0, group);
    Ok(groups)
}

async fn ask(app: App, groups: Vec<Group>, params: &Params) -> Result<(), ApiError> {
    let batched = params.boolean("batched")?.unwrap_or(false);
    let directory = app.directory()?;
    // What is there of these would look like a whole group.
    if let Some(other) = groups.iter().find(|group| !directory.is_whole(group.id)) {
        return Err(ApiError::not_found(&format!(
            "404 Not Found: the snapshot was taken without the rows of group {}",
            other.id
        )));
    }
    let groups: Vec<i64> = groups.iter().map(|group| group.id).collect();
    let batch_size = app.options.batch_size.get();
    let asked = tokio::task::spawn_blocking(move || app.queue.ask(&groups, batched, batch_size));
    match asked.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(QueueFull::Full | QueueFull::Closed)) => Err(ApiError::too_many_exports()),
        Ok(Err(QueueFull::Io(error))) => Err(ApiError::internal("cannot accept an export", error)),
        Err(error) => Err(ApiError::internal("cannot accept an export", error)),
    }
}
