//! The entities of a run: which are chosen, what is known of one, and why one cannot be had.

use crate::pipeline::EntityId;

use super::error::ResolveError;

/// Which entities to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// By key or full path, as the user wrote them.
    Named {
        names: Vec<String>,
        descendants: bool,
    },
}

impl Choice {
    /// The keys, where they are known before the snapshot is read. A name of digits is taken for one; it may turn out
    /// to be a path.
    pub fn keys(&self) -> Option<Vec<i64>> {
        match self {
            Choice::Named {
                names,
                descendants: false,
            } => names.iter().map(|name| name.parse().ok()).collect(),
            Choice::Named { .. } | Choice::All => None,
        }
    }
}

/// An entity that is exported, or listed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntityInfo {
    pub id: EntityId,
    pub full_path: String,
    pub name: String,
    pub parent_id: Option<EntityId>,
    #[serde(skip)]
    pub root: EntityId,
}

impl EntityInfo {
    /// The keys of the entity and of its root ancestor.
    ///
    /// # Errors
    /// If they are no integers, which the plan refuses.
    pub fn integers(&self) -> Result<(i64, i64), ResolveError> {
        match (self.id.integer(), self.root.integer()) {
            (Some(id), Some(root)) => Ok((id, root)),
            (None, _) | (_, None) => {
                Err(ResolveError::Broken("the key of an entity is no integer"))
            }
        }
    }
}

/// Why the wanted entities cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    #[error("there is no {kind} {wanted} in the snapshot{hint}")]
    Unknown {
        kind: String,
        wanted: String,
        hint: String,
    },
    #[error(
        "{wanted} is not a {kind}: its row in {table} does not have {condition}\n  name a {kind} instead; `relexport groups` lists them"
    )]
    NotAnEntity {
        kind: String,
        wanted: String,
        table: String,
        condition: String,
    },
    #[error(
        "{wanted} is the path of {count} {kind}s, which only damage can bring about\n  name one by its id: {ids}"
    )]
    Ambiguous {
        kind: String,
        wanted: String,
        count: usize,
        ids: String,
    },
    #[error("{reason}")]
    BadRow { reason: String },
}
