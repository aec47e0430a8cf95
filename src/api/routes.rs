//! The routes.

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::access::{self, GroupOf, MayWrite};
use super::errors::ApiError;
use super::exports::QueueFull;
use super::params::Params;
use super::{
    App, download, graphql, groups, health, host, instance, metrics, openapi, overview, page,
    request, status,
};

/// All routes, below the relative root.
pub fn router(app: &App) -> Router {
    let rest = Router::new()
        .route("/version", get(instance::version))
        .route("/metadata", get(instance::version))
        .route(
            "/personal_access_tokens/self",
            get(instance::personal_access_token),
        )
        .route("/groups", get(groups::list))
        .route("/groups/{id}", get(groups::one))
        .route("/groups/{id}/subgroups", get(groups::subgroups))
        .route("/groups/{id}/badges", get(groups::badges))
        .route("/groups/{id}/wikis", get(groups::wikis))
        .route("/groups/{id}/export_relations", post(start_export))
        .route("/groups/{id}/export_relations/status", get(status::get))
        .route("/groups/{id}/export_relations/download", get(download::get));
    let own = Router::new()
        .route("/groups", get(overview::groups))
        .route("/groups/{id}", get(overview::group));
    let open = Router::new()
        .route("/health", get(health::health))
        .route("/readiness", get(health::readiness))
        .route("/metrics", get(metrics::get))
        .route("/openapi.json", get(openapi::get))
        .route("/page/{name}", get(page::asset));
    let guarded = Router::new()
        .nest("/api/v4", rest)
        .nest("/-/relexport", own)
        .layer(from_fn_with_state(app.clone(), access::of_request));
    let graphql = Router::new()
        .route("/api/graphql", post(graphql::post))
        .layer(from_fn_with_state(app.clone(), access::of_graphql));
    let all = guarded.merge(graphql).nest("/-", open);
    let root = &app.options.relative_url_root;
    let all = match root.is_empty() {
        true => all.route("/", get(page::index)),
        false => Router::new()
            .nest(root, all)
            .route(root, get(page::with_slash))
            .route(&format!("{root}/"), get(page::index)),
    };
    all.fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(from_fn_with_state(app.clone(), request::log))
        .with_state(app.clone())
}

/// `POST /groups/:id/export_relations`: asks for an export.
async fn start_export(
    State(app): State<App>,
    MayWrite: MayWrite,
    group: GroupOf,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let body = request::body(request.into_body()).await?;
    let params = Params::of_request(query.as_deref(), &headers, &body)?;
    let batched = params.boolean("batched")?.unwrap_or(false);
    let batch_size = app.options.batch_size.get();
    let asked = tokio::task::spawn_blocking(move || app.queue.ask(group.0.id, batched, batch_size));
    match asked.await {
        Ok(Ok(())) => {
            let accepted = axum::Json(json!({ "message": "202 Accepted" }));
            Ok((StatusCode::ACCEPTED, accepted).into_response())
        }
        Ok(Err(QueueFull::Full | QueueFull::Closed)) => Err(ApiError::too_many_exports()),
        Ok(Err(QueueFull::Io(error))) => Err(ApiError::internal("cannot accept an export", error)),
        Err(error) => Err(ApiError::internal("cannot accept an export", error)),
    }
}
