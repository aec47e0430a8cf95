//! A stand-in for a GitLab that migrates by direct transfer; see `tests/api_clients/destination`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Server;
use crate::support::backup::succeeds;
use crate::support::project;

/// Migrates a group, or with the option `--project` a project; returns what came of it beside the files of rows.
pub(crate) fn destination(
    server: &Server,
    token: &str,
    full_path: &str,
    out: &Path,
    options: &[&str],
) -> Value {
    let mut command = Command::new("python3");
    command
        .arg("-B")
        .arg(project("tests/api_clients/destination"))
        .arg(server.url(""))
        .args([token, full_path])
        .arg(out)
        .args(options);
    succeeds(&mut command);
    serde_json::from_slice(&fs::read(out.join("result.json")).unwrap()).unwrap()
}
