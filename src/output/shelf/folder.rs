//! A folder as a shelf: each export is a folder directly below it, `latest` a relative link.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LATEST, Shelf, ShelvedExport};
use crate::io_error::at;
use crate::output::layout;
use crate::output::manifest::ManifestError;
use crate::output::store::folder::{atomic, removal};
use crate::output::store::{Contents, FolderStore, Store, StoreError};

/// A folder of exports.
#[derive(Debug, Clone)]
pub struct FolderShelf {
    root: PathBuf,
}

impl FolderShelf {
    /// The folder of this name. Nothing is looked at yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        FolderShelf { root: root.into() }
    }

    /// The place of an export.
    fn place(&self, name: &str) -> io::Result<PathBuf> {
        match layout::is_name(name) && !removal::is_hidden(name) {
            true => Ok(self.root.join(name)),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no name of an export"),
            )),
        }
    }

    /// The export of a name, if one lies there that is of this program.
    fn export(&self, name: String) -> Option<ShelvedExport> {
        let place = self.place(&name).ok()?;
        if !removal::is_own_folder(&place) {
            return None;
        }
        let store = FolderStore::new(place);
        match store.manifest() {
            Ok(manifest) => Some(ShelvedExport::new(name, &manifest, |file| {
                store.length(file)
            })),
            Err(ManifestError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                None
            }
            Err(error) => {
                tracing::warn!("{} is not counted: {error}", self.shown_export(&name));
                None
            }
        }
    }

    fn io_error(&self, name: &str) -> impl Fn(io::Error) -> StoreError {
        let shown = self.shown_export(name);
        move |source| StoreError::io(Path::new(&shown), source)
    }
}

impl Shelf for FolderShelf {
    fn shown(&self) -> String {
        self.root.display().to_string()
    }

    fn shown_export(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn exports(&self) -> io::Result<Vec<ShelvedExport>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(&self.root)(error)),
        };
        let mut exports = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 is none that this program gives.
            if let Ok(name) = entry.map_err(at(&self.root))?.file_name().into_string() {
                exports.extend(self.export(name));
            }
        }
        Ok(exports)
    }

    fn store(&self, name: &str) -> Result<Arc<dyn Store>, StoreError> {
        let place = self.place(name).map_err(self.io_error(name))?;
        Ok(Arc::new(FolderStore::new(place)))
    }

    fn remove(&self, export: &ShelvedExport) -> Result<(), StoreError> {
        let name = &export.name;
        let place = self.place(name).map_err(self.io_error(name))?;
        removal::remove(&place, &export.started_at)
    }

    fn mark_suspect(&self, name: &str, reasons: &[String]) -> Result<(), StoreError> {
        let place = self.place(name).map_err(self.io_error(name))?;
        removal::change_manifest(&place, |manifest| manifest.suspect = reasons.to_vec())
    }

    fn latest(&self) -> io::Result<Option<String>> {
        let link = self.root.join(LATEST);
        match fs::read_link(&link) {
            Ok(target) => {
                let name = target.to_str().filter(|name| self.place(name).is_ok());
                let is_there = |name: &&str| removal::is_own_folder(&self.root.join(name));
                Ok(name.filter(is_there).map(str::to_owned))
            }
            // Nothing has the name, or something that is no link.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(at(&link)(error)),
        }
    }

    fn set_latest(&self, name: &str) -> io::Result<()> {
        let link = self.root.join(LATEST);
        let place = self.place(name)?;
        if !removal::is_own_folder(&place) {
            return Err(io::Error::other(format!(
                "{} is no folder, so {} cannot lead to it",
                place.display(),
                link.display()
            )));
        }
        match fs::symlink_metadata(&link) {
            Ok(found) if !found.is_symlink() => {
                return Err(io::Error::other(format!(
                    "{} is no link, so it is not replaced\n  move it away",
                    link.display()
                )));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&link)(error)),
        }
        // A link cannot be changed, only replaced by another one.
        let free = tempfile::Builder::new()
            .prefix(".latest.relexport-link-")
            .rand_bytes(12)
            .make_in(&self.root, |path| symlink(name, path))
            .map_err(at(&self.root))?;
        fs::rename(free.path(), &link).map_err(at(&link))?;
        // It has its name, so nothing is left to be removed.
        let _ = free.into_temp_path().keep();
        atomic::sync_folder(&self.root)
    }

    fn clear(&self) -> io::Result<Vec<String>> {
        let cleared = removal::clear_shelf(&self.root)?;
        Ok(cleared
            .into_iter()
            .map(|path| path.display().to_string())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civil::UtcTime;
    use crate::output::shelf::{ExportState, newest};
    use crate::output::store::folder::names;

    /// A finished export without entities, and the file that describes it.
    fn put(root: &Path, name: &str, started_at: &str) {
        let manifest = format!(
            r#"{{"manifest_version": 1, "generator": "", "status": 1, "started_at": "{started_at}",
                 "finished_at": null, "snapshot": {{"kind": "plain", "source": "dump.sql"}},
                 "pipeline": {{"name": "group", "sha256": ""}}, "entities": [],
                 "options": {{"batched": true, "batch_size": 2, "edition": "ee"}}}}"#
        );
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("manifest.json"), manifest).unwrap();
        fs::write(root.join(name).join(layout::METADATA), "").unwrap();
    }

    #[test]
    fn latest_is_a_relative_link_that_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = FolderShelf::new(temp.path());
        put(temp.path(), "one", "2026-11-27T02:00:00.000Z");
        put(temp.path(), "two", "2026-11-28T02:00:00.000Z");
        assert_eq!(shelf.latest().unwrap(), None);
        for name in ["one", "two", "two"] {
            shelf.set_latest(name).unwrap();
            assert_eq!(
                fs::read_link(temp.path().join("latest")).unwrap(),
                Path::new(name)
            );
            assert_eq!(shelf.latest().unwrap().as_deref(), Some(name));
        }
        assert_eq!(names(temp.path()), ["latest", "one", "two"]);
        // Neither the link nor what it leads to twice is an export.
        assert_eq!(shelf.exports().unwrap().len(), 2);
    }

    #[test]
    fn latest_leads_to_exports_only_and_replaces_only_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = FolderShelf::new(temp.path());
        put(temp.path(), "one", "2026-11-27T02:00:00.000Z");
        for name in ["missing", "../one", "", ".", "/"] {
            assert!(shelf.set_latest(name).is_err(), "{name:?}");
        }
        let link = temp.path().join("latest");
        symlink("/etc", &link).unwrap();
        assert_eq!(shelf.latest().unwrap(), None);
        shelf.set_latest("one").unwrap();
        fs::remove_file(&link).unwrap();
        fs::write(&link, "years of work").unwrap();
        assert_eq!(shelf.latest().unwrap(), None);
        let error = shelf.set_latest("one").unwrap_err().to_string();
        assert!(
            error.contains("is no link, so it is not replaced"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&link).unwrap(), "years of work");
        assert_eq!(names(temp.path()), ["latest", "one"]);
    }

    #[test]
    fn a_suspect_export_is_never_the_newest() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = FolderShelf::new(temp.path());
        put(temp.path(), "one", "2026-11-27T02:00:00.000Z");
        put(temp.path(), "two", "2026-11-28T02:00:00.000Z");
        put(temp.path(), "ahead", "2099-11-28T02:00:00.000Z");
        let now = UtcTime::parse("2026-11-29T00:00:00Z").unwrap();
        let of_now = |shelf: &FolderShelf| {
            let exports = shelf.exports().unwrap();
            newest(&exports, None, now).map(|export| export.name.clone())
        };
        assert_eq!(of_now(&shelf).as_deref(), Some("two"));
        let reasons = ["badges: 1 row".to_owned()];
        shelf.mark_suspect("two", &reasons).unwrap();
        assert_eq!(of_now(&shelf).as_deref(), Some("one"));
        let exports = shelf.exports().unwrap();
        let two = exports.iter().find(|export| export.name == "two").unwrap();
        assert_eq!(two.state, ExportState::Suspect(reasons.to_vec()));
        assert_eq!(newest(&exports, Some("acme"), now), None);
    }

    #[test]
    fn an_export_that_was_replaced_since_is_not_removed() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = FolderShelf::new(temp.path());
        put(temp.path(), "one", "2026-11-27T02:00:00.000Z");
        let seen = shelf.exports().unwrap().remove(0);
        fs::remove_dir_all(temp.path().join("one")).unwrap();
        put(temp.path(), "one", "2026-11-28T02:00:00.000Z");
        assert!(matches!(shelf.remove(&seen), Err(StoreError::Changed(_))));
        let seen = shelf.exports().unwrap().remove(0);
        shelf.remove(&seen).unwrap();
        assert_eq!(names(temp.path()), [""; 0]);
    }

    #[test]
    fn a_shelf_that_is_not_there_holds_nothing() {
        let shelf = FolderShelf::new("/no/such/shelf");
        assert_eq!(shelf.exports().unwrap(), []);
        assert_eq!(shelf.latest().unwrap(), None);
        assert_eq!(shelf.clear().unwrap(), [""; 0]);
    }
}
