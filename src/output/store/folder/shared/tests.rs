use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use super::*;
use crate::output::manifest::ManifestError;
use crate::output::store::claim::{Begin, Store};
use crate::output::store::folder::{FolderStore, names, own_files, removal};
use crate::output::store::shared::manifest_of;

const LABELS: &str = "group_1/labels.ndjson.gz";
const NOON: &str = "2026-11-27T12:00:00.000Z";
const LATER: &str = "2026-11-27T12:00:07.000Z";

/// As another process has it.
fn another(place: &SharedFolder) -> SharedFolder {
    SharedFolder::new(&place.path)
}

/// A place in which a plan lies.
fn planned(out: &Path) -> SharedFolder {
    let place = SharedFolder::new(out);
    place.begin_shared().unwrap();
    assert!(place.put_new(layout::PLAN, b"{}").unwrap());
    place
}

fn write(place: &SharedFolder, name: &str, bytes: &[u8]) -> io::Result<Written> {
    let mut file = place.write(name)?;
    file.write(bytes)?;
    file.commit()
}

fn parts(place: &SharedFolder) -> usize {
    fs::read_dir(place.parts()).unwrap().count()
}

/// The rule that an address is told by, and no export is lost by.
fn assert_refused(place: &SharedFolder, reason: &str) {
    let error = place.begin_shared().unwrap_err();
    assert!(
        matches!(error, StoreError::NoPlaceForAPlan { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_place_is_made_with_what_is_above_it_and_nobody_holds_it() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("a/b/out"));
    assert_eq!(names(&temp.path().join("a/b")), ["out"]);
    assert_eq!(names(&place.path), [layout::PLAN_FOLDER]);
    assert_eq!(place.name(), "out");
    // Again, by the same process and by another: the plan that is there decides.
    place.begin_shared().unwrap();
    another(&place).begin_shared().unwrap();
    assert!(!another(&place).put_new(layout::PLAN, b"other").unwrap());
    write(&place, LABELS, b"labels").unwrap();
    another(&place).begin_shared().unwrap();
}

#[test]
fn a_plan_that_was_cut_off_before_it_was_there_is_begun_anew() {
    let temp = tempfile::tempdir().unwrap();
    SharedFolder::new(temp.path()).begin_shared().unwrap();
    planned(temp.path());
}

#[test]
fn a_place_that_holds_anything_but_a_plan_is_refused_and_stays_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let place = SharedFolder::new(temp.path());
    fs::write(temp.path().join("thesis.txt"), "years of work").unwrap();
    assert_refused(&place, "something other than a plan");
    assert_eq!(names(temp.path()), ["thesis.txt"]);
    // A plan's folder without a plan makes none of it.
    fs::create_dir(temp.path().join(layout::PLAN_FOLDER)).unwrap();
    assert_refused(&place, "something other than a plan");
    fs::remove_file(temp.path().join("thesis.txt")).unwrap();
    planned(temp.path());
    let json = manifest_of(6, NOON).to_json().unwrap();
    fs::write(temp.path().join(manifest::FILE_NAME), json).unwrap();
    assert_refused(&place, "holds an export");
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    let error = SharedFolder::new(&file).begin_shared().unwrap_err();
    assert!(matches!(error, StoreError::IsAFile(_)), "{error}");
}

#[test]
fn an_export_that_is_being_written_keeps_a_plan_out_and_a_plan_an_export() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let claim = FolderStore::new(&out).claim().unwrap();
    let error = SharedFolder::new(&out).begin_shared().unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(claim);
    let place = planned(&out);
    write(&place, LABELS, b"labels").unwrap();
    let store = FolderStore::new(&out);
    for begin in [Begin::New, Begin::Replace] {
        let checked = store.check(begin).unwrap_err();
        let begun = store.claim().unwrap().begin(begin).unwrap_err();
        for error in [checked, begun] {
            assert!(matches!(error, StoreError::HoldsAPlan(_)), "{error}");
            assert!(error.to_string().contains("relexport commit"), "{error}");
        }
    }
    let error = store.manifest().unwrap_err();
    assert!(matches!(error, ManifestError::Planned { .. }), "{error}");
    assert!(
        error.to_string().contains("relexport plan status"),
        "{error}"
    );
    assert_eq!(fs::read(out.join(LABELS)).unwrap(), b"labels");
}

#[test]
fn of_all_who_put_a_new_file_one_is_told_so_and_it_is_the_ones_whose_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    for round in 0..20 {
        let name = format!("{}/tasks/{round:08}.json", layout::PLAN_FOLDER);
        let start = Barrier::new(8);
        let told: Vec<bool> = thread::scope(|scope| {
            let put = |worker: u8| {
                let (place, name, start) = (another(&place), &name, &start);
                scope.spawn(move || {
                    start.wait();
                    place.put_new(name, &[worker; 1000]).unwrap()
                })
            };
            let threads: Vec<_> = (0..8).map(put).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(told.iter().filter(|is_new| **is_new).count(), 1);
        let winner = told.iter().position(|is_new| *is_new).unwrap();
        let content = fs::read(place.path.join(&name)).unwrap();
        assert_eq!(content, [u8::try_from(winner).unwrap(); 1000]);
    }
    assert_eq!(parts(&place), 0);
}

#[test]
fn twins_that_write_the_same_names_at_the_same_time_are_in_nobodys_way() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    let name = |number: usize| format!("group_{}/labels/batch_{number}.ndjson.gz", number % 3);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let place = another(&place);
                start.wait();
                for number in 1..=30 {
                    let written = write(&place, &name(number), name(number).as_bytes()).unwrap();
                    assert_eq!(written.bytes, name(number).len() as u64);
                }
            });
        }
    });
    for number in 1..=30 {
        let content = fs::read(place.path.join(name(number))).unwrap();
        assert_eq!(content, name(number).as_bytes());
    }
    assert_eq!(parts(&place), 0);
    assert_eq!(place.sizes("group_0").unwrap().len(), 10);
}

#[test]
fn a_killed_writer_leaves_no_final_name_and_is_in_nobodys_way() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    let mut killed = another(&place).write(LABELS).unwrap();
    killed.write(b"half").unwrap();
    // What is killed does not clean up.
    std::mem::forget(killed);
    assert_eq!(parts(&place), 1);
    assert!(!place.path.join(LABELS).exists());
    let known: Vec<String> = place.sizes("").unwrap().into_keys().collect();
    assert_eq!(known, [layout::PLAN]);
    write(&place, LABELS, b"whole").unwrap();
    assert_eq!(place.length(LABELS).unwrap(), 5);
    place.finish(&manifest_of(5, NOON), b"metadata").unwrap();
    place.clear(layout::PLAN_FOLDER).unwrap();
    let left = [
        "group_1".to_owned(),
        manifest::FILE_NAME.to_owned(),
        layout::METADATA.to_owned(),
    ];
    let found: BTreeSet<String> = names(&place.path).into_iter().collect();
    assert_eq!(found, left.into());
    assert_eq!(names(&place.path.join("group_1")), ["labels.ndjson.gz"]);
}

#[test]
fn whoever_is_late_changes_nothing_of_an_export_that_is_complete() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    let late = another(&place);
    let mut open = late.write(LABELS).unwrap();
    open.write(b"late").unwrap();
    write(&place, LABELS, b"whole").unwrap();
    place.finish(&manifest_of(5, NOON), b"metadata").unwrap();
    place.clear(layout::PLAN_FOLDER).unwrap();
    let task = format!("{}/tasks/00000001.json", layout::PLAN_FOLDER);
    for error in [
        open.commit().unwrap_err(),
        write(&late, LABELS, b"late").unwrap_err(),
        late.put_new(&task, b"{}").unwrap_err(),
        late.replace(&task, b"{}").unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("committed or removed"), "{text}");
    }
    assert_eq!(fs::read(place.path.join(LABELS)).unwrap(), b"whole");
    assert!(!place.path.join(layout::PLAN_FOLDER).exists());
    // Also a commit that is late, of the same export or of none that can be told.
    late.finish(&manifest_of(5, LATER), b"metadata").unwrap();
    assert_eq!(late.manifest().unwrap().finished_at.unwrap(), NOON);
}

#[test]
fn an_export_is_finished_once_and_doing_it_twice_is_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    write(&place, LABELS, b"labels").unwrap();
    // Another commit died before the manifest.
    place.put(layout::METADATA, b"half an export").unwrap();
    place.finish(&manifest_of(6, NOON), b"metadata").unwrap();
    another(&place)
        .finish(&manifest_of(6, LATER), b"metadata")
        .unwrap();
    assert_eq!(place.manifest().unwrap().finished_at.unwrap(), NOON);
    let metadata = fs::read(place.path.join(layout::METADATA)).unwrap();
    assert_eq!(metadata, b"metadata");
    let error = place.finish(&manifest_of(7, LATER), b"other").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("out/manifest.json"), "{error}");
    assert_eq!(place.manifest().unwrap(), manifest_of(6, NOON));
}

#[test]
fn two_commits_at_the_same_time_are_one() {
    let temp = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let place = planned(&temp.path().join(round.to_string()));
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for second in 0..4 {
                let (place, start) = (another(&place), &start);
                scope.spawn(move || {
                    let at = format!("2026-11-27T12:00:0{second}.000Z");
                    start.wait();
                    place.finish(&manifest_of(6, &at), b"metadata").unwrap();
                });
            }
        });
        place.manifest().unwrap();
        assert_eq!(place.length(layout::METADATA).unwrap(), 8);
    }
}

#[test]
fn what_makes_an_export_is_written_in_the_end_alone() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    for name in [
        manifest::FILE_NAME,
        layout::METADATA,
        layout::SEALED_METADATA,
        "../thesis.txt",
        "",
    ] {
        for refused in [
            place.write(name).map(drop),
            place.replace(name, b"x"),
            place.put_new(name, b"x").map(drop),
            place.remove(name),
        ] {
            let kind = refused.unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::InvalidInput, "{name}");
        }
    }
    assert!(place.put_manifest(&manifest_of(6, NOON)).is_err());
    assert!(place.clear("").is_err());
    assert!(place.clear("..").is_err());
    assert_eq!(names(&place.path), [layout::PLAN_FOLDER]);
}

#[test]
fn a_place_that_was_removed_or_replaced_is_not_made_again() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    let late = another(&place);
    late.read(layout::PLAN).unwrap();
    fs::remove_dir_all(&place.path).unwrap();
    for error in [
        write(&place, LABELS, b"labels").unwrap_err(),
        place.put_new(layout::PLAN, b"{}").unwrap_err(),
        place.finish(&manifest_of(6, NOON), b"").unwrap_err(),
        place.clear(layout::PLAN_FOLDER).unwrap_err(),
        place.sizes("").unwrap_err(),
    ] {
        assert!(error.to_string().contains("was removed"), "{error}");
    }
    assert_eq!(names(temp.path()), [""; 0]);
    // A worker that read the plan does not write into the next one's place.
    planned(&place.path);
    let error = write(&late, LABELS, b"labels").unwrap_err();
    assert!(error.to_string().contains("replaced by another"), "{error}");
    let never = SharedFolder::new(temp.path().join("never"));
    let error = write(&never, LABELS, b"labels").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/never"), "{error}");
    assert_eq!(never.sizes("").unwrap().len(), 0);
    assert_eq!(names(temp.path()), ["out"]);
}

#[test]
fn sizes_are_those_of_all_files_below_a_folder_at_any_depth() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    write(&place, LABELS, b"123").unwrap();
    write(&place, "group_1/epics/batch_1.ndjson.gz", b"1234").unwrap();
    write(&place, "group_10/labels.ndjson.gz", b"12345").unwrap();
    std::os::unix::fs::symlink("labels.ndjson.gz", place.path.join("group_1/link")).unwrap();
    let expected = BTreeMap::from([
        ("group_1/epics/batch_1.ndjson.gz".to_owned(), 4),
        (LABELS.to_owned(), 3),
    ]);
    assert_eq!(place.sizes("group_1").unwrap(), expected);
    assert_eq!(place.sizes("group_2").unwrap(), BTreeMap::new());
    let all = place.sizes("").unwrap();
    assert_eq!(all.values().sum::<u64>(), 3 + 4 + 5 + 2);
    assert_eq!(all[layout::PLAN], 2);
}

#[test]
fn the_plan_goes_before_what_its_tasks_have_done() {
    let temp = tempfile::tempdir().unwrap();
    let place = planned(&temp.path().join("out"));
    let task = format!("{}/tasks/00000000.json", layout::PLAN_FOLDER);
    place.put_new(&task, b"{}").unwrap();
    // A plan that cannot be removed.
    let plan = place.path.join(layout::PLAN);
    fs::remove_file(&plan).unwrap();
    fs::create_dir(&plan).unwrap();
    let error = place.clear(layout::PLAN_FOLDER).unwrap_err();
    assert!(error.to_string().contains("plan.json"), "{error}");
    assert_eq!(place.length(&task).unwrap(), 2);
    assert_eq!(parts(&place), 0);
    fs::remove_dir(&plan).unwrap();
    place.clear(layout::PLAN_FOLDER).unwrap();
    assert_eq!(names(&place.path), [""; 0]);
}

#[test]
fn what_is_left_of_a_plan_in_a_complete_export_is_the_exports_own() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let place = planned(&out);
    write(&place, LABELS, b"labels").unwrap();
    std::mem::forget(place.write(LABELS).unwrap());
    let manifest = manifest_of(6, NOON);
    // The commit dies before the plan is removed.
    place.finish(&manifest, b"metadata").unwrap();
    let store = FolderStore::new(&out);
    assert_eq!(store.manifest().unwrap(), manifest);
    let listed = store.list("").unwrap();
    assert!(listed.iter().all(|it| it.name != layout::PLAN_FOLDER));
    assert_eq!(own_files::foreign(&out, &manifest).unwrap(), None);
    store.check(Begin::Replace).unwrap();
    let link = out.join(layout::PLAN_FOLDER).join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let foreign = own_files::foreign(&out, &manifest).unwrap();
    assert_eq!(foreign.unwrap(), format!("{}/link", layout::PLAN_FOLDER));
    fs::remove_file(link).unwrap();
    removal::remove(&out, &manifest.started_at).unwrap();
    assert_eq!(names(temp.path()), [""; 0]);
}
