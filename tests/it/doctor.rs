//! `relexport doctor`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::retention::shelf::TestShelf;
use crate::support::*;

/// What it finds: level, check and message of each finding.
fn findings(arguments: &str, code: i32) -> Vec<(String, String, String)> {
    let run = relexport(&format!("doctor {arguments} --json")).run();
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["ok"], code == 0);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let all = answer["findings"].as_array().unwrap().iter();
    all.map(|finding| {
        let is_ok = finding["level"] == "ok";
        assert!(is_ok || finding["advice"].is_string(), "{finding}");
        (
            text(finding, "level"),
            text(finding, "check"),
            text(finding, "message"),
        )
    })
    .collect()
}

/// Makes sure that there is a finding, and returns its message.
fn has(found: &[(String, String, String)], level: &str, check: &str, says: &str) {
    let is_it =
        |one: &(String, String, String)| one.0 == level && one.1 == check && one.2.contains(says);
    assert!(
        found.iter().any(is_it),
        "no {level} {check} {says:?} in {found:#?}"
    );
}

#[test]
fn a_snapshot_and_a_place_that_are_right_have_no_problem() {
    let shelf = TestShelf::with(&["2026-11-01T02:00:00.000Z"]);
    for snapshot in SNAPSHOTS {
        let root = shelf.root();
        let found = findings(&format!("-s {snapshot} -o {}", root.display()), 0);
        has(&found, "ok", "source", "can be read");
        has(&found, "ok", "versions", "GitLab 1");
        has(&found, "ok", "pipeline", "group fits the snapshot");
        has(&found, "ok", "destination", "can be listed and written");
        has(&found, "ok", "exports", "export-2026-11-01");
        has(&found, "ok", "space", "are free");
        has(&found, "ok", "locks", "no run is writing there");
    }
    // What it made is gone again.
    assert_eq!(shelf.names(), ["export-2026-11-01"]);
    let text = relexport(&format!("doctor -s {DUMP}")).prints();
    assert!(
        text.contains("ok       source        fixtures/gitlab.sql can be read"),
        "{text}"
    );
    assert!(text.contains("\n0 problems, "), "{text}");
}

#[test]
fn a_snapshot_that_cannot_be_read_is_a_problem() {
    let shelf = TestShelf::new();
    let missing = shelf.beside("missing.sql");
    let found = findings(&format!("-s {}", missing.display()), 1);
    has(
        &found,
        "problem",
        "source",
        "there is no such file or folder",
    );
    let text = shelf.beside("text.sql");
    fs::write(&text, "CREATE TABLE public.thesis (id integer);\n").unwrap();
    let found = findings(&format!("-s {}", text.display()), 1);
    has(&found, "problem", "pipeline", "does not fit the snapshot");
    let found = findings("-s postgres://nobody@127.0.0.1:1/none", 1);
    has(&found, "problem", "source", "127.0.0.1");
    has(
        &findings("-s -", 0),
        "warning",
        "source",
        "cannot be looked at",
    );
}

#[test]
fn a_place_that_cannot_be_written_is_a_problem() {
    let shelf = TestShelf::new();
    let file = shelf.path("file");
    fs::write(&file, "").unwrap();
    let found = findings(&format!("-o {}", file.join("exports").display()), 1);
    has(&found, "problem", "destination", "cannot write to");
    let later = shelf.path("later/exports");
    let found = findings(&format!("-o {}", later.display()), 0);
    has(&found, "ok", "destination", "is not there yet");
    assert_eq!(shelf.names(), ["file"]);
}

#[test]
fn exports_that_do_not_count_or_lie_in_the_future_and_locks_are_warned_of() {
    let shelf = TestShelf::with(&["2026-11-01T02:00:00.000Z", "2999-11-02T02:00:00.000Z"]);
    shelf.put("killed", "2026-11-03T02:00:00.000Z");
    shelf.change("killed", |manifest| manifest["status"] = 0.into());
    let lock = shelf.path(".killed.relexport-lock");
    fs::write(&lock, "pid 7 on host here, since then\n").unwrap();
    let _held = Held::new(&lock);
    fs::write(shelf.path("latest"), "").unwrap();
    let found = findings(&format!("-o {}", shelf.root().display()), 1);
    has(&found, "warning", "exports", "killed (unfinished)");
    has(&found, "warning", "clock", "export-2999-11-02");
    has(&found, "warning", "locks", "pid 7 on host here, since then");
    has(&found, "problem", "latest", "is no link");
}

#[test]
fn jobs_are_looked_at_with_their_folders_and_hooks() {
    let shelf = TestShelf::new();
    let (state, hook) = (shelf.beside("state"), shelf.beside("hook"));
    fs::create_dir(&state).unwrap();
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let config = shelf.beside("relexport.toml");
    let dump = project(DUMP);
    fs::write(
        &config,
        format!(
            "state-dir = {state:?}\nlock-dir = \"/no/such/folder\"\n\
             [job.acme]\nsnapshot = {dump:?}\ngroup = [4351]\n\
             destination = \"{root}/{{job}}/{{date}}_{{time}}\"\n\
             [job.acme.hooks]\nbefore = [{hook:?}]\nfailure = [\"no-such-program\", \"x\"]\n\
             [job.none]\nsnapshot = \"{root}/*.tar\"\npick = \"newest\"\ngroup = [1]\n\
             destination = \"{root}/none\"\n",
            root = shelf.root().display()
        ),
    )
    .unwrap();
    let found = findings(&format!("--config {}", config.display()), 1);
    has(&found, "ok", "state", "can be written");
    has(&found, "problem", "locks", "/no/such/folder");
    has(&found, "problem", "hooks", "no-such-program");
    has(&found, "ok", "hooks", "1 programs are there");
    has(&found, "ok", "source", "gitlab.sql can be read");
    has(&found, "problem", "source", "nothing matches");
    has(&found, "ok", "destination", "is not there yet");
    let one = findings(&format!("acme --config {}", config.display()), 1);
    assert!(one.len() < found.len());
    let error = relexport(&format!("doctor other --config {}", config.display())).err(2);
    assert!(
        error.contains("there is no job other\n  there are: acme, none"),
        "{error}"
    );
}
