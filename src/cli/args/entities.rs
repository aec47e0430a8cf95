//! Arguments that say whom a command is about: groups, and projects, which lie within them.

use clap::Args;

use super::group::{group_name, project_name};

/// Which groups and projects to take.
#[derive(Debug, Clone, Default, Args)]
pub struct EntityArgs {
    /// A group's id, full path, or GitLab's address of it
    ///
    /// May be given several times.
    #[arg(
        long,
        short,
        value_name = "ID|PATH",
        required_unless_present_any = ["all_groups", "project", "all_projects"],
        value_parser = group_name,
        allow_negative_numbers = true
    )]
    pub group: Vec<String>,
    /// Export the descendants of each group, too
    #[arg(long, requires = "group")]
    pub subgroups: bool,
    /// Export every group of the snapshot
    #[arg(long, conflicts_with_all = ["group", "subgroups"])]
    pub all_groups: bool,
    /// A project's id, full path, or GitLab's address of it
    ///
    /// May be given several times, with or without groups.
    #[arg(
        long,
        value_name = "ID|PATH",
        value_parser = project_name,
        allow_negative_numbers = true
    )]
    pub project: Vec<String>,
    /// Export the projects in the groups, too
    ///
    /// Also those in the descendants, with --subgroups.
    #[arg(long, conflicts_with = "all_projects")]
    pub with_projects: bool,
    /// Export every project of the snapshot
    #[arg(long, conflicts_with = "project")]
    pub all_projects: bool,
}
