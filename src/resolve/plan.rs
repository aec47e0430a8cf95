//! The plan: a pipeline's relation tree laid over one snapshot's catalog.
//!
//! The tree is flattened into *hops*. A hop is one way from known keys to rows of a table: "rows of
//! `notes` whose `noteable_id` is one of these keys and whose `noteable_type` is `Epic`". Where the keys
//! come from is the hop's *slot*: the chosen entities, or a column of the rows that other hops
//! found. Resolving is then filling slots until every hop is done; nesting is looking rows up by hop
//! and key. Nothing here reads rows.

mod draft;
mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::pipeline::{
    Columns, Computed, ComputedValue, Condition, Edition, Entity, Form, Instead, Node, OrderBy,
    Pipeline, Relation, Source, ValueForm, ValueRule,
};
use crate::snapshot::{SqlType, TableName};

pub use draft::plan;

/// Position of a table in [`Plan::tables`].
pub type TableId = usize;
/// Position of a hop in [`Plan::hops`].
pub type HopId = usize;
/// Position of a slot in [`Plan::slots`].
pub type SlotId = usize;

/// Which relations of a pipeline are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Relations {
    #[default]
    All,
    /// Only those of these names; of no name, none at all.
    Only(Vec<String>),
}

impl Relations {
    fn contains(&self, name: &str) -> bool {
        match self {
            Relations::All => true,
            Relations::Only(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

/// What of a pipeline is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub relations: Relations,
    pub edition: Edition,
}

impl Selection {
    /// The relations of a pipeline that are wanted, in the pipeline's order.
    pub fn of<'p>(&self, pipeline: &'p Pipeline) -> Vec<&'p Relation> {
        pipeline
            .relations
            .iter()
            .filter(|relation| !relation.ee || self.edition == Edition::Ee)
            .filter(|relation| self.relations.contains(&relation.name))
            .collect()
    }

    /// The names of all tables, in schema `public`, that the wanted relations and the search for entities read.
    pub fn tables(&self, pipeline: &Pipeline) -> BTreeSet<String> {
        let mut names = entity_tables(&pipeline.entity);
        for relation in self.of(pipeline) {
            names.append(&mut self.relation_tables(relation));
        }
        names
    }

    /// The names of all tables that a relation reads.
    fn relation_tables(&self, relation: &Relation) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        match &relation.source {
            Source::Rows(node) => self.node_tables(node, &mut names),
            Source::Maxima(maxima) => {
                names.extend(maxima.iter().map(|maximum| maximum.table.clone()))
            }
            Source::Collected(collected) => self.node_tables(&collected.node, &mut names),
        }
        names
    }

    fn node_tables(&self, node: &Node, names: &mut BTreeSet<String>) {
        names.insert(node.table.clone());
        names.extend(node.through.iter().map(|through| through.table.clone()));
        for computed in &node.computed {
            if let ComputedValue::Lookup { table, .. } = &computed.value {
                names.insert(table.clone());
            }
        }
        for nested in node.nested.iter().filter(|nested| self.takes(nested.ee)) {
            self.node_tables(nested, names);
        }
    }

    fn takes(&self, ee: bool) -> bool {
        !ee || self.edition == Edition::Ee
    }
}

/// The tables that are read to find entities and their full paths.
pub fn entity_tables(entity: &Entity) -> BTreeSet<String> {
    entity
        .paths
        .iter()
        .map(|lookup| lookup.table.clone())
        .chain([entity.table.clone()])
        .collect()
}

/// Says that a relation is left out.
pub fn no_table(relation: &str, table: &str) -> String {
    format!("the snapshot has no table {table}: relation {relation} is left out")
}

/// Says that a table's data is there without its definition.
pub fn undefined(table: &str) -> String {
    format!(
        "the snapshot holds data of table {table}, but not its definition (CREATE TABLE): copy or dump it again, whole"
    )
}

/// A pipeline laid over a catalog.
#[derive(Debug)]
pub struct Plan {
    pub tables: Vec<PlanTable>,
    pub hops: Vec<Hop>,
    pub slots: Vec<SlotSource>,
    /// In the pipeline's order, without those whose table the snapshot does not have.
    pub relations: Vec<PlanRelation>,
    /// How the types of columns are written.
    pub values: ValueForm,
    /// What of the pipeline the snapshot cannot give, for the log and the manifest.
    pub warnings: Vec<String>,
    /// Relations that are left out because the snapshot does not have their table, with that table.
    pub left_out: Vec<(String, String)>,
}

impl Plan {
    /// The slots that rows of a hop feed, with the columns that they take.
    pub(super) fn feeds(&self, hop: HopId) -> Vec<(SlotId, &str)> {
        let mut feeds = Vec::new();
        for (slot, source) in self.slots.iter().enumerate() {
            match source {
                SlotSource::Rows { hops, column } if hops.contains(&hop) => {
                    feeds.push((slot, column.as_str()))
                }
                SlotSource::Collected { hops, columns } if hops.contains(&hop) => {
                    let table = &self.tables[self.hops[hop].table];
                    let there = columns
                        .iter()
                        .filter(|column| table.column(column).is_some());
                    feeds.extend(there.map(|column| (slot, column.as_str())));
                }
                _ => {}
            }
        }
        feeds
    }

    /// Fails the relations that need one of these tables, whose data is there without its definition: also those that
    /// were left out because the catalog does not have it.
    pub(super) fn fail_undefined(
        &mut self,
        pipeline: &Pipeline,
        selection: &Selection,
        names: &BTreeSet<String>,
    ) {
        let mut relations = std::mem::take(&mut self.relations).into_iter().peekable();
        for relation in selection.of(pipeline) {
            let tables = selection.relation_tables(relation);
            let undefined_table = tables.iter().find(|table| names.contains(*table));
            let planned = relations.next_if(|planned| planned.name == relation.name);
            let reason = undefined_table.map(|table| undefined(table));
            let relation = match (planned, reason) {
                (Some(planned), None) => planned,
                (Some(planned), Some(reason)) => PlanRelation {
                    source: Err(reason),
                    ..planned
                },
                (None, Some(reason)) => PlanRelation {
                    name: relation.name.clone(),
                    form: relation.form,
                    batched: relation.batched,
                    source: Err(reason),
                    tables: BTreeSet::new(),
                    hops: 0..0,
                    collected_from: draft::is_collected_from(pipeline, relation, None),
                },
                (None, None) => continue,
            };
            self.left_out
                .retain(|(left_out, _)| *left_out != relation.name);
            self.relations.push(relation);
        }
    }

    /// True where a hop's keys are those of the root ancestors.
    pub fn is_of_root(&self, hop: HopId) -> bool {
        self.slots[self.hops[hop].slot] == SlotSource::EntityRoot
    }
}

/// A table that is read.
#[derive(Debug)]
pub struct PlanTable {
    pub name: TableName,
    /// The columns that are kept of every row, in the snapshot's order.
    pub layout: Vec<LayoutColumn>,
    /// Position of the primary key in the layout.
    pub key: usize,
    /// True where rows go to the entity directory, too.
    pub observed: bool,
    /// Rows may stand in several tables: partitions, or tables that inherit.
    pub in_parts: bool,
}

impl PlanTable {
    /// Position of a column in the layout.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.layout.iter().position(|column| column.name == name)
    }
}

/// A kept column.
#[derive(Debug, Clone)]
pub struct LayoutColumn {
    pub name: String,
    pub sql_type: SqlType,
}

/// One way from keys to rows.
#[derive(Debug)]
pub struct Hop {
    pub table: TableId,
    /// Column of the table that holds the key.
    pub child: String,
    pub filter: Vec<Condition>,
    pub slot: SlotId,
}

/// Where the keys of a hop come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotSource {
    /// The chosen entities' keys.
    EntityKey,
    /// The keys of their root ancestors.
    EntityRoot,
    /// A column of the rows that these hops found.
    Rows { hops: Vec<HopId>, column: String },
    /// Columns of these names of the rows that these hops found.
    Collected {
        hops: Vec<HopId>,
        columns: Vec<String>,
    },
}

impl SlotSource {
    /// The hops whose rows feed the slot.
    pub fn hops(&self) -> &[HopId] {
        match self {
            SlotSource::EntityKey | SlotSource::EntityRoot => &[],
            SlotSource::Rows { hops, .. } | SlotSource::Collected { hops, .. } => hops,
        }
    }
}

/// A relation that will have an entry in the manifest.
#[derive(Debug)]
pub struct PlanRelation {
    pub name: String,
    pub form: Form,
    pub batched: bool,
    /// What it is made of, or why it cannot be exported from this snapshot.
    pub source: Result<PlanSource, String>,
    /// All tables that its records are made of.
    pub tables: BTreeSet<TableId>,
    /// The hops that find its rows, each behind those that feed it.
    pub hops: Range<HopId>,
    /// Other relations are collected from its records.
    pub collected_from: bool,
}

/// What a relation is made of.
#[derive(Debug)]
pub enum PlanSource {
    Rows(PlanNode),
    Maxima(Vec<PlanMaximum>),
    Collected(PlanNode),
}

/// One key of an object of maxima.
#[derive(Debug)]
pub struct PlanMaximum {
    pub name: String,
    pub hop: HopId,
    /// Position of the column in the table's layout.
    pub column: usize,
}

/// A node of the tree with its hops.
#[derive(Debug)]
pub struct PlanNode {
    pub name: String,
    pub table: TableId,
    pub many: bool,
    pub reach: Vec<Reach>,
    /// Where the rows of `reach` are those of a join table: the second hop, by this column (a layout position) of the join table.
    pub through: Option<Through>,
    pub order: Vec<OrderBy>,
    pub columns: Columns,
    pub computed: Vec<PlanComputed>,
    pub instead: Option<Instead>,
    pub nested: Vec<PlanNested>,
    /// Layout positions of the columns whose values are collected.
    pub collected: Vec<usize>,
    /// Value rules by column name.
    pub values: BTreeMap<String, ValueRule>,
}

/// A hop from the row above, by one of its columns.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Layout position of the column in the table of the row above; at the top level 0 is the entity's key, 1 its root's.
    pub parent: usize,
    pub hop: HopId,
}

/// The second hop of a node behind a join table.
#[derive(Debug, Clone)]
pub struct Through {
    /// Layout position in the join table.
    pub to: usize,
    pub hop: HopId,
}

/// A key that is not a column of its own, with its hop if it needs one.
#[derive(Debug)]
pub enum PlanComputed {
    Of(Computed),
    Lookup {
        name: String,
        reach: Reach,
        column: usize,
    },
    /// Always null: the table that would say is there, the row's column is not.
    Null {
        name: String,
    },
}

/// A nested key.
#[derive(Debug)]
pub enum PlanNested {
    Node(Box<PlanNode>),
    /// A `many` whose table the snapshot does not have: always `[]`.
    Empty(String),
}
