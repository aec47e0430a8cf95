//! What a comparison came to.

use std::fmt;

use serde::Serialize;

/// The comparison of an export with a snapshot.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Records of the files that were held against rows.
    pub(crate) records: u64,
    /// Rows of the snapshot that belong to them, those that are nested included, as often as they are written.
    pub(crate) rows: u64,
    /// How often the snapshot was read for it.
    pub(crate) passes: u64,
    /// Keys of records that were compared, by their names; each counts once for each pipeline.
    pub(crate) compared_columns: u64,
    /// Those that were not, and why.
    pub(crate) not_compared: Vec<NotCompared>,
    pub(crate) relations: Vec<RelationReport>,
    /// How many records differ.
    pub(crate) different: u64,
    /// The first of them.
    pub(crate) differences: Vec<Difference>,
    /// What could not be held against the snapshot at all.
    pub(crate) problems: Vec<String>,
}

/// A key of records that is not compared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct NotCompared {
    pub(crate) pipeline: String,
    /// Nested keys from the relation on, and the key itself, joined by dots.
    pub(crate) column: String,
    pub(crate) reason: String,
}

/// What became of one relation of an entity.
#[derive(Debug, Serialize)]
pub(crate) struct RelationReport {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) entity: String,
    pub(crate) relation: String,
    /// Records in its files.
    pub(crate) records: u64,
    /// Records that the snapshot has rows of.
    pub(crate) expected: u64,
    /// Rows that belong to those, those that are nested included.
    pub(crate) rows: u64,
    /// Records that differ, on either side.
    pub(crate) different: u64,
    /// Why it was not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_compared: Option<String>,
}

/// A record that differs.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    #[serde(rename = "type")]
    pub(crate) entity_type: String,
    pub(crate) entity: String,
    pub(crate) relation: String,
    /// The key of its row; none if the key may not be told, or there is none.
    pub(crate) key: Option<String>,
    pub(crate) kind: Kind,
    /// Keys of the record whose values differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nested: Vec<NestedDifference>,
    /// Differences below it that are not described.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) more_nested: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
}

/// Something below a record that differs.
#[derive(Debug, Serialize)]
pub(crate) struct NestedDifference {
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) kind: Kind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The snapshot has it, the file has not.
    Missing,
    /// The file has it, the snapshot has not.
    Unexpected,
    /// The file has it more often than the snapshot.
    Doubled,
    Changed,
}

impl Report {
    /// True if something was compared and nothing is wrong.
    pub(crate) fn is_right(&self) -> bool {
        self.different == 0 && self.problems.is_empty() && !self.compared_nothing()
    }

    /// True if there was neither a record nor a row.
    pub(crate) fn compared_nothing(&self) -> bool {
        let mut relations = self.relations.iter();
        relations.all(|it| it.not_compared.is_some() || it.records + it.expected == 0)
    }
}

/// `title differs`, or `title, color differ`.
fn differ(columns: &[String]) -> String {
    let verb = if columns.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    format!("{} {verb}", columns.join(", "))
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key =
            |key: &Option<String>| key.as_ref().map_or(String::new(), |key| format!(" {key}"));
        write!(f, "{} {}{}: ", self.entity, self.relation, key(&self.key))?;
        let mut said = Vec::new();
        match self.kind {
            Kind::Missing => said.push("it is missing".to_owned()),
            Kind::Unexpected => said.push("the snapshot does not have it".to_owned()),
            Kind::Doubled => said.push("it stands there more than once".to_owned()),
            Kind::Changed if self.columns.is_empty() && self.nested.is_empty() => {
                said.push("it differs".to_owned());
            }
            Kind::Changed => {}
        }
        if !self.columns.is_empty() {
            said.push(differ(&self.columns));
        }
        for nested in &self.nested {
            let key = key(&nested.key);
            let path = &nested.path;
            said.push(match nested.kind {
                Kind::Missing => format!("{path}{key} is missing"),
                Kind::Unexpected => format!("{path}{key} is not in the snapshot"),
                Kind::Doubled => format!("{path}{key} stands there more than once"),
                Kind::Changed if nested.columns.is_empty() => format!("{path}{key} differs"),
                Kind::Changed => format!("{path}{key}: {}", differ(&nested.columns)),
            });
        }
        if self.more_nested > 0 {
            said.push(format!("and {} more below it", self.more_nested));
        }
        f.write_str(&said.join("; "))?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " (line {line} of {file})"),
            (Some(file), None) => write!(f, " ({file})"),
            (None, _) => Ok(()),
        }
    }
}
