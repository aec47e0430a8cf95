//! What cannot be planned, or not be worked on, and why.

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
    let missing = planned.commit().fails(1, &["missing"]);
    let listed: Vec<String> = failed.iter().map(ToString::to_string).collect();
    assert_eq!(missing.stdout.trim(), listed.join(","));
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
