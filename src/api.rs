//! The HTTP interface: GitLab's group relations export API over a snapshot, and what a direct-transfer destination
//! asks beside it.
//!
//! [`serve`] reads the groups of the snapshot once, takes over what an earlier server left in the data folder, and
//! answers requests until a signal ends it. Exports run on plain threads with the same engine as `relexport export`;
//! requests are answered by a few threads of tokio, which never touch a row.

mod access;
mod address;
mod app;
mod archive;
mod archive_body;
mod attributes;
mod badge;
mod conditional;
mod control;
mod descriptors;
mod directory;
mod download;
mod entity;
mod errors;
mod exportable;
mod exports;
mod file_body;
mod fingerprint;
mod git;
mod graphql;
mod groups;
mod health;
mod host;
mod instance;
mod listen;
mod metrics;
mod openapi;
mod overview;
mod page;
mod paging;
mod params;
mod portable;
mod prepare;
mod projects;
mod request;
mod routes;
mod served_kinds;
mod start;
mod status;
mod tls;
mod tokens;
mod wikis;

pub(crate) use app::ServeOptions;
pub(crate) use exports::Engine;
pub(crate) use served_kinds::ServedKinds;
pub(crate) use start::serve;
pub(crate) use tls::TlsFiles;
pub(crate) use tokens::{NewToken, add as add_token};

use app::{App, AppState};
