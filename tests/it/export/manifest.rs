//! The manifest, the metadata and the form of the files of an export.

use std::fs;

use crate::support::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn export(dir: &Dir, batched: bool) -> Run {
    dir.export(project("fixtures/gitlab.sql"))
        .group(4351)
        .args(["--batch-size", "4"])
        .args(batched.then_some("--batched"))
        .ok()
}

/// `2026-11-22T10:00:00.000Z`
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let form = "0000-00-00T00:00:00.000Z";
    text.len() == form.len()
        && text
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => byte == form,
            })
}

#[test]
fn the_manifest_says_what_was_done() {
    let dir = Dir::new();
    let run = export(&dir, false);
    let manifest = run.manifest();
    assert_eq!(manifest["manifest_version"], 1);
    assert_eq!(
        manifest["generator"],
        format!("relexport {}", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(manifest["status"], 1);
    assert!(is_time(&manifest["started_at"]) && is_time(&manifest["finished_at"]));
    assert!(manifest["started_at"].as_str() <= manifest["finished_at"].as_str());
    let snapshot = &manifest["snapshot"];
    assert_eq!(snapshot["kind"], "plain");
    assert_eq!(snapshot["source"], "gitlab.sql");
    assert_eq!(snapshot["server_version"], "15.18");
    assert_eq!(manifest["pipeline"]["name"], "group");
    let pipeline = fs::read(project("pipelines/group.yml")).unwrap();
    assert_eq!(manifest["pipeline"]["sha256"], hex(&pipeline));
    assert_eq!(
        manifest["options"],
        json!({"batched": false, "batch_size": 4, "edition": "ee"})
    );
    let entities = manifest["entities"].as_array().unwrap();
    assert_eq!(entities.len(), 1);
    assert_eq!(entities[0]["type"], "Group");
    assert_eq!(entities[0]["full_path"], "acme/platform");
    assert_eq!(entities[0]["prefix"], "group_4351");
    let names: Vec<Value> = run
        .relations()
        .into_iter()
        .map(|entry| entry["relation"].clone())
        .collect();
    assert_eq!(names, RELATIONS);
    for entry in run.relations() {
        let relation = entry["relation"].as_str().unwrap();
        assert_eq!(entry["status"], 1);
        assert_eq!(entry["error"], Value::Null);
        assert_eq!(entry["batched"], false);
        assert_eq!(entry["batches_count"], 0);
        assert!(is_time(&entry["updated_at"]));
        let want = expected(4351, relation);
        let objects = match relation {
            // One object each, without a line end.
            "self" | "max_iids" | "namespace_settings" => 1,
            _ => want.iter().filter(|byte| **byte == b'\n').count(),
        };
        assert_eq!(entry["total_objects_count"], objects, "{relation}");
    }
}

#[test]
fn a_dump_has_no_files_and_says_so_as_gitlab_does() {
    for batched in [false, true] {
        let dir = Dir::new();
        let run = export(&dir, batched);
        let uploads = run.relation("uploads");
        assert_eq!(
            (&uploads["status"], &uploads["batched"]),
            (&json!(1), &json!(true))
        );
        assert_eq!(
            (&uploads["batches_count"], &uploads["batches"]),
            (&json!(0), &json!([]))
        );
        assert_eq!(uploads["total_objects_count"], 0);
        assert!(uploads.get("file").is_none());
        let names: Vec<Value> = run
            .all_relations()
            .iter()
            .map(|it| it["relation"].clone())
            .collect();
        assert_eq!(names[names.len() - 3..], ["uploads", "self", "max_iids"]);
        dir.relexport("verify").arg(&run.out).ok();
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn sizes_and_checksums_are_those_of_the_files() {
    for batched in [false, true] {
        let dir = Dir::new();
        let run = export(&dir, batched);
        let mut named = vec!["manifest.json".to_owned(), "metadata.json.gz".to_owned()];
        for entry in run.relations() {
            let whole = [entry.clone()];
            let entries = match entry.get("batches") {
                Some(batches) if entry["batches_count"] != 0 => batches.as_array().unwrap(),
                _ => &whole[..],
            };
            for entry in entries {
                let name = entry["file"].as_str().unwrap();
                let bytes = run.raw(name);
                assert_eq!(entry["bytes"], bytes.len(), "{name}");
                assert_eq!(entry["sha256"], hex(&bytes), "{name}");
                named.push(name.to_owned());
            }
        }
        named.sort();
        // Nothing else lies in the folder.
        assert_eq!(run.files(), named);
    }
}

/// Keys of the object that begins on the line after `from`, in the order of the text.
fn keys(text: &str, from: &str) -> Vec<String> {
    let start = text.find(from).unwrap();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text[..start].lines().collect();
    let first = lines.len() - 1;
    let depth = indent(text.lines().nth(first).unwrap());
    text.lines()
        .skip(first)
        .take_while(|line| indent(line) >= depth)
        .filter(|line| indent(line) == depth && line.trim_start().starts_with('"'))
        .map(|line| line.trim_start().split('"').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn entries_have_the_keys_of_the_status_endpoint_in_its_order() {
    let dir = Dir::new();
    let run = export(&dir, true);
    let text = String::from_utf8(run.raw("manifest.json")).unwrap();
    let api = [
        "relation",
        "status",
        "error",
        "updated_at",
        "batched",
        "batches_count",
        "total_objects_count",
    ];
    assert_eq!(
        keys(&text, "\"relation\": \"labels\""),
        [&api[..], &["batches", "rows_read"]].concat()
    );
    assert_eq!(
        keys(&text, "\"relation\": \"members\""),
        [&api[..], &["file", "bytes", "sha256", "rows_read"]].concat()
    );
    let batch = text.find("\"batches\": [").unwrap();
    assert_eq!(
        keys(&text[batch..], "\"status\""),
        [
            "status",
            "batch_number",
            "objects_count",
            "error",
            "updated_at",
            "file",
            "bytes",
            "sha256"
        ]
    );
    assert_eq!(
        keys(&text, "\"manifest_version\""),
        [
            "manifest_version",
            "generator",
            "status",
            "started_at",
            "finished_at",
            "snapshot",
            "pipeline",
            "options",
            "terms",
            "warnings",
            "metadata",
            "timings",
            "entities"
        ]
    );
}

#[test]
fn files_are_one_gzip_member_without_time_and_name() {
    for batched in [false, true] {
        let dir = Dir::new();
        let run = export(&dir, batched);
        for (name, bytes) in run.packed() {
            // Magic, deflate, no flags (so no name), no time.
            assert_eq!(bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "{name}");
            gunzip(&bytes);
        }
        let bytes = run.raw("metadata.json.gz");
        assert_eq!(bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }
}

fn metadata(run: &Run) -> Value {
    serde_json::from_slice(&run.content("metadata.json.gz")).unwrap()
}

#[test]
fn the_metadata_is_what_the_importer_reads_first() {
    let dir = Dir::new();
    let run = dir
        .export(project(
            "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar",
        ))
        .args(["--group", "acme", "--subgroups"])
        .args(["--source-url", "https://gitlab.example.com"])
        .ok();
    assert_eq!(
        metadata(&run),
        json!({
            "instance_version": "16.5.1-ee",
            "instance_enterprise": true,
            "export_prefix": "out",
            "source_hostname": "https://gitlab.example.com",
            "entities_mapping": {
                "acme": "group_4350",
                "acme/platform": "group_4351",
                "acme/platform/core": "group_4352",
            },
        })
    );
    assert_eq!(run.manifest()["snapshot"]["gitlab_version"], "16.5.1-ee");
}

#[test]
fn the_version_is_what_is_said_where_the_snapshot_does_not() {
    let dir = Dir::new();
    let run = dir
        .export(project("fixtures/gitlab.sql"))
        .group(4352)
        .args(["--gitlab-version", "17.2.1", "--edition", "ce"])
        .ok();
    let said = metadata(&run);
    assert_eq!(said["instance_version"], "17.2.1");
    assert_eq!(said["instance_enterprise"], false);
    assert_eq!(said["source_hostname"], "");
    // Nobody says it: a version that the tables point to, 19.x for the fixture's.
    let run = dir
        .export_to(project("fixtures/gitlab.sql"), dir.join("guessed"))
        .group(4352)
        .ok();
    let version = metadata(&run)["instance_version"].clone();
    let version = version.as_str().unwrap();
    assert!(
        version.starts_with("19.") && version.ends_with("-ee"),
        "{version}"
    );
}

#[test]
fn a_replaced_export_names_the_folder_that_it_ends_in() {
    let dir = Dir::new();
    dir.export(project("fixtures/csv")).group(4350).ok();
    let run = dir
        .export(project("fixtures/csv"))
        .group(4352)
        .args(["--force"])
        .ok();
    assert_eq!(metadata(&run)["export_prefix"], "out");
}

#[test]
fn what_the_snapshot_lacks_is_left_out_and_said() {
    let dir = Dir::new();
    let dump = dump();
    let without = |dump: &str, table: &str| {
        let from = dump
            .find(&format!("\nCREATE TABLE public.{table} ("))
            .unwrap();
        let end = dump[from..].find("\n);\n").unwrap() + 4;
        let block = copy_block(dump, table).to_owned();
        edit(&edit(dump, &dump[from..from + end], "\n"), &block, "")
    };
    // A table of a top-level relation, of a `many` and of a `one`.
    let dump = without(&dump, "badges");
    let dump = without(&dump, "award_emoji");
    let dump = without(&dump, "system_note_metadata");
    let path = dir.write("dump.sql", dump);
    let run = dir.export(path).group(4351).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let names: Vec<Value> = run
        .relations()
        .into_iter()
        .map(|entry| entry["relation"].clone())
        .collect();
    let left: Vec<&str> = RELATIONS
        .into_iter()
        .filter(|name| *name != "badges")
        .collect();
    assert_eq!(names, left);
    assert!(!run.out.join("group_4351/badges.ndjson.gz").exists());
    assert!(run.stderr.contains("badges"), "{}", run.stderr);
    let warnings = run.manifest()["warnings"].to_string();
    for table in ["award_emoji", "system_note_metadata"] {
        assert!(warnings.contains(table), "{warnings}");
        assert!(run.stderr.contains(table), "{}", run.stderr);
    }
    for epic in run.records(4351, "epics") {
        assert_eq!(epic["award_emoji"], json!([]));
        for note in epic["notes"].as_array().unwrap() {
            assert_eq!(note["award_emoji"], json!([]));
            assert!(note.get("system_note_metadata").is_none());
        }
    }
    assert_eq!(
        run.content("group_4351/labels.ndjson.gz"),
        expected(4351, "labels")
    );
}

#[test]
fn columns_that_the_snapshot_lacks_are_left_out() {
    let dir = Dir::new();
    let dump = dump();
    let from = dump.find("\nCREATE TABLE public.labels (").unwrap();
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let definition = &dump[from..from + end];
    let line = definition
        .lines()
        .find(|line| line.trim_start().starts_with("template "))
        .unwrap();
    let changed = edit(definition, &format!("{line}\n"), "");
    let dump = edit(&dump, definition, &changed);
    let block = copy_block(&dump, "labels").to_owned();
    let head = block.lines().next().unwrap();
    let place = head
        .split(['(', ')'])
        .nth(1)
        .unwrap()
        .split(", ")
        .position(|column| column == "template")
        .unwrap();
    let changed: String = block
        .lines()
        .map(|line| {
            let mut fields: Vec<&str> = line.split('\t').collect();
            if fields.len() > 1 {
                fields.remove(place);
            }
            fields.join("\t") + "\n"
        })
        .collect();
    let changed = edit(&changed, "template, ", "");
    let run = dir.export_text(&edit(&dump, &block, &changed)).ok();
    let want = String::from_utf8(expected(4351, "labels")).unwrap();
    let want = want
        .replace("\"template\":false,", "")
        .replace("\"template\":true,", "");
    let got = String::from_utf8(run.content("group_4351/labels.ndjson.gz")).unwrap();
    assert_eq!(got, want.replace("\"template\":null,", ""));
}
