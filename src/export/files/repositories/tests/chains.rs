//! Chains of increments, replayed by git, and compared ref by ref with the repository that they were made of.

use std::sync::atomic::Ordering;

use super::*;

type Steps = Vec<(Option<Vec<u8>>, String)>;

/// A repository that changed between three backups in every way that there is, and its steps.
fn changed_in_every_way(format: &str) -> (Source, Steps) {
    let source = Source::new(format);
    let first = source.commit(&[]);
    let second = source.commit(&[&first]);
    source.set("refs/heads/main", &second);
    source.set("refs/heads/gone", &source.commit(&[&first]));
    source.set("refs/heads/forced", &source.commit(&[&second]));
    source.set("refs/heads/a", &first);
    source.set("refs/tags/v1", &first);
    source.set("refs/merge-requests/1/head", &source.commit(&[&first]));
    let mut steps = vec![(Some(source.full()), source.refs())];
    // A branch is deleted and another stands in its place, one is forced, one moves to a known commit.
    source.delete("refs/heads/gone");
    source.delete("refs/heads/a");
    source.set("refs/heads/a/b", &source.commit(&[&second]));
    source.set("refs/heads/forced", &source.commit(&[&first]));
    source.set("refs/heads/known", &first);
    let increment = source.increment(&steps[0].1);
    steps.push((Some(increment), source.refs()));
    // Nothing but a deletion: there is no bundle.
    source.delete("refs/tags/v1");
    steps.push((None, source.refs()));
    let third = source.commit(&["main"]);
    source.set("refs/heads/main", &third);
    source.set("refs/heads/a/b", &source.commit(&["a/b", "main"]));
    let increment = source.increment(&steps[2].1);
    steps.push((Some(increment), source.refs()));
    (source, steps)
}

#[test]
fn a_chain_becomes_one_bundle_with_exactly_the_newest_refs() {
    for format in ["sha1", "sha256"] {
        let (source, steps) = changed_in_every_way(format);
        let above = format!("object_format = '{format}'\nhead_reference = 'refs/heads/main'");
        let repository = found(steps_in(&above, &steps));
        assert!(repository.is_chain());
        let bytes: usize = steps.iter().flat_map(|step| &step.0).map(Vec::len).sum();
        assert_eq!(repository.bundle_size(), bytes as u64);
        let bundle = bundled(&repository);
        assert_eq!(cloned(&bundle), source.refs(), "{format}");
        assert_eq!(bundled(&repository), bundle, "the bytes of a second run");
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("unpacked.git");
        repository.unpack(&folder, temp.path(), &GOES_ON).unwrap();
        let unpacked = Source::at(&folder);
        unpacked.check();
        assert_eq!(unpacked.refs(), source.refs());
        assert_eq!(unpacked.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
        // Of the surroundings nothing got in.
        assert!(!folder.join("hooks").exists() && !folder.join("objects/info/alternates").exists());
    }
}

#[test]
fn the_pointer_layout_has_all_steps_in_one_folder() {
    let (source, steps) = changed_in_every_way("sha1");
    let mut files = Files::default()
        .with(&format!("{PATH}/LATEST"), "backup1\n")
        .with(&format!("{PATH}/backup1/LATEST"), "004");
    for (at, (bundle, refs)) in steps.iter().enumerate() {
        let name = |kind: &str| format!("{PATH}/backup1/{:03}.{kind}", at + 1);
        files = files.with(&name("refs"), refs);
        if let Some(bundle) = bundle {
            files = files.with(&name("bundle"), bundle);
        }
    }
    let repository = found(files);
    let head = repository.head().unwrap();
    assert_eq!(head.as_deref(), Some("refs/heads/main"));
    assert_eq!(cloned(&bundled(&repository)), source.refs());
}

#[test]
fn steps_without_changes_leave_the_full_bundle_as_it_is() {
    let source = Source::new("sha1");
    source.set("refs/heads/main", &source.commit(&[]));
    let (bundle, refs) = (source.full(), source.refs());
    let empty = (None, String::new());
    let steps = [empty, (Some(bundle.clone()), refs.clone()), (None, refs)];
    let repository = found(steps_in("", &steps));
    assert_eq!(bundled(&repository), bundle);
}

#[test]
fn a_step_without_a_bundle_may_delete_branches() {
    let source = Source::new("sha1");
    let first = source.commit(&[]);
    source.set("refs/heads/main", &first);
    source.set("refs/heads/gone", &source.commit(&[&first]));
    let full = (Some(source.full()), source.refs());
    source.delete("refs/heads/gone");
    let repository = found(steps_in("", &[full.clone(), (None, source.refs())]));
    assert_eq!(cloned(&bundled(&repository)), source.refs());
    // All of them, in the end.
    source.delete("refs/heads/main");
    let files = steps_in("", &[full, (None, source.refs())]);
    let found = find(files, None).unwrap();
    assert!(matches!(found, Found::Empty { .. }), "{found:?}");
}

#[test]
fn a_detached_head_is_kept() {
    let source = Source::new("sha1");
    source.set("refs/heads/main", &source.commit(&[]));
    let full = (Some(source.full()), source.refs());
    let alone = source.commit(&[]);
    source.git(&["update-ref", "--no-deref", "HEAD", &alone]);
    let step = (Some(source.increment(&full.1)), source.refs());
    let repository = found(steps_in("", &[full, step]));
    assert_eq!(repository.head().unwrap(), None);
    let bundle = bundled(&repository);
    let header = BundleHeader::read(&bundle[..]).unwrap();
    assert_eq!(header.head.unwrap().to_string(), alone);
    assert_eq!(without_head(&cloned(&bundle)), without_head(&source.refs()));
}

#[test]
fn what_was_pushed_between_a_list_and_its_bundle_is_newer_than_the_list() {
    let source = Source::new("sha1");
    let first = source.commit(&[]);
    source.set("refs/heads/main", &first);
    let full = (Some(source.full()), source.refs());
    source.set("refs/heads/main", &source.commit(&[&first]));
    let list = source.refs();
    // The commit of the list is in no bundle any more.
    source.set("refs/heads/main", &source.commit(&[&first]));
    let step = (Some(source.increment(&full.1)), list);
    let repository = found(steps_in("", &[full, step]));
    assert_eq!(cloned(&bundled(&repository)), source.refs());
}

#[test]
fn many_refs_are_replayed() {
    let source = Source::new("sha1");
    let first = source.commit(&[]);
    let many = |range: std::ops::Range<u32>| -> String {
        range
            .map(|at| format!("create refs/keep-around/{at:08x} {first}\n"))
            .collect()
    };
    source.set("refs/heads/main", &first);
    source.update(&many(0..5000));
    let full = (Some(source.full()), source.refs());
    source.set("refs/heads/main", &source.commit(&[&first]));
    source.update(&many(5000..6000));
    let step = (Some(source.increment(&full.1)), source.refs());
    let repository = found(steps_in("", &[full, step]));
    assert_eq!(repository.refs().unwrap().count(), 6001);
    assert_eq!(cloned(&bundled(&repository)), source.refs());
}

#[test]
fn broken_chains_are_errors() {
    let (_source, steps) = changed_in_every_way("sha1");
    let (_other, strange) = changed_in_every_way("sha256");
    let temp = tempfile::tempdir().unwrap();
    let refused = |steps: Steps, without: &str| {
        let mut files = steps_in("", &steps);
        files
            .0
            .retain(|name, _| !name.ends_with(without) || without.is_empty());
        let repository = match find(files, None) {
            Ok(Found::Repository(repository)) => repository,
            Ok(other) => panic!("{other:?}"),
            Err(error) => return error.to_string(),
        };
        let bundle = repository.bundle(temp.path(), &GOES_ON);
        bundle.err().unwrap().to_string()
    };
    let mut second_is_missing = steps.clone();
    second_is_missing[1].0 = None;
    let mut cut = steps.clone();
    let bundle = cut[3].0.as_mut().unwrap();
    bundle.truncate(bundle.len() - 30);
    let mut foreign = steps.clone();
    foreign[3] = strange[3].clone();
    let mut lost = steps.clone();
    let id = "0123456789abcdef0123456789abcdef01234567";
    lost[3].1.push_str(&format!("{id} refs/heads/lost\n"));
    let cases = [
        (steps[1..].to_vec(), "", "it is an increment"),
        (second_is_missing, "", "failed"),
        (cut, "", "git index-pack failed"),
        (foreign, "", "its object format is not that"),
        (lost, "", "bad object refs/heads/lost"),
        (steps, "004.refs", "list of refs"),
    ];
    for (steps, without, says) in cases {
        let error = refused(steps, without);
        assert!(error.contains(says), "{says}: {error}");
        assert!(!error.contains("commit "), "no subjects: {error}");
    }
}

#[test]
fn an_interrupted_replay_ends_and_leaves_nothing() {
    let (_source, steps) = changed_in_every_way("sha1");
    let temp = tempfile::tempdir().unwrap();
    let interrupted = AtomicBool::new(false);
    interrupted.store(true, Ordering::Relaxed);
    let repository = found(steps_in("", &steps));
    let error = repository.bundle(temp.path(), &interrupted).err().unwrap();
    assert!(matches!(error, RepositoryError::Interrupted), "{error}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}
