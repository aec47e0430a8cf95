//! `relexport snapshot take` and `verify`: a folder of CSV files that is exported from as its source is.

mod support;
mod support_live;
mod support_server;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::*;
use support_live::*;
use support_server::*;

/// `relexport snapshot` with arguments, in a folder.
fn snapshot<S: AsRef<OsStr>>(dir: &Dir, args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_relexport"))
        .current_dir(dir.path())
        .args(["--quiet", "snapshot"])
        .args(args)
        .output()
        .unwrap()
}

/// Takes a snapshot, which must go well, and returns its folder.
fn take(dir: &Dir, from: impl AsRef<Path>, out: &str, more: &[&str]) -> PathBuf {
    let mut args: Vec<&OsStr> = ["take", "--from"].map(OsStr::new).to_vec();
    args.push(from.as_ref().as_os_str());
    args.extend(["--out", out].map(OsStr::new));
    args.extend(more.iter().map(OsStr::new));
    let output = snapshot(dir, args);
    assert_says(&output, 0, &[]);
    dir.join(out)
}

fn assert_says(output: &Output, code: i32, says: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in says {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// What `snapshot.json` says.
fn described(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("snapshot.json")).unwrap()).unwrap()
}

/// An export of every group from a folder must be as the contract says.
fn assert_exports_all(dir: &Dir, folder: &Path, what: &str) -> Run {
    let run = dir
        .export_to(folder, dir.join(&format!("export-{what}")))
        .args(["--all-groups"])
        .ok();
    assert_same_files(what, &run.contents(), &expected_files(&GROUPS));
    run
}

#[test]
fn whole_tables_of_a_dump_are_exported_as_the_dump() {
    let dir = Dir::new();
    let folder = take(&dir, project("fixtures/gitlab.sql"), "taken", &[]);
    assert_exports_all(&dir, &folder, "plain");
}

#[test]
fn whole_tables_of_a_server_are_exported_as_the_server() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let folder = take(&dir, database.address(), "taken", &["--connections", "3"]);
    assert_exports_all(&dir, &folder, "server");
    let described = described(&folder);
    assert_eq!(described["from"]["kind"], "postgres");
}
