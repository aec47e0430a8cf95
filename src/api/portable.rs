//! The relations that a destination asks for, whatever a snapshot or a pipeline has of them.

use super::entity::Kind;
use crate::pipeline::Edition;

/// Those of projects, in GitLab's order, and those of its Enterprise Edition alone.
const RELATIONS: [&str; 28] = [
    "labels",
    "milestones",
    "issues",
    "snippets",
    "releases",
    "merge_requests",
    "external_pull_requests",
    "commit_notes",
    "ci_pipelines",
    "auto_devops",
    "pipeline_schedules",
    "container_expiration_policy",
    "protected_branches",
    "protected_tags",
    "project_feature",
    "custom_attributes",
    "project_badges",
    "ci_cd_settings",
    "error_tracking_setting",
    "boards",
    "service_desk_setting",
    "user_contributions",
    "uploads",
    "lfs_objects",
    "repository",
    "design",
    "self",
    "max_iids",
];
const ENTERPRISE: [&str; 5] = [
    "protected_environments",
    "security_setting",
    "push_rule",
    "approval_rules",
    "vulnerabilities",
];

/// The one relation of a group that a pipeline file of an earlier release does not have.
const UPLOADS: &str = "uploads";

/// True for a relation that GitLab's edition exports of this kind; of groups just for the one that is known to be missing.
pub(crate) fn is_portable(kind: Kind, relation: &str, edition: Edition) -> bool {
    match kind {
        Kind::Group => relation == UPLOADS,
        Kind::Project => {
            RELATIONS.contains(&relation)
                || (edition == Edition::Ee && ENTERPRISE.contains(&relation))
        }
    }
}
