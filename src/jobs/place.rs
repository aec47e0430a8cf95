//! Where the export of a job's run goes.

use super::job::Job;
use crate::civil::UtcTime;
use crate::failure::{Cause, Failure, Policy};
use crate::output::pattern::PatternValues;
use crate::output::shelf::{self, Shelf};
use crate::snapshot::Spec;

/// Why there is no place for an export.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell where the export of job {job} goes: {reason}")]
pub(crate) struct PlaceError {
    job: String,
    reason: String,
}

impl Failure for PlaceError {
    fn policy(&self) -> Policy {
        Policy::EndRun(Cause::Request)
    }
}

impl Job {
    /// The place of an export that is begun now.
    ///
    /// # Errors
    /// If it has the time of a snapshot in it that does not tell its own.
    pub(crate) fn place(&self, snapshot: &Spec, now: UtcTime) -> Result<String, PlaceError> {
        let values = PatternValues {
            job: self.name.as_str(),
            now,
            snapshot_time: written(snapshot),
        };
        self.destination
            .export(&values)
            .map_err(|reason| PlaceError {
                job: self.name.to_string(),
                reason,
            })
    }
}

impl Job {
    /// The place that holds the exports of the job; `None` if it has one export, which each run replaces.
    ///
    /// # Errors
    /// If no exports can lie there, said in a sentence.
    pub(crate) fn shelf(&self) -> Result<Option<Box<dyn Shelf>>, String> {
        match self.destination.shelf(self.name.as_str()) {
            Some(place) => shelf::open(&place).map(Some),
            None => Ok(None),
        }
    }
}

/// When a snapshot of files or objects was written; `None` for any other.
fn written(snapshot: &Spec) -> Option<UtcTime> {
    snapshot.modified().map(UtcTime::from)
}
