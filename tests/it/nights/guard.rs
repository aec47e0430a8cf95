//! Nights on which there is less than there should be.

use std::fs;
use std::time::SystemTime;

use super::machine::{Machine, job, lines, noting, of_type};
use super::metrics::metric;
use super::monitor::Monitor;
use crate::support::*;

/// The dump with two labels of the group, rather than thirteen.
fn shrunk() -> String {
    edit_rows(&dump(), "labels", |rows| {
        let kept = rows
            .lines()
            .filter(|row| row.starts_with("801\t") || row.starts_with("802\t"));
        kept.map(|row| format!("{row}\n")).collect()
    })
}

const GUARD: &str = "keep-last = 1\n[job.acme.guard]\nmax-shrink = [\"50%\", \"labels=40%\"]\n";

#[test]
fn a_night_that_shrinks_is_suspect_and_neither_latest_nor_older_exports_change() {
    let monitor = Monitor::start(200);
    let ping = format!("ping-url = \"{}/acme\"\n", monitor.url);
    let hooks = format!(
        "[job.acme.hooks]\nsuccess = {}\nfailure = {}\n",
        noting("success"),
        noting("failure")
    );
    let machine = Machine::new(&job("acme", &format!("{ping}{GUARD}{hooks}")));
    machine.run("").ok();
    let good = machine.exports("acme");
    let success = metric(
        &machine.metrics("acme"),
        "last_success_timestamp_seconds",
        "acme",
    );
    fs::remove_file(machine.dir.join("success")).unwrap();
    machine.dump("today.sql", &shrunk());

    let reason = "labels has 2 rows, and had 13 in the last success: more than 40% fewer";
    let run = next_night(&machine, "--json");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("job acme is suspect: "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains(reason) && run.stderr.contains("--no-guard"),
        "{}",
        run.stderr
    );
    let exports = machine.exports("acme");
    assert_eq!((exports.len(), &exports[0]), (2, &good[0]));
    assert_eq!(machine.latest("acme").as_ref(), Some(&good[0]));
    // The export says it itself, so that nobody takes it for a good one when the history is lost.
    let manifest = machine.manifest("acme", &exports[1]);
    assert_eq!(manifest["suspect"], serde_json::json!([reason]));
    assert_eq!(manifest["status"], 1);

    let lines = lines(&run);
    let summary = of_type(&lines, "job_summary", "acme")[0];
    assert_eq!(
        (&summary["state"], &summary["exit_status"]),
        (&"suspect".into(), &1.into())
    );
    let text = machine.metrics("acme");
    assert_eq!(metric(&text, "suspect", "acme"), 1.0);
    assert_eq!(metric(&text, "last_exit_status", "acme"), 1.0);
    assert_eq!(
        metric(&text, "last_success_timestamp_seconds", "acme"),
        success
    );
    assert_eq!(machine.jobs(1)[0]["state"], "suspect");
    assert_eq!(monitor.paths()[2..], ["/acme/start", "/acme/1"]);
    assert_eq!(machine.noted("success"), None);
    let failure = machine.noted("failure").unwrap();
    assert!(
        failure.starts_with("acme|suspect|1|") && failure.contains(reason),
        "{failure}"
    );

    // The next night is held to the last success, too, not to the suspect one.
    let run = next_night(&machine, "");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    // Until somebody says that it is right.
    let run = next_night(&machine, "--no-guard");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = next_night(&machine, "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn what_is_compared_with_is_found_when_the_history_is_lost() {
    let machine = Machine::new(&job("acme", GUARD));
    machine.run("").ok();
    fs::remove_dir_all(machine.dir.join("state")).unwrap();
    machine.dump("today.sql", &shrunk());
    let run = next_night(&machine, "");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("labels has 2 rows, and had 13"),
        "{}",
        run.stderr
    );
}

#[test]
fn so_is_the_one_export_that_each_run_replaces() {
    let guard = GUARD.replace("keep-last = 1\n", "");
    let text = job("acme", &guard).replace("/{date}_{time}", "/one");
    let machine = Machine::new(&text);
    machine.run("").ok();
    fs::remove_dir_all(machine.dir.join("state")).unwrap();
    machine.dump("today.sql", &shrunk());
    machine.run("").fails(1, &["labels has 2 rows, and had 13"]);
    let labels = machine.manifest("acme", "one")["entities"][0]["relations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|relation| relation["relation"] == "labels")
        .unwrap()["total_objects_count"]
        .clone();
    assert_eq!(labels, 13);
}

#[test]
fn the_one_export_of_a_job_is_not_replaced_by_a_suspect_one() {
    let text = job(
        "acme",
        "[job.acme.guard]\nmin-rows = [\"labels=5\", \"lables=0\"]\n",
    );
    let machine = Machine::new(&text.replace("/{date}_{time}", "/one"));
    let run = machine.run("").ok();
    assert!(
        run.stderr.contains("the guard names lables"),
        "{}",
        run.stderr
    );
    let place = machine.dir.join("exports/acme/one");
    let before = ExportFolder::new(&place).contents();
    machine.dump("today.sql", &shrunk());
    for _ in 0..2 {
        machine
            .run("")
            .fails(1, &["labels has 2 rows, fewer than 5"]);
        assert_same_files(
            "the older one",
            &ExportFolder::new(&place).contents(),
            &before,
        );
        let manifest = machine.manifest("acme", "one.failed");
        assert_eq!(manifest["suspect"][0], "labels has 2 rows, fewer than 5");
    }
    machine.dump("today.sql", &dump());
    machine.run("").ok();
    assert!(!machine.dir.join("exports/acme/one.failed").exists());
}

/// Runs the job in another second than before: two exports of one second would have one name.
fn next_night(machine: &Machine, arguments: &str) -> Run {
    let second = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let last = second();
    wait_until("a new second begins", || second() > last);
    machine.run(arguments).run()
}
