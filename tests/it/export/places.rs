//! Where an export is written: one run a place, nothing taken over from dead runs, nothing half-replaced, and disks
//! and systems that refuse.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::*;

/// Names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a script in a folder, where what it mounts is mounted for it and what it starts alone; it ends with 99 where nothing
/// can be mounted. `None` if that is so.
fn with_mounts(dir: &Dir, script: &str) -> Option<Output> {
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .current_dir(dir.path())
        .env("RELEXPORT", PROGRAM)
        .env("DUMP", project("fixtures/gitlab.sql"))
        .env("BACKUP", project(PROJECTS_BACKUP))
        .output();
    // By 1 unshare says that it may not.
    let output = output.ok();
    let output = output.filter(|output| !matches!(output.status.code(), Some(1 | 99)));
    if output.is_none() {
        eprintln!("skipped: nothing can be mounted here");
    }
    output
}

/// Starts a run on a pipe, gives it half of the fixture, and waits until a folder in `dir` holds its manifest. Returns
/// the other half as well.
pub(super) fn waiting(dir: &Dir, program: Program) -> (Started, Vec<u8>) {
    let dump = dump();
    let (half, rest) = dump.as_bytes().split_at(dump.len() / 2);
    let mut started = program.piped().start();
    started.give(half);
    started.wait_until("it has begun", || {
        names(dir.path()).iter().any(|name| {
            let folder = dir.join(name);
            let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap_or_default();
            manifest.contains("\"status\": 0") || name.starts_with(".out.relexport-new-")
        })
    });
    (started, rest.to_vec())
}

/// Gives such a run the rest, and waits for its end.
pub(super) fn go_on((mut started, rest): (Started, Vec<u8>)) -> Run {
    started.give_last(&rest);
    started.wait()
}

pub(super) fn export_of(dir: &Dir, snapshot: &str, group: &str, more: &[&str]) -> Program {
    let export = dir.relexport("export --quiet --out out");
    export
        .args(["--snapshot", snapshot, "--group", group])
        .args(more)
}

pub(super) fn take_of(dir: &Dir, snapshot: &str, more: &[&str]) -> Program {
    let take = dir.relexport("snapshot take --quiet --out out");
    take.option("--from", snapshot).args(more)
}

#[test]
fn the_second_run_is_told_who_writes_there_and_harms_nothing() {
    let dir = Dir::new();
    let fixture = project("fixtures/gitlab.sql");
    let fixture = fixture.to_str().unwrap();
    // Also where nothing is yet, with a link to it, and by every command.
    let first = waiting(&dir, export_of(&dir, "-", "4351", &["--force"]));
    let holder = format!(
        "is being written by another run: pid {} on host ",
        first.0.pid()
    );
    std::os::unix::fs::symlink(dir.join("out"), dir.join("link")).unwrap();
    let bench = |out: &str| {
        let bench = dir.relexport("bench -g 4351 --runs 1 --force");
        bench.args(["-s", fixture, "--out", out])
    };
    let by_link = ["--force", "--temp-dir", "."];
    for second in [
        export_of(&dir, fixture, "4352", &[]),
        export_of(&dir, fixture, "4352", &["--force"]),
        export_of(&dir, fixture, "4351", &["--resume"]),
        // The lock comes before the snapshot is looked at.
        export_of(&dir, "no/such/file", "4351", &[]),
        take_of(&dir, fixture, &["--force"]),
        bench("out"),
        bench("link"),
        export_of(&dir, fixture, "4352", &by_link),
    ] {
        second.fails(11, &[&holder, "another folder"]);
    }
    let run = go_on(first);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_same_files("first", &run.contents(), &expected_files(&[4351]));
    assert_eq!(names(dir.path()), ["link", "out"]);
}

#[test]
fn a_snapshot_that_is_being_taken_is_told_as_well() {
    let dir = Dir::new();
    let (first, _) = waiting(&dir, take_of(&dir, "-", &[]));
    let fixture = project("fixtures/gitlab.sql");
    let fixture = fixture.to_str().unwrap();
    for more in [&["--force"][..], &[]] {
        take_of(&dir, fixture, more).fails(11, &[]);
    }
    // A killed one leaves nothing that the next one stumbles over, again and again.
    first.kill();
    for _ in 0..2 {
        take_of(&dir, fixture, &["--force"]).ok();
        assert_eq!(names(dir.path()), ["out"]);
    }
}

/// The run in a namespace of its own, where process numbers begin anew, as in a container; as it is if this system does
/// not let us.
fn in_a_container(program: Program) -> Program {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child"];
    let works = Command::new(unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: unshare --pid is not allowed here, so process numbers differ");
        return program;
    }
    program.through(unshare)
}

#[test]
fn what_a_killed_run_left_is_not_taken_over_by_one_of_the_same_pid() {
    let dir = Dir::new();
    let fixture = project("fixtures/gitlab.sql");
    let fixture = fixture.to_str().unwrap();
    export_of(&dir, fixture, "4350", &[]).ok();
    let older = files_below(&dir.join("out"));
    let force = ["--force", "--batched", "--batch-size", "1"];
    let killed = in_a_container(export_of(&dir, "-", "4351", &force));
    waiting(&dir, killed).0.kill();
    // The program in the container dies after the one that started it.
    let lock = fs::File::open(dir.join(".out.relexport-lock")).unwrap();
    lock.lock().unwrap();
    drop(lock);
    // The killed one has left its folder, in which the next one finds what is another group's.
    let left: Vec<String> = names(dir.path())
        .into_iter()
        .filter(|name| name.contains("relexport-new"))
        .collect();
    assert_eq!(left.len(), 1, "{:?}", names(dir.path()));
    fs::create_dir(dir.join(&left[0]).join("group_4351")).unwrap();
    assert_eq!(files_below(&dir.join("out")), older);
    let run = in_a_container(export_of(&dir, fixture, "4352", &["--force"])).ok();
    assert_same_files("second", &run.contents(), &expected_files(&[4352]));
    assert_eq!(names(dir.path()), ["out"]);
}

#[test]
fn a_folder_that_is_removed_or_replaced_during_the_run_is_noticed() {
    for replaced in [false, true] {
        let dir = Dir::new();
        let started = waiting(&dir, export_of(&dir, "-", "4351", &[]));
        let out = dir.join("out");
        fs::remove_dir_all(&out).unwrap();
        if replaced {
            dir.write("out/thesis.txt", "years of work");
        }
        let run = go_on(started);
        assert_eq!(run.code, Some(4), "{}", run.stderr);
        let (what, left) = match replaced {
            true => ("replaced by another one", vec!["out/thesis.txt".to_owned()]),
            false => ("removed", Vec::new()),
        };
        assert!(
            run.stderr.contains(what) && run.stderr.contains(out.to_str().unwrap()),
            "{}",
            run.stderr
        );
        assert_eq!(files_below(dir.path()), left);
    }
}

#[test]
fn a_link_is_written_through_and_stays() {
    let dir = Dir::new();
    fs::create_dir_all(dir.join("disk/real")).unwrap();
    std::os::unix::fs::symlink("disk/real", dir.join("out")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.join("lost")).unwrap();
    let fixture = project("fixtures/gitlab.sql");
    for (group, more) in [(4351, &[][..]), (4352, &["--force"])] {
        let run = dir.export(&fixture).group(group).args(more).ok();
        assert_same_files("link", &run.contents(), &expected_files(&[group]));
        assert!(fs::symlink_metadata(&run.out).unwrap().is_symlink());
        assert_eq!(names(&dir.join("disk")), ["real"]);
    }
    dir.export_to(&fixture, dir.join("lost"))
        .group(4351)
        .fails(2, &["lost is a link to a folder that is not there"]);
    assert_eq!(names(dir.path()), ["disk", "lost", "out"]);
}

#[test]
fn a_mount_point_is_filled_but_not_replaced() {
    let dir = Dir::new();
    fs::create_dir(dir.join("out")).unwrap();
    fs::create_dir(dir.join("taken")).unwrap();
    let script = |commands: &str| {
        let mounted = "mount -t tmpfs none out && mount -t tmpfs none taken";
        with_mounts(&dir, &format!("{mounted} || exit 99; {commands}"))
    };
    let export = "$RELEXPORT export -q -s $DUMP -g 4351 --relation labels -o out";
    let first = format!("{export} && ls -A out out/group_4351; exit $((20 + $?))");
    let Some(output) = script(&first) else {
        return;
    };
    assert_eq!(output.status.code(), Some(20), "{}", text(&output));
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: Vec<&str> = listed.split_whitespace().collect();
    let files = ["out:", "group_4351", "manifest.json", "metadata.json.gz"];
    assert_eq!(
        listed,
        [&files[..], &["out/group_4351:", "labels.ndjson.gz"]].concat()
    );
    let second = format!("{export} && {export} --force; exit $((20 + $?))");
    let output = script(&second).unwrap();
    assert_eq!(output.status.code(), Some(22), "{}", text(&output));
    assert!(
        text(&output).contains("out is a mount point"),
        "{}",
        text(&output)
    );
    let take = "$RELEXPORT snapshot take -q --from $DUMP -o taken; exit $((20 + $?))";
    let output = script(take).unwrap();
    assert_eq!(output.status.code(), Some(22), "{}", text(&output));
    assert!(
        text(&output).contains("taken is a mount point"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_folder_that_cannot_be_moved_is_refused_before_the_work() {
    let dir = Dir::new();
    let script = "mount -t tmpfs none . || exit 99; cd \"$PWD\"; mkdir lower upper work merged
        $RELEXPORT export -q -s $DUMP -g 4350 --relation labels -o lower/out || exit 98
        $RELEXPORT snapshot take -q --from $DUMP -o lower/taken || exit 98
        mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off merged || exit 99
        $RELEXPORT export -q -s $DUMP -g 4351 --relation labels -o merged/out --force; test $? = 2 || exit 97
        $RELEXPORT snapshot take -q --from $DUMP -o merged/taken --force; test $? = 2 || exit 97
        $RELEXPORT verify merged/out >&2 || exit 96
        ls -A merged; exit 20";
    let Some(output) = with_mounts(&dir, script) else {
        return;
    };
    let said = text(&output);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert_eq!(output.stdout, b"out\ntaken\n");
    for name in ["out", "taken"] {
        let says = format!("merged/{name} cannot be moved (Invalid cross-device link");
        assert!(said.contains(&says), "{said}");
    }
}

#[test]
fn on_a_full_disk_the_last_files_make_room_for_the_manifest_and_resume_goes_on() {
    let dir = Dir::new();
    fs::create_dir(dir.join("disk")).unwrap();
    let mut kept = 0;
    for kilobytes in [24, 32, 48, 64, 96, 128] {
        let export = "$RELEXPORT export -q -s $DUMP -g 4351 --batched --batch-size 1 -o disk/out";
        let script = format!(
            "mount -t tmpfs -o size={kilobytes}k none disk || exit 99; {export}; test $? = 4 || exit 98; \
             ls disk; mount -o remount,size=8m none disk || exit 99; \
             {export} --resume || exit 97; $RELEXPORT verify disk/out >&2 || exit 96; exit 20"
        );
        let Some(output) = with_mounts(&dir, &script) else {
            return;
        };
        let said = text(&output);
        assert_eq!(output.status.code(), Some(20), "{kilobytes} KiB: {said}");
        let is_kept = output.stdout == b"out\n";
        assert_eq!(is_kept, said.contains("goes on from there"), "{said}");
        kept += usize::from(is_kept);
    }
    assert!(kept > 0, "nothing was kept");
}

/// Git puts the repository together there, and cannot even say why it fails.
#[test]
fn a_full_temp_folder_is_no_damage_of_a_repository() {
    let dir = Dir::new();
    fs::create_dir(dir.join("temp")).unwrap();
    for kilobytes in [16, 20, 24] {
        let export = "$RELEXPORT export -q -s $BACKUP --project 81 --relation repository --relation labels \
                      --temp-dir temp -o out --resume";
        let script = format!(
            "mount -t tmpfs -o size={kilobytes}k none temp || exit 99; {export}; test $? = 4 || exit 98; \
             mount -o remount,size=8m none temp || exit 99; {export} || exit 97; $RELEXPORT verify out >&2 || exit 96; \
             rm -r out; exit 20"
        );
        let Some(output) = with_mounts(&dir, &script) else {
            return;
        };
        let said = text(&output);
        assert_eq!(output.status.code(), Some(20), "{kilobytes} KiB: {said}");
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.contains("--temp-dir"), "{said}");
    }
}

#[test]
fn a_name_may_be_as_long_as_the_file_system_lets_it() {
    let dir = Dir::new();
    let (one, other) = ("n".repeat(255), format!("{}m", "n".repeat(254)));
    let fixture = project("fixtures/gitlab.sql");
    for out in [&one, &other] {
        for more in [&[][..], &["--force"]] {
            let run = dir.export_to(&fixture, dir.join(out));
            run.group(4351).relations(&["labels"]).args(more).ok();
        }
    }
    assert_eq!(names(dir.path()), [other, one]);
}

#[test]
fn an_address_is_no_folder() {
    let dir = Dir::new();
    let dump = project("fixtures/gitlab.sql");
    let dump = dump.to_str().unwrap();
    let export = ["export", "-s", dump, "-g", "4351"];
    for (arguments, option) in [
        (
            vec![
                "export",
                "-s",
                dump,
                "-g",
                "4351",
                "--out",
                "ftp://bucket/x",
            ],
            "--out",
        ),
        (
            vec!["export", "-s", dump, "-g", "4351", "--out", "file:///tmp/x"],
            "--out",
        ),
        (
            [&export[..], &["--out", "out", "--temp-dir", "gs://x"]].concat(),
            "--temp-dir",
        ),
        (
            vec!["snapshot", "take", "--from", dump, "--out", "s3://bucket/x"],
            "--out",
        ),
        (
            vec!["bench", "-s", dump, "-g", "4351", "--out", "az+x://bucket"],
            "--out",
        ),
        (
            vec!["serve", "-s", dump, "--data", "s3://bucket/x"],
            "--data",
        ),
        (vec!["man", "https://x/y"], "DIR"),
        (
            vec!["token", "new", "--token-file", "s3://bucket/x"],
            "--token-file",
        ),
    ] {
        let program = dir.relexport("").args(&arguments);
        program.fails(2, &[option, "name a folder"]);
    }
    assert_eq!(names(dir.path()), [""; 0]);
    dir.export_to(dump, dir.join("./a:b")).group(4351).ok();
}

#[test]
fn an_export_with_somebodys_file_in_it_is_not_replaced() {
    let dir = Dir::new();
    let dump = project(DUMP);
    dir.export(&dump).group(4351).ok();
    let again = || dir.export(&dump).group(4351).args(["--force"]);
    for file in ["notes.txt", "group_4351/notes.txt"] {
        dir.write(&format!("out/{file}"), "mine");
        let says = format!("it holds {file}, which is not of an export");
        again().fails(2, &[&says, "move that away"]);
        assert_eq!(fs::read(dir.join("out").join(file)).unwrap(), b"mine");
        fs::remove_file(dir.join("out").join(file)).unwrap();
    }
    again().ok();
    // Nor does what lies in the folder of a failed export go with it.
    again().option("--group", "9999").fails(3, &["9999"]);
    dir.write("out.failed/notes.txt", "mine");
    again().ok();
    assert_eq!(fs::read(dir.join("out.failed/notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_bench_replaces_another_one_only_by_force() {
    let dir = Dir::new();
    dir.write("out/bench.csv", "measured for hours");
    let dump = project("fixtures/gitlab.sql");
    let bench = |more: &[&str]| {
        dir.relexport("bench --quiet -g 4351 --relations labels --out out")
            .args(["--runs", "1", "--warmup", "0", "--batch-sizes", "100"])
            .option("--snapshot", &dump)
            .args(more)
    };
    bench(&[]).fails(2, &["bench.csv is there already", "--force"]);
    assert_eq!(names(&dir.join("out")), ["bench.csv"]);
    bench(&["--force"]).ok();
    assert_eq!(
        names(&dir.join("out")),
        ["bench.csv", "bench.html", "bench.json"]
    );
}

/// A library that lets calls of the system fail, for `LD_PRELOAD`: the so-many-th `fsync` (`FAIL_FSYNC`), every
/// `pthread_create` from the so-many-th on (`FAIL_THREAD`).
const FAULTS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static int limit(const char *name) {
    const char *value = getenv(name);
    return value ? atoi(value) : 0;
}

int fsync(int fd) {
    static int calls;
    if (__sync_add_and_fetch(&calls, 1) == limit("FAIL_FSYNC")) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return real(fd);
}

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *), void *with) {
    static int calls;
    int from = limit("FAIL_THREAD");
    if (from && __sync_add_and_fetch(&calls, 1) >= from) {
        return EAGAIN;
    }
    create *real = (create *)dlsym(RTLD_NEXT, "pthread_create");
    return real(id, attr, run, with);
}
"#;

/// Compiles it; `None` without a C compiler.
fn faults(dir: &Dir) -> Option<PathBuf> {
    let source = dir.write("faults/faults.c", FAULTS);
    let library = dir.join("faults/faults.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .output();
    match compiled {
        Ok(output) if output.status.success() => Some(library),
        Ok(output) => panic!("{}", text(&output)),
        Err(error) => {
            eprintln!("skipped: there is no C compiler: {error}");
            None
        }
    }
}

/// An export of two relations in the folder `out`, with a fault.
fn faulty(dir: &Dir, library: &Path, fault: &str, at: usize, more: &[&str]) -> Run {
    dir.export(project("fixtures/gitlab.sql"))
        .group(4351)
        .relations(&["labels", "badges"])
        .args(["--threads", "2"])
        .args(more)
        .env("LD_PRELOAD", library)
        .env(fault, at.to_string())
        .run()
}

/// The two relations are finished and right, and nothing else lies in the folder.
fn is_right(out: &Path, what: &str) {
    let export = ExportFolder::new(out);
    assert_eq!(export.manifest()["status"], 1, "{what}");
    let files = ["labels", "badges"].map(|name| {
        let name = format!("group_4351/{name}.ndjson.gz");
        (name.clone(), export.content(&name))
    });
    for (name, content) in files {
        let relation = name
            .trim_start_matches("group_4351/")
            .trim_end_matches(".ndjson.gz");
        assert!(content == expected(4351, relation), "{what}: {name}");
    }
    assert_eq!(export.files().len(), 4, "{what}: {:?}", export.files());
}

#[test]
fn after_a_sync_that_fails_resume_goes_on() {
    let dir = Dir::new();
    let Some(library) = faults(&dir) else { return };
    let out = dir.join("out");
    let mut failed = 0;
    for at in 1.. {
        let run = faulty(&dir, &library, "FAIL_FSYNC", at, &[]);
        if run.code == Some(0) {
            is_right(&out, "the last one");
            break;
        }
        failed += 1;
        assert_eq!(run.code, Some(4), "sync {at}: {}", run.stderr);
        assert!(
            !run.stderr.contains("panicked"),
            "sync {at}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains(out.to_str().unwrap()),
            "no path: {}",
            run.stderr
        );
        if out.join("manifest.json").exists() {
            assert_ne!(run.manifest()["status"], 1, "sync {at}");
        }
        let resumed = faulty(&dir, &library, "FAIL_NOTHING", 0, &["--resume"]);
        assert_eq!(resumed.code, Some(0), "sync {at}: {}", resumed.stderr);
        is_right(&out, &format!("sync {at}"));
        fs::remove_dir_all(&out).unwrap();
        assert_eq!(names(dir.path()), ["faults"], "sync {at}");
    }
    assert!(failed >= 10, "only {failed} syncs");
}

#[test]
fn a_sync_that_fails_leaves_the_older_export_or_the_newer_one() {
    let dir = Dir::new();
    let Some(library) = faults(&dir) else { return };
    let out = dir.join("out");
    dir.export(project("fixtures/gitlab.sql")).group(4352).ok();
    let older = files_below(&out);
    for at in 1.. {
        let run = faulty(&dir, &library, "FAIL_FSYNC", at, &["--force"]);
        if run.code == Some(0) {
            is_right(&out, "the last one");
            assert!(!dir.join("out.failed").exists());
            break;
        }
        assert_eq!(run.code, Some(4), "sync {at}: {}", run.stderr);
        assert_eq!(files_below(&out), older, "sync {at}");
        let stray: Vec<String> = names(dir.path())
            .into_iter()
            .filter(|name| !["faults", "out", "out.failed"].contains(&name.as_str()))
            .collect();
        assert_eq!(stray, [""; 0], "sync {at}");
        let failed = fs::read_to_string(dir.join("out.failed/manifest.json")).unwrap();
        assert!(failed.contains("\"status\": -1"), "sync {at}: {failed}");
    }
}

#[test]
fn without_a_thread_an_export_fails_and_can_be_gone_on_with() {
    let dir = Dir::new();
    let Some(library) = faults(&dir) else { return };
    let mut failed = 0;
    for at in 1.. {
        let run = faulty(&dir, &library, "FAIL_THREAD", at, &[]);
        assert!(
            !run.stderr.contains("panicked"),
            "thread {at}: {}",
            run.stderr
        );
        if run.code == Some(0) {
            break;
        }
        failed += 1;
        assert_eq!(run.code, Some(4), "thread {at}: {}", run.stderr);
        assert!(run.stderr.contains("thread"), "thread {at}: {}", run.stderr);
        let resumed = faulty(&dir, &library, "FAIL_NOTHING", 0, &["--resume"]);
        assert_eq!(resumed.code, Some(0), "thread {at}: {}", resumed.stderr);
        is_right(&dir.join("out"), &format!("thread {at}"));
        fs::remove_dir_all(dir.join("out")).unwrap();
    }
    // Two of the pool, the reader, the one that walks the SQL, the writer.
    assert!(failed >= 5, "only {failed} threads");
}

#[test]
fn a_snapshot_is_taken_whole_or_not_at_all_where_syncs_or_threads_fail() {
    let dir = Dir::new();
    let Some(library) = faults(&dir) else { return };
    let csv = project("fixtures/csv");
    for (fault, most) in [("FAIL_THREAD", 8), ("FAIL_FSYNC", 12)] {
        for at in 1..=most {
            let run = take_of(&dir, csv.to_str().unwrap(), &["--threads", "2"])
                .env("LD_PRELOAD", &library)
                .env(fault, at.to_string())
                .run();
            let said = &run.stderr;
            assert!(!said.contains("panicked"), "{fault} {at}: {said}");
            match run.code {
                Some(0) => fs::remove_dir_all(dir.join("out")).unwrap(),
                Some(4) => {}
                code => panic!("{fault} {at}: {code:?} {said}"),
            }
            assert_eq!(names(dir.path()), ["faults"], "{fault} {at}");
        }
    }
}
