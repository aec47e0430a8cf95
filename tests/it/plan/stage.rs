//! Snapshots that can only be read from their beginning: read once, into a stage of which each task reads its own.

use super::*;

fn is_that_of_one(dir: &Dir, snapshot: &Path, arguments: &str, tasks: usize) {
    let whole = export(dir, snapshot, arguments);
    let (out, stage) = (format!("out-{tasks}"), dir.join(&format!("stage-{tasks}")));
    let planned = Planned {
        dir,
        out: dir.join(&out),
    };
    planned
        .plan(snapshot, &format!("{arguments} --tasks {tasks}"))
        .option("--stage", &stage)
        .ok();
    assert!(planned.tasks() <= tasks);
    for task in planned.file()["tasks"].as_array().unwrap() {
        let shard = stage.join(task["snapshot"].as_str().unwrap());
        assert!(shard.join("snapshot.json").exists());
    }
    planned.work_all();
    planned.commit().ok();
    planned.is_same_as(&whole);
}

#[test]
fn a_stream_by_way_of_a_stage_is_that_of_one() {
    let dir = Dir::new();
    let dump = project("fixtures/gitlab.sql");
    for tasks in [1, 7] {
        is_that_of_one(&dir, &dump, "--all-groups --batched --batch-size 2", tasks);
    }
}

#[test]
fn groups_and_projects_by_way_of_a_stage_are_those_of_one() {
    let dir = Dir::new();
    let dump = project("fixtures/projects/gitlab.sql.gz");
    let arguments = "--all-groups --with-projects --batched --batch-size 3";
    is_that_of_one(&dir, &dump, arguments, 12);
}

#[test]
fn a_dump_from_a_pipe_is_staged() {
    let dir = Dir::new();
    let dump = fs::read(project("fixtures/gitlab.sql")).unwrap();
    let planned = Planned {
        dir: &dir,
        out: dir.join("out"),
    };
    planned
        .plan(Path::new("-"), "--all-groups --tasks 3")
        .option("--stage", dir.join("stage"))
        .input(&dump)
        .ok();
    planned.work_all();
    planned.commit().ok();
    let whole = dir
        .export_to("-", dir.join("whole"))
        .args(["--all-groups"])
        .input(&dump)
        .ok();
    assert_eq!(whole.manifest()["status"], 1);
    planned.is_same_as(&dir.join("whole"));
}

#[test]
fn what_a_stage_would_lose_and_a_stage_that_is_there_are_refused() {
    let dir = Dir::new();
    let planned = Planned {
        dir: &dir,
        out: dir.join("out"),
    };
    let stage = dir.join("stage");
    planned
        .plan(
            &project(PROJECTS_BACKUP),
            "--all-groups --with-projects --tasks 3",
        )
        .option("--stage", &stage)
        .fails(2, &["files of a backup", "--no-files"]);
    assert!(!stage.exists());
    dir.write("stage/mine", "x");
    planned
        .plan(&project("fixtures/gitlab.sql"), "--all-groups --tasks 3")
        .option("--stage", &stage)
        .fails(2, &["stage"]);
    assert!(stage.join("mine").exists());
}

#[test]
fn a_shard_that_was_changed_is_not_worked_on() {
    let dir = Dir::new();
    let planned = Planned {
        dir: &dir,
        out: dir.join("out"),
    };
    let stage = dir.join("stage");
    planned
        .plan(&project("fixtures/gitlab.sql"), "--all-groups --tasks 2")
        .option("--stage", &stage)
        .ok();
    let schema = stage.join("shard-0001/schema.sql");
    let text = fs::read_to_string(&schema).unwrap();
    fs::write(&schema, text + "\n").unwrap();
    planned.work("--task 0").ok();
    planned
        .work("--task 1")
        .fails(3, &["not the snapshot that was planned"]);
}
