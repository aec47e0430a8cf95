//! restic itself as the judge of the keep rules: the same times, the same rules, and what each of the two keeps.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::shelf::TestShelf;

/// Times without an order in them: several in an hour, in a day, in a week; a new year in the middle of a week; a leap day.
const TIMES: [&str; 16] = [
    "2023-12-30T23:30:00.000Z",
    "2023-12-31T02:00:00.000Z",
    "2024-01-01T02:00:00.000Z",
    "2024-01-31T02:00:00.000Z",
    "2024-02-29T02:00:00.000Z",
    "2024-02-29T02:59:59.000Z",
    "2024-03-01T02:00:00.000Z",
    "2024-03-31T01:00:00.000Z",
    "2024-12-29T02:00:00.000Z",
    "2024-12-30T02:00:00.000Z",
    "2024-12-31T02:00:00.000Z",
    "2025-01-01T02:00:00.000Z",
    "2025-01-05T02:00:00.000Z",
    "2025-01-06T02:00:00.000Z",
    "2025-01-06T03:10:00.000Z",
    "2025-01-06T03:20:00.000Z",
];

/// The restic that Debian has does not keep the oldest export while a rule has room, as newer ones do and this program; so
/// here no rule has room.
const RULES: [&str; 12] = [
    "--keep-last 3",
    "--keep-hourly 2",
    "--keep-daily 5",
    "--keep-daily 14",
    "--keep-weekly 3",
    "--keep-monthly 4",
    "--keep-yearly 2",
    "--keep-yearly 3",
    "--keep-daily 2 --keep-weekly 2 --keep-monthly 6 --keep-yearly 3",
    "--keep-within 7d2h",
    "--keep-within 1y1m",
    "--keep-within-daily 9d --keep-within-monthly 10m",
];

/// restic, with a repository and no zone but UTC.
fn restic(repository: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("restic");
    command
        .args(["--repo", repository, "--no-cache", "--quiet"])
        .args(arguments)
        .env("RESTIC_PASSWORD", "test")
        .env("TZ", "UTC");
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("restic: {error}"),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_rules_keep_what_restic_keeps() {
    let shelf = TestShelf::new();
    let repository = shelf.beside("repository").display().to_string();
    if restic(&repository, &["init"]).is_none() {
        eprintln!("skipped: restic is not installed");
        return;
    }
    let file = shelf.beside("file");
    std::fs::write(&file, "x").unwrap();
    for time in TIMES {
        shelf.put(&time.replace(':', "-"), time);
        let at = time.replace('T', " ").replace(".000Z", "");
        let file = file.display().to_string();
        restic(&repository, &["backup", "--time", &at, &file]);
    }
    for rules in RULES {
        let mut arguments = vec!["forget", "--dry-run", "--json"];
        arguments.extend(rules.split(' '));
        let answer = restic(&repository, &arguments).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let kept = answer[0]["keep"].as_array().unwrap().iter();
        let theirs: BTreeSet<String> = kept
            .map(|snapshot| snapshot["time"].as_str().unwrap().replace('Z', ".000Z"))
            .collect();
        let answer = shelf.answer(&format!("{rules} --dry-run"));
        let exports = answer["exports"].as_array().unwrap().iter();
        let kept = exports.filter(|export| export["decision"] == "keep");
        let ours: BTreeSet<String> = kept
            .map(|export| export["started_at"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ours, theirs, "{rules}");
    }
}
