//! The projects of the directory: ids, paths and what lists are sorted and cut by in memory, the rest in the file.

use std::collections::HashMap;

use serde::Deserialize;

use super::file::Lines;
use super::paths::Paths;
use super::{Badge, Member};

/// What is known of every project at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    pub id: i64,
    /// The group that it lies in; `None` for one of a person's, and for one whose group the snapshot lacks.
    pub group_id: Option<i64>,
    pub full_path: String,
    /// Its name; its path, if the snapshot has no name of it.
    pub name: String,
    pub visibility_level: Option<i64>,
    pub archived: bool,
    /// Somebody asked for its deletion.
    pub is_marked_for_deletion: bool,
    pub star_count: i64,
    /// The digits of a time down to its fractions of a second, which are in order as the times are.
    pub updated_at: i64,
    pub last_activity_at: i64,
}

impl Project {
    /// The project's own part of its full path.
    pub(crate) fn path(&self) -> &str {
        self.full_path
            .rsplit_once('/')
            .map_or(&self.full_path, |(_, path)| path)
    }
}

/// What else is known of a project. Columns that a snapshot lacks are `None`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ProjectDetails {
    #[serde(default)]
    pub project: ProjectColumns,
    /// `None` where the snapshot has no row of them.
    #[serde(default)]
    pub features: Option<Features>,
    #[serde(default)]
    pub badges: Vec<Badge>,
    #[serde(default)]
    pub members: Vec<Member>,
    #[serde(default)]
    pub invited: Vec<InvitedToProject>,
    #[serde(default)]
    pub snippets: Vec<Snippet>,
}

/// Columns of a project's row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ProjectColumns {
    pub namespace_id: Option<i64>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub visibility_level: Option<i64>,
    pub archived: Option<bool>,
    pub description: Option<String>,
    pub creator_id: Option<i64>,
    pub last_activity_at: Option<String>,
    pub star_count: Option<i64>,
    pub marked_for_deletion_at: Option<String>,
    pub pending_delete: Option<bool>,
    pub storage_version: Option<i64>,
    pub repository_storage: Option<String>,
    pub avatar: Option<String>,
    pub lfs_enabled: Option<bool>,
    pub emails_disabled: Option<bool>,
    pub request_access_enabled: Option<bool>,
    pub shared_runners_enabled: Option<bool>,
    pub service_desk_enabled: Option<bool>,
    pub resolve_outdated_diff_discussions: Option<bool>,
    pub public_builds: Option<bool>,
    pub ci_config_path: Option<String>,
    pub merge_requests_ff_only_enabled: Option<bool>,
    pub merge_requests_rebase_enabled: Option<bool>,
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    pub only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    pub remove_source_branch_after_merge: Option<bool>,
    pub printing_merge_request_link_enabled: Option<bool>,
    pub suggestion_commit_message: Option<String>,
    pub autoclose_referenced_issues: Option<bool>,
}

/// Who may use a feature of a project, by its column without `_access_level`: 0 nobody, 10 members, 20 whoever sees the
/// project, 30 everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Features {
    #[serde(rename = "issues_access_level")]
    pub issues: Option<i64>,
    #[serde(rename = "repository_access_level")]
    pub repository: Option<i64>,
    #[serde(rename = "merge_requests_access_level")]
    pub merge_requests: Option<i64>,
    #[serde(rename = "forking_access_level")]
    pub forking: Option<i64>,
    #[serde(rename = "wiki_access_level")]
    pub wiki: Option<i64>,
    #[serde(rename = "builds_access_level")]
    pub builds: Option<i64>,
    #[serde(rename = "snippets_access_level")]
    pub snippets: Option<i64>,
    #[serde(rename = "pages_access_level")]
    pub pages: Option<i64>,
    #[serde(rename = "analytics_access_level")]
    pub analytics: Option<i64>,
    #[serde(rename = "container_registry_access_level")]
    pub container_registry: Option<i64>,
    #[serde(rename = "security_and_compliance_access_level")]
    pub security_and_compliance: Option<i64>,
    #[serde(rename = "releases_access_level")]
    pub releases: Option<i64>,
    #[serde(rename = "environments_access_level")]
    pub environments: Option<i64>,
    #[serde(rename = "feature_flags_access_level")]
    pub feature_flags: Option<i64>,
    #[serde(rename = "infrastructure_access_level")]
    pub infrastructure: Option<i64>,
    #[serde(rename = "monitor_access_level")]
    pub monitor: Option<i64>,
    #[serde(rename = "model_experiments_access_level")]
    pub model_experiments: Option<i64>,
    #[serde(rename = "model_registry_access_level")]
    pub model_registry: Option<i64>,
    #[serde(rename = "package_registry_access_level")]
    pub package_registry: Option<i64>,
    #[serde(rename = "requirements_access_level")]
    pub requirements: Option<i64>,
}

/// A group whose members are members of a project, too.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InvitedToProject {
    pub group_id: i64,
    /// The highest level that they get.
    #[serde(rename = "group_access")]
    pub access_level: i64,
}

/// A snippet of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Snippet {
    pub id: i64,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub created_at: Option<String>,
}

/// Every project of the snapshot that is not being deleted.
pub(super) struct Projects {
    /// In order of the ids.
    all: Vec<Project>,
    paths: Paths,
    /// By paths that they had once.
    former: Paths,
    /// By group, in order of their ids.
    of_group: HashMap<i64, Vec<usize>>,
    /// The projects of snippets, by the snippets' ids.
    of_snippet: HashMap<i64, usize>,
    lines: Lines,
}

/// A project as the file has it.
pub(super) struct Listed {
    pub project: Project,
    pub former_paths: Vec<String>,
    pub snippets: Vec<i64>,
}

impl Projects {
    /// `listed` is in order of the ids, as the lines are.
    pub(super) fn new(listed: Vec<Listed>, lines: Lines) -> Projects {
        let mut projects = Projects {
            all: Vec::with_capacity(listed.len()),
            paths: Paths::default(),
            former: Paths::default(),
            of_group: HashMap::new(),
            of_snippet: HashMap::new(),
            lines,
        };
        for (at, found) in listed.into_iter().enumerate() {
            projects.paths.insert(&found.project.full_path, at);
            for path in &found.former_paths {
                projects.former.insert(path, at);
            }
            for snippet in found.snippets {
                projects.of_snippet.entry(snippet).or_insert(at);
            }
            if let Some(group) = found.project.group_id {
                projects.of_group.entry(group).or_default().push(at);
            }
            projects.all.push(found.project);
        }
        projects
    }

    pub(super) fn all(&self) -> &[Project] {
        &self.all
    }

    fn position(&self, id: i64) -> Option<usize> {
        self.all
            .binary_search_by_key(&id, |project| project.id)
            .ok()
    }

    pub(super) fn get(&self, id: i64) -> Option<&Project> {
        self.position(id).map(|at| &self.all[at])
    }

    /// The project of a full path.
    pub(super) fn at_path(&self, full_path: &str) -> Option<&Project> {
        self.paths.find(full_path).map(|at| &self.all[at])
    }

    /// The project that had this full path once.
    pub(super) fn at_former_path(&self, full_path: &str) -> Option<&Project> {
        self.former.find(full_path).map(|at| &self.all[at])
    }

    /// Those right in a group.
    pub(super) fn of_group(&self, group: i64) -> impl Iterator<Item = &Project> {
        let of_group = self.of_group.get(&group).map(Vec::as_slice);
        of_group.unwrap_or_default().iter().map(|at| &self.all[*at])
    }

    pub(super) fn count_of_group(&self, group: i64) -> usize {
        self.of_group.get(&group).map_or(0, Vec::len)
    }

    pub(super) fn snippets(&self) -> impl Iterator<Item = i64> {
        self.of_snippet.keys().copied()
    }

    pub(super) fn of_snippet(&self, snippet: i64) -> Option<&Project> {
        self.of_snippet.get(&snippet).map(|at| &self.all[*at])
    }

    /// What else is known of a project. Reads a few kilobytes of a file.
    ///
    /// # Errors
    /// Where the file cannot be read any more.
    pub(super) fn details(&self, id: i64) -> std::io::Result<ProjectDetails> {
        match self.position(id) {
            Some(at) => self.lines.read(at),
            None => Ok(ProjectDetails::default()),
        }
    }
}
