//! `/-/health` and `/-/readiness`, in the form of GitLab's.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;

/// The server is alive.
pub(crate) async fn health() -> Response {
    ([(header::CONTENT_TYPE, "text/plain")], "relexport OK").into_response()
}

/// The server can answer: the groups are known, and it is not ending.
pub(crate) async fn readiness(State(app): State<App>) -> Response {
    let groups = match (app.directory.get(), app.queue.is_closed()) {
        (_, true) => Err("the server is ending"),
        (None, false) => Err("the groups of the snapshot are still being read"),
        (Some(_), false) => Ok(()),
    };
    match groups {
        Ok(()) => {
            let body = json!({ "status": "ok", "groups_check": [{ "status": "ok" }] });
            Json(body).into_response()
        }
        Err(message) => {
            let check = json!([{ "status": "failed", "message": message }]);
            let body = json!({ "status": "failed", "groups_check": check });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
