//! Exports from a source that finds rows by key itself: the bytes of an export of a dump of the same instant.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::support::keyed::*;
use crate::support::*;
use relexport::export::ExportError;
use relexport::output::Status;
use relexport::resolve::{Choice, EntityError, Relations, ResolveError};
use relexport::snapshot::{Fields, TableSize};

/// The fixture as a source.
fn fixture() -> Double {
    Double::of(&project("fixtures/gitlab.sql"))
}

/// A changed dump as a source.
fn changed(dir: &Dir, dump: &str) -> Double {
    Double::of(&dir.write("changed.sql", dump))
}

/// All files of the entities, unpacked, by name.
fn contents(out: &Path) -> BTreeMap<String, Vec<u8>> {
    packed(out)
        .into_iter()
        .map(|(name, bytes)| (name, gunzip(&bytes)))
        .collect()
}

fn packed(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = files_below(out)
        .into_iter()
        .filter(|name| name.contains('/'));
    names
        .map(|name| (name.clone(), std::fs::read(out.join(&name)).unwrap()))
        .collect()
}

#[test]
fn every_group_is_as_expected_alone_and_with_the_others() {
    let dir = Dir::new();
    for group in GROUPS {
        let out = dir.join(&group.to_string());
        let report = export(
            fixture(),
            &request(&out, named(&[&group.to_string()], false)),
        );
        assert!(report.unwrap().is_complete());
        assert_same_files("one", &contents(&out), &expected_files(&[group]));
    }
    for connections in [1, 2, 7] {
        let out = dir.join(&format!("all-{connections}"));
        let source = Double {
            connections,
            ..fixture()
        };
        assert!(
            export(source, &request(&out, Choice::All))
                .unwrap()
                .is_complete()
        );
        assert_same_files("all", &contents(&out), &expected_files(&GROUPS));
    }
}

#[test]
fn batches_are_those_of_a_dump_whatever_their_size() {
    let dir = Dir::new();
    for size in ["1", "2", "3", "1000"] {
        let run = dir
            .export_to(
                project("fixtures/gitlab.sql"),
                dir.join(&format!("dump-{size}")),
            )
            .args(["--all-groups", "--batched", "--batch-size", size])
            .ok();
        for connections in [1, 4] {
            let out = dir.join(&format!("keyed-{size}-{connections}"));
            let mut request = request(&out, Choice::All);
            request.options.batched = true;
            request.options.batch_size = size.parse().unwrap();
            let source = Double {
                connections,
                block: 1,
                ..fixture()
            };
            assert!(export(source, &request).unwrap().is_complete());
            assert_same_files(size, &packed(&out), &run.packed());
        }
    }
}

#[test]
fn groups_are_found_by_every_kind_of_name() {
    let dir = Dir::new();
    // Two former paths of one group.
    let dump = edit_rows(&dump(), "redirect_routes", |rows| {
        let row = rows
            .lines()
            .find(|row| row.contains("acme/old-platform"))
            .unwrap();
        let more = row
            .replacen('1', "77", 1)
            .replace("old-platform", "older-platform");
        format!("{rows}{more}\n")
    });
    assert!(dump.contains("acme/older-platform"));
    let snapshot = dir.write("former.sql", &dump);
    let by_path = [
        "acme/platform",
        "/acme/platform/",
        "ACME/Platform",
        "acme/old-platform",
        "acme/Older-platform",
    ];
    for (position, name) in by_path.into_iter().enumerate() {
        let run = dir
            .export_to(&snapshot, dir.join(&format!("dump-{position}")))
            .group(name)
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&[4351]));
        let out = dir.join(&format!("path-{position}"));
        export(changed(&dir, &dump), &request(&out, named(&[name], false))).unwrap();
        assert_same_files(name, &contents(&out), &expected_files(&[4351]));
    }
    // Without routes a path is that of the ancestors' parts.
    let without = edit_rows(&dump, "routes", |_| String::new());
    let out = dir.join("parts");
    export(
        changed(&dir, &without),
        &request(&out, named(&["acme/platform"], false)),
    )
    .unwrap();
    assert_same_files("parts", &contents(&out), &expected_files(&[4351]));
}

#[test]
fn subgroups_are_found_with_and_without_the_array_of_ancestors() {
    let dir = Dir::new();
    let mut dump = dump();
    for (position, cut) in [&[][..], &["4352"][..], &["4350", "4351", "4352"][..]]
        .into_iter()
        .enumerate()
    {
        for id in cut {
            dump = edit_field(&dump, "namespaces", "id", id, "traversal_ids", "{}");
        }
        for (name, groups) in [
            ("acme", &[4350, 4351, 4352][..]),
            ("4351", &[4351, 4352][..]),
            ("acme/platform/core", &[4352][..]),
        ] {
            let from_dump = dir
                .export_to(
                    dir.write("changed.sql", &dump),
                    dir.join(&format!("dump-{position}-{}", groups.len())),
                )
                .args(["--group", name, "--subgroups"])
                .ok();
            let out = dir.join(&format!("keyed-{position}-{}", groups.len()));
            let source = changed(&dir, &dump);
            let report = export(source, &request(&out, named(&[name], true))).unwrap();
            let found: Vec<i64> = report
                .manifest
                .entities
                .iter()
                .filter_map(|it| it.id.integer())
                .collect();
            assert_eq!(found, groups, "{name}");
            assert_same_files(name, &contents(&out), &from_dump.contents());
        }
    }
}

#[test]
fn a_group_that_lies_below_by_its_parent_or_by_its_ancestors_alone_is_exported_and_told() {
    let dir = Dir::new();
    let cases = [
        // Moved, and its ancestors are those of old. Below it lies core, whose parent alone is known.
        ("4351", "traversal_ids", "{4351}", "1 Group lies", "(4351)"),
        (
            "4351",
            "traversal_ids",
            "{7001,4351}",
            "1 Group lies",
            "(4351)",
        ),
        ("4351", "parent_id", "\\N", "1 Group lies", "(4351)"),
        ("4351", "parent_id", "7001", "1 Group lies", "(4351)"),
    ];
    for (position, (id, column, value, who, which)) in cases.into_iter().enumerate() {
        let dump = edit_field(&dump(), "namespaces", "id", id, column, value);
        let warning = format!(
            "{who} below what was named by one alone of traversal_ids and parent_id {which}: \
             exported, whichever is out of date"
        );
        let from_dump = dir
            .export_to(
                dir.write("changed.sql", &dump),
                dir.join(&format!("dump-{position}")),
            )
            .args(["--group", "acme", "--subgroups"])
            .ok();
        let told = from_dump.manifest()["warnings"].to_string();
        assert!(told.contains(&warning), "{told}");
        let out = dir.join(&format!("keyed-{position}"));
        let source = changed(&dir, &dump);
        let report = export(source, &request(&out, named(&["acme"], true))).unwrap();
        let entities = report.manifest.entities.iter();
        let found: Vec<i64> = entities.filter_map(|it| it.id.integer()).collect();
        assert_eq!(found, [4350, 4351, 4352], "{column} {value}");
        let warnings = &report.manifest.warnings;
        assert!(warnings.contains(&warning), "{warnings:?}");
        assert_same_files(column, &contents(&out), &from_dump.contents());
    }
}

#[test]
fn what_is_no_group_is_told_with_what_is_near() {
    let dir = Dir::new();
    let fails = |name: &str| -> EntityError {
        let request = request(&dir.join("out"), named(&[name], false));
        match export(fixture(), &request) {
            Err(ExportError::Resolve { source, .. }) => match *source {
                ResolveError::Entity(error) => error,
                other => panic!("{name}: {other}"),
            },
            Err(other) => panic!("{name}: {other}"),
            Ok(_) => panic!("{name} was found"),
        }
    };
    for name in ["acme/platfrom", "acme/platform/cor", "acm", "999999"] {
        let EntityError::Unknown { wanted, hint, .. } = fails(name) else {
            panic!("{name} is something else");
        };
        assert_eq!(wanted, name);
        assert!(hint.contains("acme"), "{hint}");
    }
    assert!(
        matches!(fails("acme/platfrom"), EntityError::Unknown { hint, .. }
        if hint.starts_with("\n  the nearest paths are: acme/platform,"))
    );
    assert!(!dir.join("out").exists());
}

#[test]
fn no_row_has_a_query_of_its_own() {
    let dir = Dir::new();
    let count = |name: &str, dump: &str| {
        let source = changed(&dir, dump);
        let asked = source.asked.clone();
        export(source, &request(&dir.join(name), named(&["4351"], false))).unwrap();
        asked.queries.load(Ordering::Relaxed)
    };
    let few = count("few", &dump());
    // Two thousand notes more, below the same epic.
    let many = count("many", &with_many_notes(2000));
    assert_eq!(few, many);
}

#[test]
fn more_keys_than_a_query_may_name_are_several_queries() {
    let dir = Dir::new();
    let dump = with_many_notes(12_000);
    let run = dir
        .export_to(dir.write("many.sql", &dump), dir.join("dump"))
        .args(["--group", "4351", "--relation", "epics"])
        .ok();
    let source = Double {
        block: 500,
        ..changed(&dir, &dump)
    };
    let asked = source.asked.clone();
    let mut request = request(&dir.join("keyed"), named(&["4351"], false));
    request.selection.relations = Relations::Only(vec!["epics".to_owned()]);
    export(source, &request).unwrap();
    assert_same_files("many", &contents(&request.out), &run.contents());
    let log = asked.log.lock().unwrap();
    let metadata = log
        .iter()
        .filter(|(table, _)| table == "system_note_metadata");
    assert_eq!(metadata.count(), 2);
}

/// The fixture with so many more epics of group 4351, with nothing below them.
fn with_bare_epics(count: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "epics").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "epics", |rows| {
        let mut all = rows.to_owned();
        let row = rows.lines().next().unwrap();
        for number in 0..count {
            let fields = columns.iter().zip(row.split('\t'));
            let fields = fields.map(|(column, field)| match *column {
                "id" => (800_000 + number).to_string(),
                "iid" => (1_000 + number).to_string(),
                "parent_id" | "issue_id" => "\\N".to_owned(),
                "description" => "bare".to_owned(),
                _ => field.to_owned(),
            });
            all.push_str(&fields.collect::<Vec<_>>().join("\t"));
            all.push('\n');
        }
        all
    })
}

#[test]
fn keys_that_lead_to_no_rows_are_not_asked_for_one_by_one() {
    let dir = Dir::new();
    let dump = with_bare_epics(4_000);
    let run = dir
        .export_to(dir.write("bare.sql", &dump), dir.join("dump"))
        .args(["--group", "4351", "--relation", "epics"])
        .ok();
    let keys_of_emoji = |rows: Option<u64>, refuses: bool| {
        let mut source = Double {
            connections: 1,
            block: 500,
            size: rows.map(|rows| TableSize { rows, bytes: 1 }),
            ..changed(&dir, &dump)
        };
        if refuses {
            source.faults = Box::new(|_, query| {
                let is_gathered = matches!(query.fields, Fields::Gathered(..));
                is_gathered.then_some(Fault::Refused)
            });
        }
        let asked = source.asked.clone();
        let mut request = request(&dir.join("keyed"), named(&["4351"], false));
        request.selection.relations = Relations::Only(vec!["epics".to_owned()]);
        export(source, &request).unwrap();
        assert_same_files("bare", &contents(&request.out), &run.contents());
        std::fs::remove_dir_all(&request.out).unwrap();
        let log = asked.log.lock().unwrap();
        let emoji = log.iter().filter(|(table, _)| table == "award_emoji");
        let keys = emoji.map(|(_, predicates)| predicates.matches("80").count());
        keys.sum::<usize>()
    };
    let all = keys_of_emoji(None, false);
    assert!(all >= 4_000, "{all}");
    // The table is larger than all the keys are worth, or what is asked for cannot be had.
    assert_eq!(keys_of_emoji(Some(1 << 19), false), all);
    assert_eq!(keys_of_emoji(Some(100), true), all);
    let few = keys_of_emoji(Some(100), false);
    assert!(few < all / 2, "{few} of {all}");
    // There are more than the server says.
    let few = keys_of_emoji(Some(1), false);
    assert!(few < all / 2, "{few} of {all}");
}

/// The fixture with so many more labels of group 4351, each with a description of so many bytes.
fn with_large_labels(count: usize, bytes: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "labels").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "labels", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields = columns.iter().map(|column| match column.trim_matches('"') {
                "id" => (700_000 + number).to_string(),
                "title" => format!("large {number}"),
                "group_id" => "4351".to_owned(),
                "type" => "GroupLabel".to_owned(),
                "description" => "d".repeat(bytes),
                "template" | "archived" | "lock_on_merge" => "f".to_owned(),
                _ => "\\N".to_owned(),
            });
            rows.push_str(&fields.collect::<Vec<_>>().join("\t"));
            rows.push('\n');
        }
        rows
    })
}

#[test]
fn a_round_that_is_too_large_is_cut_and_loses_nothing() {
    let dir = Dir::new();
    let dump = with_large_labels(40, 1 << 19);
    let run = dir
        .export_to(dir.write("large.sql", &dump), dir.join("dump"))
        .args([
            "--group",
            "4351",
            "--relation",
            "labels",
            "--batched",
            "--batch-size",
            "7",
        ])
        .ok();
    let mut request = request(&dir.join("keyed"), named(&["4351"], false));
    request.selection.relations = Relations::Only(vec!["labels".to_owned()]);
    request.options.batched = true;
    request.options.batch_size = 7.try_into().unwrap();
    let source = changed(&dir, &dump);
    let asked = source.asked.clone();
    export(source, &request).unwrap();
    assert_same_files("large", &packed(&request.out), &run.packed());
    let log = asked.log.lock().unwrap();
    let labels = log.iter().filter(|(table, _)| table == "labels").count();
    assert!(labels > 3, "{labels} queries: no round was cut");
}

#[test]
fn a_refused_table_fails_what_is_made_of_it_and_nothing_else() {
    let dir = Dir::new();
    for (table, failed) in [
        ("notes", &["epics"][..]),
        ("label_links", &["epics"][..]),
        ("milestones", &["milestones", "boards", "max_iids"][..]),
        ("users", &["members", "epics"][..]),
    ] {
        for batched in [false, true] {
            let source = Double {
                faults: Box::new(move |_, query| {
                    (query.table.name == table).then_some(Fault::Refused)
                }),
                ..fixture()
            };
            let mut request = request(
                &dir.join(&format!("{table}-{batched}")),
                named(&["4351"], false),
            );
            request.options.batched = batched;
            request.options.batch_size = 1.try_into().unwrap();
            let report = export(source, &request).unwrap();
            assert!(!report.is_complete());
            for relation in &report.manifest.entities[0].relations {
                let name = relation.relation.as_str();
                if name == "user_contributions" {
                    // Who is referred to is not known without the others' records.
                    assert_eq!(relation.status, Status::Failed, "{table}: {name}");
                    let error = relation.error.as_deref().unwrap();
                    assert!(error.starts_with("it is collected from"), "{error}");
                    continue;
                }
                if !failed.contains(&name) {
                    assert_eq!(relation.status, Status::Finished, "{table}: {name}");
                    continue;
                }
                assert_eq!(relation.status, Status::Failed, "{table}: {name}");
                let words = format!(
                    "the server refused to give rows of table {table}: permission denied (SQLSTATE 42501)"
                );
                assert_eq!(relation.error.as_deref(), Some(words.as_str()));
                assert!(relation.file.is_none());
            }
        }
    }
}

#[test]
fn rows_that_are_refused_fail_their_files_and_all_behind_them() {
    let dir = Dir::new();
    let dump = with_large_labels(300, 10);
    for batched in [false, true] {
        // In the last of the rounds.
        let source = Double {
            faults: Box::new(|_, query| {
                let asks = format!("{:?}", query.predicates);
                (query.table.name == "labels" && asks.contains("700299")).then_some(Fault::Refused)
            }),
            ..changed(&dir, &dump)
        };
        let mut request = request(
            &dir.join(&format!("out-{batched}")),
            named(&["4351"], false),
        );
        request.selection.relations = Relations::Only(vec!["labels".to_owned()]);
        request.options.batched = batched;
        request.options.batch_size = 10.try_into().unwrap();
        let report = export(source, &request).unwrap();
        let labels = &report.manifest.entities[0].relations[0];
        assert_eq!(labels.status, Status::Failed);
        assert!(labels.error.as_ref().unwrap().contains("permission denied"));
        assert!(labels.file.is_none());
        let batches = labels.batches.as_deref().unwrap_or_default();
        assert_eq!(batches.is_empty(), !batched);
        let finished = batches
            .iter()
            .take_while(|batch| batch.file.is_some())
            .count();
        assert_eq!(contents(Path::new(&report.place)).len(), finished);
        for batch in &batches[finished..] {
            assert!(batch.file.is_none());
            assert!(batch.error.as_ref().unwrap().contains("permission denied"));
        }
        assert!(
            !batched || (1..batches.len()).contains(&finished),
            "{finished}"
        );
    }
}

#[test]
fn a_lost_instant_ends_the_export_wherever_it_happens() {
    let dir = Dir::new();
    let all = {
        let source = fixture();
        let asked = source.asked.clone();
        export(
            source,
            &request(&dir.join("whole"), named(&["4351"], false)),
        )
        .unwrap();
        asked.queries.load(Ordering::Relaxed)
    };
    for at in 0..all {
        let source = Double {
            faults: Box::new(move |number, _| (number >= at).then_some(Fault::Lost)),
            ..fixture()
        };
        let request = request(&dir.join("out"), named(&["4351"], false));
        match export(source, &request) {
            Err(error @ ExportError::Resolve { .. }) => {
                assert_eq!(
                    error.to_string(),
                    "double: the server's snapshot is lost: gone\n  export again, which reads another instant"
                );
            }
            Err(other) => panic!("query {at}: {other}"),
            Ok(_) => panic!("query {at}: the export claims to be there"),
        }
        assert!(!request.out.exists());
    }
}

#[test]
fn a_missing_index_is_a_warning() {
    let dir = Dir::new();
    let report = export(
        fixture(),
        &request(&dir.join("out"), named(&["4351"], false)),
    )
    .unwrap();
    assert_eq!(
        report.manifest.warnings,
        [
            "there is no index for badges.group_id: the server reads the whole table for every batch",
            "no files in uploads: a double holds none",
        ]
    );
    assert_eq!(report.manifest.snapshot.kind, "postgres");
    assert_eq!(
        report.manifest.snapshot.server_version.as_deref(),
        Some("15.4")
    );
}
