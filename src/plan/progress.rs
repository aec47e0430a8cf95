//! How far a plan is.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::PlanError;
use super::file::PlanFile;
use super::names;
use crate::output::{PLAN_FOLDER, SharedPlace, now};

/// Attempts whose notes are read at the most.
const READ: usize = 1000;

/// How far a plan is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    pub tasks: usize,
    pub done: usize,
    /// The numbers of those that are not, in order.
    pub missing: Vec<u64>,
    /// Of what is missing, that of which an attempt failed.
    pub failed: Vec<TaskState>,
}

/// A task of which an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TaskState {
    pub task: u32,
    pub attempts: usize,
    /// What the last one said.
    pub error: String,
    pub at: String,
}

/// What an attempt leaves that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub task: u32,
    pub at: String,
    pub error: String,
}

fn attempts() -> String {
    format!("{PLAN_FOLDER}/attempts")
}

/// Notes that an attempt failed. It is told to whoever asks how far the plan is; if it cannot be noted, the log alone has it.
pub(crate) fn note_failure(place: &dyn SharedPlace, task: u32, error: &PlanError) {
    let attempt = Attempt {
        task,
        at: now(),
        error: error.to_string(),
    };
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = seconds.map(|it| it.as_secs()).unwrap_or_default();
    let name = format!(
        "{}/{task:08}-{seconds:010}-{:016x}.json",
        attempts(),
        // Two attempts that fail in the same second need not have the same note.
        getrandom::u64().unwrap_or_default()
    );
    let written = serde_json::to_vec(&attempt)
        .map_err(std::io::Error::from)
        .and_then(|json| place.replace(&name, &json));
    if let Err(error) = written {
        tracing::debug!("{}: {error}", place.shown(&name));
    }
}

/// The tasks that have a record, in order.
///
/// # Errors
/// If the place cannot be listed.
pub(super) fn recorded(place: &dyn SharedPlace, plan: &PlanFile) -> Result<Vec<u32>, PlanError> {
    let folder = names::records();
    let sizes = place
        .sizes(&folder)
        .map_err(|error| PlanError::unreadable(&place.shown(&folder), error))?;
    let mut tasks = Vec::new();
    for name in sizes.keys() {
        let own = name.rsplit('/').next().unwrap_or_default();
        match names::task_of(own) {
            Some(task) if (task as usize) < plan.tasks.len() => tasks.push(task),
            Some(_) | None => {
                return Err(PlanError::Another(format!(
                    "{} is no record of a task of the plan\n  see whose it is, and remove it",
                    place.shown(name)
                )));
            }
        }
    }
    tasks.sort_unstable();
    Ok(tasks)
}

/// The tasks that are not among these, which are in order.
pub(super) fn missing(plan: &PlanFile, done: &[u32]) -> Vec<u64> {
    let tasks = 0..plan.tasks.len() as u64;
    let is_missing = |task: &u64| {
        let known = u32::try_from(*task).map(|task| done.binary_search(&task));
        !matches!(known, Ok(Ok(_)))
    };
    tasks.filter(is_missing).collect()
}

/// Says how far a plan is.
///
/// # Errors
/// If the place cannot be read.
pub(crate) fn progress(place: &dyn SharedPlace, plan: &PlanFile) -> Result<Progress, PlanError> {
    let done = recorded(place, plan)?;
    let missing = missing(plan, &done);
    let folder = attempts();
    let notes = place
        .sizes(&folder)
        .map_err(|error| PlanError::unreadable(&place.shown(&folder), error))?;
    // By name they are in the order of tasks, and of time within a task.
    let mut last: BTreeMap<u64, (usize, &String)> = BTreeMap::new();
    for name in notes.keys() {
        let own = name.rsplit('/').next().unwrap_or_default();
        let task = own.split('-').next().and_then(|task| task.parse().ok());
        if let Some(task) = task.filter(|task| missing.binary_search(task).is_ok()) {
            let (count, newest) = last.entry(task).or_insert((0, name));
            *count += 1;
            *newest = name;
        }
    }
    let mut failed = Vec::new();
    for (attempts, name) in last.into_values().take(READ) {
        let bytes = names::read(place, name)
            .map_err(|error| PlanError::unreadable(&place.shown(name), error))?;
        let attempt: Attempt =
            serde_json::from_slice(&bytes).map_err(|source| PlanError::Form {
                path: place.shown(name),
                source,
            })?;
        failed.push(TaskState {
            task: attempt.task,
            attempts,
            error: attempt.error,
            at: attempt.at,
        });
    }
    Ok(Progress {
        tasks: plan.tasks.len(),
        done: done.len(),
        missing,
        failed,
    })
}
