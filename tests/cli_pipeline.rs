//! `relexport pipeline`.

mod cli_support;

use std::fs;

use cli_support::*;

#[test]
fn the_built_in_pipeline_is_shown_and_is_right() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let shown = relexport("pipeline show").ok();
    assert_eq!(
        shown,
        fs::read_to_string(project().join("pipelines/group.yml")).unwrap()
    );
    fs::write(&file, shown).unwrap();
    let file = file.display();
    assert_eq!(
        relexport(&format!("pipeline check {file}")).ok(),
        format!("{file}: nothing is wrong\n")
    );
    for snapshot in SNAPSHOTS {
        relexport(&format!("pipeline check {file} --snapshot {snapshot}")).ok();
    }
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let right = relexport("pipeline show").ok();
    let line = right.lines().position(|line| line == "  members:").unwrap();
    fs::write(&file, right.replace("\n  members:\n", "\n  Mem bers:\n")).unwrap();
    let ran = relexport(&format!("pipeline check {}", file.display()));
    assert_eq!(ran.status, Some(1));
    let begin = format!("{}:{}:3: ", file.display(), line + 1);
    assert!(ran.stdout.starts_with(&begin), "{}", ran.stdout);
    let ran = relexport(&format!("pipeline check {} --json", file.display()));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["mistakes"][0]["line"], line + 1);
    assert_eq!(json["mistakes"][0]["column"], 3);
}

#[test]
fn a_table_that_the_snapshot_lacks_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let wrong = relexport("pipeline show").ok().replace(
        "\n    link: { source_id: key }",
        "\n    link: { no_such_id: key }",
    );
    fs::write(&file, wrong).unwrap();
    let ran = relexport(&format!(
        "pipeline check {} --snapshot {DUMP} --json",
        file.display()
    ));
    assert_eq!(ran.status, Some(1));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["severity"] == "error")
        .unwrap();
    assert_eq!(found["place"], "relations > members");
}

#[test]
fn the_schema_is_json_schema() {
    let schema = relexport("pipeline schema").json();
    assert!(jsonschema::validator_for(&schema).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_wrong_usage() {
    let error = relexport("pipeline check nothing-here.yml").err(2);
    assert_eq!(
        error,
        "error: cannot read the pipeline nothing-here.yml: No such file or directory (os error 2)\n  \
         `relexport pipeline show` prints one to begin with\n"
    );
}
