//! Making one export of what tasks have made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::error::PlanError;
use super::file::{PlanFile, Task};
use super::merge::{Merge, files};
use super::names;
use super::progress::{missing, recorded};
use super::record::{TaskRecord, why_not_finished};
use super::work::{check, check_made_for, kinds, make, read_record, reading};
use crate::export::share::{CollectedShare, References, unite};
use crate::export::{ExportObserver, ExportRequest, Share};
use crate::output::manifest::FILE_NAME;
use crate::output::{Manifest, PLAN_FOLDER, SharedPlace, metadata_file, now};
use crate::resolve::Relations;

/// Threads that read records.
const READERS: usize = 16;

/// What came of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    /// The export is complete.
    Finished(Box<Manifest>),
    /// These tasks are not made.
    Missing(Vec<u64>),
}

/// Holds what all tasks have made against the plan, makes what is collected from the records of several, and writes the
/// manifest. To do so twice is harmless. `request` makes the request of the whole export.
///
/// # Errors
/// If something does not go together, or cannot be read or written. Nothing of the tasks is lost.
pub(crate) fn commit<E: From<PlanError>>(
    place: &Arc<dyn SharedPlace>,
    plan: &PlanFile,
    request: &mut dyn FnMut() -> Result<ExportRequest, E>,
    observer: &mut dyn ExportObserver,
) -> Result<Committed, E> {
    let done = recorded(&**place, plan)?;
    let missing = missing(plan, &done);
    if !missing.is_empty() {
        return Ok(Committed::Missing(missing));
    }
    let inconsistent = |problem: String| PlanError::Inconsistent {
        place: place.shown(""),
        problem,
    };
    let mut merge = Merge::new(plan);
    for chunk in (0..plan.tasks.len())
        .collect::<Vec<_>>()
        .chunks(READERS * 64)
    {
        for (number, record) in chunk.iter().zip(read_records(&**place, plan, chunk)?) {
            merge
                .add(&plan.tasks[*number], record)
                .map_err(inconsistent)?;
        }
    }
    let (entities, relations) = merge.collected();
    let made_last = request()?;
    check_made_for(plan, &made_last)?;
    if !entities.is_empty() {
        let references = unite(std::mem::take(&mut merge.references));
        let mut rest = Some(made_last);
        for task in collecting(plan, &entities) {
            let request = match rest.take() {
                Some(request) => request,
                None => request()?,
            };
            let positions = task.range().filter(|it| entities.contains(it));
            let request = of_collected(
                plan,
                &task,
                request,
                &positions.collect::<Vec<_>>(),
                (&relations, &references),
            );
            check(plan, &task, &request)?;
            let worked = make(place, &request, observer)?;
            if let Some(reason) = why_not_finished(&worked.manifest) {
                return Err(inconsistent(reason).into());
            }
            merge
                .manifest_of(worked.manifest, &task)
                .map_err(inconsistent)?;
        }
    }
    let mut manifest = merge.finish(&now()).map_err(inconsistent)?;
    let heeded = place.conditional_put();
    manifest.conditional_put = heeded.map_err(|error| PlanError::write(&place.shown(""), error))?;
    check_files(&**place, &manifest)?;
    let metadata = metadata_file(plan.metadata.as_bytes(), None);
    let written = metadata.and_then(|(entry, metadata)| {
        manifest.metadata = Some(entry);
        place.finish(&manifest, &metadata)
    });
    written.map_err(|error| PlanError::write(&place.shown(""), error))?;
    // The export is complete, whatever is left beside it.
    if let Err(error) = clear(&**place) {
        tracing::warn!("{error}\n  `relexport commit` once more takes it away");
    }
    Ok(Committed::Finished(Box::new(manifest)))
}

/// Removes what is left of a plan whose export is complete.
///
/// # Errors
/// If something cannot be removed.
pub(crate) fn clear(place: &dyn SharedPlace) -> Result<(), PlanError> {
    place
        .clear(PLAN_FOLDER)
        .map_err(|error| PlanError::write(&place.shown(PLAN_FOLDER), error))
}

/// Reads records, several at a time.
fn read_records(
    place: &dyn SharedPlace,
    plan: &PlanFile,
    tasks: &[usize],
) -> Result<Vec<TaskRecord>, PlanError> {
    let next = AtomicUsize::new(0);
    let read: Mutex<Vec<(usize, Result<TaskRecord, PlanError>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..READERS.min(tasks.len()) {
            scope.spawn(|| {
                while let Some(number) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Positions in a plan are numbers of tasks.
                    let task = u32::try_from(*number).unwrap_or(u32::MAX);
                    let record = read_record(place, plan, task).and_then(|record| {
                        record.ok_or_else(|| {
                            PlanError::Another(format!(
                                "{} is gone\n  make the task again",
                                place.shown(&names::record(task))
                            ))
                        })
                    });
                    let mut read = read.lock().unwrap_or_else(|it| it.into_inner());
                    read.push((*number, record));
                }
            });
        }
    });
    let mut read = read.into_inner().unwrap_or_else(|it| it.into_inner());
    read.sort_by_key(|(number, _)| *number);
    read.into_iter().map(|(_, record)| record).collect()
}

/// What is to be read for the collected relations of these entities: each snapshot of the plan once.
fn collecting(plan: &PlanFile, entities: &BTreeSet<usize>) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    for task in &plan.tasks {
        if !task.range().any(|it| entities.contains(&it)) {
            continue;
        }
        let same = tasks.iter_mut().find(|it| it.snapshot == task.snapshot);
        match same {
            Some(same) => {
                same.entities = (
                    same.entities.0.min(task.entities.0),
                    same.entities.1.max(task.entities.1),
                );
            }
            None => tasks.push(Task {
                part: None,
                relations: None,
                tells_references: false,
                ..task.clone()
            }),
        }
    }
    tasks
}

/// The request of the collected relations of some entities.
fn of_collected(
    plan: &PlanFile,
    task: &Task,
    request: ExportRequest,
    entities: &[usize],
    (relations, references): (&BTreeSet<String>, &[References]),
) -> ExportRequest {
    let mut request = reading(plan, task, request);
    request.kinds = kinds(request.kinds, |pipeline| {
        let own = entities.iter().map(|at| &plan.entities[*at]);
        let own = own.filter(|entity| plan.sets[entity.set].pipeline == pipeline);
        own.map(|entity| entity.key.clone()).collect()
    });
    request.selection.relations = Relations::Only(relations.iter().cloned().collect());
    request.share = Share {
        of_plan: true,
        without_files: None,
        part: None,
        collected: CollectedShare::Given(references.to_vec()),
        instant: plan.fingerprint.clone(),
    };
    request
}

/// Makes sure that every file is there with its size.
fn check_files(place: &dyn SharedPlace, manifest: &Manifest) -> Result<(), PlanError> {
    let sizes = place
        .sizes("")
        .map_err(|error| PlanError::unreadable(&place.shown(""), error))?;
    let expected = files(manifest);
    for (name, bytes) in &expected {
        let problem = match sizes.get(*name) {
            Some(size) if size == bytes => continue,
            Some(size) => format!("it has {size} bytes, and {bytes} were written"),
            None => "it is not there any more".to_owned(),
        };
        return Err(PlanError::Inconsistent {
            place: place.shown(""),
            problem: format!(
                "{}: {problem}\n  make its task again: `relexport work` does, since the file is not as it was recorded",
                place.shown(name)
            ),
        });
    }
    let folder = format!("{PLAN_FOLDER}/");
    // What an earlier commit wrote before it was cut off is there, too.
    let own = [FILE_NAME, manifest.metadata_name()];
    let is_own = |name: &str| {
        expected.contains_key(name) || name.starts_with(&folder) || own.contains(&name)
    };
    match sizes.keys().find(|name| !is_own(name)) {
        None => Ok(()),
        // Readers of the export would find it there.
        Some(foreign) => Err(PlanError::Inconsistent {
            place: place.shown(""),
            problem: format!(
                "{} belongs to no task\n  see whose it is, and remove it",
                place.shown(foreign)
            ),
        }),
    }
}
