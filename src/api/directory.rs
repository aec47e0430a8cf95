//! The directory: every group and every project of the snapshot, read from it once and kept in a file of the data folder.
//!
//! Ids, paths and names are in memory; what else is known of one stays in the file and is read when it is asked for.

mod file;
mod ghosts;
mod paths;
mod projects;
mod read;
mod write;

use std::collections::{HashMap, HashSet};
use std::io;

use serde::{Deserialize, Serialize};

pub(crate) use ghosts::read as read_ghosts;
pub(crate) use projects::{Features, Project, ProjectDetails, Snippet};
pub(crate) use read::{DirectoryError, Source, read};

use file::Lines;
use paths::Paths;
use projects::Projects;

/// What the snapshot says of the instance that it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// What kind of snapshot it is, and its name, as manifests write them.
    pub kind: String,
    pub source: String,
    /// When it was taken, as it writes that itself.
    pub taken_at: Option<String>,
    /// The groups whose rows it was taken with; `None` where its tables are whole.
    pub only: Option<Vec<i64>>,
    /// The GitLab version with its suffix, where the snapshot states it or its tables show it.
    pub version: Option<String>,
    pub enterprise: bool,
    /// Relations of the pipeline of groups that the snapshot has no table for: they are never exported.
    pub left_out: Vec<String>,
    /// The same of the pipeline of projects; `None` if the snapshot has none, or they are not served.
    #[serde(default)]
    pub projects_left_out: Option<Vec<String>>,
    /// What could not be read of badges, members and the like.
    pub warnings: Vec<String>,
}

/// What is known of every group at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub id: i64,
    pub parent_id: Option<i64>,
    pub full_path: String,
    pub name: String,
}

impl Group {
    /// The group's own part of its full path.
    pub(crate) fn path(&self) -> &str {
        self.full_path
            .rsplit_once('/')
            .map_or(&self.full_path, |(_, path)| path)
    }
}

/// What else is known of a group. Columns that a snapshot lacks are `None`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    pub group: Columns,
    #[serde(default)]
    pub badges: Vec<Badge>,
    #[serde(default)]
    pub members: Vec<Member>,
    #[serde(default)]
    pub invited: Vec<Invited>,
    #[serde(default)]
    pub iterations: Vec<Iteration>,
}

/// Columns of a group's row, and of the rows of its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Columns {
    pub created_at: Option<String>,
    pub visibility_level: Option<i64>,
    pub share_with_group_lock: Option<bool>,
    pub require_two_factor_authentication: Option<bool>,
    pub two_factor_grace_period: Option<i64>,
    pub project_creation_level: Option<i64>,
    pub subgroup_creation_level: Option<i64>,
    pub mentions_disabled: Option<bool>,
    pub lfs_enabled: Option<bool>,
    pub emails_disabled: Option<bool>,
    pub emails_enabled: Option<bool>,
    pub request_access_enabled: Option<bool>,
    pub organization_id: Option<i64>,
    pub avatar: Option<String>,
    pub description: Option<String>,
    pub wiki_access_level: Option<i64>,
}

/// A badge of a group or a project.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Badge {
    pub id: i64,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub link_url: Option<String>,
    #[serde(default)]
    pub image_url: Option<String>,
}

/// A member, or somebody who is invited and has no user yet.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    pub id: i64,
    pub access_level: i64,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
    #[serde(default)]
    pub expires_at: Option<String>,
    #[serde(default)]
    pub user_id: Option<i64>,
    #[serde(default)]
    pub user: Option<User>,
}

/// A user, as far as exports show one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct User {
    pub id: i64,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub public_email: Option<String>,
}

/// A group whose members are members of this one, too.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Invited {
    #[serde(rename = "shared_with_group_id")]
    pub group_id: i64,
    /// The highest level that they get.
    #[serde(rename = "group_access")]
    pub access_level: i64,
}

/// An iteration.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Iteration {
    pub id: i64,
    pub iid: i64,
    /// Not known of a snapshot that was taken with the columns of exports alone.
    #[serde(default)]
    pub state_enum: Option<i64>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub start_date: Option<String>,
    #[serde(default)]
    pub due_date: Option<String>,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// Every group and every project of the snapshot.
pub(crate) struct Directory {
    pub instance: Instance,
    /// In order of the ids.
    groups: Vec<Group>,
    paths: Paths,
    /// Groups by parent, in order of their names; those whose parent the snapshot lacks have none.
    below: HashMap<Option<i64>, Vec<usize>>,
    lines: Lines,
    projects: Projects,
}

impl Directory {
    fn new(instance: Instance, groups: Vec<Group>, lines: Lines, projects: Projects) -> Self {
        let mut directory = Directory {
            instance,
            groups,
            paths: Paths::default(),
            below: HashMap::new(),
            lines,
            projects,
        };
        for (at, group) in directory.groups.iter().enumerate() {
            directory.paths.insert(&group.full_path, at);
            let parent = group
                .parent_id
                .filter(|parent| directory.position(*parent).is_some());
            directory.below.entry(parent).or_default().push(at);
        }
        let groups = &directory.groups;
        for below in directory.below.values_mut() {
            below.sort_by_key(|at| (groups[*at].name.to_lowercase(), groups[*at].id));
        }
        directory
    }

    fn position(&self, id: i64) -> Option<usize> {
        self.groups.binary_search_by_key(&id, |group| group.id).ok()
    }

    /// The group that a request names: digits, with a `-` before them or not, are an id, anything else a full path.
    pub(crate) fn find(&self, id_or_path: &str) -> Option<&Group> {
        match paths::number(id_or_path) {
            Some(id) => self.get(id?),
            None => self.find_path(id_or_path),
        }
    }

    /// The group of a full path: the one with exactly this path, else the one whose path differs in the case of letters only.
    pub(crate) fn find_path(&self, full_path: &str) -> Option<&Group> {
        self.paths.find(full_path).map(|at| &self.groups[at])
    }

    /// True for a group whose rows the snapshot was taken with. Others are there for the paths of those below them.
    pub(crate) fn is_whole(&self, id: i64) -> bool {
        let only = self.instance.only.as_ref();
        only.is_none_or(|only| only.contains(&id))
    }

    /// All groups below a group, those near to it first.
    pub(crate) fn descendants(&self, id: i64) -> Vec<&Group> {
        // A hostile snapshot may have parents in a circle, the smallest of which is a group that is its own.
        let mut seen = HashSet::from([id]);
        let below = self.below(Some(id));
        let mut found: Vec<&Group> = below.filter(|group| seen.insert(group.id)).collect();
        let mut at = 0;
        while at < found.len() {
            let below = self.below(Some(found[at].id));
            found.extend(below.filter(|group| seen.insert(group.id)));
            at += 1;
        }
        found
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Group> {
        self.position(id).map(|at| &self.groups[at])
    }

    /// All groups, in order of their ids.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The direct children of a group, or the groups at the top, in order of their names.
    pub(crate) fn below(&self, parent: Option<i64>) -> impl Iterator<Item = &Group> {
        let below = self.below.get(&parent).map(Vec::as_slice);
        below.unwrap_or_default().iter().map(|at| &self.groups[*at])
    }

    /// How many direct children a group has.
    pub(crate) fn count_below(&self, id: i64) -> usize {
        self.below.get(&Some(id)).map_or(0, Vec::len)
    }

    /// The group and its ancestors, nearest first.
    pub(crate) fn with_ancestors(&self, id: i64) -> Vec<&Group> {
        let mut line: Vec<&Group> = Vec::new();
        let mut current = self.get(id);
        // A hostile snapshot may have parents in a circle.
        while let Some(group) = current.filter(|group| line.iter().all(|seen| seen.id != group.id))
        {
            line.push(group);
            current = group.parent_id.and_then(|parent| self.get(parent));
        }
        line
    }

    /// Names of a group and its ancestors, outermost first.
    pub(crate) fn full_name(&self, id: i64) -> String {
        let mut names: Vec<&str> = self
            .with_ancestors(id)
            .iter()
            .map(|group| group.name.as_str())
            .collect();
        names.reverse();
        names.join(" / ")
    }

    /// What else is known of a group. Reads a few kilobytes of a file.
    ///
    /// # Errors
    /// Where the file cannot be read any more.
    pub(crate) fn details(&self, id: i64) -> io::Result<Details> {
        match self.position(id) {
            Some(at) => self.lines.read(at),
            None => Ok(Details::default()),
        }
    }

    /// All projects, in order of their ids. Those that GitLab was about to delete are not among them.
    pub(crate) fn projects(&self) -> &[Project] {
        self.projects.all()
    }

    pub(crate) fn project(&self, id: i64) -> Option<&Project> {
        self.projects.get(id)
    }

    /// The project that a request names: digits, with a `-` before them or not, are an id, anything else is a full path:
    /// exactly this one, else one that differs in the case of letters only, else one that a project had once.
    pub(crate) fn find_project(&self, id_or_path: &str) -> Option<&Project> {
        match paths::number(id_or_path) {
            Some(id) => self.project(id?),
            None => self
                .find_project_path(id_or_path)
                .or_else(|| self.projects.at_former_path(id_or_path)),
        }
    }

    /// The project of a full path, but for paths that a project had once.
    pub(crate) fn find_project_path(&self, full_path: &str) -> Option<&Project> {
        self.projects.at_path(full_path)
    }

    /// The projects of a group, in order of their ids; with those of all groups below it, if they are wanted.
    pub(crate) fn projects_of(&self, group: i64, include_subgroups: bool) -> Vec<&Project> {
        let mut found: Vec<&Project> = self.projects.of_group(group).collect();
        if include_subgroups {
            for below in self.descendants(group) {
                found.extend(self.projects.of_group(below.id));
            }
            found.sort_unstable_by_key(|project| project.id);
        }
        found
    }

    /// How many projects lie right in a group.
    pub(crate) fn count_projects_of(&self, group: i64) -> usize {
        self.projects.count_of_group(group)
    }

    /// The ids of all projects' snippets.
    pub(crate) fn snippets(&self) -> impl Iterator<Item = i64> {
        self.projects.snippets()
    }

    /// The project that a snippet belongs to.
    pub(crate) fn project_of_snippet(&self, snippet: i64) -> Option<&Project> {
        self.projects.of_snippet(snippet)
    }

    /// What else is known of a project. Reads a few kilobytes of a file.
    ///
    /// # Errors
    /// Where the file cannot be read any more.
    pub(crate) fn project_details(&self, id: i64) -> io::Result<ProjectDetails> {
        self.projects.details(id)
    }
}
