//! Rows that were found once and are written several times, with other options: what a bench of batch sizes needs.

use std::sync::Arc;

use crate::output::{Begin, Draft, Ledger, Manifest, SnapshotEntry, Store, Writer, now};
use crate::resolve::Outcome;
use crate::snapshot::FileSource;
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

/// Finds the rows of an export.
///
/// # Errors
/// As [`run()`](super::run()), if the snapshot or the entity cannot be read.
pub fn prepare(
    request: &ExportRequest,
    observer: &mut dyn ExportObserver,
) -> Result<Prepared, ExportError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Resolve);
    let snapshot = find::open(request)?;
    let first = first_manifest(request, &snapshot);
    // Rows are measured: files are read from the backup once, and written as they are.
    let (outcome, _) = find::find_rows(request, snapshot, observer)?;
    Ok(Prepared {
        outcome,
        first,
        times: timings.so_far(),
    })
}

impl Prepared {
    /// Writes the rows into a store in which nothing is yet, with the request's options and on its pool. Everything else
    /// of the request must be as it was for [`prepare`]. A failed relation is told by the manifest.
    ///
    /// # Errors
    /// If the store cannot be written, or the run is interrupted; then nothing is left there.
    pub fn write(
        &self,
        request: &ExportRequest,
        store: &dyn Store,
        observer: &mut dyn ExportObserver,
    ) -> Result<Manifest, ExportError> {
        let timings = Timings::start();
        let _work = timings.work(Phase::Render);
        let claim = store.claim()?;
        let draft = claim.begin(Begin::New)?;
        let written = self.write_in(request, &draft, observer);
        match written {
            Ok(manifest) => {
                draft.commit()?;
                Ok(manifest)
            }
            Err(error) => {
                // The first error is the one to tell.
                let _ = draft.discard();
                Err(error)
            }
        }
    }

    fn write_in(
        &self,
        request: &ExportRequest,
        draft: &Arc<dyn Draft>,
        observer: &mut dyn ExportObserver,
    ) -> Result<Manifest, ExportError> {
        let first = Manifest {
            started_at: now(),
            options: options_entry(request),
            ..self.first.clone()
        };
        let ledger = Ledger::new(first);
        let writer = Writer::start(Arc::<dyn Draft>::clone(draft), ledger, None)
            .map_err(ExportError::Write)?;
        let name = draft.name();
        let files = FileSource::None {
            why: "a bench writes rows alone".to_owned(),
        };
        let found = (&self.outcome, files);
        let written = write_rows(request, Some(&name), writer, found, Vec::new(), observer)?;
        Ok(written.0)
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
