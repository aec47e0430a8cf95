//! Workers that come twice, late, or after one that died.

use super::*;
use crate::support::live;
use crate::support::server::Server;

fn planned(dir: &Dir) -> (Planned<'_>, PathBuf) {
    archives(dir);
    let snapshot = dir.join("groups.dir");
    let arguments = "--all-groups --batched --batch-size 2";
    let whole = export(dir, &snapshot, arguments);
    let planned = Planned::new(dir, "out", &snapshot, &format!("{arguments} --tasks 6"));
    (planned, whole)
}

#[test]
fn twins_make_the_same_and_what_is_made_is_left_alone() {
    let dir = Dir::new();
    let (planned, whole) = planned(&dir);
    for task in 0..planned.tasks() {
        let twins: Vec<Started> = (0..3)
            .map(|_| planned.work(&format!("--task {task}")).start())
            .collect();
        for twin in twins {
            let run = twin.wait();
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        }
    }
    let record = fs::metadata(planned.record(0)).unwrap().modified().unwrap();
    let said = planned.work("--task 0 --json").prints();
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap()["already"],
        true
    );
    let now = fs::metadata(planned.record(0)).unwrap().modified().unwrap();
    assert_eq!(record, now);
    planned.commit().ok();
    planned.is_same_as(&whole);
}

#[test]
fn a_file_that_is_lost_is_made_again() {
    let dir = Dir::new();
    let (planned, whole) = planned(&dir);
    planned.work_all();
    let labels = files_below(&planned.out)
        .into_iter()
        .find(|name| name.contains("labels"))
        .unwrap();
    fs::remove_file(planned.out.join(&labels)).unwrap();
    planned
        .commit()
        .fails(1, &["labels", "not there any more", "relexport work"]);
    planned.work_all();
    planned.commit().ok();
    planned.is_same_as(&whole);
}

#[test]
fn workers_that_disagree_are_an_alarm() {
    let dir = Dir::new();
    let (planned, _) = planned(&dir);
    planned.work("--task 1").ok();
    let record = planned.record(1);
    let text = fs::read_to_string(&record).unwrap();
    let mut changed: Value = serde_json::from_str(&text).unwrap();
    let relations = &mut changed["manifest"]["entities"][0]["relations"][0];
    relations["rows_read"] = 7777.into();
    fs::write(&record, changed.to_string()).unwrap();
    // Its files are as they should be, so nobody looks: it is told when it is put together.
    let labels = files_below(&planned.out)
        .into_iter()
        .find(|name| text.contains(name.as_str()))
        .unwrap();
    fs::remove_file(planned.out.join(labels)).unwrap();
    planned
        .work("--task 1")
        .fails(1, &["two workers disagree on task 1"]);
}

#[test]
fn a_worker_that_is_told_to_stop_is_one_to_begin_again() {
    let server = Server::shared();
    let database = live::fixture(server);
    let dir = Dir::new();
    let mut holder = live::Session::begin(&database);
    let id = holder.export_snapshot();
    let address = database.address();
    let arguments = format!("--all-groups --lock-timeout 1h --pg-snapshot {id}");
    let address = Path::new(&address);
    let planned = Planned::new(&dir, "out", address, &format!("{arguments} --tasks 1"));
    for signal in ["TERM", "INT"] {
        let mut other = live::Session::begin(&database);
        other.lock("labels");
        let worker = planned.work("--task 0").start();
        live::wait_until_blocked(&database);
        worker.signal(signal);
        let run = worker.wait();
        assert_eq!(run.code, Some(75), "{signal}: {}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        assert!(!planned.record(0).exists());
    }
    planned.work("--task 0").ok();
    planned.commit().ok();
    planned.is_same_as(&export(&dir, address, &arguments));
}

#[test]
fn what_a_killed_worker_left_is_in_nobodys_way() {
    let dir = Dir::new();
    let (planned, whole) = planned(&dir);
    for task in 0..planned.tasks() {
        for milliseconds in [5, 20, 60] {
            let worker = planned.work(&format!("--task {task}")).start();
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            worker.kill();
        }
        planned.work(&format!("--task {task}")).ok();
    }
    planned.commit().ok();
    planned.is_same_as(&whole);
}

#[test]
fn commits_at_the_same_time_make_one_export() {
    let dir = Dir::new();
    let (planned, whole) = planned(&dir);
    planned.work_all();
    let commits: Vec<Started> = (0..3).map(|_| planned.commit().start()).collect();
    for commit in commits {
        let run = commit.wait();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    planned.is_same_as(&whole);
}
