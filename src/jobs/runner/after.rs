//! What follows from an export that is complete and trusted: `latest` leads to it, and the keep rules choose.

use std::io::ErrorKind;

use super::{Program, Runner};
use crate::bucket::bucket_error;
use crate::civil::UtcTime;
use crate::failure::{Cause, Failure};
use crate::jobs::job::Job;
use crate::jobs::outcome::{Ended, Outcome, worst};
use crate::jobs::volume::Volume;
use crate::output::retention::{self, Uncounted};
use crate::output::shelf::{ExportState, Shelf, ShelvedExport, newest};
use crate::output::{Location, ManifestError, Status, StoreError};

/// How much the newest export of a job holds that is complete and trusted. `None` if there is none.
///
/// # Errors
/// If the place cannot be looked at, said in a sentence.
pub(super) fn newest_good(job: &Job) -> Result<Option<Volume>, String> {
    let Some(shelf) = job.shelf()? else {
        return only_good(job);
    };
    let exports = shelf.exports().map_err(|error| error.to_string())?;
    let newest = newest(&exports, Some(job.name.as_str()), UtcTime::now());
    let Some(newest) = newest else {
        return Ok(None);
    };
    let store = shelf
        .store(&newest.name)
        .map_err(|error| error.to_string())?;
    let manifest = store.manifest().map_err(|error| error.to_string())?;
    Ok(Some(Volume::of(&manifest)))
}

/// The same of a job that has one export, which each run replaces.
fn only_good(job: &Job) -> Result<Option<Volume>, String> {
    let Some(place) = job.destination.fixed(job.name.as_str()) else {
        return Ok(None);
    };
    let store = Location::parse(&place)?
        .store()
        .map_err(|error| error.to_string())?;
    match store.manifest() {
        Ok(manifest) => {
            let is_good = manifest.status == Status::Finished
                && manifest.suspect.is_empty()
                && manifest.job.as_deref() == Some(job.name.as_str());
            Ok(is_good.then(|| Volume::of(&manifest)))
        }
        Err(ManifestError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The exports that would be removed after a run that makes its export at this place.
///
/// # Errors
/// If that cannot be told, said in a sentence.
pub(crate) fn would_go(job: &Job, place: &str, now: UtcTime) -> Result<Vec<String>, String> {
    let (Some(shelf), Some(keep)) = (job.shelf()?, &job.keep) else {
        return Ok(Vec::new());
    };
    let mut exports = own_exports(&*shelf, job).map_err(|error| error.to_string())?;
    let name = name_of(place);
    exports.push(ShelvedExport {
        name: name.to_owned(),
        job: Some(job.name.to_string()),
        time: Some(now),
        started_at: now.to_string(),
        bytes: 0,
        state: ExportState::Whole,
    });
    let planned = retention::plan(keep, exports, Some(name), Uncounted::default(), now);
    let planned = planned.map_err(|error| error.to_string())?;
    let going = planned.iter().filter(|one| one.verdict.goes());
    Ok(going
        .map(|one| shelf.shown_export(&one.export.name))
        .collect())
}

/// The exports of a job that lie on its shelf, where those of others may lie, too.
fn own_exports(shelf: &dyn Shelf, job: &Job) -> std::io::Result<Vec<ShelvedExport>> {
    let exports = shelf.exports()?.into_iter();
    Ok(exports
        .filter(|export| export.job.as_deref() == Some(job.name.as_str()))
        .collect())
}

/// Why a shelf cannot be read or written.
fn cause_of(error: &std::io::Error) -> Cause {
    match bucket_error(error) {
        Some(error) => of_shelf(error.policy().cause()),
        None => Cause::Machine,
    }
}

/// The cause of an error, if it is the shelf that the error is about. The job made its export, so neither its arguments nor
/// the snapshot are wrong, whatever the same error means elsewhere: something stands in the way there. What may pass by
/// itself stays what it is.
fn of_shelf(cause: Cause) -> Cause {
    match cause {
        Cause::Request | Cause::Snapshot | Cause::Finding | Cause::Machine => Cause::Machine,
        Cause::AnotherRun | Cause::TryAgain | Cause::Program | Cause::Interruption => cause,
    }
}

/// The name that a place has on its shelf.
fn name_of(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or_default()
}

impl<P: Program> Runner<'_, P> {
    /// An export is complete and trusted: lets `latest` lead to it, and removes those that no rule keeps.
    pub(super) fn settle(&mut self, job: &Job, outcome: Outcome) -> Outcome {
        // In a bucket its name is known only now.
        let place = outcome.place.clone().unwrap_or_default();
        match self.settled(job, &place) {
            Ok(removed) => Outcome { removed, ..outcome },
            Err((removed, ended)) => Outcome {
                removed,
                ..outcome.followed_by(ended)
            },
        }
    }

    /// Returns the names of the exports that were removed.
    fn settled(&self, job: &Job, place: &str) -> Result<Vec<String>, (Vec<String>, Ended)> {
        let wrong = |cause, message: String| {
            let ended = Ended {
                exit_status: self.program.exit_status(cause),
                message,
            };
            (Vec::new(), ended)
        };
        let shelf = match job.shelf() {
            Ok(Some(shelf)) => shelf,
            Ok(None) => return Ok(Vec::new()),
            Err(reason) => return Err(wrong(Cause::Machine, reason)),
        };
        let name = name_of(place);
        shelf.set_latest(name).map_err(|error| {
            let text = format!(
                "the export is complete, but `latest` in {} cannot be moved to it: {error}\n  \
                 nothing was removed; see that it can be written there",
                shelf.shown()
            );
            wrong(cause_of(&error), text)
        })?;
        let Some(keep) = &job.keep else {
            return Ok(Vec::new());
        };
        let unread = |error: std::io::Error| {
            let text = format!(
                "the export is complete, but older ones in {} cannot be looked at: {error}\n  nothing was removed",
                shelf.shown()
            );
            wrong(cause_of(&error), text)
        };
        // A removal that was cut off takes room, and no rule knows of it.
        for left in shelf.clear().map_err(unread)? {
            tracing::info!(
                "job {}: removed {left}, which an earlier run left",
                job.name
            );
        }
        let exports = own_exports(&*shelf, job).map_err(unread)?;
        let (none, now) = (Uncounted::default(), UtcTime::now());
        let planned = retention::plan(keep, exports, Some(name), none, now);
        let planned = planned.map_err(|error| wrong(Cause::Request, error.to_string()))?;
        let failed = retention::carry_out(&*shelf, &planned);
        let going = planned.iter().filter(|one| one.verdict.goes());
        let names = going.map(|one| one.export.name.clone());
        let removed: Vec<String> = names
            .filter(|name| failed.iter().all(|(failed, _)| failed != name))
            .collect();
        for name in &removed {
            tracing::info!(
                "job {}: removed {}, which no rule keeps",
                job.name,
                shelf.shown_export(name)
            );
        }
        for (name, error) in &failed {
            tracing::warn!(
                "job {}: {} stays: {error}",
                job.name,
                shelf.shown_export(name)
            );
        }
        let status = |error: &StoreError| {
            let cause = of_shelf(error.policy().cause());
            self.program.exit_status(cause)
        };
        let exit_status = worst(failed.iter().map(|(_, error)| status(error)));
        let told = failed
            .iter()
            .find(|(_, error)| status(error) == exit_status);
        let Some((_, error)) = told else {
            return Ok(removed);
        };
        let older = match failed.len() {
            1 => "an older one".to_owned(),
            count => format!("{count} older ones"),
        };
        let ended = Ended {
            exit_status,
            message: format!("the export is complete, but {older} cannot be removed: {error}"),
        };
        Err((removed, ended))
    }
}
