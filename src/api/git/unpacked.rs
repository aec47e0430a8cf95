//! Repositories in the data folder: each is unpacked when it is first asked for, once, however many ask.
//!
//! ```text
//! DATA/<fingerprint>/repositories/project_71.wiki.git   whole, or not there
//! DATA/<fingerprint>/repositories/unpacking-…           on its way
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::{GitServer, Key, no_repository};
use crate::api::App;
use crate::api::directory::Directory;
use crate::api::errors::ApiError;
use crate::export::{Found, Repository, RepositoryError, RepositoryPath};
use crate::output::atomic::sync_folder;
use crate::temp_folder::TempFolder;

const PREFIX: &str = "unpacking-";

/// Why a repository cannot be served.
#[derive(Debug, thiserror::Error)]
enum UnpackError {
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("cannot read the directory: {0}")]
    Directory(io::Error),
    #[error("cannot use the data folder: {0}")]
    Folder(io::Error),
}

/// The folder of a repository, which is unpacked if it was not yet.
///
/// # Errors
/// 404 if the backup has none, or nothing is in it; 503 if the server is ending; 500 if it cannot be unpacked.
pub(super) async fn folder(app: &App, key: Key) -> Result<PathBuf, ApiError> {
    if app.git.repositories().is_none() {
        return Err(no_repository());
    }
    let path = app.git.folder.join(key.folder());
    if path.is_dir() {
        return Ok(path);
    }
    let lock = {
        let mut locks = app
            .git
            .unpacking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(key).or_default())
    };
    // Whoever asked may go away. What was begun is ended all the same, and nobody begins it a second time.
    let alone = lock.lock_owned().await;
    let room = Arc::clone(&app.git.unpackers).acquire_owned().await;
    let app = App::clone(app);
    let unpacked = tokio::task::spawn_blocking(move || {
        let _held = (alone, room);
        let directory = app.directory()?;
        match app.git.unpack(directory, key) {
            Ok(true) => Ok(path),
            Ok(false) => Err(no_repository()),
            Err(UnpackError::Repository(RepositoryError::Interrupted)) => Err(ApiError::ending()),
            Err(error) => Err(ApiError::internal("cannot serve a repository", error)),
        }
    });
    unpacked
        .await
        .unwrap_or_else(|error| Err(ApiError::internal("cannot serve a repository", error)))
}

impl GitServer {
    /// True if there is something in a repository. If that cannot be told, whoever fetches it shall see the error.
    pub(super) fn has(&self, app: &App, key: Key) -> bool {
        let Some(directory) = app.directory.get() else {
            return false;
        };
        match self.find(directory, key) {
            Ok(found) => found.is_some(),
            Err(error) => {
                tracing::error!("cannot look for a repository: {error}");
                true
            }
        }
    }

    fn find(&self, directory: &Directory, key: Key) -> Result<Option<Repository>, UnpackError> {
        let Some(repositories) = self.repositories() else {
            return Ok(None);
        };
        let (paths, storage) = places(directory, key).map_err(UnpackError::Directory)?;
        for path in paths {
            match repositories.find(&path, storage.as_deref())? {
                Found::Repository(repository) => return Ok(Some(repository)),
                // A wiki that was never written to has a repository, too.
                Found::Empty { .. } => return Ok(None),
                Found::Missing | Found::Absent => {}
            }
        }
        Ok(None)
    }

    /// Unpacks a repository; false if the backup has none.
    fn unpack(&self, directory: &Directory, key: Key) -> Result<bool, UnpackError> {
        let path = self.folder.join(key.folder());
        if path.is_dir() {
            return Ok(true);
        }
        let Some(repository) = self.find(directory, key)? else {
            return Ok(false);
        };
        let warnings = self.repositories().map(|it| it.warnings());
        for warning in warnings.into_iter().flatten() {
            tracing::warn!("{warning}");
        }
        fs::create_dir_all(&self.folder).map_err(UnpackError::Folder)?;
        let temp = TempFolder::create(&self.folder, PREFIX).map_err(UnpackError::Folder)?;
        let made = self.unpack_in(&repository, temp.path(), &path);
        // What could not be removed is so by the next one.
        let _ = fs::remove_dir_all(temp.path());
        made?;
        tracing::info!("unpacked {}", key.folder());
        Ok(true)
    }

    fn unpack_in(
        &self,
        repository: &Repository,
        temp: &Path,
        path: &Path,
    ) -> Result<(), UnpackError> {
        let folder = temp.join("repository.git");
        repository.unpack(&folder, temp, &self.stop)?;
        let placed = sync_all(&folder)
            .and_then(|()| fs::rename(&folder, path))
            .and_then(|()| sync_folder(&self.folder));
        placed.map_err(UnpackError::Folder)
    }
}

/// Where a repository may lie, and on which storage.
fn places(directory: &Directory, key: Key) -> io::Result<(Vec<RepositoryPath>, Option<String>)> {
    let project = match key {
        Key::GroupWiki(id) => return Ok((vec![RepositoryPath::group_wiki(id)], None)),
        Key::Snippet(id) => return Ok((vec![RepositoryPath::snippet(id)], None)),
        Key::ProjectWiki(id) => id,
    };
    let details = directory.project_details(project)?.project;
    let mut paths = vec![RepositoryPath::wiki(project)];
    // Or the snapshot does not have the column.
    let may_be_legacy = details.storage_version.unwrap_or_default() == 0;
    if let Some(project) = directory.project(project).filter(|_| may_be_legacy) {
        let legacy = RepositoryPath::legacy_wiki(&project.full_path);
        paths.splice(..0, legacy);
    }
    Ok((paths, details.repository_storage))
}

/// Sees to it that all files of a folder outlive a crash.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_all(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    sync_folder(folder)
}
