//! Runs that meet another one, that are killed, and that a signal ends.

use std::fs;
use std::io::Write;

use super::machine::{Machine, job, lines, noting, of_type, pipe};
use super::metrics::metric;
use super::monitor::Monitor;
use crate::support::*;

/// A job whose hook waits until somebody writes to the pipe `gate`, and says that it does.
fn waiting(more: &str) -> Machine {
    let hook = "before = [\"sh\", \"-c\", \"echo at the gate; cat @/gate\"]";
    let machine = Machine::new(&job(
        "acme",
        &format!(
            "{more}\n[job.acme.hooks]\n{hook}\nfailure = {}",
            noting("failure")
        ),
    ));
    pipe(&machine.dir.join("gate"));
    machine
}

fn open_gate(machine: &Machine) {
    let mut gate = fs::OpenOptions::new()
        .write(true)
        .open(machine.dir.join("gate"))
        .unwrap();
    gate.write_all(b"go on\n").unwrap();
}

#[test]
fn a_second_run_of_a_job_ends_with_11_or_waits() {
    let machine = waiting("");
    let mut first = machine.run("").start();
    first.wait_for_line("at the gate");
    let pid = format!("pid {}", first.pid());
    let second = machine
        .run("--json")
        .fails(11, &["job acme is being run already", &pid]);
    let lines = lines(&second);
    assert_eq!(of_type(&lines, "job_summary", "acme")[0]["exit_status"], 11);
    assert!(
        machine
            .noted("failure")
            .unwrap()
            .starts_with("acme|failed|11|")
    );
    // The first one is not taken for dead.
    let runs = machine.jobs(1)[0]["runs"].clone();
    assert_eq!(
        (&runs[0]["exit_status"], &runs[1]["state"]),
        (&11.into(), &"running".into())
    );
    let mut third = machine.run("--lock-wait 10min").start();
    third.wait_for_line("waiting for up to 600 s");
    open_gate(&machine);
    let first = first.wait();
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    third.wait_for_line("at the gate");
    // So that its place has another name.
    wait_until("a new second begins", || {
        machine
            .latest("acme")
            .is_some_and(|name| name < name_of_now())
    });
    open_gate(&machine);
    third.wait();
}

/// The name that an export has which is begun now.
fn name_of_now() -> String {
    let date = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d_%H-%M-%S"])
        .output();
    String::from_utf8(date.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn a_run_that_was_killed_is_found_dead_by_the_next_one() {
    let machine = waiting("");
    let mut killed = machine.run("").start();
    killed.wait_for_line("at the gate");
    assert_eq!(machine.jobs(1)[0]["state"], "running");
    killed.kill();
    // Its hook still waits, and must not let the next one in.
    open_gate(&machine);
    assert_eq!(machine.jobs(1)[0]["state"], "dead");
    let mut next = machine.run("").start();
    next.wait_for_line("ended without saying so: it was killed, or the machine went down");
    next.wait_for_line("at the gate");
    open_gate(&machine);
    let next = next.wait();
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    let runs = machine.jobs(0)[0]["runs"].clone();
    assert_eq!(
        (&runs[0]["state"], &runs[1]["state"]),
        (&"finished".into(), &"dead".into())
    );
    assert_eq!(runs[1]["ended"], serde_json::Value::Null);
}

#[test]
fn a_signal_ends_the_hook_before_and_all_are_told() {
    let monitor = Monitor::start(200);
    let machine = waiting(&format!("ping-url = \"{}/acme\"", monitor.url));
    let mut run = machine.run("--json").start();
    run.wait_for_line("at the gate");
    run.signal("TERM");
    let run = run.wait();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert_eq!(monitor.paths(), ["/acme/start", "/acme/130"]);
    assert!(
        machine
            .noted("failure")
            .unwrap()
            .starts_with("acme|interrupted|130|")
    );
    let lines = lines(&run);
    assert_eq!(
        of_type(&lines, "job_summary", "acme")[0]["state"],
        "interrupted"
    );
    assert_eq!(lines.last().unwrap()["code"], 130);
    assert_eq!(
        metric(&machine.metrics("acme"), "last_exit_status", "acme"),
        130.0
    );
    assert_eq!(machine.jobs(1)[0]["state"], "interrupted");
}

#[test]
fn a_signal_during_an_export_leaves_it_to_be_gone_on_with_and_the_next_job_does_not_run() {
    let machine = Machine::new("");
    // Relations that are read first are written while the rest of the dump has not come.
    let more = format!("[job.acme.hooks]\nfailure = {}\n", noting("failure"));
    machine.configure(&format!(
        "{}{}",
        job("acme", &more).replace("today.sql", "pipe.sql"),
        job("next", "")
    ));
    let path = machine.dir.join("dumps/pipe.sql");
    pipe(&path);
    let mut run = machine.run("").start();
    // Opened by the run when it reads.
    let mut dump_pipe = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let text = dump();
    dump_pipe
        .write_all(&text.as_bytes()[..text.len() / 2])
        .unwrap();
    wait_until("the export is begun", || {
        !machine.exports("acme").is_empty()
    });
    run.signal("TERM");
    run.wait_until("it is told", || machine.noted("failure").is_some());
    let run = run.wait();
    drop(dump_pipe);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(
        run.stderr.contains("these jobs were not run: next"),
        "{}",
        run.stderr
    );
    assert!(
        machine
            .noted("failure")
            .unwrap()
            .starts_with("acme|interrupted|130|")
    );
    assert_eq!(machine.exports("next"), [""; 0]);
    assert_eq!(machine.latest("acme"), None);
}

#[test]
fn what_stands_in_the_way_on_the_shelf_ends_a_good_night_with_4() {
    let machine = Machine::new(&job(
        "acme",
        &format!(
            "keep-last = 1\nskip-unchanged = true\n[job.acme.hooks]\nfailure = {}",
            noting("failure")
        ),
    ));
    machine.run("").ok();
    let first = machine.exports("acme").remove(0);
    let shelf = machine.dir.join("exports/acme");
    let old = shelf.join(&first);
    fs::write(old.join("mine.txt"), "years of work").unwrap();
    let next_night = |code: i32, parts: &[&str]| {
        machine.dump("today.sql", &format!("{}\n-- {parts:?}\n", dump()));
        let mut run = machine.run("").run();
        // So that its place has another name.
        wait_until("a new second begins", || {
            let is_taken = run.stderr.contains("is there already");
            if is_taken {
                run = machine.run("").run();
            }
            !is_taken
        });
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "no {part}: {}", run.stderr);
        }
        let runs = machine.jobs(i32::from(code != 0))[0]["runs"].clone();
        assert_eq!(runs[0]["state"], "finished");
    };
    next_night(4, &["an older one cannot be removed", "mine.txt"]);
    let told = machine.noted("failure").unwrap();
    assert!(told.starts_with("acme|finished|4|"), "{told}");
    assert!(old.join("mine.txt").exists());
    fs::remove_file(old.join("mine.txt")).unwrap();
    next_night(0, &[]);
    assert_eq!(machine.exports("acme").len(), 1);

    // What `latest` does not lead to is not taken for done by a run that would make the same.
    let second = machine.latest("acme");
    fs::remove_file(shelf.join("latest")).unwrap();
    fs::create_dir(shelf.join("latest")).unwrap();
    next_night(4, &["`latest` in", "is no link"]);
    fs::remove_dir(shelf.join("latest")).unwrap();
    wait_until("a new second begins", || {
        machine.run("").run().code == Some(0)
    });
    assert_eq!(machine.latest("acme"), machine.exports("acme").pop());
    assert_ne!(machine.latest("acme"), second);
    let run = machine.run("").ok();
    assert!(run.stderr.contains("is skipped"), "{}", run.stderr);
}

#[test]
fn a_snapshot_that_is_given_is_read_in_place_of_the_jobs() {
    let machine = Machine::new(&job("one", ""));
    let other = machine.dump(
        "other.sql",
        &edit_field(&dump(), "labels", "id", "801", "title", "other"),
    );
    let other = other.to_str().unwrap();
    machine
        .run("one --snapshot /no/such/file")
        .fails(3, &["job one failed: ", "/no/such/file"]);
    machine
        .run("one --snapshot -")
        .fails(2, &["a job cannot read standard input"]);
    machine.run(&format!("one --snapshot {other}")).ok();
    let exports = machine.exports("one");
    let read = |name: &String| machine.manifest("one", name)["snapshot"]["source"].clone();
    assert_eq!(exports.iter().map(read).collect::<Vec<_>>(), ["other.sql"]);
    let told = machine
        .run("--dry-run")
        .env("RELEXPORT_SNAPSHOT", other)
        .prints();
    assert!(told.contains(&format!("reads      {other}\n")), "{told}");
    assert!(told.contains(&format!("--snapshot={other}")), "{told}");
}

#[test]
fn a_mistake_that_breaks_every_job_is_in_metrics_and_history() {
    let machine = Machine::new(&job("one", ""));
    machine.run("").ok();
    let own = "metrics-file = \"@/own.prom\"\ngzip-level = 60";
    for (number, config) in [
        format!("[defaults]\ngzip-level = 60\n{}", job("one", "")),
        format!("foo = 1\n{}", job("one", "")),
        job("one", own),
    ]
    .iter()
    .enumerate()
    {
        machine.configure(config);
        // What the run before wrote must not be taken for this one's.
        let _ = fs::remove_file(machine.dir.join("metrics/relexport_one.prom"));
        machine.run("").fails(2, &["job one"]);
        let metrics = match config.contains("own.prom") {
            true => machine.noted("own.prom").unwrap(),
            false => machine.metrics("one"),
        };
        assert_eq!(metric(&metrics, "last_exit_status", "one"), 2.0, "{config}");
        machine.configure(&job("one", ""));
        let runs = &machine.jobs(1)[0]["runs"];
        let listed = machine.command("jobs", "one --json").run().json();
        assert_eq!(runs[0]["exit_status"], 2, "{config}");
        assert_eq!(listed[0]["runs"].as_array().unwrap().len(), number + 2);
    }
}

#[test]
fn a_configuration_without_a_job_is_no_good_news() {
    let machine = Machine::new("");
    let wanted = ["there is no job in the configuration"];
    machine.run("").fails(2, &wanted);
    for options in ["", "--json"] {
        let run = machine.command("jobs", options).fails(2, &wanted);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn exports_that_lack_rows_take_no_place_of_those_that_do_not() {
    let machine = Machine::new(&job("one", "keep-going = true\nkeep-last = 2"));
    // A label without its last field.
    let damaged = edit_rows(&dump(), "labels", |rows| {
        let (row, rest) = rows.split_once('\n').unwrap();
        format!("{}\n{rest}", row.rsplit_once('\t').unwrap().0)
    });
    let mut good = Vec::new();
    for (day, text, code) in [
        (1, &dump(), 0),
        (2, &dump(), 0),
        (3, &damaged, 1),
        (4, &dump(), 0),
    ] {
        machine.dump("today.sql", text);
        let faked = faked_time(&format!("@2026-11-0{day} 02:00:00"));
        let faked = faked.expect("libfaketime is there (fixtures/install-tools)");
        let with = |program: Program, (name, value)| program.env(name, value);
        let run = faked.into_iter().fold(machine.run(""), with).run();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        if code == 0 {
            good.push(machine.latest("one").unwrap());
        }
    }
    let left = machine.exports("one");
    assert!(good[1..].iter().all(|name| left.contains(name)), "{left:?}");
    assert!(!left.contains(&good[0]), "{left:?}");
}
