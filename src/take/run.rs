//! A whole run: from a source's name to a complete folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::error::TakeError;
use super::manifest::{self, SCHEMA, SourceEntry, Taken};
use super::request::{TakeObserver, TakeRequest};
use super::tables::{TakenTables, needed, with_files};
use super::{groups, whole};
use crate::output::{FolderClaim, FolderDraft, Holding, atomic, claim_within, now};
use crate::pipeline::{EntityId, Pipeline, doubtful_keys};
use crate::resolve::{KindChoice, Selection, plan};
use crate::snapshot::{
    Access, Described, DescribedPipeline, DescribedSchema, Snapshot, TableName, schema_sql,
};
use crate::timings::{Phase, Timings};

/// A folder that holds a taken snapshot.
const SNAPSHOT: Holding = Holding {
    what: "snapshot",
    one: "a snapshot",
    is_one: |folder| manifest::read(folder).is_ok(),
    // Replacing a snapshot takes its folder as a whole.
    foreign: |_| Ok(None),
};

/// Takes a snapshot, and returns what its `snapshot.json` says.
///
/// # Errors
/// Where it is not complete, for whatever reason; nothing is left then.
pub(crate) fn take(
    request: &TakeRequest,
    observer: &mut dyn TakeObserver,
) -> Result<Taken, TakeError> {
    take_beside(request, SNAPSHOT, |source, folder| {
        take_into(request, source, folder, observer)
    })
}

/// Claims the place of a request, opens its source, and lets `fill` fill a folder beside that place, which then takes it. If
/// anything fails, the folder is taken away.
pub(super) fn take_beside<T>(
    request: &TakeRequest,
    holding: Holding,
    fill: impl FnOnce(Snapshot, &FolderDraft) -> Result<T, TakeError>,
) -> Result<T, TakeError> {
    let timings = Timings::start();
    let _work = timings.work(Phase::Scan);
    // A place that can never be right, or is another run's, is told before anything is read.
    let claim = || FolderClaim::take(&request.out);
    let claim = claim_within(request.lock_wait, &request.interrupted, claim)?
        .ok_or(TakeError::Interrupted)?;
    claim.check_beside(request.force, holding)?;
    let source = request.open_source()?;
    let folder = FolderDraft::beside(claim, request.force, holding)?;
    let taken = fill(source, &folder).and_then(|taken| Ok(folder.put().map(|_| taken)?));
    match taken {
        Ok(taken) => Ok(taken),
        Err(error) => {
            let shown = folder.work().display().to_string();
            if let Err(error) = folder.take_away() {
                tracing::warn!("cannot clear {shown}: {error}");
            }
            Err(error)
        }
    }
}

fn take_into(
    request: &TakeRequest,
    source: Snapshot,
    folder: &FolderDraft,
    observer: &mut dyn TakeObserver,
) -> Result<Taken, TakeError> {
    let from = SourceEntry::of(&source);
    check_taken_for(request, &source)?;
    check_generated(request, &source)?;
    observer.reading(size_to_read(request, &source), Arc::clone(&source.progress));
    let found = match request.limited {
        false => whole::tables(request, source, folder.work(), observer)?,
        true => {
            let rows = groups::find(request, source, observer)?;
            rows.write(request, rows.entities(), folder.work())?
        }
    };
    request.check_interrupted()?;
    for warning in warnings(request, &found)? {
        tracing::warn!("{warning}");
    }
    let taken = describe(request, from, found, folder.work())?;
    request.check_interrupted()?;
    folder.check_identity()?;
    manifest::write(folder.work(), &taken).map_err(TakeError::Write)?;
    Ok(taken)
}

/// Makes sure that the source was not taken for other pipelines, if it was taken.
pub(super) fn check_taken_for(request: &TakeRequest, source: &Snapshot) -> Result<(), TakeError> {
    let Access::Tables(tables) = &source.access else {
        return Ok(());
    };
    let taken_for = tables.facts().taken_for;
    let has = |kind: &KindChoice| {
        let mut taken = taken_for.iter();
        taken.any(|other| other.sha256 == kind.pipeline.sha256)
    };
    match taken_for.first() {
        Some(other) if !request.kinds.iter().all(has) => Err(TakeError::Plan(format!(
            "{}: it was taken for another pipeline ({}), so it may lack what {} needs; take from its source",
            request.from.shown(),
            other.name,
            request.pipelines()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Makes sure that exports from what is taken of a server find the rows that exports from the server find: generated columns are
/// not taken, as no dump has them.
pub(super) fn check_generated(request: &TakeRequest, source: &Snapshot) -> Result<(), TakeError> {
    let Access::Keyed(server) = &source.access else {
        return Ok(());
    };
    let catalog = server.catalog();
    let kinds = request.kinds.iter().filter(|kind| !kind.choice.is_nobody());
    let pipelines: Vec<&Pipeline> = kinds.map(|kind| &kind.pipeline).collect();
    // Exports say what of a pipeline cannot be planned; a copy of whole tables does not depend on it.
    let Ok(plan) = plan(&pipelines, &Selection::default(), &catalog) else {
        return Ok(());
    };
    for (id, table) in plan.tables.enumerate() {
        let columns = table.layout.iter().map(|column| &column.name);
        let mut generated = columns.filter(|column| catalog.is_generated(&table.name, column));
        if let Some(column) = generated.find(|column| plan.finds_by(id, column)) {
            return Err(TakeError::Plan(format!(
                "{}: column {column} of table {} is generated, so the snapshot would not have it, but the pipeline finds or sorts \
                 rows by it\n  name the columns that it is computed from in the pipeline, or export from the server itself",
                request.from.shown(),
                table.name
            )));
        }
    }
    Ok(())
}

/// What is worth a warning of tables that were taken.
///
/// # Errors
/// Where there are none.
pub(super) fn warnings(
    request: &TakeRequest,
    found: &TakenTables,
) -> Result<BTreeSet<String>, TakeError> {
    if found.tables.is_empty() {
        return Err(TakeError::Plan(format!(
            "{}: it has no data of any table that {} needs\n  \
             if it is of another database, name a pipeline of that one with --pipeline",
            request.from.shown(),
            request.pipelines()
        )));
    }
    let kinds = request.kinds.iter();
    Ok(kinds
        .flat_map(|kind| key_warnings(&kind.pipeline, found))
        .collect())
}

/// Writes the definitions of tables that were taken into their folder, and says what `snapshot.json` is to say.
pub(super) fn describe(
    request: &TakeRequest,
    from: SourceEntry,
    found: TakenTables,
    folder: &Path,
) -> Result<Taken, TakeError> {
    let files = with_files(&found.catalog, &found.tables)?;
    let schema = schema_sql(&found.catalog, &files);
    let mut file = atomic::PartFile::create(&folder.join(SCHEMA)).map_err(TakeError::Write)?;
    let written = file.write(schema.as_bytes()).and_then(|()| file.commit());
    let (bytes, sha256) = written.map_err(TakeError::Write)?;
    Ok(Taken {
        snapshot_version: manifest::VERSION,
        generator: concat!("relexport ", env!("CARGO_PKG_VERSION")).to_owned(),
        made_at: now(),
        from,
        schema: DescribedSchema {
            file: SCHEMA.to_owned(),
            bytes,
            sha256,
        },
        described: described(found, &files, &request.kinds),
    })
}

/// Keys of the pipeline that the source does not state as such.
fn key_warnings(pipeline: &Pipeline, found: &TakenTables) -> BTreeSet<String> {
    let is_taken = |schema: &&str| {
        let only = found.only.as_ref();
        let only = only.and_then(|only| only.get(&pipeline.name));
        only.is_none_or(|only| only.contains(&EntityId::text(*schema)))
    };
    let pipelines = match pipeline.schemas_in(&found.catalog) {
        None => vec![pipeline.clone()],
        Some(schemas) => {
            let taken = schemas.into_iter().filter(is_taken);
            taken.map(|schema| pipeline.in_schema(schema)).collect()
        }
    };
    let warnings = pipelines.iter().flat_map(|pipeline| {
        let tables = Selection::default().tables(pipeline);
        doubtful_keys(pipeline, &found.catalog, &tables)
    });
    warnings.collect()
}

/// Bytes on disk of what will be read, where that is known.
pub(super) fn size_to_read(request: &TakeRequest, source: &Snapshot) -> Option<u64> {
    let Access::Tables(tables) = &source.access else {
        return source.size;
    };
    let needed = needed(&request.kinds, &tables.catalog());
    let parts = needed.iter().flat_map(|table| tables.parts(table));
    Some(parts.map(|part| part.size).sum())
}

fn described(found: TakenTables, files: &[TableName], kinds: &[KindChoice]) -> Described {
    let TakenTables {
        catalog,
        facts,
        mut tables,
        only,
    } = found;
    let mut pipelines = kinds.iter().map(|kind| DescribedPipeline {
        name: kind.pipeline.name.clone(),
        sha256: kind.pipeline.sha256.clone(),
    });
    let mut only_more = only.clone().unwrap_or_default();
    let first = kinds.first().map(|kind| kind.pipeline.name.as_str());
    let of_first = first.and_then(|first| only_more.remove(first));
    let only = only.map(|_| of_first.unwrap_or_default());
    tables.sort_by(|one, other| one.table.cmp(&other.table));
    // Of the schemas that schema.sql has.
    let mut schemas = vec!["public"];
    schemas.extend(files.iter().map(|name| name.schema.as_str()));
    let mut partitioned: Vec<String> = catalog
        .tables()
        .filter(|table| table.partitioned && schemas.contains(&table.name.schema.as_str()))
        .map(|table| table.name.to_string())
        .collect();
    partitioned.sort();
    Described {
        pipeline: pipelines.next(),
        more_pipelines: pipelines.collect(),
        server_version: facts.server_version,
        gitlab_version: facts.gitlab_version,
        taken_at: facts.taken_at,
        lsn: facts.lsn,
        partitioned,
        only,
        only_more,
        tables,
    }
}
