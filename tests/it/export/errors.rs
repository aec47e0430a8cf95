//! Everything that can be wrong: the exit code, the message (what, where, what to do) and what is left behind.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// Whatever was damaged: what the manifest calls finished is as expected, and the whole is not called finished.
fn nothing_false(run: &Run) {
    assert!(
        matches!(run.code, Some(1 | 3)),
        "{:?} {}",
        run.code,
        run.stderr
    );
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    if !run.out.exists() {
        return;
    }
    assert_eq!(run.manifest()["status"], -1);
    let mut files = run.contents();
    for entry in run.relations() {
        let relation = entry["relation"].as_str().unwrap();
        let name = format!("group_4351/{}.gz", file_name(relation));
        match files.remove(&name) {
            Some(content) => {
                assert_eq!(entry["status"], 1, "{relation}");
                // Who is referred to depends on what else could be exported.
                if relation != "user_contributions" {
                    assert!(content == expected(4351, relation), "{relation}");
                }
            }
            None => {
                assert_eq!(entry["status"], -1, "{relation}");
                assert!(entry["error"].is_string(), "{relation}");
                assert!(entry.get("file").is_none(), "{relation}");
            }
        }
    }
    assert!(files.is_empty(), "{files:?}");
}

/// True for a relation that failed for another reason than that others did, from whose records it is collected.
fn failed_itself(entry: &Value) -> bool {
    let error = entry["error"].as_str().unwrap_or_default();
    entry["status"] != 1 && !error.starts_with("it is collected from")
}

/// Just these relations failed, each with an error that says all of this; the others are as expected.
fn only_failed(run: &Run, failed: &[&str], says: &[&str]) {
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    nothing_false(run);
    let names: Vec<Value> = run
        .relations()
        .into_iter()
        .filter(failed_itself)
        .map(|entry| entry["relation"].clone())
        .collect();
    assert_eq!(names, failed);
    for relation in failed {
        let error = run.relation(relation)["error"].clone();
        for part in says {
            assert!(
                error.as_str().unwrap().contains(part),
                "no {part:?}: {error}"
            );
            assert!(run.stderr.contains(part), "no {part:?}: {}", run.stderr);
        }
    }
}

// Not a snapshot at all.

#[test]
fn what_is_no_snapshot_is_refused() {
    let dir = Dir::new();
    for (name, bytes, says) in [
        (
            "letter.txt",
            &b"Dear Sir or Madam"[..],
            "begins with \"Dear Sir or Mada\"",
        ),
        ("empty.sql", b"", "it is empty"),
        (
            "empty.sql.gz",
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0",
            "it is empty",
        ),
        ("archive.zip", b"PK\x03\x04\x14\0\0\0\x08\0", "looked for"),
        ("zeros.sql", &[0; 5000], "looked for"),
        ("program", b"\x7fELF\x02\x01\x01\0", "looked for"),
        ("words.sql", b"SET x = 1;\nSELECT 2;\n", "no table"),
    ] {
        let path = dir.write(name, bytes);
        dir.export(path)
            .group(4351)
            .fails(3, &[name, "is not a snapshot", says])
            .left_nothing();
        dir.export("-")
            .input(bytes)
            .group(4351)
            .fails(3, &["-", "is not a snapshot", says])
            .left_nothing();
    }
}

#[test]
fn text_that_another_program_changed_is_refused() {
    let dir = Dir::new();
    let utf16: Vec<u8> = dump()[..4000]
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    dir.export(dir.write("utf16.sql", [&b"\xff\xfe"[..], &utf16].concat()))
        .group(4351)
        .fails(3, &["utf16.sql", "is not a snapshot"])
        .left_nothing();
}

#[test]
fn line_ends_that_another_program_changed_change_nothing() {
    let dir = Dir::new();
    let run = dir.export_text(&dump().replace('\n', "\r\n")).ok();
    assert_same_files("CR LF", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn folders_and_names_without_a_snapshot_are_refused() {
    let dir = Dir::new();
    let empty = dir.join("empty");
    fs::create_dir(&empty).unwrap();
    dir.export(&empty)
        .group(4351)
        .fails(3, &["empty is not a snapshot", "schema.sql", "backup"])
        .left_nothing();
    dir.write("csv/labels.csv", "id\n");
    dir.export(dir.join("csv"))
        .group(4351)
        .fails(3, &["no schema.sql", "pg_dump --schema-only"])
        .left_nothing();
    dir.export(dir.join("missing.sql"))
        .group(4351)
        .fails(3, &["missing.sql", "no such file", "name a dump"])
        .left_nothing();
    dir.write("data/PG_VERSION", "15\n");
    dir.write("data/global/pg_control", "");
    dir.export(dir.join("data"))
        .group(4351)
        .fails(3, &["PostgreSQL data folder", "pgdata:"])
        .left_nothing();
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let dir = Dir::new();
    // Nothing listens there, in whatever way addresses are handled.
    let run = dir
        .export("postgres://relexport:hunter2@127.0.0.1:1/gitlab")
        .group(4351)
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    run.left_nothing();
}

#[test]
fn a_damaged_archive_is_no_panic() {
    let dir = Dir::new();
    for bytes in [
        &b"PGDMP"[..],
        b"PGDMP\x01\x0e\x00\x04\x08\x01",
        b"PGDMP\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        dir.export(dir.write("dump.pgdump", bytes))
            .group(4351)
            .fails(3, &["dump.pgdump"])
            .left_nothing();
    }
}

// Damage.

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_cut_stream_is_never_a_whole_one() {
    let dir = Dir::new();
    let dump = dump().into_bytes();
    for (name, bytes) in [
        ("gz", gzip(&dump)),
        ("zst", checked_zstd(&dump)),
        ("sql", dump.clone()),
    ] {
        let cuts = (1..12)
            .map(|part| bytes.len() * part / 12)
            .chain([30, bytes.len() - 20, bytes.len() - 5, bytes.len() - 1])
            // What pg_dump writes last is a comment that says that nothing is missing.
            .filter(|cut| name != "sql" || *cut < bytes.len() - 70);
        for cut in cuts {
            let what = format!("{name} {cut}");
            let path = dir.write(&format!("cut.{name}"), &bytes[..cut]);
            let run = dir.export_to(path, dir.join(&what)).group(4351).run();
            nothing_false(&run);
        }
    }
}

#[test]
fn what_went_by_before_the_cut_is_exported() {
    let dir = Dir::new();
    let dump = dump();
    // In the middle of users, which stand last: everything but the contributors and what names people is there.
    let users = dump.find("\nCOPY public.users (").unwrap();
    let cut = users + dump[users..].find("\n3\t").unwrap() + 9;
    let run = dir.export_text(&dump[..cut]).run();
    only_failed(
        &run,
        &["members", "user_contributions", "epics"],
        &["cut off", "users"],
    );
    let error = run.manifest()["error"].clone();
    let error = error.as_str().unwrap();
    for part in [
        "ends too early",
        "copy or dump it again",
        "users",
        "row 2",
        "byte",
    ] {
        assert!(error.contains(part), "no {part:?}: {error}");
    }
}

#[test]
fn nothing_is_exported_where_the_group_is_not_known_for_sure() {
    let dir = Dir::new();
    let dump = dump();
    // Core's parents are needed for its root: behind a cut inside of namespaces they may be missing.
    let block = dump.find("\nCOPY public.namespaces (").unwrap();
    let first = block + dump[block..].find("\n4352\t").unwrap() + 1;
    let cut = first + dump[first..].find('\n').unwrap() + 1;
    dir.export(dir.write("dump.sql", &dump[..cut]))
        .group(4352)
        .fails(3, &["ends too early", "namespaces", "dump it again"])
        .left_nothing();
}

#[test]
fn a_flipped_byte_leaves_nothing() {
    let dir = Dir::new();
    let dump = dump().into_bytes();
    for (name, bytes) in [("gz", gzip(&dump)), ("zst", checked_zstd(&dump))] {
        for part in 1..20 {
            let place = bytes.len() * part / 20;
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x04;
            let path = dir.write(&format!("flipped.{name}"), damaged);
            let out = dir.join(&format!("{name} {place}"));
            let run = dir.export_to(path, out).group(4351).run();
            assert_eq!(run.code, Some(3), "{name} {place}: {}", run.stderr);
            assert!(run.stderr.contains("copy it again"), "{}", run.stderr);
            run.left_nothing();
        }
        // The checksum at the end alone.
        let mut damaged = bytes.clone();
        let place = if name == "gz" {
            bytes.len() - 8
        } else {
            bytes.len() - 1
        };
        damaged[place] ^= 0x80;
        dir.export(dir.write("checksum", damaged))
            .group(4351)
            .fails(3, &["damaged"])
            .left_nothing();
    }
}

#[test]
fn bytes_behind_the_compressed_stream_are_damage() {
    let dir = Dir::new();
    let bytes = [&gzip(dump().as_bytes())[..], b"and more, but no gzip"].concat();
    dir.export(dir.write("dump.gz", bytes))
        .group(4351)
        .fails(3, &["damaged"])
        .left_nothing();
}

#[test]
fn damage_behind_the_tables_that_are_needed_counts() {
    let dir = Dir::new();
    let dump = edit(&dump(), "\n2\tdecoy\tdecoy\tdecoy\n", "\n2\tdecoy\tdecoy\n");
    dir.export_text(&dump)
        .fails(
            3,
            &[
                "sandbox.users",
                "row 1",
                "too few or too many columns",
                "byte",
            ],
        )
        .left_nothing();
}

#[test]
fn a_csv_file_that_ends_inside_quotes_is_damage() {
    let dir = Dir::new();
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(project("fixtures/csv")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let badges = fs::read_to_string(folder.join("badges.csv")).unwrap();
    fs::write(folder.join("badges.csv"), format!("{badges}9999,\"open")).unwrap();
    let run = dir.export(&folder).group(4351).run();
    nothing_false(&run);
    assert!(run.stderr.contains("badges"), "{}", run.stderr);
}

// Rows that cannot be read. They fail the relations that need their table, and no others.

/// The relations that are made of labels, directly or below.
const OF_LABELS: [&str; 4] = ["labels", "boards", "epics", "epic_boards"];

fn short_row() -> String {
    edit_rows(&dump(), "labels", |rows| {
        let (row, rest) = rows.split_once('\n').unwrap();
        format!("{}\n{rest}", row.rsplit_once('\t').unwrap().0)
    })
}

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

// Tables and columns that are missing.

#[test]
fn a_definition_that_lacks_a_column_of_its_rows_fails_what_asks_for_the_table() {
    // Two columns run together, or one is gone. Older snapshots have none of that name, and null in its place.
    let whole = "    cached_markdown_version integer,\n    description text,\n    description_html text,\n    creator_id bigint,\n";
    for (from, to) in [
        ("integer,\n    description ", "integer,\n    descripti0n "),
        ("    description text,\n", ""),
    ] {
        let dump = edit(&dump(), whole, &edit(whole, from, to));
        let dir = Dir::new();
        let run = dir
            .export_text(&dump)
            .fails(1, &["table namespace_details", "lacks columns"]);
        assert_eq!(run.relation("self")["status"], -1);
        assert_eq!(run.relation("labels")["status"], 1);
    }
    let dump = edit(
        &dump(),
        whole,
        &edit(whole, "integer,\n", "integer\u{fffd}\n"),
    );
    Dir::new()
        .export_text(&dump)
        .fails(
            3,
            &[
                "namespace_details",
                "a table's definition cannot be understood",
            ],
        )
        .left_nothing();
}

/// The dump without a column of a table, in its definition and its data.
fn without_column(dump: &str, table: &str, column: &str) -> String {
    let from = dump
        .find(&format!("\nCREATE TABLE public.{table} ("))
        .unwrap()
        + 1;
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let definition = &dump[from..from + end];
    let line = definition
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{column} ")))
        .unwrap();
    let dump_without = edit(
        dump,
        definition,
        &edit(definition, &format!("{line}\n"), ""),
    );
    let block = copy_block(dump, table);
    let head = block.lines().next().unwrap();
    let list = &head[head.find('(').unwrap() + 1..head.rfind(')').unwrap()];
    let place = list.split(", ").position(|name| name == column).unwrap();
    let remove = |line: &str, by: &str| {
        let mut parts: Vec<&str> = line.split(by).collect();
        parts.remove(place);
        parts.join(by)
    };
    let rows: String = block
        .lines()
        .skip(1)
        .map(|row| match row {
            "\\." => "\\.\n".to_owned(),
            row => remove(row, "\t") + "\n",
        })
        .collect();
    let head = head.replace(list, &remove(list, ", "));
    edit(&dump_without, block, &format!("{head}\n{rows}"))
}

#[test]
fn a_missing_key_column_fails_its_relation() {
    let dir = Dir::new();
    let run = dir
        .export_text(&without_column(&dump(), "badges", "group_id"))
        .run();
    only_failed(&run, &["badges"], &["badges", "no column group_id"]);
}

#[test]
fn a_missing_key_column_of_a_nested_table_is_no_silent_gap() {
    let dir = Dir::new();
    let run = dir
        .export_text(&without_column(&dump(), "label_links", "target_id"))
        .run();
    only_failed(&run, &["epics"], &["label_links", "no column target_id"]);
}

#[test]
fn without_namespaces_there_is_no_group() {
    let dir = Dir::new();
    let dump = dump();
    let from = dump.find("\nCREATE TABLE public.namespaces (").unwrap();
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let without = edit(&dump, &dump[from..from + end], "\n");
    let without = edit(&without, copy_block(&without, "namespaces"), "");
    dir.export_text(&without)
        .fails(3, &["no table namespaces", "Group", "--pipeline"])
        .left_nothing();
    dir.export_text(&without_column(&dump, "namespaces", "type"))
        .fails(3, &["namespaces", "no column type"])
        .left_nothing();
}

// Groups.

#[test]
fn an_unknown_group_gets_the_nearest_paths_as_a_hint() {
    let dir = Dir::new();
    for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
        dir.export(project(snapshot))
            .group("acme/platfrom")
            .fails(
                3,
                &["no Group acme/platfrom", "nearest paths", "acme/platform"],
            )
            .left_nothing();
        // A number is an id, a project's path none of a group.
        dir.export(project(snapshot))
            .group(99)
            .fails(3, &["no Group 99"])
            .left_nothing();
        for path in ["", "/"] {
            dir.export(project(snapshot))
                .group(path)
                .fails(2, &["the name of a group is empty"])
                .left_nothing();
        }
        for path in ["acme/platform/tools", "acme/old-tools", "Ácme"] {
            dir.export(project(snapshot))
                .group(path)
                .fails(3, &["no Group"])
                .left_nothing();
        }
        // One of several is enough.
        dir.export(project(snapshot))
            .args(["--group", "acme", "--group", "nobody"])
            .fails(3, &["no Group nobody"])
            .left_nothing();
    }
}

#[test]
fn a_personal_namespace_is_no_group() {
    let dir = Dir::new();
    for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
        for name in ["alice", "4000", "4353"] {
            dir.export(project(snapshot))
                .group(name)
                .fails(3, &[name, "is not a Group", "name a Group instead"])
                .left_nothing();
        }
    }
}

// Usage.

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

// The output.

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

// Standard error that nobody reads, or that is full: the log decides nothing.

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

// Folders of CSV files that are not whole.

/// A copy of the fixture's CSV files.
fn csv_folder(dir: &Dir) -> std::path::PathBuf {
    let folder = dir.join("csv");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(project("fixtures/csv")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[test]
fn a_csv_file_cut_inside_its_last_field_fails_what_needs_it() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    let milestones = fs::read(folder.join("milestones.csv")).unwrap();
    // Only the line end is missing: the last field may have been longer.
    fs::write(
        folder.join("milestones.csv"),
        &milestones[..milestones.len() - 1],
    )
    .unwrap();
    let run = dir.export(&folder).group(4351).run();
    nothing_false(&run);
    assert_eq!(run.code, Some(1));
    let error = run.relation("milestones")["error"].to_string();
    for part in ["milestones.csv, row", "has no line end", "copy it again"] {
        assert!(error.contains(part), "no {part:?}: {error}");
    }
}

#[test]
fn files_of_a_csv_folder_that_belong_to_no_table_are_named() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    fs::rename(folder.join("badges.csv"), folder.join("public.badges.csv")).unwrap();
    fs::write(folder.join("Badges.CSV"), "id\n").unwrap();
    let run = dir.export(&folder).group(4351).ok();
    assert_same_files("renamed", &run.contents(), &expected_files(&[4351]));
    let says = "the file \"Badges.CSV\" (is it badges.csv?) is not read";
    let warnings = run.manifest()["warnings"].clone();
    let warnings = warnings.as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].as_str().unwrap().contains(says), "{warnings:?}");
    assert!(
        warnings[1]
            .as_str()
            .unwrap()
            .starts_with("no files in uploads: ")
    );
    assert_eq!(
        run.stderr.matches("Badges.CSV").count(),
        1,
        "{}",
        run.stderr
    );
}

#[test]
fn a_csv_table_that_is_there_twice_fails_what_needs_it() {
    let dir = Dir::new();
    let folder = csv_folder(&dir);
    fs::copy(folder.join("badges.csv"), folder.join("badges.csv.gz")).unwrap();
    let run = dir.export(&folder).group(4351).run();
    only_failed(
        &run,
        &["badges"],
        &["\"badges.csv\" and \"badges.csv.gz\" hold the same table"],
    );
}
