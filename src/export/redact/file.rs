//! The redaction file: what its YAML may say, with the place of every value, and its JSON Schema.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::pipeline::{Entries, Located, given};

/// What is written in place of columns' values in an export.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedactionFile {
    /// What becomes of a backup's files (uploads, repositories, LFS objects, diffs), which cannot be redacted. They are
    /// left out unless this says that they stay as they are.
    #[serde(default)]
    pub files: Option<FilesRule>,
    /// By column: a table and a column with a dot between, `users.email`, or with the schema before the table. A `*` stands
    /// for any letters: `*.email`. A full name goes before a pattern, and of patterns the first one.
    pub columns: Entries<Located<RuleFile>>,
}

/// What becomes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FilesRule {
    /// They are written as they are.
    Keep,
    /// They are left out.
    LeaveOut,
}

/// A rule: a word, or a map with what it needs.
#[derive(Debug)]
pub(super) enum RuleFile {
    Word(RuleWord),
    Map(Box<RuleMap>),
}

/// A rule that needs nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RuleWord {
    /// The value itself: somebody has looked at it.
    Keep,
    Null,
    /// 64 hex digits, the same for the same text.
    Hash,
    /// An address that is valid and leads nowhere, the same for the same address.
    Email,
    /// A given and a family name, the same for the same name.
    Name,
}

/// A rule with what it needs: exactly one of the keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleMap {
    /// This value in place of all but NULL; it must be one of the column's type.
    #[serde(default, deserialize_with = "given")]
    pub constant: Option<Located<serde_json::Value>>,
    /// Hex digits, the same for the same text.
    #[serde(default)]
    pub hash: Option<HashFile>,
    /// An address, the same for the same address.
    #[serde(default)]
    pub email: Option<EmailFile>,
    /// Of json and jsonb: a rule for each part that a pointer (RFC 6901) leads to; a `*` between slashes stands for any
    /// key or position. The part furthest in counts. What no pointer leads to stays.
    #[serde(default)]
    pub inside: Option<Entries<Located<RuleFile>>>,
}

/// How a hash is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HashFile {
    /// What stands before the digits.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How many digits, from 16 to 64.
    #[serde(default)]
    pub characters: Option<Located<u64>>,
}

/// How an address is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmailFile {
    /// What stands behind the `@`: a domain, or `keep` for the one that the address has.
    pub domain: Located<String>,
}

impl<'de> Deserialize<'de> for RuleFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;

        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = RuleFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule (`keep`, `null`, `hash`, `email`, `name`, or a map)")
            }

            fn visit_unit<E>(self) -> Result<RuleFile, E> {
                Ok(RuleFile::Word(RuleWord::Null))
            }

            fn visit_none<E>(self) -> Result<RuleFile, E> {
                Ok(RuleFile::Word(RuleWord::Null))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RuleFile, E> {
                const WORDS: &[&str] = &["keep", "null", "hash", "email", "name"];
                let word = match word {
                    "keep" => RuleWord::Keep,
                    "null" => RuleWord::Null,
                    "hash" => RuleWord::Hash,
                    "email" => RuleWord::Email,
                    "name" => RuleWord::Name,
                    other => return Err(E::unknown_variant(other, WORDS)),
                };
                Ok(RuleFile::Word(word))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RuleFile, A::Error> {
                let map = RuleMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RuleFile::Map(Box::new(map)))
            }
        }

        deserializer.deserialize_any(RuleVisitor)
    }
}

impl JsonSchema for RuleFile {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What stands in place of a value.",
            "anyOf": [
                { "type": "null" },
                generator.subschema_for::<RuleWord>(),
                generator.subschema_for::<RuleMap>(),
            ]
        })
    }
}
