//! Members of a project: its own, those of the groups above it, and those of groups that were invited.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_graphql::connection::PageInfo;
use async_graphql::{Enum, ID, SimpleObject};

use super::gid;
use super::members::{self, AccessLevel, GroupMemberRelation};
use super::project::unreadable;
use super::time::Time;
use super::users::UserCore;
use crate::api::App;
use crate::api::app::reading;
use crate::api::directory::{Directory, Member, Project, ProjectDetails};

/// How somebody came to be a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ProjectMemberRelation {
    Direct,
    Inherited,
    /// By a group that was invited to the project.
    InvitedGroups,
    /// By a group that was invited to a group above the project.
    SharedIntoAncestors,
}

/// A member of a project, or of a group above it. Invitations that nobody has taken up have no user.
#[derive(Debug, SimpleObject)]
pub(crate) struct ProjectMember {
    id: ID,
    created_at: Option<Time>,
    updated_at: Option<Time>,
    expires_at: Option<Time>,
    access_level: AccessLevel,
    user: Option<UserCore>,
}

#[derive(SimpleObject)]
pub(crate) struct ProjectMemberConnection {
    pub nodes: Vec<ProjectMember>,
    pub page_info: PageInfo,
}

/// The members of a project, in order of their ids.
pub(super) async fn find(
    app: &App,
    project: Arc<Project>,
    details: Arc<ProjectDetails>,
    relations: Vec<ProjectMemberRelation>,
) -> async_graphql::Result<Vec<ProjectMember>> {
    let read = reading(app, move |directory| {
        collect(directory, &project, &details, &relations)
    });
    let found = read.await.map_err(unreadable)?;
    Ok(found.into_iter().map(ProjectMember::from).collect())
}

/// A row of a project's list: a member of the project itself, or of a group.
#[derive(Debug, Clone)]
struct Row {
    member: Member,
    of_project: bool,
}

fn collect(
    directory: &Directory,
    project: &Project,
    details: &ProjectDetails,
    relations: &[ProjectMemberRelation],
) -> io::Result<Vec<Row>> {
    let wants = |relation| relations.contains(&relation);
    let mut all = Vec::new();
    if wants(ProjectMemberRelation::Direct) {
        let own = details.members.iter().cloned();
        all.extend(own.map(|member| Row {
            member,
            of_project: true,
        }));
    }
    let mut add = |members: Vec<Member>| {
        // Who is invited to a group by mail is not shown in its projects.
        let members = members
            .into_iter()
            .filter(|member| member.user_id.is_some());
        all.extend(members.map(|member| Row {
            member,
            of_project: false,
        }));
    };
    let group = project.group_id.and_then(|group| directory.get(group));
    if let Some(group) = group {
        let mut of_group = Vec::new();
        if wants(ProjectMemberRelation::Inherited) {
            of_group.extend([GroupMemberRelation::Direct, GroupMemberRelation::Inherited]);
        }
        if wants(ProjectMemberRelation::SharedIntoAncestors) {
            of_group.push(GroupMemberRelation::SharedFromGroups);
        }
        add(members::collect(directory, group.id, &of_group)?);
    }
    if wants(ProjectMemberRelation::InvitedGroups) && may_share(directory, project)? {
        for invited in &details.invited {
            // The groups above one that is invited come with it.
            for group in directory.with_ancestors(invited.group_id) {
                let mut members = directory.details(group.id)?.members;
                for member in &mut members {
                    member.access_level = member.access_level.min(invited.access_level);
                }
                add(members);
            }
        }
    }
    Ok(one_each(all))
}

/// True unless the project's group forbids to invite groups. Those that were invited before have nothing of it then.
fn may_share(directory: &Directory, project: &Project) -> io::Result<bool> {
    let Some(group) = project.group_id else {
        return Ok(true);
    };
    let locked = directory.details(group)?.group.share_with_group_lock;
    Ok(locked != Some(true))
}

/// Each user once: the row of the project, if there is one, else the one with the highest level, and of equal ones the first;
/// in any case with the highest level of all.
fn one_each(all: Vec<Row>) -> Vec<Row> {
    let mut by_user: BTreeMap<i64, Row> = BTreeMap::new();
    let mut rows = Vec::new();
    for row in all {
        let Some(user) = row.member.user_id else {
            rows.push(row);
            continue;
        };
        let Some(known) = by_user.get_mut(&user) else {
            by_user.insert(user, row);
            continue;
        };
        let level = known.member.access_level.max(row.member.access_level);
        let is_better = (row.of_project, row.member.access_level)
            > (known.of_project, known.member.access_level);
        if is_better {
            *known = row;
        }
        known.member.access_level = level;
    }
    rows.extend(by_user.into_values());
    rows.sort_by_key(|row| (row.member.id, row.of_project));
    rows
}

impl From<Row> for ProjectMember {
    fn from(Row { member, of_project }: Row) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(Time::of);
        let kind = match of_project {
            true => "ProjectMember",
            false => "GroupMember",
        };
        ProjectMember {
            id: gid(kind, member.id),
            created_at: time(&member.created_at),
            updated_at: time(&member.updated_at),
            expires_at: time(&member.expires_at),
            access_level: AccessLevel::new(member.access_level),
            user: member.user.map(UserCore::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, user_id: Option<i64>, access_level: i64, of_project: bool) -> Row {
        Row {
            member: Member {
                id,
                access_level,
                created_at: None,
                updated_at: None,
                expires_at: None,
                user_id,
                user: None,
            },
            of_project,
        }
    }

    #[test]
    fn a_user_has_one_row_and_the_projects_own_goes_before_groups() {
        let all = vec![
            row(1, Some(7), 30, true),
            row(2, None, 20, true),
            row(3, Some(7), 50, false),
            row(4, Some(8), 20, false),
            row(5, Some(8), 40, false),
            row(6, Some(8), 40, false),
            row(9, Some(9), 40, false),
            row(8, Some(9), 10, true),
        ];
        let rows = one_each(all);
        let rows: Vec<(i64, i64)> = rows
            .iter()
            .map(|row| (row.member.id, row.member.access_level))
            .collect();
        assert_eq!(rows, [(1, 50), (2, 20), (5, 40), (8, 40)]);
    }
}
