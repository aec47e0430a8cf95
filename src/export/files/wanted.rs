//! What is asked of a backup's files before anything is written.

use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::repositories::RepositoryPath;
use crate::snapshot::{InnerArchive, Wanted};

/// Files that the rows of an export name. Of a path only a hash is kept: one file too many, once in a while, costs
/// nothing but room.
#[derive(Debug, Default)]
pub(in crate::export) struct WantedFiles {
    uploads: HashSet<u64, FixedState>,
    lfs: HashSet<u64, FixedState>,
    external_diffs: HashSet<u64, FixedState>,
    /// It is not known which external diffs are wanted.
    all_external_diffs: bool,
    /// The projects' repositories and those of their designs, without `.git`, as their last parts or, on legacy storage,
    /// whole.
    repositories: BTreeSet<String>,
}

impl WantedFiles {
    fn set(&mut self, archive: InnerArchive) -> &mut HashSet<u64, FixedState> {
        match archive {
            InnerArchive::Uploads => &mut self.uploads,
            InnerArchive::Lfs => &mut self.lfs,
            InnerArchive::ExternalDiffs => &mut self.external_diffs,
        }
    }

    fn of(&self, archive: InnerArchive) -> &HashSet<u64, FixedState> {
        match archive {
            InnerArchive::Uploads => &self.uploads,
            InnerArchive::Lfs => &self.lfs,
            InnerArchive::ExternalDiffs => &self.external_diffs,
        }
    }

    /// A file of an archive is wanted.
    pub(in crate::export) fn want(&mut self, archive: InnerArchive, path: &str) {
        self.set(archive).insert(hash(path));
    }

    /// Of archives nothing is wanted after all.
    pub(in crate::export) fn without_archives(&mut self) {
        for archive in InnerArchive::ALL {
            self.set(archive).clear();
        }
    }

    /// Any external diff may be wanted.
    pub(in crate::export) fn want_all_external_diffs(&mut self) {
        self.all_external_diffs = true;
    }

    /// A repository is wanted.
    pub(in crate::export) fn want_repository(&mut self, path: &RepositoryPath) {
        self.repositories.insert(path.as_str().to_owned());
    }
}

impl Wanted for WantedFiles {
    fn member(&self, name: &str) -> bool {
        let Some(name) = name.strip_prefix("repositories/") else {
            return false;
        };
        // Small files that say what a repository consists of, and which branches it has: those of any project may be asked
        // for, since a merge request may come from a fork.
        if [".toml", ".refs", "/LATEST"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            return true;
        }
        // A repository's path stands behind the storage, and in front of `.git`, a file's ending or a folder of backups.
        let mut starts = Vec::from([0]);
        starts.extend(name.match_indices('/').map(|(at, _)| at + 1));
        let mut ends: Vec<usize> = name.match_indices(['/', '.']).map(|(at, _)| at).collect();
        ends.push(name.len());
        starts.iter().any(|start| {
            let ends = ends.iter().filter(|end| *end > start);
            ends.into_iter()
                .any(|end| self.repositories.contains(&name[*start..*end]))
        })
    }

    fn inner(&self, archive: InnerArchive, path: &str) -> bool {
        self.is_wanted_whole(archive) || self.of(archive).contains(&hash(path))
    }

    fn archives(&self) -> Vec<InnerArchive> {
        let all = InnerArchive::ALL.into_iter();
        all.filter(|archive| self.is_wanted_whole(*archive) || !self.of(*archive).is_empty())
            .collect()
    }
}

impl WantedFiles {
    fn is_wanted_whole(&self, archive: InnerArchive) -> bool {
        self.all_external_diffs && archive == InnerArchive::ExternalDiffs
    }
}

fn hash(path: &str) -> u64 {
    FixedState::default().hash_one(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_repository_are_known_in_every_layout() {
        let mut wanted = WantedFiles::default();
        let project = RepositoryPath::project(71);
        wanted.want_repository(&project);
        wanted.want_repository(&RepositoryPath::legacy("acme/my.shop").unwrap());
        let hashed = project.as_str();
        for name in [
            format!("default/{hashed}.git/1_2026/001.bundle"),
            format!("{hashed}/1_2026/001.bundle"),
            format!("{hashed}.bundle"),
            "default/acme/my.shop.git/1_2026/001.bundle".to_owned(),
            "acme/my.shop.bundle".to_owned(),
            "acme/my.shop/1_2026/002.bundle".to_owned(),
        ] {
            assert!(wanted.member(&format!("repositories/{name}")), "{name}");
            assert!(!wanted.member(&name), "{name}");
        }
        let other = RepositoryPath::project(72);
        for name in [
            format!("{}.bundle", other.as_str()),
            "acme/my.bundle".to_owned(),
            "acme/my.shopping/1_2026/001.bundle".to_owned(),
        ] {
            assert!(!wanted.member(&format!("repositories/{name}")), "{name}");
        }
        let refs = format!("repositories/{}.refs", other.as_str());
        assert!(wanted.member(&refs));
    }

    #[test]
    fn only_archives_of_which_something_is_wanted_are_read() {
        let mut wanted = WantedFiles::default();
        assert!(wanted.archives().is_empty());
        wanted.want(InnerArchive::Lfs, "aa/bb/cc");
        assert_eq!(wanted.archives(), [InnerArchive::Lfs]);
        assert!(wanted.inner(InnerArchive::Lfs, "aa/bb/cc"));
        assert!(!wanted.inner(InnerArchive::Uploads, "aa/bb/cc"));
        assert!(!wanted.inner(InnerArchive::Lfs, "aa/bb/cd"));
    }
}
