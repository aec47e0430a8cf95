//! Where a task's files go: into the place that all tasks share. What is said of them is not written with them: it is the
//! task's record, when all of them are there.

use std::io;
use std::sync::Arc;

use crate::output::{Contents, Files, Listed, Manifest, NewFile, SharedPlace, StoredFile};

/// The files of a task.
#[derive(Debug)]
pub(super) struct TaskFiles {
    pub place: Arc<dyn SharedPlace>,
}

impl Contents for TaskFiles {
    fn shown(&self, name: &str) -> String {
        self.place.shown(name)
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.place.read(name)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.place.length(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        self.place.list(folder)
    }
}

impl Files for TaskFiles {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.place.write(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.place.replace(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.place.remove(name)
    }

    fn put_manifest(&self, _manifest: &Manifest) -> io::Result<()> {
        Ok(())
    }
}
