//! Counting entities: how many of each kind a snapshot has, by the rows of their tables alone.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::key::KeyForm;
use crate::pipeline::{Edition, EntityId, Pipeline};
use crate::snapshot::Fields::Columns;
use crate::snapshot::codec::copy_text;
use crate::snapshot::{
    Block, BlockHead, Catalog, Event, KeyedSource, Query, SnapshotFacts, TableName,
};

use super::keys::{CopyFields, Fields, parse_integer};
use super::live::predicates;
use super::plan::{EntityKey, Id, KindId, Plan, PlanTable, Relations, Selection, TableId, plan};
use super::scan::{BadRow, HeadError, ScanFor, Scanner};

/// How many entities of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityCount {
    /// The name of the pipeline that takes them.
    pub pipeline: String,
    /// What one is called.
    pub kind: String,
    /// The number, or why it is not known.
    pub count: Result<u64, String>,
}

/// The pipelines whose entities a catalog can have: it has their tables, and those of what they lie within. Pipelines stand
/// behind those that theirs lie within.
pub fn with_entities<'p>(pipelines: &[&'p Pipeline], catalog: &Catalog) -> Vec<&'p Pipeline> {
    let mut found: Vec<&'p Pipeline> = Vec::new();
    for pipeline in pipelines {
        let within = pipeline.entity.within.as_ref();
        let has_outer =
            within.is_none_or(|within| found.iter().any(|outer| outer.name == within.pipeline));
        if has_outer && pipeline.has_entities(catalog) {
            found.push(pipeline);
        }
    }
    found
}

/// Counts the entities of pipelines while the rows of a snapshot go by, or by asking for them.
pub struct EntityCounter<'p> {
    pipelines: Vec<&'p Pipeline>,
    /// Known with the catalog.
    catalog: Arc<Catalog>,
    plan: Option<Plan>,
    counts: Vec<KindCount>,
    /// Of each head that rows came under.
    scanners: Vec<(Arc<BlockHead>, Scanner)>,
}

/// What is known so far of one kind.
struct KindCount {
    pipeline: String,
    kind: String,
    /// The entities' table; `None` if they are schemas.
    table: Option<TableName>,
    /// The keys that the snapshot was limited to.
    only: Option<BTreeSet<EntityId>>,
    count: Result<u64, String>,
}

impl KindCount {
    fn fail(&mut self, reason: impl FnOnce() -> String) {
        if self.count.is_ok() {
            self.count = Err(reason());
        }
    }
}

impl<'p> EntityCounter<'p> {
    /// Of the entities of these pipelines, each behind the one that its entities lie within.
    pub fn new(pipelines: &[&'p Pipeline]) -> Self {
        EntityCounter {
            pipelines: pipelines.to_vec(),
            catalog: Arc::default(),
            plan: None,
            counts: Vec::new(),
            scanners: Vec::new(),
        }
    }

    /// The tables whose rows are needed, by every name that they may have.
    pub fn tables(&self) -> BTreeSet<TableName> {
        let of_rows = self.pipelines.iter();
        let of_rows = of_rows.filter(|pipeline| pipeline.entity.schemas.is_none());
        of_rows
            .flat_map(|pipeline| pipeline.names_of(&pipeline.entity.table))
            .cloned()
            .collect()
    }

    /// Takes what says which tables there are. Pipelines whose table is not among them are counted no more.
    pub fn know(&mut self, catalog: &Arc<Catalog>, facts: &SnapshotFacts) {
        self.catalog = Arc::clone(catalog);
        self.pipelines = with_entities(&self.pipelines, catalog);
        if self.pipelines.is_empty() {
            return;
        }
        let selection = Selection {
            relations: Relations::Only(Vec::new()),
            edition: Edition::Ee,
            files: false,
            ..Selection::default()
        };
        let planned = plan(&self.pipelines, &selection, catalog);
        let (plan, wrong) = match planned {
            Ok(plan) => (Some(plan), None),
            // What it advises on is an export.
            Err(error) => (None, error.to_string().lines().next().map(str::to_owned)),
        };
        let counts = self.pipelines.iter().map(|pipeline| {
            let only = facts.only_of(&pipeline.name);
            let only: Option<BTreeSet<EntityId>> = only.map(|ids| ids.iter().cloned().collect());
            let schemas = pipeline.schemas_in(catalog);
            let names = &mut pipeline.names_of(&pipeline.entity.table);
            let count = match (&wrong, &schemas) {
                (Some(wrong), _) => Err(wrong.clone()),
                (None, None) => Ok(0),
                (None, Some(schemas)) => {
                    let mut schemas: Vec<EntityId> = schemas
                        .iter()
                        .map(|schema| EntityId::text(*schema))
                        .collect();
                    schemas.retain(|id| only.as_ref().is_none_or(|only| only.contains(id)));
                    Ok(schemas.len() as u64)
                }
            };
            KindCount {
                pipeline: pipeline.name.clone(),
                kind: pipeline.entity.kind.clone(),
                table: match schemas {
                    None => names.find(|name| catalog.table(name).is_some()).cloned(),
                    Some(_) => None,
                },
                only,
                count,
            }
        });
        self.counts = counts.collect();
        self.plan = plan;
    }

    /// Takes rows that went by.
    pub fn take(&mut self, block: &Block) {
        for kind in 0..self.counts.len() {
            let count = &self.counts[kind];
            if count.count.is_ok() && count.table.as_ref() == Some(&block.head.table) {
                self.take_of(kind, block);
            }
        }
    }

    /// Takes rows of the table of a kind.
    fn take_of(&mut self, kind: usize, block: &Block) {
        let found = self.entities_in(kind, block);
        let count = &mut self.counts[kind];
        match (&mut count.count, found) {
            (Ok(count), Ok(found)) => *count += found,
            (_, Err(reason)) => count.fail(|| format!("table {}: {reason}", block.head.table)),
            // It is not known any more.
            (Err(_), Ok(_)) => {}
        }
    }

    /// How many rows of a block are entities of a kind.
    ///
    /// # Errors
    /// What is wrong with a row, or with all of them.
    fn entities_in(&mut self, kind: usize, block: &Block) -> Result<u64, String> {
        let Some((plan, table, key)) = laid(self.plan.as_ref(), &self.counts, kind) else {
            return Err("the plan lacks it".to_owned());
        };
        let mut heads = self.scanners.iter();
        let same = |head: &Arc<BlockHead>| Arc::ptr_eq(head, &block.head) || *head == block.head;
        let scanner = match heads.position(|(head, _)| same(head)) {
            Some(known) => known,
            None => {
                let definition = self.catalog.table(&block.head.table);
                let definition = definition.ok_or(HeadError::NoDefinition);
                let purpose = ScanFor {
                    observed: true,
                    texts: false,
                };
                let made = definition.and_then(|definition| {
                    let head = block.head.as_ref();
                    Scanner::new(&plan.tables[table], definition, head, Vec::new(), purpose)
                });
                let made = made.map_err(|error| error.to_string())?;
                self.scanners.push((Arc::clone(&block.head), made));
                self.scanners.len() - 1
            }
        };
        let scanned = self.scanners[scanner].1.scan(block);
        if let Some(bad) = scanned.unusable() {
            let BadRow {
                row,
                offset,
                reason,
            } = bad;
            return Err(format!("row {row} (byte {offset}): {reason}"));
        }
        let only = self.counts[kind].only.as_ref();
        count_rows(&scanned.observed, &plan.tables[table], key, only)
    }

    /// Asks a server for the rows.
    pub fn ask(&mut self, source: &dyn KeyedSource) {
        self.know(&source.catalog(), &source.facts());
        let pipelines = std::mem::take(&mut self.pipelines);
        for (kind, pipeline) in pipelines.iter().enumerate() {
            self.ask_for(kind, pipeline, source);
        }
        self.pipelines = pipelines;
    }

    /// Asks a server for the rows of one kind.
    fn ask_for(&mut self, kind: usize, pipeline: &Pipeline, source: &dyn KeyedSource) {
        // Schemas are counted, and what cannot be planned is said.
        let Some((plan, table, key)) = laid(self.plan.as_ref(), &self.counts, kind) else {
            return;
        };
        let (planned, tests) = (&plan.tables[table], key.tests.clone());
        let name = planned.name.clone();
        let of_key = planned
            .key
            .iter()
            .map(|at| planned.layout[*at].name.as_str());
        let tested = key.tests.iter().map(|test| test.column.as_str());
        let columns: BTreeSet<String> = [key.column.as_str()]
            .into_iter()
            .chain(of_key)
            .chain(tested)
            .filter(|column| !self.catalog.is_generated(&name, column))
            .map(ToOwned::to_owned)
            .collect();
        let query = Query {
            table: &name,
            fields: Columns(columns.iter().map(String::as_str).collect()),
            predicates: predicates(&pipeline.entity.filter, &tests).collect(),
        };
        let mut damage = None;
        let read = source.read(&query, &mut |event| {
            match event {
                Event::Rows(block) => self.take_of(kind, &block),
                Event::Damage(found) => damage = Some(found),
                Event::Catalog(..)
                | Event::Keys(_)
                | Event::Begin(_)
                | Event::End(_)
                | Event::DatabaseEnd(_)
                | Event::Holdings(_) => {}
            }
            match &self.counts[kind].count {
                Ok(_) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        if let Some(error) = read.err().or(damage) {
            self.counts[kind].fail(|| error.to_string());
        }
    }

    /// What was counted, in the order of the pipelines. `is_whole` says whether all rows of a table have come.
    pub fn finish(self, is_whole: impl Fn(&TableName) -> bool) -> Vec<EntityCount> {
        let counts = self.counts.into_iter().map(|mut count| {
            if let Some(table) = count.table.take().filter(|table| !is_whole(table)) {
                count.fail(|| format!("table {table}: not all of its rows are there"));
            }
            EntityCount {
                pipeline: count.pipeline,
                kind: count.kind,
                count: count.count,
            }
        });
        counts.collect()
    }
}

/// The plan, and in it the table of a kind's entities and their key; `None` if it could not be made, or the entities are schemas.
fn laid<'c>(
    plan: Option<&'c Plan>,
    counts: &[KindCount],
    kind: usize,
) -> Option<(&'c Plan, TableId, &'c EntityKey)> {
    let plan = plan?;
    let table = plan.table(counts.get(kind)?.table.as_ref()?)?;
    Some((plan, table, plan.kinds[KindId::at(kind)].key.as_ref()?))
}

/// How many rows, as the layout of their table has them, are entities; of them those with one of these keys only.
///
/// # Errors
/// A key that is none of its type.
fn count_rows(
    rows: &[u8],
    table: &PlanTable,
    key: &EntityKey,
    only: Option<&BTreeSet<EntityId>>,
) -> Result<u64, String> {
    let mut count = 0;
    let mut fields: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        at = copy_text::next_row(rows, at, &mut fields);
        let row = CopyFields {
            bytes: rows,
            fields: &fields,
        };
        let mut tests = key.tests.iter();
        let is_entity = tests.all(|test| test.test.passes(&row, table.column(&test.column)));
        let is_meant = |only: &BTreeSet<EntityId>| {
            let field = table.column(&key.column);
            let id = field.and_then(|field| id(&row, field, key.form));
            id.map(|id| only.contains(&id))
                .ok_or_else(|| format!("{} is no key in some row", key.column))
        };
        if is_entity && only.map_or(Ok(true), is_meant)? {
            count += 1;
        }
    }
    Ok(count)
}

/// The key in a field, as the snapshot writes it.
fn id(row: &CopyFields<'_>, field: usize, form: KeyForm) -> Option<EntityId> {
    if row.is_null(field) {
        return None;
    }
    match form {
        KeyForm::Integer => parse_integer(row.plain(field)).map(EntityId::Integer),
        _ => {
            let text = row.text(field).into_owned();
            String::from_utf8(text).ok().map(EntityId::text)
        }
    }
}
