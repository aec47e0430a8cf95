//! `relexport redact init`, `--strict`, and that nothing of what was redacted is left anywhere.

use super::{KEY, key_file};
use crate::support::*;

/// What the program makes as a first redaction file for the fixture.
fn first_file() -> String {
    relexport("redact init --snapshot").arg(DUMP).prints()
}

/// An export of all groups, by these rules.
fn export(dir: &Dir, rules: &str) -> Program {
    dir.export(project(DUMP))
        .args(["--all-groups"])
        .option("--redact", dir.write("rules.yml", rules))
        .option("--redact-key-file", key_file(dir, KEY))
}

/// The snapshot's own columns as the pipelines know them, so that nothing but redaction is strict about it.
const STRICT: &str = "--strict";

/// Addresses, names and other texts of people, by the fixture's table of users.
fn texts_of_people() -> Vec<String> {
    let dump = dump();
    let block = copy_block(&dump, "users");
    let mut texts = Vec::new();
    for row in block.lines().filter(|row| row.contains('\t')) {
        let fields: Vec<&str> = row.split('\t').collect();
        for field in [fields[1], fields[13], fields[18], fields[41]] {
            if !["", "\\N"].contains(&field) {
                texts.push(field.to_owned());
            }
        }
    }
    assert!(texts.len() > 20, "{texts:?}");
    texts
}

#[test]
fn of_what_the_first_file_redacts_nothing_is_left_anywhere() {
    let dir = Dir::new();
    let run = export(&dir, &first_file()).ok();
    let mut all = run.manifest().to_string();
    for (_, content) in run.contents() {
        all.push_str(&String::from_utf8(content).unwrap());
    }
    all.push_str(&String::from_utf8(run.content("metadata.json.gz")).unwrap());
    for text in texts_of_people() {
        let written = serde_json::Value::from(text.as_str()).to_string();
        assert!(!all.contains(&written), "{text} is left");
        assert!(
            !text.contains('@') || !all.contains(&text),
            "{text} is left"
        );
    }
    // Texts that people wrote, too: of notes, epics, labels and descriptions.
    for text in ["Rich", "First line", "rocket", "Acme", "acme/platform"] {
        assert!(!all.contains(text), "{text} is left");
    }
}

#[test]
fn strict_names_every_column_without_a_rule_and_what_to_paste() {
    let dir = Dir::new();
    let whole = export(&dir, &first_file()).args([STRICT]).run();
    // The fixture may lack columns that the pipeline names, but no rule is missing.
    assert!(!whole.stderr.contains("has no rule"), "{}", whole.stderr);
    let dir = Dir::new();
    let pipeline = dir.write(
        "p.yml",
        "pipeline: p\nentity: { kind: Group, table: namespaces, key: id, prefix: \"group_{key}\" }\n\
         relations:\n  labels: { table: labels, link: { group_id: key } }\n",
    );
    let export = |rules: &str| {
        dir.export(project(DUMP))
            .group(4351)
            .option("--pipeline", &pipeline)
            .option("--redact", dir.write("rules.yml", rules))
            .option("--redact-key-file", key_file(&dir, KEY))
            .args([STRICT])
    };
    let refused = export("columns: { labels.title: hash }\n").run();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let lines = refused.stderr.lines();
    let lines: Vec<&str> = lines.filter(|line| line.starts_with("  labels.")).collect();
    assert!(
        lines.contains(&"  labels.description: hash # decide"),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("labels.title")));
    refused.left_nothing();
    let pasted = format!("columns:\n  labels.title: hash\n{}\n", lines.join("\n"));
    let run = export(&pasted).ok();
    assert!(!run.contents().is_empty());
}

#[test]
fn a_rule_for_nothing_that_is_written_is_told_with_its_place() {
    let rules = "columns:\n  labels.titel: hash\n  users.encrypted_password: hash\n";
    let dir = Dir::new();
    let run = export(&dir, rules).ok();
    let said = "rules.yml:2:3: `labels.titel` is nothing that is written, so its rule does nothing; did you mean `labels.title`?";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("rules.yml:3:3: `users.encrypted_password`")
    );
    assert!(
        run.manifest()["warnings"]
            .to_string()
            .contains("labels.titel")
    );
    assert!(run.manifest()["redaction"]["columns"]["users"].is_null());
}

#[test]
fn strict_names_copies_of_what_is_redacted() {
    let first = first_file();
    let rules = edit(
        &first,
        "  epics.title_html: hash # decide\n",
        "  epics.title_html: keep\n",
    );
    let dir = Dir::new();
    let run = export(&dir, &rules).args([STRICT]).run();
    assert_ne!(run.code, Some(0));
    assert!(
        run.stderr.contains(
            "column title_html of table epics is kept, but its name says that it is made of title"
        ) || run.stderr.contains("--strict allows none of it"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_schema_knows_the_first_file_and_refuses_other_keys() {
    let schema = relexport("redact schema").json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    assert!(validator.is_valid(&value(&first_file())));
    for right in [
        "columns: { a.b: null, a.c: { constant: [1] }, a.d: { inside: { /x: hash } } }",
        "files: keep\ncolumns: { '*.b': { email: { domain: keep } } }",
    ] {
        assert!(validator.is_valid(&value(right)), "{right}");
    }
    for wrong in [
        "columns: { a.b: hashed }",
        "column: {}",
        "columns: { a.b: { hash: { digits: 3 } } }",
        "files: maybe\ncolumns: {}",
    ] {
        assert!(!validator.is_valid(&value(wrong)), "{wrong}");
    }
}
