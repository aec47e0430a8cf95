//! Going on with an export that did not come to its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::support::*;
use serde_json::Value;

/// Digits without a pattern: steps of a linear congruential generator with PCG's constants.
fn digits(seed: u64, words: usize) -> String {
    let mut state = seed;
    (0..words)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:08x}", state >> 32)
        })
        .collect()
}

/// The fixture with so many more labels of group 4351.
pub(super) fn with_many_labels(count: u64) -> String {
    edit_rows(&dump(), "labels", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields = "#428bca\t\\N\t2021-05-04 11:25:20\t2021-05-04 11:25:20\tf\t\\N\t\\N\tGroupLabel\t4351\t\\N\tf\tf\t\\N";
            rows.push_str(&format!("{}\tlabel {number}\t{fields}\n", 900_000 + number));
        }
        rows
    })
}

/// The fixture with so many more notes of epic 21, of text that hardly compresses.
fn with_long_epic(notes: usize) -> String {
    edit_rows(&with_many_notes(notes), "notes", |rows| {
        let text = "abcdefghij".repeat(100);
        let rows = rows.lines().enumerate();
        rows.map(|(number, row)| row.replace(&text, &digits(number as u64, 100)) + "\n")
            .collect()
    })
}

/// The names of finished files, by the manifest, but for the relation that is collected from all the others and so
/// made anew.
fn finished(out: &Path) -> Vec<String> {
    let Ok(bytes) = fs::read(out.join("manifest.json")) else {
        return Vec::new();
    };
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let mut names: Vec<String> = Vec::new();
    for entry in manifest["entities"][0]["relations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let files = entry["batches"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([entry]);
        names.extend(files.filter_map(|file| file["file"].as_str().map(ToOwned::to_owned)));
    }
    names.retain(|name| !name.contains("user_contributions"));
    names
}

/// When each file was written.
fn written(out: &Path, names: &[String]) -> BTreeMap<String, SystemTime> {
    let time = |name: &String| fs::metadata(out.join(name)).unwrap().modified().unwrap();
    names
        .iter()
        .map(|name| (name.clone(), time(name)))
        .collect()
}

/// Starts an export and kills it when so many files are finished. It must not have come to its end by then.
#[cfg(unix)]
fn killed(export: Program, out: &Path, files: usize) {
    let mut started = export.start();
    started.wait_until("so many files are finished", || {
        finished(out).len() >= files
    });
    started.kill();
}

/// The folder equals that of an undisturbed run, whose manifest it also has, times apart.
fn assert_like_undisturbed(run: &Run, undisturbed: &Run) {
    assert_same_files("files", &run.packed(), &undisturbed.packed());
    assert_eq!(run.files(), undisturbed.files());
    let timeless = |run: &Run| {
        let mut manifest = run.manifest();
        forget_times(&mut manifest);
        manifest
    };
    assert_eq!(timeless(run), timeless(undisturbed));
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(object) => {
            // The metadata has the folder's name.
            for key in [
                "started_at",
                "finished_at",
                "updated_at",
                "timings",
                "metadata",
            ] {
                object.remove(key);
            }
            object.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}

#[cfg(unix)]
#[test]
fn a_killed_export_goes_on_where_it_was() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", with_many_labels(900));
    let options = ["--group", "4351", "--batched", "--batch-size", "1"];
    let out = dir.join("out");
    killed(dir.export(&path).args(options), &out, 100);
    let before = written(&out, &finished(&out));
    let run = dir.export(&path).args(options).args(["--resume"]).ok();
    let undisturbed = dir.export_to(&path, dir.join("again")).args(options).ok();
    assert_like_undisturbed(&run, &undisturbed);
    let names: Vec<String> = before.keys().cloned().collect();
    assert_eq!(
        written(&out, &names),
        before,
        "finished files are not written again"
    );
    assert!(run.manifest().get("resume").is_none());
}

#[cfg(unix)]
#[test]
fn after_a_full_disk_what_is_finished_is_kept() {
    let dir = Dir::new();
    let path = dir.write("dump.sql", with_long_epic(200));
    let export = dir.export(&path).group(4351).with_small_files(64);
    let run = export.fails(4, &["cannot write the export"]);
    let before = written(&run.out, &finished(&run.out));
    assert!(
        before
            .keys()
            .any(|name| name == "group_4351/milestones.ndjson.gz")
    );
    assert!(!before.contains_key("group_4351/epics.ndjson.gz"));
    assert_ne!(run.manifest()["status"], 1);
    let run = dir.export(&path).group(4351).args(["--resume"]).ok();
    let undisturbed = dir.export_to(&path, dir.join("again")).group(4351).ok();
    assert_like_undisturbed(&run, &undisturbed);
    let names: Vec<String> = before.keys().cloned().collect();
    assert_eq!(written(&run.out, &names), before);
}

/// An export that ended with one relation failed: label 801 has a date that is none. Everything else is finished.
fn with_a_failed_relation(dir: &Dir) -> Run {
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    dir.export_text(&broken)
        .args(["--batched", "--batch-size", "2"])
        .fails(1, &["labels"])
}

fn resumed(dir: &Dir) -> Program {
    dir.export(dir.join("dump.sql")).args([
        "--group",
        "4351",
        "--batched",
        "--batch-size",
        "2",
        "--resume",
    ])
}

#[test]
fn a_failed_relation_is_tried_again_and_may_then_leave_rows_out() {
    let dir = Dir::new();
    let first = with_a_failed_relation(&dir);
    let before = written(&first.out, &finished(&first.out));
    let again = resumed(&dir).fails(1, &["labels"]);
    assert_eq!(written(&again.out, &finished(&again.out)), before);
    let run = resumed(&dir)
        .args(["--keep-going"])
        .fails(1, &["rows were left out"]);
    assert_eq!(run.manifest()["status"], 1);
    assert_eq!(run.relation("labels")["skipped"][0]["key"], 801);
    assert_eq!(run.relation("labels")["total_objects_count"], 12);
}

#[test]
fn damaged_missing_and_stray_files_are_put_right() {
    let dir = Dir::new();
    let first = with_a_failed_relation(&dir);
    let group = first.out.join("group_4351");
    let names = finished(&first.out);
    let batch = names
        .iter()
        .find(|name| name.contains("/batch_1."))
        .unwrap();
    let mut bytes = first.raw(batch);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(first.out.join(batch), bytes).unwrap();
    fs::remove_file(group.join("members.ndjson.gz")).unwrap();
    fs::write(group.join("members.ndjson.gz.part"), "half a file").unwrap();
    fs::write(group.join("labels/batch_9.ndjson.gz"), "nobody's").unwrap();
    fs::write(first.out.join("manifest.json.part"), "{").unwrap();
    let run = resumed(&dir)
        .args(["--keep-going"])
        .fails(1, &["rows were left out"]);
    let undisturbed = dir
        .export_to(dir.join("dump.sql"), dir.join("again"))
        .args([
            "--group",
            "4351",
            "--batched",
            "--batch-size",
            "2",
            "--keep-going",
        ])
        .fails(1, &["rows were left out"]);
    assert_like_undisturbed(&run, &undisturbed);
}

#[test]
fn what_is_another_export_is_refused_and_not_touched() {
    let dir = Dir::new();
    let first = with_a_failed_relation(&dir);
    let files = first.packed();
    let refused: [(&[&str], &str); 8] = [
        (&["--group", "4351", "--batch-size", "2"], "--batched"),
        (
            &["--group", "4351", "--batched", "--batch-size", "3"],
            "--batch-size 2, not 3",
        ),
        (
            &["--group", "4352", "--batched", "--batch-size", "2"],
            "other groups",
        ),
        (
            &[
                "--group",
                "4351",
                "--subgroups",
                "--batched",
                "--batch-size",
                "2",
            ],
            "other groups",
        ),
        (
            &[
                "--group",
                "4351",
                "--batched",
                "--batch-size",
                "2",
                "--edition",
                "ce",
            ],
            "--edition ee, not ce",
        ),
        (
            &[
                "--group",
                "4351",
                "--batched",
                "--batch-size",
                "2",
                "--gzip-level",
                "1",
            ],
            "--gzip-level 6, not 1",
        ),
        (
            &[
                "--group",
                "4351",
                "--batched",
                "--batch-size",
                "2",
                "--relation",
                "epics",
            ],
            "other relations",
        ),
        (
            &["--all-groups", "--batched", "--batch-size", "2"],
            "other groups",
        ),
    ];
    for (args, says) in refused {
        let run = dir
            .export(dir.join("dump.sql"))
            .args(args)
            .args(["--resume"])
            .fails(2, &["cannot go on", says, "--force"]);
        assert_same_files(says, &run.packed(), &files);
    }
    // The dump was written again since.
    let pipeline = fs::read_to_string(project("pipelines/group.yml")).unwrap();
    let pipeline = dir.write("group.yml", format!("{pipeline}\n# edited\n"));
    resumed(&dir)
        .option("--pipeline", &pipeline)
        .fails(2, &["another pipeline"]);
    dir.write("dump.sql", dump());
    let run = resumed(&dir).fails(2, &["not the one that it was begun with"]);
    assert_same_files("other dump", &run.packed(), &files);
}

#[test]
fn rows_left_out_are_not_taken_for_whole() {
    let dir = Dir::new();
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    let broken = edit_field(
        &broken,
        "namespaces",
        "id",
        "4351",
        "created_at",
        "yesterday",
    );
    let options = ["--batched", "--batch-size", "2"];
    let first = dir.export_text(&broken).args(options).run();
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    // An unfinished export that was made with --keep-going: a finished one is none to go on with.
    let mut manifest = first.manifest();
    manifest["resume"]["keep_going"] = Value::Bool(true);
    fs::write(first.out.join("manifest.json"), manifest.to_string()).unwrap();
    resumed(&dir).fails(2, &["--keep-going, so rows may be missing"]);
}

#[test]
fn a_finished_export_is_nothing_to_go_on_with() {
    let dir = Dir::new();
    dir.export(project("fixtures/gitlab.sql")).group(4351).ok();
    dir.export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--resume"])
        .fails(2, &["cannot go on", "finished", "--force"]);
}

#[test]
fn an_unfinished_export_that_would_be_replaced_can_be_gone_on_with() {
    let dir = Dir::new();
    with_a_failed_relation(&dir);
    let again = || dir.export(dir.join("dump.sql")).args(["--group", "4351"]);
    again().fails(
        2,
        &[
            "--force",
            "; or go on with it with --resume: it is not finished",
        ],
    );
    again().args(["--force"]).fails(
        1,
        &[
            "holds an export that is not finished, which this one replaces; its ",
            " finished files are kept with --resume in place of --force",
        ],
    );
}

#[test]
fn where_there_is_nothing_yet_the_export_just_begins() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--resume"])
        .ok();
    assert_same_files("files", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn what_went_by_on_standard_input_cannot_be_gone_on_with() {
    let dir = Dir::new();
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    dir.export("-")
        .input(broken.clone())
        .group(4351)
        .fails(1, &["labels"]);
    dir.export("-")
        .input(broken)
        .group(4351)
        .args(["--resume"])
        .fails(2, &["cannot be read a second time"]);
}

#[test]
fn a_manifest_does_not_lead_out_of_the_folder() {
    let dir = Dir::new();
    let first = with_a_failed_relation(&dir);
    let precious = dir.write("precious/thesis.txt", "years of work");
    let mut manifest = first.manifest();
    manifest["entities"][0]["prefix"] = Value::from("../precious");
    fs::write(first.out.join("manifest.json"), manifest.to_string()).unwrap();
    resumed(&dir)
        .args(["--keep-going"])
        .fails(1, &["rows were left out"]);
    assert_eq!(fs::read_to_string(precious).unwrap(), "years of work");
}

#[test]
fn a_folder_that_another_run_writes_into_is_left_alone() {
    let dir = Dir::new();
    let run = with_a_failed_relation(&dir);
    let before = run.packed();
    let folder = fs::File::open(&run.out).unwrap();
    folder.lock().unwrap();
    resumed(&dir).fails(
        11,
        &["is being written by another run", "wait until it has ended"],
    );
    assert_eq!(run.packed(), before);
    folder.unlock().unwrap();
    resumed(&dir).run();
    assert_eq!(run.manifest()["status"], -1);
}

#[test]
fn a_run_that_was_killed_before_its_manifest_was_there_is_begun_anew() {
    let dir = Dir::new();
    fs::create_dir(dir.join("out")).unwrap();
    dir.write("out/manifest.json.part", "{");
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--resume"])
        .ok();
    assert!(!run.out.join("manifest.json.part").exists());
    assert_eq!(run.manifest()["status"], 1);
}

#[test]
fn a_link_in_place_of_a_groups_folder_is_not_followed() {
    let dir = Dir::new();
    let run = with_a_failed_relation(&dir);
    let elsewhere = dir.write("elsewhere/thesis.txt", "x");
    fs::remove_dir_all(run.out.join("group_4351")).unwrap();
    std::os::unix::fs::symlink(elsewhere.parent().unwrap(), run.out.join("group_4351")).unwrap();
    resumed(&dir).fails(4, &["group_4351 in its folder is no folder of an export"]);
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "x");
}
