//! A store in memory that can fail at any call, or run out of room: for tests that show what the rest of the program
//! makes of that, and that nothing relies on a folder.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::claim::{Begin, Claim, Draft, Files, NewFile, Store, Written};
use super::contents::{Contents, Listed, StoredFile};
use super::error::StoreError;
use super::shared::{SharedPlace, check_folder, check_name, is_same_export};
use crate::hex;
use crate::output::layout;
use crate::output::manifest::{self, Manifest};

/// What messages call the place.
const SHOWN: &str = "memory/out";

/// MemoryFiles by their names.
pub(crate) type MemoryFiles = BTreeMap<String, Arc<[u8]>>;

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The number of the call, from 1.
    pub at: u64,
    pub kind: io::ErrorKind,
    /// Every call after it fails, too, as if the store had gone.
    pub lasts: bool,
    /// What the call was to write is written all the same: the caller cannot know.
    pub happens: bool,
}

/// What a store holds, and what becomes of calls.
#[derive(Debug, Default)]
struct State {
    placed: MemoryFiles,
    /// What is written beside a place that is to be replaced.
    staged: Option<MemoryFiles>,
    failed: MemoryFiles,
    is_claimed: bool,
    calls: u64,
    fault: Option<Fault>,
    /// The first call that failed.
    hit: Option<String>,
    /// Bytes that all files together may have.
    room: Option<usize>,
    /// Bytes of files that are not committed yet.
    open: usize,
}

impl State {
    fn draft(&mut self) -> &mut MemoryFiles {
        self.staged.as_mut().unwrap_or(&mut self.placed)
    }

    /// Makes sure that there is room for so many bytes more.
    fn check_room(&self, more: usize) -> io::Result<()> {
        let files = self
            .placed
            .values()
            .chain(self.staged.iter().flatten().map(|file| file.1));
        let used = files.map(|file| file.len()).sum::<usize>() + self.open;
        match self.room {
            Some(room) if used + more > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// A place in memory. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// A place that holds these files.
    pub(crate) fn holding(files: MemoryFiles) -> Self {
        let store = MemoryStore::default();
        store.lock().placed = files;
        store
    }

    /// What lies in the place.
    pub(crate) fn files(&self) -> MemoryFiles {
        self.lock().placed.clone()
    }

    /// What was set aside.
    pub(crate) fn failed(&self) -> MemoryFiles {
        self.lock().failed.clone()
    }

    /// Somebody else changes the files that are being written.
    pub(crate) fn meddle(&self, change: impl FnOnce(&mut MemoryFiles)) {
        change(self.lock().draft());
    }

    /// Calls are counted anew from here on, and this one fails.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.lock();
        state.calls = 0;
        state.hit = None;
        state.fault = fault;
    }

    /// All files together may have so many bytes.
    pub(crate) fn set_room(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    /// The first call that has failed.
    pub(crate) fn hit(&self) -> Option<String> {
        self.lock().hit.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A call that writes nothing, or whose effect is undone if it fails.
    fn call<T>(&self, what: &str, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.count(what)?;
        work(&mut self.lock())
    }

    /// A call whose effect may stay though it fails.
    fn effect<T>(
        &self,
        what: &str,
        work: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let counted = self.count(what);
        let happens = self.lock().fault.is_some_and(|fault| fault.happens);
        match counted {
            Err(error) if happens => work(&mut self.lock()).and(Err(error)),
            Err(error) => Err(error),
            Ok(()) => work(&mut self.lock()),
        }
    }

    fn count(&self, what: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.calls += 1;
        let calls = state.calls;
        match state.fault {
            Some(fault) if calls == fault.at || fault.lasts && calls > fault.at => {
                state.hit.get_or_insert_with(|| what.to_owned());
                Err(io::Error::new(fault.kind, format!("cannot {what}")))
            }
            _ => Ok(()),
        }
    }

    fn read_of(
        &self,
        name: &str,
        files: impl FnOnce(&mut State) -> MemoryFiles,
    ) -> io::Result<Arc<dyn StoredFile>> {
        let content = self.call(&format!("read {name}"), |state| {
            let content = files(state).get(name).cloned();
            content.ok_or_else(|| io::ErrorKind::NotFound.into())
        })?;
        Ok(Arc::new(MemoryFile {
            store: self.clone(),
            name: name.to_owned(),
            content,
        }))
    }

    fn begin(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.call(&format!("begin {name}"), |_| Ok(()))?;
        Ok(Box::new(NewMemoryFile {
            store: self.clone(),
            name: name.to_owned(),
            bytes: Vec::new(),
        }))
    }

    fn replace_in(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.effect(&format!("replace {name}"), |state| {
            state.check_room(bytes.len())?;
            state.draft().insert(name.to_owned(), Arc::from(bytes));
            Ok(())
        })
    }

    fn remove_from(&self, name: &str) -> io::Result<()> {
        self.effect(&format!("remove {name}"), |state| {
            let removed = state.draft().remove(name);
            removed
                .map(drop)
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }
}

fn list(files: &MemoryFiles, folder: &str) -> Vec<Listed> {
    let below = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    let mut listed: Vec<Listed> = Vec::new();
    for name in files.keys().filter_map(|name| name.strip_prefix(&below)) {
        let (name, is_folder) = match name.split_once('/') {
            Some((folder, _)) => (folder, true),
            None => (name, false),
        };
        let found = Listed {
            name: name.to_owned(),
            is_folder,
        };
        if !listed.contains(&found) {
            listed.push(found);
        }
    }
    listed
}

fn length(files: &MemoryFiles, name: &str) -> io::Result<u64> {
    let file = files.get(name);
    file.map(|file| file.len() as u64)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn store_error(source: io::Error) -> StoreError {
    StoreError::Io {
        path: SHOWN.to_owned(),
        source,
    }
}

fn check(state: &State, begin: Begin) -> Result<(), StoreError> {
    let manifest = state.placed.get(manifest::FILE_NAME);
    let is_export = manifest.is_some_and(|bytes| Manifest::parse(bytes, String::new()).is_ok());
    match begin {
        _ if state.placed.is_empty() => Ok(()),
        Begin::New => Err(StoreError::Exists {
            path: SHOWN.to_owned(),
            what: "export",
        }),
        Begin::Replace if !is_export => Err(StoreError::HoldsSomethingElse {
            path: SHOWN.to_owned(),
            one: "an export",
        }),
        Begin::Replace | Begin::Resume => Ok(()),
    }
}

impl Contents for MemoryStore {
    fn shown(&self, name: &str) -> String {
        match name {
            "" => SHOWN.to_owned(),
            name => format!("{SHOWN}/{name}"),
        }
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.read_of(name, |state| state.placed.clone())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.call(&format!("look at {name}"), |state| {
            length(&state.placed, name)
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        self.call(&format!("list {SHOWN}"), |state| {
            Ok(list(&state.placed, folder))
        })
    }
}

impl Store for MemoryStore {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        check(&self.lock(), begin)
    }

    fn claim(&self) -> Result<Box<dyn Claim>, StoreError> {
        self.call(&format!("claim {SHOWN}"), |_| Ok(()))
            .map_err(store_error)?;
        let mut state = self.lock();
        if state.is_claimed {
            return Err(StoreError::InUse {
                path: SHOWN.to_owned(),
                holder: String::new(),
            });
        }
        state.is_claimed = true;
        state.staged = None;
        state.open = 0;
        Ok(Box::new(MemoryClaim {
            store: self.clone(),
        }))
    }
}

/// Written to by several at the same time.
impl Files for MemoryStore {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        check_name(name)?;
        self.begin(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_name(name)?;
        self.replace_in(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.remove_from(name)
    }
}

impl SharedPlace for MemoryStore {
    fn begin_shared(&self) -> Result<(), StoreError> {
        let state = self.lock();
        let is_there = |name: &str| state.placed.contains_key(name);
        let what = match () {
            () if is_there(manifest::FILE_NAME) => "an export",
            () if !state.placed.is_empty() && !is_there(layout::PLAN) => {
                "something other than a plan"
            }
            () => return Ok(()),
        };
        Err(StoreError::NoPlaceForAPlan {
            path: SHOWN.to_owned(),
            what,
        })
    }

    fn name(&self) -> String {
        "out".to_owned()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        check_name(name)?;
        self.effect(&format!("put {name}"), |state| {
            state.check_room(bytes.len())?;
            let is_new = !state.placed.contains_key(name);
            if is_new {
                state.placed.insert(name.to_owned(), Arc::from(bytes));
            }
            Ok(is_new)
        })
    }

    fn sizes(&self, folder: &str) -> io::Result<BTreeMap<String, u64>> {
        self.call(&format!("list {SHOWN}"), |state| {
            let files = state.placed.iter();
            let below = files.filter(|(name, _)| is_below(name, folder));
            Ok(below
                .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
                .collect())
        })
    }

    fn finish(&self, manifest: &Manifest, metadata: &[u8]) -> io::Result<()> {
        self.effect("finish the export", |state| {
            let json = manifest.to_json()?;
            match state.placed.get(manifest::FILE_NAME) {
                Some(found) => {
                    let found = Manifest::parse(found, String::new()).map_err(io::Error::other)?;
                    match is_same_export(&found, manifest) {
                        true => return Ok(()),
                        false => return Err(io::ErrorKind::AlreadyExists.into()),
                    }
                }
                None => state.check_room(json.len() + metadata.len())?,
            }
            let name = manifest.metadata_name().to_owned();
            state.placed.insert(name, Arc::from(metadata));
            let name = manifest::FILE_NAME.to_owned();
            state.placed.insert(name, Arc::from(json));
            Ok(())
        })
    }

    fn clear(&self, folder: &str) -> io::Result<()> {
        check_folder(folder)?;
        self.effect(&format!("clear {folder}"), |state| {
            state.placed.retain(|name, _| !is_below(name, folder));
            Ok(())
        })
    }
}

fn is_below(name: &str, folder: &str) -> bool {
    let below = name.strip_prefix(folder);
    folder.is_empty() || below.is_some_and(|rest| rest.starts_with('/'))
}

/// The claim to the place.
#[derive(Debug)]
struct MemoryClaim {
    store: MemoryStore,
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        self.store.lock().is_claimed = false;
    }
}

impl Claim for MemoryClaim {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        check(&self.store.lock(), begin)
    }

    fn begin(self: Box<Self>, begin: Begin) -> Result<Arc<dyn Draft>, StoreError> {
        Claim::check(&*self, begin)?;
        let staged = self
            .store
            .call(&format!("begin {SHOWN}"), |state| {
                let replaces = begin == Begin::Replace && !state.placed.is_empty();
                state.staged = replaces.then(MemoryFiles::new);
                Ok(replaces)
            })
            .map_err(store_error)?;
        Ok(Arc::new(MemoryDraft {
            store: self.store.clone(),
            is_staged: staged,
            claim: *self,
        }))
    }

    fn note_failure(&self, manifest: &Manifest) -> Result<String, StoreError> {
        let noted = self.store.effect("note why it failed", |state| {
            let json = manifest.to_json()?;
            state.failed = MemoryFiles::from([(manifest::FILE_NAME.to_owned(), Arc::from(json))]);
            Ok(())
        });
        noted
            .map(|()| format!("{SHOWN}.failed"))
            .map_err(store_error)
    }
}

/// An export that is being written.
#[derive(Debug)]
struct MemoryDraft {
    store: MemoryStore,
    is_staged: bool,
    claim: MemoryClaim,
}

impl Contents for MemoryDraft {
    fn shown(&self, name: &str) -> String {
        self.store.shown(name)
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.store.read_of(name, |state| state.draft().clone())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let what = format!("look at {name}");
        self.store.call(&what, |state| length(state.draft(), name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        let what = format!("list {SHOWN}");
        self.store
            .call(&what, |state| Ok(list(state.draft(), folder)))
    }
}

impl Files for MemoryDraft {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.store.begin(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.store.replace_in(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.store.remove_from(name)
    }
}

impl Draft for MemoryDraft {
    fn claim(&self) -> &dyn Claim {
        &self.claim
    }

    fn name(&self) -> String {
        "out".to_owned()
    }

    fn replaces(&self) -> bool {
        self.is_staged
    }

    fn check(&self) -> io::Result<()> {
        self.store.call("look at the place", |_| Ok(()))
    }

    fn sweep(&self, folders: &[String], keep: &dyn Fn(&str) -> bool) -> io::Result<()> {
        self.store.effect(&format!("sweep {SHOWN}"), |state| {
            let is_below = |name: &str| {
                let top = name.split_once('/').map(|(top, _)| top);
                top.is_some_and(|top| folders.iter().any(|folder| folder == top))
            };
            state
                .draft()
                .retain(|name, _| !is_below(name) || keep(name));
            Ok(())
        })
    }

    fn commit(&self) -> Result<String, StoreError> {
        let committed = self.store.call(&format!("commit {SHOWN}"), |state| {
            if let Some(staged) = state.staged.take() {
                state.placed = staged;
            }
            state.failed.clear();
            Ok(SHOWN.to_owned())
        });
        committed.map_err(store_error)
    }

    fn set_aside(&self) -> Result<String, StoreError> {
        let aside = self.store.effect(&format!("set {SHOWN} aside"), |state| {
            Ok(match state.staged.take() {
                Some(staged) => {
                    state.failed = staged;
                    format!("{SHOWN}.failed")
                }
                None => SHOWN.to_owned(),
            })
        });
        aside.map_err(store_error)
    }

    fn discard(&self) -> io::Result<()> {
        self.store.effect(&format!("discard {SHOWN}"), |state| {
            match self.is_staged {
                true => state.staged = None,
                false => state.placed.clear(),
            }
            Ok(())
        })
    }
}

/// A file that is being written.
struct NewMemoryFile {
    store: MemoryStore,
    name: String,
    bytes: Vec<u8>,
}

impl NewFile for NewMemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.store.call(&format!("write {}", self.name), |state| {
            state.check_room(bytes.len())?;
            state.open += bytes.len();
            Ok(())
        })?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn commit(self: Box<Self>) -> io::Result<Written> {
        self.store
            .effect(&format!("commit {}", self.name), |state| {
                let content = Arc::from(self.bytes.as_slice());
                state.draft().insert(self.name.clone(), content);
                Ok(())
            })?;
        Ok(Written {
            bytes: self.bytes.len() as u64,
            sha256: hex::encode(&Sha256::digest(&self.bytes)),
        })
    }
}

impl Drop for NewMemoryFile {
    fn drop(&mut self) {
        self.store.lock().open -= self.bytes.len();
    }
}

/// A file that is open for reading.
struct MemoryFile {
    store: MemoryStore,
    name: String,
    content: Arc<[u8]>,
}

impl StoredFile for MemoryFile {
    fn length(&self) -> u64 {
        self.content.len() as u64
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(SystemTime::UNIX_EPOCH)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.store.call(&format!("read {}", self.name), |_| {
            let start = usize::try_from(position).unwrap().min(self.content.len());
            let count = buffer.len().min(self.content.len() - start);
            buffer[..count].copy_from_slice(&self.content[start..start + count]);
            Ok(count)
        })
    }
}
