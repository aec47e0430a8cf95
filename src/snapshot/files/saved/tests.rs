use std::ops::Range;
use std::sync::Arc;

use super::*;
use crate::snapshot::files::contents::Collector;
use crate::snapshot::files::index::{Entry, Sort};
use crate::snapshot::{FileSource, Spec, open_files};

const FINGERPRINT: &str = "0123";

fn contents() -> Contents {
    let mut collector = Collector::default();
    for (name, offset, size) in [("a", 512, 10), ("b/ü", 1536, 0)] {
        let sort = Sort::File;
        collector.add(name, Entry { sort, offset, size });
    }
    collector.finish(None)
}

fn bytes() -> Vec<u8> {
    let mut contents = contents();
    contents.warnings = vec!["one is left out".to_owned()];
    encode(FINGERPRINT, &contents).unwrap().concat()
}

#[test]
fn what_was_saved_is_loaded() {
    let bytes = bytes();
    let text = b"relexport tar index 1\n";
    assert!(bytes.starts_with(text), "{}", bytes.escape_ascii());
    let index = TarIndex::read(bytes.clone(), FINGERPRINT, 2048).unwrap();
    let files: Vec<(String, Range<u64>)> = index.files("").collect();
    let expected = [("a".to_owned(), 512..522), ("b/ü".to_owned(), 1536..1536)];
    assert_eq!(files, expected);
    assert_eq!(index.find("a"), Some(512..522));
    assert_eq!(index.0.warnings, ["one is left out"]);
}

#[test]
fn no_other_bytes_are_taken() {
    let bytes = bytes();
    assert!(TarIndex::read(bytes.clone(), "0124", 2048).is_none());
    // A member behind the end of the tar.
    assert!(TarIndex::read(bytes.clone(), FINGERPRINT, 521).is_none());
    for at in 0..bytes.len() {
        let cut = bytes[..at].to_vec();
        assert!(TarIndex::read(cut, FINGERPRINT, 2048).is_none(), "{at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let read = TarIndex::read(flipped, FINGERPRINT, 2048);
            assert!(read.is_none(), "{at}, {bit}");
        }
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(TarIndex::read(longer, FINGERPRINT, 2048).is_none());
}

/// A tar with one file of this name.
fn tar(name: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["backup_information.yml", name] {
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        builder.append_data(&mut header, name, &b"x"[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn has(backup: &Path, index: &Path, name: &str) -> bool {
    let spec = Spec::Path(backup.to_owned());
    let FileSource::Here(files) = open_files(&spec, Some(index)).unwrap() else {
        panic!("a backup has files");
    };
    Arc::clone(&files).size_of(name).unwrap().is_some()
}

#[test]
fn an_index_is_made_once_and_anew_for_another_tar() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, index) = (
        folder.path().join("backup.tar"),
        folder.path().join("index"),
    );
    fs::write(&backup, tar("repositories/one")).unwrap();
    assert!(has(&backup, &index, "repositories/one"));
    let first = fs::read(&index).unwrap();
    assert!(has(&backup, &index, "repositories/one"));
    assert_eq!(fs::read(&index).unwrap(), first);

    // It is what is looked into: one that says something else is believed.
    let length = fs::metadata(&backup).unwrap().len();
    let fingerprint = Spec::Path(backup.clone()).fingerprint().unwrap().unwrap();
    assert!(load(&index, &fingerprint, length).is_some());
    save(&index, &fingerprint, &contents()).unwrap();
    assert!(!has(&backup, &index, "repositories/one"));

    fs::write(&index, &first[..first.len() - 1]).unwrap();
    assert!(has(&backup, &index, "repositories/one"));
    assert_eq!(fs::read(&index).unwrap(), first);

    let mut longer = tar("repositories/two");
    longer.resize(longer.len() + 512, 0);
    fs::write(&backup, longer).unwrap();
    assert!(!has(&backup, &index, "repositories/one"));
    assert!(has(&backup, &index, "repositories/two"));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "no temp file is left");
}

#[test]
fn the_index_of_a_cut_tar_is_not_kept_and_a_place_that_cannot_be_written_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, index) = (
        folder.path().join("backup.tar"),
        folder.path().join("index"),
    );
    fs::write(&backup, &tar("repositories/one")[..2048]).unwrap();
    assert!(has(&backup, &index, "repositories/one"));
    assert!(!index.exists());
    fs::write(&backup, tar("repositories/one")).unwrap();
    assert!(has(
        &backup,
        &folder.path().join("none/index"),
        "repositories/one"
    ));
    assert!(has(&backup, folder.path(), "repositories/one"));
}
