//! GraphQL's `Snippet`, of projects.

use std::sync::Arc;

use async_graphql::connection::PageInfo;
use async_graphql::{ID, SimpleObject};

use super::time::Time;
use super::{QueryContext, gid};
use crate::api::directory::{Project, ProjectDetails, Snippet as Row};
use crate::api::{App, app, git};

/// A snippet. A destination finds its own by title and time, to the second.
#[derive(Debug, SimpleObject)]
pub(crate) struct Snippet {
    id: ID,
    title: Option<String>,
    created_at: Option<Time>,
    /// Null where there is no repository of it that git can fetch.
    http_url_to_repo: Option<String>,
}

#[derive(SimpleObject)]
pub(crate) struct SnippetConnection {
    pub nodes: Vec<Snippet>,
    pub page_info: PageInfo,
}

/// Nobody may use the feature.
const DISABLED: i64 = 0;

/// The snippets of a project, in order of their ids; `None` where nobody may use them.
pub(super) async fn of_project(
    context: &QueryContext<'_>,
    project: &Project,
    details: Arc<ProjectDetails>,
) -> async_graphql::Result<Option<SnippetConnection>> {
    let features = details.features.as_ref();
    if features.and_then(|features| features.snippets) == Some(DISABLED) {
        return Ok(None);
    }
    let (app, rows) = (App::clone(context.app), Arc::clone(&details));
    let repositories = app::reading(context.app, move |_| {
        let rows = rows.snippets.iter();
        Ok(rows
            .map(|row| git::has_snippet(&app, row.id))
            .collect::<Vec<_>>())
    });
    let repositories = repositories
        .await
        .map_err(|_| "cannot look for repositories of snippets")?;
    let snippets = format!("{}/{}/snippets", context.address, project.full_path);
    let rows = details.snippets.iter().zip(repositories);
    let nodes = rows.map(|(row, is_there)| Snippet {
        id: gid("ProjectSnippet", row.id),
        title: row.title.clone(),
        created_at: row.created_at.as_deref().and_then(Time::of),
        http_url_to_repo: is_there.then(|| format!("{snippets}/{}.git", row.id)),
    });
    let nodes = nodes.collect();
    let cursor = |row: Option<&Row>| row.map(|row| row.id.to_string());
    let page_info = PageInfo {
        has_previous_page: false,
        // A destination does not send the cursor: it would ask for this page for ever.
        has_next_page: false,
        start_cursor: cursor(details.snippets.first()),
        end_cursor: cursor(details.snippets.last()),
    };
    Ok(Some(SnippetConnection { nodes, page_info }))
}
