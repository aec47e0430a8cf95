//! What is noted of an export beside its rows: how often, and where the first times.

use serde::{Deserialize, Serialize};

use crate::pipeline::EntityId;

/// How many of them are described; the others are only counted.
const DESCRIBED: usize = 100;

/// How often something was noted, and the first times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted<T> {
    pub count: u64,
    /// At most [`DESCRIBED`].
    pub first: Vec<T>,
}

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Noted {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Noted<T> {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes one more.
    pub fn note(&mut self, it: T) {
        self.count += 1;
        if self.first.len() < DESCRIBED {
            self.first.push(it);
        }
    }

    /// Notes what others have noted.
    pub fn append(&mut self, other: Noted<T>) {
        self.count += other.count;
        let room = DESCRIBED.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }
}

/// A value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableValue {
    pub table: String,
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    /// The column, or the key that is left out.
    pub column: String,
    pub reason: String,
}

/// A file with a value that the snapshot does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    pub table: String,
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    pub path: String,
}
