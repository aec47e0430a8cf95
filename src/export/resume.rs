//! Going on with an export that was interrupted: whether it is the same export, and what of it is kept.
//!
//! A file is kept where snapshot, pipeline, options and program are the same, and the file is there with the size and
//! checksum that the manifest says. The rows are found anew; records of kept files are rendered only as far as
//! another relation is collected from them.

use std::collections::HashSet;
use std::path::Path;

use crate::output::manifest;
use crate::output::{BatchStatus, EntityEntry, Manifest, RelationEntry, Status, take_up};
use crate::resolve::{Plan, PlanSource};

use super::batches::FilePlace;
use super::entries::{GENERATOR, options_entry, pipeline_entry, terms};
use super::error::ExportError;
use super::request::ExportRequest;

/// The manifest of the unfinished export in the request's folder; `None` where there is nothing yet. The snapshot is
/// not opened for that: from a pipe, what was read to look at it would be gone.
///
/// # Errors
/// Where the export is finished, or another one than the request's.
pub(super) fn unfinished(request: &ExportRequest) -> Result<Option<Manifest>, ExportError> {
    let refused = |reason: String| ExportError::Resume {
        path: request.out.display().to_string(),
        reason,
    };
    // A folder that holds something else is refused as without --resume.
    let Ok(earlier) = manifest::read(&request.out) else {
        return Ok(None);
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

/// How many finished files of an unfinished export a folder has, with which `resume` could go on.
pub fn resumable_files(folder: &Path) -> usize {
    let is_unfinished =
        manifest::read(folder).is_ok_and(|manifest| manifest.status != Status::Finished);
    match is_unfinished {
        true => finished_files(folder),
        false => 0,
    }
}

/// How many finished files an export folder has that another run can go on with.
pub(super) fn finished_files(folder: &Path) -> usize {
    let found = manifest::read(folder).ok();
    let Some(manifest) = found.filter(|manifest| manifest.resume.is_some()) else {
        return 0;
    };
    let relations = manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations);
    relations.flat_map(RelationEntry::files).count()
}

/// Takes up the export of `earlier`, in its folder: the manifest to begin with, in which only files that are there as
/// they should be are finished.
///
/// # Errors
/// Where the folder cannot be put in order.
pub(super) fn go_on(
    out: &Path,
    earlier: Manifest,
    first: Manifest,
) -> Result<Manifest, ExportError> {
    let mut manifest = Manifest {
        entities: earlier.entities,
        started_at: earlier.started_at,
        ..first
    };
    take_up(out, &mut manifest).map_err(ExportError::Write)?;
    Ok(manifest)
}

/// In what an earlier export differs from the one that is asked for.
fn difference(earlier: &Manifest, request: &ExportRequest) -> Option<String> {
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
    if earlier.pipeline != pipeline_entry(request) {
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
    if old.edition != new.edition {
        return made("--edition", &old.edition, &new.edition);
    }
    if before.gzip_level != now.gzip_level {
        return made("--gzip-level", &before.gzip_level, &now.gzip_level);
    }
    if (&before.named, before.descendants) != (&now.named, now.descendants) {
        return Some("it is of other groups".to_owned());
    }
    if before.relations != now.relations {
        return Some("it is of other relations".to_owned());
    }
    // What was finished without leaving anything out is the same with --keep-going.
    if before.keep_going && !now.keep_going {
        return Some("it was begun with --keep-going, so rows may be missing from it".to_owned());
    }
    if before.allow_missing && !now.allow_missing {
        return Some(
            "it was begun with --allow-missing, so rows may be missing from it".to_owned(),
        );
    }
    None
}

/// Puts what an earlier run finished into the entries of this one, but for relations that are collected: records that
/// are made only now may add to them. Returns the places of the files that are kept.
pub(super) fn merge(
    plan: &Plan,
    entities: &mut [EntityEntry],
    earlier: Vec<EntityEntry>,
) -> HashSet<FilePlace> {
    let mut kept = HashSet::new();
    for before in earlier {
        let Some((entity, now)) = entities
            .iter_mut()
            .enumerate()
            .find(|(_, now)| now.id == before.id && now.prefix == before.prefix)
        else {
            continue;
        };
        for old in before.relations {
            let Some((relation, new)) = now
                .relations
                .iter_mut()
                .enumerate()
                .find(|(_, new)| new.relation == old.relation && new.batched == old.batched)
            else {
                continue;
            };
            if let Ok(PlanSource::Collected(_)) = plan.relations[relation].source {
                continue;
            }
            if old.file.is_some() {
                kept.insert((entity, relation, None));
            }
            for batch in old.batches.iter().flatten() {
                if batch.status == BatchStatus::Finished {
                    kept.insert((entity, relation, Some(batch.batch_number)));
                }
            }
            *new = old;
        }
    }
    kept
}
