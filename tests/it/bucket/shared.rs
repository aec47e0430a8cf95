//! A prefix that several processes write to, on real servers. Each client here is one of its own, as a process has it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;

use relexport::environment::lend;
use relexport::output::layout::{PLAN, PLAN_FOLDER};
use relexport::output::{Location, Manifest, SharedPlace, manifest};

use super::proxy::{Fate, Proxy};
use super::servers::*;
use crate::support::*;

const URL: &str = "s3://nightly/gitlab/big";
const NEW: &str = "group_9/labels.ndjson.gz";

/// A client of a server. Its settings are those that are lent while it is made.
fn client(settings: &[(&str, String)], url: &str) -> Arc<dyn SharedPlace> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let owned = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let _lent = lend(owned.collect());
    Location::parse(url).unwrap().shared().unwrap()
}

fn write(place: &dyn SharedPlace, name: &str, bytes: &[u8]) {
    let mut file = place.write(name).unwrap();
    file.write(bytes).unwrap();
    assert_eq!(file.commit().unwrap().bytes, bytes.len() as u64);
}

fn manifest_of(finished_at: &str) -> Manifest {
    let json = serde_json::json!({
        "manifest_version": 1, "generator": "relexport", "status": 1,
        "started_at": finished_at, "finished_at": finished_at,
        "snapshot": {"kind": "plain", "source": "-", "server_version": null, "gitlab_version": null},
        "pipeline": {"name": "group", "sha256": ""},
        "options": {"batched": false, "batch_size": 1, "edition": "ee"},
        "entities": []
    });
    Manifest::parse(json.to_string().as_bytes(), String::new()).unwrap()
}

/// From the plan to the committed export, by several clients at the same time. Returns how many of them were told to have
/// put each task's manifest.
fn written_by_many(open: &(dyn Fn() -> Arc<dyn SharedPlace> + Sync)) -> Vec<usize> {
    let place = open();
    place.begin_shared().unwrap();
    assert!(place.put_new(PLAN, b"{}").unwrap());
    open().begin_shared().unwrap();
    assert!(!open().put_new(PLAN, b"another").unwrap());
    let task = |number: usize| format!("{PLAN_FOLDER}/tasks/{number:08}.json");
    let file = |number: usize| format!("group_{number}/labels.ndjson.gz");
    let start = Barrier::new(4);
    let told: Mutex<Vec<usize>> = Mutex::new(vec![0; 5]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let place = open();
                start.wait();
                for number in 0..5 {
                    write(&*place, &file(number), file(number).as_bytes());
                    if place.put_new(&task(number), b"same").unwrap() {
                        told.lock().unwrap()[number] += 1;
                    }
                }
            });
        }
    });
    let sizes = place.sizes("").unwrap();
    let files = (0..5).map(|number| (file(number), file(number).len() as u64));
    let tasks = (0..5).map(|number| (task(number), 4));
    let plan = [(PLAN.to_owned(), 2)];
    let expected: BTreeMap<String, u64> = files.chain(tasks).chain(plan).collect();
    assert_eq!(sizes, expected);
    assert_eq!(
        place.sizes(&format!("{PLAN_FOLDER}/tasks")).unwrap().len(),
        5
    );
    for at in ["2026-11-27T12:00:00.000Z", "2026-11-27T12:00:07.000Z"] {
        open().finish(&manifest_of(at), b"metadata").unwrap();
    }
    place.clear(PLAN_FOLDER).unwrap();
    let left: Vec<String> = place.sizes("").unwrap().into_keys().collect();
    let files = (0..5).map(file);
    let ends = [
        manifest::FILE_NAME.to_owned(),
        "metadata.json.gz".to_owned(),
    ];
    assert_eq!(left, files.chain(ends).collect::<Vec<_>>());
    let finished = place.manifest().unwrap().finished_at;
    assert_eq!(finished.unwrap(), "2026-11-27T12:00:00.000Z");
    assert!(open().begin_shared().is_err());
    told.into_inner().unwrap()
}

#[test]
fn many_write_one_prefix_of_s3_and_the_export_is_found_there() {
    let server = s3s();
    let settings = s3_settings(server.port);
    let told = written_by_many(&|| client(&settings, URL));
    // s3s-fs looks before it writes, so those who write at the same moment may all have been told. Clouds do not, nor does
    // Azurite.
    assert!(told.iter().all(|told| *told >= 1), "{told:?}");
    // Readers find it at the address itself.
    let dir = Dir::new();
    let status = with_s3(dir.relexport("status").arg(URL), server.port).run();
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    with_s3(dir.export_to(project(DUMP), URL).group(4351), server.port).ok();
}

#[test]
fn of_many_who_write_one_prefix_of_azure_one_puts_each_new_file() {
    let server = azurite();
    make_container(server.port);
    let settings = azure_settings(server.port);
    let told = written_by_many(&|| client(&settings, "az://nightly/gitlab/big"));
    assert_eq!(told, [1; 5]);
}

#[test]
fn on_a_server_that_ignores_conditions_earlier_files_are_still_seen() {
    let server = nanio();
    make_s3_bucket(server.port);
    let settings = s3_settings(server.port);
    let told = written_by_many(&|| client(&settings, URL));
    // Those who wrote at the same moment may all have believed it.
    assert!(told.iter().all(|told| *told >= 1), "{told:?}");
    let place = client(&settings, URL);
    let known = serde_json::to_value(place.conditional_put().unwrap()).unwrap();
    assert_eq!(known, "ignored");
    assert!(place.put_new(NEW, b"first").unwrap());
    assert!(!place.put_new(NEW, b"second").unwrap());
    assert_eq!(place.length(NEW).unwrap(), 5);
}

#[test]
fn a_put_whose_answer_was_lost_is_ones_own() {
    let server = s3s();
    let task = format!("{PLAN_FOLDER}/tasks/00000000.json");
    let lost = task.clone();
    let first = std::sync::atomic::AtomicBool::new(true);
    let proxy = Proxy::new(server.port, move |seen| {
        let is_meant = seen.method == "PUT" && seen.path.contains(&lost);
        match is_meant && first.swap(false, Ordering::SeqCst) {
            true => Fate::LoseAnswer,
            false => Fate::Pass,
        }
    });
    let place = client(&s3_settings(proxy.port), URL);
    place.begin_shared().unwrap();
    assert!(place.put_new(&task, b"mine").unwrap());
    assert!(!place.put_new(&task, b"mine").unwrap());
    assert_eq!(proxy.hits(), 1);
}

#[test]
fn the_plan_goes_before_what_its_tasks_have_done() {
    let server = s3s();
    let task = format!("{PLAN_FOLDER}/tasks/00000000.json");
    let place = client(&s3_settings(server.port), URL);
    place.begin_shared().unwrap();
    for name in [PLAN, &task] {
        assert!(place.put_new(name, b"{}").unwrap());
    }
    // What is deleted stands in the body of the request, so it is told by its place: the plan comes first.
    let denied = |which: usize| {
        let deletions = AtomicUsize::new(0);
        Proxy::new(server.port, move |seen| {
            let is_deletion = seen.method == "POST" && seen.path.contains("delete");
            match is_deletion && deletions.fetch_add(1, Ordering::Relaxed) == which {
                true => Fate::Answer(403, "AccessDenied"),
                false => Fate::Pass,
            }
        })
    };
    let proxy = denied(0);
    let error = client(&s3_settings(proxy.port), URL).clear(PLAN_FOLDER);
    assert!(error.unwrap_err().to_string().contains("plan.json"));
    assert_eq!(place.sizes("").unwrap().len(), 2);
    let proxy = denied(1);
    let error = client(&s3_settings(proxy.port), URL).clear(PLAN_FOLDER);
    assert!(error.unwrap_err().to_string().contains("00000000.json"));
    assert_eq!(place.sizes("").unwrap(), BTreeMap::from([(task, 2)]));
    place.clear(PLAN_FOLDER).unwrap();
    assert_eq!(place.sizes("").unwrap(), BTreeMap::new());
}

#[test]
fn a_place_with_a_plan_alone_is_told_from_an_export_and_takes_none() {
    let (dir, server) = (Dir::new(), s3s());
    let place = client(&s3_settings(server.port), URL);
    place.begin_shared().unwrap();
    place.put_new(PLAN, b"{}").unwrap();
    for command in ["status", "verify"] {
        let run = with_s3(dir.relexport(command).arg(URL), server.port);
        run.fails(
            3,
            &[
                "a plan lies there",
                "relexport plan status --plan s3://nightly/gitlab/big",
            ],
        );
    }
    let export = with_s3(dir.export_to(project(DUMP), URL).group(4351), server.port);
    export.fails(
        2,
        &[
            "holds a plan",
            "relexport commit --plan s3://nightly/gitlab/big",
        ],
    );
    assert_eq!(place.sizes("").unwrap().len(), 1);
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_before_anything_is_read() {
    let server = s3s();
    let secret = "s3cr3t-that-is-wrong";
    let wrong = |(name, value): (&'static str, String)| match name {
        "AWS_SECRET_ACCESS_KEY" => (name, secret.to_owned()),
        _ => (name, value),
    };
    let settings: Vec<_> = s3_settings(server.port).into_iter().map(wrong).collect();
    let error = client(&settings, URL).begin_shared().unwrap_err();
    let error = error.to_string();
    assert!(error.contains("403") && error.contains(URL), "{error}");
    assert!(!error.contains(secret), "{error}");
    let never = client(&s3_settings(server.port), "s3://nightly/never");
    let missing = never.read(PLAN).err().unwrap();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}
