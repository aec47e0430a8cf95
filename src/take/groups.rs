//! Only the rows of some entities' trees, and what finding the entities needs.
//!
//! The resolver finds the rows by a pipeline with one relation more: the entities' own rows, those of their ancestors, and
//! their paths. Tables are then cut down to the columns that exports of these entities use.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::failure::{Failure, Policy};
use crate::pipeline::{Entity, EntityId, Form, Link, Node, Pipeline, Relation, Source};
use crate::resolve::{
    self, CopyFields, EntityInfo, IndexKey, KeyRead, KeyShape, KindChoice, KindId, Outcome, Plan,
    PlanError, Reading, Request, ResolveError, Resolved, Selection, TableId, entity_index, resolve,
    walk, without_data,
};
use crate::snapshot;
use crate::snapshot::codec::copy_text;
use crate::snapshot::{Block, BlockHead, Snapshot, SnapshotFacts, TableName};
use crate::visible::visible;

use super::files::{Files, StopReason};
use super::tables::TakenTables;
use super::{TakeError, TakeObserver, TakeRequest};

/// Levels of ancestors that are followed; GitLab allows 20.
const LEVELS: usize = 24;

/// Bytes of a table's rows that are written together.
const BLOCK: usize = 1 << 20;

/// Blocks on the pool.
const WINDOW: usize = 6;

/// The relation that finds the entities' own rows.
const ENTITIES: &str = "(entities)";

/// Writes the rows of the chosen entities.
pub(super) fn rows(
    request: &TakeRequest,
    source: Snapshot,
    folder: &Path,
    observer: &mut dyn TakeObserver,
) -> Result<TakenTables, TakeError> {
    let kinds = with_entities(&request.kinds)?;
    let failed = |error: ResolveError| match error {
        ResolveError::Interrupted => TakeError::Interrupted,
        ResolveError::Temp(source) => TakeError::Temp(source),
        source => TakeError::Read {
            from: request.from.shown(),
            source: Box::new(source),
        },
    };
    let mut reading = Reading::first(kinds);
    let mut outcome = find(request, &reading, source, observer);
    while let Err(error) = &outcome
        && error.policy() == Policy::ReadAgain
        && request.open.databases.can_be_read_again(&request.from)
        && let Some(other) = reading.again(error)
    {
        reading = other;
        outcome = find(request, &reading, request.open_source()?, observer);
    }
    let outcome = outcome.map_err(failed)?;
    if let Some(cut_off) = outcome.cut_off {
        return Err(failed(cut_off.into()));
    }
    complete(&outcome)
        .map_err(ResolveError::Incomplete)
        .map_err(failed)?;
    let mut writing = Writing {
        plan: &outcome.resolved.plan,
        files: Files::new(folder, &outcome.catalog, &request.pool, WINDOW),
        heads: BTreeMap::new(),
        stop: None,
        parents: Parents::all(&request.kinds, &outcome.resolved.plan),
    };
    writing
        .begin(&outcome.resolved)
        .map_err(|stop| stopped(stop, request))?;
    let walked = walk(
        &outcome.resolved,
        &request.interrupted,
        &mut |table, row| writing.row(table, row),
    );
    if let Some(stop) = writing.stop.take() {
        return Err(stopped(stop, request));
    }
    walked.map_err(failed)?;
    let mut only: BTreeMap<String, Vec<EntityId>> = BTreeMap::new();
    for entity in &outcome.resolved.entities {
        let pipeline = &outcome.resolved.plan.kinds[entity.kind].pipeline;
        let ids = only.entry(pipeline.clone()).or_default();
        ids.push(entity.id.clone());
    }
    for parents in &writing.parents {
        parents.check(&outcome.resolved.entities)?;
    }
    let tables = writing.finish().map_err(|stop| stopped(stop, request))?;
    Ok(TakenTables {
        catalog: outcome.catalog,
        facts: outcome.facts,
        tables,
        only: Some(only),
    })
}

fn stopped(stop: StopReason, request: &TakeRequest) -> TakeError {
    stop.error(&request.from).unwrap_or(TakeError::Interrupted)
}

fn find(
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

/// Rows on their way to the files.
struct Writing<'a> {
    plan: &'a Plan,
    files: Files,
    /// What each table's rows are like, and those that are waiting to be enough for a block.
    heads: BTreeMap<TableId, (Arc<BlockHead>, Vec<u8>)>,
    /// Why nothing more can be written.
    stop: Option<StopReason>,
    /// By kind.
    parents: Vec<Parents>,
}

impl Writing<'_> {
    /// Begins the files of all tables for which the source has data.
    fn begin(&mut self, resolved: &Resolved) -> Result<(), StopReason> {
        for (id, table) in self.plan.tables.enumerate() {
            if resolved.unseen.contains(&id) && resolved.without_data.contains_key(&id) {
                continue;
            }
            let head = Arc::new(table.layout_head());
            // A column without data stays one.
            let absent = resolved.absent.get(&id);
            let there = |position: &usize| !absent.is_some_and(|it| it.contains(position));
            let written = (0..table.layout.len()).filter(there);
            let written = written.map(|at| table.layout[at].name.clone()).collect();
            self.files.begin_with(&head, written)?;
            self.heads.insert(id, (head, Vec::new()));
        }
        Ok(())
    }

    fn row(&mut self, table: TableId, row: &[u8]) -> Result<(), ResolveError> {
        for parents in &mut self.parents {
            parents.note(table, row);
        }
        if let Some((_, waiting)) = self.heads.get_mut(&table) {
            waiting.extend_from_slice(row);
            waiting.push(b'\n');
            if waiting.len() >= BLOCK
                && let Err(stop) = self.hand_over(table)
            {
                self.stop = Some(stop);
                return Err(ResolveError::Interrupted);
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, table: TableId) -> Result<(), StopReason> {
        let Some((head, waiting)) = self.heads.get_mut(&table) else {
            return Ok(());
        };
        let rows = std::mem::take(waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let range: Range<usize> = 0..rows.len();
        self.files.rows(Block {
            head: Arc::clone(head),
            buffer: Arc::new(rows),
            range,
            offset: 0,
            first_row: 0,
            converted: None,
        })
    }

    fn finish(mut self) -> Result<Vec<snapshot::DescribedTable>, StopReason> {
        let tables: Vec<TableId> = self.heads.keys().copied().collect();
        for table in tables {
            self.hand_over(table)?;
        }
        self.files.finish()
    }
}

/// Who is above whom among the entities that are written.
struct Parents {
    kind: KindId,
    table: Option<TableId>,
    key: usize,
    parent: Option<usize>,
    /// How both compare.
    shape: KeyShape,
    of: HashMap<IndexKey, IndexKey>,
}

impl Parents {
    fn all(kinds: &[KindChoice], plan: &Plan) -> Vec<Parents> {
        let kinds = plan.kinds.ids().zip(kinds);
        let parents = kinds.map(|(id, kind)| Parents::new(id, &kind.pipeline.entity, plan));
        parents.collect()
    }

    fn new(kind: KindId, entity: &Entity, plan: &Plan) -> Parents {
        let table = plan.table(&entity.table);
        let column = |column: &str| plan.tables[table?].column(column);
        let key = plan.kinds[kind].key.as_ref();
        Parents {
            kind,
            table,
            key: key.and_then(|key| column(&key.column)).unwrap_or_default(),
            parent: entity.parent.as_deref().and_then(column),
            shape: KeyShape::new(key.map(|key| key.form)),
            of: HashMap::new(),
        }
    }

    fn note(&mut self, table: TableId, row: &[u8]) {
        let (Some(parent), true) = (self.parent, self.table == Some(table)) else {
            return;
        };
        let mut fields = Vec::new();
        copy_text::next_row(row, 0, &mut fields);
        let fields = CopyFields {
            bytes: row,
            fields: &fields,
        };
        let read = |column: usize| self.shape.read(&fields, &[column]);
        if let (KeyRead::Is(key), KeyRead::Is(parent)) = (read(self.key), read(parent)) {
            self.of.insert(key, parent);
        }
    }

    /// Makes sure that no ancestor was too far up to be followed to.
    fn check(&self, entities: &[EntityInfo]) -> Result<(), TakeError> {
        let own = entities.iter().filter(|entity| entity.kind == self.kind);
        for entity in own {
            let (mut current, mut levels) = (entity_index(&self.shape, &entity.key), 0);
            while let Some(parent) = current.and_then(|key| self.of.get(&key)) {
                (current, levels) = (Some(*parent), levels + 1);
                if levels >= LEVELS {
                    return Err(TakeError::Plan(format!(
                        "{} has {LEVELS} levels or more above it, and not as many are followed\n  take whole tables",
                        visible(&entity.full_path)
                    )));
                }
            }
        }
        Ok(())
    }
}
