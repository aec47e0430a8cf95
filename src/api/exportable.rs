//! What exports are asked of: the group or the project that a path names, and what lies in it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::App;
use super::access::{RequestedGroup, RequestedProject};
use super::directory::{Directory, Project};
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;

/// What a path names, if it is there and may be seen.
pub(crate) trait Exportable: FromRequestParts<App, Rejection = ApiError> + Send {
    fn entity(&self) -> EntityRef;
    fn full_path(&self) -> &str;
}

impl Exportable for RequestedGroup {
    fn entity(&self) -> EntityRef {
        EntityRef::group(self.0.id)
    }

    fn full_path(&self) -> &str {
        &self.0.full_path
    }
}

/// A project, where projects are exported.
pub(crate) struct ExportableProject(pub Project);

impl Exportable for ExportableProject {
    fn entity(&self) -> EntityRef {
        EntityRef::project(self.0.id)
    }

    fn full_path(&self) -> &str {
        &self.0.full_path
    }
}

impl FromRequestParts<App> for ExportableProject {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // A GitLab whose projects are not exported does not even look for the project.
        if app.directory()?.instance.projects_left_out.is_none() {
            return Err(ApiError::not_found("404 Not Found"));
        }
        let RequestedProject(project) = RequestedProject::from_request_parts(parts, app).await?;
        Ok(ExportableProject(project))
    }
}

/// What lies in an entity: of a group all groups below it, those near to it first, and the projects of all of them, by their
/// ids. Whoever may see a group may see those.
pub(crate) fn family(directory: &Directory, entity: EntityRef) -> Vec<EntityRef> {
    match entity.kind {
        Kind::Project => Vec::new(),
        Kind::Group => {
            let groups = directory.descendants(entity.id).into_iter();
            let projects = directory.projects_of(entity.id, true).into_iter();
            groups
                .map(|group| EntityRef::group(group.id))
                .chain(projects.map(|project| EntityRef::project(project.id)))
                .collect()
        }
    }
}

/// True if a group's rows are in the snapshot; projects whose rows are not are not even known.
pub(crate) fn is_whole(directory: &Directory, entity: EntityRef) -> bool {
    match entity.kind {
        Kind::Group => directory.is_whole(entity.id),
        Kind::Project => true,
    }
}
