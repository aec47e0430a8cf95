//! Rows that cannot be read. They fail the relations that need their table, and no others.

use super::*;

/// The relations that are made of labels, directly or below.
const OF_LABELS: [&str; 4] = ["labels", "boards", "epics", "epic_boards"];

#[test]
fn a_row_with_too_few_or_too_many_columns_fails_its_relations() {
    for (dump, fields) in [
        (short_row(), "14 fields"),
        (
            edit_rows(&dump(), "labels", |rows| rows.replacen('\n', "\tmore\n", 1)),
            "16 fields",
        ),
    ] {
        let dir = Dir::new();
        let run = dir.export_text(&dump).run();
        only_failed(
            &run,
            &OF_LABELS,
            &["labels", "row 1", "byte", fields, "15 columns"],
        );
    }
}

#[test]
fn a_row_whose_tested_value_is_none_fails_its_relations_and_one_written_with_escapes_counts() {
    let type_of = |value: &str| edit_field(&dump(), "labels", "id", "803", "type", value);
    for value in ["Gro\\upLabel", "\\x47roupLabel", "\\107roup\\Label"] {
        let dir = Dir::new();
        let run = dir.export_text(&type_of(value)).ok();
        let labels = run.content("group_4351/labels.ndjson.gz");
        let rows = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(rows(&labels), rows(&expected(4351, "labels")), "{value}");
    }
    for value in ["GroupLabel\\x00", "Group\rLabel"] {
        let dir = Dir::new();
        let run = dir.export_text(&type_of(value)).run();
        let says = "column type is no value of its type, but rows are chosen by it";
        only_failed(&run, &OF_LABELS, &["labels", "row 1", "byte", says]);
    }
}

#[test]
fn keep_going_leaves_bad_rows_out_and_lists_them() {
    let dir = Dir::new();
    let run = dir
        .export_text(&short_row())
        .args(["--keep-going"])
        // Damage was met: the exit code says so, though every relation is finished.
        .fails(1, &["left out"]);
    assert_eq!(run.manifest()["status"], 1);
    for relation in OF_LABELS {
        let entry = run.relation(relation);
        assert_eq!(entry["skipped_count"], 1, "{relation}");
        let skipped = entry["skipped"].as_array().unwrap();
        assert_eq!(skipped.len(), 1);
        assert!(skipped[0]["table"].as_str().unwrap().contains("labels"));
        let reason = skipped[0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("row 1") && reason.contains("14 fields"),
            "{reason}"
        );
    }
    let want = String::from_utf8(expected(4351, "labels")).unwrap();
    let block = dump();
    let first = copy_block(&block, "labels")
        .lines()
        .nth(1)
        .unwrap()
        .to_owned();
    let id = first.split('\t').next().unwrap();
    let lost = format!("{{\"id\":{id},");
    let want: String = want
        .split_inclusive('\n')
        .filter(|line| !line.starts_with(&lost))
        .collect();
    let got = run.content("group_4351/labels.ndjson.gz");
    assert_eq!(String::from_utf8(got).unwrap(), want);
    assert!(run.relation("milestones").get("skipped").is_none());
}

#[test]
fn a_value_that_its_type_does_not_allow_fails_its_relation() {
    for (table, id, column, value, relations, reason) in [
        (
            "labels",
            "801",
            "created_at",
            "yesterday",
            &["labels", "boards", "epics"][..],
            "timestamp",
        ),
        (
            "labels",
            "801",
            "template",
            "maybe",
            &["labels", "boards", "epics"],
            "boolean",
        ),
        (
            "labels",
            "801",
            "cached_markdown_version",
            "1.5",
            &["labels", "boards", "epics"],
            "integer",
        ),
        (
            "labels",
            "801",
            "title",
            "ends\\",
            &["labels", "boards", "epics"],
            "escape",
        ),
        (
            "milestones",
            "505",
            "due_date",
            "2021-02-30",
            &["milestones"],
            "date",
        ),
        (
            "milestones",
            "505",
            "lock_version",
            "9223372036854775808",
            &["milestones"],
            "integer",
        ),
        (
            "events",
            "10001",
            "fingerprint",
            "\\\\xg0",
            &["epics"],
            "byte string",
        ),
        (
            "members",
            "105",
            "expires_at",
            "never",
            &["members"],
            "date",
        ),
    ] {
        let dir = Dir::new();
        let dump = edit_field(&dump(), table, "id", id, column, value);
        let run = dir.export_text(&dump).run();
        let key = format!("primary key {id}");
        let failed = run.relations();
        let failed: Vec<&str> = failed
            .iter()
            .filter(|entry| failed_itself(entry))
            .map(|entry| entry["relation"].as_str().unwrap())
            .collect();
        assert!(
            failed.iter().all(|name| relations.contains(name)) && failed.contains(&relations[0]),
            "{failed:?}"
        );
        only_failed(&run, &failed, &[table, &key, column, reason]);
        // No value of a cell reaches a message.
        assert!(!run.stderr.contains("yesterday") && !run.stderr.contains("maybe"));
    }
}

#[test]
fn invalid_utf8_fails_its_relation() {
    let dir = Dir::new();
    let dump = edit_field(&dump(), "milestones", "id", "501", "description", "MARK");
    let (before, after) = dump.split_once("MARK").unwrap();
    let bytes = [before.as_bytes(), b"caf\xe9", after.as_bytes()].concat();
    let path = dir.write("dump.sql", bytes);
    let run = dir.export(&path).group(4351).run();
    // List 605 … of a board nest milestone rows, too.
    let failed = run.relations();
    let failed: Vec<&str> = failed
        .iter()
        .filter(|entry| failed_itself(entry))
        .map(|entry| entry["relation"].as_str().unwrap())
        .collect();
    assert!(failed.contains(&"milestones"));
    only_failed(
        &run,
        &failed,
        &[
            "milestones",
            "primary key 501",
            "column description",
            "not valid in the snapshot's encoding",
            "byte 3",
        ],
    );
    let run = dir
        .export_to(&path, dir.join("going"))
        .group(4351)
        .relations(&["milestones"])
        .args(["--keep-going"])
        .fails(1, &["1 row was left out"]);
    let entry = run.relation("milestones");
    assert_eq!(entry["skipped"][0]["key"], 501);
    assert_eq!(entry["skipped"][0]["column"], "description");
    assert_eq!(entry["skipped_count"], 1);
    assert_eq!(entry["total_objects_count"], 4);
    assert_eq!(run.records(4351, "milestones").len(), 4);
}

#[test]
fn a_bad_row_fails_its_batch_and_with_it_the_relation() {
    let dir = Dir::new();
    let dump = edit_field(&dump(), "milestones", "id", "503", "created_at", "never");
    let run = dir
        .export_text(&dump)
        .relations(&["milestones"])
        .args(["--batched", "--batch-size", "2"])
        .fails(1, &["milestones", "503", "created_at"]);
    let entry = run.relation("milestones");
    assert_eq!(entry["status"], -1);
    let statuses: Vec<Value> = entry["batches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|batch| batch["status"].clone())
        .collect();
    // 501 502, 503 504, 505.
    assert_eq!(statuses, [1, -1, 1]);
    assert!(
        entry["batches"][1]["error"]
            .as_str()
            .unwrap()
            .contains("503")
    );
    assert!(entry["batches"][1].get("file").is_none());
    assert!(
        !run.out
            .join("group_4351/milestones/batch_2.ndjson.gz")
            .exists()
    );
    assert!(
        run.out
            .join("group_4351/milestones/batch_3.ndjson.gz")
            .exists()
    );
}

#[test]
fn a_bad_row_of_another_group_fails_nothing() {
    let dir = Dir::new();
    let dump = edit_field(&dump(), "milestones", "id", "701", "created_at", "never");
    let run = dir.export_text(&dump).relations(&["milestones"]).ok();
    assert_eq!(
        run.content("group_4351/milestones.ndjson.gz"),
        expected(4351, "milestones")
    );
}

#[test]
fn a_key_that_is_no_integer_fails_its_relations() {
    let dir = Dir::new();
    let dump = edit_field(&dump(), "milestones", "id", "701", "group_id", "acme");
    let run = dir.export_text(&dump).run();
    let failed = run.relations();
    let failed: Vec<&str> = failed
        .iter()
        .filter(|entry| failed_itself(entry))
        .map(|entry| entry["relation"].as_str().unwrap())
        .collect();
    assert!(failed.contains(&"milestones") && failed.contains(&"max_iids"));
    only_failed(
        &run,
        &failed,
        &["milestones", "row ", "group_id", "no integer"],
    );
}

#[test]
fn a_damaged_row_of_the_group_is_not_an_unknown_group() {
    let dir = Dir::new();
    let dump = edit_rows(&dump(), "namespaces", |rows| {
        let rows: Vec<String> = rows
            .lines()
            .map(|row| match row.starts_with("4351\t") {
                true => row.rsplit_once('\t').unwrap().0.to_owned() + "\n",
                false => row.to_owned() + "\n",
            })
            .collect();
        rows.concat()
    });
    for group in ["4351", "acme/platform"] {
        let path = dir.write("dump.sql", &dump);
        dir.export(path)
            .group(group)
            .fails(3, &["namespaces", "row ", "fields"])
            .left_nothing();
    }
}
