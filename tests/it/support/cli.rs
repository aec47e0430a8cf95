//! An export that other commands look at.

use std::path::PathBuf;

use super::relexport;

/// A temp folder with an export in it.
pub(crate) struct Exported {
    temp: tempfile::TempDir,
}

impl Exported {
    pub(crate) fn new(arguments: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let exported = Exported { temp };
        relexport(&format!("export {arguments} --out {}", exported.out())).ok();
        exported
    }

    pub(crate) fn out(&self) -> String {
        self.path("").display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("out").join(name)
    }
}
