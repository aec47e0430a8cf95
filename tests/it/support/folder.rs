//! What lies in a folder, an export above all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::file_name;

/// A file or folder that is locked as a run of the program would lock it.
pub(crate) struct Held(File);

impl Held {
    pub(crate) fn new(path: &Path) -> Held {
        let file = File::open(path).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        Held(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file would not do: a program that another test starts at this moment holds it open, too.
        flock(&self.0, FlockOperation::Unlock).unwrap();
    }
}

/// The folder of an export.
pub(crate) struct ExportFolder {
    pub out: PathBuf,
}

impl ExportFolder {
    pub(crate) fn new(out: impl Into<PathBuf>) -> ExportFolder {
        ExportFolder { out: out.into() }
    }

    /// The raw bytes of a file of the export.
    pub(crate) fn raw(&self, name: &str) -> Vec<u8> {
        let path = self.out.join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A file of the export, unpacked.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        gunzip(&self.raw(name))
    }

    /// The records of a relation of a group, parsed; not batched.
    pub(crate) fn records(&self, group: i64, relation: &str) -> Vec<Value> {
        let content = self.content(&format!("group_{group}/{}.gz", file_name(relation)));
        std::str::from_utf8(&content)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Names of all files of the export.
    pub(crate) fn files(&self) -> Vec<String> {
        files_below(&self.out)
    }

    /// All files of the entities with records, unpacked, by name. Archives of files have tests of their own.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files().into_iter().filter(|name| name.contains('/'));
        files
            .filter(|name| !name.ends_with(".tar.gz"))
            .map(|name| (name.clone(), self.content(&name)))
            .collect()
    }

    /// All files of the entities, packed, by name.
    pub(crate) fn packed(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files().into_iter().filter(|name| name.contains('/'));
        files.map(|name| (name.clone(), self.raw(&name))).collect()
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&self.raw("manifest.json")).unwrap()
    }

    /// The manifest's entry of a relation of the first entity.
    pub(crate) fn relation(&self, relation: &str) -> Value {
        self.all_relations()
            .into_iter()
            .find(|entry| entry["relation"] == relation)
            .unwrap_or_else(|| panic!("no {relation} in the manifest"))
    }

    /// The manifest's entries of the first entity, without those of files.
    pub(crate) fn relations(&self) -> Vec<Value> {
        let of_files = ["uploads", "lfs_objects", "repository", "design"];
        let mut entries = self.all_relations();
        entries.retain(|entry| !of_files.iter().any(|name| entry["relation"] == *name));
        entries
    }

    /// The manifest's entries of the first entity.
    pub(crate) fn all_relations(&self) -> Vec<Value> {
        let manifest = self.manifest();
        manifest["entities"][0]["relations"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Nothing of an export is there.
    pub(crate) fn left_nothing(&self) {
        assert!(!self.out.exists(), "{:?}", self.files());
    }
}

/// All files below a folder, relative, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = Vec::new();
    walk(folder, "", &mut names);
    names.sort();
    names
}

/// All bytes of a gzip file that must be one member and nothing else.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut member = flate2::bufread::GzDecoder::new(bytes);
    let mut content = Vec::new();
    member.read_to_end(&mut content).unwrap();
    let mut rest = member.into_inner();
    assert!(rest.fill_buf().unwrap().is_empty(), "more than one member");
    content
}

/// Compares files by name, and says which differ rather than all their bytes.
pub(crate) fn assert_same_files(
    what: &str,
    got: &BTreeMap<String, Vec<u8>>,
    want: &BTreeMap<String, Vec<u8>>,
) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(want), "{what}");
    for (name, want) in want {
        let got = &got[name];
        assert!(
            got == want,
            "{what}: {name} differs\n got: {}\nwant: {}",
            String::from_utf8_lossy(got),
            String::from_utf8_lossy(want)
        );
    }
}
