//! What cannot be planned, or not be worked on, and why.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::support::live;
use crate::support::server::Server;

fn at<'d>(dir: &'d Dir, out: &str) -> Planned<'d> {
    Planned {
        dir,
        out: dir.join(out),
    }
}

#[test]
fn a_stream_is_not_cut() {
    let dir = Dir::new();
    let planned = at(&dir, "out");
    planned
        .plan(&project("fixtures/gitlab.sql"), "--all-groups --tasks 4")
        .fails(2, &["from its beginning to its end", "--stage", "-Fd"]);
    assert!(!planned.out.exists());
    planned
        .plan(Path::new("-"), "--all-groups --tasks 4")
        .fails(2, &["standard input"]);
}

#[test]
fn another_plan_or_export_is_in_the_way() {
    let dir = Dir::new();
    let csv = project("fixtures/csv");
    let planned = Planned::new(&dir, "out", &csv, "--all-groups --tasks 4");
    planned.plan(&csv, "--all-groups --tasks 4").ok();
    planned
        .plan(&csv, "--all-groups --tasks 5")
        .fails(2, &["another plan", "commit"]);
    planned
        .plan(&csv, "--group 4351 --tasks 4")
        .fails(2, &["another plan"]);
    dir.export_to(&csv, &planned.out)
        .args(["--all-groups"])
        .fails(2, &["plan"]);
    let exported = dir
        .export_to(&csv, dir.join("done"))
        .args(["--all-groups"])
        .ok();
    at(&dir, "done")
        .plan(&csv, "--all-groups --tasks 4")
        .fails(2, &["export"]);
    assert_eq!(exported.manifest()["status"], 1);
}

#[test]
fn another_snapshot_pipeline_or_task_is_not_worked_on() {
    let dir = Dir::new();
    let csv = dir.join("csv");
    Command::new("cp")
        .arg("-a")
        .args([project("fixtures/csv"), csv.clone()])
        .status()
        .unwrap();
    let pipeline = dir.join("group.yml");
    let text = dir.relexport("pipeline show").prints();
    fs::write(&pipeline, &text).unwrap();
    let planned = at(&dir, "out");
    planned
        .plan(&csv, "--all-groups --tasks 4")
        .option("--pipeline", "group.yml")
        .ok();
    planned.work("--task 4").fails(2, &["task 4", "0 to 3"]);
    fs::write(
        &pipeline,
        text.replace("only: [id, public_email, username, name]", "only: [id]"),
    )
    .unwrap();
    planned
        .work("--task 0")
        .fails(3, &["pipeline group is another one"]);
    fs::write(&pipeline, &text).unwrap();
    planned.work("--task 0").ok();
    let boards = csv.join("boards.csv");
    let rows = fs::read_to_string(&boards).unwrap();
    fs::write(&boards, rows + "\n").unwrap();
    planned
        .work("--task 1")
        .fails(3, &["not the snapshot that was planned"]);
    dir.relexport("work --quiet --task 1 --plan nowhere")
        .fails(3, &["no plan lies in nowhere"]);
    let file = planned.out.join(".relexport-plan/plan.json");
    let json = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        json.replace("\"part\":", "\"cut\":")
            .replace("group.labels", "group.boards"),
    )
    .unwrap();
    planned
        .work("--task 1")
        .fails(3, &["it was changed after it was made"]);
}

#[test]
fn another_redaction_file_or_key_is_not_worked_on_and_encryption_is_refused() {
    let dir = Dir::new();
    let csv = project(CSV);
    let redaction = dir.join("red.yml");
    let rules = |rule: &str| format!("columns:\n  labels.title: {rule}\n");
    fs::write(&redaction, rules("hash")).unwrap();
    let key = dir.write("key", "k".repeat(64));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let planned = at(&dir, "out");
    planned
        .plan(
            &csv,
            "--all-groups --tasks 3 --redact red.yml --redact-key-file key",
        )
        .ok();
    fs::write(&redaction, rules("keep")).unwrap();
    planned
        .work("--task 0")
        .fails(3, &["redaction file or key is another one"]);
    fs::write(&redaction, rules("hash")).unwrap();
    fs::write(&key, "l".repeat(64)).unwrap();
    planned
        .work("--task 0")
        .fails(3, &["redaction file or key is another one"]);
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    at(&dir, "sealed")
        .plan(
            &csv,
            &format!("--all-groups --tasks 3 --encrypt-to {recipient}"),
        )
        .fails(2, &["cannot plan an encrypted export"]);
}

#[test]
fn strict_is_asked_of_the_whole_plan() {
    let dir = Dir::new();
    let csv = project(CSV);
    let arguments = "--all-projects --relation labels --relation releases --strict";
    let refused = dir
        .export_to(&csv, dir.join("whole"))
        .args(arguments.split_whitespace())
        .run();
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    at(&dir, "out")
        .plan(&csv, &format!("{arguments} --tasks 3"))
        .fails(3, &["releases"]);
}

#[test]
fn a_copy_of_another_plan_is_not_taken_for_this_one() {
    let dir = Dir::new();
    let csv = project(CSV);
    let planned = at(&dir, "out");
    planned
        .plan(&csv, "--group 4351 --tasks 2 -o copy.json")
        .ok();
    fs::remove_dir_all(&planned.out).unwrap();
    planned.plan(&csv, "--all-groups --tasks 2").ok();
    for command in ["work --quiet --task 0", "commit --quiet", "plan status"] {
        dir.relexport(command)
            .args(["--plan", "copy.json"])
            .fails(3, &["no copy of the plan"]);
    }
}

#[test]
fn a_worker_of_several_tasks_makes_those_that_go_well() {
    let dir = Dir::new();
    let csv = dir.join("csv");
    Command::new("cp")
        .arg("-a")
        .args([project(CSV), csv.clone()])
        .status()
        .unwrap();
    let boards = csv.join("boards.csv");
    let rows = fs::read_to_string(&boards).unwrap();
    fs::write(&boards, rows + "x,y\n").unwrap();
    let planned = Planned::new(&dir, "out", &csv, "--all-groups --tasks 6");
    planned.work("--index 0 --of 1").fails(1, &["boards"]);
    let missing = planned.commit().fails(1, &["missing"]);
    assert_eq!(missing.stdout.lines().count(), 1);
    let made = (0..planned.tasks()).filter(|task| planned.record(*task).exists());
    assert!(made.count() >= planned.tasks() - 2, "{}", missing.stdout);
}

#[test]
fn a_relation_that_fails_fails_its_task_and_is_told() {
    let dir = Dir::new();
    let csv = dir.join("csv");
    Command::new("cp")
        .arg("-a")
        .args([project("fixtures/csv"), csv.clone()])
        .status()
        .unwrap();
    let boards = csv.join("boards.csv");
    let rows = fs::read_to_string(&boards).unwrap();
    fs::write(&boards, rows + "x,y\n").unwrap();
    let planned = Planned::new(&dir, "out", &csv, "--all-groups --tasks 4");
    let failed: Vec<usize> = (0..planned.tasks())
        .filter(|task| planned.work(&format!("--task {task}")).run().code != Some(0))
        .collect();
    assert!(!failed.is_empty());
    let status = dir
        .relexport("plan status")
        .option("--plan", &planned.out)
        .run();
    assert_eq!(status.code, Some(1));
    assert!(status.stdout.contains("boards"), "{}", status.stdout);
    assert!(
        status
            .stdout
            .contains(&format!("task {}: 1 failed attempts", failed[0])),
        "{}",
        status.stdout
    );
    planned.commit().fails(1, &["missing"]);
    let missing = dir
        .relexport("plan status --missing --as parallel")
        .option("--plan", &planned.out)
        .run();
    let listed: Vec<String> = failed.iter().map(ToString::to_string).collect();
    assert_eq!(missing.stdout.lines().collect::<Vec<_>>(), listed);
}

#[test]
fn a_plan_holds_no_secret() {
    let server = Server::shared();
    let database = live::fixture(server);
    let dir = Dir::new();
    let mut session = live::Session::begin(&database);
    let id = session.export_snapshot();
    let address = database.address();
    let secret = match address.contains('?') {
        true => format!("{address}&password=s3cr3t"),
        false => format!("{address}?password=s3cr3t"),
    };
    let planned = Planned::new(
        &dir,
        "out",
        Path::new(&secret),
        &format!("--all-groups --tasks 2 --pg-snapshot {id}"),
    );
    let json = fs::read_to_string(planned.out.join(".relexport-plan/plan.json")).unwrap();
    assert!(!json.contains("s3cr3t"), "{json}");
    planned.work("--task 0").ok();
    // The groups were named by nobody but the plan: by keys.
    assert!(!json.contains("--group"), "{json}");
}
