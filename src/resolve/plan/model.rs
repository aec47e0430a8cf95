//! The plan's types: tables with the columns that are kept, hops, slots, and the tree that is made of them.
//!
//! Columns are named here; the renderer's compiler turns names into positions.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{Columns, Computed, Condition, Form, Instead, OrderBy, ValueForm, ValueRule};
use crate::snapshot::{BlockHead, RowForm, SqlType, TableName};

use super::error::PlanError;
use super::ids::{HopId, IdVec, SlotId, TableId};

/// A pipeline laid over a catalog.
#[derive(Debug)]
pub struct Plan {
    pub tables: IdVec<TableId, PlanTable>,
    pub hops: IdVec<HopId, Hop>,
    pub slots: IdVec<SlotId, SlotSource>,
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
    /// The table of this name, if the plan needs it.
    pub fn table(&self, name: &TableName) -> Option<TableId> {
        self.tables.find(|table| table.name == *name)
    }

    /// The hops that find rows of a table.
    pub fn hops_onto(&self, table: TableId) -> impl Iterator<Item = HopId> + '_ {
        let hops = self.hops.enumerate();
        hops.filter(move |(_, hop)| hop.table == table)
            .map(|(id, _)| id)
    }

    /// True if rows of a table are looked at: to find the entities, or by some hop.
    pub fn is_read(&self, table: TableId) -> bool {
        self.tables[table].observed || self.hops_onto(table).next().is_some()
    }

    /// The slots that rows of a hop feed, with the columns that they take.
    pub(in crate::resolve) fn feeds(&self, hop: HopId) -> Vec<(SlotId, &str)> {
        let mut feeds = Vec::new();
        for (slot, source) in self.slots.enumerate() {
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
                SlotSource::EntityKey
                | SlotSource::EntityRoot
                | SlotSource::Rows { .. }
                | SlotSource::Collected { .. } => {}
            }
        }
        feeds
    }

    /// True if a hop's keys are those of the root ancestors.
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
    /// True if rows go to the entity directory, too.
    pub observed: bool,
    /// Rows may stand in several tables: partitions, or tables that inherit.
    pub in_parts: bool,
    /// Value rules of the kept columns, by name.
    pub values: BTreeMap<String, ValueRule>,
    /// Layout positions of the columns whose values are collected from written rows.
    pub collected: Vec<usize>,
}

impl PlanTable {
    /// Position of a column in the layout.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.layout.iter().position(|column| column.name == name)
    }

    /// Position of a column that the plan said it needs.
    ///
    /// # Errors
    /// If the plan contradicts itself.
    pub fn kept_column(&self, name: &str) -> Result<usize, PlanError> {
        self.column(name).ok_or_else(|| PlanError::NotKept {
            table: self.name.clone(),
            column: name.to_owned(),
        })
    }

    /// The name of the primary key.
    pub fn key_name(&self) -> &str {
        &self.layout[self.key].name
    }

    /// The head of rows that were cut down to the layout.
    pub fn layout_head(&self) -> BlockHead {
        let columns = self.layout.iter().map(|column| column.name.clone());
        BlockHead {
            table: self.name.clone(),
            columns: columns.collect(),
            form: RowForm::CopyText,
        }
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

impl Hop {
    /// The columns by which the hop tells its rows from others.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let tested = self
            .filter
            .iter()
            .map(|condition| condition.column.as_str());
        tested.chain([self.child.as_str()])
    }
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
    /// The hops whose rows feed the slot; none for a slot of the entities.
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
    pub source: Result<PlanSource, PlanError>,
    /// All tables that its records are made of.
    pub tables: BTreeSet<TableId>,
    /// The hops that find its rows, each behind those that feed it.
    pub hops: Vec<HopId>,
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

impl PlanSource {
    /// The node whose rows are the relation's records, if they are rows.
    pub fn node(&self) -> Option<&PlanNode> {
        match self {
            PlanSource::Rows(node) | PlanSource::Collected(node) => Some(node),
            PlanSource::Maxima(_) => None,
        }
    }
}

/// One key of an object of maxima.
#[derive(Debug)]
pub struct PlanMaximum {
    pub name: String,
    pub hop: HopId,
    pub column: String,
}

/// A node of the tree with its hops.
#[derive(Debug)]
pub struct PlanNode {
    pub name: String,
    pub table: TableId,
    pub many: bool,
    /// Alternatives: the ways from the row above to the node's rows, or to those of its join table.
    pub reach: Vec<Reach>,
    pub through: Option<Through>,
    pub order: Vec<OrderBy>,
    pub columns: Columns,
    pub computed: Vec<PlanComputed>,
    pub instead: Option<Instead>,
    pub nested: Vec<PlanNested>,
}

impl PlanNode {
    /// The hop that ends at the node's own rows.
    pub fn top_hop(&self) -> Option<HopId> {
        match &self.through {
            Some(through) => Some(through.hop),
            None => self.reach.first().map(|reach| reach.hop),
        }
    }
}

/// A hop from the row above, by one of its columns.
#[derive(Debug, Clone)]
pub struct Reach {
    pub from: ReachedFrom,
    pub hop: HopId,
}

/// What a hop is taken by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachedFrom {
    /// At the top level: the entity's key.
    EntityKey,
    /// At the top level: the key of the entity's root ancestor.
    EntityRoot,
    /// A column of the row above.
    Column(String),
}

impl ReachedFrom {
    /// The key by which a top-level hop is taken for an entity with this id and root; none below the top level.
    pub fn entity_key(&self, id: i64, root: i64) -> Option<i64> {
        match self {
            ReachedFrom::EntityKey => Some(id),
            ReachedFrom::EntityRoot => Some(root),
            ReachedFrom::Column(_) => None,
        }
    }
}

/// The way behind a join table.
#[derive(Debug, Clone)]
pub struct Through {
    pub join: TableId,
    /// Column of the join table.
    pub to: String,
    /// The hop from there to the node's rows.
    pub hop: HopId,
}

/// A key that is not a column of its own, with its hop if it needs one.
#[derive(Debug)]
pub enum PlanComputed {
    /// Made of the row's own columns.
    OwnColumns(Computed),
    /// A column of the row of another table.
    Lookup {
        name: String,
        /// Column of the row.
        parent: String,
        hop: HopId,
        /// Column of the other table.
        column: String,
    },
    /// Always null: the table that would say is there, the row's column is not.
    Null { name: String },
}

/// A nested key.
#[derive(Debug)]
pub enum PlanNested {
    Node(Box<PlanNode>),
    /// A `many` whose table the snapshot does not have: always `[]`.
    Empty(String),
}

/// Says that a relation is left out.
pub fn no_table(relation: &str, table: &str) -> String {
    format!("the snapshot has no table {table}: relation {relation} is left out")
}
