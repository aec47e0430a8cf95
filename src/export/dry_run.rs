//! A dry run: everything but the writing, to say what an export would hold.
//!
//! Rows are found, nested and rendered as for an export, so that what is said is what would be written; the content
//! is then counted and dropped.

use std::io;

use serde::Serialize;

use crate::output::{FileId, LeftOutEntry, Message, OptionsEntry, SnapshotEntry};
use crate::pipeline::EntityId;
use crate::resolve::Resolved;
use crate::snapshot::Snapshot;

use super::batches::{BatchSink, Batches};
use super::entries::{entry, first_manifest, left_out_entries};
use super::error::{ExportError, batch_error};
use super::find::{find_rows, open};
use super::observer::{ExportObserver, Relay, expected};
use super::redact::{Masks, masks};
use super::render::Renderer;
use super::request::{Destination, ExportRequest};
use super::warnings::{tell_late_warnings, warnings, whole_error};

/// Files of an export beside those of its relations: the manifest and the metadata.
const OTHER_FILES: u64 = 2;

/// What an export would hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryRun {
    pub snapshot: SnapshotEntry,
    pub options: OptionsEntry,
    /// Why the whole export would not be relied on, where something beyond a single relation is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub warnings: Vec<String>,
    /// Relations that the snapshot has no table for.
    pub left_out: Vec<LeftOut>,
    /// Entities that nobody named and that are taken only by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out_entities: Vec<LeftOutEntry>,
    pub entities: Vec<EntityCount>,
    /// All files of the export, the manifest and the metadata among them.
    pub files: u64,
    /// Rows of all places, top-level and nested.
    pub rows: u64,
    /// Bytes of all relations' content, before compression.
    pub bytes: u64,
    /// Bytes of temp files at the most, those that this dry run needed, too.
    pub temp_bytes: u64,
}

impl DryRun {
    /// True where every relation would be finished.
    pub fn is_complete(&self) -> bool {
        let mut relations = self.entities.iter().flat_map(|entity| &entity.relations);
        self.error.is_none()
            && !self.entities.is_empty()
            && relations.all(|relation| relation.error.is_none())
    }
}

/// A relation that would be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub pipeline: String,
    pub relation: String,
    pub table: String,
}

/// What would be written of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntityCount {
    pub id: EntityId,
    #[serde(rename = "type")]
    pub kind: String,
    pub full_path: String,
    pub prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Option<EntityId>>,
    pub relations: Vec<RelationCount>,
}

/// What would be written of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelationCount {
    pub relation: String,
    /// Of its records; none where they are no rows.
    pub table: Option<String>,
    /// Why it would fail.
    pub error: Option<String>,
    /// Top-level records.
    pub rows: u64,
    pub batched: bool,
    pub batches_count: u32,
    pub files: u64,
    /// Before compression.
    pub bytes: u64,
    /// Rows that would be left out under `--keep-going`.
    pub skipped_count: u64,
    /// Rows below the records, by place.
    pub nested: Vec<NestedCount>,
}

/// Rows of one place below a relation's records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NestedCount {
    /// The relation and the JSON keys, joined by dots: `epics.notes.award_emoji`.
    pub path: String,
    pub table: String,
    pub rows: u64,
}

/// Says what an export would hold, without writing anything but temp files.
///
/// # Errors
/// As [`run()`](super::run()), if there would be no export at all; the destination counts only if one is named.
pub fn dry_run(
    request: &ExportRequest,
    destination: Option<&Destination>,
    observer: &mut dyn ExportObserver,
) -> Result<DryRun, ExportError> {
    if let Some(Destination { store, begin, .. }) = destination {
        store.check(*begin)?;
    }
    let snapshot = open(request)?;
    // An interrupted run does not wait for queries that still have the snapshot.
    let _ending = snapshot.ending();
    count(request, snapshot, observer)
}

fn count(
    request: &ExportRequest,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<DryRun, ExportError> {
    let manifest = first_manifest(request, &snapshot);
    let (outcome, files) = find_rows(request, snapshot, observer)?;
    let resolved = &outcome.resolved;
    observer.writing(expected(resolved));
    let masks = masks(request, resolved)?;
    let mut account = Account::new(request, resolved, masks.as_deref())?;
    let mut relay = Relay(observer);
    Batches::new(
        resolved,
        &request.options,
        &request.pool,
        &mut account,
        &mut relay,
        &request.interrupted,
        masks,
    )
    .and_then(|batches| {
        let batches = batches.with_files(files, &request.limits.temp_dir);
        batches.run()
    })
    .map_err(batch_error(&request.snapshot))
    .map(drop)?;
    tell_late_warnings(request, &outcome);
    let entities = account.entities;
    let relations = || entities.iter().flat_map(|entity| &entity.relations);
    let nested = |relation: &RelationCount| -> u64 {
        relation.nested.iter().map(|nested| nested.rows).sum()
    };
    let warnings = warnings(request, &outcome);
    let error = whole_error(request, &outcome);
    let (facts, plan) = (outcome.facts, &resolved.plan);
    Ok(DryRun {
        snapshot: SnapshotEntry {
            server_version: facts.server_version,
            gitlab_version: facts
                .gitlab_version
                .or_else(|| request.gitlab_version.clone()),
            ..manifest.snapshot
        },
        options: manifest.options,
        error,
        warnings,
        left_out: plan
            .left_out
            .iter()
            .map(|left_out| LeftOut {
                pipeline: left_out.pipeline.clone(),
                relation: left_out.relation.clone(),
                table: left_out.table.to_string(),
            })
            .collect(),
        left_out_entities: left_out_entries(request, &resolved.remarks.left_out),
        files: relations().map(|relation| relation.files).sum::<u64>() + OTHER_FILES,
        rows: relations()
            .map(|relation| relation.rows + nested(relation))
            .sum(),
        bytes: relations().map(|relation| relation.bytes).sum(),
        temp_bytes: resolved.temp_bytes,
        entities,
    })
}

/// Takes what would go to the writing thread, and counts it.
struct Account {
    entities: Vec<EntityCount>,
    /// Bytes of the current file so far.
    bytes: u64,
}

impl Account {
    fn new(
        request: &ExportRequest,
        resolved: &Resolved,
        masks: Option<&Masks>,
    ) -> Result<Self, ExportError> {
        let renderer = Renderer::new(resolved, request.options.keep_going, true)
            .map_err(|error| ExportError::Plan(error.to_string()))?;
        let entities = (0..resolved.entities.len()).map(|position| {
            let entry = entry(request, resolved, position, masks);
            let relations = resolved.relations_of(position);
            EntityCount {
                id: entry.id,
                kind: entry.kind,
                full_path: entry.full_path,
                prefix: entry.prefix,
                parent_id: entry.parent_id,
                relations: relations
                    .map(|relation| relation_count(request, resolved, &renderer, relation))
                    .collect(),
            }
        });
        Ok(Account {
            entities: entities.collect(),
            bytes: 0,
        })
    }

    fn relation(&mut self, entity: usize, relation: usize) -> &mut RelationCount {
        &mut self.entities[entity].relations[relation]
    }
}

/// A relation of which nothing has been counted.
fn relation_count(
    request: &ExportRequest,
    resolved: &Resolved,
    renderer: &Renderer,
    position: usize,
) -> RelationCount {
    let relation = &resolved.plan.relations[position];
    let places = renderer.places(position);
    RelationCount {
        relation: relation.name.clone(),
        table: places.first().map(|place| place.table.clone()),
        error: None,
        rows: 0,
        batched: request.options.batched && relation.batched,
        batches_count: 0,
        files: 0,
        bytes: 0,
        skipped_count: 0,
        // The first place is that of the records themselves.
        nested: places
            .iter()
            .skip(1)
            .map(|place| NestedCount {
                path: place.path.clone(),
                table: place.table.clone(),
                rows: 0,
            })
            .collect(),
    }
}

impl BatchSink for Account {
    fn send(&mut self, message: Message) -> io::Result<()> {
        match message {
            // What is counted here are rows that are written.
            Message::Read { .. }
            | Message::Rows { .. }
            | Message::Dangling { .. }
            | Message::Elsewhere { .. }
            | Message::Warnings(_)
            | Message::Judge(_)
            | Message::End => {}
            Message::Batches {
                entity,
                relation,
                count,
                own: _,
            } => self.relation(entity, relation).batches_count = count,
            Message::NoFiles {
                entity,
                relation,
                done,
            } => {
                let count = self.relation(entity, relation);
                count.batched = true;
                count.skipped_count += done.skipped_count;
            }
            Message::Piece(_, piece) => self.bytes += piece.length,
            Message::Done(file, done) => {
                let bytes = std::mem::take(&mut self.bytes);
                let count = self.relation(file.entity, file.relation);
                count.rows += done.objects;
                count.skipped_count += done.skipped_count;
                count.files += 1;
                count.bytes += bytes;
            }
            Message::Failed(file, error) => {
                self.bytes = 0;
                let count = self.relation(file.entity, file.relation);
                count.error.get_or_insert(error);
                if file.batch.is_none() {
                    // Batches of rows of the file that would be taken away again.
                    for nested in &mut count.nested {
                        nested.rows = 0;
                    }
                }
            }
            Message::RelationFailed {
                entity,
                relation,
                error,
            } => self.relation(entity, relation).error = Some(error),
        }
        Ok(())
    }

    fn wants_content(&self) -> bool {
        false
    }

    fn counted(&mut self, file: FileId, rows: &[u64]) {
        let count = self.relation(file.entity, file.relation);
        // A relation that is not made of rows has no places.
        for (nested, rows) in count.nested.iter_mut().zip(rows.iter().skip(1)) {
            nested.rows += rows;
        }
    }
}
