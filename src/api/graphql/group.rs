//! GraphQL's `Group`.

use async_graphql::{Context, ID, Object};

use super::iterations::{self, IterationConnection};
use super::members::{self, GroupMemberConnection, GroupMemberRelation};
use super::project::{self, NamespaceProjectSort, ProjectConnection, ProjectFilter};
use super::{gid, page, query_context};
use crate::api::App;
use crate::api::attributes::{Attributes, attributes};
use crate::api::directory;

/// A group.
pub(crate) struct Group(Attributes);

impl Group {
    /// Reads what is known of a group.
    pub(crate) async fn read(app: &App, group: directory::Group) -> async_graphql::Result<Group> {
        let app = App::clone(app);
        let read = tokio::task::spawn_blocking(move || {
            let directory = app.directory.get().ok_or("the groups are not known yet")?;
            attributes(directory, &group).map_err(|error| {
                tracing::error!("cannot read the groups: {error}");
                "the groups cannot be read"
            })
        });
        Ok(Group(read.await??))
    }
}

#[Object]
impl Group {
    async fn id(&self) -> ID {
        gid("Group", self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn path(&self) -> &str {
        &self.0.path
    }

    async fn full_path(&self) -> ID {
        ID(self.0.full_path.clone())
    }

    async fn full_name(&self) -> &str {
        &self.0.full_name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn visibility(&self) -> Option<&str> {
        self.0.visibility
    }

    async fn emails_disabled(&self) -> Option<bool> {
        Some(self.0.emails_disabled)
    }

    async fn lfs_enabled(&self) -> Option<bool> {
        Some(self.0.lfs_enabled)
    }

    async fn mentions_disabled(&self) -> Option<bool> {
        self.0.mentions_disabled
    }

    async fn project_creation_level(&self) -> Option<&str> {
        self.0.project_creation_level
    }

    async fn request_access_enabled(&self) -> Option<bool> {
        self.0.request_access_enabled
    }

    async fn require_two_factor_authentication(&self) -> Option<bool> {
        self.0.require_two_factor_authentication
    }

    async fn share_with_group_lock(&self) -> Option<bool> {
        self.0.share_with_group_lock
    }

    async fn subgroup_creation_level(&self) -> Option<&str> {
        self.0.subgroup_creation_level
    }

    async fn two_factor_grace_period(&self) -> Option<i32> {
        i32::try_from(self.0.two_factor_grace_period?).ok()
    }

    /// Members of the group, a user once, with the highest level.
    async fn group_members(
        &self,
        context: &Context<'_>,
        relations: Option<Vec<GroupMemberRelation>>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<GroupMemberConnection> {
        let relations = relations
            .unwrap_or_else(|| vec![GroupMemberRelation::Direct, GroupMemberRelation::Inherited]);
        let asked = query_context(context)?;
        let all = members::find(asked.app, self.0.id, relations).await?;
        let (nodes, page_info) = page(all, first, after.as_deref());
        Ok(GroupMemberConnection { nodes, page_info })
    }

    /// Iterations of the group and, unless this is said to be unwanted, of those above it.
    async fn iterations(
        &self,
        context: &Context<'_>,
        include_ancestors: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<IterationConnection> {
        let ancestors = include_ancestors.unwrap_or(true);
        let all = iterations::find(query_context(context)?.app, self.0.id, ancestors).await?;
        let (nodes, page_info) = page(all, first, after.as_deref());
        Ok(IterationConnection { nodes, page_info })
    }

    /// Projects of the group, the newest first unless another order is named.
    #[graphql(complexity = "5 + 5 * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "the arguments are GitLab's")]
    async fn projects(
        &self,
        context: &Context<'_>,
        include_subgroups: Option<bool>,
        not_aimed_for_deletion: Option<bool>,
        search: Option<String>,
        sort: Option<NamespaceProjectSort>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<ProjectConnection> {
        let filter = ProjectFilter {
            include_subgroups: include_subgroups.unwrap_or(false),
            not_aimed_for_deletion: not_aimed_for_deletion.unwrap_or(false),
            search,
            sort,
        };
        let app = query_context(context)?.app;
        project::of_group(app, self.0.id, filter, first, after).await
    }
}
