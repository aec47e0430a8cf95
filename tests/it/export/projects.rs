//! Exports of projects by pipelines/project.yml: the expected bytes from every kind of snapshot, in every way of reading it.

mod judged;
mod older;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::server::*;
use crate::support::*;

const DUMP: &str = "fixtures/projects/gitlab.sql.gz";
const BACKUP: &str = "fixtures/projects/1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar";
/// The projects of the fixture that something is expected of.
const PROJECTS: [i64; 6] = [71, 72, 73, 74, 76, 2_000_077];

type Files = BTreeMap<String, Vec<u8>>;

/// What these projects must be, as [`ExportFolder::contents`] gives it.
fn expected_projects(projects: &[i64]) -> Files {
    let mut files = Files::new();
    for id in projects {
        let folder = project(&format!("tests/expected/projects/project_{id}"));
        for name in files_below(&folder) {
            let content = fs::read(folder.join(&name)).unwrap();
            files.insert(format!("project_{id}/{name}.gz"), content);
        }
    }
    files
}

/// The same from a backup, whose files say more.
fn expected_of_backup(projects: &[i64]) -> Files {
    let mut files = expected_projects(projects);
    for id in projects {
        let folder = project(&format!("tests/expected/projects/with_files/project_{id}"));
        if folder.exists() {
            for name in files_below(&folder) {
                let content = fs::read(folder.join(&name)).unwrap();
                files.insert(format!("project_{id}/{name}.gz"), content);
            }
        }
    }
    files
}

/// An export of projects.
fn export(dir: &Dir, snapshot: &str, out: &str, projects: &[i64]) -> Program {
    let program = dir.export_to(snapshot, dir.join(out));
    projects.iter().fold(program, |program, id| {
        program.option("--project", id.to_string())
    })
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// The database of the fixture, in which nothing may be changed.
fn database() -> &'static Database<'static> {
    static DATABASE: OnceLock<Database<'static>> = OnceLock::new();
    DATABASE.get_or_init(new_database)
}

/// A database of the fixture of one's own.
fn new_database() -> Database<'static> {
    let database = Server::shared().database();
    for file in ["schema.sql", "seed.sql", "seed_ci.sql"] {
        database.load(&project(&format!("fixtures/projects/{file}")));
    }
    database
}

/// A folder of CSV files: one for each table, none for the partitions of one.
fn csv_folder(dir: &Dir, database: &Database<'_>) -> String {
    dir.write("csv/schema.sql", database.dump(&["--schema-only"]));
    let tables = database.run(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
         AND relkind IN ('r', 'p') AND NOT relispartition",
    );
    let mut copies = String::new();
    for table in tables.lines() {
        let file = text(dir.join(&format!("csv/{table}.csv")));
        copies.push_str(&format!(
            "\\copy (SELECT * FROM {table}) TO '{file}' (FORMAT csv, HEADER)\n"
        ));
    }
    let script = dir.write("copies.sql", copies);
    ok(database.psql().env("PGTZ", "UTC").arg("-f").arg(script));
    text(dir.join("csv"))
}

#[test]
fn every_project_is_as_expected_from_every_kind_of_file() {
    let dir = Dir::new();
    let tree = dir.join("backup");
    let mut tar = tar::Archive::new(fs::File::open(project(BACKUP)).unwrap());
    tar.unpack(&tree).unwrap();
    let (expected, with_files) = (expected_projects(&PROJECTS), expected_of_backup(&PROJECTS));
    for (name, snapshot, kind) in [
        ("plain", text(project(DUMP)), "plain"),
        ("tar", text(project(BACKUP)), "gitlab-backup"),
        ("tree", text(tree), "gitlab-backup"),
    ] {
        let run = export(&dir, &snapshot, name, &PROJECTS).ok();
        let expected = match kind {
            "plain" => &expected,
            _ => &with_files,
        };
        assert_same_files(name, &run.contents(), expected);
        assert_eq!(run.manifest()["snapshot"]["kind"], kind);
    }
    let run = export(&dir, "-", "piped", &PROJECTS)
        .input(fs::read(project(BACKUP)).unwrap())
        .ok();
    assert_same_files("piped", &run.contents(), &with_files);
    let run = export(&dir, &text(project(BACKUP)), "no files", &PROJECTS)
        .args(["--no-files"])
        .ok();
    assert_same_files("no files", &run.contents(), &expected);
    for name in ["uploads", "lfs_objects", "repository", "design"] {
        assert_eq!(run.relation(name)["batches"], json!([]), "{name}");
    }
    let run = export(&dir, "-", "piped plain", &PROJECTS)
        .stdin(Stdio::from(fs::File::open(project(DUMP)).unwrap()))
        .ok();
    assert_same_files("piped plain", &run.contents(), &expected);
}

#[test]
fn every_project_is_as_expected_from_archives_csv_files_and_a_server() {
    let (dir, database) = (Dir::new(), database());
    dir.write("inserts.sql", database.dump(&["--inserts"]));
    dir.write("custom", database.dump(&["-Fc"]));
    database.dump(&["-Fd", "-f", &text(dir.join("folder"))]);
    let mut take = dir
        .relexport("--quiet snapshot take")
        .option("--from", database.address())
        .option("--out", dir.join("taken"));
    for id in PROJECTS {
        take = take.option("--project", id.to_string());
    }
    take.ok();
    let mut snapshots: Vec<(&str, String)> = ["inserts.sql", "custom", "folder", "taken"]
        .map(|name| (name, text(dir.join(name))))
        .into();
    snapshots.push(("csv", csv_folder(&dir, database)));
    snapshots.push(("live", database.address()));
    let expected = expected_projects(&PROJECTS);
    for (name, snapshot) in snapshots {
        let run = export(&dir, &snapshot, &format!("out-{name}"), &PROJECTS).ok();
        assert_same_files(name, &run.contents(), &expected);
    }
}

/// Rows are moved out of memory and read back: those that lie over others, that values are looked up in, and of lists.
#[test]
fn neither_memory_nor_threads_change_a_byte() {
    let dir = Dir::new();
    let snapshots = [
        ("plain", text(project(DUMP))),
        ("tar", text(project(BACKUP))),
        ("live", database().address()),
    ];
    for (name, snapshot) in snapshots {
        let expected = match name {
            "tar" => expected_of_backup(&PROJECTS),
            _ => expected_projects(&PROJECTS),
        };
        for threads in ["1", "2"] {
            let what = format!("{name} {threads}");
            let run = export(&dir, &snapshot, &what, &PROJECTS)
                .args(["--memory-limit", "0", "--threads", threads])
                .ok();
            assert_same_files(&what, &run.contents(), &expected);
        }
    }
}

/// The expected lines of a relation of project 71, each with its id: SQL says in which order they stand.
fn lines_by_id(expected: &Files, relation: &str, ids_in_order: &str) -> Vec<(i64, String)> {
    let lines = &expected[&format!("project_71/{relation}.ndjson.gz")];
    let lines = String::from_utf8(lines.clone()).unwrap();
    let lines: Vec<String> = lines.split_inclusive('\n').map(str::to_owned).collect();
    let ids = database().run(ids_in_order);
    let ids: Vec<i64> = ids.lines().map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), lines.len(), "{relation}");
    ids.into_iter().zip(lines).collect()
}

/// Batches of two by id. Inside a batch the lines stand as in the whole file, or by id.
fn batches_of_two(mut lines: Vec<(i64, String)>, by_id: bool) -> Vec<String> {
    let place: BTreeMap<i64, usize> = lines
        .iter()
        .enumerate()
        .map(|(at, (id, _))| (*id, at))
        .collect();
    lines.sort_by_key(|(id, _)| *id);
    let batches = lines.chunks_mut(2).map(|batch| {
        if !by_id {
            batch.sort_by_key(|(id, _)| place[id]);
        }
        batch.iter().map(|(_, line)| line.as_str()).collect()
    });
    batches.collect()
}

#[test]
fn batches_are_cut_by_id_and_ordered_inside_as_the_relation_says() {
    let dir = Dir::new();
    let batches_of = |whole: &Files| {
        let issues = lines_by_id(
            whole,
            "issues",
            "SELECT id FROM issues WHERE project_id = 71 ORDER BY relative_position NULLS LAST, id",
        );
        let merge_requests = lines_by_id(
            whole,
            "merge_requests",
            "SELECT id FROM merge_requests WHERE target_project_id = 71 ORDER BY created_at NULLS LAST, id",
        );
        // Else the test would show nothing.
        assert!(!issues.is_sorted() && !merge_requests.is_sorted());
        [
            ("issues", batches_of_two(issues, false)),
            ("merge_requests", batches_of_two(merge_requests, true)),
        ]
    };
    let snapshots = [
        ("plain", text(project(DUMP))),
        ("tar", text(project(BACKUP))),
        ("live", database().address()),
    ];
    for (name, snapshot) in snapshots {
        let whole = match name {
            "tar" => expected_of_backup(&[71]),
            _ => expected_projects(&[71]),
        };
        let expected = batches_of(&whole);
        for memory in ["0", "512MiB"] {
            let what = format!("{name} {memory}");
            let run = export(&dir, &snapshot, &what, &[71])
                .args(["--batched", "--batch-size", "2", "--memory-limit", memory])
                .ok();
            let contents = run.contents();
            for (relation, batches) in &expected {
                for (at, batch) in batches.iter().enumerate() {
                    let file = format!("project_71/{relation}/batch_{}.ndjson.gz", at + 1);
                    let got = String::from_utf8(contents[&file].clone()).unwrap();
                    assert_eq!(got, *batch, "{what}: {file}");
                }
            }
            // All others are in the order of their keys, so that the batches of one are its file.
            let mut put_together = Files::new();
            for entry in run.relations() {
                let relation = entry["relation"].as_str().unwrap();
                if expected.iter().any(|(name, _)| *name == relation) {
                    continue;
                }
                let batches = entry["batches_count"].as_u64().unwrap_or(0);
                let name = format!("project_71/{}.gz", file_name(relation));
                let content = match (entry["batched"].as_bool(), batches) {
                    (Some(true), 1..) => (1..=batches)
                        .flat_map(|at| {
                            let file = format!("project_71/{relation}/batch_{at}.ndjson.gz");
                            contents[&file].clone()
                        })
                        .collect(),
                    (Some(true), 0) => Vec::new(),
                    (Some(false) | None, _) => {
                        let single = format!("project_71/{relation}.ndjson.gz");
                        let file = contents.get(&name).or_else(|| contents.get(&single));
                        file.unwrap_or_else(|| panic!("{what}: {relation}")).clone()
                    }
                };
                put_together.insert(name, content);
            }
            let mut others = whole.clone();
            others.retain(|name, _| {
                !name.contains("/issues.ndjson") && !name.contains("/merge_requests.ndjson")
            });
            assert_same_files(&what, &put_together, &others);
        }
    }
}

/// A value without these keys, wherever in it the path leads; `[]` is every element of an array.
fn without(value: &mut Value, path: &[&str]) {
    match (value, path) {
        (Value::Array(elements), ["[]", rest @ ..]) => {
            elements
                .iter_mut()
                .for_each(|element| without(element, rest));
        }
        (Value::Object(object), [key]) => {
            object.remove(*key);
        }
        (Value::Object(object), [key, rest @ ..]) => {
            if let Some(inner) = object.get_mut(*key) {
                without(inner, rest);
            }
        }
        _ => {}
    }
}

fn records(content: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(content).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// True if a text is another one from which parts were taken.
fn is_left_of(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

#[test]
fn the_community_edition_lacks_relations_nodes_and_columns() {
    let dir = Dir::new();
    let gone = [
        "approval_rules",
        "protected_environments",
        "push_rule",
        "security_setting",
        "vulnerabilities",
    ];
    let keys: [(&str, &[&[&str]]); 4] = [
        ("boards", &[&["milestone"], &["lists", "[]", "milestone"]]),
        (
            "issues",
            &[
                &["epic_issue"],
                &["issuable_sla"],
                &["iteration"],
                &["resource_iteration_events"],
            ],
        ),
        ("project_feature", &[&["requirements_access_level"]]),
        (
            "protected_branches",
            &[&["unprotect_access_levels"], &["squash_option"]],
        ),
    ];
    let mut expected = expected_projects(&[71]);
    for relation in gone {
        let file = expected.remove(&format!("project_71/{relation}.ndjson.gz"));
        assert!(file.is_some(), "{relation}");
    }
    for snapshot in [text(project(DUMP)), database().address()] {
        let out = if snapshot.contains(':') {
            "live"
        } else {
            "plain"
        };
        let run = export(&dir, &snapshot, out, &[71])
            .args(["--edition", "ce"])
            .ok();
        let mut got = run.contents();
        let mut expected = expected.clone();
        for (relation, paths) in keys {
            let name = format!("project_71/{relation}.ndjson.gz");
            let (got, want) = (got.remove(&name).unwrap(), expected.remove(&name).unwrap());
            let mut records_left = records(&want);
            for record in &mut records_left {
                paths.iter().for_each(|path| without(record, path));
            }
            assert_eq!(records(&got), records_left, "{out} {relation}");
            assert!(is_left_of(&got, &want), "{out} {relation}: order of keys");
        }
        // Those whom only an iteration's event, an epic, an approval rule or vulnerabilities name are not there.
        let name = "project_71/user_contributions.ndjson.gz";
        let (got_users, users) = (got.remove(name).unwrap(), expected.remove(name).unwrap());
        let lost = [13, 15, 28, 29, 30];
        let mut left = records(&users);
        left.retain(|user| !lost.contains(&user["id"].as_i64().unwrap()));
        assert_eq!(records(&got_users), left, "{out}");
        assert_same_files(out, &got, &expected);
    }
}

fn value(table: &str, key: i64, column: &str, reason: &str) -> Value {
    json!({ "table": table, "key": key, "column": column, "reason": reason })
}

#[test]
fn what_cannot_be_read_and_what_is_missing_is_counted_and_listed() {
    let dir = Dir::new();
    let (tag, yaml, mapping) = (
        "the text holds a tag that is not accepted",
        "the text is not valid YAML",
        "the text, or what a tag in it stands for, is not a mapping",
    );
    let unreadable = [
        // In the order of the file, which is that of `created_at`.
        value("merge_requests", 404, "merge_params", tag),
        value("notes", 2103, "position", yaml),
        value(
            "notes",
            2104,
            "position",
            "the text is no mapping with a tag that is accepted at its root",
        ),
        value("notes", 2104, "original_position", mapping),
        value(
            "notes",
            2104,
            "change_position",
            "the printed hash is cut off, or holds something else than texts, numbers, lists and hashes",
        ),
        value("notes", 2105, "position", tag),
        value("notes", 2105, "original_position", mapping),
        value("notes", 2105, "change_position", tag),
        value("notes", 2108, "st_diff", yaml),
        value("merge_requests", 405, "merge_params", mapping),
        value("merge_requests", 407, "merge_params", tag),
    ];
    let path = "merge_request_diffs/mr-403/diff-504";
    let missing = ["504, 0", "504, 1", "504, 3"]
        .map(|key| json!({ "table": "merge_request_diff_files", "key": key, "path": path }));
    let snapshots = [
        ("plain", text(project(DUMP))),
        ("live", database().address()),
    ];
    for (name, snapshot) in snapshots {
        for memory in ["0", "512MiB"] {
            let run = export(&dir, &snapshot, &format!("{name}-{memory}"), &[71])
                .args(["--memory-limit", memory])
                .ok();
            let merge_requests = run.relation("merge_requests");
            let counted = |first: &[Value]| json!({ "count": first.len(), "first": first });
            assert_eq!(merge_requests["unreadable_values"], counted(&unreadable));
            assert_eq!(merge_requests["missing_files"], counted(&missing));
            let no_type = value(
                "issues",
                305,
                "work_item_type",
                "there is no value, and the key is left out",
            );
            let issues = run.relation("issues");
            assert_eq!(issues["unreadable_values"], counted(&[no_type]));
            for entry in run.relations() {
                let relation = entry["relation"].as_str().unwrap();
                assert_eq!(entry["status"], 1, "{relation}");
                if !["issues", "merge_requests"].contains(&relation) {
                    assert!(entry.get("unreadable_values").is_none(), "{relation}");
                    assert!(entry.get("missing_files").is_none(), "{relation}");
                }
            }
            // Each is warned of once, with its number.
            for part in [
                "12 values cannot be read",
                "3 files that rows name are not in the snapshot",
            ] {
                assert_eq!(run.stderr.matches(part).count(), 1, "{}", run.stderr);
            }
        }
    }
}
