//! `relexport export`: what is written, for every option that decides it.

use std::collections::BTreeMap;
use std::fs;

use crate::support::*;
use serde_json::Value;

/// Relations that GitLab cannot cut into batches.
const NEVER_BATCHED: [&str; 5] = [
    "members",
    "namespace_settings",
    "user_contributions",
    "self",
    "max_iids",
];

#[test]
fn threads_batch_size_and_memory_change_no_byte() {
    let dir = Dir::new();
    let dump = project("fixtures/gitlab.sql");
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for threads in ["1", "2", "7"] {
        for size in ["1", "2", "3", "1000"] {
            for memory in ["0", "512MiB"] {
                let what = format!("threads {threads} size {size} memory {memory}");
                let run = dir
                    .export_to(&dump, dir.join(&what))
                    .args(["--group", "acme", "--subgroups", "--threads", threads])
                    .args(["--batch-size", size, "--memory-limit", memory])
                    .ok();
                let expected = expected_files(&[4350, 4351, 4352]);
                assert_same_files(&what, &run.contents(), &expected);
                let packed = run.packed();
                let first = first.get_or_insert_with(|| packed.clone());
                assert!(packed == *first, "compressed bytes differ: {what}");
            }
        }
    }
}

#[test]
fn memory_and_threads_change_no_byte_of_batches() {
    let dir = Dir::new();
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
        for (threads, memory) in [("1", "512MiB"), ("7", "0"), ("2", "5000")] {
            let what = format!("{} {threads} {memory}", snapshot.replace('/', " "));
            let run = dir
                .export_to(project(snapshot), dir.join(&what))
                .args(["--all-groups", "--batched", "--batch-size", "2"])
                .args(["--threads", threads, "--memory-limit", memory])
                .ok();
            let packed = run.packed();
            let first = first.get_or_insert_with(|| packed.clone());
            assert!(packed == *first, "{what}");
        }
    }
}

#[test]
fn rows_beyond_the_memory_limit_come_back_whole() {
    let dir = Dir::new();
    let dump = dir.write("dump.sql", with_many_notes(4000));
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for (memory, threads, size, group) in [
        ("512MiB", "2", "1000", "4351"),
        ("0", "1", "1000", "4351"),
        ("0", "7", "1", "4351"),
        ("2MiB", "2", "2", "acme/platform"),
        ("0", "2", "3", "acme/platform"),
    ] {
        let what = format!("{memory} {threads} {size} {}", group.len());
        let run = dir
            .export_to(&dump, dir.join(&what))
            .args(["--memory-limit", memory, "--threads", threads])
            .args(["--batch-size", size, "--group", group])
            .ok();
        let packed = run.packed();
        let first = first.get_or_insert_with(|| packed.clone());
        assert!(packed == *first, "{what}");
        let epics = run.records(4351, "epics");
        assert_eq!(epics[0]["id"], 21);
        let notes = epics[0]["notes"].as_array().unwrap();
        // 3001 to 3004 are the fixture's own.
        assert_eq!(notes.len(), 4004);
        assert_eq!(notes[4]["id"], 500_000 - 3999);
        assert!(notes[4003]["note"].as_str().unwrap().starts_with("0 abc"));
        assert_eq!(
            run.content("group_4351/user_contributions.ndjson.gz"),
            expected(4351, "user_contributions")
        );
    }
}

#[test]
fn temp_files_do_not_outlive_the_run() {
    let dir = Dir::new();
    let temp = dir.join("temp");
    fs::create_dir(&temp).unwrap();
    dir.export(project("fixtures/gitlab.sql"))
        .group("acme/platform")
        .args(["--memory-limit", "0", "--temp-dir"])
        .args([&temp])
        .ok();
    assert_eq!(files_below(&temp), [""; 0]);
}

#[test]
fn a_batch_ends_at_its_size_or_its_bytes_whichever_comes_first() {
    let dir = Dir::new();
    let dump = project("fixtures/projects/gitlab.sql.gz");
    let export = |out: &str, more: &[&str]| {
        let run = dir.export_to(&dump, dir.join(out));
        run.args(["--project", "71", "--relation", "issues"])
            .args(more)
            .ok()
    };
    let whole = export("whole", &[]).contents();
    let lines = |contents: &BTreeMap<String, Vec<u8>>, batch: usize| -> Vec<String> {
        let name = format!("project_71/issues/batch_{batch}.ndjson.gz");
        let content = contents
            .get(&name)
            .map(|it| String::from_utf8_lossy(it).into_owned());
        content
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    };
    for (out, more, most) in [
        ("rows", vec!["--batch-size", "issues=2"], (2, usize::MAX)),
        ("bytes", vec!["--batch-bytes", "4KiB"], (1000, 4096)),
        (
            "both",
            vec!["--batch-size", "project.issues=3", "--batch-bytes", "6000"],
            (3, 6000),
        ),
    ] {
        let mut args = vec!["--batched"];
        args.extend(&more);
        let run = export(out, &args);
        let contents = run.contents();
        let mut all = Vec::new();
        let mut batch = 1;
        while let rows @ [_, ..] = lines(&contents, batch).as_slice() {
            let bytes: usize = rows.iter().map(|row| row.len() + 1).sum();
            assert!(rows.len() <= most.0, "{out}: batch {batch}");
            assert!(bytes <= most.1 || rows.len() == 1, "{out}: batch {batch}");
            all.extend_from_slice(rows);
            batch += 1;
        }
        assert!(batch > 2, "{out}");
        let mut expected: Vec<&str> = std::str::from_utf8(&whole["project_71/issues.ndjson.gz"])
            .unwrap()
            .lines()
            .collect();
        expected.sort_unstable();
        all.sort_unstable();
        assert_eq!(all, expected, "{out}");
        dir.relexport("verify").arg(&run.out).ok();
    }
}

#[test]
fn batches_have_the_batch_size_and_join_to_the_whole() {
    let dir = Dir::new();
    for size in [1usize, 2, 3, 5, 13, 1000] {
        let run = dir
            .export_to(project("fixtures/gitlab.sql"), dir.join(&size.to_string()))
            .group(4351)
            .args(["--batched", "--batch-size", &size.to_string()])
            .ok();
        let mut files: BTreeMap<String, Vec<u8>> = run.contents();
        for entry in run.relations() {
            let relation = entry["relation"].as_str().unwrap();
            let whole = expected(4351, relation);
            if NEVER_BATCHED.contains(&relation) {
                assert_eq!(entry["batched"], false, "{relation}");
                assert_eq!(entry["batches_count"], 0, "{relation}");
                assert!(entry.get("batches").is_none(), "{relation}");
                let name = format!("group_4351/{}.gz", file_name(relation));
                assert_eq!(entry["file"], name);
                assert_eq!(files.remove(&name), Some(whole), "{relation}");
                continue;
            }
            assert_eq!(entry["batched"], true, "{relation}");
            assert!(entry.get("file").is_none(), "{relation}");
            let batches = entry["batches"].as_array().unwrap();
            let lines = whole.split_inclusive(|byte| *byte == b'\n').count();
            assert_eq!(entry["total_objects_count"], lines, "{relation}");
            assert_eq!(entry["batches_count"], lines.div_ceil(size), "{relation}");
            assert_eq!(batches.len(), lines.div_ceil(size), "{relation}");
            let mut joined = Vec::new();
            for (position, batch) in batches.iter().enumerate() {
                let number = position + 1;
                let name = format!("group_4351/{relation}/batch_{number}.ndjson.gz");
                assert_eq!(batch["file"], name);
                assert_eq!(batch["batch_number"], number);
                assert_eq!(batch["status"], 1);
                assert_eq!(batch["error"], Value::Null);
                let content = files.remove(&name).unwrap();
                let count = content.split_inclusive(|byte| *byte == b'\n').count();
                let want = size.min(lines - position * size);
                assert_eq!(count, want, "{name}");
                assert_eq!(batch["objects_count"], want, "{name}");
                joined.extend(content);
            }
            assert!(joined == whole, "{relation} in batches of {size}");
        }
        assert!(files.is_empty(), "{files:?}");
    }
}

#[test]
fn a_relation_without_rows_is_an_empty_file_in_batches_too() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4352)
        .args(["--batched"])
        .ok();
    let epics = run.relation("epics");
    assert_eq!(epics["batched"], true);
    assert_eq!(epics["batches_count"], 0);
    assert_eq!(epics["total_objects_count"], 0);
    assert_eq!(epics["status"], 1);
    assert_eq!(run.content("group_4352/epics.ndjson.gz"), b"");
    assert!(!run.out.join("group_4352/epics").exists());
    let labels = run.relation("labels");
    assert_eq!(labels["batches_count"], 1);
    assert_eq!(
        run.content("group_4352/labels/batch_1.ndjson.gz"),
        expected(4352, "labels")
    );
}

#[test]
fn chosen_relations_are_all_that_is_written() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .relations(&["user_contributions", "members", "max_iids", "members"])
        .ok();
    assert_eq!(
        run.files(),
        [
            "group_4351/max_iids.json.gz",
            "group_4351/members.ndjson.gz",
            "group_4351/user_contributions.ndjson.gz",
            "manifest.json",
            "metadata.json.gz"
        ]
    );
    let names: Vec<Value> = run
        .relations()
        .into_iter()
        .map(|entry| entry["relation"].clone())
        .collect();
    // The order is the pipeline's.
    assert_eq!(names, ["members", "user_contributions", "max_iids"]);
    assert_eq!(
        run.content("group_4351/members.ndjson.gz"),
        expected(4351, "members")
    );
    // Members 101 to 105 and 110 name users 2, 3, 404 and creators 1, 22, 405; of these 404 and 405 do not exist.
    let ids: Vec<i64> = run
        .records(4351, "user_contributions")
        .iter()
        .map(|user| user["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 22]);
}

#[test]
fn chosen_relations_that_refer_to_nobody_have_no_contributors() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .relations(&["labels", "self", "user_contributions"])
        .ok();
    assert_eq!(run.content("group_4351/user_contributions.ndjson.gz"), b"");
    assert_eq!(run.relation("user_contributions")["total_objects_count"], 0);
}

#[test]
fn every_relation_alone_is_the_same_as_in_the_whole() {
    let dir = Dir::new();
    for relation in RELATIONS {
        if relation == "user_contributions" {
            continue;
        }
        for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
            let out = dir.join(&format!("{relation} {}", snapshot.len()));
            let run = dir
                .export_to(project(snapshot), out)
                .group("acme/platform")
                .relations(&[relation])
                .ok();
            let name = format!("group_4351/{}.gz", file_name(relation));
            assert_eq!(run.contents().len(), 1);
            assert!(run.content(&name) == expected(4351, relation), "{relation}");
        }
    }
}

#[test]
fn the_community_edition_has_no_epics_and_plainer_boards() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--edition", "ce"])
        .ok();
    let names: Vec<Value> = run
        .relations()
        .into_iter()
        .map(|entry| entry["relation"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "milestones",
            "badges",
            "labels",
            "boards",
            "members",
            "namespace_settings",
            "user_contributions",
            "self",
            "max_iids"
        ]
    );
    for relation in [
        "milestones",
        "badges",
        "labels",
        "members",
        "namespace_settings",
        "self",
    ] {
        let name = format!("group_4351/{}.gz", file_name(relation));
        assert!(run.content(&name) == expected(4351, relation), "{relation}");
    }
    assert_eq!(
        run.content("group_4351/max_iids.json.gz"),
        br#"{"group_milestones":2147483647}"#
    );
    let whole = expected(4351, "boards");
    let mut boards: Vec<Value> = std::str::from_utf8(&whole)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for board in &mut boards {
        let board = board.as_object_mut().unwrap();
        for key in ["board_assignee", "milestone", "labels"] {
            board.remove(key);
        }
        for list in board["lists"].as_array_mut().unwrap() {
            for key in ["iteration", "milestone"] {
                list.as_object_mut().unwrap().remove(key);
            }
        }
    }
    assert_eq!(run.records(4351, "boards"), boards);
    assert_eq!(run.manifest()["options"]["edition"], "ce");
    // Of members (1, 2, 3, 22) and lists (8); not the boards' assignees (6), not the events' authors (5).
    let ids: Vec<i64> = run
        .records(4351, "user_contributions")
        .iter()
        .map(|user| user["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 8, 22]);
}

#[test]
fn a_group_is_found_by_each_of_its_names() {
    let dir = Dir::new();
    for (number, name) in [
        "4351",
        "acme/platform",
        "Acme/PLATFORM",
        "acme/old-platform",
        "ACME/Old-Platform",
        "acme/platform/",
        "/acme/platform/",
    ]
    .iter()
    .enumerate()
    {
        for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
            let out = dir.join(&format!("{number} {}", snapshot.len()));
            let run = dir.export_to(project(snapshot), out).group(name).ok();
            assert_same_files(name, &run.contents(), &expected_files(&[4351]));
            let entity = &run.manifest()["entities"][0];
            assert_eq!(entity["id"], 4351);
            assert_eq!(entity["full_path"], "acme/platform");
        }
    }
}

fn entities(run: &Run) -> Vec<i64> {
    let manifest = run.manifest();
    let entities = manifest["entities"].as_array().unwrap();
    entities
        .iter()
        .map(|entity| entity["id"].as_i64().unwrap())
        .collect()
}

#[test]
fn several_groups_come_in_the_order_in_which_they_were_named() {
    let dir = Dir::new();
    for (number, (names, ids)) in [
        (&["umbrella", "4351"][..], &[7001, 4351][..]),
        (&["4351", "7001"], &[4351, 7001]),
        (
            &["4352", "acme/platform", "ACME/platform/core"],
            &[4352, 4351],
        ),
    ]
    .iter()
    .enumerate()
    {
        for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
            let out = dir.join(&format!("{number} {}", snapshot.len()));
            let run = dir
                .export_to(project(snapshot), out)
                .args(names.iter().flat_map(|name| ["--group", name]))
                .ok();
            assert_eq!(entities(&run), *ids);
            assert_same_files("several", &run.contents(), &expected_files(ids));
        }
    }
}

#[test]
fn subgroups_follow_their_group() {
    let dir = Dir::new();
    for (number, (names, ids)) in [
        (&["acme"][..], &[4350, 4351, 4352][..]),
        // core has no traversal_ids: it is found through its parents.
        (&["acme/platform"], &[4351, 4352]),
        (&["umbrella", "4351", "acme"], &[7001, 4351, 4352, 4350]),
        (&["4352"], &[4352]),
    ]
    .iter()
    .enumerate()
    {
        for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
            let out = dir.join(&format!("{number} {}", snapshot.len()));
            let run = dir
                .export_to(project(snapshot), out)
                .args(names.iter().flat_map(|name| ["--group", name]))
                .args(["--subgroups"])
                .ok();
            assert_eq!(entities(&run), *ids);
            assert_same_files("subgroups", &run.contents(), &expected_files(ids));
        }
    }
}

#[test]
fn groups_without_routes_are_found_by_their_ancestors() {
    let dir = Dir::new();
    let dump = edit_rows(&dump(), "routes", |_| String::new());
    let path = dir.write("dump.sql", dump);
    let run = dir.export(&path).group("acme/platform/core").ok();
    assert_same_files("core", &run.contents(), &expected_files(&[4352]));
    assert_eq!(
        run.manifest()["entities"][0]["full_path"],
        "acme/platform/core"
    );
}

#[test]
fn force_replaces_an_export_and_only_an_export() {
    let dir = Dir::new();
    let dump = project("fixtures/gitlab.sql");
    dir.export(&dump).group(4350).args(["--batched"]).ok();
    let older = files_below(&dir.join("out"));
    let refused = dir
        .export(&dump)
        .group(4351)
        .fails(2, &["out is there already", "--force"]);
    assert_eq!(refused.files(), older);
    let run = dir.export(&dump).group(4351).args(["--force"]).ok();
    assert_same_files("replaced", &run.contents(), &expected_files(&[4351]));
    assert_eq!(run.files().len(), 14);
    // An empty folder is as good as none.
    let empty = dir.join("empty");
    fs::create_dir(&empty).unwrap();
    let run = dir.export_to(&dump, &empty).group(4351).ok();
    assert_same_files("empty", &run.contents(), &expected_files(&[4351]));
    let precious = dir.write("precious/thesis.txt", "years of work");
    dir.export_to(&dump, precious.parent().unwrap())
        .group(4351)
        .args(["--force"])
        .fails(2, &["precious", "other than an export", "another folder"]);
    assert_eq!(fs::read(&precious).unwrap(), b"years of work");
    // Nothing is left beside the folders.
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["empty", "out", "precious"]);
}

#[test]
fn an_older_export_stays_when_the_new_one_fails() {
    let dir = Dir::new();
    dir.export(project("fixtures/gitlab.sql")).group(4351).ok();
    let older = files_below(&dir.join("out"));
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group("no/such/group")
        .args(["--force"])
        .fails(3, &["no/such/group"]);
    assert_eq!(run.files(), older);
    let failed = || -> Value {
        serde_json::from_slice(&fs::read(dir.join("out.failed/manifest.json")).unwrap()).unwrap()
    };
    assert_eq!(failed()["status"], -1);
    assert!(
        failed()["error"]
            .as_str()
            .unwrap()
            .contains("no/such/group")
    );
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "yesterday");
    let run = dir
        .export(dir.write("dump.sql", broken))
        .group(4351)
        .args(["--force"])
        .fails(1, &[]);
    assert_same_files("older", &run.contents(), &expected_files(&[4351]));
    assert_eq!(run.manifest()["status"], 1);
    assert_eq!(failed()["status"], -1);
    assert_eq!(failed()["error"], Value::Null);
    assert!(failed()["entities"][0]["relations"].is_array());
    // The next success takes it away.
    dir.export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--force"])
        .ok();
    assert!(!dir.join("out.failed").exists());
}

#[test]
fn a_first_export_that_fails_under_force_says_why_too() {
    let dir = Dir::new();
    for (snapshot, says) in [
        (dir.join("missing.sql"), "missing.sql"),
        (dir.write("letter.txt", "Dear Sir"), "is not a snapshot"),
    ] {
        let run = dir
            .export(&snapshot)
            .group(4351)
            .args(["--force"])
            .fails(3, &[says]);
        run.left_nothing();
        let manifest = fs::read_to_string(dir.join("out.failed/manifest.json")).unwrap();
        assert!(manifest.contains(says), "{manifest}");
        let status = dir.relexport("status out.failed").run();
        assert_eq!(status.code, Some(1));
    }
    // What is no failed export is not touched.
    dir.write("other.failed/thesis.txt", "years of work");
    dir.export_to(dir.join("missing.sql"), dir.join("other"))
        .group(4351)
        .args(["--force"])
        .fails(
            3,
            &["other.failed holds something other than a failed export"],
        );
    assert!(dir.join("other.failed/thesis.txt").exists());
}

#[test]
fn the_level_of_compression_changes_sizes_only() {
    let dir = Dir::new();
    let mut sizes = Vec::new();
    for level in 1..=9 {
        let run = dir
            .export_to(project("fixtures/csv"), dir.join(&level.to_string()))
            .group(4351)
            .args(["--gzip-level", &level.to_string()])
            .ok();
        assert_same_files("level", &run.contents(), &expected_files(&[4351]));
        sizes.push(run.packed().values().map(Vec::len).sum::<usize>());
    }
    assert!(sizes[8] < sizes[0], "{sizes:?}");
    for level in ["0", "10", "best"] {
        dir.export(project("fixtures/csv"))
            .group(4351)
            .args(["--gzip-level", level])
            .fails(2, &["--gzip-level"]);
    }
}

/// The fixture's dump with so many more milestones of group 4351, all like milestone 501 but for their ids, from 10001 on.
fn with_many_milestones(count: usize) -> String {
    edit_rows(&dump(), "milestones", |rows| {
        let like = rows.lines().find(|row| row.starts_with("501\t")).unwrap();
        let rest = like.strip_prefix("501").unwrap();
        let more: String = (1..=count)
            .map(|i| format!("{}{rest}\n", 10_000 + i))
            .collect();
        format!("{rows}{more}")
    })
}

#[test]
fn batches_larger_than_what_one_job_renders_are_whole_and_in_order() {
    let dir = Dir::new();
    let dump = with_many_milestones(1000);
    let like = String::from_utf8(expected(4351, "milestones")).unwrap();
    let like = like.lines().next().unwrap().to_owned();
    assert!(like.starts_with("{\"id\":501,"));
    let mut want = String::from_utf8(expected(4351, "milestones")).unwrap();
    for i in 1..=1000 {
        want += &like.replacen("{\"id\":501,", &format!("{{\"id\":{},", 10_000 + i), 1);
        want.push('\n');
    }
    let whole = dir.export_to(dir.write("dump.sql", &dump), dir.join("whole"));
    let whole = whole.group(4351).relations(&["milestones"]).ok();
    let got = gunzip(&fs::read(whole.out.join("group_4351/milestones.ndjson.gz")).unwrap());
    assert!(got == want.as_bytes(), "the unbatched file differs");
    let batched = dir.export_to(dir.join("dump.sql"), dir.join("batched"));
    let batched = batched
        .group(4351)
        .relations(&["milestones"])
        .args(["--batched", "--batch-size", "450"])
        .ok();
    let mut got = Vec::new();
    for (number, lines) in [(1, 450), (2, 450), (3, 105)] {
        let name = format!("group_4351/milestones/batch_{number}.ndjson.gz");
        let batch = gunzip(&fs::read(batched.out.join(name)).unwrap());
        assert_eq!(batch.iter().filter(|byte| **byte == b'\n').count(), lines);
        got.extend(batch);
    }
    assert!(got == want.as_bytes(), "the batches differ");
}

#[test]
fn a_bad_row_deep_in_a_batch_fails_that_batch_alone() {
    let dir = Dir::new();
    // Row 705 of 1005: in the second batch of 450, behind rows of it that have been rendered by then.
    let dump = with_many_milestones(1000);
    let dump = edit_field(&dump, "milestones", "id", "10700", "created_at", "never");
    let run = dir
        .export_text(&dump)
        .relations(&["milestones"])
        .args(["--batched", "--batch-size", "450"])
        .fails(1, &["milestones", "10700", "created_at"]);
    let entry = run.relation("milestones");
    let batches = entry["batches"].as_array().unwrap();
    let statuses: Vec<i64> = batches
        .iter()
        .map(|batch| batch["status"].as_i64().unwrap())
        .collect();
    assert_eq!(statuses, [1, -1, 1]);
    assert_eq!(batches[2]["objects_count"], 105);
    assert!(
        !run.out
            .join("group_4351/milestones/batch_2.ndjson.gz")
            .exists()
    );
}
