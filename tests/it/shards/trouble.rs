//! What cannot be taken in shards leaves nothing, and nothing is replaced that is something else.

use std::ffi::OsString;
use std::process::Command;

use super::*;

/// Nothing lies in a folder but these.
fn has_only(dir: &Dir, names: &[&str]) {
    let there = fs::read_dir(dir.path()).unwrap();
    let mut there: Vec<OsString> = there.map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, names);
}

#[test]
fn a_dump_that_is_cut_off_leaves_nothing() {
    let dir = Dir::new();
    let bytes = fs::read(project(PROJECTS)).unwrap();
    for length in [bytes.len() / 10, bytes.len() / 2, bytes.len() - 1] {
        let dump = dir.write("dump.sql.gz", &bytes[..length]);
        let request = request(
            &dump.display().to_string(),
            dir.join("stage"),
            groups_and_projects(),
        );
        let error = take(&request, 3).unwrap_err();
        assert!(error.to_string().contains("dump.sql.gz: "), "{error}");
        has_only(&dir, &["dump.sql.gz"]);
    }
}

#[test]
fn a_row_that_is_damaged_leaves_nothing() {
    let dir = Dir::new();
    let damaged = edit_rows(&dump(), "labels", |rows| rows.replacen('\t', "", 1));
    let dump = dir.write("dump.sql", damaged);
    let request = request(&dump.display().to_string(), dir.join("stage"), all_groups());
    let error = take(&request, 3).unwrap_err();
    assert!(error.to_string().contains("labels"), "{error}");
    has_only(&dir, &["dump.sql"]);
}

#[test]
fn a_run_that_is_interrupted_leaves_nothing() {
    let dir = Dir::new();
    let from = project(DUMP).display().to_string();
    let request = request(&from, dir.join("stage"), all_groups());
    let mut onlooker = Onlooker {
        ends_at: Some(("labels", Arc::clone(&request.interrupted))),
    };
    let error = take_shards(&request, 3, &mut onlooker).unwrap_err();
    assert!(matches!(error, TakeError::Interrupted), "{error}");
    has_only(&dir, &[]);
}

#[test]
fn what_has_no_such_entity_is_no_empty_snapshot() {
    let dir = Dir::new();
    let from = project(DUMP).display().to_string();
    let names = Choice::Named {
        names: vec!["99".to_owned()],
        descendants: false,
    };
    let kinds = vec![kind("group", names)];
    let error = take(&request(&from, dir.join("stage"), kinds), 3).unwrap_err();
    assert!(error.to_string().contains("99"), "{error}");
    has_only(&dir, &[]);
}

#[test]
fn only_a_snapshot_in_shards_is_replaced_and_only_if_that_is_asked_for() {
    let dir = Dir::new();
    let from = project(DUMP).display().to_string();
    let mut request = request(&from, dir.join("stage"), all_groups());
    assert_eq!(take(&request, 4).unwrap().len(), 4);
    let error = take(&request, 2).unwrap_err().to_string();
    assert!(error.contains("stage is there already"), "{error}");
    request.force = true;
    assert_eq!(take(&request, 2).unwrap().len(), 2);
    assert_eq!(fs::read_dir(dir.join("stage")).unwrap().count(), 2);
    for other in ["export", "snapshot", "mine"] {
        request.out = dir.join(other);
        match other {
            "export" => drop(dir.export_to(&from, dir.join(other)).group(4351).ok()),
            "snapshot" => {
                let take = dir.relexport("snapshot take --quiet --out snapshot");
                drop(take.option("--from", &from).ok());
            }
            _ => drop(dir.write("mine/file", "mine")),
        }
        let before = files_below(&dir.join(other));
        let error = take(&request, 2).unwrap_err().to_string();
        assert!(
            error.contains("something other than a snapshot in shards"),
            "{error}"
        );
        assert_eq!(files_below(&dir.join(other)), before);
    }
    // Nor does a snapshot take the place of one in shards.
    dir.relexport("snapshot take --quiet --force --out stage")
        .option("--from", &from)
        .fails(2, &["something other than a snapshot"]);
    has_only(&dir, &["export", "mine", "snapshot", "stage"]);
}

/// Where a process that this test binary starts finds what it is to do.
const STAGE: &str = "TEST_OF_SHARDS_STAGE";

#[test]
fn a_full_disk_leaves_nothing() {
    let dir = Dir::new();
    // As on a full disk: no file may become larger than 12 blocks of 512 bytes.
    let script = "trap '' XFSZ; ulimit -f 12 && exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .arg("shards::trouble::takes_shards_in_a_process_of_its_own")
        .args(["--exact", "--ignored", "--nocapture"])
        .env(STAGE, dir.join("stage"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let words = "it failed: cannot write the snapshot: ";
    assert!(said.contains(words), "{said}");
    has_only(&dir, &[]);
}

#[test]
#[ignore = "the test of a full disk runs it"]
fn takes_shards_in_a_process_of_its_own() {
    let Some(stage) = std::env::var_os(STAGE) else {
        return;
    };
    let from = project(DUMP).display().to_string();
    // Of groups that are named by id few rows wait in a temp file.
    let names = Choice::Named {
        names: vec!["4351".to_owned(), "4352".to_owned()],
        descendants: false,
    };
    let mut request = request(&from, stage.into(), vec![kind("group", names)]);
    request.limits.memory = 64 << 20;
    let error = take(&request, 3).unwrap_err();
    println!("it failed: {error}");
}
