//! Starting exports, and taking them back.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::access::MayWrite;
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::exportable::{Exportable, family, is_whole};
use super::exports::{FamilyRole, Order, QueueFull, RunOptions};
use super::params::Params;
use super::request;

/// `POST /groups/:id/export_relations`, and the same of a project: asks for an export, as GitLab does.
pub(crate) async fn start<E: Exportable>(
    State(app): State<App>,
    MayWrite: MayWrite,
    asked: E,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let params = params(query, headers, request).await?;
    let order = order(&app, asked.entity(), &params)?;
    ask(app, order).await?;
    Ok(accepted(json!({ "message": "202 Accepted" })))
}

/// `POST /-/relexport/groups/:id/export`, and the same of a project: asks for an export, where wanted with all that lies in
/// the group, and where wanted anew.
pub(crate) async fn start_tree<E: Exportable>(
    State(app): State<App>,
    MayWrite: MayWrite,
    asked: E,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let params = params(query, headers, request).await?;
    let mut order = order(&app, asked.entity(), &params)?;
    order.anew = params.boolean("anew")?.unwrap_or(false);
    if wants_subgroups(order.entity, &params)? {
        let directory = app.directory()?;
        order.role = FamilyRole::Asked;
        order.family = family(directory, order.entity);
        check_whole(&app, &order.family)?;
    } else if order.anew {
        order.family = Vec::new();
    }
    let mut asked = vec![order.entity];
    if order.role == FamilyRole::Asked {
        asked.extend(&order.family);
    }
    let new = ask(app, order).await?;
    let mut body = counted("202 Accepted", &asked);
    body["new"] = json!(new);
    Ok(accepted(body))
}

/// `DELETE /-/relexport/groups/:id/export`, and the same of a project: takes back what waits or runs, where wanted of all that
/// lies in the group, too.
pub(crate) async fn cancel<E: Exportable>(
    State(app): State<App>,
    MayWrite: MayWrite,
    asked: E,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    // GitLab's framework reads the body of a DELETE, too.
    let params = params(query, headers, request).await?;
    let entity = asked.entity();
    let mut entities = vec![entity];
    if wants_subgroups(entity, &params)? {
        entities.extend(family(app.directory()?, entity));
    }
    let cancelled = tokio::task::spawn_blocking(move || app.queue.cancel(&entities));
    match cancelled.await {
        Ok(Ok(cancelled)) if cancelled.is_empty() => Err(ApiError::not_found(&format!(
            "404 Not Found: no export of this {} waits or runs",
            entity.kind.word()
        ))),
        Ok(Ok(cancelled)) => {
            let cancelled: Vec<EntityRef> = cancelled.into_iter().collect();
            Ok(Json(counted("200 Cancelled", &cancelled)).into_response())
        }
        Ok(Err(error)) => Err(ApiError::internal("cannot take an export back", error)),
        Err(error) => Err(ApiError::internal("cannot take an export back", error)),
    }
}

/// An answer that says of how many groups and projects it is.
fn counted(message: &str, entities: &[EntityRef]) -> Value {
    let count = |kind| entities.iter().filter(|it| it.kind == kind).count();
    json!({ "message": message, "groups": count(Kind::Group), "projects": count(Kind::Project) })
}

async fn params(
    query: Option<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Params, ApiError> {
    let body = request::body(request.into_body()).await?;
    Params::of_request(query.as_deref(), &headers, &body).await
}

/// True if all that lies in a group is meant. In a project nothing does.
pub(crate) fn wants_subgroups(entity: EntityRef, params: &Params) -> Result<bool, ApiError> {
    match entity.kind {
        Kind::Group => Ok(params.boolean("subgroups")?.unwrap_or(false)),
        Kind::Project => Ok(false),
    }
}

fn accepted(body: Value) -> Response {
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// Makes sure that the snapshot has the rows of these: what is there of others would look whole.
fn check_whole(app: &App, entities: &[EntityRef]) -> Result<(), ApiError> {
    let directory = app.directory()?;
    let mut entities = entities.iter();
    match entities.find(|entity| !is_whole(directory, **entity)) {
        None => Ok(()),
        Some(other) => Err(ApiError::not_found(&format!(
            "404 Not Found: the snapshot was taken without the rows of {} {}",
            other.kind.word(),
            other.id
        ))),
    }
}

/// What a request asks for: the entity, and what is exported with it unless the server is told not to.
fn order(app: &App, entity: EntityRef, params: &Params) -> Result<Order, ApiError> {
    let batched = params.boolean("batched")?.unwrap_or(false);
    check_whole(app, &[entity])?;
    let directory = app.directory()?;
    let mut others = match app.options.prefetch {
        true => family(directory, entity),
        false => Vec::new(),
    };
    others.retain(|other| is_whole(directory, *other));
    Ok(Order {
        entity,
        family: others,
        role: FamilyRole::Prefetched,
        options: RunOptions {
            batched,
            batch_size: app.options.batch_size.get(),
        },
        anew: false,
    })
}

async fn ask(app: App, order: Order) -> Result<usize, ApiError> {
    let asked = tokio::task::spawn_blocking(move || app.queue.ask(&order));
    match asked.await {
        Ok(Ok(new)) => Ok(new),
        Ok(Err(QueueFull::Full | QueueFull::Closed)) => Err(ApiError::too_many_exports()),
        Ok(Err(QueueFull::Io(error))) => Err(ApiError::internal("cannot accept an export", error)),
        Err(error) => Err(ApiError::internal("cannot accept an export", error)),
    }
}
