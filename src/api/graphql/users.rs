//! GraphQL's `UserCore`: users that exports name. Others are nobody's business.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};

use async_graphql::connection::PageInfo;
use async_graphql::{Enum, ID, InputValueError, InputValueResult, Scalar, ScalarType};
use async_graphql::{SimpleObject, Value};
use flate2::bufread::GzDecoder;

use super::gid;
use crate::api::App;
use crate::api::access::Access;
use crate::api::directory::User;
use crate::api::entity::EntityRef;
use crate::api::exports::Run;
use crate::output::FileReader;

/// The relation with the users that an export names.
const RELATION: &str = "user_contributions";

/// A user's global id.
pub(crate) struct UserId(pub String);

#[Scalar(name = "UserID")]
impl ScalarType for UserId {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(UserId(text)),
            value => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserType {
    Human,
    Ghost,
}

/// A user.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct UserCore {
    pub id: ID,
    pub username: Option<String>,
    pub name: Option<String>,
    pub public_email: Option<String>,
    #[graphql(name = "type")]
    pub kind: UserType,
}

impl From<User> for UserCore {
    fn from(user: User) -> Self {
        UserCore::new(user, UserType::Human)
    }
}

impl UserCore {
    fn new(user: User, kind: UserType) -> Self {
        UserCore {
            id: gid("User", user.id),
            username: user.username,
            name: user.name,
            public_email: user.public_email,
            kind,
        }
    }
}

#[derive(SimpleObject)]
pub(crate) struct UserCoreConnection {
    pub nodes: Vec<UserCore>,
    pub page_info: PageInfo,
}

/// Which users are asked for. What is not said does not matter.
#[derive(Debug, Default)]
pub(crate) struct UserFilter {
    pub ids: Option<BTreeSet<i64>>,
    pub usernames: Option<BTreeSet<String>>,
    pub humans: Option<bool>,
}

impl UserFilter {
    fn takes(&self, user: &User, kind: UserType) -> bool {
        let named = user.username.as_ref();
        self.humans
            .is_none_or(|humans| humans == (kind == UserType::Human))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&user.id))
            && self
                .usernames
                .as_ref()
                .is_none_or(|names| named.is_some_and(|name| names.contains(name)))
    }

    /// True once everybody who can be found is found.
    fn is_met(&self, found: usize) -> bool {
        self.ids.as_ref().is_some_and(|ids| found >= ids.len())
    }
}

/// Users that exports name which the asker may see, in order of their ids.
pub(crate) async fn find(
    app: &App,
    access: &Access,
    wanted: UserFilter,
) -> async_graphql::Result<Vec<UserCore>> {
    let Some(directory) = app.directory.get() else {
        return Ok(Vec::new());
    };
    if *access == Access::Nobody {
        return Ok(Vec::new());
    }
    let ghosts = app.ghosts.get().map(Vec::as_slice).unwrap_or_default();
    let mut found: BTreeMap<i64, UserCore> = ghosts
        .iter()
        .filter(|user| wanted.takes(user, UserType::Ghost))
        .map(|user| (user.id, UserCore::new(user.clone(), UserType::Ghost)))
        .collect();
    if wanted.humans == Some(false) {
        return Ok(found.into_values().collect());
    }
    let mut runs = Vec::new();
    for (entity, known) in app.queue.all() {
        if access.may_see_entity(directory, entity) {
            let both = known.newest.into_iter().chain(known.complete);
            runs.extend(both.map(|run| (entity, run)));
        }
    }
    let found = tokio::task::spawn_blocking(move || {
        for (entity, run) in runs {
            if wanted.is_met(found.len()) {
                break;
            }
            if let Err(error) = search(&run, entity, &wanted, &mut found) {
                tracing::error!("cannot read the users of {entity}: {error}");
            }
        }
        found
    });
    Ok(found.await?.into_values().collect())
}

fn search(
    run: &Run,
    entity: EntityRef,
    wanted: &UserFilter,
    found: &mut BTreeMap<i64, UserCore>,
) -> io::Result<()> {
    let file = run
        .entry(entity)
        .and_then(|(_, entry)| {
            let mut relations = entry.relations.into_iter();
            relations.find(|relation| relation.relation == RELATION)
        })
        .and_then(|relation| relation.file);
    let Some(file) = file else {
        return Ok(());
    };
    let file = FileReader::new(run.contents().read(&file.file)?);
    for line in BufReader::new(GzDecoder::new(BufReader::new(file))).lines() {
        let user: User = serde_json::from_str(&line?)?;
        // Who is known for a ghost is one.
        if wanted.takes(&user, UserType::Human) {
            found.entry(user.id).or_insert_with(|| UserCore::from(user));
        }
    }
    Ok(())
}
