//! The ids of entities.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::hex;

/// Bytes of an escaped key that a folder's name holds whole.
const FOLDER_PART: usize = 120;
/// Bytes of a longer one that stay, before the checksum.
const FOLDER_START: usize = 60;

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

    /// The id as a part of a folder's name: of an integer its digits, of a text only a-z, 0-9, `-` and `_`, and at most 126
    /// bytes. Different texts have different ones.
    ///
    /// Every other byte is `_` and its two hexadecimal digits. If that makes more than 120 bytes, the first 60 stay, and `__`
    /// and the text's SHA-256 follow. The empty text is `__`.
    ///
    /// ```
    /// use relexport::pipeline::EntityId;
    ///
    /// assert_eq!(EntityId::from(4351).folder_part(), "4351");
    /// assert_eq!(EntityId::text("Acme 1").folder_part(), "_41cme_201");
    /// ```
    pub fn folder_part(&self) -> String {
        let text = match self {
            EntityId::Integer(id) => return id.to_string(),
            EntityId::Text(text) => text.as_bytes(),
        };
        if text.is_empty() {
            return "__".to_owned();
        }
        let mut part = Vec::with_capacity(text.len());
        for byte in text {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' => part.push(*byte),
                byte => {
                    part.push(b'_');
                    hex::push(*byte, &mut part);
                }
            }
        }
        let checksum = (part.len() > FOLDER_PART).then(|| hex::encode(&Sha256::digest(text)));
        if let Some(checksum) = checksum {
            part.truncate(FOLDER_START);
            part.extend_from_slice(b"__");
            part.extend_from_slice(checksum.as_bytes());
        }
        part.into_iter().map(char::from).collect()
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
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn folder(text: &str) -> String {
        EntityId::text(text).folder_part()
    }

    #[test]
    fn a_text_becomes_a_folder_s_name_by_escapes_and_a_checksum() {
        for (text, expected) in [
            ("", "__"),
            (
                "7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b",
                "7f0e1c9a-3b2d-4e5f-8a6b-9c0d1e2f3a4b",
            ),
            ("7F0E", "7_460_45"),
            ("acme", "acme"),
            ("Acme 1", "_41cme_201"),
            ("a_b", "a_5fb"),
            ("..", "_2e_2e"),
            ("/", "_2f"),
            ("a\0\n", "a_00_0a"),
            ("ü", "_c3_bc"),
            ("-", "-"),
            ("2024-01-01 00:00:00", "2024-01-01_2000_3a00_3a00"),
        ] {
            assert_eq!(folder(text), expected, "{text:?}");
        }
        assert_eq!(EntityId::Integer(-5).folder_part(), "-5");
        // Checksums by sha256sum. The last one is cut inside an escape.
        assert_eq!(folder(&"a".repeat(120)), "a".repeat(120));
        assert_eq!(
            folder(&"a".repeat(121)),
            format!(
                "{}__e9615320128cc7a3d6078e9af05603188e5ccbf0d07d8b735d3df5e8e0c1281f",
                "a".repeat(60)
            )
        );
        assert_eq!(
            folder(&format!("a{}", " ".repeat(40))),
            format!(
                "a{}_2__968da4d89052b00bb07fb6b88baad62706cd212eba915195f5e6dd308f2ef6c8",
                "_20".repeat(19)
            )
        );
    }

    #[test]
    fn the_ids_of_no_two_entities_have_one_folder() {
        let mut seen: HashMap<String, String> = HashMap::new();
        let letters = [
            "", "a", "A", "_", "__", "41", "_41", "-", ".", " ", "é", "/",
        ];
        let long = "A".repeat(39);
        for one in letters {
            for two in letters {
                for three in letters {
                    for (start, end) in [("", ""), (&*long, ""), ("", &*long), ("", &folder(&long))]
                    {
                        let text = format!("{start}{one}{two}{three}{end}");
                        let other = seen.insert(folder(&text), text.clone());
                        assert!(other.is_none_or(|other| other == text), "{text:?}");
                    }
                }
            }
        }
    }

    /// What a folder's name that holds its key whole was made of.
    fn unescaped(part: &str) -> Option<String> {
        if part == "__" {
            return Some(String::new());
        }
        let mut bytes = Vec::new();
        let mut rest = part;
        while let Some(letter) = rest.chars().next() {
            let (byte, length) = match letter {
                '_' => (hex::decode(rest.get(1..3)?)?[0], 3),
                letter => (letter as u8, 1),
            };
            bytes.push(byte);
            rest = &rest[length..];
        }
        String::from_utf8(bytes).ok()
    }

    proptest! {
        #[test]
        fn a_folder_s_name_is_short_and_plain_and_says_which_text_it_is_of(
            text in prop_oneof![any::<String>(), "[a-z0-9_-]{0,130}", "[A-Z_ ]{35,45}"]
        ) {
            let part = folder(&text);
            prop_assert!((1..=126).contains(&part.len()));
            let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
            prop_assert!(part.bytes().all(is_plain));
            match part.len() > 120 {
                true => {
                    prop_assert_eq!(part.len(), 126);
                    let digits = hex::encode(&Sha256::digest(text.as_bytes()));
                    prop_assert_eq!(&part[60..], format!("__{digits}"));
                }
                false => prop_assert_eq!(unescaped(&part), Some(text)),
            }
        }
    }

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
