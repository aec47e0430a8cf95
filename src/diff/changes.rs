//! What a comparison of two exports came to.

use serde::Serialize;

use crate::output::EntityEntry;

/// The changes from one export to another.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Changes {
    pub(crate) added_entities: Vec<String>,
    pub(crate) removed_entities: Vec<String>,
    pub(crate) relations: Vec<RelationChanges>,
    /// How many records are described so far.
    #[serde(skip)]
    pub(crate) described: usize,
}

/// The changes of one relation of an entity.
#[derive(Debug, Serialize)]
pub(crate) struct RelationChanges {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) entity: String,
    pub(crate) relation: String,
    /// The keys of a record that it is told apart by; of none, its whole content.
    pub(crate) by: Vec<String>,
    pub(crate) same: u64,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
    /// The first records that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) records: Vec<ChangedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_compared: Option<String>,
}

/// A record that differs.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedRecord {
    pub(crate) kind: ChangeKind,
    /// The values of the keys that it is told apart by: integers and uuids only.
    pub(crate) key: Option<String>,
    /// Where it stands in the export that has it.
    pub(crate) file: String,
    pub(crate) line: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<ChangedColumn>,
    /// Columns that are not described.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) more_columns: u64,
}

/// A key of a record whose value differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedColumn {
    /// Nested keys joined by dots; an element of an array by its id, or its number, in brackets.
    pub(crate) path: String,
    pub(crate) kind: ChangeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeKind {
    Added,
    Removed,
    Changed,
}

impl ChangeKind {
    /// What stands in front of it in a text.
    pub(crate) fn sign(self) -> char {
        match self {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        }
    }
}

impl Changes {
    /// True if nothing changed, as far as everything could be compared.
    pub(crate) fn are_none(&self) -> bool {
        let mut relations = self.relations.iter();
        self.added_entities.is_empty()
            && self.removed_entities.is_empty()
            && relations.all(|it| it.are_none() && it.not_compared.is_none())
    }
}

impl RelationChanges {
    pub(super) fn new(entity: &EntityEntry, relation: &str) -> RelationChanges {
        RelationChanges {
            kind: entity.kind.clone(),
            entity: entity.full_path.clone(),
            relation: relation.to_owned(),
            by: Vec::new(),
            same: 0,
            added: 0,
            removed: 0,
            changed: 0,
            records: Vec::new(),
            not_compared: None,
        }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.added + self.removed + self.changed == 0
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
