//! Hooks that fail or hang, and pings that nobody takes.

use std::fs;

use super::machine::{Machine, job, noting};
use super::monitor::Monitor;

#[test]
fn a_hook_before_that_fails_stops_the_job_and_those_who_wait_are_told() {
    let monitor = Monitor::start(200);
    let more = format!(
        "ping-url = \"{}/acme\"\n[job.acme.hooks]\nbefore = [[\"sh\", \"-c\", \"echo no mount; exit 7\"], {}]\nfailure = {}\nafter = {}",
        monitor.url,
        noting("second"),
        noting("failure"),
        noting("after"),
    );
    let machine = Machine::new(&job("acme", &more));
    let run = machine.run("").fails(
        1,
        &[
            "the before hook sh failed: exit status 7",
            "before hook: no mount",
        ],
    );
    assert_eq!(machine.exports("acme"), [""; 0], "{}", run.stderr);
    assert_eq!(machine.noted("second"), None);
    assert!(
        machine
            .noted("failure")
            .unwrap()
            .starts_with("acme|failed|1||")
    );
    assert!(machine.noted("after").is_some());
    assert_eq!(monitor.paths(), ["/acme/start", "/acme/1"]);
    assert!(monitor.arrived()[1].body.contains("no mount"));
    assert_eq!(machine.jobs(1)[0]["state"], "failed");
}

#[test]
fn hooks_afterwards_that_fail_or_hang_are_warned_of_and_change_nothing() {
    let more = format!(
        "[job.acme.hooks]\nsuccess = [[\"sleep\", \"1000\"], [\"false\"], {}]\nafter = [\"/nowhere/hook\"]\ntime-limit = \"1s\"",
        noting("success"),
    );
    let machine = Machine::new(&job("acme", &more));
    let run = machine.run("").ok();
    for part in [
        "the success hook sleep was ended: it took longer than 1 s",
        "the success hook false failed: exit status 1",
        "cannot start the after hook /nowhere/hook",
    ] {
        assert!(run.stderr.contains(part), "no {part} in {}", run.stderr);
    }
    assert!(machine.noted("success").is_some());
    assert_eq!(machine.jobs(0)[0]["state"], "finished");
}

#[test]
fn a_ping_that_is_refused_is_warned_of_without_its_address() {
    let monitor = Monitor::start(404);
    let more = format!("ping-url = \"{}/secret-uuid\"", monitor.url);
    let machine = Machine::new(&job("acme", &more));
    let run = machine.run("").ok();
    assert!(
        run.stderr
            .contains("cannot ping 127.0.0.1: it answers with status 404"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("secret-uuid"), "{}", run.stderr);
    assert_eq!(monitor.paths(), ["/secret-uuid/start", "/secret-uuid/0"]);
}

#[test]
fn a_job_with_a_mistake_tells_those_who_wait_for_it_and_the_others_run() {
    let monitor = Monitor::start(200);
    let more = format!(
        "batchd = true\nping-url = \"{}/bad\"\n[job.bad.hooks]\nbefore = {}\nfailure = {}",
        monitor.url,
        noting("before"),
        noting("failure"),
    );
    let machine = Machine::new(&format!("{}{}", job("bad", &more), job("good", "")));
    machine.run("").fails(2, &["batchd", "batched"]);
    assert_eq!(
        (machine.exports("bad").len(), machine.exports("good").len()),
        (0, 1)
    );
    assert_eq!(monitor.paths(), ["/bad/2"]);
    assert_eq!(machine.noted("before"), None);
    let failure = machine.noted("failure").unwrap();
    assert!(
        failure.starts_with("bad|failed|2|") && failure.contains("batchd"),
        "{failure}"
    );
    assert_eq!(machine.jobs(1)[0]["state"], "failed");
}

#[test]
fn no_secret_of_a_job_reaches_the_log_a_ping_or_the_history() {
    let monitor = Monitor::start(200);
    let more = format!(
        "ping-url = \"{}/acme\"\n[job.acme.environment]\nAWS_SECRET_ACCESS_KEY-file = \"@/key\"\n\
         [job.acme.hooks]\nbefore = [\"sh\", \"-c\", \"cat @/key; env; exit 1\"]",
        monitor.url,
    );
    let machine = Machine::new("");
    let key = machine.dir.write("key", "hunter2-hunter2\n");
    fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    machine.configure(&job("acme", &more));
    let run = machine.run("--json").fails(1, &["before hook: ***"]);
    let state = fs::read(machine.dir.join("state/history.sqlite3")).unwrap();
    for text in [
        run.stderr.clone(),
        run.stdout.clone(),
        monitor.arrived()[1].body.clone(),
        String::from_utf8_lossy(&state).into_owned(),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(monitor.arrived()[1].body.contains("before hook: ***"));
}
