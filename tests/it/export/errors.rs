//! Everything that can be wrong: the exit code, the message (what, where, what to do) and what is left behind.

mod lacking;
mod rows;
mod snapshots;
mod usage;

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

/// The dump with a row of labels that lacks its last field.
fn short_row() -> String {
    edit_rows(&dump(), "labels", |rows| {
        let (row, rest) = rows.split_once('\n').unwrap();
        format!("{}\n{rest}", row.rsplit_once('\t').unwrap().0)
    })
}
