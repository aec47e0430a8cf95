//! What changed between two exports: by relation and key, whatever folders, buckets or batches they lie in.
//!
//! No snapshot is needed. Each relation is read twice: first every record of both sides becomes a few hashes, which tell
//! what was added, removed and changed; then the first of the changed records are read again, to say which of their keys
//! differ. Memory holds about 100 bytes for each record of the larger relation, and the changed records that are
//! described.

mod archive;
mod changes;
mod identity;
mod record;
mod relation;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::bucket::bucket_error;
use crate::failure::{Cause, Failure, Policy};
use crate::output::encryption::Identities;
use crate::output::{Contents, EntityEntry, Manifest, RelationEntry, Status};
use crate::pipeline::Pipeline;
use crate::salt::Salt;

pub(crate) use changes::{ChangeKind, ChangedRecord, Changes, RelationChanges};

/// Why two exports cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    #[error("cannot read {file}: {source}{}", advice(.source))]
    Read { file: String, source: io::Error },
    #[error(
        "cannot compare: the system has no random bytes: {0}\n  see why /dev/urandom cannot be read"
    )]
    NoRandom(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Failure for DiffError {
    fn policy(&self) -> Policy {
        match self {
            DiffError::Read { source, .. } => match bucket_error(source) {
                Some(error) => error.of_reading(),
                None => Policy::EndRun(Cause::Snapshot),
            },
            DiffError::NoRandom(_) => Policy::EndRun(Cause::Machine),
            DiffError::Interrupted => Policy::EndRun(Cause::Interruption),
        }
    }
}

/// What to do about a file that cannot be read. An error of a bucket says that itself.
fn advice(source: &io::Error) -> &'static str {
    match bucket_error(source) {
        Some(_) => "",
        None => "\n  `relexport verify` says what is wrong with the export",
    }
}

/// One of the two exports.
pub(crate) struct Side<'s> {
    pub(crate) store: &'s dyn Contents,
    pub(crate) manifest: &'s Manifest,
    /// What its files are opened with, if they are encrypted.
    pub(crate) identities: Option<&'s Identities>,
}

/// What is compared.
pub(crate) struct Request<'r> {
    pub(crate) old: Side<'r>,
    pub(crate) new: Side<'r>,
    /// Pipelines that say by which columns records are told apart.
    pub(crate) pipelines: &'r [&'r Pipeline],
    /// Relations of these names; of none, all.
    pub(crate) relations: &'r [String],
    /// Values are shown.
    pub(crate) with_values: bool,
    pub(crate) interrupted: &'r AtomicBool,
    /// Counts the bytes of files that were read.
    pub(crate) read: &'r AtomicU64,
}

/// Compares two exports.
///
/// # Errors
/// If a file cannot be read to its end.
pub(crate) fn diff(request: &Request<'_>) -> Result<Changes, DiffError> {
    let salt = Salt::new().map_err(DiffError::NoRandom)?;
    let mut changes = Changes::default();
    let key = |entity: &EntityEntry| (entity.kind.clone(), entity.id.clone());
    let entities =
        |side: &Side<'_>| -> BTreeSet<_> { side.manifest.entities.iter().map(key).collect() };
    let all: BTreeSet<_> = entities(&request.old)
        .into_iter()
        .chain(entities(&request.new))
        .collect();
    for wanted in all {
        let find = |side: &Side<'_>| {
            let mut entities = side.manifest.entities.iter();
            entities.find(|entity| key(entity) == wanted).cloned()
        };
        let (old, new) = (find(&request.old), find(&request.new));
        let Some(either) = new.as_ref().or(old.as_ref()) else {
            continue;
        };
        match (&old, &new) {
            (Some(_), None) => changes.removed_entities.push(either.full_path.clone()),
            (None, Some(_)) => changes.added_entities.push(either.full_path.clone()),
            _ => {}
        }
        let relations = |entity: &Option<EntityEntry>| {
            let entity = entity.iter();
            let relations = entity.flat_map(|entity| &entity.relations);
            relations
                .map(|entry| entry.relation.clone())
                .collect::<Vec<_>>()
        };
        let mut names = relations(&new);
        for name in relations(&old) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.retain(|name| request.relations.is_empty() || request.relations.contains(name));
        for name in names {
            if request
                .interrupted
                .load(std::sync::atomic::Ordering::Relaxed)
            {
                return Err(DiffError::Interrupted);
            }
            let entry = |entity: &Option<EntityEntry>| -> Option<RelationEntry> {
                let mut relations = entity.iter().flat_map(|entity| &entity.relations);
                relations.find(|entry| entry.relation == name).cloned()
            };
            let (old, new) = (entry(&old), entry(&new));
            let mut found = RelationChanges::new(either, &name);
            let is_unfinished = |entry: &RelationEntry| entry.status != Status::Finished;
            if [&old, &new].into_iter().flatten().any(is_unfinished) {
                found.not_compared = Some("it is not finished in one of the exports".to_owned());
            } else {
                relation::compare(
                    request,
                    salt,
                    either,
                    (old, new),
                    &mut found,
                    &mut changes.described,
                )?;
            }
            changes.relations.push(found);
        }
    }
    Ok(changes)
}
