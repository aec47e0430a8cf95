//! The ledger: what happens to the files of an export, as the manifest tells it.
//!
//! Pure: it reads and writes nothing, and knows no clock. Whoever does the work tells it what became of a file, and
//! when; what it then says ([`Ledger::manifest`]) is what is to be written. Nothing else changes a manifest, so what a
//! manifest can say is what this file and `kept.rs` let it say.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use super::batch_number::BatchNumber;
use super::layout::{self, FileForm};
use super::manifest::{
    BatchEntry, BatchStatus, EntityEntry, FileEntry, LeftOutEntry, LeftOutRelationEntry, Manifest,
    RelationEntry, ResumeEntry, SkippedRow, Status, TableInParts, TableWithoutData,
};
use super::noted::{DanglingReference, Notes};
use crate::timings::Times;

pub use kept::{FileKey, unite};

/// Rows left out that a relation's entry describes; the others are only counted.
const DESCRIBED: usize = 100;

/// Names a file of the export by its place in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    /// Position in [`Manifest::entities`].
    pub entity: usize,
    /// Position in [`EntityEntry::relations`].
    pub relation: usize,
    /// Number of the batch; `None` for a relation's only file.
    pub batch: Option<BatchNumber>,
    pub form: FileForm,
}

/// Facts that are known only when the snapshot has been read.
#[derive(Debug)]
pub struct ReadFacts {
    pub entities: Vec<EntityEntry>,
    pub server_version: Option<String>,
    pub gitlab_version: Option<String>,
    pub taken_at: Option<String>,
    pub lsn: Option<String>,
    pub warnings: Vec<String>,
    /// Tables without data that were taken as empty.
    pub tables_without_data: Vec<TableWithoutData>,
    pub left_out_relations: Vec<LeftOutRelationEntry>,
    /// Tables whose rows stand in others, too.
    pub tables_in_parts: Vec<TableInParts>,
    pub left_out: Vec<LeftOutEntry>,
    /// The rules of columns, by table, where some are redacted.
    pub redacted: BTreeMap<String, BTreeMap<String, String>>,
    /// Why the whole export is not to be relied on, though single relations are.
    pub error: Option<String>,
}

/// How a file ended.
#[derive(Debug, Default)]
pub struct Done {
    pub objects: u64,
    pub skipped: Vec<SkippedRow>,
    pub skipped_count: u64,
    /// Of these those that are no records of the relation.
    pub skipped_nested_count: u64,
    pub notes: Notes,
}

impl Done {
    /// Notes that what belongs to a record is left out, though the record is not.
    pub fn leave_out(&mut self, row: SkippedRow) {
        if self.skipped.len() < DESCRIBED {
            self.skipped.push(row);
        }
        self.skipped_count += 1;
        self.skipped_nested_count += 1;
    }

    /// Adds what is said of further rows.
    pub fn append(&mut self, other: Done) {
        self.objects += other.objects;
        self.skipped.extend(other.skipped);
        self.skipped_count += other.skipped_count;
        self.skipped_nested_count += other.skipped_nested_count;
        self.notes.append(other.notes);
    }
}

/// What is known of an export that is being written.
#[derive(Debug, Clone)]
pub struct Ledger {
    manifest: Manifest,
    /// What another run needs to go on, should this one not end well.
    resume: Option<ResumeEntry>,
    /// Everything has been said.
    is_whole: bool,
}

impl Ledger {
    /// Begins with what a manifest says.
    pub fn new(manifest: Manifest) -> Ledger {
        Ledger {
            resume: manifest.resume.clone(),
            manifest,
            is_whole: false,
        }
    }

    /// What is to be written.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The last thing that was to be written.
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// The name of a file.
    pub fn file_name(&self, file: FileId) -> String {
        let entity = &self.manifest.entities[file.entity];
        let relation = &entity.relations[file.relation].relation;
        let name = layout::file(&entity.prefix, relation, file.form, file.batch);
        layout::stored(name, self.manifest.is_sealed())
    }

    /// Every file that is finished.
    pub fn finished_files(&self) -> impl Iterator<Item = &FileEntry> {
        let entities = self.manifest.entities.iter();
        entities
            .flat_map(|entity| &entity.relations)
            .flat_map(RelationEntry::files)
    }

    fn relation(&mut self, entity: usize, relation: usize) -> &mut RelationEntry {
        &mut self.manifest.entities[entity].relations[relation]
    }

    fn batch(&mut self, file: FileId) -> Option<&mut BatchEntry> {
        let position = file.batch?.position();
        let batches = self.relation(file.entity, file.relation).batches.as_mut();
        batches?.get_mut(position)
    }

    /// The snapshot has been read.
    pub fn read(&mut self, facts: ReadFacts) {
        let ReadFacts {
            entities,
            server_version,
            gitlab_version,
            taken_at,
            lsn,
            warnings,
            tables_without_data,
            left_out_relations,
            tables_in_parts,
            left_out,
            redacted,
            error,
        } = facts;
        let manifest = &mut self.manifest;
        manifest.entities = entities;
        manifest.snapshot.server_version = server_version;
        manifest.snapshot.gitlab_version = gitlab_version;
        manifest.snapshot.taken_at = taken_at;
        manifest.snapshot.lsn = lsn;
        manifest.warnings = warnings;
        manifest.missing_tables = tables_without_data.len() as u64;
        manifest.tables_without_data = tables_without_data;
        manifest.left_out_relations = left_out_relations;
        manifest.tables_in_parts = tables_in_parts;
        manifest.left_out = left_out;
        if let Some(redaction) = &mut manifest.redaction {
            redaction.columns = redacted;
        }
        manifest.error = error;
    }

    /// The file that describes the whole export is written.
    pub fn described(&mut self, metadata: FileEntry) {
        self.manifest.metadata = Some(metadata);
    }

    /// More that the snapshot could not give.
    pub fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.manifest.warnings.contains(&warning) {
                self.manifest.warnings.push(warning);
            }
        }
    }

    /// A relation of an entity has so many rows in the snapshot.
    pub fn rows(&mut self, entity: usize, relation: usize, count: u64) {
        self.relation(entity, relation).rows_read = Some(count);
    }

    /// References lead nowhere of records that a relation is collected from.
    pub fn dangling(&mut self, entity: usize, relation: usize, references: Vec<DanglingReference>) {
        let notes = &mut self.relation(entity, relation).notes;
        for reference in references {
            notes.dangling(reference);
        }
    }

    /// A relation will be cut into so many batches, of which those at its `own` positions are made here: the others have
    /// ended, as far as this account goes, without a file. Those that are finished stay so.
    pub fn batches(
        &mut self,
        entity: usize,
        relation: usize,
        count: u32,
        own: Range<u32>,
        at: &str,
    ) {
        let entry = self.relation(entity, relation);
        entry.batches_count = count;
        let kept = entry.batches.take().unwrap_or_default();
        let mut kept: BTreeMap<BatchNumber, BatchEntry> = kept
            .into_iter()
            .map(|batch| (batch.batch_number, batch))
            .collect();
        let own = own.start as usize..own.end as usize;
        let created = |batch_number: BatchNumber| BatchEntry {
            status: match own.contains(&batch_number.position()) {
                true => BatchStatus::Created,
                false => BatchStatus::Finished,
            },
            batch_number,
            objects_count: 0,
            error: None,
            updated_at: at.to_owned(),
            file: None,
        };
        let batches = BatchNumber::first(count)
            .map(|number| kept.remove(&number).unwrap_or_else(|| created(number)));
        entry.batches = Some(batches.collect());
        settle_batches(entry);
    }

    /// A relation of files has none: as GitLab says it, it is cut into no batches, whether it may be cut or not.
    pub fn no_files(&mut self, entity: usize, relation: usize, done: Done, at: &str) {
        let entry = self.relation(entity, relation);
        entry.batched = true;
        entry.batches_count = 0;
        entry.batches = Some(Vec::new());
        entry.status = Status::Finished;
        at.clone_into(&mut entry.updated_at);
        note(entry, done);
    }

    /// Nothing of a relation is made here.
    pub fn elsewhere(&mut self, entity: usize, relation: usize, at: &str) {
        let entry = self.relation(entity, relation);
        entry.status = Status::Finished;
        at.clone_into(&mut entry.updated_at);
    }

    /// A file has been begun.
    pub fn started(&mut self, file: FileId, at: &str) {
        if let Some(batch) = self.batch(file) {
            batch.status = BatchStatus::Started;
            at.clone_into(&mut batch.updated_at);
        }
    }

    /// A file is there under its name.
    pub fn finished(&mut self, file: FileId, done: Done, written: FileEntry, at: &str) {
        let entry = self.relation(file.entity, file.relation);
        at.clone_into(&mut entry.updated_at);
        let objects = done.objects;
        entry.total_objects_count += objects;
        note(entry, done);
        match self.batch(file) {
            Some(batch) => {
                batch.status = BatchStatus::Finished;
                batch.objects_count = objects;
                at.clone_into(&mut batch.updated_at);
                batch.file = Some(written);
                settle_batches(self.relation(file.entity, file.relation));
            }
            None => {
                let entry = self.relation(file.entity, file.relation);
                entry.status = Status::Finished;
                entry.file = Some(written);
            }
        }
    }

    /// A file will not be finished.
    pub fn failed(&mut self, file: FileId, error: String, at: &str) {
        match self.batch(file) {
            Some(batch) => {
                batch.status = BatchStatus::Failed;
                batch.error = Some(error.clone());
                at.clone_into(&mut batch.updated_at);
                let entry = self.relation(file.entity, file.relation);
                entry.error.get_or_insert(error);
                at.clone_into(&mut entry.updated_at);
                settle_batches(entry);
            }
            None => self.relation_failed(file.entity, file.relation, error, at),
        }
    }

    /// A relation fails as a whole, before any file of it.
    pub fn relation_failed(&mut self, entity: usize, relation: usize, error: String, at: &str) {
        let entry = self.relation(entity, relation);
        entry.status = Status::Failed;
        entry.error = Some(error);
        at.clone_into(&mut entry.updated_at);
    }

    /// Why the export is not to be trusted, should all of it be finished.
    pub fn suspect(&mut self, reasons: Vec<String>) {
        self.manifest.suspect = reasons;
    }

    /// Everything has been said.
    pub fn all_said(&mut self) {
        self.is_whole = true;
    }

    /// True if everything has been said, and nothing came of it that makes it doubtful.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// What was said is not to be relied on, though everything was.
    pub fn doubt(&mut self) {
        self.is_whole = false;
    }

    /// The run is over: what has not ended by now never will.
    pub fn close(&mut self, timings: Option<Times>, at: &str) {
        let manifest = &mut self.manifest;
        let mut all_finished =
            self.is_whole && manifest.error.is_none() && !manifest.entities.is_empty();
        let entities = manifest.entities.iter_mut();
        for entry in entities.flat_map(|entity| &mut entity.relations) {
            if entry.status == Status::Started {
                fail_unfinished(entry, at);
            }
            all_finished &= entry.status == Status::Finished;
        }
        manifest.status = if all_finished {
            Status::Finished
        } else {
            Status::Failed
        };
        if all_finished {
            manifest.terms = manifest.resume.take();
        } else {
            manifest.suspect.clear();
        }
        manifest.finished_at = self.is_whole.then(|| at.to_owned());
        manifest.timings = timings;
    }

    /// The last manifest may not last, though it may be seen: it must not call finished what another run has to go
    /// on with.
    pub fn take_back(&mut self) {
        self.manifest.finished_at = None;
        if self.manifest.status == Status::Finished {
            self.manifest.status = Status::Failed;
            self.manifest.suspect.clear();
            self.manifest.terms = None;
            self.manifest.resume = self.resume.take();
        }
    }

    /// An export whose end was told already can be gone on with, under these terms.
    pub fn reopen(&mut self, terms: Option<ResumeEntry>) {
        self.manifest.status = Status::Failed;
        self.manifest.finished_at = None;
        self.manifest.suspect.clear();
        self.manifest.terms = None;
        self.manifest.resume = terms;
    }

    /// Why the export is not to be relied on as a whole.
    pub fn condemn(&mut self, error: String) {
        self.manifest.error = Some(error);
    }

    /// The run came to nothing, for this reason.
    pub fn come_to_nothing(&mut self, error: String) {
        self.manifest.status = Status::Failed;
        self.manifest.error = Some(error);
        self.manifest.terms = None;
        self.manifest.resume = None;
        self.manifest.metadata = None;
        self.manifest.entities = Vec::new();
    }

    /// Files will be given up, so another run has to go on.
    pub fn begin_to_give_up(&mut self) {
        self.is_whole = false;
        self.manifest.terms = None;
        if self.manifest.resume.is_none() {
            self.manifest.resume = self.resume.take();
        }
    }

    /// Takes back what is said of up to `most` finished files, the last ones first. Returns those files; there are fewer
    /// only if no finished file is left.
    pub fn give_up(&mut self, most: usize) -> Vec<FileEntry> {
        let mut given_up = Vec::new();
        for entity in self.manifest.entities.iter_mut().rev() {
            for entry in entity.relations.iter_mut().rev() {
                give_up(entry, most, &mut given_up);
            }
        }
        given_up
    }
}

/// Adds the next part of a relation that was made in parts, with the batches of its own.
pub fn append_part(entry: &mut RelationEntry, part: RelationEntry) {
    let batches = entry.batches.get_or_insert_default();
    batches.extend(part.batches.unwrap_or_default());
    entry.total_objects_count += part.total_objects_count;
    let done = Done {
        objects: part.total_objects_count,
        skipped: part.skipped,
        skipped_count: part.skipped_count,
        skipped_nested_count: part.skipped_nested_count,
        notes: part.notes,
    };
    note(entry, done);
}

/// Adds what is said of rows to an entry: those that were left out, and what was noted.
fn note(entry: &mut RelationEntry, done: Done) {
    entry.skipped_count += done.skipped_count;
    entry.skipped_nested_count += done.skipped_nested_count;
    let room = DESCRIBED.saturating_sub(entry.skipped.len());
    entry.skipped.extend(done.skipped.into_iter().take(room));
    entry.notes.append(done.notes);
}

/// The export has ended before this relation.
fn fail_unfinished(entry: &mut RelationEntry, at: &str) {
    entry.status = Status::Failed;
    entry
        .error
        .get_or_insert_with(|| "the export ended before this relation".to_owned());
    at.clone_into(&mut entry.updated_at);
    for batch in entry.batches.iter_mut().flatten() {
        if matches!(batch.status, BatchStatus::Created | BatchStatus::Started) {
            batch.status = BatchStatus::Failed;
            batch
                .error
                .get_or_insert_with(|| "the export ended before this batch".to_owned());
        }
    }
}

/// Takes back what the entry says of finished files, the last ones first, until `most` files are given up.
fn give_up(entry: &mut RelationEntry, most: usize, given_up: &mut Vec<FileEntry>) {
    let before = given_up.len();
    for batch in entry.batches.iter_mut().flatten().rev() {
        if let Some(file) = batch.file.take_if(|_| given_up.len() < most) {
            given_up.push(file);
            batch.status = BatchStatus::Started;
            entry.total_objects_count -= batch.objects_count;
            batch.objects_count = 0;
        }
    }
    if let Some(file) = entry.file.take_if(|_| given_up.len() < most) {
        given_up.push(file);
        entry.total_objects_count = 0;
    }
    if given_up.len() > before {
        // Ends as everything that was not finished.
        entry.status = Status::Started;
    }
}

/// A relation ends when its last batch has.
fn settle_batches(entry: &mut RelationEntry) {
    let batches = entry.batches.as_deref().unwrap_or_default();
    let ended =
        |batch: &BatchEntry| matches!(batch.status, BatchStatus::Finished | BatchStatus::Failed);
    if batches.is_empty() || !batches.iter().all(ended) {
        return;
    }
    let failed = batches
        .iter()
        .any(|batch| batch.status == BatchStatus::Failed);
    entry.status = if failed {
        Status::Failed
    } else {
        Status::Finished
    };
}
