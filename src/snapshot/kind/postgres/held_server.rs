//! What all connections need to know of a server that is held at one instant.

use std::sync::Arc;

use super::login::Server;
use super::server_catalog::ServerCatalog;
use super::session::Timeouts;
use super::target::Target;
use crate::snapshot::catalog::Catalog;

/// A server, and the instant at which it is read.
pub(super) struct HeldServer {
    pub(super) target: Target,
    pub(super) server: Server,
    /// When the server was started.
    pub(super) started: String,
    /// The exported snapshot's id.
    pub(super) snapshot: String,
    pub(super) timeouts: Timeouts,
    pub(super) tables: ServerCatalog,
    pub(super) catalog: Arc<Catalog>,
}
