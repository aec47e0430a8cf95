//! Short notations of the pipeline file that have several forms: names, tests of a `where`, links.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::yaml::{Entries, Located, Position, Scalar};

/// Names for integers.
pub(crate) type NameMap = ByInteger<String>;

/// A map with integers for keys.
#[derive(Debug, Clone)]
pub(crate) struct ByInteger<V>(pub Vec<(i64, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for ByInteger<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for MapVisitor<V> {
            type Value = ByInteger<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with integers for keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ByInteger(entries))
            }
        }

        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for ByInteger<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("By_integer_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "patternProperties": { "^-?[0-9]+$": generator.subschema_for::<V>() },
            "additionalProperties": false
        })
    }
}

/// A set of names: one of the file's, by its name, or one written in place.
#[derive(Debug, Clone)]
pub(crate) enum NamesFile {
    Reference(String),
    Inline(NameMap),
}

impl<'de> Deserialize<'de> for NamesFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = NamesFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a set of names, or a map from integers to names")
            }

            fn visit_str<E>(self, name: &str) -> Result<NamesFile, E> {
                Ok(NamesFile::Reference(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NamesFile, A::Error> {
                NameMap::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(NamesFile::Inline)
            }
        }

        deserializer.deserialize_any(NamesVisitor)
    }
}

impl JsonSchema for NamesFile {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a set of names, or a map from integers to names.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<NameMap>()]
        })
    }
}

/// Tests on the columns of a row, all of which must hold.
pub(crate) type WhereFile = Entries<Located<TestFile>>;

/// A test on one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestFile {
    In(Vec<Scalar>),
    Null,
    NotNull,
    Above(i64),
    Below(i64),
}

impl<'de> Deserialize<'de> for TestFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TestVisitor;

        impl<'de> Visitor<'de> for TestVisitor {
            type Value = TestFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a value, a list of values, null, { not: null }, { above: N } or { below: N }",
                )
            }

            fn visit_unit<E>(self) -> Result<TestFile, E> {
                Ok(TestFile::Null)
            }

            fn visit_none<E>(self) -> Result<TestFile, E> {
                Ok(TestFile::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<TestFile, E> {
                Ok(TestFile::In(vec![Scalar::Boolean(value)]))
            }

            fn visit_i64<E>(self, value: i64) -> Result<TestFile, E> {
                Ok(TestFile::In(vec![Scalar::Integer(value)]))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<TestFile, E> {
                let value = Scalar::deserialize(de::value::U64Deserializer::<E>::new(value))?;
                Ok(TestFile::In(vec![value]))
            }

            fn visit_str<E>(self, text: &str) -> Result<TestFile, E> {
                Ok(TestFile::In(vec![Scalar::Text(text.to_owned())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TestFile, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(TestFile::In(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TestFile, A::Error> {
                let wrong = || {
                    de::Error::custom(
                        "a test is one of { not: null }, { above: N } and { below: N }",
                    )
                };
                let test = match map.next_key::<String>()?.ok_or_else(wrong)?.as_str() {
                    "not" => {
                        map.next_value::<()>()?;
                        TestFile::NotNull
                    }
                    "above" => TestFile::Above(map.next_value()?),
                    "below" => TestFile::Below(map.next_value()?),
                    other => {
                        return Err(de::Error::unknown_field(other, &["not", "above", "below"]));
                    }
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(wrong());
                }
                Ok(test)
            }
        }

        deserializer.deserialize_any(TestVisitor)
    }
}

impl JsonSchema for TestFile {
    fn schema_name() -> Cow<'static, str> {
        "Test".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        let bound = |key: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "type": "integer" } },
                "required": [key],
                "additionalProperties": false
            })
        };
        json_schema!({
            "description": "A value that the column must equal (null: IS NULL), a list of them, or a test.",
            "anyOf": [
                scalar,
                { "type": "array", "items": scalar, "minItems": 1 },
                {
                    "type": "object",
                    "properties": { "not": { "type": "null" } },
                    "required": ["not"],
                    "additionalProperties": false
                },
                bound("above"),
                bound("below")
            ]
        })
    }
}

/// `{ column of the row: column of the row above }`, and `where` for what else must hold.
#[derive(Debug, Clone)]
pub(crate) struct LinkFile {
    /// Pairs of columns as they are written; a right link has one.
    pub pairs: Vec<(Located<String>, Located<String>)>,
    pub filter: WhereFile,
}

impl LinkFile {
    /// Where the link stands, as far as its parts tell.
    pub(crate) fn position(&self) -> Option<Position> {
        self.pairs.first().map(|(child, _)| child.position)
    }
}

impl<'de> Deserialize<'de> for LinkFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinkVisitor;

        impl<'de> Visitor<'de> for LinkVisitor {
            type Value = LinkFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a link, such as { order_id: id }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LinkFile, A::Error> {
                let mut link = LinkFile {
                    pairs: Vec::new(),
                    filter: Entries::default(),
                };
                while let Some(key) = map.next_key::<Located<String>>()? {
                    if key.value == "where" {
                        link.filter = map.next_value()?;
                    } else {
                        link.pairs.push((key, map.next_value()?));
                    }
                }
                Ok(link)
            }
        }

        deserializer.deserialize_map(LinkVisitor)
    }
}

impl JsonSchema for LinkFile {
    fn schema_name() -> Cow<'static, str> {
        "Link".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One pair, column of the row: column of the row above; and in `where` what else must hold.",
            "type": "object",
            "properties": { "where": generator.subschema_for::<WhereFile>() },
            "additionalProperties": { "type": "string" },
            "minProperties": 1,
            "maxProperties": 2
        })
    }
}
