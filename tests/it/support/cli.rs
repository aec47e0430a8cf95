//! An export that other commands look at.

use std::path::PathBuf;

use super::relexport;

/// A temp folder with an export in it.
pub struct Exported {
    temp: tempfile::TempDir,
}

impl Exported {
    pub fn new(arguments: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let exported = Exported { temp };
        relexport(&format!("export {arguments} --out {}", exported.out())).ok();
        exported
    }

    pub fn out(&self) -> String {
        self.path("").display().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("out").join(name)
    }
}
