//! Files of complete exports that are not in the data folder any more: somebody removed them, or cut them off.
//!
//! Nobody looks for them all the time. It is looked when somebody asks for a status or an export, and when a download does
//! not find its file; what was found is kept, so that all who ask are told the same.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::entity::EntityRef;
use crate::output::store::is_no_file;
use crate::output::{Contents, FileEntry};

/// What is known to be gone of a run, by entity. None has an empty set.
#[derive(Default)]
pub(super) struct LostFiles(Mutex<HashMap<EntityRef, BTreeSet<String>>>);

impl LostFiles {
    fn lock(&self) -> MutexGuard<'_, HashMap<EntityRef, BTreeSet<String>>> {
        // Every change leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for files of an entity. Gives those whose loss was not known.
    pub(super) fn look<'f>(
        &self,
        contents: &dyn Contents,
        entity: EntityRef,
        files: impl Iterator<Item = &'f FileEntry>,
    ) -> Vec<&'f str> {
        let looked = files.map(|file| (file.file.as_str(), is_lost(contents, file)));
        let looked: Vec<(&str, bool)> = looked.collect();
        let mut all = self.lock();
        let lost = all.entry(entity).or_default();
        let mut new = Vec::new();
        for (file, is_lost) in looked {
            match is_lost {
                true if lost.insert(file.to_owned()) => new.push(file),
                true => {}
                // Whoever took it away may have brought it back.
                false => {
                    lost.remove(file);
                }
            }
        }
        if lost.is_empty() {
            all.remove(&entity);
        }
        new
    }

    /// The files of an entity that are gone.
    pub(super) fn of(&self, entity: EntityRef) -> BTreeSet<String> {
        self.lock().get(&entity).cloned().unwrap_or_default()
    }

    /// True if a file of an entity is gone.
    pub(super) fn has(&self, entity: EntityRef) -> bool {
        self.lock().contains_key(&entity)
    }

    /// True if no file is known to be gone.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// True for a file that is not there, or has another size. What the system does not tell just now is no loss.
fn is_lost(contents: &dyn Contents, file: &FileEntry) -> bool {
    match contents.length(&file.file) {
        Ok(bytes) => bytes != file.bytes,
        Err(error) => error.kind() == io::ErrorKind::NotFound || is_no_file(&error),
    }
}
