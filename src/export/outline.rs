//! What an export will be, before any row is read but those that say who the entities are: what a plan is made of.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::output::Ledger;
use crate::output::{EntityEntry, Manifest, ReadFacts};
use crate::pipeline::Form;
use crate::resolve::{
    self, ALL_ROWS, EntityInfo, PlanRelation, PlanSource, Relations, Selection, WantedTables,
};
use crate::snapshot::{Access, FileSource, Snapshot, TableName};

use super::entries::{entity_entry, left_out_relations, metadata, read_facts};
use super::error::{ExportError, resolve_error, without_names};
use super::find::{find_rows_of, open};
use super::observer::ExportObserver;
use super::redact::Masks;
use super::request::{ExportOptions, ExportRequest};
use super::run::check_folders;
use super::warnings::{no_files_in, outline_warnings};

/// How the rows of a snapshot can be reached, as far as work on it can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It goes by once: whoever needs a part reads all of it.
    Stream,
    /// Tables can be opened one by one.
    Tables,
    /// Rows are found by key.
    Keyed,
}

/// What an export will be.
#[derive(Debug)]
pub struct Outline {
    pub reach: Reach,
    /// As the finished export's, but for files, counts and what shows only when rows are read. Its entities have their
    /// relations.
    pub manifest: Manifest,
    /// The content of the file that describes the whole export.
    pub metadata: Vec<u8>,
    /// The entities' keys and pipelines, in the manifest's order.
    pub entities: Vec<OutlinedEntity>,
    /// Of all kinds of entity, each set in the order of its pipeline.
    pub relations: Vec<OutlinedRelation>,
    /// The relations of each set, as positions in `relations`.
    pub sets: Vec<Range<usize>>,
    /// Bytes on disk of the data of tables, where that is known.
    pub sizes: BTreeMap<TableName, u64>,
    /// The tables that say who the entities are: every share reads them.
    pub observed: Vec<TableName>,
    /// Which instant of a server was read.
    pub instant: Option<String>,
    /// Why there are no files, if there are none.
    pub without_files: Option<String>,
    /// Rules for redaction that nothing is written by.
    pub idle_rules: Vec<String>,
}

impl Outline {
    /// The manifest as [`Outline::manifest`], with what is to be said of the export as a whole.
    pub fn whole_manifest(&self) -> Manifest {
        let relations = self.relations.iter().filter(|relation| relation.archive);
        let names = relations.map(|relation| relation.name.as_str());
        let why = self.without_files.as_deref();
        let mut manifest = self.manifest.clone();
        manifest
            .warnings
            .extend(why.and_then(|why| no_files_in(names, why)));
        manifest.warnings.extend(self.idle_rules.iter().cloned());
        manifest
    }
}

/// An entity of an export that will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedEntity {
    pub pipeline: String,
    /// Its key, as a user would name it.
    pub key: String,
    /// Its folder.
    pub prefix: String,
    /// The position of its relations' set.
    pub set: usize,
}

/// A relation of an export that will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedRelation {
    pub pipeline: String,
    pub name: String,
    /// Its rows will be in batches.
    pub batched: bool,
    /// It is one of a backup's files.
    pub archive: bool,
    /// It is made of what the records of others refer to.
    pub collected: bool,
    /// Others are collected from its records.
    pub collected_from: bool,
    /// The tables that its records are made of.
    pub tables: Vec<TableName>,
    /// How much of them becomes records, as far as their first rows tell: [`ALL_ROWS`] is all.
    pub share: u64,
}

/// Says what an export will be. `name` is that of its place, which the metadata tells.
///
/// # Errors
/// As [`run()`](super::run()), if the snapshot or the entities cannot be read.
pub fn outline(
    request: &ExportRequest,
    name: &str,
    observer: &mut dyn ExportObserver,
) -> Result<Outline, ExportError> {
    let snapshot = open(request)?;
    let _ending = snapshot.ending();
    let reach = match &snapshot.access {
        Access::Stream(_) => Reach::Stream,
        Access::Tables(_) => Reach::Tables,
        Access::Keyed(_) => Reach::Keyed,
    };
    let has_files = request.selection.files && !matches!(snapshot.files, FileSource::None { .. });
    let sizes = sizes(request, &snapshot);
    let mut manifest = super::entries::first_manifest(request, &snapshot);
    let nothing = Selection {
        relations: Relations::Only(Vec::new()),
        ..request.selection.clone()
    };
    // What is asked of the whole plan is asked of it below.
    let finding = ExportRequest {
        redaction: None,
        options: ExportOptions {
            strict: false,
            ..request.options.clone()
        },
        ..request.clone()
    };
    let (outcome, files) = find_rows_of(&finding, &nothing, snapshot, observer)
        .map_err(|error| without_names(request, error))?;
    let selection = Selection {
        files: has_files,
        ..request.selection.clone()
    };
    let strict = request.options.strict;
    let plan = resolve::outline(&request.kinds, &selection, &outcome.catalog, strict)
        .map_err(resolve_error(&request.snapshot))?;
    let masks = request
        .redaction
        .as_ref()
        .map(|redaction| Masks::new(redaction, &plan, &request.kinds, strict))
        .transpose()
        .map_err(ExportError::Redaction)?;
    let infos = &outcome.resolved.entities;
    let entries: Vec<EntityEntry> = infos
        .iter()
        .map(|info| entity_entry(request, &plan, info, masks.as_ref()))
        .collect();
    check_folders(&entries)?;
    let metadata = metadata(request, name, &outcome, &entries);
    let facts = ReadFacts {
        entities: entries,
        warnings: outline_warnings(request, &outcome, &plan),
        left_out_relations: left_out_relations(&plan),
        ..read_facts(request, &outcome, masks.as_ref())
    };
    if let Some(error) = &facts.error {
        return Err(ExportError::Plan(error.clone()));
    }
    let mut ledger = Ledger::new(manifest);
    ledger.read(facts);
    manifest = ledger.into_manifest();
    let entities = infos.iter().zip(&manifest.entities);
    let entity = |(info, entry): (&EntityInfo, &EntityEntry)| OutlinedEntity {
        pipeline: request.kinds[resolve::Id::position(info.kind)]
            .pipeline
            .name
            .clone(),
        key: info.id.to_string(),
        prefix: entry.prefix.clone(),
        set: info.set,
    };
    let shares = match reach {
        Reach::Tables => shares(request, &plan, infos, &sizes)?,
        Reach::Stream | Reach::Keyed => vec![ALL_ROWS; plan.relations.len()],
    };
    let relations = plan.relations.iter().zip(shares);
    let observed = plan.tables.iter().filter(|table| table.is_observed());
    Ok(Outline {
        reach,
        entities: entities.map(entity).collect(),
        relations: relations
            .map(|(it, share)| relation(request, &plan, it, share))
            .collect(),
        sets: plan.sets.clone(),
        observed: observed.map(|table| table.name.clone()).collect(),
        instant: outcome.facts.instant.clone(),
        without_files: match files {
            FileSource::None { why } => Some(why),
            FileSource::Here(_) | FileSource::Behind(_) => None,
        },
        idle_rules: masks
            .iter()
            .flat_map(|it| it.idle().iter().cloned())
            .collect(),
        manifest,
        metadata,
        sizes,
    })
}

fn relation(
    request: &ExportRequest,
    plan: &resolve::Plan,
    it: &PlanRelation,
    share: u64,
) -> OutlinedRelation {
    let tables = it.tables.iter();
    OutlinedRelation {
        pipeline: it.pipeline.clone(),
        name: it.name.clone(),
        batched: request.options.batched && it.batched,
        archive: matches!(it.form, Form::Archive(_)),
        collected: matches!(it.source, Ok(PlanSource::Collected(_))),
        collected_from: it.collected_from,
        tables: tables
            .map(|table| plan.tables[*table].name.clone())
            .collect(),
        share: match it.source {
            // Next to nothing is written of them.
            Ok(PlanSource::Maxima(_) | PlanSource::NoFiles) | Err(_) => 0,
            Ok(PlanSource::Rows(_) | PlanSource::Collected(_)) => share,
        },
    }
}

/// How much of the tables of each relation becomes records.
fn shares(
    request: &ExportRequest,
    plan: &resolve::Plan,
    infos: &[EntityInfo],
    sizes: &BTreeMap<TableName, u64>,
) -> Result<Vec<u64>, ExportError> {
    // It is opened anew: whoever found the entities has ended with it.
    let snapshot = open(request)?;
    Ok(match &snapshot.access {
        Access::Tables(source) => resolve::shares(plan, infos, &**source, sizes),
        Access::Stream(_) | Access::Keyed(_) => vec![ALL_ROWS; plan.relations.len()],
    })
}

/// Bytes on disk of the tables that the export reads.
fn sizes(request: &ExportRequest, snapshot: &Snapshot) -> BTreeMap<TableName, u64> {
    let Access::Tables(source) = &snapshot.access else {
        return BTreeMap::new();
    };
    let wanted = WantedTables::new(&request.kinds, &request.selection);
    let tables = wanted.in_catalog(&source.catalog()).into_iter();
    tables
        .map(|table| {
            let size = source.parts(&table).iter().map(|part| part.size).sum();
            (table, size)
        })
        .collect()
}
