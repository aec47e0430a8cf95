//! What may stand in place of a column's values.

use serde_json::Value;

use super::json::Pointer;

/// What is written in place of a column's values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// The value itself: somebody has looked at it.
    Keep,
    Null,
    Constant(Value),
    /// Every text is made into another one.
    Texts(TextRule),
    /// Parts of JSON, each by a rule of its own.
    Inside(Vec<(Pointer, Rule)>),
}

/// How one text is made of another. Each needs the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextRule {
    Hash { prefix: String, characters: usize },
    Email(Domain),
    Name,
}

/// What stands behind the `@` of an address that was made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Domain {
    /// The one that the address had.
    Kept,
    Of(String),
}

impl Rule {
    /// Its name in the file and in the manifest.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Rule::Keep => "keep",
            Rule::Null => "null",
            Rule::Constant(_) => "constant",
            Rule::Texts(TextRule::Hash { .. }) => "hash",
            Rule::Texts(TextRule::Email(_)) => "email",
            Rule::Texts(TextRule::Name) => "name",
            Rule::Inside(_) => "inside",
        }
    }

    /// True if it cannot be followed without the key.
    pub(super) fn needs_key(&self) -> bool {
        match self {
            Rule::Keep | Rule::Null | Rule::Constant(_) => false,
            Rule::Texts(_) => true,
            Rule::Inside(parts) => parts.iter().any(|(_, rule)| rule.needs_key()),
        }
    }
}
