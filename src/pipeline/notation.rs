//! Short notations of the pipeline file that have several forms: names, links, trees.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::where_file::WhereFile;
use super::yaml::{Entries, Located, Position};

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

/// `{ column of the row: column of the row above }`, and `where` for what else must hold.
#[derive(Debug, Clone)]
pub(crate) struct LinkFile {
    /// Pairs of columns as they are written; a right link has at least one.
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
            "description": "Pairs, column of the row: column of the row above, which all must be equal; and in `where` what else must hold.",
            "type": "object",
            "properties": { "where": generator.subschema_for::<WhereFile>() },
            "additionalProperties": { "type": "string" },
            "minProperties": 1
        })
    }
}

/// What links the rows below a row to it: a column that holds the row's key, or a link in full.
#[derive(Debug, Clone)]
pub(crate) enum TreeFile {
    Column(String),
    Full(FullTreeFile),
}

/// A tree in full.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tree")]
pub(crate) struct FullTreeFile {
    /// What links a row to the row above, which is of the same table.
    pub link: Located<LinkFile>,
    /// The key that the rows below a row stand under; the name of the node where it is not given.
    pub r#as: Option<Located<String>>,
}

impl<'de> Deserialize<'de> for TreeFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;

        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = TreeFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column, or a map with a link, such as { link: { parent_id: id } }")
            }

            fn visit_str<E>(self, column: &str) -> Result<TreeFile, E> {
                Ok(TreeFile::Column(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TreeFile, A::Error> {
                FullTreeFile::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(TreeFile::Full)
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}

impl JsonSchema for TreeFile {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tree_or_column".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The column that holds the key of the row above, or a link in full.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<FullTreeFile>()]
        })
    }
}
