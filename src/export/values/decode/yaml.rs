//! YAML as Ruby's Psych reads it, from the events of a parser.
//!
//! Where the two versions of YAML differ, Psych goes by its own patterns ([`scalar`]) and by libyaml's reading, which the
//! parser is set to.

mod moment;
mod scalar;

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use regex::Regex;

use super::Unreadable;
use super::tree::{Entry, MAX_DEPTH, MAX_NODES, Node, Value, unique};
use crate::pipeline::{TaggedValues, YamlRule};

/// The prefix of YAML's own tags.
const YAML: &str = "tag:yaml.org,2002:";
/// So many entries may come into mappings by `<<`. Each of them is copied.
const MAX_MERGED: usize = 100_000;

/// A pattern of this module.
#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, which the tests compile, every one"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// A document's root and its tag.
pub(super) struct Root {
    pub tag: Option<String>,
    pub node: Rc<Node>,
}

/// Reads the first document of a text; a text without one is null.
///
/// # Errors
/// The text is not YAML, has a tag that the rule does not know, or is too large.
pub(super) fn read(text: &str, rule: &YamlRule) -> Result<Root, Unreadable> {
    // Line breaks to libyaml, which takes the indentation behind them away; the parser goes by YAML 1.2.
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return Err(Unreadable::OldLineBreak);
    }
    let mut options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
    };
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        rule,
        anchors: HashMap::new(),
        nodes: 0,
        merged: 0,
    };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd | Event::DocumentEnd => {
                let node = Node::new(Value::Null)?;
                return Ok(Root { tag: None, node });
            }
            event => {
                let tag = tag_of(&event);
                let node = reader.node(event, 0)?;
                // What follows in the document is a mistake even so.
                return match reader.next()? {
                    Event::DocumentEnd => Ok(Root { tag, node }),
                    _ => Err(Unreadable::NotYaml),
                };
            }
        }
    }
}

fn tag_of(event: &Event) -> Option<String> {
    match event {
        Event::Scalar(_, _, _, tag)
        | Event::SequenceStart(_, _, tag)
        | Event::MappingStart(_, _, tag) => full_tag(tag.as_deref()),
        _ => None,
    }
}

/// A tag in full.
fn full_tag(tag: Option<&Tag>) -> Option<String> {
    tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()))
}

/// Whether the tag of a list or mapping makes nothing else of it.
fn is_plain(tag: &str, name: &str) -> bool {
    tag == "!" || tag.strip_prefix(YAML) == Some(name)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    rule: &'a YamlRule,
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
    merged: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, Unreadable> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(_)) | None => Err(Unreadable::NotYaml),
        }
    }

    /// The value that begins with an event, inside of `depth` others.
    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Rc<Node>, Unreadable> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Unreadable::TooLarge);
        }
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let tag = tag_of(&event);
        let (node, anchor) = match event {
            // An anchor that is still open stands for a value inside of itself.
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).ok_or(Unreadable::NotYaml)?;
                return Ok(Rc::clone(target));
            }
            Event::Scalar(text, style, anchor, _) => {
                let quoted = style != ScalarStyle::Plain;
                let value = scalar::read(&text, quoted, tag.as_deref())?;
                (Node::new(value)?, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                if tag.as_deref().is_some_and(|tag| !is_plain(tag, "seq")) {
                    return Err(Unreadable::ForeignTag);
                }
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let values = self.tagged_values(tag.as_deref())?;
                let entries = self.entries(depth)?;
                let node = match values {
                    None => Node::new(Value::Object(entries))?,
                    Some(key) => values_under(key, &entries)?,
                };
                (node, anchor)
            }
            _ => return Err(Unreadable::NotYaml),
        };
        // 0 is no anchor.
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Rc<Node>, Unreadable> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Node::new(Value::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    /// The key under which the values of a mapping lie; of none, they are the mapping itself.
    fn tagged_values(&self, tag: Option<&str>) -> Result<Option<&'a str>, Unreadable> {
        let Some(tag) = tag else { return Ok(None) };
        match self.rule.tags.get(tag) {
            Some(TaggedValues::Under(key)) => Ok(Some(key)),
            Some(TaggedValues::Itself) => Ok(None),
            None if is_plain(tag, "map") => Ok(None),
            None => Err(Unreadable::ForeignTag),
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = Vec::new();
        loop {
            let event = match self.next()? {
                Event::MappingEnd => return Ok(unique(entries)),
                event => event,
            };
            let is_text = tag_of(&event).is_some_and(|tag| tag.strip_prefix(YAML) == Some("str"));
            let key = key_text(&self.node(event, depth + 1)?.value)?;
            let event = self.next()?;
            let is_alias = matches!(event, Event::Alias(_));
            let node = self.node(event, depth + 1)?;
            if !is_text && &*key == "<<" {
                self.merge(key, node, is_alias, &mut entries)?;
            } else {
                entries.push((key, node));
            }
        }
    }

    /// What Psych makes of `<<`: entries of a mapping, or of a list's mappings of which the first one has the last word.
    /// Anything else is an entry of that name.
    fn merge(
        &mut self,
        key: Rc<str>,
        node: Rc<Node>,
        is_alias: bool,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Unreadable> {
        let merged: Option<Vec<&[Entry]>> = match &node.value {
            Value::Object(entries) => Some(vec![entries]),
            Value::List(items) if !is_alias => {
                items.iter().rev().map(|item| mapping(item)).collect()
            }
            _ => None,
        };
        let Some(merged) = merged else {
            entries.push((key, node));
            return Ok(());
        };
        for source in merged {
            self.merged += source.len();
            if self.merged > MAX_MERGED {
                return Err(Unreadable::TooLarge);
            }
            entries.extend_from_slice(source);
        }
        Ok(())
    }
}

fn mapping(node: &Node) -> Option<&[Entry]> {
    match &node.value {
        Value::Object(entries) => Some(entries),
        _ => None,
    }
}

/// The mapping under a key.
fn values_under(key: &str, entries: &[Entry]) -> Result<Rc<Node>, Unreadable> {
    match entries.iter().find(|(name, _)| **name == *key) {
        Some((_, node)) if mapping(node).is_some() => Ok(Rc::clone(node)),
        _ => Err(Unreadable::NotAMapping),
    }
}

/// A key as text, by Ruby's `to_s`.
fn key_text(value: &Value) -> Result<Rc<str>, Unreadable> {
    match value {
        Value::Text(text) => Ok(text.as_str().into()),
        Value::Number(digits) => Ok(digits.as_str().into()),
        Value::Boolean(true) => Ok("true".into()),
        Value::Boolean(false) => Ok("false".into()),
        Value::Null => Ok("".into()),
        Value::List(_) | Value::Object(_) => Err(Unreadable::BadKey),
    }
}
