//! Projects, for people and for direct-transfer destinations.

mod badges;
mod entity;
mod list;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::RequestedProject;
use super::address;
use super::app::reading;
use super::errors::ApiError;
pub(crate) use badges::badges;
use entity::ProjectEntity;
pub(crate) use list::{all, matches, of_group};

/// `GET /projects/:id`.
pub(crate) async fn one(
    State(app): State<App>,
    project: RequestedProject,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let base = address::base(&app, &headers);
    let found = reading(&app, move |directory| {
        ProjectEntity::read(directory, &base, &project.0)
    });
    Ok(Json(found.await?).into_response())
}
