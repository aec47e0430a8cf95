//! A folder as a store: what a crash could leave half-done on a file system is the business of this room alone.
//!
//! A file is written beside its final name, synced, renamed, its folder synced (`atomic.rs`). A place is held by a lock
//! file beside it (`claim.rs`, `lock.rs`). A folder that replaces another is filled beside it, and exchanged with it
//! when it is complete (`draft.rs`, `exchange.rs`). Folders are held open, since paths are only names (`anchor.rs`). In a
//! folder that several processes write to (`shared.rs`) nobody holds anything, so no two names are the same.

mod anchor;
pub mod atomic;
mod claim;
mod draft;
mod exchange;
mod files;
mod holding;
mod lock;
mod own_files;
pub(in crate::output) mod removal;
mod shared;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use claim::FolderClaim;
pub use draft::FolderDraft;
pub use holding::Holding;
pub use lock::{Lock, LockError};
pub(in crate::output) use shared::SharedFolder;

use super::claim::{Begin, Claim, Draft, Files, NewFile, Store};
use super::contents::{Contents, Listed, StoredFile};
use super::error::StoreError;
use crate::output::manifest::Manifest;

/// An export in a folder, or a folder that will have one.
#[derive(Debug, Clone)]
pub struct FolderStore {
    /// As the user names it.
    path: PathBuf,
}

impl FolderStore {
    /// The folder of this name. Nothing is looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FolderStore { path: path.into() }
    }
}

impl Contents for FolderStore {
    fn shown(&self, name: &str) -> String {
        files::shown(&self.path, name)
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        files::read(&self.path, name)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        files::length(&self.path, name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(&self.path, folder)
    }
}

impl Store for FolderStore {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        holding::check_place(&self.path)?;
        match begin {
            Begin::New => holding::check_content(&self.path, false, Holding::EXPORT),
            Begin::Replace => holding::check_content(&self.path, true, Holding::EXPORT),
            Begin::Resume => Ok(()),
        }
    }

    fn claim(&self) -> Result<Box<dyn Claim>, StoreError> {
        Ok(Box::new(FolderClaim::take(&self.path)?))
    }
}

impl Claim for FolderClaim {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        match begin {
            Begin::New => self.check_in_place(false, Holding::EXPORT),
            Begin::Replace => self.check_in_place(true, Holding::EXPORT),
            Begin::Resume => Ok(()),
        }
    }

    fn begin(self: Box<Self>, begin: Begin) -> Result<Arc<dyn Draft>, StoreError> {
        let draft = match begin {
            Begin::New => FolderDraft::in_place(*self, false),
            Begin::Replace => FolderDraft::in_place(*self, true),
            Begin::Resume => FolderDraft::again(*self),
        };
        Ok(Arc::new(draft?))
    }

    fn note_failure(&self, manifest: &Manifest) -> Result<String, StoreError> {
        Ok(display(&self.put_note(manifest)?))
    }
}

impl Contents for FolderDraft {
    fn shown(&self, name: &str) -> String {
        files::shown(self.work(), name)
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        files::read(self.work(), name)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        files::length(self.work(), name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(self.work(), folder)
    }
}

impl Files for FolderDraft {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        files::write(self.work(), name, &self.anchor)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.anchor.check()?;
        atomic::replace(&files::path(self.work(), name)?, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        files::remove(self.work(), name)
    }
}

impl Draft for FolderDraft {
    fn claim(&self) -> &dyn Claim {
        &self.claim
    }

    fn name(&self) -> String {
        let name = self.claim.place.file_name();
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn replaces(&self) -> bool {
        self.is_staged()
    }

    fn check(&self) -> io::Result<()> {
        self.anchor.check()
    }

    fn sweep(&self, folders: &[String], keep: &dyn Fn(&str) -> bool) -> io::Result<()> {
        files::sweep(self.work(), folders, keep)
    }

    fn commit(&self) -> Result<String, StoreError> {
        let place = display(self.put()?);
        if let Err(error) = self.claim.clear_failed() {
            tracing::warn!("cannot take away what an earlier run left: {error}");
        }
        Ok(place)
    }

    fn set_aside(&self) -> Result<String, StoreError> {
        match self.is_staged() {
            true => Ok(display(&self.claim.put_failed(self.work())?)),
            false => Ok(display(&self.claim.shown)),
        }
    }

    fn discard(&self) -> io::Result<()> {
        self.take_away()
    }
}

/// What messages call a path.
fn display(path: &Path) -> String {
    path.display().to_string()
}

/// Names in a folder, sorted: what tests look at.
#[cfg(test)]
pub(in crate::output) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
