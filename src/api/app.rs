//! What is served, and what every request may need.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::directory::{Directory, User};
use super::errors::ApiError;
use super::exports::{Engine, Queue};
use super::metrics::Metrics;
use super::status::Template;
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
    /// Exports that run at the same time, each one read of the snapshot.
    pub jobs: usize,
    /// Groups that may wait.
    pub queue: usize,
}

/// What every request may need. Cheap to clone.
pub(crate) type App = Arc<AppState>;

/// What every request may need.
pub(crate) struct AppState {
    pub options: ServeOptions,
    pub queue: Arc<Queue>,
    pub metrics: Arc<Metrics>,
    /// `None` where everybody who reaches the server may do everything.
    pub tokens: Option<Tokens>,
    /// The groups, once they are read.
    pub directory: OnceLock<Directory>,
    /// The users that stand for deleted ones, once they are read.
    pub ghosts: OnceLock<Vec<User>>,
    /// The relations of every export, once it is known which the snapshot has.
    pub templates: OnceLock<Vec<Template>>,
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
