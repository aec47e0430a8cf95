//! A key by itself: as texts, and as it is looked up.

use std::borrow::Cow;

/// What stands between the texts of a key's columns. No value of PostgreSQL's has this byte.
const BETWEEN: u8 = 0;

/// A key as its values' texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A lone integer.
    Integer(i64),
    /// The texts of its columns.
    Text(Box<[u8]>),
}

impl Key {
    /// The key of these texts.
    pub fn of<T: AsRef<[u8]>>(texts: &[T]) -> Key {
        let mut joined = Vec::new();
        for (position, text) in texts.iter().enumerate() {
            if position > 0 {
                joined.push(BETWEEN);
            }
            joined.extend_from_slice(text.as_ref());
        }
        Key::Text(joined.into())
    }

    /// The texts of its columns, of which there are so many.
    pub fn texts(&self, columns: usize) -> Vec<Cow<'_, [u8]>> {
        match self {
            Key::Integer(value) => vec![Cow::Owned(value.to_string().into_bytes())],
            Key::Text(text) => text
                .splitn(columns.max(1), |byte| *byte == BETWEEN)
                .map(Cow::Borrowed)
                .collect(),
        }
    }
}

impl From<i64> for Key {
    fn from(value: i64) -> Key {
        Key::Integer(value)
    }
}

/// A key as rows are kept and found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexKey {
    /// A lone integer.
    Integer(i64),
    /// Anything else. A uuid is itself, and so are two integers; of everything else it is a hash of the canonical
    /// texts, with a key that nobody outside of this process knows: that two of them meet is as good as impossible.
    Wide(u128),
}
