//! Where a repository lies in a backup: three layouts, in the order in which a restore looks for them.
//!
//! ```text
//! manifests/<storage>/<path>.git/<backup id>.toml, +latest.toml   a manifest names the files
//! <path>/LATEST, <path>/<id>/LATEST, <path>/<id>/001.bundle       pointers
//! <path>.bundle, <path>.refs                                      legacy
//! ```
//!
//! A manifest's paths are right for the first two layouts. Steps follow one another: the first is full, each further
//! one holds what is new. Files of no bytes are not written, so a step without changes has no bundle.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::OnceLock;

use super::error::RepositoryError;
use super::manifest::{MANIFEST_LIMIT, Manifest};
use super::object_id::ObjectFormat;
use super::path::{RepositoryPath, is_plain};
use crate::snapshot::BackupFiles;

/// All repositories of a backup are below it.
const ROOT: &str = "repositories/";

/// The storage that there always is.
const DEFAULT_STORAGE: &str = "default";

/// Bytes of a pointer at the most.
const POINTER: u64 = 1024;

/// Steps of a chain at the most.
const STEPS: usize = 10_000;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    pub size: u64,
}

/// A step of a chain: what is there of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Where its bundle should be.
    pub bundle_name: String,
    pub bundle: Option<Member>,
    pub refs: Option<Member>,
}

/// A repository of which the backup says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// What says so, for messages.
    pub named_by: String,
    /// The manifest says that there was none.
    pub non_existent: bool,
    /// A manifest says so.
    pub has_manifest: bool,
    /// That manifest is of another backup: this one has none of the repository.
    pub of_another_backup: bool,
    /// The manifest says that nothing was in it.
    pub is_empty: bool,
    /// The manifest says that something was in it.
    pub not_empty: bool,
    pub object_format: Option<ObjectFormat>,
    pub head_reference: Option<String>,
    pub steps: Vec<Step>,
}

/// Looks for repositories in the files of a backup.
pub(super) struct Layouts<'a> {
    pub files: &'a dyn BackupFiles,
    /// The storages that there are manifests of, once they are known.
    pub storages: &'a OnceLock<Vec<String>>,
}

impl Layouts<'_> {
    /// Looks for a repository. Its storage comes first where it is named, then all others.
    pub(super) fn locate(
        &self,
        path: &RepositoryPath,
        storage: Option<&str>,
    ) -> Result<Option<Located>, RepositoryError> {
        let path = path.as_str();
        if let Some(storage) = storage.filter(|name| is_plain(name) && !name.contains('/'))
            && let Some(located) = self.by_manifest(storage, path)?
        {
            return Ok(Some(located));
        }
        // A repository may have been moved between the rows and the files of a backup.
        for other in self.storages()? {
            if Some(other.as_str()) != storage
                && let Some(located) = self.by_manifest(other, path)?
            {
                return Ok(Some(located));
            }
        }
        if let Some(located) = self.by_pointer(path)? {
            return Ok(Some(located));
        }
        if let Some(located) = self.legacy(path)? {
            return Ok(Some(located));
        }
        self.without_manifest(path, storage).map(|()| None)
    }

    /// Makes sure that there are no bundles that a manifest should name: they would be lost in silence.
    fn without_manifest(&self, path: &str, storage: Option<&str>) -> Result<(), RepositoryError> {
        let named = storage.filter(|name| is_plain(name) && !name.contains('/'));
        for storage in named.into_iter().chain([DEFAULT_STORAGE]) {
            let all = self.files.list(&format!("{ROOT}{storage}/{path}.git/"))?;
            if let Some((name, _)) = all.iter().find(|(name, _)| name.ends_with(".bundle")) {
                return Err(RepositoryError::damaged(
                    name,
                    "there is no manifest that says what the repository consists of",
                ));
            }
        }
        Ok(())
    }

    /// The storages that there are manifests of.
    pub(super) fn storages(&self) -> Result<&[String], RepositoryError> {
        if let Some(known) = self.storages.get() {
            return Ok(known);
        }
        let root = format!("{ROOT}manifests/");
        let all = self.files.list(&root)?;
        let storages: BTreeSet<&str> = all
            .iter()
            .filter_map(|(name, _)| Some(name.strip_prefix(&root)?.split_once('/')?.0))
            .collect();
        let storages = storages.into_iter().map(str::to_owned).collect();
        Ok(self.storages.get_or_init(|| storages))
    }

    fn by_manifest(&self, storage: &str, path: &str) -> Result<Option<Located>, RepositoryError> {
        let folder = format!("{ROOT}manifests/{storage}/{path}.git/");
        let of_backup = self.files.info().backup_id.as_ref();
        let of_backup = of_backup.map(|id| format!("{folder}{id}.toml"));
        let (name, of_another_backup) = match of_backup {
            Some(name) if self.files.size_of(&name)?.is_some() => (name, false),
            // As a restore does.
            of_backup => match self.newest_manifest(&folder)? {
                Some(name) => (name, of_backup.is_some()),
                None => return Ok(None),
            },
        };
        let bytes = self.small(&name, MANIFEST_LIMIT)?;
        let manifest =
            Manifest::parse(&bytes).map_err(|reason| RepositoryError::damaged(&name, reason))?;
        if manifest.steps.len() > STEPS {
            return Err(RepositoryError::damaged(&name, "it has too many steps"));
        }
        let steps = manifest.steps.iter();
        let steps = steps
            .map(|(bundle, refs)| self.step(format!("{ROOT}{bundle}"), &format!("{ROOT}{refs}")))
            .collect::<Result<Vec<_>, _>>()?;
        let is_there = steps.iter().any(|step| step.bundle.is_some());
        Ok(Some(Located {
            named_by: name,
            non_existent: manifest.non_existent && !is_there,
            has_manifest: true,
            of_another_backup,
            is_empty: manifest.empty == Some(true),
            not_empty: manifest.empty == Some(false) && !manifest.non_existent,
            object_format: manifest.object_format,
            head_reference: manifest.head_reference,
            steps,
        }))
    }

    /// The manifest with the highest id; names of ids begin with times. Gitaly goes by `+latest.toml` less and less, so it may
    /// be older than others.
    fn newest_manifest(&self, folder: &str) -> Result<Option<String>, RepositoryError> {
        let all = self.files.list(folder)?;
        let names = all.iter().filter_map(|(name, _)| {
            let id = name.strip_prefix(folder)?.strip_suffix(".toml")?;
            (!id.contains('/')).then_some((id != "+latest", id, name))
        });
        Ok(names.max().map(|(_, _, name)| name.clone()))
    }

    fn by_pointer(&self, path: &str) -> Result<Option<Located>, RepositoryError> {
        let folder = format!("{ROOT}{path}/");
        let latest = format!("{folder}LATEST");
        if self.files.size_of(&latest)?.is_none() {
            // Its backups would be lost in silence.
            let all = self.files.list(&folder)?;
            return match all.iter().find(|(name, _)| name.ends_with(".bundle")) {
                Some((name, _)) => Err(RepositoryError::damaged(
                    name,
                    "there is no file LATEST that says which backup of the repository is the newest",
                )),
                None => Ok(None),
            };
        }
        let id = self.pointer(&latest)?;
        let step = format!("{folder}{id}/LATEST");
        let number = self.pointer(&step)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number
            .parse()
            .ok()
            .filter(|number| is_number && *number > 0);
        let number: usize = number
            .filter(|number| *number <= STEPS)
            .ok_or_else(|| RepositoryError::damaged(&step, "it is not the number of a step"))?;
        let name = |step: usize, kind: &str| format!("{folder}{id}/{step:03}.{kind}");
        let steps = (1..=number).map(|step| self.step(name(step, "bundle"), &name(step, "refs")));
        Ok(Some(Located {
            named_by: step.clone(),
            non_existent: false,
            has_manifest: false,
            of_another_backup: false,
            is_empty: false,
            not_empty: false,
            object_format: None,
            head_reference: None,
            steps: steps.collect::<Result<_, _>>()?,
        }))
    }

    /// The name of a folder or a step that a pointer holds.
    fn pointer(&self, name: &str) -> Result<String, RepositoryError> {
        let bytes = self.small(name, POINTER)?;
        let text = std::str::from_utf8(&bytes)
            .map(str::trim)
            .unwrap_or_default();
        match is_plain(text) && !text.contains('/') {
            true => Ok(text.to_owned()),
            false => Err(RepositoryError::damaged(name, "it points nowhere")),
        }
    }

    fn legacy(&self, path: &str) -> Result<Option<Located>, RepositoryError> {
        let bundle = format!("{ROOT}{path}.bundle");
        let step = self.step(bundle.clone(), &format!("{ROOT}{path}.refs"))?;
        if step.bundle.is_none() && step.refs.is_none() && self.files.size_of(&bundle)? == Some(0) {
            return Err(RepositoryError::damaged(
                &bundle,
                "it is empty, and Gitaly writes no bundle of a repository without content; the backup was cut off, or made with an error",
            ));
        }
        Ok(
            (step.bundle.is_some() || step.refs.is_some()).then(|| Located {
                named_by: bundle,
                non_existent: false,
                has_manifest: false,
                of_another_backup: false,
                is_empty: false,
                not_empty: false,
                object_format: None,
                head_reference: None,
                steps: vec![step],
            }),
        )
    }

    fn step(&self, bundle_name: String, refs: &str) -> Result<Step, RepositoryError> {
        let bundle = self.member(&bundle_name)?;
        Ok(Step {
            // A bundle of no bytes is what is left of none.
            bundle: bundle.filter(|bundle| bundle.size > 0),
            bundle_name,
            refs: self.member(refs)?,
        })
    }

    fn member(&self, name: &str) -> Result<Option<Member>, RepositoryError> {
        let size = self.files.size_of(name)?;
        Ok(size.map(|size| Member {
            name: name.to_owned(),
            size,
        }))
    }

    /// The bytes of a file that has few.
    fn small(&self, name: &str, limit: u64) -> Result<Vec<u8>, RepositoryError> {
        let size = self.files.size_of(name)?;
        let size = size.ok_or_else(|| RepositoryError::damaged(name, "it is not there"))?;
        if size > limit {
            return Err(RepositoryError::damaged(
                name,
                format!("it has {size} bytes, which is too much for what it is"),
            ));
        }
        let mut bytes = Vec::new();
        let mut reader = self.files.open(name, 0..size)?;
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| RepositoryError::unreadable(name, error))?;
        Ok(bytes)
    }
}
