//! Making a plan: what there is to export, cut into tasks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::cut::{Piece, RelationCost, Work, cut};
use super::error::PlanError;
use super::file::{PlanFile, PlannedEntity, PlannedRelations, Task};
use super::names;
use crate::export::{
    ExportObserver, ExportRequest, GENERATOR, Outline, OutlinedRelation, Reach, outline,
};
use crate::output::layout::PLAN;
use crate::output::{Location, SharedPlace};

/// What is to be planned.
pub(crate) struct MakeRequest<'a> {
    pub export: &'a ExportRequest,
    /// The options of the export that decide what is written, as arguments.
    pub arguments: Vec<String>,
    /// The snapshot as a worker names it, without a password.
    pub snapshot: String,
    pub out: &'a Location,
    /// How many tasks there are at the most.
    pub tasks: usize,
}

/// Makes a plan of a snapshot on which work can be cut.
///
/// # Errors
/// If the snapshot cannot be read, or goes by once.
pub(crate) fn make(
    request: &MakeRequest<'_>,
    place: &dyn SharedPlace,
    observer: &mut dyn ExportObserver,
) -> Result<PlanFile, PlanError> {
    let outline = outline(request.export, &place.name(), observer)?;
    if outline.reach == Reach::Stream && request.tasks > 1 {
        return Err(PlanError::Refused(format!(
            "cannot cut {} into tasks: it can only be read from its beginning to its end, so every task would read all of it\n  \
             let --stage DIR|URL turn it into snapshots of which each task reads its own, or dump with pg_dump -Fd or -Fc",
            request.export.snapshot.shown()
        )));
    }
    let is_held = request.export.open.pg_snapshot.is_some();
    if outline.reach == Reach::Keyed && !is_held {
        return Err(PlanError::Refused(format!(
            "cannot plan with {}: each task would read another instant of it\n  \
             let `relexport snapshot hold` hold one, and name it by --pg-snapshot",
            request.export.snapshot.shown()
        )));
    }
    let terms = outline.manifest.resume.as_ref();
    let parts = Parts {
        // An exported snapshot's id may name another instant when the server was started anew.
        fingerprint: terms
            .map(|terms| terms.fingerprint.clone())
            .or_else(|| outline.instant.clone()),
        stage: None,
        tasks: tasks(&outline, request.tasks),
    };
    assemble(request, &outline, parts)
}

/// What of a plan depends on whether its snapshot is read as it is.
pub(super) struct Parts {
    pub fingerprint: Option<String>,
    pub stage: Option<String>,
    pub tasks: Vec<Task>,
}

/// The plan of an export that will be so.
pub(super) fn assemble(
    request: &MakeRequest<'_>,
    outline: &Outline,
    parts: Parts,
) -> Result<PlanFile, PlanError> {
    let Parts {
        fingerprint,
        stage,
        mut tasks,
    } = parts;
    // The costliest come first, so that whoever takes them in turn has like shares. Parts of a relation cost the same, and
    // stay in their order.
    tasks.sort_by_key(|task| Reverse(task.cost));
    let metadata = String::from_utf8(outline.metadata.clone());
    let metadata = metadata.map_err(|error| {
        PlanError::Refused(format!("the description of the export is no text: {error}"))
    })?;
    let mut manifest = outline.whole_manifest();
    // Of whom nothing is exported no task tells.
    manifest
        .entities
        .retain(|entity| entity.relations.is_empty());
    let entities = outline.entities.iter().map(|entity| PlannedEntity {
        set: entity.set,
        key: entity.key.clone(),
        prefix: entity.prefix.clone(),
    });
    let plan = PlanFile {
        plan_version: 0,
        id: String::new(),
        generator: GENERATOR.to_owned(),
        out: request.out.shown(),
        snapshot: request.snapshot.clone(),
        fingerprint,
        stage,
        arguments: request.arguments.clone(),
        manifest,
        metadata,
        sets: sets(outline),
        entities: entities.collect(),
        tasks,
    };
    let shown = PLAN;
    plan.seal()
        .map_err(|error| PlanError::write(shown, error.into()))
}

/// Stores a plan at its place, which is begun. The same plan may be there already.
///
/// # Errors
/// If another one is there, or nothing can be written.
pub(crate) fn store(plan: &PlanFile, place: &dyn SharedPlace) -> Result<(), PlanError> {
    let name = PLAN;
    let shown = place.shown(name);
    let json = plan
        .to_json()
        .map_err(|error| PlanError::write(&shown, error.into()))?;
    let is_new = place.put_new(name, &json);
    if is_new.map_err(|error| PlanError::write(&shown, error))? {
        return Ok(());
    }
    let other = names::read(place, name).map_err(|error| PlanError::unreadable(&shown, error))?;
    match PlanFile::parse(&other, &shown) {
        Ok(other) if other.id == plan.id => Ok(()),
        Ok(_) | Err(_) => Err(PlanError::AnotherPlan(place.shown(""))),
    }
}

/// The relations of each set, and those that are collected from the records of others.
fn sets(outline: &Outline) -> Vec<PlannedRelations> {
    let sets = outline.sets.iter().enumerate().map(|(set, range)| {
        let mut entities = outline.entities.iter();
        let entity = entities.find(|entity| entity.set == set);
        let relations = &outline.relations[range.clone()];
        let has_sources = relations.iter().any(|relation| relation.collected_from);
        let names = |wanted: &dyn Fn(&OutlinedRelation) -> bool| -> Vec<String> {
            let relations = relations.iter().filter(|relation| wanted(relation));
            relations.map(|relation| relation.name.clone()).collect()
        };
        PlannedRelations {
            pipeline: entity.map(|it| it.pipeline.clone()).unwrap_or_default(),
            relations: names(&|_| true),
            collected: names(&|relation| relation.collected && has_sources),
        }
    });
    sets.collect()
}

/// A relation of a pipeline, of all its entities.
struct Planned<'o> {
    pipeline: &'o str,
    name: &'o str,
    tables: BTreeSet<usize>,
    share: u64,
    batched: bool,
    entities: Range<usize>,
    collected: bool,
    collected_from: bool,
}

impl Planned<'_> {
    fn full_name(&self) -> String {
        format!("{}.{}", self.pipeline, self.name)
    }
}

/// The tasks of an export that will be so.
pub(super) fn tasks(outline: &Outline, tasks: usize) -> Vec<Task> {
    let mut tables: BTreeMap<String, usize> = BTreeMap::new();
    let mut sizes: Vec<u64> = Vec::new();
    let mut number = |table: &crate::snapshot::TableName| {
        *tables.entry(table.to_string()).or_insert_with(|| {
            sizes.push(outline.sizes.get(table).copied().unwrap_or_default());
            sizes.len() - 1
        })
    };
    let always: Vec<usize> = outline.observed.iter().map(&mut number).collect();
    let planned = planned(outline, &mut number);
    // What is collected is made with its sources, or of what they tell.
    let is_unit = |it: &&Planned<'_>| !it.collected;
    let units: Vec<&Planned<'_>> = planned.iter().filter(is_unit).collect();
    let costs: Vec<RelationCost> = units
        .iter()
        .map(|it| RelationCost {
            tables: it.tables.iter().copied().collect(),
            batched: it.batched,
            entities: it.entities.clone(),
            share: it.share,
        })
        .collect();
    let work = Work {
        relations: &costs,
        sizes: &sizes,
        always: &always,
        in_parts: outline.reach == Reach::Tables,
    };
    let pieces = cut(work, tasks);
    pieces
        .into_iter()
        .map(|piece| task(&planned, &units, piece))
        .collect()
}

fn planned<'o>(
    outline: &'o Outline,
    number: &mut dyn FnMut(&crate::snapshot::TableName) -> usize,
) -> Vec<Planned<'o>> {
    let mut ranges: HashMap<usize, Range<usize>> = HashMap::new();
    for (position, entity) in outline.entities.iter().enumerate() {
        let range = ranges.entry(entity.set).or_insert(position..position);
        range.end = position + 1;
    }
    let mut planned: Vec<Planned<'o>> = Vec::new();
    for (set, range) in outline.sets.iter().enumerate() {
        // A kind of which there is nobody.
        let Some(entities) = ranges.get(&set) else {
            continue;
        };
        for relation in &outline.relations[range.clone()] {
            let tables: BTreeSet<usize> = relation.tables.iter().map(&mut *number).collect();
            // Entities that are schemas have sets of their own.
            let same = |it: &&mut Planned<'_>| {
                it.pipeline == relation.pipeline && it.name == relation.name
            };
            match planned.iter_mut().find(same) {
                Some(known) => {
                    known.tables.extend(tables);
                    known.share = known.share.max(relation.share);
                    known.entities.end = entities.end;
                    known.collected_from |= relation.collected_from;
                }
                None => planned.push(Planned {
                    pipeline: &relation.pipeline,
                    name: &relation.name,
                    tables,
                    share: relation.share,
                    batched: relation.batched && !relation.archive,
                    entities: entities.clone(),
                    collected: relation.collected,
                    collected_from: relation.collected_from,
                }),
            }
        }
    }
    // Without sources of which the records would be told they are relations as others are.
    let sources: BTreeSet<String> = planned
        .iter()
        .filter(|it| it.collected_from)
        .map(|it| it.pipeline.to_owned())
        .collect();
    for it in &mut planned {
        it.collected &= sources.contains(it.pipeline);
    }
    planned
}

/// The task of a piece: with the relations that are collected from its own.
fn task(planned: &[Planned<'_>], units: &[&Planned<'_>], piece: Piece) -> Task {
    let own: Vec<&Planned<'_>> = piece.relations.iter().map(|at| units[*at]).collect();
    let is_own = |it: &Planned<'_>| own.iter().any(|own| own.full_name() == it.full_name());
    let mut relations: BTreeSet<String> = own.iter().map(|it| it.full_name()).collect();
    let mut tells_references = false;
    for collected in planned.iter().filter(|it| it.collected) {
        let mut sources = planned
            .iter()
            .filter(|it| it.pipeline == collected.pipeline && it.collected_from)
            .peekable();
        if sources.clone().any(is_own) {
            relations.insert(collected.full_name());
            tells_references |= piece.part.is_some() || !sources.all(is_own);
        }
    }
    Task {
        snapshot: None,
        fingerprint: None,
        entities: (piece.entities.start, piece.entities.end),
        relations: Some(relations.into_iter().collect()),
        part: piece.part,
        tells_references,
        cost: piece.cost,
    }
}
