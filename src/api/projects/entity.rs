//! A project as GitLab's API shows it, as far as a snapshot of the database tells.

use std::io;

use serde::Serialize;

use crate::api::attributes::{attributes, visibility};
use crate::api::directory::{Directory, Features, Project, ProjectDetails};

/// A project as lists show it that are asked to be simple.
#[derive(Serialize)]
pub(super) struct SimpleProject {
    id: i64,
    description: Option<String>,
    name: String,
    name_with_namespace: String,
    path: String,
    path_with_namespace: String,
    created_at: Option<String>,
    web_url: String,
    avatar_url: Option<String>,
    star_count: i64,
    last_activity_at: Option<String>,
    visibility: Option<&'static str>,
    namespace: Namespace,
}

/// What a project lies in.
#[derive(Serialize)]
struct Namespace {
    id: Option<i64>,
    /// Not known of persons, and of groups that the snapshot lacks.
    name: Option<String>,
    path: String,
    kind: Option<&'static str>,
    full_path: String,
    parent_id: Option<i64>,
    avatar_url: Option<String>,
    web_url: Option<String>,
}

/// A project.
#[derive(Serialize)]
pub(super) struct ProjectEntity {
    #[serde(flatten)]
    simple: SimpleProject,
    archived: bool,
    resolve_outdated_diff_discussions: Option<bool>,
    issues_enabled: bool,
    merge_requests_enabled: bool,
    wiki_enabled: bool,
    jobs_enabled: bool,
    snippets_enabled: bool,
    container_registry_enabled: bool,
    service_desk_enabled: Option<bool>,
    issues_access_level: Option<&'static str>,
    repository_access_level: Option<&'static str>,
    merge_requests_access_level: Option<&'static str>,
    forking_access_level: Option<&'static str>,
    wiki_access_level: Option<&'static str>,
    builds_access_level: Option<&'static str>,
    snippets_access_level: Option<&'static str>,
    pages_access_level: Option<&'static str>,
    analytics_access_level: Option<&'static str>,
    container_registry_access_level: Option<&'static str>,
    security_and_compliance_access_level: Option<&'static str>,
    releases_access_level: Option<&'static str>,
    environments_access_level: Option<&'static str>,
    feature_flags_access_level: Option<&'static str>,
    infrastructure_access_level: Option<&'static str>,
    monitor_access_level: Option<&'static str>,
    model_experiments_access_level: Option<&'static str>,
    model_registry_access_level: Option<&'static str>,
    package_registry_access_level: Option<&'static str>,
    requirements_access_level: Option<&'static str>,
    emails_disabled: bool,
    emails_enabled: bool,
    shared_runners_enabled: Option<bool>,
    lfs_enabled: bool,
    creator_id: Option<i64>,
    public_jobs: Option<bool>,
    ci_config_path: Option<String>,
    only_allow_merge_if_pipeline_succeeds: Option<bool>,
    request_access_enabled: Option<bool>,
    only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    remove_source_branch_after_merge: Option<bool>,
    printing_merge_request_link_enabled: Option<bool>,
    merge_method: &'static str,
    suggestion_commit_message: Option<String>,
    autoclose_referenced_issues: bool,
    repository_storage: Option<String>,
    updated_at: Option<String>,
    marked_for_deletion_at: Option<String>,
    marked_for_deletion_on: Option<String>,
}

/// The name of a feature's level; none for an unknown one.
fn level(level: Option<i64>) -> Option<&'static str> {
    match level? {
        0 => Some("disabled"),
        10 => Some("private"),
        20 => Some("enabled"),
        30 => Some("public"),
        _ => None,
    }
}

impl SimpleProject {
    pub(super) fn new(
        directory: &Directory,
        base: &str,
        project: &Project,
        details: &ProjectDetails,
    ) -> SimpleProject {
        let columns = &details.project;
        let namespace = Namespace::new(directory, base, project, columns.namespace_id);
        let outer = match project.group_id {
            Some(group) => directory.full_name(group),
            None => namespace.full_path.clone(),
        };
        let last_activity_at = columns.last_activity_at.as_ref();
        SimpleProject {
            id: project.id,
            description: columns.description.clone(),
            name: project.name.clone(),
            name_with_namespace: format!("{outer} / {}", project.name),
            path: project.path().to_owned(),
            path_with_namespace: project.full_path.clone(),
            created_at: columns.created_at.clone(),
            web_url: format!("{base}/{}", project.full_path),
            avatar_url: None,
            star_count: project.star_count,
            last_activity_at: last_activity_at.or(columns.updated_at.as_ref()).cloned(),
            visibility: visibility(project.visibility_level),
            namespace,
        }
    }
}

impl Namespace {
    fn new(directory: &Directory, base: &str, project: &Project, id: Option<i64>) -> Namespace {
        let full_path = project.full_path.rsplit_once('/');
        let full_path = full_path.map_or("", |(above, _)| above);
        match project.group_id.and_then(|group| directory.get(group)) {
            Some(group) => Namespace {
                id: Some(group.id),
                name: Some(group.name.clone()),
                path: group.path().to_owned(),
                kind: Some("group"),
                full_path: group.full_path.clone(),
                parent_id: group.parent_id,
                avatar_url: None,
                web_url: Some(format!("{base}/groups/{}", group.full_path)),
            },
            None => Namespace {
                id,
                name: None,
                path: full_path.rsplit('/').next().unwrap_or_default().to_owned(),
                kind: None,
                full_path: full_path.to_owned(),
                parent_id: None,
                avatar_url: None,
                web_url: None,
            },
        }
    }
}

impl ProjectEntity {
    /// Reads what is known of a project, and of the groups above it.
    ///
    /// # Errors
    /// Where the directory's file cannot be read any more.
    pub(super) fn read(
        directory: &Directory,
        base: &str,
        project: &Project,
    ) -> io::Result<ProjectEntity> {
        let details = directory.project_details(project.id)?;
        let group = project.group_id.and_then(|group| directory.get(group));
        let group = group
            .map(|group| attributes(directory, group))
            .transpose()?;
        let simple = SimpleProject::new(directory, base, project, &details);
        let ProjectDetails {
            project: columns,
            features,
            ..
        } = details;
        // Without a row GitLab takes its own defaults for it.
        let features = features.unwrap_or_default();
        let Features {
            issues,
            merge_requests,
            forking,
            wiki,
            builds,
            ..
        } = features;
        // A NULL in these columns is as good as 20.
        let [issues, merge_requests, forking, wiki, builds] =
            [issues, merge_requests, forking, wiki, builds].map(|level| level.or(Some(ENABLED)));
        let snippets = features.snippets.or(Some(ENABLED));
        let is_on = |level: Option<i64>| level.is_some_and(|level| level > 0);
        let mut emails_disabled = columns.emails_disabled == Some(true);
        let mut lfs_enabled = columns.lfs_enabled;
        if let Some(group) = &group {
            emails_disabled |= group.emails_disabled;
            lfs_enabled = lfs_enabled.or(Some(group.lfs_enabled));
        }
        Ok(ProjectEntity {
            simple,
            archived: project.archived,
            resolve_outdated_diff_discussions: columns.resolve_outdated_diff_discussions,
            issues_enabled: is_on(issues),
            merge_requests_enabled: is_on(merge_requests),
            wiki_enabled: is_on(wiki),
            jobs_enabled: is_on(builds),
            snippets_enabled: is_on(snippets),
            container_registry_enabled: is_on(features.container_registry),
            service_desk_enabled: columns.service_desk_enabled,
            issues_access_level: level(issues),
            repository_access_level: level(features.repository.or(Some(ENABLED))),
            merge_requests_access_level: level(merge_requests),
            forking_access_level: level(forking),
            wiki_access_level: level(wiki),
            builds_access_level: level(builds),
            snippets_access_level: level(snippets),
            pages_access_level: level(features.pages),
            analytics_access_level: level(features.analytics),
            container_registry_access_level: level(features.container_registry),
            security_and_compliance_access_level: level(features.security_and_compliance),
            releases_access_level: level(features.releases),
            environments_access_level: level(features.environments),
            feature_flags_access_level: level(features.feature_flags),
            infrastructure_access_level: level(features.infrastructure),
            monitor_access_level: level(features.monitor),
            model_experiments_access_level: level(features.model_experiments),
            model_registry_access_level: level(features.model_registry),
            package_registry_access_level: level(features.package_registry),
            requirements_access_level: level(features.requirements),
            emails_disabled,
            emails_enabled: !emails_disabled,
            shared_runners_enabled: columns.shared_runners_enabled,
            lfs_enabled: lfs_enabled.unwrap_or(true),
            creator_id: columns.creator_id,
            public_jobs: columns.public_builds,
            ci_config_path: columns.ci_config_path,
            only_allow_merge_if_pipeline_succeeds: columns.only_allow_merge_if_pipeline_succeeds,
            request_access_enabled: columns.request_access_enabled,
            only_allow_merge_if_all_discussions_are_resolved: columns
                .only_allow_merge_if_all_discussions_are_resolved,
            remove_source_branch_after_merge: columns.remove_source_branch_after_merge,
            printing_merge_request_link_enabled: columns.printing_merge_request_link_enabled,
            merge_method: match (
                columns.merge_requests_ff_only_enabled,
                columns.merge_requests_rebase_enabled,
            ) {
                (Some(true), _) => "ff",
                (_, Some(true)) => "rebase_merge",
                _ => "merge",
            },
            suggestion_commit_message: columns.suggestion_commit_message,
            autoclose_referenced_issues: columns.autoclose_referenced_issues.unwrap_or(true),
            repository_storage: columns.repository_storage,
            updated_at: columns.updated_at,
            marked_for_deletion_on: columns.marked_for_deletion_at.clone(),
            marked_for_deletion_at: columns.marked_for_deletion_at,
        })
    }
}

/// For whoever sees the project.
const ENABLED: i64 = 20;
