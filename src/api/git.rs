//! Repositories by git over HTTP: wikis, and repositories of snippets, which a direct-transfer destination fetches beside
//! the exports. Read only, by the `git` program, out of the backup that is served.
//!
//! A repository is unpacked into the data folder when it is first asked for, and served from there. Addresses are looked up
//! in the directory, so that nothing of them becomes a path.

mod address;
mod credentials;
mod unpacked;
mod upload_pack;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::extract::{OriginalUri, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::App;
use super::access::Access;
use super::directory::Directory;
use super::entity::{EntityRef, Kind};
use super::errors::ApiError;
use super::params::Params;
use crate::export::git_program;
use crate::export::{Found, Repositories, RepositoryPath};
use crate::snapshot::{FileSource, Spec, open_files};
use address::{Asked, Place, Service};

/// Programs that answer fetches at the same time; further ones wait.
const PROCESSES: usize = 8;
/// What is said at the start, with the reason behind it.
const NONE_SERVED: &str = "no wikis and no repositories of snippets are served";
/// Repositories that are unpacked at the same time.
const UNPACKERS: usize = 2;

/// A repository that is served, by the id of what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    GroupWiki(i64),
    ProjectWiki(i64),
    Snippet(i64),
}

impl Key {
    /// The name of its folder.
    fn folder(self) -> String {
        match self {
            Key::GroupWiki(id) => format!("group_{id}.wiki.git"),
            Key::ProjectWiki(id) => format!("project_{id}.wiki.git"),
            Key::Snippet(id) => format!("snippet_{id}.git"),
        }
    }
}

/// What the server needs to serve repositories.
pub(crate) struct GitServer {
    /// Where repositories are unpacked.
    folder: PathBuf,
    /// Those of the backup, once it has been opened; none if the snapshot has no files, or there is no git.
    repositories: OnceLock<Option<Repositories>>,
    /// Of each repository that was asked for: who unpacks it.
    unpacking: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    unpackers: Arc<Semaphore>,
    processes: Arc<Semaphore>,
    /// The server is ending.
    stop: Arc<AtomicBool>,
}

impl GitServer {
    pub(crate) fn new(folder: PathBuf, stop: Arc<AtomicBool>) -> Self {
        GitServer {
            folder,
            repositories: OnceLock::new(),
            unpacking: Mutex::default(),
            unpackers: Arc::new(Semaphore::new(UNPACKERS)),
            processes: Arc::new(Semaphore::new(PROCESSES)),
            stop,
        }
    }

    /// Opens the files of the snapshot, and says once why none are served if that is so.
    pub(crate) fn open(&self, snapshot: &Spec, index: &Path) {
        let repositories = repositories(snapshot, index);
        // It is opened once.
        let _ = self.repositories.set(repositories);
    }

    /// Has the backup look where its files are, which may take a while, so that no request has to wait for it.
    pub(crate) fn warm(&self) {
        if let Some(Err(error)) = self.repositories().map(Repositories::warm) {
            tracing::warn!("cannot look for repositories in the backup: {error}");
        }
    }

    /// Tells the log of snippets of which the backup has no repository: a destination takes each for one without files, and says
    /// nothing.
    pub(crate) fn tell_lost(&self, directory: Option<&Directory>) {
        let (Some(repositories), Some(directory)) = (self.repositories(), directory) else {
            return;
        };
        let is_lost = |id: &i64| {
            let found = repositories.find(&RepositoryPath::snippet(*id), None);
            matches!(found, Ok(Found::Missing | Found::Absent))
        };
        let ids = directory.snippets();
        let ids = ids.take_while(|_| !self.stop.load(Ordering::Relaxed));
        let lost: Vec<i64> = ids.filter(is_lost).collect();
        if let Some(first) = lost.iter().min() {
            tracing::warn!(
                "the backup has no repositories of {} snippets of projects, the first is snippet {first}: destinations get the \
                 text that the database has of them, and no files",
                lost.len()
            );
        }
    }

    fn repositories(&self) -> Option<&Repositories> {
        self.repositories.get()?.as_ref()
    }
}

/// The repositories of a snapshot, if they can be served.
fn repositories(snapshot: &Spec, index: &Path) -> Option<Repositories> {
    // A pipe is there for the rows: whoever opens it takes them away.
    if !snapshot.can_be_read_again() {
        tracing::info!("{NONE_SERVED}: the snapshot comes through a pipe");
        return None;
    }
    let files = match open_files(snapshot, Some(index)) {
        Ok(FileSource::Here(files)) => files,
        Ok(FileSource::None { why }) => {
            tracing::info!("{NONE_SERVED}: {why}");
            return None;
        }
        Ok(FileSource::Behind(_)) => {
            tracing::warn!(
                "{NONE_SERVED}: the backup is compressed as a whole\n  \
                 unpack it to a tar or a folder, and serve that"
            );
            return None;
        }
        Err(error) => {
            tracing::warn!("{NONE_SERVED}: {error}");
            return None;
        }
    };
    if let Err(reason) = git_program::can_serve() {
        tracing::warn!(
            "{NONE_SERVED}: {reason}\n  install git 2.34 or newer, and start the server again"
        );
        return None;
    }
    Some(Repositories::new(files))
}

/// True if the wiki of a group or a project can be fetched. Reads a few members of the backup.
pub(crate) fn has_wiki(app: &App, entity: EntityRef) -> bool {
    app.git.has(
        app,
        match entity.kind {
            Kind::Group => Key::GroupWiki(entity.id),
            Kind::Project => Key::ProjectWiki(entity.id),
        },
    )
}

/// True if the repository of a project's snippet can be fetched. Reads a few members of the backup.
pub(crate) fn has_snippet(app: &App, id: i64) -> bool {
    app.git.has(app, Key::Snippet(id))
}

/// Answers to git, at any path that no route has.
pub(crate) async fn or_no_route(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Response {
    let path = uri.path().strip_prefix(&*app.options.relative_url_root);
    let Some(asked) = path.and_then(Asked::parse) else {
        return ApiError::no_route().into_response();
    };
    let query = uri.query().map(str::to_owned);
    let access = match credentials::access(&app, query.as_deref(), request.headers()) {
        Ok(access) => access,
        Err(error) => return credentials::challenge(error),
    };
    answer(&app, &access, &asked, query.as_deref(), request)
        .await
        .unwrap_or_else(ApiError::into_response)
}

async fn answer(
    app: &App,
    access: &Access,
    asked: &Asked<'_>,
    query: Option<&str>,
    request: Request,
) -> Result<Response, ApiError> {
    let directory = app.directory()?;
    let key = resolve(directory, access, &asked.place).ok_or_else(no_repository)?;
    match (request.method(), asked.service) {
        (_, Service::ReceivePack) => Err(ApiError::forbidden()),
        (&Method::GET, Service::InfoRefs) => {
            let service = Params::of_query(query)?.text("service")?;
            match service.as_deref() {
                Some("git-upload-pack") => {
                    let repository = unpacked::folder(app, key).await?;
                    upload_pack::advertise(app, &repository, request.headers()).await
                }
                // What pushes, and what reads files one by one.
                _ => Err(ApiError::forbidden()),
            }
        }
        (&Method::POST, Service::UploadPack) => {
            let repository = unpacked::folder(app, key).await?;
            upload_pack::answer(app, &repository, request).await
        }
        (&Method::GET, Service::File) => Err(no_repository()),
        _ => Err(ApiError::wrong_method()),
    }
}

/// Whose repository an address is of, if that is there and may be seen.
fn resolve(directory: &Directory, access: &Access, place: &Place<'_>) -> Option<Key> {
    let project = |path: &str| {
        let found = directory.find_project_path(path);
        found.filter(|project| access.may_see_project(directory, project))
    };
    match place {
        Place::Wiki(path) => match directory.find_path(path) {
            Some(group) => access
                .may_see(directory, group)
                .then_some(Key::GroupWiki(group.id)),
            None => project(path).map(|project| Key::ProjectWiki(project.id)),
        },
        Place::Snippet(path, id) => {
            let of = directory.project_of_snippet(*id)?;
            project(path)
                .filter(|project| project.id == of.id)
                .map(|_| Key::Snippet(*id))
        }
        // Destinations get these as bundles.
        Place::Project => None,
    }
}

/// None is there, or none may be seen.
fn no_repository() -> ApiError {
    ApiError::message(StatusCode::NOT_FOUND, "404 Repository Not Found")
}
