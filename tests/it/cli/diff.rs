//! `relexport diff`: what changed between two exports.

use std::fs;

use serde_json::{Value, json};

use super::against::edit_lines;
use crate::support::cli::Exported;
use crate::support::*;

/// The fixture with a label more, one less and one with another title and colour, and a note with another text.
fn changed_dump() -> String {
    let dump = edit_field(&dump(), "notes", "id", "3001", "note", "another text");
    let dump = edit_field(&dump, "labels", "id", "805", "title", "another title");
    edit_rows(&dump, "labels", |rows| {
        let is_of = |row: &&str, id: &str| row.split('\t').next() == Some(id);
        let mut kept: Vec<String> = rows
            .lines()
            .filter(|row| !is_of(row, "803"))
            .map(str::to_owned)
            .collect();
        let new = rows.lines().find(|row| is_of(row, "801")).unwrap();
        kept.push(new.replacen("801", "898", 1));
        kept.join("\n") + "\n"
    })
}

#[test]
fn what_changed_is_named_by_relation_key_and_column() {
    let dir = Dir::new();
    dir.export_to(project(DUMP), dir.join("old"))
        .group(4351)
        .ok();
    let path = dir.write("changed.sql", changed_dump());
    let new = dir.export_to(path, dir.join("new")).group(4351);
    new.args(["--batched", "--batch-size", "3"]).ok();
    let run = dir.relexport("diff old new").run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for line in [
        "acme/platform labels: 1 added, 1 removed, 1 changed, ",
        "  + 898\n",
        "  - 803\n",
        "  ~ 805: title\n",
        "  ~ 21: -label_links[6001].label, notes[3001].note\n",
    ] {
        assert!(run.stdout.contains(line), "no {line:?} in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("another"), "{}", run.stdout);
    let run = dir
        .relexport("diff old new --relation labels --values --json")
        .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let changes = run.json();
    let [labels] = changes["relations"].as_array().unwrap().as_slice() else {
        panic!("{changes:#}");
    };
    assert_eq!(labels["by"], json!(["id"]));
    assert_eq!(
        (&labels["added"], &labels["removed"], &labels["changed"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let changed = labels["records"].as_array().unwrap();
    let changed = changed
        .iter()
        .find(|record| record["kind"] == "changed")
        .unwrap();
    assert_eq!(changed["key"], "805");
    assert_eq!(changed["columns"][0]["path"], "title");
    assert_eq!(changed["columns"][0]["old"], "\"no hex\"");
    assert_eq!(changed["columns"][0]["new"], "\"another title\"");
}

#[test]
fn exports_of_one_snapshot_are_the_same_however_they_are_cut() {
    for (from, whom) in [
        (DUMP, "--all-groups"),
        (PROJECTS_BACKUP, "--project acme/app"),
    ] {
        let one = Exported::new(&format!("-s {from} {whom}"));
        let other = Exported::new(&format!("-s {from} {whom} --batched --batch-size 2"));
        let text = relexport(&format!("diff {} {}", one.out(), other.out())).prints();
        assert!(text.ends_with(" records, and nothing changed\n"), "{text}");
        assert!(!text.starts_with("0 records"), "{text}");
    }
}

#[test]
fn records_without_a_key_are_added_and_removed() {
    let one = Exported::new(&format!("-s {PROJECTS} --project acme/app"));
    let other = Exported::new(&format!("-s {PROJECTS} --project acme/app"));
    let manifest = ExportFolder::new(one.path("")).manifest();
    let prefix = manifest["entities"][0]["prefix"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = format!("{prefix}/protected_branches.ndjson.gz");
    edit_lines(&other.path(""), &file, |lines| {
        lines[0]["name"] = json!("moin")
    });
    // A relation of one row has no other that it could be.
    edit_lines(
        &other.path(""),
        &format!("{prefix}/self.json.gz"),
        |lines| {
            lines[0]["description"] = json!("another");
        },
    );
    let run = relexport(&format!("diff {} {} --json", one.out(), other.out())).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let changes = run.json();
    let relations = changes["relations"].as_array().unwrap();
    let of = |name: &str| relations.iter().find(|it| it["relation"] == name).unwrap();
    let branches = of("protected_branches");
    assert_eq!(
        (&branches["added"], &branches["removed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(branches["records"][0]["key"], Value::Null);
    assert_eq!(branches["records"][0]["line"], 1);
    let own = of("self");
    assert_eq!((&own["changed"], &own["added"]), (&json!(1), &json!(0)));
    assert_eq!(own["records"][0]["columns"][0]["path"], "description");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let one = Exported::new(&format!("-s {DUMP} -g 4351 --relation labels"));
    let out = one.out();
    relexport(&format!("diff {out} fixtures")).fails(3, &["fixtures/manifest.json"]);
    relexport(&format!("diff {out} {out} --relation nothing")).fails(2, &["such a relation"]);
    let other = Exported::new(&format!("-s {DUMP} -g 7001 --relation labels"));
    let run = relexport(&format!("diff {out} {}", other.out())).run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stdout.starts_with("- acme/platform\n+ umbrella\n"),
        "{}",
        run.stdout
    );
    let file = other.path("group_7001/labels.ndjson.gz");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let other = other.out();
    relexport(&format!("diff {other} {other}")).fails(3, &["labels.ndjson.gz", "relexport verify"]);
}
