//! Rendering: a batch of top-level rows, with everything nested below them, as NDJSON.
//!
//! A [`Renderer`] is compiled once from the plan: every column of a node is a key with its prefix ready and a codec
//! for its type. Rendering then goes from the bytes of the rows to the bytes of the file; it is pure
//! computation and runs on the pool.

mod collected;
mod compile;
mod external;
mod from_files;
mod key_text;
mod maxima;
mod record;
mod references;
mod resident;
mod sorting;
mod value;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::export::redact::Masks;
use crate::export::values::decode;
use crate::output::DanglingReference;
use crate::pipeline::{EntityId, Form, Pick};
use crate::resolve::{
    EntityInfo, Entry, Key, KeyShape, Plan, PlanError, PlanSource, Resolved, RowAt, RowStore,
    TableId, WholeRow,
};

use compile::{Compiler, Node};
use maxima::Maximum;
use record::Job;
use references::Reference;
use resident::Top;
use sorting::{by_key, same_key};

pub(super) use collected::Referred;
pub(super) use from_files::{FileValues, Unread};
pub use resident::Resident;

/// Renders the records of a plan's relations, out of whatever store holds their rows.
pub struct Renderer {
    plan: Arc<Plan>,
    /// By relation of the plan; `None` for those that are not made of rows.
    nodes: Vec<Option<Node>>,
    /// By relation; empty for those that are not made of largest values.
    maxima: Vec<Vec<Maximum>>,
    keep_going: bool,
    /// By relation: the places of its tree, where rows are to be counted.
    places: Vec<Vec<TreePlace>>,
    counts: bool,
    /// By relation: what its rows refer to.
    references: Vec<Vec<Reference>>,
    /// All columns whose values are collected.
    collected: Vec<CollectedFrom>,
    /// Where values that do not stand in rows are taken from.
    files: Option<Arc<dyn FileValues>>,
    /// What stands in place of columns' values.
    masks: Option<Arc<Masks>>,
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
    /// What columns of the records' rows refer to, each time.
    pub(super) collected: Referred,
    /// The same once, and how often, when the batch is complete.
    pub referred: Vec<((CollectedFrom, Key), u64)>,
    /// References that lead nowhere, by their positions among those of the relation.
    pub dangling: Vec<usize>,
    /// The same by column, when the batch is complete.
    pub leading_nowhere: Vec<DanglingReference>,
    pub skipped: Vec<BadValue>,
    /// Rows that were left out but are not described.
    pub unlisted: u64,
    /// How many of all rows that were left out are records. The others are nested in records, or lead to them.
    pub skipped_records: u64,
    /// Values that something else stands in the place of.
    pub unreadable: Vec<Unreadable>,
    /// Records that are larger than GitLab reads, and their bytes.
    pub large: Vec<(Option<EntityId>, u64)>,
    /// Rows by place of the relation's tree; empty unless the renderer counts.
    pub rows: Vec<u64>,
    /// The place of every row that has been rendered, while the renderer counts.
    pub written: Vec<usize>,
}

/// A column whose values are collected, and the relation that is made of what they refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectedFrom {
    /// Position in the plan's relations.
    pub relation: usize,
    pub table: TableId,
    /// Layout position.
    pub column: usize,
}

fn of<T: std::fmt::Display>(what: &str, value: &Option<T>) -> String {
    value
        .as_ref()
        .map(|value| format!(", {what} {value}"))
        .unwrap_or_default()
}

/// Bytes of stack that a thread of the pool needs: rows of a tree are rendered in one another. The memory is taken only where
/// it is used.
pub const WORKER_STACK: usize = 64 << 20;

/// A value that could not be read, so that something else stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub table: String,
    /// The primary key, where it can be told.
    pub key: Option<EntityId>,
    /// The column, or the computed key.
    pub column: String,
    pub why: Why,
}

/// Why something else stands in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is none, and the key is left out.
    NoValue,
    /// It cannot be decoded, and is null.
    Decoding(decode::Unreadable),
    /// It lies in a file of this path, which the snapshot does not have, and is empty.
    MissingFile(String),
    /// It lies in a file that the snapshot may have and cannot give, for this reason, and is empty.
    LostFile(String),
    /// The repository that says it cannot be read, for this reason, and it is null.
    Repository(String),
}

/// The largest record that GitLab's importers read, in bytes.
const MOST_READ: usize = 50 << 20;

/// A row that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "table {table}{}{}: {reason}",
    of("primary key", key),
    of("column", column)
)]
pub struct BadValue {
    pub table: String,
    /// The primary key, where it can be read and told.
    pub key: Option<EntityId>,
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
        let collected = collected::columns(&plan);
        let compiler = |relation: usize| Compiler {
            plan: &plan,
            relation,
            absent: &resolved.absent,
            collected: &collected,
        };
        let mut places = vec![Vec::new(); plan.relations.len()];
        let nodes = plan
            .relations
            .iter()
            .zip(&mut places)
            .enumerate()
            .map(|(position, (relation, places))| {
                let node = relation.source.as_ref().ok().and_then(PlanSource::node);
                node.map(|node| compiler(position).node(node, &[], None, places))
                    .transpose()
            })
            .collect::<Result<_, _>>()?;
        let mut nodes: Vec<Option<Node>> = nodes;
        let references = nodes.iter_mut().enumerate().map(|(relation, node)| {
            let node = node.as_mut();
            node.map_or_else(Vec::new, |node| references::find(&plan, relation, node))
        });
        let references = references.collect();
        let maxima = plan
            .relations
            .iter()
            .enumerate()
            .map(|(position, relation)| match &relation.source {
                Ok(PlanSource::Maxima(maxima)) => {
                    let maxima = maxima.iter();
                    maxima
                        .map(|maximum| compiler(position).maximum(maximum))
                        .collect()
                }
                Ok(PlanSource::Rows(_) | PlanSource::Collected(_) | PlanSource::NoFiles)
                | Err(_) => Ok(Vec::new()),
            });
        let maxima = maxima.collect::<Result<_, _>>()?;
        Ok(Renderer {
            maxima,
            collected,
            nodes,
            plan,
            keep_going,
            places,
            counts,
            references,
            files: None,
            masks: None,
        })
    }

    /// Says what stands in place of columns' values.
    pub(super) fn with_masks(mut self, masks: Option<Arc<Masks>>) -> Renderer {
        self.masks = masks;
        self
    }

    /// Says where values that do not stand in rows are taken from.
    pub(super) fn with_files(mut self, files: Arc<dyn FileValues>) -> Renderer {
        self.files = Some(files);
        self
    }

    /// The masks of a relation's records. Rows that name files are no records: the files are found by what they hold.
    fn masks_of(&self, relation: usize) -> Option<&Masks> {
        match self.plan.relations[relation].form {
            Form::Archive(_) => None,
            Form::Lines | Form::Single | Form::Object => self.masks.as_deref(),
        }
    }

    /// The places of a relation's tree, each before those below it; none for a relation that is not made of rows.
    pub fn places(&self, relation: usize) -> &[TreePlace] {
        &self.places[relation]
    }

    /// The top-level rows of a relation of an entity, in the order of their keys.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub fn top_level(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        entity: &EntityInfo,
    ) -> std::io::Result<Vec<Entry>> {
        let top = Top::Entity {
            key: &entity.id,
            root: &entity.root,
        };
        self.rows_of(store, relation, top)
    }

    /// The rows of a collected relation for these keys.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub fn collected(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        keys: &[Key],
    ) -> std::io::Result<Vec<Entry>> {
        self.rows_of(store, relation, Top::Collected(keys))
    }

    fn rows_of(
        &self,
        store: &Arc<RowStore>,
        relation: usize,
        top: Top<'_>,
    ) -> std::io::Result<Vec<Entry>> {
        let Some(node) = &self.nodes[relation] else {
            return Ok(Vec::new());
        };
        let mut entries = Resident::of(store).top(&node.steps, top)?;
        let may_repeat = node.may_repeat || matches!(top, Top::Collected(_));
        let table = &self.plan.tables[node.table];
        by_key(table, &mut entries, may_repeat, |at| row_of(store, at))?;
        Ok(entries)
    }

    /// Of keys that were referred to, those of which a store has no row of a collected relation; `None` if the relation is not
    /// made of every row that is referred to, so that a row that is not there tells nothing.
    pub fn unfound(
        &self,
        store: &RowStore,
        relation: usize,
        keys: impl IntoIterator<Item = Key>,
    ) -> Option<BTreeSet<Key>> {
        references::every_row(&self.plan, relation)?;
        let node = self.nodes[relation].as_ref()?;
        let reach = node.steps.first()?.first()?;
        let is_there = |key: &Key| {
            let key = reach.shape.index(key);
            key.is_some_and(|key| store.found(reach.hop, key).next().is_some())
        };
        Some(keys.into_iter().filter(|key| !is_there(key)).collect())
    }

    /// What is noted of references of a column that lead nowhere.
    pub fn dangling(&self, from: CollectedFrom, count: u64) -> DanglingReference {
        let table = &self.plan.tables[from.table];
        let to = self.nodes[from.relation].as_ref();
        let to = to.map(|node| self.plan.tables[node.table].name.to_string());
        DanglingReference {
            table: table.name.to_string(),
            column: table.layout[from.column].name.clone(),
            to: to.unwrap_or_default(),
            count,
        }
    }

    /// Puts top-level rows, which are in the order of their keys, into the order of their relation.
    ///
    /// # Errors
    /// Where rows were moved out of memory and cannot be read back.
    pub fn in_order(
        &self,
        store: &RowStore,
        relation: usize,
        entries: &mut [Entry],
    ) -> std::io::Result<()> {
        let order = self.nodes[relation].as_ref().map(|node| &node.order);
        let Some(order) = order.filter(|order| !order.is_empty()) else {
            return Ok(());
        };
        let mut ordered = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            let row = row_of(store, entry.at)?;
            ordered.push((order.bytes(&WholeRow(&row)), *entry));
        }
        // Stable, so that rows that are equal by the order stay in order of their primary keys.
        ordered.sort_by(|one, other| one.0.cmp(&other.0));
        for (entry, (_, sorted)) in entries.iter_mut().zip(ordered) {
            *entry = sorted;
        }
        Ok(())
    }

    /// Keeps the one row of a relation of which several may be there, of rows in order.
    pub fn pick(&self, relation: usize, entries: &mut Vec<Entry>) {
        let picked = match self.plan.relations[relation].pick {
            None => return,
            Some(Pick::First) => entries.first().copied(),
            Some(Pick::Last) => entries.last().copied(),
        };
        *entries = picked.into_iter().collect();
    }

    /// The shape of the key of a relation's rows, by which a server is asked for them.
    pub fn key_shape(&self, relation: usize) -> Option<KeyShape> {
        let node = self.nodes[relation].as_ref()?;
        self.plan.tables[node.table].key_shape()
    }

    /// Why these top-level rows are not the one row that a relation of another form than lines is made of.
    pub fn more_than_one(
        &self,
        store: &RowStore,
        relation: usize,
        entries: &[Entry],
    ) -> Option<String> {
        let (planned, node) = (
            &self.plan.relations[relation],
            self.nodes[relation].as_ref()?,
        );
        let [first, second, ..] = entries else {
            return None;
        };
        let table = &self.plan.tables[node.table];
        let row = |at: RowAt| row_of(store, at).unwrap_or_default();
        let what = match same_key(table, first, second, &row) {
            true => format!("two rows have the same {}", table.key_name()),
            false => format!("there are {} rows", entries.len()),
        };
        (planned.form != Form::Lines).then(|| {
            format!(
                "table {}: {what}, but {} is one object: repair the table, and dump it again",
                table.name, planned.name
            )
        })
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
            masks: self.masks_of(relation),
            resident,
            rendered: &mut rendered,
            scratch: Vec::new(),
            above: Vec::new(),
            rows: Vec::new(),
            levels: 0,
        };
        for entry in entries {
            let start = job.rendered.content.len();
            if job.row(node, *entry)? {
                let bytes = job.rendered.content.len() - start;
                if bytes > MOST_READ {
                    let row = WholeRow(resident.row(entry.at).unwrap_or_default());
                    let key = sorting::key_of(
                        (node.table, &self.plan.tables[node.table]),
                        job.masks,
                        &row,
                    );
                    job.rendered.large.push((key, bytes as u64));
                }
                job.rendered.objects += 1;
                if lines {
                    job.rendered.content.push(b'\n');
                }
            } else {
                job.rendered.skipped_records += 1;
            }
        }
        let collected = std::mem::take(&mut rendered.collected);
        rendered.referred = collected.count(&self.collected);
        let references = &self.references[relation];
        rendered.leading_nowhere = leading_nowhere(references, &mut rendered.dangling);
        if self.counts {
            rendered.rows = vec![0; self.places[relation].len()];
            for place in std::mem::take(&mut rendered.written) {
                rendered.rows[place] += 1;
            }
        }
        Ok(rendered)
    }
}

/// How many references lead nowhere, by column.
fn leading_nowhere(references: &[Reference], dangling: &mut Vec<usize>) -> Vec<DanglingReference> {
    let mut dangling = std::mem::take(dangling);
    dangling.sort_unstable();
    let same = dangling.chunk_by(|one, other| one == other);
    same.map(|same| references[same[0]].dangling(same.len() as u64))
        .collect()
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
