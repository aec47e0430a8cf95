//! Rows that were found once and are written several times, with other options: what a bench of batch sizes needs.

use crate::output::{Folder, Manifest, SnapshotEntry, Writer, now};
use crate::resolve::Outcome;
use crate::timings::{Phase, Times, Timings};

use super::entries::{first_manifest, options_entry};
use super::error::ExportError;
use super::find;
use super::observer::ExportObserver;
use super::request::ExportRequest;
use super::run::write_rows;

/// The rows of an export, before anything of it is written.
pub struct Prepared {
    outcome: Outcome,
    /// The manifest as an export begins it.
    first: Manifest,
    times: Times,
}

/// Finds the rows of an export. The output folder of the request is not looked at.
///
/// # Errors
/// As [`run()`](super::run()), where the snapshot or the entity cannot be read.
pub fn prepare(
    request: &ExportRequest,
    observer: &mut dyn ExportObserver,
) -> Result<Prepared, ExportError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Resolve);
    let snapshot = find::open(request)?;
    let first = first_manifest(request, &snapshot);
    let outcome = find::find_rows(request, snapshot, observer)?;
    Ok(Prepared {
        outcome,
        first,
        times: timings.so_far(),
    })
}

impl Prepared {
    /// Writes the rows into the request's folder, with its options and on its pool. Everything else of the request
    /// must be as it was for [`prepare`]. A failed relation is told by the manifest.
    ///
    /// # Errors
    /// Where the folder cannot be written, or the run is interrupted; then the folder is taken away.
    pub fn write(
        &self,
        request: &ExportRequest,
        observer: &mut dyn ExportObserver,
    ) -> Result<Manifest, ExportError> {
        let timings = Timings::start();
        let _work = timings.work(Phase::Render);
        let folder = Folder::create(&request.out, request.force)?;
        let written = self.write_in(request, &folder, observer);
        match written {
            Ok(manifest) => {
                folder.commit()?;
                Ok(manifest)
            }
            Err(error) => {
                // The first error is the one to tell.
                let _ = folder.discard();
                Err(error)
            }
        }
    }

    fn write_in(
        &self,
        request: &ExportRequest,
        folder: &Folder,
        observer: &mut dyn ExportObserver,
    ) -> Result<Manifest, ExportError> {
        let first = Manifest {
            started_at: now(),
            options: options_entry(request),
            ..self.first.clone()
        };
        let writer = Writer::start(folder.work(), first).map_err(ExportError::Write)?;
        write_rows(request, folder, writer, &self.outcome, Vec::new(), observer)
    }

    /// What the snapshot is and says of itself.
    pub fn snapshot(&self) -> SnapshotEntry {
        SnapshotEntry {
            server_version: self.outcome.facts.server_version.clone(),
            gitlab_version: self.outcome.facts.gitlab_version.clone(),
            ..self.first.snapshot.clone()
        }
    }

    /// What finding the rows took.
    pub fn times(&self) -> Times {
        self.times
    }
}
