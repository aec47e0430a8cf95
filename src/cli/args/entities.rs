//! Arguments that say whom a command is about: groups, and projects, which lie within them.

use clap::Args;

use super::group::{group_names, project_names};

/// Which groups and projects to take.
#[derive(Debug, Clone, Default, Args)]
pub struct EntityArgs {
    /// A group's id, full path, GitLab's address of it, or a pattern
    ///
    /// acme/* stands for the groups in acme, acme/** for all that are below it; neither for acme itself. The case of letters
    /// does not count. May be given several times.
    #[arg(
        long,
        short,
        value_name = "ID|PATH",
        required_unless_present_any = ["all_groups", "project", "all_projects"],
        value_parser = group_names,
        allow_negative_numbers = true
    )]
    pub group: Vec<String>,
    /// Export the descendants of each group, too
    #[arg(long, requires = "group")]
    pub subgroups: bool,
    /// Export every group of the snapshot
    #[arg(long, conflicts_with_all = ["group", "subgroups"])]
    pub all_groups: bool,
    /// A project's id, full path, GitLab's address of it, or a pattern
    ///
    /// Such as acme/** for all that are below acme, or acme/*/app. May be given several times, with or without groups.
    #[arg(
        long,
        value_name = "ID|PATH",
        value_parser = project_names,
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
