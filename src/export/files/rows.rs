//! Rows that name files, as the pipeline's relations of files write them.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A row of `uploads`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::export) struct UploadRow {
    pub id: i64,
    pub path: Option<String>,
    /// The folder that the file lies in.
    pub secret: Option<String>,
    /// 1, or NULL: on the server's disk; 2: in object storage.
    pub store: Option<i64>,
    /// SHA-256 of the file.
    pub checksum: Option<String>,
    pub size: Option<i64>,
    pub model_type: Option<String>,
    pub model_id: Option<i64>,
    /// The name of the file that is the avatar of the project or group.
    pub avatar: Option<String>,
}

/// A row of `lfs_objects`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::export) struct LfsRow {
    pub id: i64,
    /// SHA-256 of the object.
    pub oid: String,
    pub size: Option<i64>,
    /// Whose it is.
    pub projects: Vec<LfsProjectRow>,
}

/// A row of `lfs_objects_projects`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::export) struct LfsProjectRow {
    pub project_id: Option<i64>,
    /// 0 the project's repository, 1 its wiki, 2 its designs; NULL in old rows.
    pub repository_type: Option<i64>,
}

/// A row of a file of either kind, as far as it names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::export) struct NamedRow {
    pub id: i64,
    #[serde(alias = "path", alias = "oid")]
    pub name: Option<String>,
}

/// A project's row, as far as it says where its repositories are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::export) struct ProjectRow {
    pub id: i64,
    /// NULL or 0: by the full path; else by a hash of the id.
    pub storage_version: Option<i64>,
    /// The name of the storage.
    pub repository_storage: Option<String>,
    /// There, and not `null`, if the project's repository was made. Asked for where that one is.
    #[serde(default)]
    pub repository: Option<IgnoredAny>,
    /// There, and not `null`, if the project has merge requests, so that something was in its repository. Asked for where that
    /// one is.
    #[serde(default)]
    pub merge_request: Option<IgnoredAny>,
    /// There, and not `null`, if the project has designs. Asked for where its repository of designs is.
    #[serde(default)]
    pub design: Option<IgnoredAny>,
}

/// Takes rows out of rendered lines.
///
/// # Errors
/// A column does not hold what it holds in GitLab's tables. Says no value.
pub(in crate::export) fn records<T: DeserializeOwned>(lines: &[u8]) -> Result<Vec<T>, String> {
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let rows = lines.map(|line| {
        serde_json::from_slice(line).map_err(|error| {
            let named: Option<NamedRow> = serde_json::from_slice(line).ok();
            let of = named.map_or_else(String::new, |row| format!(" (id {})", row.id));
            // The error itself may show a value.
            let category = error.classify();
            format!("a row that names files{of} has a column of another type than GitLab's ({category:?} error)")
        })
    });
    rows.collect()
}
