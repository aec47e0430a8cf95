//! GraphQL's `GroupMember`: who belongs to a group, directly, by an ancestor, or by a group that was invited.

use std::collections::BTreeMap;
use std::io;

use async_graphql::connection::PageInfo;
use async_graphql::{Enum, ID, SimpleObject};

use super::gid;
use super::time::Time;
use super::users::UserCore;
use crate::api::App;
use crate::api::directory::{Directory, Member};

/// How somebody came to be a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum GroupMemberRelation {
    Direct,
    Inherited,
    SharedFromGroups,
}

#[derive(Debug, SimpleObject)]
pub(crate) struct AccessLevel {
    integer_value: Option<i32>,
}

impl AccessLevel {
    pub(super) fn new(level: i64) -> AccessLevel {
        AccessLevel {
            integer_value: i32::try_from(level).ok(),
        }
    }
}

/// A member. Invitations that nobody has taken up have no user.
#[derive(Debug, SimpleObject)]
pub(crate) struct GroupMember {
    id: ID,
    created_at: Option<Time>,
    updated_at: Option<Time>,
    expires_at: Option<Time>,
    access_level: AccessLevel,
    user: Option<UserCore>,
}

#[derive(SimpleObject)]
pub(crate) struct GroupMemberConnection {
    pub nodes: Vec<GroupMember>,
    pub page_info: PageInfo,
}

/// The members of a group, in order of their ids.
pub(crate) async fn find(
    app: &App,
    group: i64,
    relations: Vec<GroupMemberRelation>,
) -> async_graphql::Result<Vec<GroupMember>> {
    let app = App::clone(app);
    let found = tokio::task::spawn_blocking(move || {
        let directory = app.directory.get().ok_or("the groups are not known yet")?;
        collect(directory, group, &relations).map_err(|error| {
            tracing::error!("cannot read the groups: {error}");
            "the groups cannot be read"
        })
    });
    let found = found.await??;
    Ok(found.into_iter().map(GroupMember::from).collect())
}

/// The members of a group, each user once.
///
/// # Errors
/// Where the directory's file cannot be read any more.
pub(super) fn collect(
    directory: &Directory,
    group: i64,
    relations: &[GroupMemberRelation],
) -> io::Result<Vec<Member>> {
    let wants = |relation| relations.contains(&relation);
    let mut all = Vec::new();
    for (distance, group) in directory.with_ancestors(group).into_iter().enumerate() {
        let details = directory.details(group.id)?;
        let relation = match distance {
            0 => GroupMemberRelation::Direct,
            _ => GroupMemberRelation::Inherited,
        };
        if wants(relation) {
            all.extend(details.members);
        }
        if !wants(GroupMemberRelation::SharedFromGroups) {
            continue;
        }
        for invited in details.invited {
            let members = directory.details(invited.group_id)?.members.into_iter();
            // An invitation to a group that is invited reaches nobody yet.
            all.extend(
                members
                    .filter(|member| member.user_id.is_some())
                    .map(|mut member| {
                        member.access_level = member.access_level.min(invited.access_level);
                        member
                    }),
            );
        }
    }
    Ok(highest(all))
}

/// Each user once, with the highest level; of equal ones the first, which is nearest to the group.
fn highest(all: Vec<Member>) -> Vec<Member> {
    let mut by_user: BTreeMap<i64, Member> = BTreeMap::new();
    let mut members = Vec::new();
    for member in all {
        let Some(user) = member.user_id else {
            members.push(member);
            continue;
        };
        match by_user.get(&user) {
            Some(known) if known.access_level >= member.access_level => {}
            _ => {
                by_user.insert(user, member);
            }
        }
    }
    members.extend(by_user.into_values());
    members.sort_by_key(|member| member.id);
    members
}

impl From<Member> for GroupMember {
    fn from(member: Member) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(Time::of);
        GroupMember {
            id: gid("GroupMember", member.id),
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

    fn member(id: i64, user_id: Option<i64>, access_level: i64) -> Member {
        Member {
            id,
            access_level,
            created_at: None,
            updated_at: None,
            expires_at: None,
            user_id,
            user: None,
        }
    }

    #[test]
    fn a_user_is_there_once_with_the_highest_level() {
        let all = vec![
            member(5, Some(2), 30),
            member(3, None, 30),
            member(9, Some(2), 50),
            member(1, Some(2), 50),
            member(4, None, 10),
            member(7, Some(8), 10),
        ];
        let left: Vec<i64> = highest(all).iter().map(|member| member.id).collect();
        assert_eq!(left, [3, 4, 7, 9]);
    }
}
