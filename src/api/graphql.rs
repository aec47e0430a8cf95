//! `/api/graphql`: the queries of a direct-transfer destination, with GitLab's names for types, fields and arguments.

mod group;
mod iterations;
mod limits;
mod members;
mod project;
mod project_members;
mod snippets;
mod time;
mod users;

use std::sync::LazyLock;

use async_graphql::connection::PageInfo;
use async_graphql::parser::parse_query;
use async_graphql::{Context, EmptyMutation, EmptySubscription, ID, Object, Schema};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use super::access::Access;
use super::address;
use super::directory::Directory;
use super::errors::ApiError;
use super::request;
use group::Group;
use limits::Refused;
use project::Project;
use users::{UserCore, UserCoreConnection, UserId};

/// Rows of a page at the most.
const PER_PAGE: usize = 100;
/// What a search for users costs, in fields: it reads a file of every group that was exported.
const SEARCH: usize = 20;
/// How deep fields may nest.
const DEPTH: usize = 20;

type ApiSchema = Schema<Query, EmptyMutation, EmptySubscription>;

static SCHEMA: LazyLock<ApiSchema> = LazyLock::new(|| {
    Schema::build(Query, EmptyMutation, EmptySubscription)
        .limit_depth(DEPTH)
        .limit_complexity(limits::FIELDS)
        .finish()
});

/// Answers the request.
pub(crate) async fn post(
    State(app): State<App>,
    access: Access,
    request: Request,
) -> Result<Response, ApiError> {
    app.directory()?;
    let address = Address(address::base(&app, request.headers()));
    let body = request::body(request.into_body()).await?;
    let Ok(mut query) = serde_json::from_slice::<async_graphql::Request>(&body) else {
        let body = json!({ "errors": [{ "message": "Unexpected end of document" }] });
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response());
    };
    let refused = |why: Refused| {
        Ok(Json(json!({ "errors": [{ "message": why.to_string() }] })).into_response())
    };
    if let Err(why) = limits::check_text(&query.query) {
        return refused(why);
    }
    // What cannot be parsed is told by the engine, in its own words.
    if let Ok(document) = parse_query(&query.query) {
        if let Err(why) = limits::check(&document, body.len()) {
            return refused(why);
        }
        query.set_parsed_query(document);
    }
    // Strangers see nothing, so what there could be is not theirs to ask either: its answers are far larger than the question.
    if access == Access::Nobody {
        query = query.disable_introspection();
    }
    let answer = SCHEMA
        .execute(query.data(app).data(access).data(address))
        .await;
    Ok(Json(answer).into_response())
}

/// Where clients know the server, as [`address::base`] says.
struct Address(String);

/// What a resolver works with.
struct QueryContext<'c> {
    app: &'c App,
    access: &'c Access,
    address: &'c str,
    directory: &'c Directory,
}

fn query_context<'c>(context: &Context<'c>) -> async_graphql::Result<QueryContext<'c>> {
    let app = context.data::<App>()?;
    Ok(QueryContext {
        app,
        access: context.data::<Access>()?,
        address: &context.data::<Address>()?.0,
        directory: app
            .directory()
            .map_err(|_| "the groups are not known yet")?,
    })
}

/// A page of a list: its rows, and what GraphQL says of their place.
fn page<T>(all: Vec<T>, first: Option<i32>, after: Option<&str>) -> (Vec<T>, PageInfo) {
    let total = all.len();
    // A cursor is the number of rows before the page: the lists do not change while the server runs.
    let from = after
        .and_then(|cursor| cursor.parse().ok())
        .unwrap_or(0)
        .min(total);
    let wanted = first.map_or(PER_PAGE, |first| usize::try_from(first).unwrap_or(0));
    let to = from.saturating_add(wanted.min(PER_PAGE)).min(total);
    let rows = all.into_iter().skip(from).take(to - from).collect();
    let info = PageInfo {
        has_previous_page: from > 0,
        // An empty page has no cursor to go on from: who asked for it would ask for the same one for ever.
        has_next_page: from < to && to < total,
        start_cursor: (from < to).then(|| from.to_string()),
        end_cursor: (from < to).then(|| to.to_string()),
    };
    (rows, info)
}

/// The number of a global id of a type: 7 of `gid://gitlab/User/7`.
fn number(gid: &str, kind: &str) -> Option<i64> {
    let rest = gid.strip_prefix("gid://gitlab/")?.strip_prefix(kind)?;
    rest.strip_prefix('/')?.parse().ok()
}

fn gid(kind: &str, number: i64) -> ID {
    ID(format!("gid://gitlab/{kind}/{number}"))
}

struct Query;

#[Object]
impl Query {
    /// A group, by its full path; null where it is not there or may not be seen.
    async fn group(
        &self,
        context: &Context<'_>,
        full_path: ID,
    ) -> async_graphql::Result<Option<Group>> {
        let asked = query_context(context)?;
        let found = asked
            .directory
            .find_path(&full_path)
            .filter(|group| asked.access.may_see(asked.directory, group));
        match found {
            Some(group) => Group::read(asked.app, group.clone()).await.map(Some),
            None => Ok(None),
        }
    }

    /// A project, by its full path; null where it is not there or may not be seen.
    async fn project(
        &self,
        context: &Context<'_>,
        full_path: ID,
    ) -> async_graphql::Result<Option<Project>> {
        let asked = query_context(context)?;
        let found = asked.directory.find_project_path(&full_path);
        let found = found.filter(|project| asked.access.may_see_project(asked.directory, project));
        Ok(found.map(Project::from))
    }

    /// Users that finished exports name, by id or by name.
    #[graphql(complexity = "SEARCH + child_complexity")]
    async fn users(
        &self,
        context: &Context<'_>,
        ids: Option<Vec<ID>>,
        usernames: Option<Vec<String>>,
        humans: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<UserCoreConnection> {
        let ids = ids.map(|ids| ids.iter().filter_map(|id| number(id, "User")).collect());
        let wanted = users::UserFilter {
            ids,
            usernames: usernames.map(|names| names.into_iter().collect()),
            humans,
        };
        let asked = query_context(context)?;
        let found = users::find(asked.app, asked.access, wanted).await?;
        let (nodes, page_info) = page(found, first, after.as_deref());
        Ok(UserCoreConnection { nodes, page_info })
    }

    /// A user that a finished export names.
    #[graphql(complexity = "SEARCH + child_complexity")]
    async fn user(
        &self,
        context: &Context<'_>,
        id: UserId,
    ) -> async_graphql::Result<Option<UserCore>> {
        let wanted = users::UserFilter {
            ids: Some(number(&id.0, "User").into_iter().collect()),
            usernames: None,
            humans: None,
        };
        let asked = query_context(context)?;
        let found = users::find(asked.app, asked.access, wanted).await?;
        Ok(found.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_the_rows_do() {
        let all = || (0..250).collect::<Vec<i32>>();
        let (rows, info) = page(all(), Some(500), None);
        assert_eq!((rows.len(), rows[0]), (100, 0));
        assert!(info.has_next_page && !info.has_previous_page);
        let (rows, info) = page(all(), None, info.end_cursor.as_deref());
        assert_eq!((rows.len(), rows[0]), (100, 100));
        let (rows, info) = page(all(), Some(100), info.end_cursor.as_deref());
        assert_eq!((rows.len(), rows[0]), (50, 200));
        assert!(!info.has_next_page && info.has_previous_page);
        for (first, after) in [(Some(0), None), (Some(-1), Some("x")), (None, Some("9999"))] {
            let (rows, info) = page(all(), first, after);
            assert!(
                rows.is_empty() && !info.has_next_page,
                "{first:?} {after:?}"
            );
        }
    }

    #[test]
    fn global_ids_are_of_a_type() {
        assert_eq!(number("gid://gitlab/User/7", "User"), Some(7));
        assert_eq!(number("gid://gitlab/Group/7", "User"), None);
        assert_eq!(number("gid://gitlab/User/x", "User"), None);
        assert_eq!(number("7", "User"), None);
    }
}
