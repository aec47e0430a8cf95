//! Repositories of a backup: where one lies, which branches it had, and one bundle with all of it.
//!
//! A full bundle is handed on as it is. A chain of increments is replayed by the `git` program, into one bundle whose
//! bytes follow from the chain alone (and from git's version).

mod bundle;
mod bundle_header;
mod error;
pub(crate) mod git;
mod layout;
mod manifest;
mod object_id;
mod path;
mod ref_lines;
mod refs;
mod unpack;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use bundle::Bundle;
pub use bundle_header::BundleHeader;
pub use error::RepositoryError;
pub use object_id::{ObjectFormat, ObjectId};
pub use path::RepositoryPath;
pub use refs::Refs;

use layout::{Layouts, Located, Member, Step};
use ref_lines::EachRef;

use crate::snapshot::BackupFiles;
use crate::temp_folder::TempFolder;

/// Names of temp folders in which chains are replayed.
const TEMP_PREFIX: &str = "relexport-git-";

/// The repositories of a backup. Cheap to make; nothing is read before it is asked for.
pub struct Repositories {
    files: Arc<dyn BackupFiles>,
    /// The storages that there are manifests of, once somebody has looked.
    storages: OnceLock<Vec<String>>,
    doubts: Arc<Mutex<Doubts>>,
}

/// What is doubtful of the repositories of a backup.
#[derive(Debug, Default)]
struct Doubts {
    /// The manifests of other backups that repositories were found by.
    of_other_backups: BTreeSet<String>,
    /// Lists of refs that are not those of the bundles beside them.
    unlike_bundles: BTreeSet<String>,
}

/// What a backup has of a repository.
#[derive(Debug)]
pub enum Found {
    /// Nothing: it was never made, or the backup was made without it, or has lost it.
    Missing,
    /// A manifest, which says that there was none.
    Absent,
    /// It was there, and nothing was in it.
    Empty {
        /// What HEAD said, `refs/heads/main`, where the backup says so.
        head: Option<String>,
        /// A manifest names files of it, none of them is in the backup, and nothing says that this is as it should be.
        is_doubtful: bool,
    },
    Repository(Repository),
}

/// A repository with something in it.
pub struct Repository {
    files: Arc<dyn BackupFiles>,
    /// The member that says where it is, for messages.
    named_by: String,
    object_format: Option<ObjectFormat>,
    head_reference: Option<String>,
    /// The first one with a bundle is full.
    steps: Vec<Step>,
    refs: OnceLock<Arc<Refs>>,
    /// Those of the whole backup.
    doubts: Arc<Mutex<Doubts>>,
}

impl Repositories {
    pub fn new(files: Arc<dyn BackupFiles>) -> Self {
        Repositories {
            files,
            storages: OnceLock::new(),
            doubts: Arc::default(),
        }
    }

    /// What is doubtful of the repositories that were found until now.
    pub fn warnings(&self) -> Vec<String> {
        let doubts = self.doubts.lock();
        let doubts = doubts.unwrap_or_else(PoisonError::into_inner);
        let sorts = [
            (
                &doubts.of_other_backups,
                "repositories are taken from manifests of other backups, because the manifests of this one are not there: they may \
                 be older, and lack what came since",
            ),
            (
                &doubts.unlike_bundles,
                "lists of refs are not those of the bundles beside them: branches may be missing from the repository, or from the \
                 values that are taken from such a list",
            ),
        ];
        let says = sorts.into_iter().filter_map(|(names, says)| {
            let first = names.first()?;
            Some(format!("{says} ({}, the first is {first})", names.len()))
        });
        says.collect()
    }

    /// Has the backup find out where its files are, which may take a while, and is needed once.
    ///
    /// # Errors
    /// The backup cannot be read.
    pub fn warm(&self) -> Result<(), RepositoryError> {
        self.files.size_of("repositories/")?;
        Ok(())
    }

    /// True for a backup with manifests. It has one of each repository that there was, also of an empty one. Of a repository that
    /// was never made Gitaly wrote none before it knew `non_existent`.
    pub fn have_manifests(&self) -> bool {
        let layouts = Layouts {
            files: &*self.files,
            storages: &self.storages,
        };
        layouts
            .storages()
            .is_ok_and(|storages| !storages.is_empty())
    }

    /// Looks for a repository, on its storage first where that is known (`projects.repository_storage`). Reads a few small
    /// members, and no bundle.
    ///
    /// # Errors
    /// The backup cannot be read, or what it says of the repository is damaged: a bundle is missing, say.
    pub fn find(
        &self,
        path: &RepositoryPath,
        storage: Option<&str>,
    ) -> Result<Found, RepositoryError> {
        let layouts = Layouts {
            files: &*self.files,
            storages: &self.storages,
        };
        let Some(located) = layouts.locate(path, storage)? else {
            return Ok(Found::Missing);
        };
        let Located {
            named_by,
            non_existent,
            has_manifest,
            of_another_backup,
            is_empty,
            not_empty,
            object_format,
            head_reference,
            steps,
        } = located;
        if of_another_backup {
            let doubts = self.doubts.lock();
            let mut doubts = doubts.unwrap_or_else(PoisonError::into_inner);
            doubts.of_other_backups.insert(named_by.clone());
        }
        if non_existent {
            return Ok(Found::Absent);
        }
        let has_refs = |step: &Step| step.refs.as_ref().is_some_and(|refs| refs.size > 0);
        let without_bundle = |step: &&Step| step.bundle.is_none();
        if let Some(step) = steps
            .iter()
            .take_while(without_bundle)
            .find(|step| has_refs(step))
        {
            return Err(RepositoryError::damaged(
                &step.bundle_name,
                "it is not in the backup, and the refs that belong to it are; the backup was cut off, or made with an error",
            ));
        }
        let is_chain = steps.iter().filter(|step| step.bundle.is_some()).count() > 1;
        if let Some(Step {
            refs: Some(refs),
            bundle: Some(_),
            ..
        }) = steps.last().filter(|_| is_chain)
            && refs.size == 0
        {
            return Err(RepositoryError::damaged(
                &refs.name,
                "it is empty, and the bundle that belongs to it is not; the backup was cut off, or made with an error",
            ));
        }
        let is_empty_now = steps.last().is_none_or(|step| {
            step.refs.as_ref().is_some_and(|refs| refs.size == 0) && step.bundle.is_none()
        });
        if not_empty && (is_empty_now || steps.iter().all(|step| step.bundle.is_none())) {
            return Err(RepositoryError::damaged(
                &named_by,
                "it says that the repository is not empty, and what it names is not in the backup",
            ));
        }
        if steps.is_empty() && !is_empty {
            return Err(RepositoryError::damaged(
                &named_by,
                "it does not say what the repository consists of",
            ));
        }
        if is_empty_now || steps.iter().all(|step| step.bundle.is_none()) {
            // Gitaly writes an empty list of refs for an empty repository, since before it wrote manifests. That all refs of
            // a repository with bundles were deleted is less likely than that the newest list was cut off: GitLab keeps some.
            let has_list = steps.last().is_some_and(|step| step.refs.is_some());
            let had_content = steps.iter().any(|step| step.bundle.is_some());
            let is_doubtful = match has_manifest {
                true => !is_empty && !has_list,
                // Of a chain something was once written, and it is not there.
                false => steps.len() > 1 && !has_list,
            };
            return Ok(Found::Empty {
                is_doubtful: is_doubtful || had_content,
                head: head_reference,
            });
        }
        Ok(Found::Repository(Repository {
            files: Arc::clone(&self.files),
            named_by,
            object_format,
            head_reference,
            steps,
            refs: OnceLock::new(),
            doubts: Arc::clone(&self.doubts),
        }))
    }
}

impl Repository {
    /// What HEAD is: a branch in full, `refs/heads/main`. If the backup does not say it, the branch that git's clone would
    /// take. `None` if it is none, or its name is not UTF-8.
    ///
    /// # Errors
    /// The list of refs cannot be read.
    pub fn head(&self) -> Result<Option<String>, RepositoryError> {
        if let Some(head) = &self.head_reference {
            return Ok(Some(head.clone()));
        }
        let refs = self.refs()?;
        let Some(branch) = refs.guessed_branch() else {
            return Ok(None);
        };
        match std::str::from_utf8(branch) {
            Ok(branch) => Ok(Some(format!("refs/heads/{branch}"))),
            Err(_) => {
                tracing::warn!(
                    "the default branch of {} has a name that is not UTF-8, so it is not named",
                    self.named_by
                );
                Ok(None)
            }
        }
    }

    /// The branches of the newest step: from its list, and where there is none, from the bundle.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn refs(&self) -> Result<Arc<Refs>, RepositoryError> {
        if let Some(refs) = self.refs.get() {
            return Ok(Arc::clone(refs));
        }
        let last = self.steps.last();
        let list = last.and_then(|step| step.refs.as_ref());
        // An empty list beside a full bundle was cut off: there is no bundle of a repository without refs.
        let list = list.filter(|list| list.size > 0 || self.is_chain());
        let refs = match list {
            Some(member) => Refs::read_lines(self.open(member)?)
                .map_err(|fault| RepositoryError::of_refs(&member.name, fault))?,
            None => {
                let bundle = self.only_bundle().ok_or_else(|| {
                    RepositoryError::damaged(&self.named_by, "the newest list of refs is missing")
                })?;
                let mut refs = Refs::default();
                self.header(bundle, &mut |id, name| refs.add(id, name))?;
                refs.finish();
                refs
            }
        };
        Ok(Arc::clone(self.refs.get_or_init(|| Arc::new(refs))))
    }

    /// Bytes of its bundles in the backup.
    pub fn bundle_size(&self) -> u64 {
        let bundles = self.steps.iter().filter_map(|step| step.bundle.as_ref());
        bundles.map(|bundle| bundle.size).sum()
    }

    /// True if it is a chain of increments, which only `git` can put together.
    pub fn is_chain(&self) -> bool {
        self.only_bundle().is_none()
    }

    /// One bundle with all of it. Of a full backup it is the backup's own, whose header is checked. A chain is replayed by
    /// `git` in a folder of `temp_dir`, which takes twice the bytes of the repository for as long as that lasts; the same
    /// chain gives the same bytes.
    ///
    /// # Errors
    /// The backup cannot be read, a bundle is missing or damaged, there is no `git` or it fails, the disk is full, or the run
    /// is interrupted.
    pub fn bundle(
        &self,
        temp_dir: &Path,
        interrupted: &AtomicBool,
    ) -> Result<Bundle, RepositoryError> {
        if let Some(member) = self.unchanged_bundle()? {
            let mut refs = Refs::default();
            let header = self.full_header(member, &mut |id, name| refs.add(id, name))?;
            self.compare_with_list(&refs)?;
            return Ok(Bundle::of_member(Arc::clone(&self.files), member, header));
        }
        let temp = TempFolder::create(temp_dir, TEMP_PREFIX).map_err(RepositoryError::Folder)?;
        let bundled = self.replay(temp.path(), interrupted);
        // What could not be removed is so by the next run.
        if let Err(error) = fs::remove_dir_all(temp.path()) {
            tracing::debug!("{} stays: {error}", temp.path().display());
        }
        bundled
    }

    fn replay(&self, home: &Path, interrupted: &AtomicBool) -> Result<Bundle, RepositoryError> {
        let folder = home.join("replayed.git");
        let refs = unpack::unpack(self, &folder, home, interrupted)?;
        let (file, header) = unpack::bundle(self, &folder, home, refs, interrupted)?;
        let size = file.metadata().map_err(RepositoryError::Folder)?.len();
        Ok(Bundle::of_file(file, size, header))
    }

    /// Makes a bare repository of it in `folder`, which is not there yet. `home` is a folder for what git may want to keep
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Repository::bundle`]; always needs `git`. What was made until then stays.
    pub(crate) fn unpack(
        &self,
        folder: &Path,
        home: &Path,
        interrupted: &AtomicBool,
    ) -> Result<(), RepositoryError> {
        unpack::unpack(self, folder, home, interrupted)?;
        match self.is_chain() {
            true => unpack::check_connected(self, folder, home, interrupted),
            false => Ok(()),
        }
    }

    /// The bundle, if there is one alone.
    fn only_bundle(&self) -> Option<&Member> {
        let mut bundles = self.steps.iter().filter_map(|step| step.bundle.as_ref());
        bundles.next().filter(|_| bundles.next().is_none())
    }

    /// The bundle, if there is one alone, and no ref was changed or deleted in the steps after it.
    fn unchanged_bundle(&self) -> Result<Option<&Member>, RepositoryError> {
        let Some(bundle) = self.only_bundle() else {
            return Ok(None);
        };
        let at = self.steps.iter().position(|step| step.bundle.is_some());
        let of_bundle = at.and_then(|at| self.steps[at].refs.as_ref());
        let is_last = at.is_some_and(|at| at + 1 == self.steps.len());
        let newest = self.steps.last().and_then(|step| step.refs.as_ref());
        let is_same = match (of_bundle, newest) {
            _ if is_last => true,
            (Some(first), Some(last)) => first.size == last.size && self.is_same(first, last)?,
            _ => false,
        };
        Ok(is_same.then_some(bundle))
    }

    /// True if two members have the same bytes.
    fn is_same(&self, one: &Member, other: &Member) -> Result<bool, RepositoryError> {
        let (mut first, mut second) = (self.open(one)?.bytes(), self.open(other)?.bytes());
        loop {
            let next = |bytes: Option<std::io::Result<u8>>, member: &Member| {
                bytes
                    .transpose()
                    .map_err(|error| RepositoryError::unreadable(&member.name, error))
            };
            match (next(first.next(), one)?, next(second.next(), other)?) {
                (None, None) => return Ok(true),
                (a, b) if a == b => {}
                _ => return Ok(false),
            }
        }
    }

    fn open(&self, member: &Member) -> Result<BufReader<Box<dyn Read + Send>>, RepositoryError> {
        let opened = self.files.open(&member.name, 0..member.size)?;
        Ok(BufReader::with_capacity(64 << 10, opened))
    }

    /// The header of a bundle.
    fn header(
        &self,
        bundle: &Member,
        each: &mut EachRef<'_>,
    ) -> Result<BundleHeader, RepositoryError> {
        let damaged = |reason: String| RepositoryError::damaged(&bundle.name, reason);
        let header = BundleHeader::read_each(self.open(bundle)?, each)
            .map_err(|fault| RepositoryError::of_refs(&bundle.name, fault))?;
        match self.object_format {
            Some(format) if format != header.object_format => Err(damaged(format!(
                "its object format is {}, and {} says that it is {}",
                header.object_format.name(),
                self.named_by,
                format.name()
            ))),
            _ => Ok(header),
        }
    }

    /// Notes if the refs of a bundle are not those of the newest list: Gitaly makes the one of the other.
    fn compare_with_list(&self, refs: &Refs) -> Result<(), RepositoryError> {
        let list = self.steps.last().and_then(|step| step.refs.as_ref());
        if let Some(list) = list.filter(|list| list.size > 0)
            && !self.refs()?.are_those_of(refs)
        {
            let doubts = self.doubts.lock();
            let mut doubts = doubts.unwrap_or_else(PoisonError::into_inner);
            doubts.unlike_bundles.insert(list.name.clone());
        }
        Ok(())
    }

    /// The header of a bundle that has to be a full one.
    fn full_header(
        &self,
        bundle: &Member,
        each: &mut EachRef<'_>,
    ) -> Result<BundleHeader, RepositoryError> {
        let header = self.header(bundle, each)?;
        match header.prerequisites {
            0 => Ok(header),
            _ => Err(RepositoryError::damaged(
                &bundle.name,
                "it is an increment, and the full backup that it belongs to is not there",
            )),
        }
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("named_by", &self.named_by)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
