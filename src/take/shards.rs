//! A snapshot in shards: taken by one read, and cut into several, each with the rows of some of the entities.
//!
//! So each of many workers can read what it needs of a dump that has to be read from its beginning, and no more. The entities of
//! a shard follow on one another in the order in which they are exported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::TakeError;
use super::groups::{self, FoundRows};
use super::manifest::{self, SourceEntry, Taken};
use super::ranges::ranges;
use super::request::{TakeObserver, TakeRequest};
use super::run::{check_generated, check_taken_for, describe, size_to_read, take_beside, warnings};
use crate::io_error::at;
use crate::output::{FolderDraft, Holding, atomic};
use crate::pipeline::EntityId;
use crate::resolve::{EntityInfo, Remarks};
use crate::snapshot::{FileSource, Snapshot, TableName};

/// A folder that holds a snapshot in shards.
const SHARDS: Holding = Holding {
    what: "snapshot in shards",
    one: "a snapshot in shards",
    is_one: |folder| manifest::read(&folder.join(folder_name(0))).is_ok(),
    // Replacing it takes its folder as a whole.
    foreign: |_| Ok(None),
};

/// One of the snapshots that a source was cut into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenShard {
    /// The name of its folder, below the one that was asked for: `shard-0003`.
    pub folder: String,
    /// The keys of its entities, by the names of their pipelines.
    pub only: BTreeMap<String, Vec<EntityId>>,
    pub taken: Taken,
}

/// What was taken in shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenShards {
    pub shards: Vec<TakenShard>,
    /// What is to be told of entities, by their kinds' places in the request.
    pub remarks: Remarks,
    /// Tables that were read and whose rows stand in others, too, with how many there are below each.
    pub in_parts: Vec<(TableName, u64)>,
    /// Why the source has no files; `None` if it has some, which are not taken.
    pub without_files: Option<String>,
}

/// The name of a shard's folder.
fn folder_name(number: usize) -> String {
    format!("shard-{number:04}")
}

/// Takes the rows of the chosen entities in one read, as at most so many snapshots; each is a folder of its own in
/// `request.out`, which is there when all are complete. [`TakeRequest::limited`] is taken to be true.
///
/// # Errors
/// Where it is not complete, for whatever reason; nothing is left then.
pub fn take_shards(
    request: &TakeRequest,
    shards: usize,
    observer: &mut dyn TakeObserver,
) -> Result<TakenShards, TakeError> {
    take_beside(request, SHARDS, |source, folder| {
        take_into(request, shards, source, folder, observer)
    })
}

fn take_into(
    request: &TakeRequest,
    shards: usize,
    source: Snapshot,
    folder: &FolderDraft,
    observer: &mut dyn TakeObserver,
) -> Result<TakenShards, TakeError> {
    let from = SourceEntry::of(&source);
    check_taken_for(request, &source)?;
    check_generated(request, &source)?;
    observer.reading(size_to_read(request, &source), Arc::clone(&source.progress));
    let without_files = match &source.files {
        FileSource::None { why } => Some(why.clone()),
        FileSource::Here(_) | FileSource::Behind(_) => None,
    };
    let rows = groups::find(request, source, observer)?;
    let mut told = BTreeSet::new();
    let mut taken = Vec::new();
    for (number, range) in ranges(&rows.weights(), shards).into_iter().enumerate() {
        folder.check_identity()?;
        let name = folder_name(number);
        let place = folder.work().join(&name);
        let entities = &rows.entities()[range];
        let shard = write(request, &rows, entities, &from, &place, &mut told)?;
        taken.push(TakenShard {
            folder: name,
            only: shard.described.only().unwrap_or_default(),
            taken: shard,
        });
    }
    if taken.is_empty() {
        return Err(TakeError::Plan(format!(
            "{}: it has none of the entities that are asked for, so there is nothing to take",
            request.from.shown()
        )));
    }
    request.check_interrupted()?;
    folder.check_identity()?;
    Ok(TakenShards {
        shards: taken,
        remarks: rows.remarks().clone(),
        in_parts: rows.in_parts(),
        without_files,
    })
}

/// Writes the snapshot of some entities into a folder, which is made. `told` are the warnings that the user has heard.
fn write(
    request: &TakeRequest,
    rows: &FoundRows,
    entities: &[EntityInfo],
    from: &SourceEntry,
    folder: &Path,
    told: &mut BTreeSet<String>,
) -> Result<Taken, TakeError> {
    make_folder(folder).map_err(TakeError::Write)?;
    let found = rows.write(request, entities, folder)?;
    request.check_interrupted()?;
    for warning in warnings(request, &found)? {
        if told.insert(warning.clone()) {
            tracing::warn!("{warning}");
        }
    }
    let taken = describe(request, from.clone(), found, folder)?;
    manifest::write(folder, &taken).map_err(TakeError::Write)?;
    Ok(taken)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder).map_err(at(folder))?;
    atomic::sync_folder(atomic::folder_of(folder))
}
