//! How far a plan is, what is missing, and what a commit refuses.

use super::*;

fn planned<'d>(dir: &'d Dir, out: &str) -> Planned<'d> {
    Planned::new(dir, out, &project("fixtures/csv"), "--all-groups --tasks 8")
}

#[test]
fn what_is_missing_is_listed_in_the_engines_words() {
    let dir = Dir::new();
    let planned = planned(&dir, "out");
    assert_eq!(planned.tasks(), 8);
    for task in [0, 2, 3, 7] {
        planned.work(&format!("--task {task}")).ok();
    }
    let missing = planned.commit().fails(1, &["4 of 8 tasks are missing"]);
    assert_eq!(missing.stdout, "1,4-6\n");
    let status = |arguments: &str| {
        dir.relexport("plan status")
            .option("--plan", &planned.out)
            .args(arguments.split_whitespace())
            .run()
    };
    assert_eq!(status("--missing --as parallel").stdout, "1\n4\n5\n6\n");
    let json = status("--json");
    assert_eq!(json.code, Some(1));
    assert_eq!(json.json()["missing"], serde_json::json!([1, 4, 5, 6]));
    assert_eq!(json.json()["done"], 4);
    assert!(
        status("")
            .stdout
            .starts_with("4 of 8 tasks are done\nmissing: 1,4-6\n")
    );
    // An export that is not committed is none.
    let looked = dir.relexport("status").arg(&planned.out).run();
    assert_eq!(looked.code, Some(3), "{}", looked.stderr);
    assert!(looked.stderr.contains("plan"), "{}", looked.stderr);
    // A worker of three makes every third task, one beyond the last task none.
    planned.work("--index 1 --of 3").ok();
    planned.work("--index 9").ok();
    assert_eq!(status("--missing").stdout, "5-6\n");
    planned
        .work("")
        .env("SLURM_ARRAY_TASK_ID", "5")
        .args(["--index-from", "slurm"])
        .ok();
    planned
        .work("")
        .env("CI_NODE_INDEX", "7")
        .env("CI_NODE_TOTAL", "8")
        .args(["--index-from", "gitlab-ci"])
        .ok();
    assert_eq!(status("--missing").stdout, "");
    planned.commit().ok();
    planned.is_same_as(&export(&dir, &project("fixtures/csv"), "--all-groups"));
}

#[test]
fn to_commit_twice_and_to_work_late_are_harmless() {
    let dir = Dir::new();
    let planned = planned(&dir, "out");
    let copy = dir.join("plan.json");
    planned
        .plan(&project("fixtures/csv"), "--all-groups --tasks 8")
        .option("-o", &copy)
        .ok();
    planned.work_all();
    planned.commit().ok();
    let manifest = fs::read(planned.out.join("manifest.json")).unwrap();
    assert!(!planned.out.join(".relexport-plan").exists());
    planned.commit().ok();
    planned.work("--task 3").ok();
    let status = dir.relexport("plan status --plan").arg(&copy).ok();
    assert!(status.stdout.contains("committed"), "{}", status.stdout);
    assert_eq!(
        fs::read(planned.out.join("manifest.json")).unwrap(),
        manifest
    );
    planned.is_same_as(&export(&dir, &project("fixtures/csv"), "--all-groups"));
}

#[test]
fn a_commit_that_was_cut_off_is_gone_on_with() {
    let dir = Dir::new();
    let planned = planned(&dir, "out");
    planned.work_all();
    let kept = dir.join("kept");
    Command::new("cp")
        .arg("-a")
        .args([planned.out.join(".relexport-plan"), kept.clone()])
        .status()
        .unwrap();
    planned.commit().ok();
    // As if it had died before it removed the plan.
    fs::rename(&kept, planned.out.join(".relexport-plan")).unwrap();
    planned.commit().ok();
    planned.is_same_as(&export(&dir, &project("fixtures/csv"), "--all-groups"));
}

#[test]
fn records_that_do_not_go_together_are_refused() {
    let dir = Dir::new();
    let planned = planned(&dir, "out");
    planned.work_all();
    let path = planned.record(2);
    let good = fs::read_to_string(&path).unwrap();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut record: Value = serde_json::from_str(&good).unwrap();
        change(&mut record);
        fs::write(&path, record.to_string()).unwrap();
    };
    change(&|record| record["task"] = 3.into());
    planned.commit().fails(3, &["another plan"]);
    change(&|record| record["plan"] = "00".into());
    planned.commit().fails(3, &["another plan"]);
    change(&|record| {
        let relations = record["manifest"]["entities"][0]["relations"].as_array_mut();
        relations.unwrap().remove(0);
    });
    planned.commit().fails(1, &["was made by no task"]);
    change(&|record| record["manifest"]["entities"][0]["prefix"] = "group_9".into());
    planned
        .commit()
        .fails(1, &["task 2", "none of its entities"]);
    change(&|record| {
        record["manifest"]["entities"][0]["relations"][0]["rows_read"] = 1_000_000.into();
    });
    planned.commit().fails(1, &["neither written nor left out"]);
    fs::write(&path, "{").unwrap();
    planned.commit().fails(3, &["it is no plan"]);
    fs::write(&path, &good).unwrap();
    fs::write(planned.out.join("somebodys"), "x").unwrap();
    planned
        .commit()
        .fails(1, &["somebodys", "belongs to no task"]);
    fs::remove_file(planned.out.join("somebodys")).unwrap();
    planned.commit().ok();
}

#[test]
fn what_a_plan_says_to_do_next_can_be_done() {
    let dir = Dir::new();
    let out = dir.join("out");
    let plan = dir
        .relexport("plan --all-groups --tasks 2")
        .option("--snapshot", project("fixtures/csv"))
        .option("--out", &out)
        .ok();
    let mut commands = plan.stderr.split('`').skip(1).step_by(2);
    let mut next = || commands.next().unwrap().strip_prefix("relexport ").unwrap();
    let (work, commit) = (next(), next());
    assert!(plan.stderr.contains("N from 0 to 1"), "{}", plan.stderr);
    for task in ["0", "1"] {
        dir.relexport(&work.replace("--task N", &format!("--task {task}")))
            .ok();
    }
    dir.relexport(commit).ok();
    assert_eq!(ExportFolder::new(&out).manifest()["status"], 1);
}
