//! What came of the jobs, in the order in which they were given: records of a file that go into it, or why the file fails.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{Batch, BatchError, Batches};
use crate::export::render::{BadValue, CollectedFrom, Rendered, Unreadable, Why};
use crate::output::{Done, FileId, LargeRecord, Message, MissingFile, SkippedRow, UnreadableValue};
use crate::resolve::Key;

/// The file that records are being added to. There is one at a time: batches come back in order.
#[derive(Default)]
pub(super) struct OpenFile {
    /// Content that does not fill a piece yet.
    pub content: Vec<u8>,
    /// What the manifest will say of the file.
    done: Done,
    /// Keys that its records refer to.
    referred: HashMap<(CollectedFrom, Key), u64, FixedState>,
}

impl OpenFile {
    /// Counts what was rendered.
    fn count(&mut self, rendered: &Rendered) {
        self.done.objects += rendered.objects;
        let skipped = rendered.skipped.len() as u64 + rendered.unlisted;
        self.done.skipped_count += skipped;
        self.done.skipped_nested_count += skipped - rendered.skipped_records;
        self.done
            .skipped
            .extend(rendered.skipped.iter().map(skipped_row));
        for it in &rendered.unreadable {
            self.note(it);
        }
        for (key, bytes) in &rendered.large {
            let (key, bytes) = (key.clone(), *bytes);
            self.done
                .notes
                .large_records
                .note(LargeRecord { key, bytes });
        }
        for reference in &rendered.leading_nowhere {
            self.done.notes.dangling(reference.clone());
        }
        for (referred, count) in &rendered.referred {
            *self.referred.entry(referred.clone()).or_default() += count;
        }
    }
}

/// What the manifest will say of rows that name files.
pub(super) fn done_of(rendered: &Rendered) -> Done {
    let mut file = OpenFile::default();
    file.count(rendered);
    file.done
}

impl OpenFile {
    /// Notes a value that something else stands in the place of.
    fn note(&mut self, it: &Unreadable) {
        let (table, key) = (it.table.clone(), it.key.clone());
        let reason = match &it.why {
            Why::MissingFile(path) => {
                let path = path.clone();
                let missing = MissingFile { table, key, path };
                return self.done.notes.missing_files.note(missing);
            }
            Why::LostFile(reason) => {
                return self.done.leave_out(SkippedRow {
                    table,
                    key,
                    column: Some(it.column.clone()),
                    reason: reason.clone(),
                });
            }
            Why::NoValue => "there is no value, and the key is left out".to_owned(),
            Why::Decoding(why) => why.to_string(),
            Why::Repository(why) => why.clone(),
        };
        self.done.notes.unreadable_values.note(UnreadableValue {
            table,
            key,
            column: it.column.clone(),
            reason,
        });
    }
}

impl Batches<'_> {
    /// A batch has been rendered.
    pub(super) fn take_batch(&mut self, batch: Batch) -> Result<(), BatchError> {
        let file = batch.file;
        let place = (file.entity, file.relation, file.batch);
        if self.failed.contains(&place) {
            // An earlier batch of the file has told it.
            return Ok(());
        }
        let bytes = match &batch.outcome {
            Ok(rendered) => rendered.content.len() as u64,
            Err(_) => 0,
        };
        if (file.entity, file.relation) == (self.cut.entity, self.cut.relation) {
            self.cut.rendered.0 += batch.rows;
            self.cut.rendered.1 += bytes;
        }
        let name = &self.resolved.plan.relations[file.relation].name;
        self.observer.rendered(file.entity, name, batch.rows, bytes);
        match (batch.outcome, self.finished.contains(&place)) {
            (Ok(rendered), false) => self.add(file, &rendered, batch.last),
            (Ok(rendered), true) => {
                self.collect(file, rendered.referred);
                let (entity, relation) = (file.entity, file.relation);
                let references = rendered.leading_nowhere;
                match self.counted_anew.contains(&(entity, relation)) && !references.is_empty() {
                    true => self.send(Message::Dangling {
                        entity,
                        relation,
                        references,
                    }),
                    false => Ok(()),
                }
            }
            (Err(error), false) => self.fail_file(file, error),
            (Err(error), true) => Err(BatchError::Changed(error)),
        }
    }

    /// Adds records to the file that is open.
    fn add(
        &mut self,
        file: FileId,
        rendered: &Rendered,
        ends_file: bool,
    ) -> Result<(), BatchError> {
        self.open_file.count(rendered);
        if !self.sink.wants_content() {
            self.sink.counted(self.file_in_entity(file), &rendered.rows);
        }
        self.append(file, &rendered.content)?;
        match ends_file {
            true => self.end_file(file),
            false => Ok(()),
        }
    }

    /// An archive comes to its end.
    pub(super) fn end_archive(&mut self, file: FileId, done: Done) -> Result<(), BatchError> {
        self.open_file.done = done;
        self.end_file(file)
    }

    fn end_file(&mut self, file: FileId) -> Result<(), BatchError> {
        let ended = std::mem::take(&mut self.open_file);
        self.collect(file, ended.referred);
        self.compress(file, ended.content, Some(ended.done))
    }

    /// The file fails, and nothing more of it is taken.
    pub(super) fn fail_file(&mut self, file: FileId, error: String) -> Result<(), BatchError> {
        self.failed.insert((file.entity, file.relation, file.batch));
        self.note_failed(file.entity, file.relation);
        // None of its records is written, so none of them refers to anybody either.
        self.open_file = OpenFile::default();
        tracing::error!(
            entity = self.resolved.entities[file.entity].id.logged(),
            relation = self.resolved.plan.relations[file.relation].name,
            "{error}"
        );
        self.fail_behind_pieces(file, error)
    }

    /// Notes the keys that a complete file's records refer to.
    fn collect(
        &mut self,
        file: FileId,
        referred: impl IntoIterator<Item = ((CollectedFrom, Key), u64)>,
    ) {
        for ((from, key), count) in referred {
            let relation = (file.entity, from.relation);
            let collected = self.collected.entry(relation).or_default();
            *collected.entry((key, from)).or_default() += count;
        }
    }
}

pub(super) fn skipped_row(bad: &BadValue) -> SkippedRow {
    SkippedRow {
        table: bad.table.clone(),
        key: bad.key.clone(),
        column: bad.column.clone(),
        reason: bad.reason.clone(),
    }
}
