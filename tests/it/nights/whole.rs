//! Whole nights: what happens of itself when nobody looks.

use std::fs;

use serde_json::json;

use super::machine::{Machine, job, lines, noting, of_type};
use super::metrics::metric;
use super::monitor::Monitor;
use crate::support::*;

#[test]
fn of_two_jobs_one_fails_and_everybody_is_told_of_both() {
    let monitor = Monitor::start(200);
    let hooks = |name: &str| {
        format!(
            "ping-url = \"{}/{name}\"\n[job.{name}.hooks]\nbefore = {}\nsuccess = {}\nfailure = {}\nafter = {}",
            monitor.url,
            noting(&format!("{name}-before")),
            noting(&format!("{name}-success")),
            noting(&format!("{name}-failure")),
            noting(&format!("{name}-after")),
        )
    };
    let bad = job("bad", &hooks("bad")).replace("today.sql", "missing.sql");
    let machine = Machine::new(&format!("{bad}{}", job("good", &hooks("good"))));
    let run = machine
        .run("--json")
        .fails(3, &["job bad failed: ", "there is no such file"]);

    // The export, and the link to it.
    let exports = machine.exports("good");
    assert_eq!(exports.len(), 1, "{exports:?}");
    assert_eq!(machine.latest("good").as_deref(), Some(&*exports[0]));
    let place = machine.dir.join(&format!("exports/good/{}", exports[0]));
    assert_same_files(
        "good",
        &ExportFolder::new(&place).contents(),
        &expected_files(&[4351]),
    );
    assert_eq!(machine.manifest("good", &exports[0])["job"], "good");
    assert_eq!(
        (machine.exports("bad"), machine.latest("bad")),
        (vec![], None)
    );

    // JSON lines.
    let lines = lines(&run);
    let [start] = of_type(&lines, "job_start", "good")[..] else {
        panic!("{lines:?}");
    };
    let relations = of_type(&lines, "relation", "good");
    let names: Vec<_> = relations
        .iter()
        .map(|relation| relation["relation"].as_str().unwrap())
        .collect();
    assert!(
        RELATIONS.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert!(
        relations
            .iter()
            .all(|relation| relation["status"] == "finished")
    );
    let rows: u64 = relations
        .iter()
        .map(|relation| relation["rows"].as_u64().unwrap())
        .sum();
    let [good] = of_type(&lines, "job_summary", "good")[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (&good["state"], &good["exit_status"]),
        (&"finished".into(), &0.into())
    );
    assert_eq!(
        (&good["rows"], &good["run_id"]),
        (&rows.into(), &start["run_id"])
    );
    assert_eq!(good["place"], place.to_str().unwrap());
    let [bad] = of_type(&lines, "job_summary", "bad")[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (&bad["state"], &bad["exit_status"]),
        (&"failed".into(), &3.into())
    );
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["message_type"], &last["code"]),
        (&"exit_error".into(), &3.into())
    );
    // Jobs come in the order of the file.
    assert_eq!(lines[0]["job"], "bad");

    // Pings, each with the id of its run, the last ones with the log.
    assert_eq!(
        monitor.paths(),
        ["/bad/start", "/bad/3", "/good/start", "/good/0"]
    );
    let pings = monitor.arrived();
    assert_eq!(good["run_id"], *pings[3].run_id);
    assert_eq!(pings[2].run_id, pings[3].run_id);
    assert_eq!(bad["run_id"], *pings[1].run_id);
    assert_eq!((&*pings[0].body, &*pings[2].body), ("", ""));
    assert!(
        pings[1].body.contains("there is no such file"),
        "{}",
        pings[1].body
    );
    assert!(
        pings[3].body.contains("job good is exported"),
        "{}",
        pings[3].body
    );
    assert!(!pings[3].body.contains("no such file"), "{}", pings[3].body);

    // Hooks.
    let (place, id) = (place.display(), &pings[3].run_id);
    let before = machine.noted("good-before").unwrap();
    assert_eq!(before, format!("good|running||{place}|||{id}|"));
    let success = format!("good|finished|0|{place}|{place}/manifest.json||{id}|");
    assert_eq!(machine.noted("good-success"), Some(success.clone()));
    assert_eq!(machine.noted("good-after"), Some(success));
    assert_eq!(machine.noted("good-failure"), None);
    let failure = machine.noted("bad-failure").unwrap();
    assert!(failure.starts_with("bad|failed|3||"), "{failure}");
    assert!(failure.contains("there is no such file"), "{failure}");
    assert_eq!(machine.noted("bad-after"), Some(failure));
    assert_eq!(machine.noted("bad-success"), None);

    // Metrics.
    let text = machine.metrics("good");
    assert_eq!(metric(&text, "last_exit_status", "good"), 0.0);
    assert_eq!(metric(&text, "rows", "good"), rows as f64);
    let text = machine.metrics("bad");
    assert_eq!(metric(&text, "last_exit_status", "bad"), 3.0);
    assert_eq!(metric(&text, "last_success_timestamp_seconds", "bad"), 0.0);

    // And the history.
    let jobs = machine.jobs(1);
    let states: Vec<_> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (&job["job"], &job["state"]))
        .collect();
    assert_eq!(
        states,
        [
            (&"bad".into(), &"failed".into()),
            (&"good".into(), &"finished".into())
        ]
    );
    assert_eq!(jobs[1]["runs"][0]["id"], good["run_id"]);
    assert_eq!(jobs[1]["runs"][0]["rows"], rows);
    assert_eq!(
        (&jobs[0]["is_stale"], &jobs[1]["is_stale"]),
        (&true.into(), &false.into())
    );
    let text = machine.command("jobs", "").fails(1, &[]).stdout;
    assert!(
        text.contains("bad  ") && text.contains("there is no such file"),
        "{text}"
    );
    machine.command("jobs", "good").ok();
}

#[test]
fn a_job_that_is_named_runs_alone_and_one_that_is_not_there_is_told() {
    let machine = Machine::new(&format!("{}{}", job("one", ""), job("two", "")));
    machine.run("two").ok();
    assert_eq!(
        (machine.exports("one").len(), machine.exports("two").len()),
        (0, 1)
    );
    machine
        .run("tow")
        .fails(2, &["there is no job tow", "did you mean two?"]);
    machine.run("two two").fails(2, &["job two is named twice"]);
    let run = machine
        .run("--json three")
        .fails(2, &["there is no job three"]);
    let last: serde_json::Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!(
        (&last["message_type"], &last["code"]),
        (&"exit_error".into(), &2.into())
    );
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let monitor = Monitor::start(200);
    let more = format!(
        "keep-last = 1\nping-url = \"{}/x\"\n[job.acme.hooks]\nbefore = {}",
        monitor.url,
        noting("before")
    );
    let machine = Machine::new(&job("acme", &more));
    let text = machine.run("--dry-run").ok().stdout;
    for part in [
        "job acme\n",
        "dumps/today.sql",
        "exports/acme/20",
        "--group=4351",
        "relexport_acme.prom",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(!text.contains(&monitor.url), "{text}");
    assert_eq!((monitor.paths(), machine.noted("before")), (vec![], None));
    let left = fs::read_dir(machine.dir.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["dumps", "metrics", "relexport.toml"]);
}

#[test]
fn rules_remove_older_exports_of_the_job_alone() {
    let machine = Machine::new(&job("acme", "keep-last = 1"));
    let shelf = machine.dir.join("exports/acme");
    // One of another job, and what is no export, lie beside it.
    dir_export(&machine, "2001-01-01_00-00-00");
    fs::create_dir(shelf.join("2001-01-02_thesis")).unwrap();
    machine.run("").ok();
    let [.., first] = &machine.exports("acme")[..] else {
        panic!("no export");
    };
    let first = first.clone();
    // The next one is of another second.
    wait_until("a new second begins", || {
        let run = machine.run("").run();
        run.code == Some(0)
    });
    let exports = machine.exports("acme");
    assert_eq!(exports[..2], ["2001-01-01_00-00-00", "2001-01-02_thesis"]);
    assert_eq!(exports.len(), 3, "{exports:?}");
    assert_ne!(exports[2], first);
    assert_eq!(machine.latest("acme"), Some(exports[2].clone()));
}

#[test]
fn what_a_killed_night_left_of_a_removal_goes_with_the_next_good_one() {
    let machine = Machine::new(&job("acme", "keep-last = 1"));
    let shelf = machine.dir.join("exports/acme");
    dir_export(&machine, "2001-01-01_00-00-00");
    let gone = shelf.join(".2001-01-01_00-00-00.relexport-gone-abcdefabcdef");
    fs::rename(shelf.join("2001-01-01_00-00-00"), &gone).unwrap();
    fs::remove_file(gone.join("group_4351/badges.ndjson.gz")).unwrap();
    machine.run("").ok();
    assert!(!gone.exists());
    assert_eq!(machine.exports("acme").len(), 1);
}

/// An export that nobody's job made.
fn dir_export(machine: &Machine, name: &str) {
    let place = machine.dir.join(&format!("exports/acme/{name}"));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    machine.dir.export_to(project(DUMP), place).group(4351).ok();
}

#[test]
fn a_history_that_is_damaged_stops_no_export() {
    let machine = Machine::new(&job("acme", ""));
    machine.dir.write("state/history.sqlite3", [b'x'; 4096]);
    let run = machine.run("").ok();
    for part in [
        "the file is damaged, or no database",
        "this run is not written down",
    ] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    assert_eq!(machine.exports("acme").len(), 1);
    // Whoever asks for it is told.
    machine
        .command("jobs", "")
        .fails(4, &["the file is damaged", "move it away"]);
}

#[test]
fn a_job_that_never_ran_is_stale() {
    let machine = Machine::new(&job("acme", ""));
    let jobs = machine.jobs(1);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["is_stale"]),
        (&().into(), &true.into())
    );
    let text = machine.command("jobs", "").fails(1, &[]).stdout;
    assert!(text.contains("never"), "{text}");
    machine.run("").ok();
    machine.jobs(0);
    machine.command("jobs", "--stale-after 0").fails(1, &[]);
    machine
        .command("jobs", "other")
        .fails(2, &["there is no job other"]);
}

#[test]
fn an_export_in_the_future_is_not_taken_for_a_young_one() {
    let machine = Machine::new(&job("acme", ""));
    let run_at = |at: &str| {
        let faked = faked_time(at).expect("libfaketime is there (fixtures/install-tools)");
        let with = |program: Program, (name, value)| program.env(name, value);
        faked
            .into_iter()
            .fold(machine.run("").env("TZ", "UTC"), with)
            .ok();
    };
    run_at("@2099-01-01 00:00:00");
    let jobs = machine.jobs(1);
    assert_eq!(jobs[0]["state"], "finished");
    let told = [
        "is_in_future",
        "is_stale",
        "age_seconds",
        "stale_in_seconds",
    ];
    let told = told.map(|key| jobs[0][key].clone());
    assert_eq!(json!(told), json!([true, true, null, null]));
    for arguments in ["", "acme"] {
        let text = machine.command("jobs", arguments).fails(1, &[]).stdout;
        assert!(text.contains("in the future, 2099-01-01"), "{text}");
    }
    // Clocks may differ a little; and the next run tells the time anew.
    for (at, code) in [("+90m", 1), ("+30m", 0)] {
        run_at(at);
        let jobs = machine.jobs(code);
        assert_eq!(jobs[0]["is_in_future"], code == 1, "{at}");
    }
    assert_eq!(machine.jobs(0)[0]["age_seconds"], 0);
}

#[test]
fn a_night_without_a_new_snapshot_is_skipped_and_makes_no_export_younger() {
    let monitor = Monitor::start(200);
    let more = format!(
        "skip-unchanged = true\nping-url = \"{}/acme\"\n[job.acme.hooks]\nsuccess = {}",
        monitor.url,
        noting("success")
    );
    let machine = Machine::new(&job("acme", &more));
    machine.run("").ok();
    let (exports, success) = (machine.exports("acme"), "last_success_timestamp_seconds");
    let first = metric(&machine.metrics("acme"), success, "acme");
    let run = machine.run("--json").ok();
    assert!(run.stderr.contains("is skipped"), "{}", run.stderr);
    let lines = lines(&run);
    let summary = of_type(&lines, "job_summary", "acme")[0];
    assert_eq!(summary["state"], "skipped");
    assert!(summary["place"].as_str().unwrap().ends_with(&exports[0]));
    assert_eq!(machine.exports("acme"), exports);
    assert_eq!(metric(&machine.metrics("acme"), success, "acme"), first);
    assert_eq!(monitor.paths()[2..], ["/acme/start", "/acme/0"]);
    assert!(
        machine
            .noted("success")
            .unwrap()
            .starts_with("acme|skipped|0|")
    );
    assert_eq!(machine.jobs(0)[0]["state"], "skipped");
    // Of other options, another one is made.
    let mut options = String::new();
    for (number, option) in [
        "batched = true",
        "gitlab-version = \"18.0.0\"",
        "source-url = \"https://gitlab.example\"",
    ]
    .iter()
    .enumerate()
    {
        options = format!("{option}\n{options}");
        machine.configure(&job("acme", &format!("{options}{more}")));
        wait_until("a new second begins", || {
            machine.run("").run().code == Some(0)
        });
        assert_eq!(machine.exports("acme").len(), number + 2, "{option}");
    }
}
