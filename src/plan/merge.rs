//! Putting records together to one manifest. Nothing may be missing, come twice or contradict itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::file::{PlanFile, Task};
use super::record::TaskRecord;
use crate::export::share::{Part, References};
use crate::output::verify::lost_rows;
use crate::output::{BatchStatus, EntityEntry, Manifest, RelationEntry, Status, append_part};

/// Records on their way to a manifest.
pub(super) struct Merge<'p> {
    plan: &'p PlanFile,
    positions: HashMap<&'p str, usize>,
    entities: Vec<Merged>,
    /// The next part that is expected of a relation that is made in parts, by entity and relation.
    parts: HashMap<(usize, usize), Part>,
    manifest: Manifest,
    /// What records refer to, of relations that are made at the end.
    pub references: Vec<References>,
}

/// An entity, as far as records have told of it.
#[derive(Default)]
struct Merged {
    /// Without its relations.
    head: Option<EntityEntry>,
    relations: Vec<Option<RelationEntry>>,
}

impl<'p> Merge<'p> {
    pub(super) fn new(plan: &'p PlanFile) -> Merge<'p> {
        let entities = plan.entities.iter().map(|entity| Merged {
            head: None,
            relations: vec![None; plan.sets[entity.set].relations.len()],
        });
        let mut entities: Vec<Merged> = entities.collect();
        let positions = plan.by_prefix();
        let mut manifest = plan.manifest.clone();
        for head in manifest.entities.drain(..) {
            if let Some(position) = positions.get(head.prefix.as_str()) {
                entities[*position].head = Some(head);
            }
        }
        Merge {
            plan,
            positions,
            entities,
            parts: HashMap::new(),
            manifest,
            references: Vec::new(),
        }
    }

    /// Adds the record of a task. They come in the order of the tasks.
    ///
    /// # Errors
    /// What is wrong with it, beside those before.
    pub(super) fn add(&mut self, task: &Task, record: TaskRecord) -> Result<(), String> {
        let number = record.task;
        self.references.extend(record.references);
        self.manifest_of(record.manifest, task)
            .map_err(|problem| format!("task {number}: {problem}"))
    }

    /// Adds what was made of a share.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn manifest_of(&mut self, other: Manifest, task: &Task) -> Result<(), String> {
        for entity in other.entities.iter() {
            self.check_head(entity, task)?;
        }
        self.notes_of(&other);
        for EntityEntry {
            prefix, relations, ..
        } in other.entities
        {
            // Checked above.
            let Some(position) = self.positions.get(prefix.as_str()).copied() else {
                continue;
            };
            for relation in relations {
                self.relation(position, relation, task.part)?;
            }
        }
        Ok(())
    }

    /// An entity must be one of the task's, and be told of alike by all.
    fn check_head(&mut self, entity: &EntityEntry, task: &Task) -> Result<(), String> {
        let position = self.positions.get(entity.prefix.as_str());
        let position = position.filter(|position| task.range().contains(position));
        let Some(position) = position else {
            return Err(format!("{} is none of its entities", entity.prefix));
        };
        let head = EntityEntry {
            relations: Vec::new(),
            ..entity.clone()
        };
        let merged = &mut self.entities[*position];
        match &merged.head {
            Some(known) if *known != head => Err(format!(
                "{}: it says something else of the {} than another task",
                entity.prefix, entity.kind
            )),
            Some(_) => Ok(()),
            None => {
                merged.head = Some(head);
                Ok(())
            }
        }
    }

    fn relation(
        &mut self,
        entity: usize,
        entry: RelationEntry,
        part: Option<Part>,
    ) -> Result<(), String> {
        let set = &self.plan.sets[self.plan.entities[entity].set];
        let prefix = &self.plan.entities[entity].prefix;
        let name = format!("{prefix}/{}", entry.relation);
        let mut relations = set.relations.iter();
        let Some(relation) = relations.position(|it| *it == entry.relation) else {
            return Err(format!("{name} is no relation of the plan"));
        };
        if entry.status != Status::Finished {
            return Err(format!("{name} is not finished"));
        }
        let known = self.entities[entity].relations[relation].as_mut();
        let expected = self.parts.get(&(entity, relation)).copied();
        match (known, expected, part) {
            (None, None, None) => {}
            (None, None, Some(Part { index: 0, of })) => {
                self.parts.insert((entity, relation), Part { index: 1, of });
            }
            (Some(known), Some(expected), Some(part)) if expected == part => {
                append(known, entry).map_err(|problem| format!("{name}: {problem}"))?;
                let next = Part {
                    index: part.index + 1,
                    of: part.of,
                };
                self.parts.insert((entity, relation), next);
                return Ok(());
            }
            (Some(_), ..) => return Err(format!("{name} was made by another task, too")),
            (None, ..) => return Err(format!("{name}: its first part is missing")),
        }
        self.entities[entity].relations[relation] = Some(entry);
        Ok(())
    }

    /// What is said of the export as a whole.
    fn notes_of(&mut self, other: &Manifest) {
        let manifest = &mut self.manifest;
        for warning in &other.warnings {
            if !manifest.warnings.contains(warning) {
                manifest.warnings.push(warning.clone());
            }
        }
        for table in &other.tables_without_data {
            if !manifest.tables_without_data.contains(table) {
                manifest.tables_without_data.push(table.clone());
            }
        }
        for table in &other.tables_in_parts {
            if !manifest.tables_in_parts.contains(table) {
                manifest.tables_in_parts.push(table.clone());
            }
        }
        if let (Some(redaction), Some(other)) = (&mut manifest.redaction, &other.redaction) {
            for (table, columns) in &other.columns {
                let known = redaction.columns.entry(table.clone()).or_default();
                known.extend(columns.clone());
            }
        }
    }

    /// The entities, by position, of which relations are to be made that are collected from several tasks' records, and the
    /// names of these relations, with their pipelines' before them.
    pub(super) fn collected(&self) -> (BTreeSet<usize>, BTreeSet<String>) {
        let mut entities = BTreeSet::new();
        let mut relations = BTreeSet::new();
        for (position, entity) in self.plan.entities.iter().enumerate() {
            let set = &self.plan.sets[entity.set];
            for name in &set.collected {
                let at = set.relations.iter().position(|it| it == name);
                let made = at.is_some_and(|at| self.entities[position].relations[at].is_some());
                if !made {
                    entities.insert(position);
                    relations.insert(format!("{}.{name}", set.pipeline));
                }
            }
        }
        (entities, relations)
    }

    /// The manifest of the complete export.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn finish(self, at: &str) -> Result<Manifest, String> {
        let mut manifest = self.manifest;
        let mut entities = Vec::with_capacity(self.entities.len());
        for (position, merged) in self.entities.into_iter().enumerate() {
            let planned = &self.plan.entities[position];
            let set = &self.plan.sets[planned.set];
            let mut relations = Vec::with_capacity(merged.relations.len());
            for (relation, entry) in merged.relations.into_iter().enumerate() {
                let name = format!("{}/{}", planned.prefix, set.relations[relation]);
                let mut entry = entry.ok_or_else(|| format!("{name} was made by no task"))?;
                if let Some(part) = self.parts.get(&(position, relation))
                    && part.index != part.of
                {
                    return Err(format!("{name}: part {} is missing", part.index));
                }
                check(&entry).map_err(|problem| format!("{name}: {problem}"))?;
                at.clone_into(&mut entry.updated_at);
                for batch in entry.batches.iter_mut().flatten() {
                    at.clone_into(&mut batch.updated_at);
                }
                relations.push(entry);
            }
            let head = merged
                .head
                .ok_or_else(|| format!("{}: no task tells of it", planned.prefix))?;
            entities.push(EntityEntry { relations, ..head });
        }
        manifest
            .tables_in_parts
            .sort_by(|one, other| one.table.cmp(&other.table));
        manifest
            .tables_without_data
            .sort_by(|one, other| one.table.cmp(&other.table));
        manifest.missing_tables = manifest.tables_without_data.len() as u64;
        manifest.entities = entities;
        manifest.status = Status::Finished;
        manifest.finished_at = Some(at.to_owned());
        manifest.terms = manifest.resume.take();
        Ok(manifest)
    }
}

/// Adds the next part of a relation.
fn append(known: &mut RelationEntry, part: RelationEntry) -> Result<(), String> {
    if known.batches_count != part.batches_count {
        return Err(format!(
            "its parts have {} and {} batches",
            known.batches_count, part.batches_count
        ));
    }
    if known.rows_read != part.rows_read {
        return Err(format!(
            "its parts are of {} and {} rows",
            known.rows_read.unwrap_or_default(),
            part.rows_read.unwrap_or_default()
        ));
    }
    if part.file.is_some() {
        return Err("two of its parts have a file without a number".to_owned());
    }
    append_part(known, part);
    Ok(())
}

/// Makes sure that an entry has all of its batches and rows.
fn check(entry: &RelationEntry) -> Result<(), String> {
    let batches = entry.batches.as_deref().unwrap_or_default();
    if batches.len() != entry.batches_count as usize {
        return Err(format!(
            "of {} batches there are {}",
            entry.batches_count,
            batches.len()
        ));
    }
    for (position, batch) in batches.iter().enumerate() {
        if batch.batch_number.position() != position {
            return Err(format!("batch {} is missing", position + 1));
        }
        if batch.status != BatchStatus::Finished || batch.file.is_none() {
            return Err(format!("batch {} is not finished", position + 1));
        }
    }
    match lost_rows(entry) {
        Some(lost) => Err(format!(
            "of {} rows that were read, {lost} are neither written nor left out",
            entry.rows_read.unwrap_or_default()
        )),
        None => Ok(()),
    }
}

/// The sizes of all files of a manifest, by name.
pub(super) fn files(manifest: &Manifest) -> BTreeMap<&str, u64> {
    let entities = manifest.entities.iter();
    let files = entities
        .flat_map(|entity| &entity.relations)
        .flat_map(RelationEntry::files);
    files.map(|file| (file.file.as_str(), file.bytes)).collect()
}
