//! `snapshot.json`: what a folder of CSV files that was taken from another snapshot says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::entity_id::EntityId;

/// What the folder is a picture of, and which files it consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Which pipeline said what to take; of several the first.
    pub pipeline: Option<DescribedPipeline>,
    /// The pipelines behind the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_pipelines: Vec<DescribedPipeline>,
    pub server_version: Option<String>,
    pub gitlab_version: Option<String>,
    /// When the instant was, as the source writes it.
    pub taken_at: Option<String>,
    /// How far the server's log was at that instant.
    pub lsn: Option<String>,
    /// Tables that were partitioned in the source and are one file here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitioned: Vec<String>,
    /// The keys of the first pipeline's entities whose rows these are; `None` where the tables are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<EntityId>>,
    /// The same of the pipelines behind the first, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only_more: BTreeMap<String, Vec<EntityId>>,
    pub tables: Vec<DescribedTable>,
}

/// The pipeline that a snapshot was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedPipeline {
    pub name: String,
    /// Of its file, lower-case hex.
    pub sha256: String,
}

/// The file with the definitions of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedSchema {
    pub file: String,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A table's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedTable {
    pub table: String,
    /// Its name in the folder.
    pub file: String,
    pub rows: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Of the file, lower-case hex.
    pub sha256: String,
}

impl Described {
    /// The pipelines that said what to take.
    pub(crate) fn pipelines(&self) -> Vec<DescribedPipeline> {
        let first = self.pipeline.iter();
        first.chain(&self.more_pipelines).cloned().collect()
    }

    /// The keys of the entities whose rows these are, by the names of their pipelines.
    pub(crate) fn only(&self) -> Option<BTreeMap<String, Vec<EntityId>>> {
        let mut only = self.only_more.clone();
        let first = self.pipeline.as_ref().map(|first| first.name.clone());
        only.insert(first.unwrap_or_default(), self.only.clone()?);
        Some(only)
    }

    /// Name of the file in the folder.
    pub const FILE_NAME: &str = "snapshot.json";
}
