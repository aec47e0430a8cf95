use std::sync::Barrier;
use std::thread;

use super::*;
use crate::output::manifest::ManifestError;
use crate::output::store::bucket::{BucketStore, Wanted, removal};
use crate::output::store::claim::Store;
use crate::output::store::shared::manifest_of;

const LABELS: &str = "group_1/labels.ndjson.gz";
const NOON: &str = "2026-11-27T12:00:00.000Z";
const LATER: &str = "2026-11-27T12:00:07.000Z";

fn url() -> BucketUrl {
    BucketUrl::parse("s3://memory/nightly/big").unwrap()
}

/// A place in which a plan lies. It is asked as another process would ask it.
fn planned(bucket: &Bucket) -> SharedPrefix {
    let place = SharedPrefix::of(bucket.clone(), &url());
    place.begin_shared().unwrap();
    assert!(place.put_new(layout::PLAN, b"{}").unwrap());
    place
}

fn write(place: &SharedPrefix, name: &str, bytes: &[u8]) {
    let mut file = place.write(name).unwrap();
    file.write(bytes).unwrap();
    file.commit().unwrap();
}

/// What reads an address as users name it.
fn store(bucket: &Bucket) -> BucketStore {
    BucketStore {
        bucket: bucket.clone(),
        url: url(),
        wanted: Wanted::Newest,
        found: Arc::default(),
    }
}

fn keys(bucket: &Bucket) -> Vec<String> {
    let listed = bucket.list("").unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

#[test]
fn an_export_of_a_plan_lies_at_the_address_itself_and_is_found_there() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    assert_eq!(keys(&bucket), ["nightly/big/.relexport-plan/plan.json"]);
    assert_eq!(place.name(), "big");
    write(&place, LABELS, b"labels");
    let error = store(&bucket).manifest().unwrap_err();
    assert!(matches!(error, ManifestError::Planned { .. }), "{error}");
    assert!(
        error.to_string().contains("--plan s3://memory/nightly/big"),
        "{error}"
    );
    place.finish(&manifest_of(6, NOON), b"metadata").unwrap();
    // The commit dies before the plan is removed.
    let found = store(&bucket);
    assert_eq!(found.manifest().unwrap(), manifest_of(6, NOON));
    let listed = found.list("").unwrap();
    assert!(listed.iter().all(|it| it.name != layout::PLAN_FOLDER));
    place.clear(layout::PLAN_FOLDER).unwrap();
    let left = [
        "group_1/labels.ndjson.gz",
        "manifest.json",
        "metadata.json.gz",
    ];
    assert_eq!(
        keys(&bucket),
        left.map(|name| format!("nightly/big/{name}"))
    );
}

#[test]
fn an_export_and_a_plan_keep_each_other_out() {
    let bucket = Bucket::in_memory();
    planned(&bucket);
    let error = store(&bucket).claim().unwrap_err();
    assert!(matches!(error, StoreError::HoldsAPlan(_)), "{error}");
    let place = SharedPrefix::of(bucket.clone(), &url());
    place.begin_shared().unwrap();
    assert!(!place.put_new(layout::PLAN, b"another").unwrap());
    place.finish(&manifest_of(6, NOON), b"metadata").unwrap();
    // It is committed, so nothing of it is lost.
    store(&bucket).claim().unwrap();
    let error = place.begin_shared().unwrap_err();
    assert!(error.to_string().contains("holds an export"), "{error}");
}

#[test]
fn a_prefix_that_holds_anything_but_a_plan_is_refused() {
    for key in [
        "nightly/big/thesis.txt",
        "nightly/big/2026-11-27_02-00-00_export_abcdefgh/manifest.json",
        "nightly/big/manifest.unfinished.json",
    ] {
        let bucket = Bucket::in_memory();
        bucket.put(key, Bytes::from_static(b"{}"), false).unwrap();
        let place = SharedPrefix::of(bucket.clone(), &url());
        let error = place.begin_shared().unwrap_err();
        assert!(
            matches!(error, StoreError::NoPlaceForAPlan { .. }),
            "{error}"
        );
        assert_eq!(keys(&bucket), [key]);
    }
    let bucket = Bucket::in_memory();
    // What only begins alike lies elsewhere.
    bucket.put("nightly/bigger/x", Bytes::new(), false).unwrap();
    planned(&bucket);
    let itself = SharedPrefix::of(bucket, &url().bucket_itself());
    let error = itself.begin_shared().unwrap_err();
    assert!(
        matches!(error, StoreError::NoPlaceForAPlan { .. }),
        "{error}"
    );
}

#[test]
fn of_all_who_put_a_new_file_one_is_told_so() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    for round in 0..20 {
        let name = format!("{}/tasks/{round:08}.json", layout::PLAN_FOLDER);
        let start = Barrier::new(8);
        let told: Vec<bool> = thread::scope(|scope| {
            let put = |worker: u8| {
                let (place, name, start) = (&place, &name, &start);
                scope.spawn(move || {
                    start.wait();
                    place.put_new(name, &[worker; 100]).unwrap()
                })
            };
            let threads: Vec<_> = (0..8).map(put).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(told.iter().filter(|is_new| **is_new).count(), 1);
        let winner = told.iter().position(|is_new| *is_new).unwrap();
        let key = url().join(&name).key().to_owned();
        let content = bucket.read_small(&key, 100).unwrap();
        assert_eq!(content[..], [u8::try_from(winner).unwrap(); 100]);
    }
}

#[test]
fn a_commit_that_died_between_its_puts_is_gone_on_with_and_twice_is_harmless() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    write(&place, LABELS, b"labels");
    let json = manifest_of(6, NOON).to_json().unwrap();
    place.put(manifest::FILE_NAME, Bytes::from(json)).unwrap();
    for _ in 0..2 {
        place.finish(&manifest_of(6, LATER), b"metadata").unwrap();
        assert_eq!(place.manifest().unwrap(), manifest_of(6, NOON));
        assert_eq!(place.length(layout::METADATA).unwrap(), 8);
    }
    let error = place.finish(&manifest_of(7, LATER), b"other").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(
        error
            .to_string()
            .contains("s3://memory/nightly/big/manifest.json"),
        "{error}"
    );
    assert_eq!(place.length(layout::METADATA).unwrap(), 8);
}

#[test]
fn what_makes_an_export_is_written_in_the_end_alone() {
    let place = planned(&Bucket::in_memory());
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
    assert!(place.clear("").is_err());
    assert!(place.clear("..").is_err());
}

#[test]
fn sizes_are_one_listing_without_the_objects_that_servers_are_asked_by() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    write(&place, LABELS, b"123");
    write(&place, "group_10/labels.ndjson.gz", b"12345");
    let probe = url().join(".relexport-plan/.relexport-probe-0123456789abcdef");
    bucket.put(probe.key(), Bytes::new(), false).unwrap();
    let expected = BTreeMap::from([(LABELS.to_owned(), 3)]);
    assert_eq!(place.sizes("group_1").unwrap(), expected);
    assert_eq!(place.sizes("group_2").unwrap(), BTreeMap::new());
    let all: Vec<String> = place.sizes("").unwrap().into_keys().collect();
    assert_eq!(all, [layout::PLAN, LABELS, "group_10/labels.ndjson.gz"]);
    place.clear(layout::PLAN_FOLDER).unwrap();
    assert_eq!(keys(&bucket).len(), 2);
}

#[test]
fn many_objects_are_cleared() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    for task in 0..100 {
        let name = format!("{}/tasks/{task:08}.json", layout::PLAN_FOLDER);
        place.replace(&name, b"{}").unwrap();
    }
    write(&place, LABELS, b"labels");
    place.clear(layout::PLAN_FOLDER).unwrap();
    assert_eq!(keys(&bucket), ["nightly/big/group_1/labels.ndjson.gz"]);
    place.clear(layout::PLAN_FOLDER).unwrap();
}

#[test]
fn what_is_left_of_a_plan_goes_with_its_export() {
    let bucket = Bucket::in_memory();
    let place = planned(&bucket);
    write(&place, LABELS, b"labels");
    let manifest = manifest_of(6, NOON);
    place.finish(&manifest, b"metadata").unwrap();
    let probe = place.probe().unwrap();
    let stays = removal::remove(&bucket, &url(), &probe, &manifest.started_at).unwrap();
    assert_eq!(stays, [""; 0]);
    assert_eq!(keys(&bucket), [""; 0]);
}
