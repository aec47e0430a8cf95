//! A place in which a plan lies: told from an export, and taken by nobody else.

use std::fs;

use relexport::output::layout::{PLAN, PLAN_FOLDER};
use relexport::output::{Location, SharedPlace};

use super::places::{export_of, names, take_of};
use crate::support::*;

/// The folder `out`, in which a plan lies, and what one of its workers has written.
fn planned(dir: &Dir) -> std::sync::Arc<dyn SharedPlace> {
    let location = Location::parse(dir.join("out").to_str().unwrap()).unwrap();
    let place = location.shared().unwrap();
    place.begin_shared().unwrap();
    assert!(place.put_new(PLAN, br#"{"tasks": [{}, {}]}"#).unwrap());
    let mut file = place.write("group_4351/labels.ndjson.gz").unwrap();
    file.write(b"labels").unwrap();
    file.commit().unwrap();
    place
}

#[test]
fn a_place_with_a_plan_alone_is_told_from_an_export() {
    let dir = Dir::new();
    planned(&dir);
    for command in ["status", "verify"] {
        let run = dir.relexport(command).arg("out");
        run.fails(
            3,
            &[
                "a plan of 2 tasks lies there",
                "relexport plan status --plan out",
            ],
        );
    }
}

#[test]
fn an_export_refuses_the_place_of_a_plan_whatever_it_is_told() {
    let dir = Dir::new();
    planned(&dir);
    let dump = project(DUMP);
    let dump = dump.to_str().unwrap();
    let says = ["out holds a plan", "relexport commit --plan out"];
    for more in [&[][..], &["--force"]] {
        export_of(&dir, dump, "4351", more).fails(2, &says);
        take_of(&dir, dump, more).fails(2, &says);
    }
    assert_eq!(names(&dir.join("out")), [PLAN_FOLDER, "group_4351"]);
    // There is nothing to go on with, and what the failed runs noted is not beside it.
    assert!(export_of(&dir, dump, "4351", &["--resume"]).run().code != Some(0));
    assert_eq!(names(&dir.join("out")), [PLAN_FOLDER, "group_4351"]);
}

#[test]
fn an_unfinished_plan_on_a_shelf_is_told_of_and_stays() {
    let dir = Dir::new();
    fs::create_dir(dir.join("shelf")).unwrap();
    planned(&dir);
    fs::rename(dir.join("out"), dir.join("shelf/out")).unwrap();
    let forget = dir.relexport("forget shelf --keep-last 1 --unfinished");
    let run = forget.ok();
    assert!(run.stderr.contains("out is not counted"), "{}", run.stderr);
    assert!(
        run.stderr.contains("a plan of 2 tasks lies there"),
        "{}",
        run.stderr
    );
    assert_eq!(names(&dir.join("shelf/out")), [PLAN_FOLDER, "group_4351"]);
}

#[test]
fn what_a_commit_left_of_its_plan_is_no_fault_of_the_export_and_goes_with_it() {
    let dir = Dir::new();
    dir.export(project(DUMP)).group(4351).ok();
    let out = dir.join("out");
    for folder in ["tasks", "parts"] {
        let folder = out.join(PLAN_FOLDER).join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("1-0123.part"), "half").unwrap();
    }
    fs::write(out.join(PLAN), "{}").unwrap();
    for command in ["status", "verify"] {
        dir.relexport(command).arg("out").ok();
    }
    let dump = project(DUMP);
    export_of(&dir, dump.to_str().unwrap(), "4351", &["--force"]).ok();
    assert!(!out.join(PLAN_FOLDER).exists());
    dir.relexport("verify out").ok();
}
