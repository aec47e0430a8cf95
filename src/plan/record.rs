//! The record of a task: what came of it, and nothing that differs from one attempt to the next.

use serde::{Deserialize, Serialize};

use super::file::{PlanFile, Task};
use crate::export::Worked;
use crate::export::share::References;
use crate::output::{FileEntry, Manifest, RelationEntry, Status};

/// What came of a task. It holds no times, no machine and no attempt: two workers that made the same have the same record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    pub task: u32,
    /// The id of the plan.
    pub plan: String,
    /// Of the task's entities and relations, without times.
    pub manifest: Manifest,
    /// What the records refer to, of relations that are made at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<References>,
}

impl TaskRecord {
    /// The record of what was made of a task.
    ///
    /// # Errors
    /// Why the task is not complete.
    pub(super) fn new(
        plan: &PlanFile,
        number: u32,
        task: &Task,
        worked: Worked,
    ) -> Result<TaskRecord, String> {
        let Worked {
            manifest,
            references,
            ..
        } = worked;
        if let Some(reason) = why_not_finished(&manifest) {
            return Err(reason);
        }
        let mut manifest = Manifest {
            started_at: String::new(),
            finished_at: None,
            timings: None,
            resume: None,
            terms: None,
            // Whatever name a worker had for it.
            snapshot: plan.manifest.snapshot.clone(),
            ..manifest
        };
        let positions = plan.by_prefix();
        for entity in &mut manifest.entities {
            let position = positions.get(entity.prefix.as_str());
            let set = position.map(|at| &plan.sets[plan.entities[*at].set]);
            let is_told = |relation: &RelationEntry| {
                task.tells_references
                    && set.is_some_and(|set| set.collected.contains(&relation.relation))
            };
            entity.relations.retain(|relation| !is_told(relation));
            for relation in &mut entity.relations {
                relation.updated_at.clear();
                for batch in relation.batches.iter_mut().flatten() {
                    batch.updated_at.clear();
                }
                if task.part.is_some()
                    && let Some(batches) = &mut relation.batches
                {
                    batches.retain(|batch| batch.file.is_some());
                }
            }
        }
        Ok(TaskRecord {
            task: number,
            plan: plan.id.clone(),
            manifest,
            references,
        })
    }

    /// The files that the task made.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let entities = self.manifest.entities.iter();
        let relations = entities.flat_map(|entity| &entity.relations);
        relations.flat_map(RelationEntry::files)
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// None, since nothing in a record is a map with other keys than text.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// Why an export is not finished, by its manifest; `None` if it is.
pub(super) fn why_not_finished(manifest: &Manifest) -> Option<String> {
    if manifest.status == Status::Finished {
        return None;
    }
    let entities = manifest.entities.iter();
    let mut failed = entities.flat_map(|entity| {
        let relations = entity.relations.iter();
        let failed = relations.filter(|relation| relation.status != Status::Finished);
        failed.map(|relation| {
            let error = relation
                .error
                .as_deref()
                .unwrap_or("it did not come to its end");
            format!("{}/{}: {error}", entity.prefix, relation.relation)
        })
    });
    let first = failed.next();
    let more = failed.count();
    let reason = match (&manifest.error, first) {
        (Some(error), _) => error.clone(),
        (None, Some(first)) if more > 0 => format!("{first} (and {more} relations more)"),
        (None, Some(first)) => first,
        (None, None) => "it did not come to its end".to_owned(),
    };
    Some(reason)
}
