//! What lies at a place: nothing, what may be replaced, or what is somebody's.

use std::fs;
use std::io;
use std::path::Path;

use super::atomic::part_of;
use super::lock::INSIDE;
use super::own_files;
use crate::output::layout;
use crate::output::manifest::{self, Manifest};
use crate::output::store::error::StoreError;

/// What a folder is made to hold, which is what it may be replaced for.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    /// Its name, and the name with an article.
    pub what: &'static str,
    pub one: &'static str,
    /// True for a folder that holds one.
    pub is_one: fn(&Path) -> bool,
    /// The name of the first thing in a folder that holds one that is somebody's.
    pub foreign: fn(&Path) -> io::Result<Option<String>>,
}

impl Holding {
    /// An export, told by its manifest.
    pub const EXPORT: Holding = Holding {
        what: "export",
        one: "an export",
        is_one: |folder| manifest_in(folder).is_some(),
        foreign: |folder| match manifest_in(folder) {
            Some(manifest) => own_files::foreign(folder, &manifest),
            None => Ok(None),
        },
    };
}

/// Says what is wrong with the name of a place.
pub(in crate::output) fn check_place(path: &Path) -> Result<(), StoreError> {
    let shown = path.display().to_string();
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(StoreError::IsAFile(shown)),
        Ok(_) => Ok(()),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            Err(StoreError::LeadsNowhere(shown))
        }
        Err(_) => {
            let above = path
                .ancestors()
                .skip(1)
                .find(|above| fs::symlink_metadata(above).is_ok());
            match above {
                Some(above) if !above.is_dir() => Err(StoreError::BelowAFile(shown)),
                _ => Ok(()),
            }
        }
    }
}

/// Says what is wrong with what lies at a place already.
pub(in crate::output) fn check_content(
    path: &Path,
    force: bool,
    holding: Holding,
) -> Result<(), StoreError> {
    let shown = path.display().to_string();
    if !path.exists() || is_empty(path) {
        Ok(())
    } else if holds_plan(path) {
        Err(StoreError::HoldsAPlan(shown))
    } else if !force {
        Err(StoreError::Exists {
            path: shown,
            what: holding.what,
        })
    } else if !(holding.is_one)(path) {
        Err(StoreError::HoldsSomethingElse {
            path: shown,
            one: holding.one,
        })
    } else {
        let foreign = (holding.foreign)(path).map_err(|error| StoreError::io(path, error))?;
        foreign.map_or(Ok(()), |other| {
            Err(StoreError::HoldsForeign { path: shown, other })
        })
    }
}

/// True for a folder without anything but what a run leaves that was killed before its manifest was there.
pub(super) fn is_empty(folder: &Path) -> bool {
    let part = part_of(&folder.join(manifest::FILE_NAME));
    let lock = folder.join(INSIDE);
    let is_nothing = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path() == part || entry.path() == lock)
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_nothing))
}

/// True for a folder with a plan that is not committed: once a manifest is there, it is, and what is left of it is the
/// export's own.
pub(super) fn holds_plan(folder: &Path) -> bool {
    let is_there = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    is_there(layout::PLAN_FOLDER) && !is_there(manifest::FILE_NAME)
}

/// Says what is wrong with putting a plan into a folder; one that lies there already is not in the way.
pub(super) fn check_for_plan(folder: &Path, shown: &Path) -> Result<(), StoreError> {
    let refused = |what| StoreError::NoPlaceForAPlan {
        path: shown.display().to_string(),
        what,
    };
    let is_there = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    if is_there(manifest::FILE_NAME) {
        return Err(refused("an export"));
    }
    if is_there(layout::PLAN) {
        return Ok(());
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io(shown, error)),
    };
    for entry in entries {
        let name = entry
            .map_err(|error| StoreError::io(shown, error))?
            .file_name();
        // A lock that somebody left, or a folder of a plan that was cut off before the plan was there.
        if name != INSIDE && name != layout::PLAN_FOLDER {
            return Err(refused("something other than a plan"));
        }
    }
    Ok(())
}

/// The manifest that lies in a folder, if it is one.
pub(super) fn manifest_in(folder: &Path) -> Option<Manifest> {
    let path = folder.join(manifest::FILE_NAME);
    let bytes = fs::read(&path).ok()?;
    Manifest::parse(&bytes, path.display().to_string()).ok()
}
