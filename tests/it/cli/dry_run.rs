//! `relexport export --dry-run`: what it says is what an export then writes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use crate::support::cli::Exported;
use crate::support::*;
use serde_json::Value;

/// Counts the objects below a record, by path of keys.
fn count(path: &str, value: &Value, counts: &mut BTreeMap<String, u64>) {
    let Value::Object(object) = value else {
        return;
    };
    for (key, value) in object {
        let path = format!("{path}.{key}");
        let below = match value {
            Value::Object(_) => std::slice::from_ref(value),
            Value::Array(values) => values,
            _ => continue,
        };
        for value in below.iter().filter(|value| value.is_object()) {
            *counts.entry(path.clone()).or_default() += 1;
            count(&path, value, counts);
        }
    }
}

/// What a folder holds: bytes of NDJSON and objects below the records, by relation.
fn contents(exported: &Exported, entry: &Value) -> (u64, BTreeMap<String, u64>) {
    let name = entry["relation"].as_str().unwrap();
    let batches = entry["batches"].as_array().cloned().unwrap_or_default();
    let (mut bytes, mut counts) = (0, BTreeMap::new());
    for file in batches
        .iter()
        .chain([entry])
        .filter_map(|entry| entry["file"].as_str())
    {
        let compressed = fs::read(exported.path(file)).unwrap();
        let mut content = String::new();
        flate2::read::GzDecoder::new(compressed.as_slice())
            .read_to_string(&mut content)
            .unwrap();
        bytes += content.len() as u64;
        for line in content.lines() {
            count(name, &serde_json::from_str(line).unwrap(), &mut counts);
        }
    }
    (bytes, counts)
}

#[test]
fn what_is_said_is_what_is_written() {
    for arguments in [
        "-g 4351",
        "-g 4351 --batched --batch-size 3",
        "--all-groups --batched --batch-size 2 --memory-limit 0",
        "-g acme --subgroups --edition ce --relation boards --relation user_contributions",
    ] {
        let arguments = format!("-s {DUMP} {arguments}");
        let said = relexport(&format!("export {arguments} --dry-run --json")).json();
        let exported = Exported::new(&arguments);
        let manifest: Value =
            serde_json::from_slice(&fs::read(exported.path("manifest.json")).unwrap()).unwrap();
        let entities = said["entities"].as_array().unwrap();
        assert_eq!(
            entities.len(),
            manifest["entities"].as_array().unwrap().len()
        );
        let mut files = 2;
        for (said, written) in entities
            .iter()
            .zip(manifest["entities"].as_array().unwrap())
        {
            assert_eq!(said["id"], written["id"]);
            assert_eq!(said["prefix"], written["prefix"]);
            let relations = said["relations"].as_array().unwrap().iter();
            for (said, written) in relations.zip(written["relations"].as_array().unwrap()) {
                let place = format!(
                    "{arguments}: {} of {}",
                    said["relation"], written["relation"]
                );
                assert_eq!(said["relation"], written["relation"], "{place}");
                assert_eq!(said["rows"], written["total_objects_count"], "{place}");
                assert_eq!(said["batched"], written["batched"], "{place}");
                assert_eq!(said["batches_count"], written["batches_count"], "{place}");
                let count = written["batches"]
                    .as_array()
                    .map(Vec::len)
                    .filter(|count| *count > 0)
                    .unwrap_or(usize::from(written.get("file").is_some()));
                assert_eq!(said["files"], count, "{place}");
                files += count as u64;
                let (bytes, counts) = contents(&exported, written);
                assert_eq!(said["bytes"], bytes, "{place}");
                for nested in said["nested"].as_array().unwrap() {
                    let path = nested["path"].as_str().unwrap();
                    // For some boards a constant object stands in place of the row.
                    if path == "boards.milestone" {
                        continue;
                    }
                    let rows = nested["rows"].as_u64().unwrap();
                    assert_eq!(
                        rows,
                        counts.get(path).copied().unwrap_or(0),
                        "{place}: {path}"
                    );
                }
            }
        }
        assert_eq!(said["files"], files, "{arguments}");
    }
}

#[test]
fn the_table_shows_nested_tables_below_their_relation() {
    let text = relexport(&format!(
        "export -s {DUMP} -g 4351 --dry-run --batched --batch-size 1 --relation epic_boards --relation self"
    ))
    .prints();
    let expected = "\
acme/platform (4351) in group_4351/

RELATION                        TABLE               ROWS  BATCHES  FILES    NDJSON  ERROR
epic_boards                     boards_epic_boards     2        2      2  2.32 KiB
  epic_boards.epic_lists        boards_epic_lists      7
  epic_boards.epic_lists.label  labels                 3
self                            namespaces             1        -      1  1.17 KiB

13 rows in 5 files, 2.38 KiB of temp files
";
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(
        before,
        expected.trim_end().rsplit_once('\n').unwrap().0,
        "{text}"
    );
    assert!(last.starts_with("13 rows in 5 files, "), "{last}");
    assert!(last.ends_with("; nothing was written"), "{last}");
}

#[test]
fn nothing_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    relexport(&format!(
        "export -s {DUMP} -g 4351 --dry-run --out {} --temp-dir {}",
        out.display(),
        temp.path().display()
    ))
    .ok();
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn wrong_usage_is_told_before_anything_is_read() {
    for (arguments, message) in [
        ("--relation nothing", "cannot export relation nothing"),
        ("--batch-size 0", "a batch has from 1 to 4294967295 records"),
        ("--out Cargo.toml", "Cargo.toml is a file"),
        ("--out Cargo.toml/out", "Cargo.toml/out lies below a file"),
    ] {
        for dry in ["--dry-run", "--out target/never-written"] {
            if dry.starts_with("--out") && arguments.starts_with("--out") {
                continue;
            }
            let error = relexport(&format!("export -s nothing-here -g 1 {arguments} {dry}")).err(2);
            assert!(error.contains(message), "{arguments} {dry}: {error}");
        }
        if arguments.starts_with("--out") {
            let error = relexport(&format!("export -s nothing-here -g 1 {arguments}")).err(2);
            assert!(error.contains(message), "{arguments}: {error}");
        }
    }
    assert!(!project("target/never-written").exists());
}

#[test]
fn a_relation_that_would_fail_is_told() {
    let dump = fs::read_to_string(project(DUMP)).unwrap();
    let (before, behind) = dump.split_once("COPY public.badges ").unwrap();
    let (head, rows) = behind.split_once('\n').unwrap();
    // A row with a single field, before all others.
    let broken = format!("{before}COPY public.badges {head}\n77\n{rows}");
    let ran = relexport("export -s - -g 4351 --dry-run --json --relation badges --relation labels")
        .input(broken.as_bytes())
        .run();
    assert_eq!(ran.code, Some(1));
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let relations = &json["entities"][0]["relations"];
    assert_eq!(relations[0]["relation"], "badges");
    let error = relations[0]["error"].as_str().unwrap();
    assert!(error.starts_with("table badges, row 1 "), "{error}");
    assert_eq!(relations[0]["files"], 0);
    assert_eq!(relations[1]["error"], Value::Null);
    assert_eq!(relations[1]["rows"], 13);
}
