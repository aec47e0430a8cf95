//! The ids of entities.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The id of an entity, such as a group: its key in the entity table of the pipeline. Ids of entities of different
/// kinds may be equal.
///
/// In JSON it is a number or a string, and is read back as it was written:
///
/// ```
/// use relexport::pipeline::EntityId;
///
/// let ids: Vec<EntityId> = serde_json::from_str(r#"[4351, "4351", "acme"]"#).unwrap();
/// assert_eq!(ids[0].integer(), Some(4351));
/// assert_eq!(ids[1], EntityId::text("4351"));
/// assert_eq!(serde_json::to_string(&ids).unwrap(), r#"[4351,"4351","acme"]"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityId {
    /// Of a key column of integers.
    Integer(i64),
    /// Of any other key column: the value's text, as PostgreSQL writes it.
    Text(Box<str>),
}

impl EntityId {
    /// The id that is this text, whatever it looks like.
    pub fn text(text: impl Into<Box<str>>) -> EntityId {
        EntityId::Text(text.into())
    }

    /// The integer; none if the key column holds something else.
    pub fn integer(&self) -> Option<i64> {
        match self {
            EntityId::Integer(id) => Some(*id),
            EntityId::Text(_) => None,
        }
    }

    /// The text; none if the key column holds integers.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            EntityId::Integer(_) => None,
            EntityId::Text(text) => Some(text),
        }
    }

    /// For a log, where integers stay numbers.
    pub(crate) fn logged(&self) -> &dyn tracing::Value {
        match self {
            EntityId::Integer(id) => id,
            EntityId::Text(text) => text,
        }
    }
}

impl From<i64> for EntityId {
    fn from(id: i64) -> EntityId {
        EntityId::Integer(id)
    }
}

/// As it is: who shows it on a terminal makes control characters visible.
impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntityId::Integer(id) => id.fmt(f),
            EntityId::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            EntityId::Integer(id) => serializer.serialize_i64(*id),
            EntityId::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EntityId, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = EntityId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a number of at most 64 bits, or a text")
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<EntityId, E> {
        Ok(EntityId::Integer(id))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<EntityId, E> {
        let integer = i64::try_from(id).map(EntityId::Integer);
        integer.map_err(|_| E::invalid_value(de::Unexpected::Unsigned(id), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EntityId, E> {
        Ok(EntityId::text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_json_as_it_was_written() {
        for (id, json) in [
            (EntityId::Integer(0), "0"),
            (EntityId::Integer(4351), "4351"),
            (EntityId::Integer(i64::MAX), "9223372036854775807"),
            (EntityId::Integer(i64::MIN), "-9223372036854775808"),
            (EntityId::text("4351"), "\"4351\""),
            (EntityId::text(""), "\"\""),
            (EntityId::text("a\"b\\\nc\u{1b}ü"), r#""a\"b\\\nc\u001bü""#),
            (EntityId::text("null"), "\"null\""),
        ] {
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
            assert_eq!(serde_json::from_str::<EntityId>(json).unwrap(), id);
            // As they stand below a flattened struct.
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::from_value::<EntityId>(value).unwrap(), id);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for json in [
            "1.0",
            "1e3",
            "9223372036854775808",
            "-9223372036854775809",
            "null",
            "true",
            "[1]",
            "{\"Integer\":1}",
        ] {
            let error = serde_json::from_str::<EntityId>(json).unwrap_err();
            let expected = "expected an id: a number of at most 64 bits, or a text";
            assert!(error.to_string().contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn integers_come_before_texts_and_in_their_own_order() {
        let mut ids = ["b", "10", "9"].map(EntityId::text).to_vec();
        ids.extend([10, 9, -1].map(EntityId::Integer));
        ids.sort();
        let shown: Vec<String> = ids.iter().map(EntityId::to_string).collect();
        assert_eq!(shown, ["-1", "9", "10", "10", "9", "b"]);
    }
}
