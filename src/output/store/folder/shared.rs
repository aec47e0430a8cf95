//! A folder that several processes write to, also over a network.
//!
//! ```text
//! .relexport-plan/parts/<pid>-<random>.part   what is half-written
//! group_1/labels.ndjson.gz                    the same, synced and renamed
//! ```
//!
//! Half-written files lie in the plan's folder and nowhere else, each under a name that no other process draws. So what a
//! dead worker left is in nobody's way, and goes with the plan; and whoever is late finds no folder to write to, and
//! changes nothing of an export that is complete.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::anchor::Anchor;
use super::atomic::{PART, PartFile, folder_of, make_folders, sync_folder};
use super::claim::FolderClaim;
use super::files;
use super::holding::{check_for_plan, check_place, manifest_in};
use super::lock::INSIDE;
use crate::hex;
use crate::io_error::at;
use crate::output::layout;
use crate::output::manifest::{self, Manifest};
use crate::output::store::claim::{Files, NewFile, Written};
use crate::output::store::contents::{Contents, Listed, StoredFile};
use crate::output::store::error::StoreError;
use crate::output::store::shared::{SharedPlace, check_folder, check_name, is_same_export};

/// The folder in the plan's for what is half-written.
const PARTS: &str = "parts";

/// Files for which it is worth it to remove several at a time.
const MANY: usize = 1000;

/// Threads that remove files.
const REMOVERS: usize = 16;

/// How often a folder is removed anew that somebody has put something into meanwhile.
const CLEARS: u32 = 10;

/// A folder that several processes write to.
#[derive(Debug)]
pub(crate) struct SharedFolder {
    /// As the user names it.
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The folder that was there when it was used first.
    anchor: Option<Arc<Anchor>>,
    /// Folders in it whose names last: another process may have made one, and not have synced it.
    lasting: HashSet<PathBuf>,
}

impl SharedFolder {
    /// The folder of this name. Nothing is looked at yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        SharedFolder {
            path: path.into(),
            state: Mutex::default(),
        }
    }

    /// Holds the folder from its first use on.
    fn anchor(&self) -> io::Result<Arc<Anchor>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(anchor) = &state.anchor {
            return Ok(Arc::clone(anchor));
        }
        let anchor = Arc::new(Anchor::new(&self.path).map_err(at(&self.path))?);
        Ok(Arc::clone(state.anchor.insert(anchor)))
    }

    /// The folder, to read from.
    fn root(&self) -> io::Result<&Path> {
        match self.anchor() {
            Ok(anchor) => anchor.check()?,
            // What does not lie there is told by whoever looks for it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(&self.path)
    }

    fn parts(&self) -> PathBuf {
        self.path.join(layout::PLAN_FOLDER).join(PARTS)
    }

    /// Begins a file, and makes the folders above it.
    fn begin(&self, name: &str) -> io::Result<NewSharedFile> {
        let path = files::path(&self.path, name)?;
        let anchor = self.anchor()?;
        anchor.check()?;
        let parts = self.parts();
        let part = parts.join(part_name()?);
        let part = PartFile::create_as(part, &path).map_err(|error| gone_or(error, &parts))?;
        if let Some(folder) = Path::new(name).parent() {
            self.make_lasting(folder)?;
        }
        Ok(NewSharedFile {
            part,
            parts,
            anchor,
        })
    }

    /// As [`make_folders`]; what another process has made is synced, too, once for each folder.
    fn make_lasting(&self, folder: &Path) -> io::Result<()> {
        make_folders(&self.path, folder)?;
        let state = || self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = {
            let state = state();
            let below = folder.ancestors();
            let is_new =
                |folder: &&Path| !folder.as_os_str().is_empty() && !state.lasting.contains(*folder);
            below.take_while(is_new).collect::<Vec<_>>()
        };
        for folder in &is_new {
            sync_folder(folder_of(&self.path.join(folder)))?;
        }
        state()
            .lasting
            .extend(is_new.into_iter().map(Path::to_owned));
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.begin(name)?;
        file.part.write(bytes)?;
        Box::new(file).commit().map(drop)
    }

    fn put_if_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let mut file = self.begin(name)?;
        file.part.write(bytes)?;
        file.anchor.check()?;
        let parts = file.parts;
        file.part
            .commit_new()
            .map_err(|error| gone_or(error, &parts))
    }

    /// Whether a manifest of this export lies here already.
    fn is_finished(&self, manifest: &Manifest) -> io::Result<bool> {
        let path = self.path.join(manifest::FILE_NAME);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(false);
        }
        match manifest_in(&self.path).is_some_and(|found| is_same_export(&found, manifest)) {
            true => Ok(true),
            false => Err(at(&path)(io::ErrorKind::AlreadyExists.into())),
        }
    }
}

impl Contents for SharedFolder {
    fn shown(&self, name: &str) -> String {
        files::shown(&self.path, name)
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        files::read(self.root()?, name)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        files::length(self.root()?, name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(self.root()?, folder)
    }
}

impl Files for SharedFolder {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        check_name(name)?;
        Ok(Box::new(self.begin(name)?))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_name(name)?;
        self.put(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.anchor()?.check()?;
        files::remove(&self.path, name)
    }
}

impl SharedPlace for SharedFolder {
    fn begin_shared(&self) -> Result<(), StoreError> {
        check_place(&self.path)?;
        // While it looks, and makes what is missing, no other run begins here.
        let claim = FolderClaim::take(&self.path)?;
        check_for_plan(&claim.place, &self.path)?;
        let io = |source| StoreError::io(&self.path, source);
        match fs::create_dir(&claim.place) {
            Ok(()) => sync_folder(folder_of(&claim.place)).map_err(io)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        self.anchor()
            .and_then(|anchor| anchor.check())
            .map_err(io)?;
        let parts = Path::new(layout::PLAN_FOLDER).join(PARTS);
        make_folders(&self.path, &parts).map_err(io)
    }

    fn name(&self) -> String {
        let place = fs::canonicalize(&self.path);
        let place = place.as_deref().unwrap_or(&self.path);
        let name = place.file_name();
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        check_name(name)?;
        self.put_if_new(name, bytes)
    }

    fn sizes(&self, folder: &str) -> io::Result<BTreeMap<String, u64>> {
        let root = self.root()?;
        let path = match folder.is_empty() {
            true => root.to_owned(),
            false => files::path(root, folder)?,
        };
        let mut sizes = BTreeMap::new();
        add_sizes(&path, folder, &mut sizes)?;
        Ok(sizes)
    }

    fn finish(&self, manifest: &Manifest, metadata: &[u8]) -> io::Result<()> {
        let name = manifest.metadata_name();
        if self.is_finished(manifest)? {
            return Ok(());
        }
        self.put(name, metadata)?;
        let is_new = self.put_if_new(manifest::FILE_NAME, &manifest.to_json()?)?;
        // Else by another commit at the same moment, which has put the same beside it.
        match is_new || self.is_finished(manifest)? {
            true => Ok(()),
            false => Err(io::Error::other("the manifest that was there has gone")),
        }
    }

    fn clear(&self, folder: &str) -> io::Result<()> {
        check_folder(folder)?;
        let path = files::path(&self.path, folder)?;
        self.anchor()?.check()?;
        if folder == layout::PLAN_FOLDER {
            // A plan without what its tasks have done would look unfinished.
            let plan = files::path(&self.path, layout::PLAN)?;
            match fs::remove_file(&plan) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&plan)(error));
                }
                _ => {}
            }
            // From here on nobody who is late writes anything.
            remove_folder(&self.parts())?;
        }
        remove_files_below(&path);
        remove_folder(&path)?;
        sync_folder(folder_of(&path))
    }
}

/// A name that no other process draws, on no machine.
fn part_name() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(format!(
        "{}-{}{PART}",
        std::process::id(),
        hex::encode(&random)
    ))
}

/// What is wrong if a half-written file cannot be made or named: the folder for it may have gone with the plan.
fn gone_or(error: io::Error, parts: &Path) -> io::Error {
    let is_gone = error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(parts).is_err();
    match is_gone {
        true => io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "{}: it is not there, so nothing can be written; the plan was committed or removed meanwhile",
                parts.display()
            ),
        ),
        false => error,
    }
}

/// Removes the files in the folders of a folder, if they are many, several at a time: a disk takes its time for each. What is
/// left is removed, or told of, by whoever removes the folder.
fn remove_files_below(path: &Path) {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    for folder in entries(path).filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
        let files: Vec<PathBuf> = entries(&folder.path()).map(|file| file.path()).collect();
        if files.len() < MANY {
            continue;
        }
        let shares = files.chunks(files.len().div_ceil(REMOVERS));
        std::thread::scope(|scope| {
            for share in shares {
                scope.spawn(move || {
                    for file in share {
                        let _ = fs::remove_file(file);
                    }
                });
            }
        });
    }
}

/// Removes a folder into which others may still write; it need not be there.
fn remove_folder(path: &Path) -> io::Result<()> {
    let mut cleared = 0;
    loop {
        match fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && cleared < CLEARS => {
                cleared += 1;
            }
            Err(error) => return Err(at(path)(error)),
        }
    }
}

/// Adds the sizes of all files below a folder. Links are none.
fn add_sizes(path: &Path, folder: &str, sizes: &mut BTreeMap<String, u64>) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        // It was not there, or is not there any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(path)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(at(path))?;
        let own = entry.file_name();
        let own = own.to_string_lossy();
        let is_kept_back = match folder {
            "" => own == INSIDE,
            layout::PLAN_FOLDER => own == PARTS,
            _ => false,
        };
        if is_kept_back {
            continue;
        }
        let name = match folder {
            "" => own.into_owned(),
            folder => format!("{folder}/{own}"),
        };
        let path = entry.path();
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&path)(error)),
        };
        if found.is_dir() {
            add_sizes(&path, &name, sizes)?;
        } else if found.is_file() {
            sizes.insert(name, found.len());
        }
    }
    Ok(())
}

/// A file that is being written.
struct NewSharedFile {
    part: PartFile,
    parts: PathBuf,
    anchor: Arc<Anchor>,
}

impl NewFile for NewSharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.part.write(bytes)
    }

    fn commit(self: Box<Self>) -> io::Result<Written> {
        self.anchor.check()?;
        let parts = self.parts;
        let committed = self.part.commit();
        let (bytes, sha256) = committed.map_err(|error| gone_or(error, &parts))?;
        Ok(Written { bytes, sha256 })
    }
}

#[cfg(test)]
mod tests;
