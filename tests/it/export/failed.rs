//! What lies beside an export after a run with each exit code, and that the next success clears it away.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::places::{export_of, go_on, names, waiting};
use crate::support::server::free_port;
use crate::support::*;

/// A folder with an export of group 4352 in `out`.
fn with_an_older_export() -> Dir {
    let dir = Dir::new();
    dir.export(project(DUMP)).group(4352).ok();
    dir
}

/// What is in `out` is the older export, whole.
fn the_older_one_stays(dir: &Dir, after: &str) {
    let folder = ExportFolder::new(dir.join("out"));
    assert_same_files(after, &folder.contents(), &expected_files(&[4352]));
    assert_eq!(folder.manifest()["status"], 1, "{after}");
}

/// The manifest in `out.failed`, which is that of a failed export.
fn failed(dir: &Dir) -> Value {
    let manifest = ExportFolder::new(dir.join("out.failed")).manifest();
    assert_eq!(manifest["status"], -1);
    manifest
}

/// A success replaces what is in `out`, and leaves nothing beside it.
fn a_success_clears(dir: &Dir, others: &[&str]) {
    dir.export(project(DUMP)).group(4351).args(["--force"]).ok();
    let mut left = names(dir.path());
    left.retain(|name| !others.contains(&name.as_str()));
    assert_eq!(left, ["out"]);
}

fn broken(dir: &Dir) -> PathBuf {
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    dir.write("broken.sql", broken)
}

#[test]
fn after_1_the_failed_export_lies_beside_the_older_one() {
    let dir = with_an_older_export();
    let broken = broken(&dir);
    dir.export(&broken)
        .group(4351)
        .args(["--force"])
        .fails(1, &["labels"]);
    the_older_one_stays(&dir, "1");
    assert_eq!(failed(&dir)["entities"][0]["id"], 4351);
    a_success_clears(&dir, &["broken.sql"]);
}

#[test]
fn after_2_nothing_is_there() {
    let dir = with_an_older_export();
    dir.export(project(DUMP)).group(4351).fails(2, &["--force"]);
    dir.export(project(DUMP))
        .group(4351)
        .args(["--force", "--relation", "nothing"])
        .fails(2, &["nothing"]);
    the_older_one_stays(&dir, "2");
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn after_3_a_manifest_says_why() {
    let dir = with_an_older_export();
    let not_there = format!("postgres://me@127.0.0.1:{}/db", free_port());
    let fixture = project(DUMP).display().to_string();
    for (snapshot, group, code, says) in [
        // It cannot be opened; it does not hold the group; its server is not there.
        ("nowhere.sql", "4351", 3, "nowhere.sql"),
        (&fixture, "no/such/group", 3, "no/such/group"),
        (&not_there, "4351", 3, "refused"),
    ] {
        dir.export(snapshot)
            .group(group)
            .args(["--force"])
            .fails(code, &[says]);
        the_older_one_stays(&dir, says);
        let error = failed(&dir)["error"].clone();
        assert!(error.as_str().unwrap().contains(says), "{error}");
        assert_eq!(files_below(&dir.join("out.failed")), ["manifest.json"]);
        let status = dir.relexport("status out.failed").run();
        assert_eq!(status.code, Some(1));
        assert!(status.stdout.contains(says), "{}", status.stdout);
    }
    a_success_clears(&dir, &[]);
    // Without --force nothing was to be replaced, and nothing is there.
    let empty = Dir::new();
    empty
        .export("nowhere.sql")
        .group(4351)
        .fails(3, &["nowhere.sql"]);
    assert_eq!(names(empty.path()), [""; 0]);
}

#[test]
fn after_4_what_was_written_can_be_gone_on_with() {
    let dir = with_an_older_export();
    let export = || {
        let export = dir.export(project(DUMP)).group(4351);
        export.args(["--force", "--batched", "--batch-size", "1"])
    };
    // On a disk without room for a manifest nothing can be noted, which is said.
    export().with_small_files(1).fails(
        4,
        &["cannot write the export", "cannot write down why it failed"],
    );
    the_older_one_stays(&dir, "4");
    assert_eq!(names(dir.path()), ["out"]);
    export()
        .with_small_files(12)
        .fails(4, &["cannot write the export"]);
    the_older_one_stays(&dir, "4");
    failed(&dir);
    a_success_clears(&dir, &[]);
}

#[test]
fn after_11_nothing_is_there_but_the_other_run() {
    let dir = with_an_older_export();
    let first = waiting(&dir, export_of(&dir, "-", "4351", &["--force"]));
    let before = names(dir.path());
    export_of(&dir, "nowhere.sql", "4351", &["--force"]).fails(11, &["another run"]);
    assert_eq!(names(dir.path()), before);
    assert_eq!(go_on(first).code, Some(0));
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn after_130_nothing_is_there_unless_files_were_finished() {
    let dir = with_an_older_export();
    // An interruption is no failure that would have to be told.
    let (first, _rest) = waiting(&dir, export_of(&dir, "-", "4351", &["--force"]));
    first.signal("INT");
    assert_eq!(first.wait().code, Some(130));
    the_older_one_stays(&dir, "130");
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn a_success_without_force_clears_as_well() {
    let dir = with_an_older_export();
    dir.export("nowhere.sql")
        .group(4351)
        .args(["--force"])
        .fails(3, &[]);
    assert_eq!(names(dir.path()), ["out", "out.failed"]);
    fs::remove_dir_all(dir.join("out")).unwrap();
    dir.export(project(DUMP)).group(4351).ok();
    assert_eq!(names(dir.path()), ["out"]);
}
