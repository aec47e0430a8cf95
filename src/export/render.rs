//! Rendering: a batch of top-level rows, with everything nested below them, as NDJSON.
//!
//! A [`Renderer`] is compiled once from the plan: every column of a node is a key with its prefix ready and a codec
//! for its type. Rendering then goes from the bytes of the rows to the bytes of the file; it is pure
//! computation and runs on the pool.

mod compile;
mod record;
mod resident;

use std::sync::Arc;

use crate::pipeline::Form;
use crate::resolve::{
    Entry, Plan, PlanError, PlanNode, PlanSource, Resolved, RowAt, RowStore, parse_integer,
};

use super::values;
use compile::{Compiler, Node, prefix};
use record::Job;

pub use resident::Resident;

/// Renders the records of a plan's relations, out of whatever store holds their rows.
pub struct Renderer {
    plan: Arc<Plan>,
    /// By relation of the plan; `None` for those that are not made of rows.
    nodes: Vec<Option<Node>>,
    keep_going: bool,
    /// By relation: the places of its tree, where rows are to be counted.
    places: Vec<Vec<TreePlace>>,
    counts: bool,
}

/// A place in a relation's tree where rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreePlace {
    /// The relation's name and the JSON keys below it, joined by dots: `epics.notes.award_emoji`.
    pub path: String,
    pub table: String,
}

/// What a batch became.
#[derive(Debug, Default)]
pub struct Rendered {
    pub content: Vec<u8>,
    pub objects: u64,
    /// What the records' rows refer to, for the relations that are collected.
    pub collected: Vec<i64>,
    pub skipped: Vec<BadValue>,
    /// Rows that were left out but are not described.
    pub unlisted: u64,
    /// Rows by place of the relation's tree; empty unless the renderer counts.
    pub rows: Vec<u64>,
    /// The place of every row that has been rendered, while the renderer counts.
    pub written: Vec<usize>,
}

fn of<T: std::fmt::Display>(what: &str, value: &Option<T>) -> String {
    value
        .as_ref()
        .map(|value| format!(", {what} {value}"))
        .unwrap_or_default()
}

/// A row that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "table {table}{}{}: {reason}",
    of("primary key", key),
    of("column", column)
)]
pub struct BadValue {
    pub table: String,
    /// The primary key, where it can be read.
    pub key: Option<i64>,
    pub column: Option<String>,
    pub reason: String,
}

impl Renderer {
    /// Compiles the plan of what was resolved. With `counts`, the rows of every place are counted.
    ///
    /// # Errors
    /// If the plan contradicts itself.
    pub fn new(resolved: &Resolved, keep_going: bool, counts: bool) -> Result<Renderer, PlanError> {
        let plan = Arc::clone(&resolved.plan);
        let compiler = Compiler {
            plan: &plan,
            absent: &resolved.absent,
        };
        let mut places = vec![Vec::new(); plan.relations.len()];
        let nodes = plan
            .relations
            .iter()
            .zip(&mut places)
            .map(|(relation, places)| {
                let node = relation.source.as_ref().ok().and_then(PlanSource::node);
                node.map(|node| compiler.node(node, None, places))
                    .transpose()
            })
            .collect::<Result<_, _>>()?;
        Ok(Renderer {
            nodes,
            plan,
            keep_going,
            places,
            counts,
        })
    }

    /// The places of a relation's tree, each before those below it; none for a relation that is not made of rows.
    pub fn places(&self, relation: usize) -> &[TreePlace] {
        &self.places[relation]
    }

    /// The plan of a relation that is made of rows.
    fn planned(&self, relation: usize) -> Option<&PlanNode> {
        let source = self.plan.relations[relation].source.as_ref();
        source.ok().and_then(PlanSource::node)
    }

    /// The top-level rows of a relation, in order: those that its hops found by the entity's key, or its root's.
    ///
    /// # Errors
    /// Where rows of a join table were moved out of memory and cannot be read back.
    pub fn top_level(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entity: i64,
        root: i64,
    ) -> std::io::Result<Vec<Entry>> {
        let (Some(planned), Some(node)) = (self.planned(relation), &self.nodes[relation]) else {
            return Ok(Vec::new());
        };
        let mut entries = Vec::new();
        for reach in &planned.reach {
            let key = reach.from.entity_key(entity, root);
            let found = key.map(|key| store.found(reach.hop, key));
            entries.extend_from_slice(found.unwrap_or_default());
        }
        if let Some(through) = &node.through {
            let mut resident = Resident::of(store);
            resident.load(&entries)?;
            entries = resident.reached(through, &entries);
        }
        by_id(
            &mut entries,
            planned.reach.len() > 1 || planned.through.is_some(),
            |at| row_of(store, at),
        )?;
        Ok(entries)
    }

    /// Why these top-level rows are not the one row that a relation of another form than lines is made of.
    pub fn more_than_one(&self, relation: usize, entries: &[Entry]) -> Option<String> {
        let (planned, node) = (
            &self.plan.relations[relation],
            self.nodes[relation].as_ref()?,
        );
        let [first, second, ..] = entries else {
            return None;
        };
        let table = &self.plan.tables[node.table];
        let key = table.key_name();
        let what = match first.id == second.id {
            true => format!("two rows have the same {key}"),
            false => format!("there are {} rows", entries.len()),
        };
        (planned.form != Form::Lines).then(|| {
            format!(
                "table {}: {what}, but {} is one object: repair the table, and dump it again",
                table.name, planned.name
            )
        })
    }

    /// The rows of a collected relation for these keys, which must be sorted.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub fn collected(
        &self,
        store: &RowStore,
        relation: usize,
        keys: &[i64],
    ) -> std::io::Result<Vec<Entry>> {
        let Some(planned) = self.planned(relation) else {
            return Ok(Vec::new());
        };
        let mut entries = Vec::new();
        for reach in &planned.reach {
            for key in keys {
                entries.extend_from_slice(store.found(reach.hop, *key));
            }
        }
        by_id(&mut entries, true, |at| row_of(store, at))?;
        Ok(entries)
    }

    /// Renders top-level rows, a line each; without line ends where `lines` is false.
    ///
    /// # Errors
    /// The first row that cannot be rendered, unless the renderer keeps going.
    pub fn render(
        &self,
        relation: usize,
        entries: &[Entry],
        resident: &Resident,
        lines: bool,
    ) -> Result<Rendered, BadValue> {
        let mut rendered = Rendered::default();
        let Some(node) = &self.nodes[relation] else {
            return Ok(rendered);
        };
        let mut job = Job {
            renderer: self,
            resident,
            rendered: &mut rendered,
            scratch: Vec::new(),
        };
        for entry in entries {
            if job.row(node, *entry)? {
                job.rendered.objects += 1;
                if lines {
                    job.rendered.content.push(b'\n');
                }
            }
        }
        rendered.collected.sort_unstable();
        rendered.collected.dedup();
        if self.counts {
            rendered.rows = vec![0; self.places[relation].len()];
            for place in std::mem::take(&mut rendered.written) {
                rendered.rows[place] += 1;
            }
        }
        Ok(rendered)
    }

    /// Renders the object of a relation of maxima.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn maxima(
        &self,
        store: &RowStore,
        relation: usize,
        entity: i64,
        root: i64,
    ) -> Result<Rendered, BadValue> {
        let mut rendered = Rendered {
            objects: 1,
            ..Rendered::default()
        };
        let Ok(PlanSource::Maxima(maxima)) = &self.plan.relations[relation].source else {
            return Ok(rendered);
        };
        rendered.content.push(b'{');
        for maximum in maxima {
            let is_root = self.plan.is_of_root(maximum.hop);
            let table = &self.plan.tables[self.plan.hops[maximum.hop].table];
            let column = table
                .kept_column(&maximum.column)
                .map_err(|error| BadValue {
                    table: table.name.to_string(),
                    key: None,
                    column: Some(maximum.column.clone()),
                    reason: error.to_string(),
                })?;
            let mut largest: Option<i64> = None;
            let mut buffer = Vec::new();
            for entry in store.found(maximum.hop, if is_root { root } else { entity }) {
                let bad = |reason: String| BadValue {
                    table: table.name.to_string(),
                    key: Some(entry.id),
                    column: Some(maximum.column.clone()),
                    reason,
                };
                let row = match store.get(entry.at) {
                    Some(row) => row,
                    None => {
                        buffer.clear();
                        store
                            .read(entry.at, &mut buffer)
                            .map_err(|error| bad(error.to_string()))?;
                        &buffer
                    }
                };
                let field = nth_field(row, column);
                match parse_integer(field) {
                    Some(value) => largest = largest.max(Some(value)),
                    None if values::is_null(field) => {}
                    None => return Err(bad("the value is no integer".to_owned())),
                }
            }
            if let Some(largest) = largest {
                if rendered.content.len() > 1 {
                    rendered.content.push(b',');
                }
                rendered.content.extend_from_slice(&prefix(&maximum.name));
                rendered
                    .content
                    .extend_from_slice(largest.to_string().as_bytes());
            }
        }
        rendered.content.push(b'}');
        Ok(rendered)
    }
}

/// One field of a row of a layout. Where only one is needed, the others are not split off.
fn nth_field(row: &[u8], column: usize) -> &[u8] {
    row.split(|byte| *byte == b'\t')
        .nth(column)
        .unwrap_or(b"\\N")
}

/// The bytes of a row, in memory or not.
fn row_of(store: &RowStore, at: RowAt) -> std::io::Result<Vec<u8>> {
    match store.get(at) {
        Some(row) => Ok(row.to_vec()),
        None => {
            let mut row = Vec::new();
            store.read(at, &mut row)?;
            Ok(row)
        }
    }
}

/// Orders entries by primary key; each row once, where several hops may have found it. A key that is not unique has all
/// its rows, by their bytes: in which order they were kept is chance.
fn by_id<R: AsRef<[u8]>, E>(
    entries: &mut Vec<Entry>,
    may_repeat: bool,
    row: impl Fn(RowAt) -> Result<R, E>,
) -> Result<(), E> {
    if may_repeat {
        entries.sort_unstable_by_key(|entry| (entry.id, entry.at));
        entries.dedup_by_key(|entry| entry.at);
    }
    for same in entries.chunk_by_mut(|one, other| one.id == other.id) {
        if same.len() > 1 {
            let mut rows = Vec::with_capacity(same.len());
            for entry in same.iter() {
                rows.push((row(entry.at)?, *entry));
            }
            rows.sort_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
            for (entry, (_, sorted)) in same.iter_mut().zip(rows) {
                *entry = sorted;
            }
        }
    }
    Ok(())
}
