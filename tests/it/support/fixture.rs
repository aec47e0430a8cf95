//! The fixture, what its export must be, and dumps that are made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The fixture as a plain dump; its group 4351 is `acme/platform`.
pub(crate) const DUMP: &str = "fixtures/gitlab.sql";
/// The same database as a GitLab backup.
pub(crate) const BACKUP: &str = "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar";
/// The same database as a folder of CSV files.
pub(crate) const CSV: &str = "fixtures/csv";
/// Every kind of snapshot that the fixtures hold.
pub(crate) const SNAPSHOTS: [&str; 3] = [DUMP, BACKUP, CSV];

/// A group with projects, as a plain dump of all of its databases' tables in one.
pub(crate) const PROJECTS: &str = "fixtures/projects/gitlab.sql.gz";
/// The same as a GitLab backup of a main and a CI database.
pub(crate) const PROJECTS_BACKUP: &str =
    "fixtures/projects/1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar";

/// The groups of the fixture.
pub(crate) const GROUPS: [i64; 4] = [4350, 4351, 4352, 7001];

/// The relations of the group pipeline, in the order of the manifest.
pub(crate) const RELATIONS: [&str; 12] = [
    "milestones",
    "badges",
    "labels",
    "boards",
    "members",
    "namespace_settings",
    "user_contributions",
    "epics",
    "epic_boards",
    "iterations_cadences",
    "self",
    "max_iids",
];

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The fixture as a plain dump.
pub(crate) fn dump() -> String {
    fs::read_to_string(project(DUMP)).unwrap()
}

/// The name of a relation's file, without folder and `.gz`.
pub(crate) fn file_name(relation: &str) -> String {
    match relation {
        "self" | "max_iids" => format!("{relation}.json"),
        _ => format!("{relation}.ndjson"),
    }
}

/// What a relation of a group of the fixture must be, byte for byte.
pub(crate) fn expected(group: i64, relation: &str) -> Vec<u8> {
    let path = project(&format!(
        "tests/expected/group_{group}/{}",
        file_name(relation)
    ));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files of some groups, as [`ExportFolder::contents`](super::ExportFolder::contents) gives them.
pub(crate) fn expected_files(groups: &[i64]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for group in groups {
        for relation in RELATIONS {
            let name = format!("group_{group}/{}.gz", file_name(relation));
            files.insert(name, expected(*group, relation));
        }
    }
    files
}

/// Replaces the one place where `from` stands. A test whose edit does not fit the fixture any more fails here.
pub(crate) fn edit(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} must stand once");
    text.replacen(from, to, 1)
}

/// The COPY block of a table of schema `public`: from its header to its end mark, with the line end.
pub(crate) fn copy_block<'d>(dump: &'d str, table: &str) -> &'d str {
    let from = dump
        .find(&format!("\nCOPY public.{table} ("))
        .unwrap_or_else(|| panic!("the dump has no data of {table}"))
        + 1;
    let end = dump[from..].find("\n\\.\n").unwrap() + 4;
    &dump[from..from + end]
}

/// Edits the rows of a table's COPY block (without header and end mark).
pub(crate) fn edit_rows(dump: &str, table: &str, change: impl FnOnce(&str) -> String) -> String {
    let block = copy_block(dump, table);
    let (head, rest) = block.split_once('\n').unwrap();
    let rows = rest.strip_suffix("\\.\n").unwrap();
    edit(dump, block, &format!("{head}\n{}\\.\n", change(rows)))
}

/// Changes one field of one row: the row whose field in `key` is `id`.
pub(crate) fn edit_field(
    dump: &str,
    table: &str,
    key: &str,
    id: &str,
    column: &str,
    value: &str,
) -> String {
    let head = copy_block(dump, table).lines().next().unwrap();
    let list = &head[head.find('(').unwrap() + 1..head.rfind(')').unwrap()];
    let place = |name: &str| {
        list.split(", ")
            .position(|column| column.trim_matches('"') == name)
            .unwrap_or_else(|| panic!("{table} has no column {name}"))
    };
    let (key, column) = (place(key), place(column));
    edit_rows(dump, table, |rows| {
        let mut found = 0;
        let rows: String = rows
            .lines()
            .map(|row| {
                let mut fields: Vec<&str> = row.split('\t').collect();
                if fields[key] == id {
                    fields[column] = value;
                    found += 1;
                }
                fields.join("\t") + "\n"
            })
            .collect();
        assert_eq!(found, 1, "{table} {id}");
        rows
    })
}

/// The fixture with so many more notes of a kilobyte on epic 21, by users 2 and 3: more than a segment of kept rows.
pub(crate) fn with_many_notes(count: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "notes").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "notes", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "id" => (500_000 - number).to_string(),
                    "note" => format!("{number} {}", "abcdefghij".repeat(100)),
                    "noteable_type" => "Epic".to_owned(),
                    "noteable_id" => "21".to_owned(),
                    "author_id" => (2 + number % 2).to_string(),
                    "system" | "internal" => "f".to_owned(),
                    "imported_from" => "0".to_owned(),
                    _ => "\\N".to_owned(),
                })
                .collect();
            rows.push_str(&fields.join("\t"));
            rows.push('\n');
        }
        rows
    })
}
