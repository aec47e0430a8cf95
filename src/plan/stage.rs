//! Planning with a snapshot that goes by once: it is read once, into several snapshots of which each task reads its own.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::error::PlanError;
use super::file::{PlanFile, Task};
use super::make::{MakeRequest, Parts, assemble, tasks};
use super::work::{kinds, shard};
use crate::export::{
    ExportError, ExportObserver, ExportRequest, Outline, Share, left_out_entries, outline,
    pipeline_entries, remarks_say, terms,
};
use crate::output::{Location, SharedPlace, StoreError, TableInParts};
use crate::pipeline::EntityId;
use crate::resolve::ALL_ROWS;
use crate::snapshot::{FileSource, Spec, TableName, open_with};
use crate::take::{
    TakeError, TakeObserver, TakeRequest, TakenShard, TakenShards, check_place, put_shards,
    take_shards,
};
use crate::temp_folder::TempFolder;

/// Makes a plan by way of snapshots that are taken into a stage.
///
/// # Errors
/// If the snapshot cannot be read, or the stage not be written; nothing is left there then.
pub(crate) fn make_staged(
    request: &MakeRequest<'_>,
    stage: &Location,
    place: &dyn SharedPlace,
    take_observer: &mut dyn TakeObserver,
    observer: &mut dyn ExportObserver,
) -> Result<PlanFile, PlanError> {
    let export = request.export;
    refuse_files(export)?;
    let taken = take(request, stage, take_observer)?;
    let planned = match export.selection.files && taken.without_files.is_none() {
        true => Err(files_are_lost(&export.snapshot)),
        false => plan_shards(request, stage, &taken, place, observer),
    };
    if planned.is_err()
        && let Location::Folder(path) = stage
        && let Err(error) = std::fs::remove_dir_all(path)
    {
        tracing::warn!("cannot remove {}: {error}", path.display());
    }
    planned
}

/// A backup's files are not in what is taken of it.
fn refuse_files(export: &ExportRequest) -> Result<(), PlanError> {
    // What comes through a pipe is looked at when it has been read.
    if !export.selection.files || !export.snapshot.can_be_read_again() {
        return Ok(());
    }
    let snapshot = open_with(&export.snapshot, &export.open)
        .map_err(|error| PlanError::Export(ExportError::Open(Box::new(error))))?;
    match snapshot.files {
        FileSource::None { .. } => Ok(()),
        _ => Err(files_are_lost(&export.snapshot)),
    }
}

fn files_are_lost(snapshot: &Spec) -> PlanError {
    PlanError::Refused(format!(
        "cannot stage {}: the files of a backup (repositories, uploads, LFS objects) do not go into a stage\n  \
         leave them out with --no-files, or export on one machine",
        snapshot.shown()
    ))
}

/// Takes the shards to their place.
fn take(
    request: &MakeRequest<'_>,
    stage: &Location,
    observer: &mut dyn TakeObserver,
) -> Result<TakenShards, PlanError> {
    let export = request.export;
    match stage {
        Location::Folder(path) => {
            take_shards(&take_request(export, path), request.tasks, observer).map_err(|error| {
                match error {
                    TakeError::Store(StoreError::Exists { path, .. }) => PlanError::Refused(format!(
                        "cannot stage in {path}: something is there already\n  name another folder with --stage"
                    )),
                    error => PlanError::Take(error),
                }
            })
        }
        Location::Bucket(url) => {
            check_place(url)?;
            let temp = TempFolder::create(&export.limits.temp_dir, "relexport-stage")
                .map_err(ExportError::Temp)?;
            let folder = temp.path().join("stage");
            let taken = take_shards(&take_request(export, &folder), request.tasks, observer)?;
            put_shards(&folder, url, &export.interrupted)?;
            Ok(taken)
        }
    }
}

fn take_request(export: &ExportRequest, out: &Path) -> TakeRequest {
    TakeRequest {
        from: export.snapshot.clone(),
        open: export.open.clone(),
        out: out.to_owned(),
        force: false,
        lock_wait: Duration::ZERO,
        kinds: export.kinds.clone(),
        limited: true,
        limits: export.limits.clone(),
        pool: Arc::clone(&export.pool),
        interrupted: Arc::clone(&export.interrupted),
    }
}

/// Plans with shards that lie in a stage.
fn plan_shards(
    request: &MakeRequest<'_>,
    stage: &Location,
    taken: &TakenShards,
    place: &dyn SharedPlace,
    observer: &mut dyn ExportObserver,
) -> Result<PlanFile, PlanError> {
    let export = request.export;
    let counts = counts(&taken.shards, request.tasks);
    let mut whole: Option<Outline> = None;
    let mut all: Vec<Task> = Vec::new();
    for (it, count) in taken.shards.iter().zip(counts) {
        let of_shard = of_shard(export, stage, it, &taken.without_files);
        let databases = &of_shard.open.databases;
        let fingerprint = databases
            .fingerprint(&of_shard.snapshot)
            .map_err(|error| PlanError::unreadable(&of_shard.snapshot.shown(), error))?;
        let mut one = outline(&of_shard, &place.name(), observer)?;
        let before = whole.as_ref().map_or(0, |whole| whole.entities.len());
        let own = tasks(&one, count);
        all.extend(own.into_iter().map(|task| Task {
            snapshot: Some(it.folder.clone()),
            fingerprint: fingerprint.clone(),
            entities: (before + task.entities.0, before + task.entities.1),
            ..task
        }));
        // It was of this shard's rows, and said how to cut it.
        for relation in &mut one.relations {
            relation.share = ALL_ROWS;
        }
        match &mut whole {
            None => whole = Some(one),
            Some(whole) => join(whole, one)?,
        }
    }
    let mut outline = whole.ok_or_else(|| {
        PlanError::Refused(format!(
            "{}: nothing was taken of it",
            export.snapshot.shown()
        ))
    })?;
    // The export is of the source, whatever it was made of.
    if let Some(first) = taken.shards.first() {
        outline.manifest.snapshot.kind = first.taken.from.kind.clone();
        outline.manifest.snapshot.source = first.taken.from.source.clone();
    }
    outline.manifest.resume = terms(export);
    let mut pipelines = pipeline_entries(export).into_iter();
    outline.manifest.pipeline = pipelines.next().unwrap_or_default();
    outline.manifest.more_pipelines = pipelines.collect();
    outline.manifest.left_out = left_out_entries(export, &taken.remarks.left_out);
    let said = remarks_say(export, &taken.remarks);
    outline.manifest.warnings.extend(said);
    let relations = outline.relations.iter().flat_map(|it| &it.tables);
    let read: BTreeSet<&TableName> = relations.chain(&outline.observed).collect();
    let in_parts = taken
        .in_parts
        .iter()
        .filter(|(table, _)| read.contains(table));
    outline.manifest.tables_in_parts = in_parts
        .map(|(table, parts)| TableInParts {
            table: table.to_string(),
            parts: *parts,
        })
        .collect();
    let parts = Parts {
        fingerprint: None,
        stage: Some(stage.shown()),
        tasks: all,
    };
    assemble(request, &outline, parts)
}

/// How many tasks each shard has: one, and of those that are left over as many as fit its share of the bytes.
fn counts(shards: &[TakenShard], tasks: usize) -> Vec<usize> {
    let bytes = |shard: &TakenShard| -> u64 {
        let tables = &shard.taken.described.tables;
        tables.iter().map(|table| table.bytes).sum()
    };
    let all: u64 = shards.iter().map(bytes).sum::<u64>().max(1);
    let spare = tasks.saturating_sub(shards.len()) as u128;
    let more = |shard: &TakenShard| spare * u128::from(bytes(shard)) / u128::from(all);
    let counts = shards.iter().map(|shard| {
        // At most the tasks that are left over.
        1 + usize::try_from(more(shard)).unwrap_or_default()
    });
    counts.collect()
}

/// The request of an export of a shard's entities.
fn of_shard(
    export: &ExportRequest,
    stage: &Location,
    it: &TakenShard,
    without_files: &Option<String>,
) -> ExportRequest {
    let mut request = export.clone();
    request.snapshot = shard(&stage.shown(), &it.folder);
    request.open.databases.others.clear();
    request.kinds = kinds(request.kinds, |pipeline| {
        let keys = it.only.get(pipeline).into_iter().flatten();
        keys.map(EntityId::to_string).collect()
    });
    request.share = Share {
        of_plan: true,
        without_files: without_files.clone(),
        ..Share::default()
    };
    request
}

/// Adds what the export of the next shard will be.
fn join(whole: &mut Outline, other: Outline) -> Result<(), PlanError> {
    let mut sets = Vec::new();
    for range in &other.sets {
        let relations = &other.relations[range.clone()];
        let same = |known: &Range<usize>| whole.relations[known.clone()] == *relations;
        let known = whole.sets.iter().position(same);
        sets.push(known.unwrap_or_else(|| {
            let start = whole.relations.len();
            whole.relations.extend(relations.iter().cloned());
            whole.sets.push(start..whole.relations.len());
            whole.sets.len() - 1
        }));
    }
    whole
        .entities
        .extend(other.entities.into_iter().map(|mut entity| {
            entity.set = sets.get(entity.set).copied().unwrap_or_default();
            entity
        }));
    for table in other.observed {
        if !whole.observed.contains(&table) {
            whole.observed.push(table);
        }
    }
    // A rule that something is written by in one of them is not idle.
    whole
        .idle_rules
        .retain(|rule| other.idle_rules.contains(rule));
    let manifest = &mut whole.manifest;
    manifest.entities.extend(other.manifest.entities);
    for warning in other.manifest.warnings {
        if !manifest.warnings.contains(&warning) {
            manifest.warnings.push(warning);
        }
    }
    for relation in other.manifest.left_out_relations {
        if !manifest.left_out_relations.contains(&relation) {
            manifest.left_out_relations.push(relation);
        }
    }
    join_metadata(&mut whole.metadata, &other.metadata)
}

/// Adds the entities of one description of an export to those of another.
fn join_metadata(whole: &mut Vec<u8>, other: &[u8]) -> Result<(), PlanError> {
    let form = |source: serde_json::Error| PlanError::Form {
        path: "the description of a shard".to_owned(),
        source,
    };
    let mut joined: Value = serde_json::from_slice(whole).map_err(form)?;
    let other: Value = serde_json::from_slice(other).map_err(form)?;
    if let (Some(mapping), Some(more)) = (
        joined["entities_mapping"].as_object_mut(),
        other["entities_mapping"].as_object(),
    ) {
        mapping.extend(more.clone());
    }
    *whole = joined.to_string().into_bytes();
    Ok(())
}
