//! Making a task.

use std::io;
use std::sync::Arc;

use super::error::PlanError;
use super::file::{PlanFile, Task};
use super::names;
use super::record::TaskRecord;
use super::task_files::TaskFiles;
use crate::export::share::CollectedShare;
use crate::export::{
    self, ExportObserver, ExportRequest, GENERATOR, Share, Worked, redaction_entry,
};
use crate::failure::Failure;
use crate::output::{RedactionEntry, SharedPlace};
use crate::resolve::{Choice, KindChoice, Relations};
use crate::snapshot::Spec;

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was made, so many files of it.
    Made { files: usize },
    /// Somebody had made it before.
    Already,
}

/// Makes a task, unless it is made already. The request is that of the whole export.
///
/// # Errors
/// If it is not complete, or somebody has made something else of it.
pub(crate) fn work(
    place: &Arc<dyn SharedPlace>,
    plan: &PlanFile,
    number: u32,
    request: ExportRequest,
    observer: &mut dyn ExportObserver,
) -> Result<Done, PlanError> {
    let task = plan.task(number)?;
    if is_made(&**place, plan, number)? {
        return Ok(Done::Already);
    }
    let request = of_task(plan, task, request)?;
    check(plan, task, &request)?;
    let worked = make(place, &request, observer)?;
    let record =
        TaskRecord::new(plan, number, task, worked).map_err(|reason| PlanError::Incomplete {
            task: number,
            reason,
        })?;
    let name = names::record(number);
    let shown = place.shown(&name);
    let json = record
        .to_json()
        .map_err(|error| PlanError::write(&shown, error.into()))?;
    let is_new = place.put_new(&name, &json);
    if !is_new.map_err(|error| PlanError::write(&shown, error))? {
        let other = names::read(&**place, &name);
        if other.map_err(|error| PlanError::unreadable(&shown, error))? != json {
            return Err(PlanError::Disagree {
                task: number,
                path: shown,
            });
        }
    }
    // A record that is put behind the commit, which a twin of this task let begin, would stay in the finished export.
    if names::is_committed(&**place) {
        let removed = place.remove(&name);
        let gone = removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        gone.map_err(|error| PlanError::write(&shown, error))?;
        return Ok(Done::Already);
    }
    Ok(Done::Made {
        files: record.files().count(),
    })
}

/// Writes what a request's share is.
pub(super) fn make(
    place: &Arc<dyn SharedPlace>,
    request: &ExportRequest,
    observer: &mut dyn ExportObserver,
) -> Result<Worked, PlanError> {
    let files = Arc::new(TaskFiles {
        place: Arc::clone(place),
    });
    export::work(request, files, observer).map_err(|error| match error.policy().is_interruption() {
        true => PlanError::Stopped,
        false => PlanError::Export(error),
    })
}

/// True if a task has a record, and the files that it names are there.
///
/// # Errors
/// If that cannot be told, or the record is of another plan.
fn is_made(place: &dyn SharedPlace, plan: &PlanFile, number: u32) -> Result<bool, PlanError> {
    let Some(record) = read_record(place, plan, number)? else {
        return Ok(false);
    };
    for file in record.files() {
        match place.length(&file.file) {
            Ok(length) if length == file.bytes => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(PlanError::unreadable(&place.shown(&file.file), error)),
        }
    }
    Ok(true)
}

/// The record of a task, if there is one.
///
/// # Errors
/// If it cannot be read, or is of another plan.
pub(super) fn read_record(
    place: &dyn SharedPlace,
    plan: &PlanFile,
    number: u32,
) -> Result<Option<TaskRecord>, PlanError> {
    let name = names::record(number);
    let shown = place.shown(&name);
    let bytes = match names::read(place, &name) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(PlanError::unreadable(&shown, error)),
    };
    let record: TaskRecord = serde_json::from_slice(&bytes).map_err(|source| PlanError::Form {
        path: shown.clone(),
        source,
    })?;
    match record.plan == plan.id && record.task == number {
        true => Ok(Some(record)),
        false => Err(PlanError::Another(format!(
            "{shown} is the record of a task of another plan\n  remove it, and make the task again"
        ))),
    }
}

/// The request of a task, from that of the whole export.
fn of_task(
    plan: &PlanFile,
    task: &Task,
    request: ExportRequest,
) -> Result<ExportRequest, PlanError> {
    let mut request = reading(plan, task, request);
    request.kinds = kinds(request.kinds, |pipeline| plan.keys(task.range(), pipeline));
    if let Some(relations) = &task.relations {
        request.selection.relations = Relations::Only(relations.clone());
    }
    // What must not be missing was asked of the whole plan.
    request.options.strict = false;
    request.share = Share {
        of_plan: true,
        without_files: None,
        part: task.part,
        collected: match task.tells_references {
            true => CollectedShare::Told,
            false => CollectedShare::Made,
        },
        instant: plan.fingerprint.clone(),
    };
    Ok(request)
}

/// The request, reading the snapshot that a task reads.
pub(super) fn reading(plan: &PlanFile, task: &Task, mut request: ExportRequest) -> ExportRequest {
    if let (Some(stage), Some(snapshot)) = (&plan.stage, &task.snapshot) {
        request.snapshot = shard(stage, snapshot);
        // What belongs to other databases was taken into it, too.
        request.open.databases.others.clear();
    }
    request
}

/// The snapshot of this name in a stage.
pub(super) fn shard(stage: &str, name: &str) -> Spec {
    let stage = stage.trim_end_matches('/');
    Spec::from(format!("{stage}/{name}").as_str())
}

/// The kinds of a run in which these keys are wanted of each pipeline's entities.
pub(super) fn kinds(kinds: Vec<KindChoice>, keys: impl Fn(&str) -> Vec<String>) -> Vec<KindChoice> {
    let mut kinds: Vec<KindChoice> = kinds
        .into_iter()
        .map(|kind| KindChoice {
            choice: Choice::Named {
                names: keys(&kind.pipeline.name),
                descendants: false,
            },
            ..kind
        })
        .collect();
    // Of whom nothing is wanted and within whom nobody lies is not needed.
    while let Some(position) = kinds.iter().position(|kind| {
        let mut others = kinds.iter();
        kind.choice.is_nobody()
            && !others.any(|other| {
                let within = other.pipeline.entity.within.as_ref();
                within.is_some_and(|within| within.pipeline == kind.pipeline.name)
            })
    }) {
        kinds.remove(position);
    }
    kinds
}

/// Makes sure that a request is of the plan's program, pipelines and snapshot.
pub(super) fn check(
    plan: &PlanFile,
    task: &Task,
    request: &ExportRequest,
) -> Result<(), PlanError> {
    check_made_for(plan, request)?;
    let expected = match &task.snapshot {
        Some(_) => &task.fingerprint,
        None => &plan.fingerprint,
    };
    let databases = &request.open.databases;
    let found = databases
        .fingerprint(&request.snapshot)
        .map_err(|error| PlanError::unreadable(&request.snapshot.shown(), error))?;
    // Which instant of a server is held is seen when it is connected to.
    match found.is_none() || found == *expected {
        true => Ok(()),
        false => Err(PlanError::Another(format!(
            "{}: it is not the snapshot that was planned, or was written again since\n  \
             give every worker the same file with its time of change (`cp -p`, one share, or a bucket), or plan again",
            request.snapshot.shown()
        ))),
    }
}

/// Makes sure that a request is of the plan's program, pipelines, redaction and recipients.
pub(super) fn check_made_for(plan: &PlanFile, request: &ExportRequest) -> Result<(), PlanError> {
    if plan.generator != GENERATOR {
        return Err(PlanError::Another(format!(
            "cannot work on the plan: it was made by {}, and this is {GENERATOR}\n  use the same version everywhere",
            plan.generator
        )));
    }
    let planned = plan.manifest.pipelines();
    for KindChoice { pipeline, .. } in &request.kinds {
        let is_planned = planned
            .iter()
            .any(|it| it.name == pipeline.name && it.sha256 == pipeline.sha256);
        if !is_planned {
            return Err(PlanError::Another(format!(
                "cannot work on the plan: pipeline {} is another one here than where it was made\n  \
                 give every worker the same file",
                pipeline.name
            )));
        }
    }
    let made_by = |entry: &Option<RedactionEntry>| {
        let entry = entry.as_ref();
        entry.map(|entry| (entry.sha256.clone(), entry.key_id.clone()))
    };
    if made_by(&plan.manifest.redaction) != made_by(&redaction_entry(request)) {
        return Err(PlanError::Another(
            "cannot work on the plan: its redaction file or key is another one here than where it was made\n  \
             give every worker the same files"
                .to_owned(),
        ));
    }
    Ok(())
}
