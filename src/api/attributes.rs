//! A group's attributes as GitLab gives them: numbers as their names, and settings as they hold for the group.

use std::io;

use super::directory::{Columns, Details, Directory, Group};

/// A group's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub id: i64,
    pub parent_id: Option<i64>,
    pub name: String,
    pub path: String,
    pub full_path: String,
    pub full_name: String,
    pub description: Option<String>,
    pub visibility: Option<&'static str>,
    pub emails_disabled: bool,
    pub lfs_enabled: bool,
    pub mentions_disabled: Option<bool>,
    pub project_creation_level: Option<&'static str>,
    pub request_access_enabled: Option<bool>,
    pub require_two_factor_authentication: Option<bool>,
    pub share_with_group_lock: Option<bool>,
    pub subgroup_creation_level: Option<&'static str>,
    pub two_factor_grace_period: Option<i64>,
    pub organization_id: Option<i64>,
    pub created_at: Option<String>,
}

/// The name of a visibility level; none for an unknown one.
pub(crate) fn visibility(level: Option<i64>) -> Option<&'static str> {
    match level? {
        0 => Some("private"),
        10 => Some("internal"),
        20 => Some("public"),
        _ => None,
    }
}

/// Without a level an instance's own default holds, of which GitLab's is taken; an unknown level has no name.
fn project_creation(level: Option<i64>) -> Option<&'static str> {
    match level {
        Some(0) => Some("noone"),
        Some(1) => Some("maintainer"),
        None | Some(2) => Some("developer"),
        Some(3) => Some("administrator"),
        Some(4) => Some("owner"),
        Some(_) => None,
    }
}

/// Without a level GitLab takes it for the owners'.
fn subgroup_creation(level: Option<i64>) -> Option<&'static str> {
    match level {
        None | Some(0) => Some("owner"),
        Some(1) => Some("maintainer"),
        Some(_) => None,
    }
}

/// True where the group itself sends no mail. Newer versions keep that among the settings.
fn without_emails(columns: &Columns) -> bool {
    columns.emails_enabled == Some(false) || columns.emails_disabled == Some(true)
}

/// A group's attributes. Reads what is known of it and of its ancestors.
///
/// # Errors
/// Where the directory's file cannot be read any more.
pub(crate) fn attributes(directory: &Directory, group: &Group) -> io::Result<Attributes> {
    let line = directory.with_ancestors(group.id);
    let mut columns = line.iter().map(|group| {
        let Details { group, .. } = directory.details(group.id)?;
        io::Result::Ok(group)
    });
    let own = columns.next().transpose()?.unwrap_or_default();
    let mut emails_disabled = without_emails(&own);
    let mut lfs_enabled = own.lfs_enabled;
    for above in columns {
        let above = above?;
        emails_disabled |= without_emails(&above);
        lfs_enabled = lfs_enabled.or(above.lfs_enabled);
    }
    Ok(Attributes {
        id: group.id,
        parent_id: group.parent_id,
        name: group.name.clone(),
        path: group.path().to_owned(),
        full_path: group.full_path.clone(),
        full_name: directory.full_name(group.id),
        description: own.description,
        visibility: visibility(own.visibility_level),
        emails_disabled,
        lfs_enabled: lfs_enabled.unwrap_or(true),
        mentions_disabled: own.mentions_disabled,
        project_creation_level: project_creation(own.project_creation_level),
        request_access_enabled: own.request_access_enabled,
        require_two_factor_authentication: own.require_two_factor_authentication,
        share_with_group_lock: own.share_with_group_lock,
        subgroup_creation_level: subgroup_creation(own.subgroup_creation_level),
        two_factor_grace_period: own.two_factor_grace_period,
        organization_id: own.organization_id,
        created_at: own.created_at,
    })
}
