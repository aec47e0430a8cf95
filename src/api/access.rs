//! Who asks, and for what they may ask.
//!
//! The token is looked at before anything else, as GitLab does: a wrong one is refused on every route, none means a
//! stranger, who sees nothing. Without a token file whoever reaches the loopback address may do everything.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use serde_json::json;

use super::App;
use super::directory::{Directory, Group, Project};
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::params::Params;
use super::tokens::Token;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// There is no token file, so everybody may do everything.
    Open,
    /// A stranger.
    Nobody,
    Token(Arc<Token>),
}

impl Access {
    /// True where the group, or one above it, is among the token's.
    pub(crate) fn may_see(&self, directory: &Directory, group: &Group) -> bool {
        match self {
            Access::Open => true,
            Access::Nobody => false,
            Access::Token(token) if token.groups.is_empty() => true,
            Access::Token(token) => {
                let line = directory.with_ancestors(group.id);
                let ids = token
                    .groups
                    .iter()
                    .filter_map(|named| directory.find(named));
                let mut ids = ids.map(|group| group.id);
                ids.any(|id| line.iter().any(|above| above.id == id))
            }
        }
    }

    /// True where the project lies in a group that may be seen. One that lies in no group of the snapshot is there for who
    /// sees everything.
    pub(crate) fn may_see_project(&self, directory: &Directory, project: &Project) -> bool {
        let group = project.group_id.and_then(|group| directory.get(group));
        match group {
            Some(group) => self.may_see(directory, group),
            None => self.sees_all(),
        }
    }

    /// The projects that may be seen, in order of their ids.
    pub(crate) fn seen_projects<'d>(&self, directory: &'d Directory) -> Vec<&'d Project> {
        let mut seen: HashMap<Option<i64>, bool> = HashMap::new();
        let all = directory.projects().iter();
        all.filter(|project| {
            let seen = seen.entry(project.group_id);
            // What may be seen of a group may be seen of all its projects.
            *seen.or_insert_with(|| self.may_see_project(directory, project))
        })
        .collect()
    }

    /// The same of either.
    pub(crate) fn may_see_entity(&self, directory: &Directory, entity: EntityRef) -> bool {
        match entity.kind {
            Kind::Group => directory
                .get(entity.id)
                .is_some_and(|group| self.may_see(directory, group)),
            Kind::Project => directory
                .project(entity.id)
                .is_some_and(|project| self.may_see_project(directory, project)),
        }
    }

    /// True for who sees every group.
    pub(crate) fn sees_all(&self) -> bool {
        match self {
            Access::Open => true,
            Access::Nobody => false,
            Access::Token(token) => token.groups.is_empty(),
        }
    }
}

/// The token of a request: query, then header, then bearer; one without a value counts as none.
fn token_of(query: Option<&str>, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let params = Params::of_query(query)?;
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let bearer = header(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned())
    });
    let candidates = [
        params.text("private_token")?,
        header("private-token"),
        bearer,
    ];
    Ok(candidates
        .into_iter()
        .flatten()
        .find(|token| !token.is_empty()))
}

/// Who asks, by the token of a request.
///
/// # Errors
/// The token is not good.
pub(crate) fn of(app: &App, query: Option<&str>, headers: &HeaderMap) -> Result<Access, ApiError> {
    of_token(app, token_of(query, headers)?)
}

/// Who asks, by a token.
///
/// # Errors
/// It is not good.
pub(crate) fn of_token(app: &App, given: Option<String>) -> Result<Access, ApiError> {
    let Some(tokens) = &app.tokens else {
        return Ok(Access::Open);
    };
    let Some(given) = given else {
        return Ok(Access::Nobody);
    };
    let token = tokens.find(&given).ok_or_else(ApiError::unauthorized)?;
    if token.revoked {
        return Err(ApiError::invalid_token(
            "Token was revoked. You have to re-authorize from the user.",
        ));
    }
    if token.is_expired() {
        return Err(ApiError::invalid_token(
            "Token is expired. You can either do re-authorization or token refresh.",
        ));
    }
    Ok(Access::Token(token))
}

/// Finds out who asks, before a route does.
pub(crate) async fn of_request(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    match of(&app, request.uri().query(), request.headers()) {
        Ok(access) => {
            request.extensions_mut().insert(access);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// The same for GraphQL, which tells a wrong token in its own way.
pub(crate) async fn of_graphql(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    match of(&app, request.uri().query(), request.headers()) {
        Ok(access) => {
            request.extensions_mut().insert(access);
            next.run(request).await
        }
        Err(error) => {
            let message = match error.status {
                StatusCode::UNAUTHORIZED => "Invalid token",
                _ => "Bad request",
            };
            let body = json!({ "errors": [{ "message": message }] });
            (error.status, Json(body)).into_response()
        }
    }
}

/// Who asks, whoever it is.
impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let access = parts.extensions.get::<Access>();
        Ok(access.cloned().unwrap_or(Access::Nobody))
    }
}

/// Whoever has a token.
pub(crate) struct Authenticated(pub Access);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Access::from_request_parts(parts, state).await? {
            Access::Nobody => Err(ApiError::unauthorized()),
            access => Ok(Authenticated(access)),
        }
    }
}

/// Whoever may start exports. Strangers come through: they are told that the group is not there.
pub(crate) struct MayWrite;

impl<S: Sync> FromRequestParts<S> for MayWrite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Access::from_request_parts(parts, state).await? {
            Access::Token(token) if token.read_only => Err(ApiError::insufficient_scope()),
            _ => Ok(MayWrite),
        }
    }
}

/// The group that the path names, where it is there and may be seen.
pub(crate) struct RequestedGroup(pub Group);

impl FromRequestParts<App> for RequestedGroup {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let access = Access::from_request_parts(parts, app).await?;
        if access == Access::Nobody {
            return Err(ApiError::group_not_found());
        }
        let named = named(parts, app).await?;
        let directory = app.directory()?;
        directory
            .find(&named)
            .filter(|group| access.may_see(directory, group))
            .map(|group| RequestedGroup(group.clone()))
            .ok_or_else(ApiError::group_not_found)
    }
}

/// The project that the path names, where it is there and may be seen. Paths that a project had once name it, too.
pub(crate) struct RequestedProject(pub Project);

impl FromRequestParts<App> for RequestedProject {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let access = Access::from_request_parts(parts, app).await?;
        if access == Access::Nobody {
            return Err(ApiError::project_not_found());
        }
        let named = named(parts, app).await?;
        let directory = app.directory()?;
        directory
            .find_project(&named)
            .filter(|project| access.may_see_project(directory, project))
            .map(|project| RequestedProject(project.clone()))
            .ok_or_else(ApiError::project_not_found)
    }
}

/// The `:id` of a path.
async fn named(parts: &mut Parts, app: &App) -> Result<String, ApiError> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|_| ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request"))?;
    let mut params = params.iter();
    let named = params.find_map(|(name, value)| (name == "id").then(|| value.to_owned()));
    Ok(named.unwrap_or_default())
}
