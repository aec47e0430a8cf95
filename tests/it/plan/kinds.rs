//! Every kind of snapshot that can be cut, in many ways.

use sha2::{Digest, Sha256};

use super::*;
use crate::support::live;
use crate::support::server::Server;

/// Plans, works and commits, and compares with the export of one process.
fn is_that_of_one(dir: &Dir, snapshot: &Path, arguments: &str, counts: &[usize]) {
    let whole = export(dir, snapshot, arguments);
    for count in counts {
        let out = dir.join("out");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        let planned = Planned::new(
            dir,
            "out",
            snapshot,
            &format!("{arguments} --tasks {count}"),
        );
        assert!(planned.tasks() <= *count);
        planned.work_all();
        planned.commit().ok();
        planned.is_same_as(&whole);
        let verified = dir.relexport("verify --quiet").arg(&planned.out).run();
        assert_eq!(
            verified.code,
            Some(0),
            "{}{}",
            verified.stdout,
            verified.stderr
        );
    }
}

#[test]
fn an_archive_of_groups_by_any_number_of_tasks() {
    let dir = Dir::new();
    archives(&dir);
    let snapshot = dir.join("groups.dir");
    is_that_of_one(&dir, &snapshot, "--group 4351", &[1, 7]);
    is_that_of_one(
        &dir,
        &snapshot,
        "--all-groups --batched --batch-size 2",
        &[3, 20],
    );
}

#[test]
fn an_archive_of_groups_and_projects_by_any_number_of_tasks() {
    let dir = Dir::new();
    archives(&dir);
    let snapshot = dir.join("projects.dir");
    is_that_of_one(
        &dir,
        &snapshot,
        "--all-groups --with-projects --batched --batch-size 3 --edition ce",
        &[12],
    );
    is_that_of_one(&dir, &snapshot, "--all-groups --with-projects", &[5]);
    is_that_of_one(&dir, &snapshot, "--all-projects --relation issues", &[3]);
}

#[test]
fn a_folder_of_csv_files() {
    let dir = Dir::new();
    is_that_of_one(
        &dir,
        &project("fixtures/csv"),
        "--all-groups --batched --batch-size 2",
        &[5],
    );
}

#[test]
fn what_is_large_is_cut_into_ranges_of_batches() {
    let dir = Dir::new();
    archives(&dir);
    let arguments =
        "--group 4351 --batched --batch-size 1 --relation epics --relation user_contributions";
    let snapshot = dir.join("groups.dir");
    let planned = Planned::new(&dir, "out", &snapshot, &format!("{arguments} --tasks 3"));
    let tasks = planned.file()["tasks"].clone();
    let parts: Vec<&Value> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["part"])
        .collect();
    assert_eq!(parts.len(), 3, "{tasks}");
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(**part, serde_json::json!({"index": index, "of": 3}));
    }
    planned.work_all();
    planned.commit().ok();
    planned.is_same_as(&export(&dir, &snapshot, arguments));
}

#[test]
fn a_large_table_is_read_by_several_only_for_those_of_whom_much_is_written() {
    let dir = Dir::new();
    let csv = dir.join("csv");
    let copied = Command::new("cp")
        .arg("-a")
        .args([project("fixtures/csv"), csv.clone()])
        .status()
        .unwrap();
    assert!(copied.success());
    fs::remove_file(csv.join("labels.csv.zst")).unwrap();
    let mut labels = "id,title,color,created_at,updated_at,description,type,group_id\n".to_owned();
    for id in 1..=40_000 {
        // All but nothing of 6 MB is of one group.
        let group = if id % 1000 == 0 { 4352 } else { 4351 };
        labels += &format!(
            "{id},Label {id},#428bca,2021-05-04 11:25:20,2021-05-04 11:25:20,{},GroupLabel,{group}\n",
            "what it is for ".repeat(6)
        );
    }
    fs::write(csv.join("labels.csv"), labels).unwrap();
    let parts = |out: &str, group: u32| {
        let arguments = format!("--group {group} --batched --relation labels --relation boards");
        let planned = Planned::new(&dir, out, &csv, &format!("{arguments} --tasks 8"));
        planned.work_all();
        let tasks = planned.file()["tasks"].clone();
        planned.commit().ok();
        planned.is_same_as(&export(&dir, &csv, &arguments));
        let tasks = tasks.as_array().unwrap().iter();
        tasks.filter(|task| task["part"].is_object()).count()
    };
    assert!(parts("much", 4351) > 1);
    assert_eq!(parts("little", 4352), 0);
}

#[test]
fn a_server_that_is_held_at_one_instant() {
    let server = Server::shared();
    let database = live::fixture(server);
    let dir = Dir::new();
    let mut session = live::Session::begin(&database);
    let id = session.export_snapshot();
    let address = database.address();
    let arguments = format!("--all-groups --pg-snapshot {id}");
    let whole = export(&dir, Path::new(&address), &arguments);
    let planned = Planned::new(
        &dir,
        "out",
        Path::new(&address),
        &format!("{arguments} --tasks 4"),
    );
    assert_eq!(planned.tasks(), 4);
    // What is written meanwhile is of another instant.
    database.run("UPDATE labels SET title = title || ' later'; DELETE FROM notes");
    planned.work_all();
    planned.commit().ok();
    planned.is_same_as(&whole);
    // An id that was given out again by a server that was started anew names another instant.
    let held = Planned::new(
        &dir,
        "anew",
        Path::new(&address),
        &format!("{arguments} --tasks 4"),
    );
    let path = held.out.join(".relexport-plan/plan.json");
    let text = fs::read_to_string(&path).unwrap();
    let plan = held.file();
    let said = |key: &str| plan[key].as_str().unwrap().to_owned();
    let of_other = text.replace(&said("fingerprint"), "2026-01-01 00:00:00+00 700:700:");
    let began = plan["manifest"]["started_at"].as_str().unwrap();
    let unnamed = of_other.replace(&said("id"), "").replace(
        &format!("\"started_at\":\"{began}\""),
        "\"started_at\":\"\"",
    );
    let id = Sha256::digest(unnamed.trim_end());
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, of_other.replace(&said("id"), &id)).unwrap();
    held.work("--task 0")
        .fails(3, &["names another instant", "started anew"]);
    // Without the instant nothing is made of it.
    let again = Planned::new(
        &dir,
        "again",
        Path::new(&address),
        &format!("{arguments} --tasks 4"),
    );
    drop(session);
    again.work("--task 0").fails(3, &[]);
    let other = Planned {
        dir: &dir,
        out: dir.join("unheld"),
    };
    other
        .plan(Path::new(&address), "--all-groups --tasks 2")
        .fails(2, &["another instant", "snapshot hold", "--pg-snapshot"]);
}
