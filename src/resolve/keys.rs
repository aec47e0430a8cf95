//! Keys: integers, and the sets of them that decide whether a row is kept.

use std::collections::HashSet;

use foldhash::fast::FixedState;

/// A set of keys that hashes fast. Keys come from our own indexes, so no defence against chosen
/// collisions is needed; a fixed seed keeps runs comparable.
pub type Keys = HashSet<i64, FixedState>;

/// The keys that a hop looks for.
#[derive(Debug, Clone)]
pub enum KeySet {
    /// Every key: all entities are wanted, or the wanted one is not known yet.
    Any,
    Only(Keys),
}

impl KeySet {
    pub fn contains(&self, key: i64) -> bool {
        match self {
            KeySet::Any => true,
            KeySet::Only(keys) => keys.contains(&key),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            KeySet::Any => false,
            KeySet::Only(keys) => keys.is_empty(),
        }
    }
}

/// An integer in PostgreSQL's text form.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value: i128 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i128::from(digit - b'0');
    }
    i64::try_from(if negative { -value } else { value }).ok()
}
