//! Folders of exports for the tests: copies of one real export, each of another time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::cli::Exported;
use crate::support::*;

/// One small export that every test copies.
static EXPORT: LazyLock<Exported> = LazyLock::new(|| {
    Exported::new(&format!(
        "-s {DUMP} -g 4351 --relation badges --relation self"
    ))
});

/// A folder with exports in it.
pub(crate) struct TestShelf {
    temp: tempfile::TempDir,
}

impl TestShelf {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("shelf")).unwrap();
        TestShelf { temp }
    }

    /// A shelf with an export for each of these times, named by its day.
    pub(crate) fn with(times: &[&str]) -> Self {
        let shelf = TestShelf::new();
        for time in times {
            let day = time.split('T').next().unwrap();
            shelf.put(&format!("export-{day}"), time);
        }
        shelf
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.temp.path().join("shelf")
    }

    /// A folder beside the shelf.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Puts an export of a time there.
    pub(crate) fn put(&self, name: &str, started_at: &str) {
        copy(&EXPORT.path(""), &self.path(name));
        self.change(name, |manifest| manifest["started_at"] = started_at.into());
    }

    /// Changes the manifest of an export.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path(name).join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    }

    /// What lies there, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// `relexport forget` of this shelf.
    pub(crate) fn forget(&self, options: &str) -> Program {
        relexport(&format!("forget {} {options}", self.root().display()))
    }

    /// What it answers as JSON.
    pub(crate) fn answer(&self, options: &str) -> Value {
        let answer = self.forget(&format!("{options} --json")).prints();
        serde_json::from_str(&answer).unwrap()
    }
}

/// Copies a folder with all that is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}
