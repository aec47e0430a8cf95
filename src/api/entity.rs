//! What is exported: groups, and the projects within them.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::output::EntityEntry;

/// A kind of entity that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// What the first pipeline is of: it lies within nothing.
    Group,
    /// What lies within a group.
    Project,
}

impl Kind {
    /// Both, in the order in which a run exports them.
    pub(crate) const ALL: [Kind; 2] = [Kind::Group, Kind::Project];

    /// The kind in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Group => "group",
            Kind::Project => "project",
        }
    }
}

/// A group or a project, by its id. Ids of groups and projects may be equal.
///
/// In text and JSON it is `group_7`, `project_71`, whatever the folders of an export are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntityRef {
    pub kind: Kind,
    pub id: i64,
}

impl EntityRef {
    pub(crate) fn group(id: i64) -> EntityRef {
        let kind = Kind::Group;
        EntityRef { kind, id }
    }

    pub(crate) fn project(id: i64) -> EntityRef {
        let kind = Kind::Project;
        EntityRef { kind, id }
    }

    /// Which entity an entry of a manifest is of; `None` if its key is no integer, which a server exports nothing of.
    pub(crate) fn of(entry: &EntityEntry) -> Option<EntityRef> {
        // Only what lies within others says within which.
        let kind = match entry.parent_id {
            None => Kind::Group,
            Some(_) => Kind::Project,
        };
        let id = entry.id.integer()?;
        Some(EntityRef { kind, id })
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.word(), self.id)
    }
}

/// A text that names no entity.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no entity: group_ or project_ and a number")]
pub(crate) struct NoEntity(String);

impl FromStr for EntityRef {
    type Err = NoEntity;

    fn from_str(text: &str) -> Result<EntityRef, NoEntity> {
        let found = Kind::ALL.into_iter().find_map(|kind| {
            let id = text.strip_prefix(kind.word())?.strip_prefix('_')?;
            let id = id.parse().ok()?;
            Some(EntityRef { kind, id })
        });
        found.ok_or_else(|| NoEntity(text.to_owned()))
    }
}

impl Serialize for EntityRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntityRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EntityRef, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_entity_is_a_word_and_a_number_in_json() {
        let json = r#"{"group_7":1,"group_-3":2,"project_7":3}"#;
        let entities: BTreeMap<EntityRef, u8> = serde_json::from_str(json).unwrap();
        assert_eq!(entities[&EntityRef::group(7)], 1);
        assert_eq!(entities[&EntityRef::group(-3)], 2);
        assert_eq!(entities[&EntityRef::project(7)], 3);
        // By kind and number.
        let written = serde_json::to_string(&entities).unwrap();
        assert_eq!(written, r#"{"group_-3":2,"group_7":1,"project_7":3}"#);
        for wrong in ["7", "group7", "group_", "group_x", "tenant_7", "Group_7"] {
            assert!(wrong.parse::<EntityRef>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_entry_with_a_key_of_what_it_lies_within_is_a_project() {
        let entry = |parent: &str, id: &str| -> EntityEntry {
            let json = format!(
                r#"{{"id":{id},"type":"T","full_path":"a","prefix":"p",{parent}"relations":[]}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        assert_eq!(EntityRef::of(&entry("", "7")), Some(EntityRef::group(7)));
        for parent in [r#""parent_id":3,"#, r#""parent_id":null,"#] {
            assert_eq!(
                EntityRef::of(&entry(parent, "7")),
                Some(EntityRef::project(7))
            );
        }
        assert_eq!(EntityRef::of(&entry("", r#""7""#)), None);
    }
}
