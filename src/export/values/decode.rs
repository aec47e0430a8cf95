//! Columns whose text holds something else: YAML of Ruby objects, base64, bytes in another encoding.
//!
//! Pure functions from a column's text to JSON, or to the text that is to be written. What they accept is said by the
//! rules of a pipeline ([`YamlRule`], [`BytesRule`](crate::pipeline::BytesRule)); no table or class is known here. The text
//! comes decoded: without COPY's escapes.
//!
//! Texts are hostile. No object is made of a tag, depth and number of values are bounded, and what aliases stand for is
//! shared until it is written, within a bound that goes by the length of the text.

mod base64;
mod charset;
mod digest;
mod keys;
mod printed;
mod titleize;
mod tree;
mod unreadable;
mod yaml;

use std::rc::Rc;

use crate::pipeline::{YamlRoot, YamlRule};
use keys::write_keys;
use tree::{Node, Value, Writer};

pub use base64::decode_base64;
pub use charset::{is_blank, to_utf8};
pub use digest::sha1_hex;
pub use titleize::titleize;
pub use unreadable::Unreadable;

/// Appends the JSON of a column's YAML, or of a printed Ruby hash if the rule says so.
///
/// Scalars are read as Ruby reads them (YAML 1.1 with Ruby's symbols) and written as Rails writes them: symbols as text,
/// infinities and NaN as null, keys as text. Of keys that are there twice the last one counts, at the place of the first.
/// What follows the first document is not looked at, as in Ruby.
///
/// # Errors
/// The text is not what the rule accepts. `out` is then as it was.
pub fn decode_yaml(text: &str, rule: &YamlRule, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    if text.len() > tree::MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    // `{:a=>1}` begins like a mapping in YAML's flow notation, which Ruby's parser refuses and others may not.
    let printed = if rule.printed_hash {
        printed::read(text)?
    } else {
        None
    };
    let root = match printed {
        Some(hash) => hash,
        None => read_root(text, rule)?,
    };
    let start = out.len();
    let mut writer = Writer::new(text.len(), out);
    let written = match (&rule.keys, &root.value) {
        (None, _) => writer.write(&root),
        (Some(keys), Value::Object(entries)) => write_keys(keys, entries, &mut writer),
        (Some(_), _) => Err(Unreadable::NotAMapping),
    };
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends the object that a column gives which has no text: the rule's keys, all null but the one that the others go by,
/// which is its default. A rule without fixed keys gives `null`.
pub fn write_null_object(rule: &YamlRule, out: &mut Vec<u8>) {
    let start = out.len();
    let written = match &rule.keys {
        Some(keys) => write_keys(keys, &[], &mut Writer::new(0, out)),
        None => Err(Unreadable::NotAMapping),
    };
    if written.is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Reads YAML and holds its root to the rule.
fn read_root(text: &str, rule: &YamlRule) -> Result<Rc<Node>, Unreadable> {
    let root = yaml::read(text, rule)?;
    let is_mapping = matches!(root.node.value, Value::Object(_));
    match &rule.root {
        YamlRoot::Anything => Ok(root.node),
        YamlRoot::Mapping if is_mapping => Ok(root.node),
        YamlRoot::Tagged(tags) if is_mapping => match root.tag {
            Some(tag) if tags.contains(&tag) => Ok(root.node),
            _ => Err(Unreadable::NotTagged),
        },
        YamlRoot::Mapping | YamlRoot::Tagged(_) => Err(Unreadable::NotAMapping),
    }
}

#[cfg(test)]
mod tests;
