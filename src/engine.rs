//! What engines that start many workers (Slurm, Kubernetes, GitLab CI and others) tell a worker of its share: which one of
//! how many it is. Nothing here asks the process for its variables; whoever calls brings a way to look them up.
//!
//! Tasks are numbered from 0. An engine gives a worker a number, and some also say how many workers there are. If these are
//! fewer than the tasks, worker i does the tasks i, i + total, i + 2 total, and so on ([`tasks_of`]). If the engine does
//! not say how many there are, the number is the task's own.

mod error;
mod listed;
mod variables;

#[cfg(test)]
mod tests;

pub use error::EngineError;
pub use listed::{ListAs, listed};
pub use variables::{IndexFrom, index_from};

/// Which worker this one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// From 0.
    pub index: u64,
    /// How many workers there are, if that is known. More than `index`.
    pub total: Option<u64>,
    /// Where the number is from, for messages: `SLURM_ARRAY_TASK_ID=7`.
    pub said: String,
}

impl Index {
    /// An index that the user gave: worker `index` of `total`, counted from `base`, which is 0 or 1.
    ///
    /// # Errors
    /// The index is below the base, or none of so many.
    pub fn given(index: u64, total: Option<u64>, base: u64) -> Result<Index, EngineError> {
        let said = match total {
            Some(total) => format!("--index {index} --of {total}"),
            None => format!("--index {index}"),
        };
        numbered(index, total, base, said).map_err(|why| EngineError::Given { index, why })
    }
}

/// The tasks of a worker, in ascending order, if there are `tasks` of them. None if its number lies beyond the last task.
pub fn tasks_of(index: &Index, tasks: u64) -> Vec<u64> {
    match index.total {
        Some(total) if total < tasks => {
            let further = |task: &u64| task.checked_add(total).filter(|task| *task < tasks);
            std::iter::successors(Some(index.index), further).collect()
        }
        Some(_) | None if index.index < tasks => vec![index.index],
        Some(_) | None => Vec::new(),
    }
}

/// A number that counts from `base` as one that counts from 0, or why it is none.
fn numbered(
    number: u64,
    total: Option<u64>,
    base: u64,
    said: String,
) -> Result<Index, &'static str> {
    let Some(index) = number.checked_sub(base) else {
        return Err("is below the first number, which is 1");
    };
    if total == Some(0) {
        return Err("is one of no workers");
    }
    if total.is_some_and(|total| index >= total) {
        return Err("lies beyond the number of workers");
    }
    Ok(Index { index, total, said })
}
