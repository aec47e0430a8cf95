//! GraphQL's `Iteration`: destinations ask for these where the source is GitLab 15.3 or older, which has no file of them.

use std::io;

use async_graphql::connection::PageInfo;
use async_graphql::{Enum, ID, SimpleObject};

use super::gid;
use super::time::Time;
use crate::api::App;
use crate::api::directory::{Directory, Iteration as Row};

/// Where an iteration is in time. GitLab writes these in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "lowercase")]
pub enum IterationState {
    Upcoming,
    Current,
    Closed,
}

impl IterationState {
    /// The state of a `state_enum`.
    fn of(number: i64) -> Option<IterationState> {
        match number {
            1 => Some(IterationState::Upcoming),
            2 => Some(IterationState::Current),
            3 => Some(IterationState::Closed),
            _ => None,
        }
    }
}

#[derive(Debug, SimpleObject)]
pub(crate) struct Iteration {
    id: ID,
    iid: ID,
    title: Option<String>,
    description: Option<String>,
    state: Option<IterationState>,
    start_date: Option<Time>,
    due_date: Option<Time>,
    created_at: Option<Time>,
    updated_at: Option<Time>,
}

#[derive(SimpleObject)]
pub(crate) struct IterationConnection {
    pub nodes: Vec<Iteration>,
    pub page_info: PageInfo,
}

/// The iterations of a group, those of its ancestors too where they are wanted, in order of the days on which they end.
pub(crate) async fn find(
    app: &App,
    group: i64,
    ancestors: bool,
) -> async_graphql::Result<Vec<Iteration>> {
    let app = App::clone(app);
    let found = tokio::task::spawn_blocking(move || {
        let directory = app.directory.get().ok_or("the groups are not known yet")?;
        collect(directory, group, ancestors).map_err(|error| {
            tracing::error!("cannot read the groups: {error}");
            "the groups cannot be read"
        })
    });
    let found = found.await??;
    Ok(found.into_iter().map(Iteration::from).collect())
}

fn collect(directory: &Directory, group: i64, ancestors: bool) -> io::Result<Vec<Row>> {
    let mut line = directory.with_ancestors(group);
    line.truncate(if ancestors { line.len() } else { 1 });
    let mut found = Vec::new();
    for group in line {
        found.extend(directory.details(group.id)?.iterations);
    }
    found.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(found)
}

/// Those without an end come last.
fn order(row: &Row) -> (bool, &Option<String>, i64) {
    (row.due_date.is_none(), &row.due_date, row.id)
}

impl From<Row> for Iteration {
    fn from(row: Row) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(Time::of);
        Iteration {
            id: gid("Iteration", row.id),
            iid: ID(row.iid.to_string()),
            state: row.state_enum.and_then(IterationState::of),
            start_date: time(&row.start_date),
            due_date: time(&row.due_date),
            created_at: time(&row.created_at),
            updated_at: time(&row.updated_at),
            title: row.title,
            description: row.description,
        }
    }
}
