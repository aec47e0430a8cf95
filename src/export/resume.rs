//! Going on with an export that was interrupted: whether it is the same export, and what of it is kept.
//!
//! A file is kept if snapshot, pipeline, options and program are the same, and the file is there with the size and
//! checksum that the manifest says. The rows are found anew; records of kept files are rendered only as far as
//! another relation is collected from them.

use std::collections::HashSet;
use std::io;

use crate::output::{
    self, BatchStatus, Contents, Draft, EntityEntry, FileKey, Ledger, Manifest, ManifestError,
    RedactionEntry, RelationEntry, Status, Store, StoreError, take_up,
};
use crate::resolve::{PlanSource, Resolved};

use super::entries::{
    GENERATOR, encrypted_for, options_entry, pipeline_entries, redaction_entry, terms,
};
use super::error::ExportError;
use super::request::ExportRequest;

/// The manifest of the unfinished export in a store; `None` if there is nothing yet. The snapshot is
/// not opened for that: from a pipe, what was read to look at it would be gone.
///
/// # Errors
/// If the export is finished, or another one than the request's.
pub(super) fn unfinished(
    request: &ExportRequest,
    store: &dyn Store,
) -> Result<Option<Manifest>, ExportError> {
    let refused = |reason: String| ExportError::Resume {
        path: store.shown(""),
        reason,
    };
    let earlier = match store.manifest() {
        Ok(earlier) => earlier,
        // To be told to begin anew for it would cost what is finished.
        Err(error) if error.is_of_store() => {
            return Err(ExportError::Store(StoreError::Io {
                path: store.shown(""),
                source: io::Error::other(error),
            }));
        }
        // A place that holds nothing or something else is refused as without --resume.
        Err(_) => return Ok(None),
    };
    if earlier.status == Status::Finished {
        return Err(refused(
            "it is finished\n  name another folder, or replace it with --force".to_owned(),
        ));
    }
    match difference(&earlier, request) {
        Some(difference) => Err(refused(format!(
            "{difference}\n  begin anew with --force instead of --resume"
        ))),
        None => Ok(Some(earlier)),
    }
}

/// How many finished files of an unfinished export lie in a store, with which another run could go on.
pub fn resumable_files(contents: &dyn Contents) -> usize {
    match contents.manifest() {
        Ok(manifest) if manifest.status != Status::Finished => files_to_go_on_with(&manifest),
        _ => 0,
    }
}

/// How many finished files lie there that another run can go on with, whatever the status of the export.
///
/// # Errors
/// If that cannot be told now.
pub(super) fn finished_files(contents: &dyn Contents) -> Result<usize, ManifestError> {
    match contents.manifest() {
        Ok(manifest) => Ok(files_to_go_on_with(&manifest)),
        Err(error) if error.is_of_store() => Err(error),
        Err(_) => Ok(0),
    }
}

fn files_to_go_on_with(manifest: &Manifest) -> usize {
    if manifest.resume.is_none() {
        return 0;
    }
    let entities = manifest.entities.iter();
    let relations = entities.flat_map(|entity| &entity.relations);
    relations.flat_map(RelationEntry::files).count()
}

/// Takes up the export of `earlier`: the ledger to begin with, in which only files that are there as
/// they should be are finished.
///
/// # Errors
/// If what is there cannot be put in order.
pub(super) fn go_on(
    draft: &dyn Draft,
    earlier: Manifest,
    first: Manifest,
) -> Result<Ledger, ExportError> {
    let mut ledger = Ledger::go_on(first, earlier);
    take_up(draft, &mut ledger).map_err(ExportError::Write)?;
    Ok(ledger)
}

/// In what an earlier export differs from the one that is asked for.
pub(super) fn difference(earlier: &Manifest, request: &ExportRequest) -> Option<String> {
    if earlier.resume.is_none() && earlier.entities.is_empty() {
        return Some("it failed before anything was written, so nothing of it is kept".to_owned());
    }
    let (Some(before), Some(now)) = (&earlier.resume, &terms(request)) else {
        return Some(
            "its snapshot cannot be read a second time: standard input, a pipe or a server"
                .to_owned(),
        );
    };
    let made = |what: &str, before: &dyn std::fmt::Display, now: &dyn std::fmt::Display| {
        Some(format!("it was begun with {what} {before}, not {now}"))
    };
    if earlier.generator != GENERATOR {
        return made("the program", &earlier.generator, &GENERATOR);
    }
    if before.fingerprint != now.fingerprint {
        return Some(format!(
            "the snapshot {} is not the one that it was begun with, or was written again since",
            request.snapshot.shown()
        ));
    }
    if earlier.pipelines() != pipeline_entries(request) {
        return Some("it was begun with another pipeline".to_owned());
    }
    let (old, new) = (&earlier.options, &options_entry(request));
    if old.batched != new.batched {
        return Some(match old.batched {
            true => "it was begun with --batched".to_owned(),
            false => "it was begun without --batched".to_owned(),
        });
    }
    if old.batch_size != new.batch_size {
        return made("--batch-size", &old.batch_size, &new.batch_size);
    }
    if old.batch_sizes != new.batch_sizes {
        return Some("it was begun with other batch sizes of relations (--batch-size)".to_owned());
    }
    if old.batch_bytes != new.batch_bytes {
        return Some("it was begun with another --batch-bytes".to_owned());
    }
    if old.edition != new.edition {
        return made("--edition", &old.edition, &new.edition);
    }
    let made_by = |entry: &Option<RedactionEntry>| {
        let entry = entry.as_ref();
        entry.map(|entry| (entry.sha256.clone(), entry.key_id.clone()))
    };
    if made_by(&earlier.redaction) != made_by(&redaction_entry(request)) {
        return Some("it was begun with another redaction file or key, or without one".to_owned());
    }
    if earlier.encrypted_for != encrypted_for(request) {
        return Some("it was begun for other recipients (--encrypt-to), or for none".to_owned());
    }
    if before.gzip_level != now.gzip_level {
        return made("--gzip-level", &before.gzip_level, &now.gzip_level);
    }
    if before.choices() != now.choices() {
        return Some("it is of other groups or projects".to_owned());
    }
    if before.relations != now.relations {
        return Some("it is of other relations".to_owned());
    }
    // What was finished without leaving anything out is the same with --keep-going.
    if before.keep_going && !now.keep_going {
        return Some("it was begun with --keep-going, so rows may be missing from it".to_owned());
    }
    if before.no_files != now.no_files {
        return Some("one of the two leaves out files (--no-files)".to_owned());
    }
    if before.allow_missing && !now.allow_missing {
        return Some(
            "it was begun with --allow-missing, so rows may be missing from it".to_owned(),
        );
    }
    None
}

/// Puts what an earlier run finished into the entries of this one, but for relations that are collected: records that
/// are made only now may add to them. Returns the files that are kept.
pub(super) fn unite(
    resolved: &Resolved,
    entities: &mut [EntityEntry],
    earlier: Vec<EntityEntry>,
) -> HashSet<FileKey> {
    output::unite(entities, earlier, |entity, relation| {
        let first = resolved.relations_of(entity).start;
        let source = &resolved.plan.relations[first + relation].source;
        matches!(source, Ok(PlanSource::Collected(_)))
    })
}

/// The relations of which some batches are finished and others are not, by the positions of entity and relation.
pub(super) fn in_part(entities: &[EntityEntry]) -> HashSet<(usize, usize)> {
    let is_in_part = |relation: &RelationEntry| {
        let mut batches = relation.batches.iter().flatten();
        relation.status != Status::Finished
            && batches.any(|batch| batch.status == BatchStatus::Finished)
    };
    let entities = entities.iter().enumerate();
    let all = entities.flat_map(|(entity, entry)| {
        let relations = entry.relations.iter().enumerate();
        relations.map(move |(relation, entry)| (entity, relation, entry))
    });
    all.filter(|(_, _, entry)| is_in_part(entry))
        .map(|(entity, relation, _)| (entity, relation))
        .collect()
}
