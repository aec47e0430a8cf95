//! `relexport forget`.

use std::fs;
use std::os::unix::fs::symlink;

use super::shelf::{TestShelf, copy};
use crate::support::*;

/// Three nights, and one in between.
const NIGHTS: [&str; 4] = [
    "2026-11-01T02:00:00.000Z",
    "2026-11-02T02:00:00.000Z",
    "2026-11-03T02:00:00.000Z",
    "2026-11-04T02:00:00.000Z",
];

#[test]
fn each_export_is_told_with_its_rule_and_what_no_rule_keeps_goes() {
    let shelf = TestShelf::with(&NIGHTS);
    let told = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("export-"));
        let words = lines.map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Neither the time nor the size.
            format!("{} {} {}", words[0], words[1], words[5..].join(" "))
        });
        words.collect()
    };
    let expected = [
        "keep export-2026-11-04 keep-last, keep-daily",
        "keep export-2026-11-03 keep-daily",
        "remove export-2026-11-02 no rule keeps it",
        "remove export-2026-11-01 no rule keeps it",
    ];
    let text = shelf
        .forget("--keep-last 1 --keep-daily 2 --dry-run")
        .prints();
    assert_eq!(told(&text), expected);
    assert!(
        text.contains("\n2 exports stay, 2 would be removed ("),
        "{text}"
    );
    assert_eq!(shelf.names().len(), 4);
    let text = shelf.forget("--keep-last 1 --keep-daily 2").prints();
    assert_eq!(told(&text), expected);
    assert!(text.contains("\n2 exports stay, 2 removed ("), "{text}");
    assert_eq!(shelf.names(), ["export-2026-11-03", "export-2026-11-04"]);
    relexport(&format!(
        "verify {}",
        shelf.path("export-2026-11-03").display()
    ))
    .ok();
}

#[test]
fn an_empty_policy_is_refused() {
    let shelf = TestShelf::with(&NIGHTS);
    for options in [
        "",
        "--keep-last 0",
        "--keep-last 0 --keep-within 0d --unfinished",
    ] {
        let error = shelf.forget(options).err(2);
        assert!(error.contains("no keep rule says it"), "{error}");
    }
    let error = shelf.forget("--keep-last=-1").err(2);
    assert!(error.contains("`unlimited` keeps all"), "{error}");
    let error = shelf.forget("--keep-within 1w").err(2);
    assert!(error.contains("write 7d for 1w"), "{error}");
    assert_eq!(shelf.names().len(), 4);
}

#[test]
fn a_place_that_is_not_there_is_told() {
    let shelf = TestShelf::new();
    let nowhere = shelf.path("nowhere");
    let error = relexport(&format!("forget {} --keep-last 1", nowhere.display())).err(3);
    assert!(error.contains("there is no such folder"), "{error}");
}

#[test]
fn only_finished_exports_count_whose_files_are_all_there() {
    let shelf = TestShelf::with(&NIGHTS);
    shelf.put("killed", "2026-11-05T02:00:00.000Z");
    shelf.change("killed", |manifest| manifest["status"] = 0.into());
    shelf.put("failed", "2026-11-06T02:00:00.000Z");
    shelf.change("failed", |manifest| manifest["status"] = (-1).into());
    shelf.put("left-out", "2026-11-06T03:00:00.000Z");
    shelf.change("left-out", |manifest| {
        manifest["entities"][0]["relations"][0]["skipped_count"] = 72.into();
    });
    shelf.put("lacking", "2026-11-07T02:00:00.000Z");
    fs::remove_file(shelf.path("lacking/group_4351/badges.ndjson.gz")).unwrap();
    shelf.put("cut", "2026-11-08T02:00:00.000Z");
    fs::write(shelf.path("cut/group_4351/badges.ndjson.gz"), "").unwrap();
    shelf.put("without-metadata", "2026-11-09T02:00:00.000Z");
    fs::remove_file(shelf.path("without-metadata/metadata.json.gz")).unwrap();
    shelf.put("timeless", "once");
    shelf.put("suspect", "2026-11-10T02:00:00.000Z");
    shelf.change("suspect", |manifest| {
        manifest["suspect"] = serde_json::json!(["badges: 1 row, at least 5 were expected"]);
    });
    let answer = shelf.answer("--keep-last 1");
    let of = |name: &str| {
        let exports = answer["exports"].as_array().unwrap();
        exports.iter().find(|one| one["name"] == name).unwrap()
    };
    for (name, state, reason) in [
        ("killed", "unfinished", ""),
        ("failed", "failed", ""),
        ("left-out", "failed", "72 rows were left out"),
        (
            "lacking",
            "damaged",
            "group_4351/badges.ndjson.gz is missing",
        ),
        (
            "cut",
            "damaged",
            "group_4351/badges.ndjson.gz has 0 bytes, not ",
        ),
        ("without-metadata", "damaged", "metadata.json.gz is missing"),
        ("timeless", "damaged", "does not say when it was begun"),
        (
            "suspect",
            "suspect",
            "badges: 1 row, at least 5 were expected",
        ),
    ] {
        assert_eq!(of(name)["state"], state, "{name}");
        let told = of(name)["state_reason"].as_str().unwrap_or_default();
        assert!(told.contains(reason), "{name}: {told}");
        assert_eq!(of(name)["decision"], "keep", "{name}");
        assert_eq!(of(name)["rules"], serde_json::json!([]), "{name}");
    }
    let uncounted = [
        "cut",
        "failed",
        "killed",
        "lacking",
        "left-out",
        "suspect",
        "timeless",
        "without-metadata",
    ];
    let newest = ["export-2026-11-04"];
    let mut expected: Vec<&str> = uncounted.iter().chain(&newest).copied().collect();
    expected.sort_unstable();
    assert_eq!(shelf.names(), expected);
    shelf.forget("--keep-last 1 --unfinished").ok();
    assert_eq!(shelf.names(), ["export-2026-11-04", "suspect"]);
    shelf.forget("--keep-last 1 --suspect").ok();
    assert_eq!(shelf.names(), newest);
}

#[test]
fn what_is_not_an_export_of_ours_is_never_touched() {
    let shelf = TestShelf::with(&NIGHTS);
    let elsewhere = shelf.beside("elsewhere");
    copy(&shelf.path("export-2026-11-01"), &elsewhere);
    symlink(&elsewhere, shelf.path("a-link")).unwrap();
    for folder in ["photos", "empty", ".thesis.relexport-gone-abcdefabcdef"] {
        fs::create_dir(shelf.path(folder)).unwrap();
    }
    fs::write(shelf.path("photos/cat.jpg"), "").unwrap();
    fs::write(shelf.path("photos/manifest.json"), "{\"name\": \"photos\"}").unwrap();
    fs::write(
        shelf.path(".thesis.relexport-gone-abcdefabcdef/thesis.txt"),
        "",
    )
    .unwrap();
    fs::write(shelf.path("manifest.json"), "{}").unwrap();
    // Somebody's file in an export: it is not removed, and the command says so.
    fs::write(shelf.path("export-2026-11-02/notes.txt"), "").unwrap();
    let run = shelf.forget("--keep-last 1 --unfinished --suspect").run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("it holds notes.txt, which is not of an export"),
        "{}",
        run.stderr
    );
    assert_eq!(
        shelf.names(),
        [
            ".thesis.relexport-gone-abcdefabcdef",
            "a-link",
            "empty",
            "export-2026-11-02",
            "export-2026-11-04",
            "manifest.json",
            "photos",
        ]
    );
    assert!(elsewhere.join("manifest.json").exists());
    assert!(shelf.path("photos/cat.jpg").exists());
}

#[test]
fn somebodys_file_anywhere_in_an_export_keeps_it() {
    let shelf = TestShelf::with(&NIGHTS);
    let entity = |night: &str| {
        let entries = fs::read_dir(shelf.path(night)).unwrap();
        let mut folders = entries.map(|entry| entry.unwrap().path());
        folders.find(|path| path.is_dir()).unwrap()
    };
    // A file beside those of relations, a folder with something in it, and one that has the form of a relation's.
    fs::write(entity("export-2026-11-01").join("notes.txt"), "mine").unwrap();
    fs::create_dir(entity("export-2026-11-02").join("photos")).unwrap();
    fs::write(entity("export-2026-11-02").join("photos/cat.jpg"), "mine").unwrap();
    fs::write(entity("export-2026-11-03").join("secret.ndjson.gz"), "mine").unwrap();
    let run = shelf.forget("--keep-last 1").run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for foreign in ["notes.txt", "photos", "secret.ndjson.gz"] {
        let says = format!("/{foreign}, which is not of an export");
        assert!(run.stderr.contains(&says), "{}", run.stderr);
    }
    assert_eq!(shelf.names().len(), 4);
}

#[test]
fn a_relation_that_is_not_finished_makes_no_export_that_counts() {
    let shelf = TestShelf::with(&NIGHTS);
    shelf.change("export-2026-11-04", |manifest| {
        manifest["entities"][0]["relations"][0]["status"] = (-1).into();
    });
    shelf.forget("--keep-last 1").run();
    assert_eq!(shelf.names(), ["export-2026-11-03", "export-2026-11-04"]);
}

#[test]
fn what_latest_leads_to_stays() {
    let shelf = TestShelf::with(&NIGHTS);
    symlink("export-2026-11-02", shelf.path("latest")).unwrap();
    let answer = shelf.answer("--keep-last 1");
    assert_eq!(answer["latest"], "export-2026-11-02");
    assert_eq!(answer["exports"][2]["rules"], serde_json::json!(["latest"]));
    assert_eq!(
        shelf.names(),
        ["export-2026-11-02", "export-2026-11-04", "latest"]
    );
}

#[test]
fn an_export_in_the_future_stays_and_takes_no_place() {
    let shelf = TestShelf::with(&NIGHTS);
    shelf.put("export-2999-01-01", "2999-01-01T02:00:00.000Z");
    let answer = shelf.answer("--keep-last 1");
    let rules = &answer["exports"][0]["rules"];
    assert_eq!(*rules, serde_json::json!(["in the future"]));
    assert_eq!(shelf.names(), ["export-2026-11-04", "export-2999-01-01"]);
}

#[test]
fn the_exports_of_each_job_are_looked_at_by_themselves() {
    let shelf = TestShelf::with(&NIGHTS);
    for (name, job) in [
        ("export-2026-11-01", "acme"),
        ("export-2026-11-02", "umbrella"),
    ] {
        shelf.change(name, |manifest| manifest["job"] = job.into());
    }
    let text = shelf.forget("--keep-last 1").prints();
    assert!(text.contains("JOB"), "{text}");
    assert_eq!(
        shelf.names(),
        [
            "export-2026-11-01",
            "export-2026-11-02",
            "export-2026-11-04"
        ]
    );
}

#[test]
fn an_export_that_a_run_holds_stays_and_the_exit_status_says_so() {
    let shelf = TestShelf::with(&NIGHTS);
    let held = Held::new(&shelf.path("export-2026-11-01"));
    let error = shelf.forget("--keep-last 1").run();
    assert_eq!(error.code, Some(11), "{}", error.stderr);
    assert!(
        error.stderr.contains("is being written by another run"),
        "{}",
        error.stderr
    );
    assert_eq!(shelf.names(), ["export-2026-11-01", "export-2026-11-04"]);
    drop(held);
    shelf.forget("--keep-last 1").ok();
    assert_eq!(shelf.names(), ["export-2026-11-04"]);
}

#[test]
fn what_a_removal_left_that_was_cut_off_is_removed() {
    let shelf = TestShelf::with(&NIGHTS);
    let gone = ".export-2026-11-01.relexport-gone-abcdefabcdef";
    fs::rename(shelf.path("export-2026-11-01"), shelf.path(gone)).unwrap();
    fs::remove_file(shelf.path(gone).join("group_4351/badges.ndjson.gz")).unwrap();
    shelf.forget("--keep-last 9 --dry-run").ok();
    assert!(shelf.path(gone).exists());
    shelf.forget("--keep-last 9").ok();
    assert_eq!(
        shelf.names(),
        [
            "export-2026-11-02",
            "export-2026-11-03",
            "export-2026-11-04"
        ]
    );
}
