//! Which repository: its path on a storage of Gitaly, which follows from ids.

use sha2::{Digest, Sha256};

use crate::hex;

/// A repository's path on a Gitaly storage, without `.git` at its end.
///
/// ```text
/// @hashed/aa/bb/<SHA-256 of the project's id>      also with .wiki, .design
/// @snippets/aa/bb/<SHA-256 of the snippet's id>
/// @groups/aa/bb/<SHA-256 of the group's id>.wiki
/// group/subgroup/project                           legacy storage; also with .wiki, .design
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPath(String);

impl RepositoryPath {
    /// The repository of a project.
    pub fn project(id: i64) -> Self {
        Self::hashed("@hashed", id, "")
    }

    /// The wiki of a project.
    pub fn wiki(project_id: i64) -> Self {
        Self::hashed("@hashed", project_id, ".wiki")
    }

    /// The designs of a project.
    pub fn design(project_id: i64) -> Self {
        Self::hashed("@hashed", project_id, ".design")
    }

    /// The repository of a snippet, of a project or of a person.
    pub fn snippet(id: i64) -> Self {
        Self::hashed("@snippets", id, "")
    }

    /// The wiki of a group.
    pub fn group_wiki(id: i64) -> Self {
        Self::hashed("@groups", id, ".wiki")
    }

    /// The repository of a project on legacy storage (`projects.storage_version` NULL or 0), by the project's full path.
    /// `None` for a text that is no full path.
    pub fn legacy(full_path: &str) -> Option<Self> {
        is_plain(full_path).then(|| RepositoryPath(full_path.to_owned()))
    }

    /// The wiki of a project on legacy storage.
    pub fn legacy_wiki(full_path: &str) -> Option<Self> {
        Self::legacy(full_path).map(|path| RepositoryPath(path.0 + ".wiki"))
    }

    /// The designs of a project on legacy storage.
    pub fn legacy_design(full_path: &str) -> Option<Self> {
        Self::legacy(full_path).map(|path| RepositoryPath(path.0 + ".design"))
    }

    fn hashed(root: &str, id: i64, suffix: &str) -> Self {
        let hash = hex::encode(&Sha256::digest(id.to_string()));
        RepositoryPath(format!(
            "{root}/{}/{}/{hash}{suffix}",
            &hash[..2],
            &hash[2..4]
        ))
    }

    /// The path, without `.git`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for the name of a member that lies where it says: relative, no `.` and no `..` in it, no empty part, and nothing
/// that could not be shown.
pub(super) fn is_plain(name: &str) -> bool {
    !name.chars().any(char::is_control)
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf 71 | sha256sum
    const HASH_OF_71: &str = "7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8";

    #[test]
    fn paths_are_made_of_the_hash_of_the_id() {
        let under = |root: &str| format!("{root}/7f/22/{HASH_OF_71}");
        let cases = [
            (RepositoryPath::project(71), under("@hashed")),
            (RepositoryPath::wiki(71), under("@hashed") + ".wiki"),
            (RepositoryPath::design(71), under("@hashed") + ".design"),
            (RepositoryPath::snippet(71), under("@snippets")),
            (RepositoryPath::group_wiki(71), under("@groups") + ".wiki"),
        ];
        for (path, expected) in cases {
            assert_eq!(path.as_str(), expected);
        }
    }

    #[test]
    fn legacy_paths_that_lead_elsewhere_are_none() {
        let legacy = |text| RepositoryPath::legacy_wiki(text).map(|path| path.0);
        assert_eq!(
            legacy("acme/sub/project").as_deref(),
            Some("acme/sub/project.wiki")
        );
        for wrong in ["", "/etc", "a/../b", "a//b", "a/", "./a", "a\nb", ".."] {
            assert_eq!(legacy(wrong), None, "{wrong:?}");
        }
    }
}
