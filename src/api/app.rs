//! What is served, and what every request may need.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::directory::{Directory, User};
use super::errors::ApiError;
use super::exports::{Engine, Queue};
use super::git::GitServer;
use super::metrics::Metrics;
use super::status::Templates;
use super::tls::TlsFiles;
use super::tokens::Tokens;

/// What is served, and how.
pub(crate) struct ServeOptions {
    pub engine: Engine,
    /// The folder for exports.
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// Without a slash at its end: empty, or such as `/gitlab`.
    pub relative_url_root: String,
    /// The address that clients know, for links; else it is taken from the request.
    pub external_url: Option<String>,
    pub token_file: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    pub batch_size: NonZeroU32,
    /// A group that is asked for is exported with all that lies in it.
    pub prefetch: bool,
    /// Groups, by id or path, that are exported with all that lies in them before anyone asks.
    pub prepare: Vec<String>,
    /// Exports that run at the same time, each one read of the snapshot.
    pub jobs: usize,
    /// Exports that may wait; what is exported with one because it is of its family is no other.
    pub queue: usize,
    /// Connections of clients at the same time; further ones wait.
    pub max_connections: usize,
    /// How long a client may be silent, or take nothing; `None` is for ever.
    pub client_timeout: Option<Duration>,
}

/// What every request may need. Cheap to clone.
pub(crate) type App = Arc<AppState>;

/// What every request may need.
pub(crate) struct AppState {
    pub options: ServeOptions,
    pub queue: Arc<Queue>,
    pub git: GitServer,
    pub metrics: Arc<Metrics>,
    /// `None` where everybody who reaches the server may do everything.
    pub tokens: Option<Tokens>,
    /// The groups, once they are read.
    pub directory: OnceLock<Directory>,
    /// The users that stand for deleted ones, once they are read.
    pub ghosts: OnceLock<Vec<User>>,
    /// The relations of every export, once it is known which the snapshot has.
    pub templates: OnceLock<Templates>,
    pub started_at: String,
    /// When the snapshot's file or folder was written last, as its file system says.
    pub snapshot_changed_at: Option<String>,
}

impl AppState {
    /// The groups.
    ///
    /// # Errors
    /// 503 while they are still being read.
    pub(crate) fn directory(&self) -> Result<&Directory, ApiError> {
        self.directory.get().ok_or_else(ApiError::not_ready)
    }
}

/// Runs what reads the directory's file where it may block.
///
/// # Errors
/// 503 while the directory is not there yet, 500 where its file cannot be read.
pub(crate) async fn reading<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&Directory) -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let app = App::clone(app);
    let result = tokio::task::spawn_blocking(move || {
        let directory = app.directory()?;
        read(directory).map_err(|error| ApiError::internal("cannot read the directory", error))
    });
    result
        .await
        .unwrap_or_else(|error| Err(ApiError::internal("cannot read the directory", error)))
}
