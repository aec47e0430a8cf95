//! The entities of a run: which are chosen, what is known of one, and why one cannot be had.

use crate::pipeline::{EntityId, Pipeline};

use super::name_pattern::NamePattern;
use super::plan::{EntityKey, KindId};
use crate::key::KeyForm;

/// A kind of entity in a run: its pipeline, and which of them are wanted.
#[derive(Debug, Clone)]
pub struct KindChoice {
    pub pipeline: Pipeline,
    pub choice: Choice,
}

/// Which entities of a kind to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// By key, full path or pattern of full paths ([`NamePattern`]), as the user wrote them.
    Named {
        names: Vec<String>,
        descendants: bool,
    },
    /// Those that lie within the chosen entities of the kind that theirs lies within, and those of these names besides.
    Within {
        names: Vec<String>,
    },
}

impl Choice {
    /// None: who they are matters to others only.
    pub fn nobody() -> Choice {
        Choice::Named {
            names: Vec::new(),
            descendants: false,
        }
    }

    /// True if it means no entity at all, whatever the snapshot holds.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Choice::Named { names, .. } if names.is_empty())
    }

    /// The names in it.
    pub fn names(&self) -> &[String] {
        match self {
            Choice::All => &[],
            Choice::Named { names, .. } | Choice::Within { names } => names,
        }
    }

    /// True if a name of it stands for many, so that nobody knows how many are chosen before all are known.
    pub fn has_pattern(&self) -> bool {
        self.names()
            .iter()
            .any(|name| NamePattern::of(name).is_some())
    }

    /// The keys, where they are known before the snapshot is read: if each name can be a key of the entities. It may turn
    /// out to be a path.
    pub fn keys(&self, key: &EntityKey) -> Option<Vec<EntityId>> {
        match self {
            Choice::Named {
                names,
                descendants: false,
            } if !self.has_pattern() => names.iter().map(|name| key.of_user(name)).collect(),
            Choice::Named { .. } | Choice::All | Choice::Within { .. } => None,
        }
    }
}

/// The key that a text stands for, in the form that equal keys share; `None` if it is no value of a column of keys that
/// compare like this.
pub(super) fn entity_id(form: KeyForm, text: &str) -> Option<EntityId> {
    match form {
        KeyForm::Integer => text.parse().ok().map(EntityId::Integer),
        form => {
            let canonical = form.of_user(text)?;
            // Made of a text.
            String::from_utf8(canonical).ok().map(EntityId::text)
        }
    }
}

/// An entity that is exported, or listed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntityInfo {
    /// Its key, as the snapshot writes it, by which rows are linked.
    pub id: EntityId,
    /// Its key in the form that equal keys share. Of citext that is in small letters, which a text column compares otherwise.
    #[serde(skip)]
    pub key: EntityId,
    pub full_path: String,
    pub name: String,
    pub parent_id: Option<EntityId>,
    /// The key of the row above it, or of what it lies within, if the snapshot does not have that row.
    #[serde(skip)]
    pub missing_parent: Option<EntityId>,
    /// The key of its root ancestor, as `id`.
    #[serde(skip)]
    pub root: EntityId,
    #[serde(skip)]
    pub kind: KindId,
    /// The position of its relations' set in [`Plan::sets`](super::plan::Plan::sets).
    #[serde(skip)]
    pub set: usize,
    /// The values of the columns that lists show, as far as they were asked for and are there.
    #[serde(skip)]
    pub shown: Vec<Option<String>>,
}

/// What is to be told of entities that were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Those that would have been taken, but are to be taken only if they are named, and nobody named them.
    pub left_out: Vec<KindEntities>,
    /// Those that were taken only because they were named.
    pub only_named: Vec<KindEntities>,
    /// Those that were taken though not all columns that tell who is below whom put them below one that was named.
    pub disputed: Vec<KindEntities>,
}

/// Some entities of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindEntities {
    pub kind: KindId,
    /// Their keys as the snapshot writes them, in order.
    pub ids: Vec<EntityId>,
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
        "no {kind} of the snapshot has a path that {pattern} stands for; `{list}` lists all\n  \
         acme/* stands for what is in acme, acme/** for all that is below it, neither for acme itself"
    )]
    NoMatch {
        kind: String,
        list: &'static str,
        pattern: String,
    },
    #[error(
        "{wanted} is not a {kind}: its row in {table} does not have {condition}\n  name a {kind} instead; `{list}` lists them"
    )]
    NotAnEntity {
        kind: String,
        list: &'static str,
        wanted: String,
        table: String,
        condition: String,
    },
    #[error("{wanted} is the path of {count} {kind}s\n  name one by its id: {ids}")]
    Ambiguous {
        kind: String,
        wanted: String,
        count: usize,
        ids: String,
    },
    #[error(
        "pipeline {pipeline} does not say who is below a {kind}: its entity has no `parent`\n  leave --subgroups out"
    )]
    NoFamily { kind: String, pipeline: String },
    #[error("{reason}")]
    BadRow { reason: String },
    #[error(
        "a {kind} that was asked for is not there, or its name is not clear; names are redacted, and so not told here\n  \
         `relexport groups` lists what is there"
    )]
    Hidden { kind: String },
}
