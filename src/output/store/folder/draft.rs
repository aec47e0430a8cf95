//! A folder that is being filled: in its place, or beside it until it is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::anchor::Anchor;
use super::atomic::{folder_of, sync_folder};
use super::claim::FolderClaim;
use super::exchange;
use super::holding::{Holding, is_empty};
use crate::output::store::error::StoreError;

/// An output folder that is being filled.
#[derive(Debug)]
pub struct FolderDraft {
    /// Where files are written: the place itself, or a folder beside it that takes its place in the end.
    work: PathBuf,
    is_staged: bool,
    created: bool,
    /// Of `work`; locked, so that it is told by a lock, too, that a run fills it.
    pub(super) anchor: Arc<Anchor>,
    /// What is to be replaced; locked, too, so that nobody goes on with it meanwhile.
    old: Option<Anchor>,
    pub(super) claim: FolderClaim,
}

impl FolderDraft {
    /// Makes the folder of an export. If one is to be replaced, makes it beside that.
    ///
    /// # Errors
    /// As [`FolderClaim::check_in_place`], and those of the file system.
    pub fn in_place(claim: FolderClaim, force: bool) -> Result<FolderDraft, StoreError> {
        claim.check_in_place(force, Holding::EXPORT)?;
        let existed = claim.place.exists();
        if existed && !is_empty(&claim.place) {
            return Self::stage(claim);
        }
        if !existed {
            let made = fs::create_dir(&claim.place);
            made.map_err(|error| StoreError::io(&claim.shown, error))?;
            if let Err(error) = sync_folder(folder_of(&claim.place)) {
                // The first error is the one to tell.
                let _ = fs::remove_dir(&claim.place);
                return Err(StoreError::io(&claim.shown, error));
            }
        }
        Self::new(claim, None, !existed)
    }

    /// Makes a folder beside the place, which nothing is seen at before everything is complete.
    ///
    /// # Errors
    /// As [`FolderClaim::check_beside`], and those of the file system.
    pub fn beside(
        claim: FolderClaim,
        force: bool,
        holding: Holding,
    ) -> Result<FolderDraft, StoreError> {
        claim.check_beside(force, holding)?;
        Self::stage(claim)
    }

    /// The folder of an unfinished export, to go on in.
    ///
    /// # Errors
    /// If another run is writing into it, or it cannot be opened.
    pub fn again(claim: FolderClaim) -> Result<FolderDraft, StoreError> {
        Self::new(claim, None, true)
    }

    fn stage(claim: FolderClaim) -> Result<FolderDraft, StoreError> {
        let io = |source| StoreError::io(&claim.shown, source);
        let work = exchange::new_beside(&claim.place).map_err(io)?;
        if claim.place.exists()
            && !is_empty(&claim.place)
            && let Err(source) = exchange::check_movable(&work, &claim.place)
        {
            // It is empty, and nobody's.
            let _ = fs::remove_dir(&work);
            return Err(StoreError::Unmovable {
                path: claim.shown.display().to_string(),
                source,
            });
        }
        Self::new(claim, Some(work), true)
    }

    /// `staged` is a folder beside the place.
    fn new(
        mut claim: FolderClaim,
        staged: Option<PathBuf>,
        created: bool,
    ) -> Result<FolderDraft, StoreError> {
        let is_filled = staged.is_some() && claim.place.exists() && !is_empty(&claim.place);
        // Whatever lay there when the place was claimed is locked already.
        let held = claim.folder.take().filter(|held| held.check().is_ok());
        let (old, anchor) = match &staged {
            None => (None, held.map_or_else(|| lock(&claim.place, &claim), Ok)?),
            Some(work) => {
                let old = match (is_filled, held) {
                    (true, Some(held)) => Some(held),
                    (true, None) => Some(lock(&claim.place, &claim)?),
                    (false, _) => None,
                };
                (old, lock(work, &claim)?)
            }
        };
        Ok(FolderDraft {
            is_staged: staged.is_some(),
            work: staged.unwrap_or_else(|| claim.place.clone()),
            created,
            anchor: Arc::new(anchor),
            old,
            claim,
        })
    }

    /// Where files are to be written.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// True if what is in its place stays there until this is complete.
    pub(super) fn is_staged(&self) -> bool {
        self.is_staged
    }

    /// Makes sure that files are still written into the folder that was made.
    ///
    /// # Errors
    /// If it was removed or replaced.
    pub fn check_identity(&self) -> Result<(), StoreError> {
        self.anchor.check().map_err(|error| self.io(error))
    }

    /// The folder is complete: it takes the place of the one that it replaces. Returns that place.
    ///
    /// # Errors
    /// Those of the file system, and if somebody else has changed what lies there; the old folder is then still
    /// there, and the new one where it was written.
    pub fn put(&self) -> Result<&Path, StoreError> {
        self.check_identity()?;
        if self.is_staged {
            exchange::put(&self.work, &self.claim.place, self.old.as_ref())
                .map_err(|error| self.io(error))?;
        }
        Ok(&self.claim.shown)
    }

    /// The folder came to nothing: takes away what was made. What somebody else put in its place stays.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn take_away(&self) -> io::Result<()> {
        self.anchor.check()?;
        if self.created {
            return fs::remove_dir_all(&self.work);
        }
        for entry in fs::read_dir(&self.work)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?
            } else {
                fs::remove_file(entry.path())?
            }
        }
        Ok(())
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::io(&self.claim.shown, source)
    }
}

/// Opens and locks a folder of a place. It is the second of two locks: it is told wherever the folder is seen from, under
/// whatever name.
fn lock(folder: &Path, claim: &FolderClaim) -> Result<Anchor, StoreError> {
    let anchor = Anchor::new(folder).map_err(|source| StoreError::io(&claim.shown, source))?;
    match anchor.lock() {
        true => Ok(anchor),
        false => Err(StoreError::InUse {
            path: claim.shown.display().to_string(),
            holder: String::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::layout;

    const EXPORT: &str = r#"{"manifest_version":1,"generator":"relexport","status":1,"started_at":"","finished_at":null,
        "snapshot":{"kind":"plain","source":"-","server_version":null,"gitlab_version":null},
        "pipeline":{"name":"group","sha256":""},"options":{"batched":false,"batch_size":1,"edition":"ee"},"entities":[]}"#;

    fn beside(out: &Path, force: bool) -> Result<FolderDraft, StoreError> {
        FolderDraft::beside(FolderClaim::take(out)?, force, Holding::EXPORT)
    }

    fn create(out: &Path, force: bool) -> Result<FolderDraft, StoreError> {
        FolderDraft::in_place(FolderClaim::take(out)?, force)
    }

    #[test]
    fn an_older_export_stays_until_the_new_one_is_complete() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("manifest.json"), EXPORT).unwrap();
        let old = out.join(layout::METADATA);
        fs::write(&old, "old").unwrap();
        assert!(matches!(
            create(&out, false),
            Err(StoreError::Exists { .. })
        ));
        let folder = create(&out, true).unwrap();
        fs::write(folder.work().join("new.gz"), "new").unwrap();
        assert!(old.exists());
        folder.put().unwrap();
        drop(folder);
        assert!(out.join("new.gz").exists() && !old.exists());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn force_replaces_nothing_but_an_export() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(
            create(temp.path(), true),
            Err(StoreError::HoldsSomethingElse { .. })
        ));
    }

    #[test]
    fn a_folder_beside_takes_its_place_only_when_it_is_complete() {
        let temp = tempfile::tempdir().unwrap();
        let empty = temp.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for out in [temp.path().join("a/new"), empty] {
            let folder = beside(&out, false).unwrap();
            fs::write(folder.work().join("manifest.json"), EXPORT).unwrap();
            assert!(!out.join("manifest.json").exists());
            folder.put().unwrap();
            drop(folder);
            assert!(out.join("manifest.json").exists());
            assert!(beside(&out, false).is_err());
            let folder = beside(&out, true).unwrap();
            fs::write(folder.work().join("new"), "").unwrap();
            folder.put().unwrap();
            drop(folder);
            assert!(out.join("new").exists() && !out.join("manifest.json").exists());
            assert_eq!(
                fs::read_dir(out.parent().unwrap())
                    .unwrap()
                    .filter(|entry| {
                        let name = entry.as_ref().unwrap().file_name();
                        name.to_string_lossy().starts_with('.')
                    })
                    .count(),
                0
            );
        }
    }

    #[test]
    fn files_are_no_folders() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(create(&file, true), Err(StoreError::IsAFile(_))));
        assert!(matches!(
            create(&file.join("a/b"), true),
            Err(StoreError::BelowAFile(_))
        ));
    }

    #[test]
    fn a_link_stays_and_where_it_leads_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("disk/out"), temp.path().join("out"));
        fs::create_dir_all(&real).unwrap();
        fs::write(real.join("manifest.json"), EXPORT).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let folder = create(&link, true).unwrap();
        assert_eq!(
            folder.work().parent(),
            Some(real.canonicalize().unwrap().parent().unwrap())
        );
        fs::write(folder.work().join("new.gz"), "new").unwrap();
        assert_eq!(folder.put().unwrap(), link);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(real.join("new.gz").exists());
        let lost = temp.path().join("lost");
        std::os::unix::fs::symlink(temp.path().join("nowhere"), &lost).unwrap();
        assert!(matches!(
            create(&lost, false),
            Err(StoreError::LeadsNowhere(_))
        ));
    }

    #[test]
    fn what_somebody_else_put_in_its_place_is_not_taken_away() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("out");
        let folder = create(&out, false).unwrap();
        fs::remove_dir(&out).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis.txt"), "years of work").unwrap();
        assert!(folder.put().is_err());
        assert!(folder.take_away().is_err());
        assert!(out.join("thesis.txt").exists());
    }

    #[test]
    fn a_folder_that_stays_keeps_what_was_made_above_it() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path().join("a/out");
        drop(create(&out, false).unwrap());
        let left = fs::read_dir(temp.path().join("a")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["out"]);
    }
}
