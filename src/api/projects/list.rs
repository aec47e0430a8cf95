//! Lists of projects: a group's, and all that a token may see.

use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::entity::{ProjectEntity, SimpleProject};
use crate::api::access::{Access, Authenticated, RequestedGroup};
use crate::api::app::reading;
use crate::api::attributes::visibility;
use crate::api::directory::{Directory, Project};
use crate::api::errors::ApiError;
use crate::api::paging::Page;
use crate::api::params::Params;
use crate::api::{App, address};

/// Which projects are wanted, and in which order.
struct ProjectFilter {
    archived: Option<bool>,
    search: Option<String>,
    /// The search goes by the full path, too.
    search_namespaces: bool,
    visibility: &'static str,
    order_by: &'static str,
    is_descending: bool,
    simple: bool,
}

impl ProjectFilter {
    /// What the parameters say that all lists of projects know.
    fn of(params: &Params) -> Result<ProjectFilter, ApiError> {
        // Whoever has a token sees as an owner does, so nothing is beyond any level.
        params.integer("min_access_level")?;
        Ok(ProjectFilter {
            archived: params.boolean("archived")?,
            search: params.text("search")?.filter(|text| !text.is_empty()),
            search_namespaces: false,
            visibility: params.choice("visibility", &["", "private", "internal", "public"])?,
            order_by: params.choice(
                "order_by",
                &[
                    "created_at",
                    "id",
                    "name",
                    "path",
                    "updated_at",
                    "last_activity_at",
                    "similarity",
                    "star_count",
                ],
            )?,
            is_descending: params.choice("sort", &["desc", "asc"])? == "desc",
            simple: params.boolean("simple")?.unwrap_or(false),
        })
    }

    fn takes(&self, project: &Project) -> bool {
        let is_visible = || {
            let level = visibility(project.visibility_level);
            self.visibility.is_empty() || level == Some(self.visibility)
        };
        let is_found = || {
            let search = self.search.as_deref();
            search.is_none_or(|wanted| matches(project, wanted, self.search_namespaces))
        };
        self.archived
            .is_none_or(|archived| archived == project.archived)
            && is_visible()
            && is_found()
    }

    fn sort(&self, projects: &mut [&Project]) {
        // GitLab takes the ids for the times of creation, too.
        projects.sort_unstable_by_key(|project| project.id);
        match self.order_by {
            "name" => projects.sort_by_cached_key(|project| project.name.to_lowercase()),
            "path" => projects.sort_by_key(|project| project.path()),
            "updated_at" => projects.sort_by_key(|project| project.updated_at),
            "last_activity_at" => projects.sort_by_key(|project| project.last_activity_at),
            "star_count" => projects.sort_by_key(|project| project.star_count),
            _ => {}
        }
        if self.is_descending {
            projects.reverse();
        }
    }
}

/// True where the project's name or path holds the text, or its full path, where the text has a slash or namespaces count.
pub(crate) fn matches(project: &Project, wanted: &str, namespaces: bool) -> bool {
    let wanted = wanted.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&wanted);
    match namespaces || wanted.contains('/') {
        true => holds(&project.full_path) || holds(&project.name),
        false => holds(&project.name) || holds(project.path()),
    }
}

/// A project of a list.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Simple(Box<SimpleProject>),
    Full(Box<ProjectEntity>),
}

impl Row {
    fn read(
        directory: &Directory,
        base: &str,
        project: &Project,
        simple: bool,
    ) -> std::io::Result<Row> {
        if simple {
            let details = directory.project_details(project.id)?;
            let simple = SimpleProject::new(directory, base, project, &details);
            return Ok(Row::Simple(Box::new(simple)));
        }
        let full = ProjectEntity::read(directory, base, project)?;
        Ok(Row::Full(Box::new(full)))
    }
}

/// A request for a list.
struct ListRequest {
    app: App,
    headers: HeaderMap,
    uri: OriginalUri,
    params: Params,
}

impl ListRequest {
    /// Answers with a page of the projects that `all` gives. They may be many, so they are gone through where that may
    /// take its time.
    async fn answer(
        self,
        filter: ProjectFilter,
        all: impl FnOnce(&Directory) -> Vec<&Project> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let ListRequest {
            app,
            headers,
            uri,
            params,
        } = self;
        let page = Page::of(&params)?;
        let base = address::base(&app, &headers);
        let read = reading(&app, move |directory| {
            let mut found = all(directory);
            found.retain(|project| filter.takes(project));
            filter.sort(&mut found);
            let total = found.len();
            let rows = page.cut(found).into_iter();
            let rows = rows.map(|project| Row::read(directory, &base, project, filter.simple));
            Ok((rows.collect::<std::io::Result<Vec<Row>>>()?, total))
        });
        let (rows, total) = read.await?;
        let address = address::of(&app, &headers, &uri);
        Ok(page.answer(&rows, total, &address, &params))
    }
}

/// `GET /groups/:id/projects`: a group's own, and if they are wanted those of the groups below it.
pub(crate) async fn of_group(
    State(app): State<App>,
    group: RequestedGroup,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let filter = ProjectFilter::of(&params)?;
    let below = params.boolean("include_subgroups")?.unwrap_or(false);
    let request = ListRequest {
        app,
        headers,
        uri,
        params,
    };
    let read = request.answer(filter, move |directory| {
        directory.projects_of(group.0.id, below)
    });
    read.await
}

/// `GET /projects`: those that the token may see.
pub(crate) async fn all(
    State(app): State<App>,
    Authenticated(access): Authenticated,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let mut filter = ProjectFilter::of(&params)?;
    filter.search_namespaces = params.boolean("search_namespaces")?.unwrap_or(false);
    // Whoever has a token is taken for an owner of all that it opens.
    params.boolean("owned")?;
    params.boolean("membership")?;
    let after = params.integer("id_after")?;
    let before = params.integer("id_before")?;
    let request = ListRequest {
        app,
        headers,
        uri,
        params,
    };
    let read = request.answer(filter, move |directory| {
        seen(directory, &access, after, before)
    });
    read.await
}

/// The projects that may be seen, of those with ids above and below these.
fn seen<'d>(
    directory: &'d Directory,
    access: &Access,
    after: Option<i64>,
    before: Option<i64>,
) -> Vec<&'d Project> {
    let mut found = access.seen_projects(directory);
    found.retain(|project| {
        after.is_none_or(|after| project.id > after)
            && before.is_none_or(|before| project.id < before)
    });
    found
}
