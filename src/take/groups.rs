//! Only the rows of some entities' trees, and what finding the entities needs: found once, and written for all of them or for
//! some.
//!
//! The resolver finds the rows by a pipeline with one relation more: the entities' own rows, those of their ancestors, and
//! their paths. Tables are then cut down to the columns that exports of these entities use.

mod parents;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::failure::{Failure, Policy};
use crate::pipeline::{Entity, EntityId, Form, Link, Node, Pipeline, Relation, Source};
use crate::resolve::{
    self, EntityInfo, KindChoice, Outcome, Plan, PlanError, Reading, Remarks, Request,
    ResolveError, Selection, TableId, resolve, rows_right_below, walk, without_data,
};
use crate::snapshot::{Snapshot, SnapshotFacts, TableName};

use super::files::StopReason;
use super::tables::TakenTables;
use super::{TakeError, TakeObserver, TakeRequest};
use writing::Writing;

/// Levels of ancestors that are followed; GitLab allows 20.
const LEVELS: usize = 24;

/// The relation that finds the entities' own rows.
const ENTITIES: &str = "(entities)";

/// The rows of the chosen entities, found and kept, or ready to be asked for.
pub(super) struct FoundRows(Outcome);

impl FoundRows {
    /// The entities, in the order in which they can be cut into ranges.
    pub(super) fn entities(&self) -> &[EntityInfo] {
        &self.0.resolved.entities
    }

    /// What is to be told of entities.
    pub(super) fn remarks(&self) -> &Remarks {
        &self.0.resolved.remarks
    }

    /// As [`Outcome::tables_in_parts`].
    pub(super) fn in_parts(&self) -> Vec<(TableName, u64)> {
        self.0.tables_in_parts()
    }

    /// How much there is of each of them, as far as that is known: its row, and those right below it.
    pub(super) fn weights(&self) -> Vec<u64> {
        let resolved = &self.0.resolved;
        let entities = resolved.entities.iter();
        entities
            .map(|entity| 1 + rows_right_below(resolved, entity))
            .collect()
    }

    /// The schemas that are entities, but none of these.
    fn schemas_without(&self, entities: &[EntityInfo]) -> BTreeSet<String> {
        let resolved = &self.0.resolved;
        let is_schema = |entity: &&EntityInfo| resolved.plan.kinds[entity.kind].key.is_none();
        let name = |entity: &EntityInfo| entity.id.to_string();
        let own: BTreeSet<String> = entities.iter().filter(is_schema).map(name).collect();
        let all = resolved.entities.iter().filter(is_schema).map(name);
        all.filter(|schema| !own.contains(schema)).collect()
    }

    /// Writes the rows of these entities into a folder.
    pub(super) fn write(
        &self,
        request: &TakeRequest,
        entities: &[EntityInfo],
        folder: &Path,
    ) -> Result<TakenTables, TakeError> {
        let FoundRows(outcome) = self;
        let resolved = &outcome.resolved;
        let others = self.schemas_without(entities);
        let mut writing = Writing::begin(request, outcome, &others, folder)
            .map_err(|stop| stopped(stop, request))?;
        let walked = walk(
            resolved,
            entities,
            &request.interrupted,
            &mut |table, row| writing.row(table, row),
        );
        if let Some(stop) = writing.take_stop() {
            return Err(stopped(stop, request));
        }
        walked.map_err(|error| failed(error, request))?;
        writing.check_parents(entities)?;
        let mut only: BTreeMap<String, Vec<EntityId>> = BTreeMap::new();
        for entity in entities {
            let pipeline = &resolved.plan.kinds[entity.kind].pipeline;
            let ids = only.entry(pipeline.clone()).or_default();
            ids.push(entity.id.clone());
        }
        let tables = writing.finish().map_err(|stop| stopped(stop, request))?;
        Ok(TakenTables {
            catalog: Arc::clone(&outcome.catalog),
            facts: outcome.facts.clone(),
            tables,
            only: Some(only),
        })
    }
}

/// Finds the rows of the chosen entities, in one read of the source if its order allows.
pub(super) fn find(
    request: &TakeRequest,
    source: Snapshot,
    observer: &mut dyn TakeObserver,
) -> Result<FoundRows, TakeError> {
    let kinds = with_entities(&request.kinds)?;
    let mut reading = Reading::first(kinds);
    let mut outcome = resolved(request, &reading, source, observer);
    while let Err(error) = &outcome
        && error.policy() == Policy::ReadAgain
        && request.open.databases.can_be_read_again(&request.from)
        && let Some(other) = reading.again(error)
    {
        reading = other;
        outcome = resolved(request, &reading, request.open_source()?, observer);
    }
    let outcome = outcome.map_err(|error| failed(error, request))?;
    if let Some(cut_off) = outcome.cut_off {
        return Err(failed(cut_off.into(), request));
    }
    complete(&outcome)
        .map_err(ResolveError::Incomplete)
        .map_err(|error| failed(error, request))?;
    Ok(FoundRows(outcome))
}

fn failed(error: ResolveError, request: &TakeRequest) -> TakeError {
    match error {
        ResolveError::Interrupted => TakeError::Interrupted,
        ResolveError::Temp(source) => TakeError::Temp(source),
        source => TakeError::Read {
            from: request.from.shown(),
            source: Box::new(source),
        },
    }
}

fn stopped(stop: StopReason, request: &TakeRequest) -> TakeError {
    stop.error(&request.from).unwrap_or(TakeError::Interrupted)
}

fn resolved(
    request: &TakeRequest,
    reading: &Reading,
    source: Snapshot,
    observer: &mut dyn TakeObserver,
) -> Result<Outcome, ResolveError> {
    let selection = Selection::default();
    let resolve_request = Request {
        kinds: &reading.kinds,
        selection: &selection,
        limits: &request.limits,
        pool: Arc::clone(&request.pool),
        interrupted: Arc::clone(&request.interrupted),
        seal_late: reading.seal_late,
        // What is not there is not taken, and missing from the snapshot that is made.
        allow_missing: true,
        strict: false,
        stop_early: false,
    };
    resolve(source, &resolve_request, &mut Tables(observer))
}

/// Passes on what the resolver tells.
struct Tables<'a>(&'a mut dyn TakeObserver);

impl resolve::Observer for Tables<'_> {
    fn planned(&mut self, _plan: &Plan, _facts: &SnapshotFacts) -> Result<(), ResolveError> {
        Ok(())
    }

    fn table(&mut self, name: &TableName) {
        self.0.table(name);
    }
}

/// Says why rows may be missing, where they may.
fn complete(outcome: &Outcome) -> Result<(), String> {
    let resolved = &outcome.resolved;
    if let Some(table) = outcome.undefined.first() {
        return Err(PlanError::Undefined(table.clone()).to_string());
    }
    for (table, missing) in &resolved.without_data {
        let of_table = &resolved.plan.tables[*table].name;
        let Some(missing) = missing.first() else {
            continue;
        };
        match resolved.unseen.contains(table) {
            true => tracing::warn!("{}", without_data(of_table, missing)),
            // The rest of its rows would look like all of them.
            false => return Err(without_data(of_table, missing)),
        }
    }
    let name = |table: &TableId| &resolved.plan.tables[*table].name;
    if let Some((table, trouble)) = resolved.troubles.iter().next() {
        let row = trouble.bad_rows.first();
        let reason = trouble
            .broken
            .clone()
            .or_else(|| row.map(|bad| format!("row {}: {}", bad.row, bad.reason)));
        return Err(format!(
            "table {} cannot be read: {}",
            name(table),
            reason.unwrap_or_default()
        ));
    }
    if let Some(table) = resolved.incomplete.keys().next() {
        return Err(format!("table {} is not complete", name(table)));
    }
    let relations = resolved.plan.relations.iter();
    let of_entities: Vec<_> = relations
        .filter(|relation| relation.name == ENTITIES)
        .collect();
    if of_entities.is_empty() {
        return Err("the entities' own rows cannot be found".to_owned());
    }
    let mut failed = of_entities
        .iter()
        .filter_map(|relation| relation.source.as_ref().err());
    failed
        .next()
        .map_or(Ok(()), |reason| Err(reason.to_string()))
}

/// The kinds, and in each of which something is wanted a relation of the entities' own rows, their ancestors', those of what
/// they lie within, and their paths.
fn with_entities(kinds: &[KindChoice]) -> Result<Vec<KindChoice>, TakeError> {
    let mut with_entities = kinds.to_vec();
    for kind in with_entities
        .iter_mut()
        .filter(|kind| !kind.choice.is_nobody())
    {
        let pipeline = &mut kind.pipeline;
        let entity = &pipeline.entity;
        let links = match entity.schemas {
            // Without its table a schema would be no entity.
            Some(_) => vec![Link::to_schema(Vec::new())],
            None => vec![link_to(entity, "key"), link_to(entity, "root")],
        };
        let node = rows_above(kinds, pipeline, ENTITIES, links)?;
        pipeline.relations.push(Relation {
            name: ENTITIES.to_owned(),
            ee: false,
            form: Form::Lines,
            batched: false,
            batches_by_key: false,
            pick: None,
            without_row: None,
            source: Source::Rows(node),
        });
    }
    Ok(with_entities)
}

/// A link from the key of an entity's rows.
fn link_to(entity: &Entity, parent: &str) -> Link {
    Link {
        child: entity.key.iter().cloned().collect(),
        parent: vec![parent.to_owned()],
        filter: Vec::new(),
    }
}

/// Rows of a pipeline's entities, with those of all that they lie below and within.
fn rows_above(
    kinds: &[KindChoice],
    pipeline: &Pipeline,
    name: &str,
    links: Vec<Link>,
) -> Result<Node, TakeError> {
    let entity = &pipeline.entity;
    if entity.ancestors.is_some() && entity.parent.is_none() {
        return Err(TakeError::Plan(format!(
            "pipeline {} names no column with the parent of a {}, so rows of single ones cannot be taken\n  \
             name it as the entity's `parent`, or take whole tables",
            pipeline.name, entity.kind
        )));
    }
    let mut outer = None;
    if let Some(within) = &entity.within {
        let mut others = kinds.iter();
        let other = others.find(|other| other.pipeline.name == within.pipeline);
        if let Some(KindChoice { pipeline, .. }) = other {
            let links = vec![link_to(&pipeline.entity, &within.column)];
            outer = Some(rows_above(kinds, pipeline, "within", links)?);
        }
    }
    let mut above = None;
    for _ in 1..LEVELS {
        let Some(parent) = &entity.parent else { break };
        let links = vec![link_to(entity, parent)];
        let nested = above.into_iter().chain(outer.clone()).collect();
        above = Some(entity_node(entity, "parent", links, nested));
    }
    let nested = above.into_iter().chain(outer).collect();
    Ok(entity_node(entity, name, links, nested))
}

/// Rows of entities with their paths, and the nodes of what is above them.
fn entity_node(entity: &Entity, name: &str, links: Vec<Link>, above: Vec<Node>) -> Node {
    let node = |name: &str, table: &TableName, links: Vec<Link>, nested: Vec<Node>| Node {
        nested,
        ..Node::bare(name.to_owned(), table.clone(), links)
    };
    let paths = entity.paths.iter().map(|lookup| {
        let link = Link {
            child: vec![lookup.key.clone()],
            parent: entity.key.iter().cloned().collect(),
            filter: lookup.filter.clone(),
        };
        node(&lookup.table.name, &lookup.table, vec![link], Vec::new())
    });
    let nested = paths.chain(above).collect();
    node(name, &entity.table, links, nested)
}
