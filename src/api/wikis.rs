//! Whether there is a wiki: destinations ask for its pages, and fetch it by git where there is one.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::App;
use super::access::{RequestedGroup, RequestedProject};
use super::app::reading;
use super::entity::EntityRef;
use super::errors::ApiError;
use super::git;

/// A page of a wiki. Pages are in a repository, which is not read for them: of one that is there, its home page stands for
/// all.
#[derive(Serialize)]
pub(crate) struct WikiPage {
    format: &'static str,
    slug: &'static str,
    title: &'static str,
    wiki_page_meta_id: Option<i64>,
}

const HOME: WikiPage = WikiPage {
    format: "markdown",
    slug: "home",
    title: "home",
    wiki_page_meta_id: None,
};

/// Nobody may use the feature.
const DISABLED: i64 = 0;

/// `GET /projects/:id/wikis`.
pub(crate) async fn of_project(
    State(app): State<App>,
    project: RequestedProject,
) -> Result<Json<Vec<WikiPage>>, ApiError> {
    let id = project.0.id;
    let read = reading(&app, move |directory| directory.project_details(id));
    let features = read.await?.features.unwrap_or_default();
    if features.wiki == Some(DISABLED) {
        return Err(ApiError::forbidden());
    }
    pages(&app, EntityRef::project(id)).await
}

/// `GET /groups/:id/wikis`.
pub(crate) async fn of_group(
    State(app): State<App>,
    group: RequestedGroup,
) -> Result<Json<Vec<WikiPage>>, ApiError> {
    let id = group.0.id;
    let read = reading(&app, move |directory| directory.details(id));
    if read.await?.group.wiki_access_level == Some(DISABLED) {
        return Err(ApiError::forbidden());
    }
    pages(&app, EntityRef::group(id)).await
}

async fn pages(app: &App, entity: EntityRef) -> Result<Json<Vec<WikiPage>>, ApiError> {
    let of = App::clone(app);
    let has_wiki = reading(app, move |_| Ok(git::has_wiki(&of, entity))).await?;
    Ok(Json(has_wiki.then_some(HOME).into_iter().collect()))
}
