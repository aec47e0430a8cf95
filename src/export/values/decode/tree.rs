//! The values that a text holds, and how they are written.

use std::collections::HashMap;
use std::rc::Rc;

use super::Unreadable;
use crate::export::values::write_json_str;

/// Texts beyond this are not read: 16 MiB.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// So many lists and mappings may lie in each other, what aliases stand for included. All that walks a tree does so by
/// recursion.
pub(super) const MAX_DEPTH: usize = 100;
/// So many values may be in a text.
pub(super) const MAX_NODES: usize = 100_000;

/// JSON may be so many times as long as the text that it is from, and some bytes: only aliases make it longer. The
/// worst is a mapping such as `{<,<}`, whose `"\u003c":null,` is seven times as long.
const MAX_GROWTH: usize = 16;
const GROWTH_ALLOWANCE: usize = 64 << 10;

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    /// As it is written in JSON.
    Number(String),
    Text(String),
    List(Vec<Rc<Node>>),
    /// Each key once.
    Object(Vec<Entry>),
}

pub(super) type Entry = (Rc<str>, Rc<Node>);

/// A value that aliases may share, and how many lists and mappings it is deep.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    pub value: Value,
    depth: usize,
}

impl Node {
    /// # Errors
    /// [`Unreadable::TooDeep`]
    pub(super) fn new(value: Value) -> Result<Rc<Node>, Unreadable> {
        fn above<'a>(nodes: impl Iterator<Item = &'a Rc<Node>>) -> usize {
            nodes.map(|node| node.depth).max().unwrap_or(0) + 1
        }

        let depth = match &value {
            Value::List(items) => above(items.iter()),
            Value::Object(entries) => above(entries.iter().map(|(_, node)| node)),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => 0,
        };
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        Ok(Rc::new(Node { value, depth }))
    }
}

/// Entries of which each key is there once: with its last value, at its first place.
pub(super) fn unique(entries: Vec<Entry>) -> Vec<Entry> {
    let mut places: HashMap<Rc<str>, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        match places.get(&key).and_then(|place| kept.get_mut(*place)) {
            Some(entry) => entry.1 = node,
            None => {
                places.insert(Rc::clone(&key), kept.len());
                kept.push((key, node));
            }
        }
    }
    kept
}

/// Writes values as JSON, up to a length.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// `out` may not become longer.
    limit: usize,
}

impl<'a> Writer<'a> {
    /// For what a text of some bytes holds.
    pub(super) fn new(text_length: usize, out: &'a mut Vec<u8>) -> Self {
        let growth = text_length.saturating_mul(MAX_GROWTH);
        let limit = out
            .len()
            .saturating_add(growth)
            .saturating_add(GROWTH_ALLOWANCE);
        Writer { out, limit }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// [`Unreadable::TooLarge`]; a part of it is then written.
    pub(super) fn write(&mut self, node: &Node) -> Result<(), Unreadable> {
        match &node.value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Number(digits) => self.out.extend_from_slice(digits.as_bytes()),
            Value::Text(text) => write_json_str(text, self.out),
            Value::List(items) => {
                self.out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.out.push(b',');
                    }
                    self.write(item)?;
                }
                self.out.push(b']');
            }
            Value::Object(entries) => {
                self.open();
                for (key, node) in entries {
                    self.key(key);
                    self.write(node)?;
                }
                self.close();
            }
        }
        if self.out.len() > self.limit {
            return Err(Unreadable::TooLarge);
        }
        Ok(())
    }

    /// Begins an object.
    pub(super) fn open(&mut self) {
        self.out.push(b'{');
    }

    /// Ends an object.
    pub(super) fn close(&mut self) {
        self.out.push(b'}');
    }

    /// Begins an entry.
    pub(super) fn key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        write_json_str(key, self.out);
        self.out.push(b':');
    }

    pub(super) fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    pub(super) fn text(&mut self, text: &str) {
        write_json_str(text, self.out);
    }
}
