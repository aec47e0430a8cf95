//! GraphQL's `Project`.

use std::sync::Arc;

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use tokio::sync::OnceCell;

use super::project_members::{self, ProjectMemberConnection, ProjectMemberRelation};
use super::snippets::{self, SnippetConnection};
use super::time::Time;
use super::{gid, page, query_context};
use crate::api::attributes::visibility;
use crate::api::directory::{self, Directory, ProjectDetails};
use crate::api::projects::matches;
use crate::api::{App, app};

/// A project. What is not in memory is read once, when it is asked for.
pub(crate) struct Project {
    project: Arc<directory::Project>,
    details: OnceCell<Arc<ProjectDetails>>,
}

#[derive(SimpleObject)]
pub(crate) struct ProjectConnection {
    nodes: Vec<Project>,
    page_info: PageInfo,
    count: i32,
}

/// The order of a group's projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum NamespaceProjectSort {
    /// Those come first that are the newest.
    Similarity,
    ActivityDesc,
    PathAsc,
    PathDesc,
}

/// Which projects of a group are wanted.
pub(super) struct ProjectFilter {
    pub include_subgroups: bool,
    pub not_aimed_for_deletion: bool,
    pub search: Option<String>,
    pub sort: Option<NamespaceProjectSort>,
}

/// A page of the projects of a group.
///
/// # Errors
/// Where the directory is not there yet.
pub(super) async fn of_group(
    app: &App,
    group: i64,
    filter: ProjectFilter,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<ProjectConnection> {
    let read = app::reading(app, move |directory| {
        let found = filter.find(directory, group);
        let count = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let (nodes, page_info) = page(found, first, after.as_deref());
        Ok(ProjectConnection {
            nodes: nodes.into_iter().map(Project::from).collect(),
            page_info,
            count,
        })
    });
    read.await.map_err(unreadable)
}

/// What is told of a directory that cannot be read; the log says more.
pub(super) fn unreadable(_: crate::api::errors::ApiError) -> async_graphql::Error {
    "the groups and projects cannot be read".into()
}

impl ProjectFilter {
    fn find<'d>(&self, directory: &'d Directory, group: i64) -> Vec<&'d directory::Project> {
        let mut found = directory.projects_of(group, self.include_subgroups);
        found.retain(|project| {
            let is_going = self.not_aimed_for_deletion && project.is_marked_for_deletion;
            let search = self.search.as_deref().filter(|text| !text.is_empty());
            !is_going && search.is_none_or(|wanted| matches(project, wanted, false))
        });
        // GitLab's order if none is named: the newest first.
        found.reverse();
        match self.sort {
            None | Some(NamespaceProjectSort::Similarity) => {}
            Some(NamespaceProjectSort::ActivityDesc) => {
                found.sort_by_key(|project| std::cmp::Reverse(project.last_activity_at));
            }
            Some(NamespaceProjectSort::PathAsc) => found.sort_by_key(|project| project.path()),
            Some(NamespaceProjectSort::PathDesc) => {
                found.sort_by_key(|project| std::cmp::Reverse(project.path()));
            }
        }
        found
    }
}

impl From<&directory::Project> for Project {
    fn from(project: &directory::Project) -> Self {
        Project {
            project: Arc::new(project.clone()),
            details: OnceCell::new(),
        }
    }
}

impl Project {
    async fn details(&self, context: &Context<'_>) -> async_graphql::Result<&Arc<ProjectDetails>> {
        let app = query_context(context)?.app;
        let id = self.project.id;
        let read = || async {
            let details = app::reading(app, move |directory| directory.project_details(id));
            details.await.map(Arc::new)
        };
        self.details.get_or_try_init(read).await.map_err(unreadable)
    }
}

#[Object]
impl Project {
    async fn id(&self) -> ID {
        gid("Project", self.project.id)
    }

    async fn name(&self) -> &str {
        &self.project.name
    }

    async fn path(&self) -> &str {
        self.project.path()
    }

    async fn full_path(&self) -> ID {
        ID(self.project.full_path.clone())
    }

    async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        let details = self.details(context).await?;
        Ok(details.project.description.as_deref())
    }

    async fn visibility(&self) -> Option<&str> {
        visibility(self.project.visibility_level)
    }

    async fn created_at(&self, context: &Context<'_>) -> async_graphql::Result<Option<Time>> {
        let details = self.details(context).await?;
        Ok(details.project.created_at.as_deref().and_then(Time::of))
    }

    async fn archived(&self) -> Option<bool> {
        Some(self.project.archived)
    }

    /// Null: the repository is a file of the export, and is not served by git.
    async fn http_url_to_repo(&self) -> Option<&str> {
        None
    }

    /// Members of the project, a user once, with the highest level.
    #[graphql(complexity = "SEARCH + child_complexity")]
    async fn project_members(
        &self,
        context: &Context<'_>,
        relations: Option<Vec<ProjectMemberRelation>>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<ProjectMemberConnection> {
        let relations = relations.unwrap_or_else(|| {
            vec![
                ProjectMemberRelation::Direct,
                ProjectMemberRelation::Inherited,
            ]
        });
        let details = Arc::clone(self.details(context).await?);
        let asked = query_context(context)?;
        let project = Arc::clone(&self.project);
        let all = project_members::find(asked.app, project, details, relations).await?;
        let (nodes, page_info) = page(all, first, after.as_deref());
        Ok(ProjectMemberConnection { nodes, page_info })
    }

    /// Snippets of the project, all on one page: destinations ask for no other. Null where nobody may use the feature.
    #[graphql(complexity = "SEARCH + child_complexity")]
    async fn snippets(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<Option<SnippetConnection>> {
        let details = Arc::clone(self.details(context).await?);
        let context = query_context(context)?;
        snippets::of_project(&context, &self.project, details).await
    }
}

/// What reading a list of a project costs, in fields.
const SEARCH: usize = super::SEARCH;
