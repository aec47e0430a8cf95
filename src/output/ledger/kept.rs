//! What of an earlier run's account is kept when another run goes on with its export.

use std::collections::HashSet;

use super::Ledger;
use crate::output::Notes;
use crate::output::batch_number::BatchNumber;
use crate::output::layout::{self, FileForm};
use crate::output::manifest::{
    BatchStatus, EntityEntry, FileEntry, Manifest, RelationEntry, Status,
};

/// Tells a file by its entity and relation, as positions in the manifest, and its batch.
pub type FileKey = (usize, usize, Option<BatchNumber>);

impl Ledger {
    /// Begins where `earlier` ended. What it says of files is not proven yet: [`Ledger::claimed_files`] names those
    /// that have to be looked at, and [`Ledger::keep`] is told which of them are whole.
    pub fn go_on(first: Manifest, earlier: Manifest) -> Ledger {
        let mut manifest = Manifest {
            entities: earlier.entities,
            started_at: earlier.started_at,
            ..first
        };
        // A name that leads elsewhere was not written by this program.
        manifest
            .entities
            .retain(|entity| layout::is_name(&entity.prefix));
        for entity in &mut manifest.entities {
            let relations = &mut entity.relations;
            relations.retain(|entry| layout::is_name(&entry.relation));
        }
        Ledger::new(manifest)
    }

    /// The folders of the entities.
    pub fn folders(&self) -> Vec<String> {
        let entities = self.manifest.entities.iter();
        entities.map(|entity| entity.prefix.clone()).collect()
    }

    /// The files that are finished by what the manifest says, and have the names that they should have.
    pub fn claimed_files(&self) -> impl Iterator<Item = &FileEntry> {
        let is_sealed = self.manifest.is_sealed();
        let entities = self.manifest.entities.iter();
        entities.flat_map(move |entity| {
            let relations = entity.relations.iter();
            relations.flat_map(move |entry| claimed_files((&entity.prefix, is_sealed), entry))
        })
    }

    /// Takes back what is said of files that are not there as it says; `whole` are those that are.
    pub fn keep(&mut self, whole: &HashSet<FileEntry>) {
        let is_sealed = self.manifest.is_sealed();
        for EntityEntry {
            prefix, relations, ..
        } in &mut self.manifest.entities
        {
            for entry in relations {
                keep((prefix, is_sealed), entry, whole);
            }
        }
    }
}

/// True if the file of a relation, or of one of its batches, has the name that it should have.
fn is_named(
    (prefix, is_sealed): (&str, bool),
    relation: &str,
    batch: Option<BatchNumber>,
    file: &FileEntry,
) -> bool {
    let name = |form| layout::stored(layout::file(prefix, relation, form, batch), is_sealed);
    FileForm::ALL
        .into_iter()
        .any(|form| name(form) == file.file)
}

fn claimed_files<'a>(
    named: (&'a str, bool),
    entry: &'a RelationEntry,
) -> impl Iterator<Item = &'a FileEntry> {
    let own = entry.file.iter().map(|file| (None, file));
    let batches = entry.batches.iter().flatten();
    let batches = batches
        .filter(|batch| batch.status == BatchStatus::Finished)
        .filter_map(|batch| Some((Some(batch.batch_number), batch.file.as_ref()?)));
    own.chain(batches)
        .filter(move |(batch, file)| is_named(named, &entry.relation, *batch, file))
        .map(|(_, file)| file)
}

fn keep(named: (&str, bool), entry: &mut RelationEntry, whole: &HashSet<FileEntry>) {
    let relation = &entry.relation;
    let is_there = |file: &Option<FileEntry>, batch: Option<BatchNumber>| {
        let file = file.as_ref();
        file.is_some_and(|file| is_named(named, relation, batch, file) && whole.contains(file))
    };
    let mut finished = entry.status == Status::Finished;
    match &mut entry.batches {
        Some(batches) => {
            let count = batches.len();
            batches.retain(|batch| {
                batch.status == BatchStatus::Finished
                    && is_there(&batch.file, Some(batch.batch_number))
            });
            finished &= batches.len() == count && (count > 0 || is_there(&entry.file, None));
        }
        None => finished &= is_there(&entry.file, None),
    }
    if finished {
        return;
    }
    entry.status = Status::Started;
    entry.error = None;
    entry.file = None;
    // Counted anew, of kept batches, too.
    entry.notes.dangling_references.clear();
    if entry.skipped_count > 0 || !entry.notes.is_empty() {
        // Which batches that was in is not written down: all of them are made again.
        entry.batches.iter_mut().for_each(Vec::clear);
        entry.skipped.clear();
        entry.skipped_count = 0;
        entry.skipped_nested_count = 0;
        entry.notes = Notes::default();
    }
    let batches = entry.batches.iter().flatten();
    entry.total_objects_count = batches
        .map(|batch| batch.objects_count)
        .fold(0, u64::saturating_add);
}

/// Puts what an earlier run finished into the entries of this one, but for relations that are made anew, of which the
/// positions of entity and relation are told. Returns the files that are kept.
pub fn unite(
    entities: &mut [EntityEntry],
    earlier: Vec<EntityEntry>,
    is_made_anew: impl Fn(usize, usize) -> bool,
) -> HashSet<FileKey> {
    let mut kept = HashSet::new();
    for before in earlier {
        let Some((entity, now)) = entities
            .iter_mut()
            .enumerate()
            .find(|(_, now)| now.id == before.id && now.prefix == before.prefix)
        else {
            continue;
        };
        for old in before.relations {
            let Some((relation, new)) = now
                .relations
                .iter_mut()
                .enumerate()
                .find(|(_, new)| new.relation == old.relation && new.batched == old.batched)
            else {
                continue;
            };
            if is_made_anew(entity, relation) {
                continue;
            }
            if old.file.is_some() {
                kept.insert((entity, relation, None));
            }
            for batch in old.batches.iter().flatten() {
                if batch.status == BatchStatus::Finished {
                    kept.insert((entity, relation, Some(batch.batch_number)));
                }
            }
            *new = old;
        }
    }
    kept
}
