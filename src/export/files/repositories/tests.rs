//! Repositories that git made, laid out as Gitaly lays them out, and what comes out again: git is the judge.

mod chains;
mod layouts;
mod source;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use source::{Files, PATH, Source, steps_in};

use super::*;

static GOES_ON: AtomicBool = AtomicBool::new(false);

fn find(files: Files, storage: Option<&str>) -> Result<Found, RepositoryError> {
    Repositories::new(files.into_backup()).find(&RepositoryPath::project(71), storage)
}

fn found(files: Files) -> Repository {
    match find(files, Some("default")).unwrap() {
        Found::Repository(repository) => repository,
        other => panic!("{other:?}"),
    }
}

fn error(files: Files) -> String {
    match find(files, None) {
        Err(error) => error.to_string(),
        Ok(other) => panic!("{other:?}"),
    }
}

/// The bytes of the one bundle of a repository.
fn bundled(repository: &Repository) -> Vec<u8> {
    let temp = tempfile::tempdir().unwrap();
    let bundle = repository.bundle(temp.path(), &GOES_ON).unwrap();
    let mut bytes = Vec::new();
    bundle.open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, bundle.size());
    let left: Vec<_> = fs::read_dir(temp.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    bytes
}

/// Refs of a mirror clone of a bundle, and its HEAD, as `git show-ref --head` prints them.
fn cloned(bundle: &[u8]) -> String {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("repository.bundle");
    fs::write(&file, bundle).unwrap();
    let clone = Source::clone(&file, &temp.path().join("clone.git"));
    clone.refs()
}

fn without_head(refs: &str) -> String {
    let lines = refs.lines().filter(|line| !line.ends_with(" HEAD"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
