//! The files of a backup, as they are asked for while records and archives are written.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::repositories::{
    Bundle, Found, Refs, Repositories, Repository, RepositoryError, RepositoryPath,
};
use super::rows::ProjectRow;
use crate::export::render::{FileValues, Unread};
use crate::snapshot::{ArchiveTrouble, Gathered, InnerArchive};

/// Projects whose branches are kept in memory at the same time.
const PROJECTS: usize = 16;

/// Which of a project's repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum BundleOf {
    Project,
    Design,
}

/// What stands before the names of branches.
const BRANCHES: &str = "refs/heads/";

/// What is known of a repository's branches.
type KnownRefs = Result<Option<Arc<HeadAndRefs>>, Unread>;

/// A repository's default branch, and its branches.
struct HeadAndRefs {
    /// The name of the default branch.
    head: Option<String>,
    refs: Arc<Refs>,
}

/// The files of a backup.
pub(in crate::export) struct AtHand {
    gathered: Gathered,
    repositories: Option<Repositories>,
    /// Where projects of the export have their repositories.
    projects: HashMap<i64, Place>,
    /// Those of the projects that were asked for last.
    refs: Mutex<Vec<(i64, KnownRefs)>>,
    /// The backup has not a single repository.
    has_no_repositories: OnceLock<bool>,
    /// The backup has repositories on legacy storage.
    has_legacy_storage: OnceLock<bool>,
    /// What is never told of the backup, and what is in its place.
    redacted_paths: RedactedPaths,
    /// Take what there is of damaged archives.
    keep_going: bool,
    temp_dir: PathBuf,
    interrupted: Arc<AtomicBool>,
}

/// The full paths of projects that an export does not tell, which are parts of the names of files on legacy storage, and what
/// it tells in their place.
#[derive(Debug, Clone, Default)]
pub(in crate::export) struct RedactedPaths {
    paths: Vec<(String, String)>,
    is_any: bool,
}

impl RedactedPaths {
    /// Of entities' full paths, each with what is told.
    pub(in crate::export) fn new(paths: impl Iterator<Item = (String, String)>) -> RedactedPaths {
        let mut paths: Vec<(String, String)> = paths.filter(|(path, told)| path != told).collect();
        let is_any = !paths.is_empty();
        // A path without a slash is that of a group, and may be a word of any text. No repository has one.
        paths.retain(|(path, _)| path.contains('/'));
        // Of two of which one begins with the other, the longer one is meant.
        paths.sort_by_key(|(path, _)| Reverse(path.len()));
        RedactedPaths { paths, is_any }
    }

    /// True if some path is redacted, so that none is told of which it is not known what it holds.
    pub(in crate::export) fn is_any(&self) -> bool {
        self.is_any
    }

    /// A text about files of the backup as it may be told.
    pub(in crate::export) fn told(&self, text: String) -> String {
        self.paths.iter().fold(text, |text, (path, told)| {
            match text.contains(path.as_str()) {
                true => text.replace(path, told),
                false => text,
            }
        })
    }
}

/// Where a project has its repositories.
#[derive(Debug, Clone, Default)]
pub(in crate::export) struct Place {
    /// What the project is called; several where it is one of these.
    full_paths: Vec<String>,
    /// `None` if no row says on which sort of storage it is.
    is_legacy: Option<bool>,
    storage: Option<String>,
}

impl Place {
    /// By the project's row, and its full path.
    pub(in crate::export) fn new(row: &ProjectRow, full_path: &str) -> Place {
        Place {
            full_paths: vec![full_path.to_owned()],
            is_legacy: Some(row.storage_version.is_none_or(|version| version < 1)),
            storage: row.repository_storage.clone(),
        }
    }

    /// The project may be called this.
    pub(in crate::export) fn may_be(&mut self, full_path: &str) {
        self.full_paths.push(full_path.to_owned());
    }

    /// The paths of a repository of the project, the likelier one first.
    pub(in crate::export) fn paths(&self, id: i64, which: BundleOf) -> Vec<RepositoryPath> {
        let full_paths = self.full_paths.iter();
        let (hashed, legacy): (_, Vec<RepositoryPath>) = match which {
            BundleOf::Project => (
                RepositoryPath::project(id),
                full_paths
                    .filter_map(|it| RepositoryPath::legacy(it))
                    .collect(),
            ),
            BundleOf::Design => (
                RepositoryPath::design(id),
                full_paths
                    .filter_map(|it| RepositoryPath::legacy_design(it))
                    .collect(),
            ),
        };
        match self.is_legacy {
            Some(true) => legacy.into_iter().chain([hashed]).collect(),
            Some(false) => vec![hashed],
            None => [hashed].into_iter().chain(legacy).collect(),
        }
    }
}

impl AtHand {
    pub(in crate::export) fn new(
        gathered: Gathered,
        projects: HashMap<i64, Place>,
        redacted_paths: RedactedPaths,
        keep_going: bool,
        temp_dir: &Path,
        interrupted: &Arc<AtomicBool>,
    ) -> AtHand {
        AtHand {
            repositories: gathered
                .files()
                .map(|files| Repositories::new(Arc::clone(files))),
            gathered,
            projects,
            refs: Mutex::new(Vec::new()),
            has_no_repositories: OnceLock::new(),
            has_legacy_storage: OnceLock::new(),
            redacted_paths,
            keep_going,
            temp_dir: temp_dir.to_owned(),
            interrupted: Arc::clone(interrupted),
        }
    }

    /// The bytes of a file of an archive; `None` if it is not there.
    pub(in crate::export) fn inner_size(&self, archive: InnerArchive, path: &str) -> Option<u64> {
        self.gathered.inner_size(archive, path)
    }

    /// Opens a file of an archive.
    ///
    /// # Errors
    /// Those of the temp folder.
    pub(in crate::export) fn open_inner(
        &self,
        archive: InnerArchive,
        path: &str,
    ) -> io::Result<Option<Box<dyn Read + Send>>> {
        match self.inner_size(archive, path) {
            Some(size) => self.gathered.open_inner(archive, path, 0..size),
            None => Ok(None),
        }
    }

    /// True if the backup does not have an archive at all.
    pub(in crate::export) fn is_absent(&self, archive: InnerArchive) -> bool {
        match (self.gathered.trouble(archive), self.gathered.files()) {
            (Some(ArchiveTrouble::Absent), _) => true,
            (Some(ArchiveTrouble::Damaged(_)), _) | (None, None) => false,
            // It was not read, if it is there.
            (None, Some(files)) => {
                let mut members = archive.members().into_iter();
                members.all(|member| matches!(files.size_of(member), Ok(None)))
            }
        }
    }

    /// Why files that rows name may be there, though they cannot be read; `None` if they are not there, or it is known
    /// which are.
    pub(in crate::export) fn damage(&self, archive: InnerArchive) -> Option<String> {
        match self.gathered.trouble(archive)? {
            ArchiveTrouble::Absent => None,
            ArchiveTrouble::Damaged(reason) => {
                let [member, _] = archive.members();
                Some(format!("{member} of the backup is damaged: {reason}"))
            }
        }
    }

    /// What of the backup's files was left out, or may be missing or wrong, though no relation need have failed for it.
    pub(in crate::export) fn warnings(&self) -> Vec<String> {
        let damage = InnerArchive::ALL.into_iter();
        let damage = damage.filter_map(|archive| self.damage(archive));
        let warnings = self.gathered.warnings().into_iter().chain(damage);
        warnings.map(|it| self.redacted_paths.told(it)).collect()
    }

    /// What is doubtful of repositories, as far as they were looked for.
    pub(in crate::export) fn repository_warnings(&self) -> Vec<String> {
        let repositories = self.repositories.iter();
        let warnings = repositories.flat_map(Repositories::warnings);
        warnings.map(|it| self.redacted_paths.told(it)).collect()
    }

    /// True if a repository that is not there, or has nothing in it, may have something in it all the same: the backup was
    /// made without some or all of them, or has lost it, or what a manifest of it names.
    pub(in crate::export) fn may_be_lost(&self, row: &ProjectRow, which: BundleOf) -> bool {
        match (self.repository(row.id, which), which) {
            (Ok(Found::Empty { is_doubtful, .. }), _) => is_doubtful,
            // Few projects have designs, and those that have some have a repository of them.
            (Ok(Found::Missing), BundleOf::Design) => row.design.is_some(),
            (Ok(Found::Missing), BundleOf::Project) => {
                let repositories = self.repositories.as_ref();
                let have_manifests =
                    repositories.is_some_and(|repositories| repositories.have_manifests());
                have_manifests && row.repository.is_some()
                    || row.merge_request.is_some()
                    || self.repositories_left_out()
            }
            (Ok(Found::Absent | Found::Repository(_)) | Err(_), _) => false,
        }
    }

    fn repositories_left_out(&self) -> bool {
        let Some(files) = self.gathered.files() else {
            return true;
        };
        let has_none = || {
            let any = files.list("repositories/");
            any.is_ok_and(|any| any.is_empty())
        };
        files.info().leaves_out_repositories() || *self.has_no_repositories.get_or_init(has_none)
    }

    fn repository(&self, id: i64, which: BundleOf) -> Result<Found, RepositoryError> {
        let Some(repositories) = &self.repositories else {
            return Ok(Found::Missing);
        };
        let place = self.projects.get(&id);
        let paths = match (place, which) {
            (Some(place), _) => place.paths(id, which),
            (None, BundleOf::Project) => vec![RepositoryPath::project(id)],
            (None, BundleOf::Design) => vec![RepositoryPath::design(id)],
        };
        let storage = place.and_then(|place| place.storage.as_deref());
        let mut nothing = Found::Missing;
        for path in paths {
            match repositories.find(&path, storage)? {
                Found::Missing => {}
                Found::Absent => nothing = Found::Absent,
                found @ (Found::Empty { .. } | Found::Repository(_)) => return Ok(found),
            }
        }
        Ok(nothing)
    }

    /// A repository, if the backup has one with something in it.
    fn with_content(
        &self,
        id: i64,
        which: BundleOf,
    ) -> Result<Option<Repository>, RepositoryError> {
        match self.repository(id, which)? {
            Found::Missing | Found::Absent | Found::Empty { .. } => Ok(None),
            Found::Repository(repository) => Ok(Some(repository)),
        }
    }

    /// The bundle of a project's repository; `None` if there is none, because it is empty or not in the backup.
    ///
    /// # Errors
    /// It is there, but cannot be had.
    pub(in crate::export) fn bundle(
        &self,
        id: i64,
        which: BundleOf,
    ) -> Result<Option<Bundle>, RepositoryError> {
        let repository = self.with_content(id, which)?;
        repository
            .map(|repository| repository.bundle(&self.temp_dir, &self.interrupted))
            .transpose()
    }

    /// Where the backup would have a repository of a project.
    pub(in crate::export) fn repository_path(&self, id: i64, which: BundleOf) -> String {
        let paths = self.projects.get(&id).map(|place| place.paths(id, which));
        let path = paths.and_then(|paths| paths.into_iter().next());
        let path = path.unwrap_or_else(|| match which {
            BundleOf::Project => RepositoryPath::project(id),
            BundleOf::Design => RepositoryPath::design(id),
        });
        self.redacted_paths
            .told(format!("repositories: {}.git", path.as_str()))
    }

    /// The bytes of a repository's bundles in the backup; `None` if there are none.
    ///
    /// # Errors
    /// As of [`AtHand::bundle`].
    pub(in crate::export) fn bundle_size(
        &self,
        id: i64,
        which: BundleOf,
    ) -> Result<Option<u64>, RepositoryError> {
        let repository = self.with_content(id, which)?;
        Ok(repository.map(|repository| repository.bundle_size()))
    }

    /// The branches of a project's repository. Threads wait for each other: they ask for the same project most of the time.
    fn refs_of(&self, project: i64) -> KnownRefs {
        // A panic elsewhere leaves nothing half-done.
        let mut known = self.refs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = known.iter().position(|(id, _)| *id == project) {
            let found = known.remove(at);
            let refs = found.1.clone();
            known.push(found);
            return refs;
        }
        let refs = match self.read_refs(project) {
            Ok(None) if self.may_be_elsewhere(project) => Err(Unread {
                may_pass: false,
                reason: format!(
                    "project {project} is not exported, and if its repository is one of those on legacy storage, nothing says \
                     which: export that project, too"
                ),
            }),
            Ok(refs) => Ok(refs),
            Err(error) => Err(Unread {
                may_pass: error.may_pass(),
                reason: self.redacted_paths.told(error.to_string()),
            }),
        };
        if known.len() == PROJECTS {
            drop(known.remove(0));
        }
        known.push((project, refs.clone()));
        refs
    }

    /// True if a project, of which nothing is known but its id, may have a repository that the id does not lead to.
    fn may_be_elsewhere(&self, project: i64) -> bool {
        let is_missing = || {
            let found = self.repository(project, BundleOf::Project);
            matches!(found, Ok(Found::Missing))
        };
        !self.projects.contains_key(&project) && is_missing() && self.has_legacy_storage()
    }

    fn has_legacy_storage(&self) -> bool {
        *self.has_legacy_storage.get_or_init(|| {
            let Some(files) = self.gathered.files() else {
                return false;
            };
            let mut has_some = false;
            // What else lies there is below `@hashed`, `@snippets`, `@groups` and the like.
            let visited = files.visit(&mut |name, _| {
                has_some |= name.starts_with("repositories/") && !name.contains("/@");
            });
            visited.is_ok() && has_some
        })
    }

    fn read_refs(&self, project: i64) -> Result<Option<Arc<HeadAndRefs>>, RepositoryError> {
        let Some(repository) = self.with_content(project, BundleOf::Project)? else {
            return Ok(None);
        };
        let refs = repository.refs()?;
        let head = repository.head()?;
        let head = head.and_then(|head| Some(head.strip_prefix(BRANCHES)?.to_owned()));
        Ok(Some(Arc::new(HeadAndRefs { head, refs })))
    }
}

impl FileValues for AtHand {
    fn external_diff(&self, path: &str, bytes: Range<u64>) -> Result<Option<Vec<u8>>, String> {
        let archive = InnerArchive::ExternalDiffs;
        let damage = self.damage(archive);
        let size = self.inner_size(archive, path);
        let size = size.filter(|size| bytes.end <= *size);
        // Nothing else says whether a diff of a damaged archive is what it was, and what the archive lost may have been there.
        if let Some(damage) = damage
            && (size.is_none() || !self.keep_going)
        {
            return Err(damage);
        }
        if size.is_none() {
            return Ok(None);
        }
        let read = || -> io::Result<Option<Vec<u8>>> {
            let length = bytes.end - bytes.start;
            let Some(mut part) = self.gathered.open_inner(archive, path, bytes.clone())? else {
                return Ok(None);
            };
            let mut content = Vec::new();
            part.read_to_end(&mut content)?;
            Ok((content.len() as u64 == length).then_some(content))
        };
        read().map_err(|error| format!("a file of the temp folder cannot be read back: {error}"))
    }

    fn branch(&self, project: i64, branch: &str) -> Result<Option<String>, Unread> {
        let Some(known) = self.refs_of(project)? else {
            return Ok(None);
        };
        let id = known.refs.branch(branch.as_bytes());
        Ok(id.map(|id| id.to_string()))
    }

    fn default_branch(&self, project: i64) -> Result<Option<String>, Unread> {
        let Some(known) = self.refs_of(project)? else {
            return Ok(None);
        };
        // A branch that is not there is none.
        let is_there = |head: &&String| known.refs.branch(head.as_bytes()).is_some();
        Ok(known.head.as_ref().filter(is_there).cloned())
    }
}
