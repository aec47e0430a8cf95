//! Pipes that bring nothing: standard input, and named pipes with a writer and without.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::support::*;

const STALLED: [&str; 3] = [
    "it stalled, no byte has come for 200 ms",
    "whoever sends it",
    "--stall-timeout",
];

fn named_pipe(dir: &Dir) -> PathBuf {
    let path = dir.join("pipe.sql");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    path
}

/// A run that reads it, and gives up after some silence.
fn export(dir: &Dir, snapshot: impl AsRef<std::ffi::OsStr>, silence: &str) -> Program {
    let temp = dir.join("temp");
    fs::create_dir_all(&temp).unwrap();
    dir.export(snapshot)
        .group("acme/platform")
        .option("--temp-dir", temp)
        .option("--stall-timeout", silence)
}

fn assert_no_temp_file(dir: &Dir) {
    assert_eq!(files_below(&dir.join("temp")), [""; 0]);
}

#[test]
fn a_named_pipe_that_nobody_writes_to_ends_the_run() {
    let dir = Dir::new();
    let pipe = named_pipe(&dir);
    export(&dir, pipe, "200ms")
        .fails(3, &STALLED)
        .left_nothing();
}

#[test]
fn a_pipe_that_falls_silent_ends_the_run_wherever_that_is() {
    let dump = dump();
    for given in [0, 100, dump.len() / 2, dump.len() * 9 / 10] {
        let dir = Dir::new();
        let mut started = export(&dir, "-", "200ms").piped().start();
        started.give(&dump.as_bytes()[..given]);
        let run = started.wait();
        assert_eq!(run.code, Some(3), "{given}: {}", run.stderr);
        for part in STALLED {
            assert!(run.stderr.contains(part), "{given}: {}", run.stderr);
        }
        run.left_nothing();
        assert_no_temp_file(&dir);
    }
}

#[test]
fn a_compressed_pipe_that_falls_silent_has_stalled_and_is_not_damaged() {
    let backup = fs::read(project(BACKUP)).unwrap();
    for given in [5, 700, backup.len() / 2] {
        let dir = Dir::new();
        let mut started = export(&dir, "-", "200ms").piped().start();
        started.give(&backup[..given]);
        let run = started.wait();
        assert_eq!(run.code, Some(3), "{given}: {}", run.stderr);
        assert!(run.stderr.contains("it stalled"), "{given}: {}", run.stderr);
        run.left_nothing();
        assert_no_temp_file(&dir);
    }
}

#[test]
fn a_pipe_that_goes_on_in_time_is_read_to_its_end() {
    let dir = Dir::new();
    let pipe = named_pipe(&dir);
    let started = dir
        .export(&pipe)
        .group(4351)
        .option("--stall-timeout", "0")
        .start();
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    for piece in dump().as_bytes().chunks(7000) {
        writer.write_all(piece).unwrap();
    }
    drop(writer);
    let run = started.wait();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_same_files("piped", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused() {
    let dir = Dir::new();
    let folder = dir.join("csv");
    let copied = std::process::Command::new("cp")
        .args(["-r", project("fixtures/csv").to_str().unwrap()])
        .arg(&folder)
        .status();
    assert!(copied.unwrap().success());
    fs::remove_file(folder.join("schema.sql")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("schema.sql"))
        .status();
    assert!(made.unwrap().success());
    dir.export(&folder)
        .group(4351)
        .fails(3, &["schema.sql"])
        .left_nothing();
}

#[test]
fn the_first_signal_is_heard_before_a_named_pipe_has_a_writer() {
    for signal in ["INT", "TERM"] {
        let dir = Dir::new();
        let pipe = named_pipe(&dir);
        let mut started = export(&dir, pipe, "0").start();
        started.wait_until("its place is claimed", || {
            dir.join(".out.relexport-lock").exists()
        });
        started.signal(signal);
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        run.left_nothing();
        assert_no_temp_file(&dir);
    }
}

#[test]
fn the_first_signal_is_heard_while_standard_input_brings_nothing() {
    let dump = dump();
    // Before it is known what comes, and after.
    for given in [0, 100] {
        let dir = Dir::new();
        let mut started = export(&dir, "-", "0").piped().start();
        started.give(&dump.as_bytes()[..given]);
        started.wait_until("its place is claimed", || {
            dir.join(".out.relexport-lock").exists()
        });
        started.signal("TERM");
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{given}: {}", run.stderr);
        run.left_nothing();
        assert_no_temp_file(&dir);
    }
}

#[test]
fn a_take_from_a_silent_pipe_ends_and_hears_the_first_signal() {
    let dir = Dir::new();
    let pipe = named_pipe(&dir);
    let take = |silence: &str| {
        dir.relexport("snapshot take --out taken --quiet")
            .option("--from", &pipe)
            .option("--stall-timeout", silence)
    };
    take("200ms").fails(3, &STALLED);
    assert!(!dir.join("taken").exists());
    let mut started = take("0").start();
    started.wait_until("its place is claimed", || {
        dir.join(".taken.relexport-lock").exists()
    });
    started.signal("TERM");
    let run = started.wait();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(!dir.join("taken").exists());
}

#[test]
fn commands_that_only_look_end_too() {
    let dir = Dir::new();
    let pipe = named_pipe(&dir);
    for command in ["groups", "inspect", "pipeline init --entity epics"] {
        dir.relexport(command)
            .option("--snapshot", &pipe)
            .option("--stall-timeout", "200ms")
            .fails(3, &STALLED);
    }
}

#[test]
fn a_pipe_whose_writer_has_ended_before_it_is_opened_is_read_to_its_end() {
    let dir = Dir::new();
    let script = "exec 3< <(gzip -9c \"$0\"); wait $!; exec \"$@\"";
    let run = dir
        .export("/dev/fd/3")
        .group(4351)
        .through(["bash", "-c", script, project(DUMP).to_str().unwrap()])
        .ok();
    assert_same_files("ended", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn settings_may_come_through_a_pipe() {
    let dir = Dir::new();
    let script = "exec \"$@\" --pipeline <(cat \"$0\")";
    let run = dir
        .export(project(DUMP))
        .group(4351)
        .through([
            "bash",
            "-c",
            script,
            project("pipelines/group.yml").to_str().unwrap(),
        ])
        .ok();
    assert_same_files("settings", &run.contents(), &expected_files(&[4351]));
    let pipe = named_pipe(&dir);
    let started = dir
        .export_to(project(DUMP), dir.join("other"))
        .group(4351)
        .option("--pipeline", &pipe)
        .start();
    // Opened by the run when it reads.
    let writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    started.signal("TERM");
    let run = started.wait();
    drop(writer);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
    run.left_nothing();
}
