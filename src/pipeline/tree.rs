//! A pipeline file as plain YAML, whatever its shape: to say where in the file a mistake stands, and what stands there.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::yaml::{Located, Position};

/// Any value of a YAML file.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Boolean,
    Integer,
    /// True if it has no fraction: an integer beyond 64 bits reads as such a number.
    Float {
        whole: bool,
    },
    Text(String),
    List(Vec<Located<Tree>>),
    Map(Vec<(Located<Tree>, Located<Tree>)>),
}

/// Keys that may be null, or whose values' keys may be.
const NULLS: [&str; 8] = [
    "where",
    "when",
    "objects",
    "null_as",
    "not",
    "constant",
    "without_row",
    "tags",
];

impl Tree {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "empty",
            Tree::Boolean => "a boolean",
            Tree::Integer => "an integer",
            Tree::Float { whole: true } => "a number beyond 64 bits",
            Tree::Float { whole: false } => "a number with a fraction",
            Tree::Text(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }

    /// The parts at a place, each with the keys that lead to it, from the outermost to the innermost.
    ///
    /// There may be several: a map in block style begins where its first key does, and the reader tells of some values
    /// by the place of their key.
    pub(super) fn find(&self, position: Position) -> Vec<TreeMatch<'_>> {
        let mut found = Vec::new();
        self.search(position, &mut Vec::new(), &mut found);
        found
    }

    fn search<'a>(
        &'a self,
        position: Position,
        path: &mut Vec<&'a str>,
        found: &mut Vec<TreeMatch<'a>>,
    ) {
        match self {
            Tree::List(items) => {
                for item in items {
                    if item.position == position {
                        found.push(TreeMatch::new(path, &item.value, MatchedBy::Value));
                    }
                    item.value.search(position, path, found);
                }
            }
            Tree::Map(entries) => {
                for (key, value) in entries {
                    let Tree::Text(name) = &key.value else {
                        if key.position == position {
                            found.push(TreeMatch::new(path, &key.value, MatchedBy::OddKey));
                        }
                        value.value.search(position, path, found);
                        continue;
                    };
                    path.push(name);
                    if key.position == position {
                        found.push(TreeMatch::new(path, &value.value, MatchedBy::Key));
                    } else if value.position == position {
                        found.push(TreeMatch::new(path, &value.value, MatchedBy::Value));
                    }
                    value.value.search(position, path, found);
                    path.pop();
                }
            }
            Tree::Null | Tree::Boolean | Tree::Integer | Tree::Float { .. } | Tree::Text(_) => {}
        }
    }

    /// Keys that stand without a value where a value is needed, each with the keys that lead to it.
    ///
    /// `only:` with nothing behind it would read as if it were not there, and every column would be written.
    pub(super) fn empty_keys(&self) -> Vec<(Position, String)> {
        let mut empty = Vec::new();
        self.gather_empty(&mut Vec::new(), &mut empty);
        empty
    }

    fn gather_empty<'a>(&'a self, path: &mut Vec<&'a str>, empty: &mut Vec<(Position, String)>) {
        match self {
            Tree::List(items) => {
                for item in items {
                    item.value.gather_empty(path, empty);
                }
            }
            Tree::Map(entries) => {
                for (key, value) in entries {
                    let Tree::Text(name) = &key.value else {
                        value.value.gather_empty(path, empty);
                        continue;
                    };
                    // NULL is a value like any other in a test and in a constant object.
                    if NULLS.contains(&name.as_str()) {
                        if ["where", "when"].contains(&name.as_str())
                            && matches!(value.value, Tree::Null)
                        {
                            empty.push((key.position, joined(path, name)));
                        }
                        continue;
                    }
                    if matches!(value.value, Tree::Null) {
                        empty.push((key.position, joined(path, name)));
                    }
                    path.push(name);
                    value.value.gather_empty(path, empty);
                    path.pop();
                }
            }
            Tree::Null | Tree::Boolean | Tree::Integer | Tree::Float { .. } | Tree::Text(_) => {}
        }
    }
}

fn joined(path: &[&str], name: &str) -> String {
    let parts: Vec<&str> = path.iter().copied().chain([name]).collect();
    parts.join(".")
}

/// A part of a file.
#[derive(Debug, Clone)]
pub(super) struct TreeMatch<'a> {
    /// The keys that lead to it; of a key that is no text, those that lead to its map.
    pub path: Vec<&'a str>,
    pub tree: &'a Tree,
    pub at: MatchedBy,
}

/// What of a part stands at the place by which it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchedBy {
    Value,
    /// The key whose value it is.
    Key,
    /// It is a key itself, and no text.
    OddKey,
}

impl<'a> TreeMatch<'a> {
    fn new(path: &[&'a str], tree: &'a Tree, at: MatchedBy) -> Self {
        TreeMatch {
            path: path.to_vec(),
            tree,
            at,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Integer)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Integer)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
        Ok(Tree::Float { whole: true })
    }

    fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
        Ok(Tree::Float { whole: true })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float {
            whole: value.fract() == 0.0 && value.abs() > i64::MAX as f64,
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}
