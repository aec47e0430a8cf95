//! Verification: whether an export folder is what its manifest says.
//!
//! Every file is read whole: its size and SHA-256, that it is one gzip member, that its content is JSON of the right
//! form, and that there are as many objects as the manifest counts. Everything that is wrong is told, not only the
//! first thing.

mod content;
mod metadata;
mod offline;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::AtomicU64;

use rayon::prelude::*;
use serde::Serialize;

use super::batch_number::BatchNumber;
use super::encryption::Identities;
use super::layout::{self, FileForm};
use super::manifest::{self, BatchStatus, EntityEntry, FileEntry, Manifest, RelationEntry, Status};
use super::store::Contents;
use crate::pipeline::Form;
use content::{Content, Found, Seal};

pub use offline::offline;

/// What verification came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files that were read, the metadata among them.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Objects in the relations' files.
    pub objects: u64,
    /// Rows that were left out when the files were made (`--keep-going`), by the manifest.
    pub skipped_rows: u64,
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file or folder, from the export's folder; the manifest where it is wrong in itself.
    pub file: String,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}

/// A file that the manifest names.
struct Expected<'a> {
    entry: &'a FileEntry,
    objects: u64,
    content: Content,
}

/// Holds what lies in a store against its manifest. `form` is the form of a relation, if the pipeline that was used is
/// known.
/// `read` counts the bytes that have been read, for progress. Of encrypted files, the content is looked at with the
/// identities alone.
///
/// # Errors
/// If the store cannot be listed; files that cannot be read are problems.
pub fn verify(
    store: &dyn Contents,
    manifest: &Manifest,
    form: &(dyn Fn(&EntityEntry, &str) -> Option<Form> + Sync),
    read: &AtomicU64,
    identities: Option<&Identities>,
) -> io::Result<Verified> {
    let mut checker = Checker {
        manifest,
        form,
        files: BTreeMap::new(),
        problems: Vec::new(),
    };
    checker.manifest();
    let Checker {
        files,
        mut problems,
        ..
    } = checker;
    let mut verified = Verified {
        skipped_rows: manifest
            .skipped_rows()
            .iter()
            .map(|(_, rows)| *rows)
            .fold(0, u64::saturating_add),
        ..Verified::default()
    };
    let seal = match (manifest.is_sealed(), identities) {
        (false, _) => Seal::None,
        (true, Some(identities)) => Seal::Opened(identities),
        (true, None) => Seal::Closed,
    };
    let results: Vec<(Found, Vec<Problem>)> = files
        .par_iter()
        .map(|(name, expected)| file(store, name, expected, (read, seal)))
        .collect();
    for (found, wrong) in results {
        verified.files += 1;
        verified.bytes += found.bytes;
        verified.objects += found.objects;
        problems.extend(wrong);
    }
    if !manifest.entities.is_empty() {
        let name = manifest.metadata_name();
        let found = content::read(store, name, Content::Object, (read, seal));
        verified.files += 1;
        verified.bytes += found.bytes;
        let mut messages = found.problems.clone();
        if let Some(entry) = &manifest.metadata {
            messages.extend(differences(&found, entry));
        }
        if messages.is_empty() && !matches!(seal, Seal::Closed) {
            messages = metadata::wrong(store, manifest, seal);
        }
        problems.extend(messages.into_iter().map(|message| Problem {
            file: name.to_owned(),
            message,
        }));
    }
    let known = KnownNames::new(manifest, &files);
    unknown(store, "", &known, &mut problems)?;
    problems.sort();
    verified.problems = problems;
    Ok(verified)
}

/// Reads a file and holds it against its entry.
fn file(
    store: &dyn Contents,
    name: &str,
    expected: &Expected<'_>,
    (read, seal): (&AtomicU64, Seal<'_>),
) -> (Found, Vec<Problem>) {
    let found = content::read(store, name, expected.content, (read, seal));
    let mut messages = found.problems.clone();
    if found.sha256.is_some() {
        messages.extend(differences(&found, expected.entry));
        let counts = expected.content != Content::Archive;
        if counts && found.objects != expected.objects && found.is_whole {
            messages.push(format!(
                "it holds {} objects, but the manifest says {}",
                found.objects, expected.objects
            ));
        }
    }
    let problems = messages
        .into_iter()
        .map(|message| Problem {
            file: name.to_owned(),
            message,
        })
        .collect();
    (found, problems)
}

/// In what a file that was read to its end differs from its entry.
fn differences(found: &Found, entry: &FileEntry) -> Vec<String> {
    let Some(sha256) = &found.sha256 else {
        return Vec::new();
    };
    let mut messages = Vec::new();
    if found.bytes != entry.bytes {
        messages.push(format!(
            "it has {} bytes, but the manifest says {}",
            found.bytes, entry.bytes
        ));
    }
    if *sha256 != entry.sha256 {
        messages.push(format!(
            "its SHA-256 is {sha256}, but the manifest says {}",
            entry.sha256
        ));
    }
    messages
}

struct Checker<'a> {
    manifest: &'a Manifest,
    form: &'a (dyn Fn(&EntityEntry, &str) -> Option<Form> + Sync),
    files: BTreeMap<&'a str, Expected<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn wrong(&mut self, message: String) {
        self.problems.push(Problem {
            file: manifest::FILE_NAME.to_owned(),
            message,
        });
    }

    /// What the manifest says of the whole, and then of each relation.
    fn manifest(&mut self) {
        let manifest = self.manifest;
        if let Some(error) = &manifest.error {
            self.wrong(format!("the export is not to be relied on: {error}"));
        }
        let mut relations = manifest
            .entities
            .iter()
            .flat_map(|entity| &entity.relations);
        let all_finished = relations.all(|relation| relation.status == Status::Finished);
        match manifest.status {
            Status::Started => self.wrong("the export has not ended".to_owned()),
            Status::Finished if !all_finished => {
                self.wrong("it says finished, but not every relation is".to_owned());
            }
            Status::Failed if all_finished && manifest.error.is_none() => {
                self.wrong("it says failed, but no relation has".to_owned());
            }
            Status::Finished | Status::Failed => {}
        }
        let mut prefixes = BTreeSet::new();
        for entity in &manifest.entities {
            if !layout::is_name(&entity.prefix) || !prefixes.insert(&entity.prefix) {
                self.wrong(format!(
                    "{} has the prefix {:?}, which is taken or no folder's name",
                    entity.full_path, entity.prefix
                ));
                continue;
            }
            let mut names = BTreeSet::new();
            for relation in &entity.relations {
                let place = format!("relation {} of {}", relation.relation, entity.full_path);
                if !layout::is_name(&relation.relation) || !names.insert(&relation.relation) {
                    self.wrong(format!("{place}: its name is taken or no file's name"));
                    continue;
                }
                self.relation(&place, entity, relation);
            }
        }
    }

    fn relation(&mut self, place: &str, entity: &'a EntityEntry, relation: &'a RelationEntry) {
        let error = relation.error.as_deref().unwrap_or("no error is given");
        match relation.status {
            Status::Finished => {
                if let Some(error) = &relation.error {
                    self.wrong(format!("{place} is finished, but has an error: {error}"));
                }
            }
            Status::Failed => self.wrong(format!("{place} has failed: {error}")),
            Status::Started => self.wrong(format!("{place} is not finished")),
        }
        if let Some(lost) = lost_rows(relation) {
            self.wrong(format!(
                "{place}: of {} rows that were read, {lost} are neither written nor left out",
                relation.rows_read.unwrap_or_default()
            ));
        }
        let form = (self.form)(entity, &relation.relation).map(FileForm::from);
        // As GitLab says it: no files, in no batches.
        let is_without_files = relation.status == Status::Finished
            && relation.batches.as_ref().is_some_and(Vec::is_empty)
            && (relation.file.is_none() && relation.total_objects_count == 0)
            && form.is_none_or(|form| form == FileForm::Archive);
        if is_without_files {
            return;
        }
        if relation.batched && !self.manifest.options.batched {
            self.wrong(format!("{place} is batched, but the export is not"));
        }
        let has_batches = relation
            .batches
            .as_ref()
            .is_some_and(|batches| !batches.is_empty());
        if relation.batched != relation.batches.is_some() {
            self.wrong(format!(
                "{place} does not say both or neither that it is batched and what its batches are"
            ));
        }
        let count = relation.batches.as_ref().map_or(0, Vec::len);
        if count as u64 != u64::from(relation.batches_count) {
            self.wrong(format!(
                "{place} lists {count} batches, but counts {}",
                relation.batches_count
            ));
        }
        if has_batches {
            self.batches(place, entity, relation);
            return;
        }
        match &relation.file {
            Some(file) => {
                self.file(
                    place,
                    entity,
                    relation,
                    None,
                    file,
                    relation.total_objects_count,
                );
            }
            None if relation.status == Status::Finished => {
                self.wrong(format!("{place} is finished, but has no file"));
            }
            None => {}
        }
    }

    fn batches(&mut self, place: &str, entity: &'a EntityEntry, relation: &'a RelationEntry) {
        let batches = relation.batches.as_deref().unwrap_or_default();
        let options = &self.manifest.options;
        let form = (self.form)(entity, &relation.relation).map(FileForm::from);
        let named = batches.iter().find_map(|batch| batch.file.as_ref());
        let is_archive = match form {
            Some(form) => form == FileForm::Archive,
            None => {
                named.is_some_and(|file| file.file.trim_end_matches(".age").ends_with(".tar.gz"))
            }
        };
        let sizes = options.batch_sizes_of(&relation.relation, is_archive);
        let by_bytes = options.batch_bytes.is_some();
        if relation.file.is_some() {
            self.wrong(format!("{place} has batches and a file of its own"));
        }
        let total: u64 = batches
            .iter()
            .map(|batch| batch.objects_count)
            .fold(0, u64::saturating_add);
        if total != relation.total_objects_count {
            self.wrong(format!(
                "{place} counts {} objects, but its batches {total}",
                relation.total_objects_count
            ));
        }
        for (position, batch) in batches.iter().enumerate() {
            let place = format!("{place}, batch {}", batch.batch_number);
            if batch.batch_number.position() != position {
                self.wrong(format!("{place} stands in place {}", position + 1));
                continue;
            }
            match (batch.status, &batch.file) {
                (BatchStatus::Finished, Some(_)) => {}
                (BatchStatus::Finished, None) => {
                    self.wrong(format!("{place} is finished, but has no file"));
                    continue;
                }
                (BatchStatus::Failed, _) => {
                    let error = batch.error.as_deref().unwrap_or("no error is given");
                    self.wrong(format!("{place} has failed: {error}"));
                    continue;
                }
                (BatchStatus::Created | BatchStatus::Started, _) => {
                    self.wrong(format!("{place} is not finished"));
                    continue;
                }
            }
            let is_last = position + 1 == batches.len();
            // Rows that were left out under --keep-going are missing from their batches.
            let is_right = |size: &u32| {
                let size = u64::from(*size);
                let least = match (is_last || by_bytes, relation.skipped_count) {
                    (_, 1..) => 0,
                    (true, 0) => 1,
                    (false, 0) => size,
                };
                (least..=size).contains(&batch.objects_count)
            };
            if !sizes.iter().any(is_right) {
                let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                self.wrong(format!(
                    "{place} has {} objects, but batches have {}{}",
                    batch.objects_count,
                    sizes.join(" or "),
                    if is_last { " or, the last, fewer" } else { "" }
                ));
            }
            if let Some(file) = &batch.file {
                let number = Some(batch.batch_number);
                self.file(&place, entity, relation, number, file, batch.objects_count);
            }
        }
    }

    fn file(
        &mut self,
        place: &str,
        entity: &'a EntityEntry,
        relation: &'a RelationEntry,
        batch: Option<BatchNumber>,
        entry: &'a FileEntry,
        objects: u64,
    ) {
        let form = (self.form)(entity, &relation.relation);
        let is_sealed = self.manifest.is_sealed();
        let name = |form| {
            let name = layout::file(&entity.prefix, &relation.relation, form, batch);
            layout::stored(name, is_sealed)
        };
        let named = FileForm::ALL
            .into_iter()
            .find(|form| entry.file == name(*form))
            .filter(|form| *form != FileForm::Object || batch.is_none());
        let expected = form.map(FileForm::from);
        let Some(named) = named.filter(|named| expected.is_none_or(|form| form == *named)) else {
            // Not read: a name from the manifest may lead anywhere.
            let expected = name(expected.unwrap_or_default());
            self.wrong(format!(
                "{place} has the file {:?} where {expected} belongs",
                entry.file
            ));
            return;
        };
        let content = match (named, form) {
            (FileForm::Object, _) => Content::Object,
            (FileForm::Archive, _) => Content::Archive,
            (FileForm::Lines, Some(Form::Single)) => Content::Single,
            (FileForm::Lines, None) if batch.is_none() => Content::SingleOrLines,
            (FileForm::Lines, _) => Content::Lines,
        };
        self.files.insert(
            &entry.file,
            Expected {
                entry,
                objects,
                content,
            },
        );
    }
}

/// Rows of a finished relation that its entry says were read, and nothing else of; `None` if there are none. Of files, and of
/// the rows that one value is made of, there may be more or fewer than were read.
pub fn lost_rows(relation: &RelationEntry) -> Option<u64> {
    let mut files = relation.files();
    let are_lines = files.all(|file| file.file.trim_end_matches(".age").ends_with(".ndjson.gz"));
    let is_without_files = relation.batches.as_ref().is_some_and(Vec::is_empty);
    if relation.status != Status::Finished || !are_lines || is_without_files {
        return None;
    }
    // A row that is nested in a record is none of the rows that were read as records.
    let records = (relation.skipped_count).saturating_sub(relation.skipped_nested_count);
    let told = relation.total_objects_count.saturating_add(records);
    let lost = relation.rows_read?.saturating_sub(told);
    (lost > 0).then_some(lost)
}

/// What belongs into the folder.
struct KnownNames<'a> {
    files: BTreeSet<&'a str>,
    folders: BTreeSet<String>,
}

impl<'a> KnownNames<'a> {
    fn new(manifest: &'a Manifest, files: &BTreeMap<&'a str, Expected<'a>>) -> Self {
        let mut folders = BTreeSet::new();
        for entity in &manifest.entities {
            folders.insert(entity.prefix.clone());
            for relation in entity.relations.iter().filter(|relation| relation.batched) {
                folders.insert(format!("{}/{}", entity.prefix, relation.relation));
            }
        }
        KnownNames {
            files: files
                .keys()
                .copied()
                .chain([manifest::FILE_NAME, manifest.metadata_name()])
                .collect(),
            folders,
        }
    }
}

/// Finds what lies in the store though the manifest does not know it.
fn unknown(
    store: &dyn Contents,
    below: &str,
    known: &KnownNames<'_>,
    problems: &mut Vec<Problem>,
) -> io::Result<()> {
    for found in store.list(below)? {
        let path = match below.is_empty() {
            true => found.name,
            false => format!("{below}/{}", found.name),
        };
        if found.is_folder && known.folders.contains(&path) {
            // At most two levels deep: deeper folders are known to no manifest.
            unknown(store, &path, known, problems)?;
        } else if found.is_folder || !known.files.contains(path.as_str()) {
            problems.push(Problem {
                file: path,
                message: "the manifest does not know it".to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
