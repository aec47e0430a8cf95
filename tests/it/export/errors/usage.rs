//! Wrong usage, outputs that cannot be written, and a log that nobody reads.

use super::*;

#[test]
fn wrong_usage_is_told_before_anything_is_read() {
    let dir = Dir::new();
    let nowhere = dir.join("nowhere.sql");
    dir.export(&nowhere)
        .group(4351)
        .relations(&["labels", "lables"])
        .fails(
            2,
            &[
                "relation lables",
                "does not have it",
                "milestones",
                "max_iids",
            ],
        );
    dir.export(&nowhere)
        .group(4351)
        .args(["--batch-size", "0"])
        .fails(2, &["--batch-size"]);
    dir.export(&nowhere)
        .group(4351)
        .args(["--memory-limit", "much"])
        .fails(2, &["--memory-limit", "512MiB"]);
    dir.export(&nowhere).fails(2, &["--group"]);
    dir.export(&nowhere)
        .args(["--group", "4351", "--all-groups"])
        .fails(2, &["--all-groups"]);
    dir.export(&nowhere)
        .group(4351)
        .args(["--pipeline", "nowhere.yml"])
        .fails(2, &["nowhere.yml"]);
    let file = dir.write("file", "content");
    for (out, says) in [
        (file.clone(), "is a file"),
        (file.join("a/b"), "below a file"),
    ] {
        dir.export_to(&nowhere, &out)
            .group(4351)
            .fails(2, &[says, "--out"]);
        dir.export_to(&nowhere, &out)
            .group(4351)
            .args(["--force"])
            .fails(2, &[says]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"content");
    dir.write("full/thing", "");
    dir.export_to(&nowhere, dir.join("full"))
        .group(4351)
        .fails(2, &["is there already", "--force"]);
}

#[test]
fn a_pipeline_with_mistakes_is_wrong_usage() {
    let dir = Dir::new();
    let shop = fs::read_to_string(project("docs/shop.yml")).unwrap();
    let wrong = edit(
        &shop,
        "through: { table: order_vouchers, to: voucher_id }",
        "through: { table: order_vouchers, sideways: voucher_id }",
    );
    let path = dir.write("wrong.yml", &wrong);
    let line = wrong
        .lines()
        .position(|line| line.contains("sideways"))
        .unwrap()
        + 1;
    dir.export(project("fixtures/gitlab.sql"))
        .group(1)
        .option("--pipeline", &path)
        .fails(2, &[&format!("wrong.yml:{line}:"), "sideways"])
        .left_nothing();
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_made_is_an_output_error() {
    let dir = Dir::new();
    dir.export_to(project("fixtures/gitlab.sql"), "/proc/relexport/out")
        .group(4351)
        .fails(4, &["cannot use the folder /proc/relexport/out"]);
    dir.export(project("fixtures/gitlab.sql"))
        .group("acme/platform")
        .args(["--memory-limit", "0"])
        .option("--temp-dir", Path::new("/proc/relexport"))
        .fails(4, &["temp folder", "--temp-dir"])
        .left_nothing();
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_output_error_and_leaves_nothing() {
    let dir = Dir::new();
    let fixture = project("fixtures/gitlab.sql");
    let export = |blocks| {
        let export = dir.export(&fixture).group(4351);
        export.with_small_files(blocks)
    };
    // The manifest does not fit into 6 KiB; what waits in the temp folder does.
    export(12)
        .fails(4, &["cannot write the export"])
        .left_nothing();
    // Not even the first manifest fits.
    export(0).fails(4, &[]).left_nothing();
    // What an older export holds stays.
    dir.export(project("fixtures/csv")).group(4352).ok();
    let older = files_below(&dir.join("out"));
    let run = export(12).args(["--force"]).fails(4, &[]);
    assert_eq!(run.files(), older);
    // Why there is no new one is written down, as after every failure under --force.
    let failed = fs::read_to_string(dir.join("out.failed/manifest.json")).unwrap();
    assert!(failed.contains("cannot write the export"), "{failed}");
    assert_eq!(files_below(&dir.join("out.failed")), ["manifest.json"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_full_temp_folder_is_an_output_error_and_leaves_nothing() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", with_many_notes(3000));
    dir.export(path)
        .args(["--group", "4351", "--memory-limit", "0"])
        .with_small_files(2048)
        .fails(4, &["--temp-dir"])
        .left_nothing();
}

/// Starts a run that is fed by a pipe, gives it `bytes`, waits until it has begun, and interrupts it while it waits
/// for more.
#[cfg(unix)]
fn interrupted(dir: &Dir, bytes: &[u8], more: &[&str]) -> Run {
    let temp = dir.join("temp");
    fs::create_dir_all(&temp).unwrap();
    let mut started = dir
        .export("-")
        .args(["--group", "acme/platform", "--memory-limit", "0"])
        .option("--temp-dir", &temp)
        .args(more)
        .piped()
        .start();
    started.give(bytes);
    started.wait_until("its manifest is there", || {
        fs::read_dir(dir.path()).unwrap().any(|entry| {
            let folder = entry.unwrap().path();
            let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap_or_default();
            manifest.contains("\"status\": 0")
        })
    });
    started.signal("INT");
    // The program must not wait for its input's end.
    let run = started.wait();
    assert_eq!(files_below(&temp), [""; 0]);
    run
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let dump = dump();
    for part in [5000, dump.len() * 9 / 10] {
        let dir = Dir::new();
        let run = interrupted(&dir, &dump.as_bytes()[..part], &[]);
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        run.left_nothing();
        // An older export stays as it was.
        dir.export(project("fixtures/csv")).group(4352).ok();
        let older = files_below(&dir.join("out"));
        let run = interrupted(&dir, &dump.as_bytes()[..part], &["--force"]);
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert_eq!(run.files(), older);
        assert_eq!(run.manifest()["status"], 1);
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["out", "temp"]);
    }
}

/// Standard errors that cannot be written: a full device, and a pipe whose reader has gone.
fn deaf() -> [(&'static str, std::process::Stdio); 2] {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [("full", full.into()), ("closed", writer.into())]
}

#[test]
fn a_log_that_cannot_be_written_decides_nothing() {
    let dir = Dir::new();
    let dump = dir.write("dump.sql", dump());
    let cut = dir.write("cut.sql", short_row());
    for (snapshot, code) in [(dump, 0), (project("fixtures/csv"), 0), (cut, 1)] {
        for format in ["text", "json"] {
            for (name, stderr) in deaf() {
                let run = dir
                    .relexport("export -vv --group 4351 --out out")
                    .option("--log-format", format)
                    .option("--snapshot", &snapshot)
                    .env("RELEXPORT_LOG", "trace")
                    .stderr(stderr)
                    .run();
                let what = format!("{}, {format}, {name}", snapshot.display());
                assert_eq!(run.code, Some(code), "{what}");
                if code == 0 {
                    assert_same_files(&what, &run.contents(), &expected_files(&[4351]));
                }
                fs::remove_dir_all(&run.out).unwrap();
            }
        }
    }
}

#[test]
fn wrong_usage_is_wrong_usage_whoever_reads_it() {
    for (name, stderr) in deaf() {
        let run = relexport("export --nonsense").stderr(stderr).run();
        assert_eq!(run.code, Some(2), "{name}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_output_error_also_of_help() {
    let groups = format!("groups -s {DUMP}");
    for arguments in ["--help", "--version", "export -h", &groups] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        relexport(arguments)
            .stdout(full.unwrap())
            .fails(4, &["cannot write to standard output"]);
    }
}

#[test]
fn results_that_nobody_reads_end_quietly() {
    for command in ["groups", "inspect"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = relexport(command).option("--snapshot", DUMP);
        let stderr = run.stdout(writer).ok().stderr;
        assert!(!stderr.contains("error"), "{command}: {stderr}");
    }
}
