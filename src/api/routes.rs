//! The routes.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::access;
use super::errors::ApiError;
use super::{
    App, archive, control, download, graphql, groups, health, host, instance, metrics, openapi,
    overview, page, request, status,
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
        .route("/groups/{id}/export_relations", post(control::start))
        .route("/groups/{id}/export_relations/status", get(status::get))
        .route("/groups/{id}/export_relations/download", get(download::get));
    let own = Router::new()
        .route("/groups", get(overview::groups))
        .route("/groups/{id}", get(overview::group))
        .route(
            "/groups/{id}/export",
            post(control::start_tree).delete(control::cancel),
        )
        .route("/groups/{id}/archive", get(archive::get))
        .route("/snapshot", get(overview::snapshot));
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
