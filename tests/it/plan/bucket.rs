//! A plan in a bucket, and a stage in one.

use super::*;
use crate::bucket::servers::{Server, s3s, with_s3};

const OUT: &str = "s3://nightly/exports/acme";

fn run(dir: &Dir, server: &Server, arguments: &[&str]) -> Program {
    with_s3(dir.relexport("").args(arguments), server.port)
}

/// The place in the folder in which the server keeps its objects.
fn place<'d>(dir: &'d Dir, server: &Server) -> Planned<'d> {
    Planned {
        dir,
        out: server.root.join("nightly/exports/acme"),
    }
}

fn tasks(dir: &Dir, server: &Server) -> usize {
    let status = run(dir, server, &["plan", "status", "--plan", OUT, "--json"]).run();
    usize::try_from(status.json()["tasks"].as_u64().unwrap()).unwrap()
}

#[test]
fn an_export_in_a_bucket_is_that_in_a_folder() {
    let dir = Dir::new();
    let server = s3s();
    let csv = project(CSV);
    let csv = csv.to_str().unwrap();
    let whole = export(
        &dir,
        Path::new(csv),
        "--all-groups --batched --batch-size 2",
    );
    let options = [
        "--all-groups",
        "--batched",
        "--batch-size",
        "2",
        "--out",
        OUT,
    ];
    let plan = |more: &[&str]| {
        let program = run(&dir, &server, &["plan", "--quiet", "--snapshot", csv]);
        program.args(options).args(more)
    };
    plan(&["--tasks", "5"]).ok();
    plan(&["--tasks", "5"]).ok();
    plan(&["--tasks", "6"]).fails(2, &["another plan"]);
    let work = |task: usize| {
        let task = task.to_string();
        run(
            &dir,
            &server,
            &["work", "--quiet", "--plan", OUT, "--task", &task],
        )
    };
    let count = tasks(&dir, &server);
    let twins: Vec<Started> = (0..2).map(|_| work(0).start()).collect();
    for twin in twins {
        let run = twin.wait();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    run(&dir, &server, &["commit", "--quiet", "--plan", OUT]).fails(1, &["missing"]);
    for task in 1..count {
        work(task).ok();
    }
    run(&dir, &server, &["commit", "--quiet", "--plan", OUT]).ok();
    run(&dir, &server, &["commit", "--quiet", "--plan", OUT]).ok();
    work(2).ok();
    run(&dir, &server, &["verify", "--quiet", OUT]).ok();
    place(&dir, &server).is_same_as(&whole);
}

#[test]
fn a_stage_in_a_bucket_is_read_by_each_worker() {
    let dir = Dir::new();
    let server = s3s();
    let dump = project(DUMP);
    let dump = dump.to_str().unwrap();
    let whole = export(&dir, Path::new(dump), "--all-groups");
    let plan = |out: &str| {
        let program = run(&dir, &server, &["plan", "--quiet", "--snapshot", dump]);
        program
            .args([
                "--all-groups",
                "--tasks",
                "2",
                "--stage",
                "s3://nightly/stage",
            ])
            .args(["--out", out])
    };
    plan(OUT).ok();
    // What was taken for one plan is not written over by another.
    plan("s3://nightly/exports/other").fails(2, &["not empty"]);
    for task in 0..tasks(&dir, &server) {
        let task = task.to_string();
        run(
            &dir,
            &server,
            &["work", "--quiet", "--plan", OUT, "--task", &task],
        )
        .ok();
    }
    run(&dir, &server, &["commit", "--quiet", "--plan", OUT]).ok();
    place(&dir, &server).is_same_as(&whole);
}

#[test]
fn a_bucket_that_is_away_is_waited_for_and_then_told_as_one_to_try_again() {
    let dir = Dir::new();
    let csv = project(CSV);
    let server = s3s();
    run(
        &dir,
        &server,
        &["plan", "--quiet", "--snapshot", csv.to_str().unwrap()],
    )
    .args(["--all-groups", "--tasks", "2", "--out", OUT])
    .ok();
    let port = server.port;
    drop(server);
    let worker = dir
        .relexport("work --quiet --task 0 --retries 0")
        .args(["--plan", OUT]);
    let run = with_s3(worker, port)
        .env("RELEXPORT_BUCKET_TOTAL_SECONDS", "1")
        .run();
    assert_eq!(run.code, Some(75), "{}", run.stderr);
}
