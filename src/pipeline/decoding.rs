//! How the text of a column is decoded before it is written: YAML of Ruby objects, base64, texts in other encodings.
//!
//! Here are the rules alone, as a pipeline states them; `export::values::decode` does what they say.

use std::collections::BTreeMap;

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

/// How a text that stands for bytes becomes text again. Bytes that are not UTF-8 are converted from the encoding that they
/// seem to be in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BytesRule {
    /// The text is base64; one that is not is taken as it is.
    pub base64: bool,
    /// NULL, and a text of nothing but white space, is an empty text.
    pub blank_as_empty: bool,
}
