//! Two runs and one folder: whatever the options and the names by which they come to it, no two of them write there.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::places::{export_of, go_on, names, take_of, waiting};
use super::resume::with_many_labels;
use crate::support::*;

/// Other names of the folder `out`, besides its own: relative ones, and links to it and to what is above it.
const NAMES: [&str; 4] = ["out", "above/out", "link", "out/../link/."];

const LOCK: &str = ".out.relexport-lock";

/// A folder with links by which `out` has other names.
fn place() -> Dir {
    let dir = Dir::new();
    symlink("out", dir.join("link")).unwrap();
    symlink(".", dir.join("above")).unwrap();
    dir
}

fn fixture() -> String {
    project("fixtures/gitlab.sql").to_str().unwrap().to_owned()
}

/// An export of another group into the place by this name, which nobody waits for.
fn second(dir: &Dir, name: &str, more: &[&str]) -> Program {
    dir.relexport("export --quiet --group 4352")
        .args(["--snapshot", &fixture(), "--out", name])
        .args(more)
}

/// Nobody gets in by any name, with any option; not even after somebody removed the lock's file.
fn nobody_gets_in(dir: &Dir) {
    for is_lock_gone in [false, true] {
        for name in NAMES {
            for more in [&[][..], &["--force"], &["--resume"]] {
                if is_lock_gone {
                    // The second run makes one of its own, and takes it away again.
                    let _ = fs::remove_file(dir.join(LOCK));
                }
                second(dir, name, more).fails(11, &["another run", "--lock-wait"]);
            }
            dir.relexport("snapshot take --quiet --force")
                .args(["--from", &fixture(), "--out", name])
                .fails(11, &["another run", "--lock-wait"]);
        }
    }
}

/// The folder holds one export, the one of these groups, and nothing that is not in its manifest.
fn holds(dir: &Dir, groups: &[i64]) {
    let folder = ExportFolder::new(dir.join("out"));
    assert_same_files("the export", &folder.contents(), &expected_files(groups));
    dir.relexport("verify --quiet out").ok();
}

#[test]
fn nobody_writes_beside_a_new_export() {
    let dir = place();
    let first = waiting(&dir, export_of(&dir, "-", "4351", &[]));
    nobody_gets_in(&dir);
    assert_eq!(go_on(first).code, Some(0));
    holds(&dir, &[4351]);
    assert_eq!(names(dir.path()), ["above", "link", "out"]);
}

#[test]
fn nobody_writes_beside_an_export_that_replaces_another() {
    let dir = place();
    second(&dir, "out", &[]).ok();
    let first = waiting(&dir, export_of(&dir, "-", "4351", &["--force"]));
    nobody_gets_in(&dir);
    holds(&dir, &[4352]);
    assert_eq!(go_on(first).code, Some(0));
    holds(&dir, &[4351]);
    assert_eq!(names(dir.path()), ["above", "link", "out"]);
}

#[test]
fn nobody_writes_beside_an_export_that_goes_on() {
    let dir = place();
    // Enough rows that the run is still on its way when it is stopped.
    let broken = edit_field(
        &with_many_labels(20_000),
        "labels",
        "id",
        "801",
        "created_at",
        "yesterday",
    );
    dir.write("dump.sql", broken);
    let go_on_with = |more: &[&str]| {
        let export = dir.relexport("export --quiet --group 4351 --snapshot dump.sql --out out");
        export.args(more)
    };
    go_on_with(&[]).fails(1, &["labels"]);
    let mut first = go_on_with(&["--resume"]).start();
    first.wait_until("it holds the place", || dir.join(LOCK).exists());
    first.signal("STOP");
    assert!(dir.join(LOCK).exists(), "it was too quick");
    nobody_gets_in(&dir);
    first.signal("CONT");
    assert_eq!(first.wait().code, Some(1));
    assert_eq!(names(dir.path()), ["above", "dump.sql", "link", "out"]);
    go_on_with(&["--resume", "--keep-going"]).fails(1, &["left out"]);
    dir.relexport("verify --quiet out").ok();
}

#[test]
fn what_takes_the_place_of_a_removed_folder_is_not_mixed_with_it() {
    for first_more in [&[][..], &["--force"]] {
        let dir = place();
        second(&dir, "out", &[]).ok();
        if first_more.is_empty() {
            fs::remove_dir_all(dir.join("out")).unwrap();
        }
        let first = waiting(&dir, export_of(&dir, "-", "4351", first_more));
        fs::remove_dir_all(dir.join("out")).unwrap();
        // As long as the lock is there, nobody is let in.
        second(&dir, "out", &[]).fails(11, &["another run: pid"]);
        fs::remove_file(dir.join(LOCK)).unwrap();
        second(&dir, "out", &[]).ok();
        holds(&dir, &[4352]);
        let run = go_on(first);
        assert_eq!(run.code, Some(4), "{}", run.stderr);
        assert!(run.stderr.contains("replaced"), "{}", run.stderr);
        holds(&dir, &[4352]);
    }
}

/// Runs shell commands where the folder `here` is `there`, too, for them alone; `None` if nothing can be mounted.
fn with_bind_mount(dir: &Dir, here: &str, there: &str, commands: &str) -> Option<i32> {
    fs::create_dir_all(dir.join(there)).unwrap();
    let script = format!("mount --bind {here} {there} || exit 99; {commands}");
    let run = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(dir.path())
        .env("RELEXPORT", PROGRAM)
        .env("DUMP", fixture())
        .output();
    match run.ok().and_then(|run| run.status.code()) {
        Some(1 | 99) | None => {
            eprintln!("skipped: nothing can be mounted here");
            None
        }
        code => code,
    }
}

#[test]
fn a_folder_that_is_mounted_elsewhere_too_is_one_place() {
    for first_more in [&[][..], &["--force"]] {
        let dir = Dir::new();
        if !first_more.is_empty() {
            second(&dir, "out", &[]).ok();
        }
        let first = waiting(&dir, export_of(&dir, "-", "4351", first_more));
        for (here, there, out) in [
            ("out", "mounted", "mounted"),
            (".", "mounted", "mounted/out"),
        ] {
            for more in ["", "--force", "--resume"] {
                let export = format!(
                    "$RELEXPORT export -q -s $DUMP -g 4352 -o {out} {more}; exit $((20 + $?))"
                );
                let Some(code) = with_bind_mount(&dir, here, there, &export) else {
                    return;
                };
                assert_eq!(code, 31, "{out} {more}");
            }
        }
        fs::remove_dir(dir.join("mounted")).unwrap();
        assert_eq!(go_on(first).code, Some(0));
        holds(&dir, &[4351]);
    }
}

/// A run that says on standard error that it waits.
fn waits(program: Program) -> Started {
    let mut started = program.start();
    started.wait_for_line("waiting for 3600 s at the most");
    started
}

#[test]
fn a_run_waits_for_the_place_as_long_as_it_is_told_to() {
    let dir = place();
    let first = waiting(&dir, export_of(&dir, "-", "4351", &[]));
    let loud = |out: &str| {
        dir.relexport("export -v --group 4352 --force --lock-wait 1h")
            .args(["--snapshot", &fixture(), "--out", out])
    };
    let take = dir.relexport("snapshot take -v --force --lock-wait 1h --out link");
    let take = waits(take.option("--from", fixture()));
    let interrupted = waits(loud("link"));
    interrupted.signal("INT");
    assert_eq!(interrupted.wait().code, Some(130));
    take.kill();
    second(&dir, "out", &["--force", "--lock-wait", "50ms"])
        .fails(11, &["another run: pid", "waited for for 0.05 s"]);
    let second = waits(loud("out"));
    assert_eq!(go_on(first).code, Some(0));
    let run = second.wait();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    holds(&dir, &[4352]);
    assert_eq!(names(dir.path()), ["above", "link", "out"]);
    // What was waited for may be there already, which is no reason to replace it.
    let first = waiting(&dir, export_of(&dir, "-", "4351", &["--force"]));
    let new = dir.relexport("export -v --group 4352 --lock-wait 1h --out out");
    let new = waits(new.option("--snapshot", fixture()));
    assert_eq!(go_on(first).code, Some(0));
    assert_eq!(new.wait().code, Some(2));
    holds(&dir, &[4351]);
}

#[test]
fn a_snapshot_that_is_taken_is_waited_for_as_well() {
    let dir = Dir::new();
    let first = waiting(&dir, take_of(&dir, "-", &[]));
    let take = dir.relexport("snapshot take -v --force --lock-wait 1h --out out");
    let second = waits(take.option("--from", fixture()));
    assert_eq!(go_on(first).code, Some(0));
    assert_eq!(second.wait().code, Some(0));
    assert_eq!(names(dir.path()), ["out"]);
    dir.relexport("snapshot verify out").ok();
    assert!(Path::new(&dir.join("out/snapshot.json")).exists());
}
