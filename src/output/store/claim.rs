//! Writing to a store: from the claim to a place to the export that lies there.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use super::contents::Contents;
use super::error::StoreError;
use crate::bucket::ConditionalPut;
use crate::output::manifest::{self, Manifest};

/// How a run begins at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Nothing is there yet.
    New,
    /// An export that is there already is replaced when the new one is complete. Nothing need be there.
    Replace,
    /// The unfinished export that is there is gone on with.
    Resume,
}

/// A place at which an export lies, or will lie. Reading needs nothing else; to write, a run claims it.
pub trait Store: Contents {
    /// Says what is wrong with the place, without claiming or touching it.
    ///
    /// # Errors
    /// If no export can begin here.
    fn check(&self, begin: Begin) -> Result<(), StoreError>;

    /// Claims the place for one run, before anything is read or made, and puts right what dead runs left. The claim
    /// lasts until it, and every [`Draft`] made by it, is dropped, or the process ends.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another run holds it; also if nothing can ever be written there.
    fn claim(&self) -> Result<Box<dyn Claim>, StoreError>;
}

/// A place that is held. Nothing has been made there.
pub trait Claim: Debug + Send + Sync {
    /// Makes sure that an export may begin, hours before it is complete.
    ///
    /// # Errors
    /// If something is there that may not be replaced, or cannot be.
    fn check(&self, begin: Begin) -> Result<(), StoreError>;

    /// Makes the place ready to be written to. What is there already stays until [`Draft::commit`]: a new export that
    /// replaces another is written where readers do not see it; any other is written in its place, so that
    /// its manifest can be looked at from the start.
    ///
    /// # Errors
    /// As [`Claim::check`], and if the place cannot be written to.
    fn begin(self: Box<Self>, begin: Begin) -> Result<Arc<dyn Draft>, StoreError>;

    /// Keeps the manifest of a run that came to nothing at all where [`Draft::set_aside`] puts exports that are not
    /// complete, in place of what an earlier failed run left there. Returns the name of that place.
    ///
    /// # Errors
    /// If something else lies there, or nothing can be written.
    fn note_failure(&self, manifest: &Manifest) -> Result<String, StoreError>;

    /// Whether the last put of an export is refused if another run has finished it; `None` where locks see to that.
    fn conditional_put(&self) -> Option<ConditionalPut> {
        None
    }
}

/// Files of an export that is being written, by their names. Reading them ([`Contents`]) gives what has been written so far.
///
/// Every call that writes makes sure first that the place is still the one in which the export was begun.
pub trait Files: Contents {
    /// Begins a file; a file that has the name already stays until the new one is committed.
    ///
    /// # Errors
    /// Those of the store; they name the file.
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>>;

    /// Writes a whole small file: readers see the old one or the new one, at any moment and after any crash.
    ///
    /// # Errors
    /// Those of the store; they name the file. Readers may see either.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If it cannot be removed, or is not there.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Replaces the manifest.
    ///
    /// # Errors
    /// As [`Files::replace`].
    fn put_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        self.replace(manifest::FILE_NAME, &manifest.to_json()?)
    }
}

/// An export that is being written by one run.
pub trait Draft: Files {
    /// The claim that this was begun by; it is held as long as this is.
    fn claim(&self) -> &dyn Claim;

    /// The name of the place itself, without what is above it.
    fn name(&self) -> String;

    /// True if an older export stays in its place until this one is complete.
    fn replaces(&self) -> bool;

    /// Makes sure that the place is still the one in which the export was begun.
    ///
    /// # Errors
    /// If it was removed or replaced.
    fn check(&self) -> io::Result<()>;

    /// Removes every file below these folders that is not to be kept, by its name, and whatever a dead run left
    /// half-written. A folder need not be there.
    ///
    /// # Errors
    /// If something cannot be removed; the rest may still be there.
    fn sweep(&self, folders: &[String], keep: &dyn Fn(&str) -> bool) -> io::Result<()>;

    /// The export is complete: it is in its place, in one step in which readers see the older one or this one. What an
    /// earlier failed run left is taken away. Returns what messages call the place.
    ///
    /// # Errors
    /// If it cannot take its place; the older export is then still there, and this one where it was written.
    fn commit(&self) -> Result<String, StoreError>;

    /// The export is not complete: if it would have replaced another, it goes aside, in place of an earlier
    /// one; else it stays where it is. It can be gone on with there. Returns what messages call that place.
    ///
    /// # Errors
    /// If it cannot be put aside.
    fn set_aside(&self) -> Result<String, StoreError>;

    /// The export came to nothing: takes away what was written. What somebody else put in its place stays.
    ///
    /// # Errors
    /// If something cannot be removed.
    fn discard(&self) -> io::Result<()>;
}

/// A file that is being written. If it is dropped before [`NewFile::commit`], nothing is left of it.
pub trait NewFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// Those of the store, one without room among them; they name the file.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The file is whole: it is there under its name, to stay, or not at all.
    ///
    /// # Errors
    /// Those of the store. The file is then not there under its name, or cannot be relied on to stay.
    fn commit(self: Box<Self>) -> io::Result<Written>;
}

/// What a file that was committed holds, told from the bytes that were handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}
