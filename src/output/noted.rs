//! What is noted of an export beside its rows: how often, and where the first times.

use serde::{Deserialize, Serialize};

use crate::pipeline::EntityId;

/// How many of them are described; the others are only counted.
const DESCRIBED: usize = 100;

/// What is noted of a relation's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Values that cannot be read: null is written for them, or their key is left out.
    #[serde(default, skip_serializing_if = "Noted::is_empty")]
    pub unreadable_values: Noted<UnreadableValue>,
    /// Files that the snapshot does not have: they are left out, and values that lie in them are written as empty texts.
    #[serde(default, skip_serializing_if = "Noted::is_empty")]
    pub missing_files: Noted<MissingFile>,
    /// Files whose content is not what their rows say it is.
    #[serde(default, skip_serializing_if = "Noted::is_empty")]
    pub damaged_files: Noted<DamagedFile>,
    /// Records that are written, but are larger than GitLab reads.
    #[serde(default, skip_serializing_if = "Noted::is_empty")]
    pub large_records: Noted<LargeRecord>,
    /// References of rows that are written to rows that the snapshot does not have, by column; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dangling_references: Vec<DanglingReference>,
}

impl Notes {
    pub fn is_empty(&self) -> bool {
        *self == Notes::default()
    }

    /// Notes what others have noted.
    pub fn append(&mut self, other: Notes) {
        self.unreadable_values.append(other.unreadable_values);
        self.missing_files.append(other.missing_files);
        self.damaged_files.append(other.damaged_files);
        self.large_records.append(other.large_records);
        for reference in other.dangling_references {
            self.dangling(reference);
        }
    }

    /// Notes references of a column that lead nowhere.
    pub fn dangling(&mut self, reference: DanglingReference) {
        let known = &mut self.dangling_references;
        match known.binary_search_by(|it| it.column_of().cmp(&reference.column_of())) {
            Ok(at) => known[at].count += reference.count,
            Err(at) => known.insert(at, reference),
        }
    }
}

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

/// References of a column to rows that the snapshot does not have. The rows with the references are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DanglingReference {
    /// The table with the column.
    pub table: String,
    /// Of several columns all, joined by commas.
    pub column: String,
    /// The table that it refers to.
    pub to: String,
    pub count: u64,
}

impl DanglingReference {
    /// What tells it from others.
    fn column_of(&self) -> (&str, &str, &str) {
        (&self.table, &self.column, &self.to)
    }
}

/// A record that is larger than GitLab reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeRecord {
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    pub bytes: u64,
}

/// A file that is not what its row says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedFile {
    pub table: String,
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    pub path: String,
    pub reason: String,
    /// It is in the archive all the same.
    pub is_written: bool,
}

/// A file that the snapshot does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    pub table: String,
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    pub path: String,
}
