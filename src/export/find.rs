//! Finding the rows of an export: in one read of the snapshot where that is possible, else in two.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::failure::{Failure, Policy};
use crate::resolve::{
    self, KindChoice, Outcome, Plan, Reading, Request, ResolveError, Selection, WantedTables,
    resolve,
};
use crate::snapshot;
use crate::snapshot::{Access, FileSource, Snapshot, SnapshotError, SnapshotFacts, TableName};

use super::error::{ExportError, resolve_error, without_names};
use super::observer::ExportObserver;
use super::redact::{Masks, Redaction};
use super::request::ExportRequest;
use super::warnings::plan_warnings;
use crate::advice::advise;

pub(super) fn open(request: &ExportRequest) -> Result<Snapshot, ExportError> {
    let tables = WantedTables::new(&request.kinds, &request.selection).known();
    let opened = snapshot::open_with(&request.snapshot, &request.open.needing(tables));
    let snapshot = opened.map_err(|error| match error {
        SnapshotError::Interrupted => ExportError::Interrupted,
        error => ExportError::Open(Box::new(error)),
    })?;
    if let (Access::Keyed(source), Some(instant)) = (&snapshot.access, &request.share.instant)
        && source.facts().instant.as_ref() != Some(instant)
    {
        return Err(ExportError::Open(Box::new(SnapshotError::NotHeld {
            server: request.snapshot.shown(),
            reason: "its id names another instant than when the plan was made: the server was started anew".to_owned(),
        })));
    }
    Ok(snapshot)
}

/// Finds the rows of an export, in one read of the snapshot where that is possible, and says where its files are.
pub(super) fn find_rows(
    request: &ExportRequest,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<(Outcome, FileSource), ExportError> {
    find_rows_of(request, &request.selection, snapshot, observer)
        .map_err(|error| without_names(request, error))
}

/// As [`find_rows`], of another selection than the request's.
pub(super) fn find_rows_of(
    request: &ExportRequest,
    selection: &Selection,
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
) -> Result<(Outcome, FileSource), ExportError> {
    let mut snapshot = snapshot;
    let mut reading = Reading::first(request.kinds.clone());
    let mut is_again = false;
    loop {
        let files = take_files(request, &mut snapshot);
        let outcome = read_once(
            request,
            (selection, &files),
            snapshot,
            observer,
            &reading,
            is_again,
        );
        let error = match outcome {
            Err(error)
                if error.policy() == Policy::ReadAgain
                    && request.open.databases.can_be_read_again(&request.snapshot) =>
            {
                error
            }
            outcome => {
                let outcome = outcome.map_err(resolve_error(&request.snapshot))?;
                return Ok((outcome, files));
            }
        };
        let Some(other) = reading.again(&error) else {
            return Err(resolve_error(&request.snapshot)(error));
        };
        if let ResolveError::Reappeared { table } = &error {
            tracing::warn!(
                "table {table} stands in two places of the snapshot; reading it once more"
            );
        }
        reading = other;
        is_again = true;
        snapshot = open(request)?;
    }
}

/// Where the snapshot's files are, if they are wanted.
fn take_files(request: &ExportRequest, snapshot: &mut Snapshot) -> FileSource {
    let why = match request.leaves_out_files() {
        true => {
            "files are left out, since they cannot be redacted (`files: keep` in the redaction file takes them as they are)"
        }
        false => "files are left out (--no-files)",
    };
    let none = FileSource::None {
        why: why.to_owned(),
    };
    let files = std::mem::replace(&mut snapshot.files, none);
    match (request.selection.files, &request.share.without_files) {
        (true, Some(why)) => FileSource::None { why: why.clone() },
        (true, None) => files,
        (false, _) => std::mem::replace(&mut snapshot.files, files),
    }
}

/// Bytes on disk of what an export will read.
fn size_to_read(
    request: &ExportRequest,
    selection: &Selection,
    snapshot: &Snapshot,
) -> Option<u64> {
    let Access::Tables(source) = &snapshot.access else {
        return snapshot.size;
    };
    let wanted = WantedTables::new(&request.kinds, selection);
    let tables = wanted.in_catalog(&source.catalog());
    let parts = tables.iter().flat_map(|table| source.parts(table));
    Some(parts.map(|part| part.size).sum())
}

fn read_once(
    request: &ExportRequest,
    (selection, files): (&Selection, &FileSource),
    snapshot: Snapshot,
    observer: &mut dyn ExportObserver,
    reading: &Reading,
    is_again: bool,
) -> Result<Outcome, ResolveError> {
    let size = size_to_read(request, selection, &snapshot);
    observer.reading(size, Arc::clone(&snapshot.progress));
    let selection = Selection {
        files: !matches!(files, FileSource::None { .. }),
        collected: request.share.collected_relations(),
        ..selection.clone()
    };
    let resolve_request = Request {
        kinds: &reading.kinds,
        selection: &selection,
        limits: &request.limits,
        pool: Arc::clone(&request.pool),
        interrupted: Arc::clone(&request.interrupted),
        seal_late: reading.seal_late,
        allow_missing: request.options.allow_missing,
        strict: request.options.strict,
        stop_early: false,
    };
    let mut tables = Tables {
        observer,
        redaction: request.redaction.as_deref(),
        kinds: &request.kinds,
        is_strict: request.options.strict,
        again: is_again || request.share.of_plan,
    };
    let outcome = resolve(snapshot, &resolve_request, &mut tables);
    // A signal may have ended what writes into a pipe, too: then that its end was missing is no news.
    match request.interrupted.load(Ordering::Relaxed) {
        true => Err(ResolveError::Interrupted),
        false => outcome,
    }
}

/// Passes on what the resolver tells.
struct Tables<'a> {
    observer: &'a mut dyn ExportObserver,
    redaction: Option<&'a Redaction>,
    kinds: &'a [KindChoice],
    is_strict: bool,
    /// What is wrong with the plan has been told: the snapshot is read once more, or for a share.
    again: bool,
}

impl resolve::Observer for Tables<'_> {
    fn planned(&mut self, plan: &Plan, _facts: &SnapshotFacts) -> Result<(), ResolveError> {
        if let Some(redaction) = self.redaction {
            // Whatever is wrong with it is told before rows are read.
            let masks = Masks::new(redaction, plan, self.kinds, self.is_strict);
            let masks = masks.map_err(ResolveError::Denied)?;
            for warning in masks.idle().iter().filter(|_| !self.again) {
                tracing::warn!("{warning}");
            }
        }
        if self.again {
            return Ok(());
        }
        for warning in plan_warnings(plan) {
            tracing::warn!("{warning}");
        }
        for advice in &plan.advice {
            advise(advice);
        }
        Ok(())
    }

    fn table(&mut self, name: &TableName) {
        self.observer.table(&name.to_string());
    }
}
