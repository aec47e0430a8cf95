//! How the text of a column is decoded before it is written: YAML of Ruby objects, base64, texts in other encodings.
//!
//! Here are the rules alone, as a pipeline states them; `export::values::decode` does what they say.

use std::collections::BTreeMap;

use super::Condition;

/// A column whose text is YAML as Ruby writes it, and that becomes JSON.
///
/// Tags of Ruby objects are accepted by name, and nothing is ever made of one: the values under it are read as a plain
/// mapping. A tag that is not named here makes the whole text unreadable, wherever it stands. YAML's own tags and those of
/// Ruby's texts and symbols need not be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlRule {
    pub root: YamlRoot,
    /// Tags that mappings may have, as they are written (`!ruby/hash:ActiveSupport::HashWithIndifferentAccess`), and where
    /// the values of such a mapping lie.
    pub tags: BTreeMap<String, TaggedValues>,
    /// A printed Ruby hash (`{"a"=>1, :b=>nil}`), which is not YAML, is read, too. It needs no tag.
    pub printed_hash: bool,
    /// Of none, all keys are written, in their own order.
    pub keys: Option<FixedKeys>,
}

/// What a text has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum YamlRoot {
    /// Any value, an empty text included: that is null.
    Anything,
    /// A mapping, tagged or not.
    Mapping,
    /// A mapping with one of these tags.
    Tagged(Vec<String>),
}

/// Where the values of a tagged mapping lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaggedValues {
    /// In the mapping itself.
    Itself,
    /// In the mapping under this key of it (`attributes`); its other keys are dropped.
    Under(String),
}

/// The keys of an object, whatever the text has: missing ones are null, others are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedKeys {
    /// In the order in which they are written.
    pub keys: Vec<String>,
    /// More of them, which depend on a value.
    pub by: Option<KeysByValue>,
}

/// Keys behind the fixed ones, as one value says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysByValue {
    /// The key of that value, which is one of the fixed keys.
    pub key: String,
    /// The value that a missing one, and one that is not in `more`, is taken for and written as.
    pub default: String,
    /// The keys for each value.
    pub more: BTreeMap<String, Vec<String>>,
}

/// A column whose text is not as it was before it was stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextRule {
    /// The text is base64 in rows for which all of these hold; of none, in no row. What is no valid base64 is kept as it is.
    pub base64_when: Option<Vec<Condition>>,
    /// Bytes that are not UTF-8 are converted from the encoding that they seem to be in. Without it they are an error.
    pub guess_charset: bool,
    /// A text of nothing but white space is written as an empty one.
    pub blank_as_empty: bool,
}
