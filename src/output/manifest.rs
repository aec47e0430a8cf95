//! The manifest: what an export folder holds and how far it is.
//!
//! `manifest.json` is the status manifest. Entries of relations and batches carry exactly the keys of GitLab's
//! status endpoint, in its order, and beside them the file with its size and SHA-256. This file says what a manifest
//! is; what happens to files becomes a manifest in the [`Ledger`](super::Ledger), which alone changes one.

mod error;
mod status;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::batch_number::BatchNumber;
use super::layout;
use super::noted::Notes;
use crate::bucket::ConditionalPut;
use crate::pipeline::EntityId;
use crate::timings::Times;
use crate::visible::visible_json;

pub use error::ManifestError;
pub use status::{BatchStatus, Status};

/// Name of the file in the output folder.
pub const FILE_NAME: &str = "manifest.json";

/// The version of this file's form.
pub const VERSION: u32 = 1;

/// Files in a batch of an archive, if nothing else was asked for: GitLab's own number.
pub const ARCHIVE_BATCH_SIZE: u32 = 50;

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub manifest_version: u32,
    pub generator: String,
    pub status: Status,
    pub started_at: String,
    pub finished_at: Option<String>,
    /// In a bucket: whether the server refuses to write over an object if that is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditional_put: Option<ConditionalPut>,
    /// The job of a configuration that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why the whole export is not to be relied on, where something beyond a single relation is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub snapshot: SnapshotEntry,
    /// Of several the first.
    pub pipeline: PipelineEntry,
    /// The pipelines behind the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_pipelines: Vec<PipelineEntry>,
    pub options: OptionsEntry,
    /// What a job's guard found, of an export that is finished: it may lack rows. It is never counted by keep rules, and
    /// `latest` does not lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspect: Vec<String>,
    /// What stands in place of columns' values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction: Option<RedactionEntry>,
    /// Whom the files are encrypted for: public keys. The names of encrypted files end with `.age`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted_for: Vec<String>,
    /// Only while the export is unfinished, and only where it can be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeEntry>,
    /// The same of an export that is finished, so that a later run can tell that it would make the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<ResumeEntry>,
    /// What the snapshot could not give, though no relation failed for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Tables whose data the snapshot does not hold, and which were taken as empty (`--allow-missing`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing_tables: u64,
    /// Which tables these are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables_without_data: Vec<TableWithoutData>,
    /// Relations that have no entry, because the snapshot does not have their table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out_relations: Vec<LeftOutRelationEntry>,
    /// Tables that were read and whose rows stand in other tables: partitions, or tables that inherit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables_in_parts: Vec<TableInParts>,
    /// Entities that nobody named and that are taken only by name, of each kind that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutEntry>,
    /// The file that describes the whole export. Manifests of version 0.1.0 may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<FileEntry>,
    /// Where the time went, up to the end of the last file; once the run is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Times>,
    pub entities: Vec<EntityEntry>,
}

impl OptionsEntry {
    /// The most top-level rows of a batch of a relation. A relation of this name of several pipelines may have several.
    pub fn batch_sizes_of(&self, relation: &str, is_archive: bool) -> Vec<u32> {
        let own = self.batch_sizes.iter().filter(|(name, _)| {
            let (_, last) = name.rsplit_once('.').unwrap_or(("", name));
            last == relation
        });
        let mut sizes: Vec<u32> = own.map(|(_, size)| *size).collect();
        if !self.batch_sizes.contains_key(relation) {
            sizes.push(match is_archive {
                true => ARCHIVE_BATCH_SIZE,
                false => self.batch_size,
            });
        }
        sizes
    }
}

impl Manifest {
    /// True if the files are encrypted.
    pub fn is_sealed(&self) -> bool {
        !self.encrypted_for.is_empty()
    }

    /// The name of the file that describes the whole export.
    pub fn metadata_name(&self) -> &'static str {
        match self.is_sealed() {
            true => layout::SEALED_METADATA,
            false => layout::METADATA,
        }
    }

    /// The pipelines that said what to take.
    pub fn pipelines(&self) -> Vec<PipelineEntry> {
        let more = self.more_pipelines.iter().cloned();
        [self.pipeline.clone()].into_iter().chain(more).collect()
    }

    /// Reads a manifest; `shown` is what messages call it.
    ///
    /// # Errors
    /// If it is no manifest, or has another version.
    pub fn parse(bytes: &[u8], shown: String) -> Result<Manifest, ManifestError> {
        // Another version may have another form, too.
        if let Ok(Head { manifest_version }) = serde_json::from_slice(bytes)
            && manifest_version != VERSION
        {
            return Err(ManifestError::Version {
                path: shown,
                found: manifest_version,
            });
        }
        serde_json::from_slice(bytes).map_err(|source| ManifestError::Form {
            path: shown,
            source,
        })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None, since nothing in a manifest is a map with other keys than text.
    pub fn to_json(&self) -> std::io::Result<Vec<u8>> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        // Whoever looks at the file sees the names of a snapshot.
        Ok(visible_json(json).into_bytes())
    }

    /// The manifest as if these entities alone had been exported: the others are in neither its list, nor its status, nor what
    /// it keeps of how they were named.
    pub fn only(&self, wanted: impl Fn(&EntityEntry) -> bool) -> Manifest {
        let entities = self.entities.iter().filter(|entity| wanted(entity));
        let entities: Vec<EntityEntry> = entities.cloned().collect();
        let mut relations = entities.iter().flat_map(|entity| &entity.relations);
        let is_finished = self.finished_at.is_some()
            && self.error.is_none()
            && !entities.is_empty()
            && relations.all(|relation| relation.status == Status::Finished);
        Manifest {
            status: if is_finished {
                Status::Finished
            } else {
                self.status
            },
            resume: None,
            terms: None,
            // It describes all of them.
            metadata: None,
            entities,
            ..self.clone()
        }
    }
}

/// What a manifest of any version has.
#[derive(Deserialize)]
struct Head {
    manifest_version: u32,
}

/// Where the rows came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEntry {
    pub kind: String,
    pub source: String,
    pub server_version: Option<String>,
    pub gitlab_version: Option<String>,
    /// Of a live server: when the instant was that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// Of a live server: where its log was just before that instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<String>,
}

/// Which pipeline said what to take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineEntry {
    pub name: String,
    pub sha256: String,
}

/// The options that decide what the files look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionsEntry {
    pub batched: bool,
    pub batch_size: u32,
    /// Batch sizes of single relations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub batch_sizes: BTreeMap<String, u32>,
    /// Bytes of NDJSON after which a batch ends, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_bytes: Option<u64>,
    pub edition: String,
}

/// What stands in place of columns' values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedactionEntry {
    /// SHA-256 of the redaction file, lower-case hex.
    pub sha256: String,
    /// Tells keys apart by which values are hashed, and says nothing of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// What became of a backup's files: `keep` or `leave_out`.
    pub files: String,
    /// The rule of each column that has one and is written, by table; once the snapshot has been read.
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
}

/// What has to be the same for an unfinished export to be gone on with, beside what the rest of the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeEntry {
    /// Changes when the snapshot does.
    pub fingerprint: String,
    /// The entities of the first pipeline as they were named; `null` for all of them.
    pub named: Option<Vec<String>>,
    pub descendants: bool,
    /// Those that lie within others that are exported, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub within: bool,
    /// The same of the pipelines behind the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<ChoiceEntry>,
    /// The relations that were asked for; `null` for all of them.
    pub relations: Option<Vec<String>>,
    pub gzip_level: u32,
    pub keep_going: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_missing: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_files: bool,
    /// The GitLab version that was named, in case the snapshot does not say one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitlab_version: Option<String>,
    /// The address of the instance that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
}

impl ResumeEntry {
    /// The entities as they were named, by pipeline.
    pub fn choices(&self) -> Vec<ChoiceEntry> {
        let first = ChoiceEntry {
            named: self.named.clone(),
            descendants: self.descendants,
            within: self.within,
        };
        [first]
            .into_iter()
            .chain(self.more.iter().cloned())
            .collect()
    }
}

/// Entities of a pipeline, as they were named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceEntry {
    /// `null` for all of them.
    pub named: Option<Vec<String>>,
    pub descendants: bool,
    /// Those that lie within others that are exported, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub within: bool,
}

/// Entities of a kind that would have been taken, had they been named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutEntry {
    #[serde(rename = "type")]
    pub kind: String,
    pub count: u64,
    /// The keys of the first of them.
    pub ids: Vec<EntityId>,
}

/// A table whose data the snapshot does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableWithoutData {
    pub table: String,
    /// The partitions, or tables that inherit, whose data is missing; of none, it is the table's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

/// A relation whose table the snapshot does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutRelationEntry {
    pub pipeline: String,
    pub relation: String,
    pub table: String,
}

/// A table whose rows stand in others, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInParts {
    pub table: String,
    /// How many tables there are below it.
    pub parts: u64,
}

/// One exported entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityEntry {
    pub id: EntityId,
    #[serde(rename = "type")]
    pub kind: String,
    pub full_path: String,
    pub prefix: String,
    /// The key of the entity that it lies within, of entities that lie within those of another pipeline; `null` if what they
    /// lie within is no entity.
    #[serde(
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    pub parent_id: Option<Option<EntityId>>,
    /// The key of the row above it, or of what it lies within, where the snapshot does not have that row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_parent: Option<EntityId>,
    pub relations: Vec<RelationEntry>,
}

/// One relation of an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelationEntry {
    pub relation: String,
    pub status: Status,
    pub error: Option<String>,
    pub updated_at: String,
    pub batched: bool,
    pub batches_count: u32,
    pub total_objects_count: u64,
    /// Only when batched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<Vec<BatchEntry>>,
    /// Only when there is one file, and it is complete.
    #[serde(flatten)]
    pub file: Option<FileEntry>,
    /// Rows of the snapshot that are its records, whether they are written or left out; unknown before they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_read: Option<u64>,
    /// Rows that were left out under `--keep-going`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedRow>,
    /// How many rows were left out, those that are not described included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_count: u64,
    /// How many of these are no records of the relation: they are nested in records, or lead to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_nested_count: u64,
    #[serde(flatten)]
    pub notes: Notes,
}

/// One batch of a relation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchEntry {
    pub status: BatchStatus,
    pub batch_number: BatchNumber,
    pub objects_count: u64,
    pub error: Option<String>,
    pub updated_at: String,
    #[serde(flatten)]
    pub file: Option<FileEntry>,
}

/// A complete file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path from the output folder, with `/`.
    pub file: String,
    /// Size of the compressed file.
    pub bytes: u64,
    /// Of the compressed file, lower-case hex.
    pub sha256: String,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRow {
    pub table: String,
    /// The primary key, where it could be read.
    pub key: Option<EntityId>,
    pub column: Option<String>,
    pub reason: String,
}

/// What is there, `null` or not.
fn there<'d, D: serde::Deserializer<'d>>(value: D) -> Result<Option<Option<EntityId>>, D::Error> {
    Option::deserialize(value).map(Some)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Manifest {
    /// How many rows were left out under `--keep-going`, of each relation of all entities that lacks some.
    pub fn skipped_rows(&self) -> Vec<(String, u64)> {
        let mut rows: Vec<(String, u64)> = Vec::new();
        let relations = self.entities.iter().flat_map(|entity| &entity.relations);
        for relation in relations.filter(|relation| relation.skipped_count > 0) {
            match rows.iter_mut().find(|(name, _)| *name == relation.relation) {
                Some((_, count)) => *count = count.saturating_add(relation.skipped_count),
                None => rows.push((relation.relation.clone(), relation.skipped_count)),
            }
        }
        rows
    }
}

impl RelationEntry {
    /// The complete files of the relation.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let batches = self.batches.iter().flatten();
        self.file
            .iter()
            .chain(batches.filter_map(|batch| batch.file.as_ref()))
    }

    /// True for a relation with archives of files, whose records are the rows that name one, whether it is there or not.
    pub fn is_of_files(&self) -> bool {
        let mut files = self.files();
        files.any(|file| file.file.trim_end_matches(".age").ends_with(".tar.gz"))
    }

    /// The entry as GitLab's status endpoint gives it: without files, checksums and skipped rows.
    pub fn without_files(&self) -> RelationEntry {
        let batches = self.batches.as_ref().map(|batches| {
            batches
                .iter()
                .map(|batch| BatchEntry {
                    file: None,
                    ..batch.clone()
                })
                .collect()
        });
        RelationEntry {
            batches,
            file: None,
            rows_read: None,
            skipped: Vec::new(),
            skipped_count: 0,
            skipped_nested_count: 0,
            notes: Notes::default(),
            ..self.clone()
        }
    }
}
