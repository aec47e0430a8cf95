//! The plan's types: tables with the columns that are kept, hops, slots, and the tree that is made of them.
//!
//! Columns are named here; the renderer's compiler turns names into positions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::key::KeyForm;
use crate::pipeline::{
    Columns, Condition, EntityId, Form, Instead, OrderBy, Pick, ValueForm, ValuePath, ValueRule,
};
use crate::resolve::condition::{ColumnTest, ValueTest};
use crate::resolve::entities::{EntityInfo, entity_id};
use crate::resolve::keys::{Key, KeyShape, RowOrder};
use crate::snapshot::{BlockHead, Catalog, RowForm, SqlType, TableName};

use super::error::PlanError;
use super::ids::{HopId, IdVec, KindId, SlotId, TableId};

/// The pipelines of a run laid over a catalog.
#[derive(Debug)]
pub struct Plan {
    pub tables: IdVec<TableId, PlanTable>,
    pub hops: IdVec<HopId, Hop>,
    pub slots: IdVec<SlotId, Slot>,
    /// The kinds of entity, each with its pipeline.
    pub kinds: IdVec<KindId, PlanKind>,
    /// Those of one kind behind those of the other, each in its pipeline's order, without those whose table the snapshot does
    /// not have. If the entities of a kind are schemas, those of one schema behind those of the other.
    pub relations: Vec<PlanRelation>,
    /// The relations that belong together, as positions of the first and behind the last: one set for each kind, or for each
    /// schema of a kind whose entities are schemas. A set's records are those of one entity.
    pub sets: Vec<Range<usize>>,
    /// What of the pipeline the snapshot cannot give, for the log and the manifest.
    pub warnings: Vec<String>,
    /// What could be better, though nothing is missing.
    pub advice: Vec<String>,
    /// Relations that are left out because the snapshot does not have their table.
    pub left_out: Vec<LeftOutRelation>,
}

/// A kind of entity: a pipeline, as it is laid over the catalog.
#[derive(Debug)]
pub struct PlanKind {
    /// The name of its pipeline.
    pub pipeline: String,
    /// The key column of the entities' table, and how its values compare; `None` if the entities are schemas.
    pub key: Option<EntityKey>,
    /// The positions of its relations' sets in [`Plan::sets`]: of rows one, of schemas one for each.
    pub sets: Range<usize>,
}

/// A relation that the snapshot has no table for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutRelation {
    /// The name of its pipeline.
    pub pipeline: String,
    pub relation: String,
    pub table: TableName,
}

impl Plan {
    /// The table of this name, if the plan needs it.
    pub fn table(&self, name: &TableName) -> Option<TableId> {
        self.tables.find(|table| table.name == *name)
    }

    /// The positions of an entity's relations. In the manifest they are counted from the first of these.
    pub fn relations_of(&self, entity: &EntityInfo) -> Range<usize> {
        self.sets.get(entity.set).cloned().unwrap_or_default()
    }

    /// The set that a relation belongs to.
    pub fn set_of(&self, relation: usize) -> Range<usize> {
        let mut sets = self.sets.iter();
        let set = sets.find(|set| set.contains(&relation));
        set.cloned().unwrap_or_default()
    }

    /// The kind whose pipeline has this name.
    pub fn kind_named(&self, pipeline: &str) -> Option<KindId> {
        self.kinds.find(|kind| kind.pipeline == pipeline)
    }

    /// The hops that find rows of a table.
    pub fn hops_onto(&self, table: TableId) -> impl Iterator<Item = HopId> + '_ {
        let hops = self.hops.enumerate();
        hops.filter(move |(_, hop)| hop.table == table)
            .map(|(id, _)| id)
    }

    /// True if rows of a table are looked at: to find the entities, or by some hop.
    pub fn is_read(&self, table: TableId) -> bool {
        let finds_rows = |hop: HopId| {
            let source = &self.slots[self.hops[hop].slot].source;
            !matches!(source, SlotSource::Given { keys } if keys.is_empty())
        };
        self.tables[table].is_observed() || self.hops_onto(table).any(finds_rows)
    }

    /// The columns that rows of a table are sorted by, but for their keys.
    pub(in crate::resolve) fn order_columns(&self, table: TableId) -> Vec<&str> {
        let sources = self.relations.iter().flat_map(|relation| &relation.source);
        let mut nodes: Vec<&PlanNode> = sources.filter_map(PlanSource::node).collect();
        let mut columns = Vec::new();
        while let Some(node) = nodes.pop() {
            if node.table == table {
                columns.extend(node.order.iter().map(|order| order.column.as_str()));
            }
            nodes.extend(node.nested.iter().filter_map(|nested| match nested {
                PlanNested::Node(node) => Some(&**node),
                PlanNested::Empty(_) => None,
            }));
        }
        columns
    }

    /// True for a column without which a table's rows are not found, not sorted, or do not lead where they should.
    pub fn finds_by(&self, table: TableId, column: &str) -> bool {
        let links = |hop: HopId| {
            let is_tested = self.hops[hop].columns().any(|it| it == column);
            is_tested
                || self
                    .feeds(hop)
                    .iter()
                    .any(|feed| feed.columns.contains(&column))
        };
        self.hops_onto(table).any(links) || self.order_columns(table).contains(&column)
    }

    /// The slots that rows of a hop feed.
    pub(in crate::resolve) fn feeds(&self, hop: HopId) -> Vec<Feed<'_>> {
        let mut feeds = Vec::new();
        for (slot, Slot { source, shape }) in self.slots.enumerate() {
            match source {
                SlotSource::Rows { hops, columns } if hops.contains(&hop) => feeds.push(Feed {
                    slot,
                    columns: columns.iter().map(String::as_str).collect(),
                    shape: shape.clone(),
                }),
                SlotSource::Tree {
                    base,
                    below,
                    columns,
                } if base.contains(&hop) || *below == hop => feeds.push(Feed {
                    slot,
                    columns: columns.iter().map(String::as_str).collect(),
                    shape: shape.clone(),
                }),
                SlotSource::Collected { columns } => {
                    let columns = columns.iter().filter(|column| column.hop == hop);
                    feeds.extend(columns.map(|column| Feed {
                        slot,
                        columns: vec![column.column.as_str()],
                        shape: KeyShape::new([column.form]),
                    }));
                }
                SlotSource::EntityKey(_)
                | SlotSource::EntityRoot(_)
                | SlotSource::Everything
                | SlotSource::Rows { .. }
                | SlotSource::Tree { .. }
                | SlotSource::Given { .. } => {}
            }
        }
        feeds
    }

    /// The keys of tables that the snapshot stated behind their rows.
    pub(in crate::resolve) fn take_late_keys(&mut self, catalog: &Catalog) {
        for table in self.tables.as_mut_slice() {
            if !table.key_is_late {
                continue;
            }
            let stated = catalog.keys().of(&table.name).iter();
            let Some(key) = stated.into_iter().find(|key| key.primary) else {
                continue;
            };
            let columns: Option<Vec<usize>> =
                key.columns.iter().map(|name| table.column(name)).collect();
            // Every column is kept of a table whose key is not known.
            if let Some(columns) = columns {
                table.set_key(columns);
            }
        }
    }
}

/// A slot that rows of a hop feed.
#[derive(Debug, Clone)]
pub struct Feed<'p> {
    pub slot: SlotId,
    /// The columns that it takes.
    pub columns: Vec<&'p str>,
    /// How their values become one of the slot's keys.
    pub shape: KeyShape,
}

/// The key column of the entities' table.
#[derive(Debug, Clone)]
pub struct EntityKey {
    pub column: String,
    pub sql_type: SqlType,
    pub form: KeyForm,
    /// Which rows of the table are entities at all.
    pub tests: Vec<ColumnTest>,
    /// Which rows of each table of paths are those of entities.
    pub path_tests: Vec<Vec<ColumnTest>>,
    /// Which entities are taken only if they are named; of no test, none.
    pub leave_out: Vec<ColumnTest>,
    /// What entities lie within.
    pub within: Option<PlanWithin>,
}

/// The column that says what entities lie within.
#[derive(Debug, Clone)]
pub struct PlanWithin {
    pub kind: KindId,
    pub column: String,
    /// How its values compare with the keys of the other kind.
    pub form: KeyForm,
}

impl EntityKey {
    /// The key that a user may mean by a name.
    pub fn of_user(&self, name: &str) -> Option<EntityId> {
        entity_id(self.form, name)
    }
}

/// A table that is read.
#[derive(Debug)]
pub struct PlanTable {
    pub name: TableName,
    /// The columns that are kept of every row, in the snapshot's order.
    pub layout: Vec<LayoutColumn>,
    /// Positions of the key's columns in the layout; none for a table without a key.
    pub key: Vec<usize>,
    /// The order of its rows by their key.
    pub key_order: RowOrder,
    /// The key is what the snapshot states, which it may do behind the rows.
    pub key_is_late: bool,
    /// The kinds whose directories rows go to, too: it says who their entities are.
    pub observed_by: Vec<KindId>,
    /// Rows may stand in several tables: partitions, or tables that inherit.
    pub in_parts: bool,
    /// Tables that have rows in common with it: those above it, near ones first, then those below it.
    pub relatives: Vec<TableName>,
    /// The columns whose values are collected from written rows.
    pub collected: Vec<CollectedColumn>,
}

impl PlanTable {
    /// True if it says who the entities of some kind are.
    pub fn is_observed(&self) -> bool {
        !self.observed_by.is_empty()
    }

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

    /// The names of the key's columns, for people.
    pub fn key_name(&self) -> String {
        let names = self.key.iter();
        let names: Vec<&str> = names.map(|at| self.layout[*at].name.as_str()).collect();
        names.join(", ")
    }

    /// The position of the key if it is a lone integer: then it is kept as that.
    pub fn integer_key(&self) -> Option<usize> {
        match self.key.as_slice() {
            [key] if self.layout[*key].sql_type.is_integer() => Some(*key),
            _ => None,
        }
    }

    /// True if the ids of kept rows are their keys: the key is a lone integer, and was known when they were kept.
    pub fn ids_are_keys(&self) -> bool {
        self.integer_key().is_some() && !self.key_is_late
    }

    /// Says which columns are the key.
    pub(super) fn set_key(&mut self, columns: Vec<usize>) {
        let forms = columns.iter().map(|column| self.layout[*column].form);
        let forms: Vec<Option<KeyForm>> = forms.collect();
        self.key_order = RowOrder::of_key(&columns, &forms);
        self.key = columns;
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
    /// How its values compare; `None` if that is not known of its type.
    pub form: Option<KeyForm>,
}

/// A column whose values are collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedColumn {
    /// Position of the relation that is made of what they refer to, in [`Plan::relations`].
    pub relation: usize,
    /// Layout position.
    pub column: usize,
    pub shape: KeyShape,
}

/// One way from keys to rows.
#[derive(Debug)]
pub struct Hop {
    pub table: TableId,
    /// Columns of the table that hold the key; of none, every row is found.
    pub child: Vec<String>,
    /// How their values become a key.
    pub shape: KeyShape,
    pub filter: Vec<Condition>,
    /// The filter, ready for the types of its columns.
    pub tests: Vec<ColumnTest>,
    pub slot: SlotId,
}

impl Hop {
    /// The columns by which the hop tells its rows from others.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let tested = self
            .filter
            .iter()
            .map(|condition| condition.column.as_str());
        tested.chain(self.child.iter().map(String::as_str))
    }
}

/// Where the keys of hops come from, and how they compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub source: SlotSource,
    /// How the values become keys at the end that feeds the slot.
    pub shape: KeyShape,
}

/// Where the keys of a hop come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotSource {
    /// The keys of the chosen entities of a kind.
    EntityKey(KindId),
    /// The keys of their root ancestors.
    EntityRoot(KindId),
    /// No key is needed: every row of the table belongs to the entity.
    Everything,
    /// Columns of the rows that these hops found.
    Rows {
        hops: Vec<HopId>,
        columns: Vec<String>,
    },
    /// Columns of the rows of a tree: those that the base finds, and those that the hop below finds by these very keys.
    Tree {
        base: Vec<HopId>,
        below: HopId,
        columns: Vec<String>,
    },
    /// Columns of rows that hops found, each by itself.
    Collected { columns: Vec<FeedColumn> },
    /// Keys that are known from the start, though no entity is named by them.
    Given { keys: Vec<Key> },
}

/// A column of the rows of a hop that feeds a slot of what is collected.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedColumn {
    pub hop: HopId,
    pub column: String,
    pub form: KeyForm,
}

impl SlotSource {
    /// The hops whose rows feed the slot; none for a slot of the entities.
    pub fn hops(&self) -> Vec<HopId> {
        match self {
            SlotSource::EntityKey(_) | SlotSource::EntityRoot(_) | SlotSource::Everything => {
                Vec::new()
            }
            SlotSource::Rows { hops, .. } => hops.clone(),
            SlotSource::Tree { base, .. } => base.clone(),
            SlotSource::Collected { columns } => columns.iter().map(|column| column.hop).collect(),
            SlotSource::Given { .. } => Vec::new(),
        }
    }

    /// True for a slot that the chosen entities fill, or that is full from the start.
    pub fn is_of_entities(&self) -> bool {
        match self {
            SlotSource::EntityKey(_)
            | SlotSource::EntityRoot(_)
            | SlotSource::Everything
            | SlotSource::Given { .. } => true,
            SlotSource::Rows { .. } | SlotSource::Tree { .. } | SlotSource::Collected { .. } => {
                false
            }
        }
    }
}

/// A relation that will have an entry in the manifest.
#[derive(Debug)]
pub struct PlanRelation {
    pub name: String,
    /// The name of its pipeline.
    pub pipeline: String,
    pub form: Form,
    /// How the types of columns are written.
    pub values: ValueForm,
    pub batched: bool,
    /// The rows of a batch's file are in the order of their keys, whatever the relation's order is.
    pub batches_by_key: bool,
    /// Which of several rows a relation of one object is; of none, several are an error.
    pub pick: Option<Pick>,
    /// What is written of a relation of one object where there is no row.
    pub without_row: Option<String>,
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
    /// Nothing: it is one of files, which the snapshot does not hold.
    NoFiles,
}

impl PlanSource {
    /// The node whose rows are the relation's records, if they are rows.
    pub fn node(&self) -> Option<&PlanNode> {
        match self {
            PlanSource::Rows(node) | PlanSource::Collected(node) => Some(node),
            PlanSource::Maxima(_) | PlanSource::NoFiles => None,
        }
    }
}

/// One key of an object of maxima.
#[derive(Debug)]
pub struct PlanMaximum {
    pub name: String,
    /// The ways from the entity to the rows.
    pub steps: Vec<Step>,
    pub column: String,
}

/// A node of the tree with its hops.
#[derive(Debug)]
pub struct PlanNode {
    pub name: String,
    pub table: TableId,
    pub many: bool,
    /// The way from the row above to the node's rows: one step for each table between, and one to its own. Never empty.
    pub steps: Vec<Step>,
    pub tree: Option<PlanTree>,
    pub order: Vec<OrderBy>,
    pub pick: Pick,
    pub renamed: BTreeMap<String, String>,
    pub columns: Columns,
    /// How columns are written whose type alone does not say it, by name.
    pub values: BTreeMap<String, PlanRule>,
    pub overlay: Option<PlanOverlay>,
    pub matching: Vec<PlanMatch>,
    /// The keys and JSON texts of the object that a single row is where there is none.
    pub without_row: Option<BTreeMap<String, String>>,
    pub computed: Vec<PlanComputed>,
    pub instead: Option<Instead>,
    pub nested: Vec<PlanNested>,
}

impl PlanNode {
    /// The hops that end at the node's own rows, but for those of a tree below others.
    pub fn last_hops(&self) -> impl Iterator<Item = HopId> + '_ {
        let last = self.steps.last();
        last.into_iter()
            .flat_map(|step| step.reach.iter().map(|reach| reach.hop))
    }

    /// True if a row may be found in several ways.
    pub fn may_repeat(&self) -> bool {
        may_repeat(&self.steps)
    }
}

/// True if these steps may come to a row in several ways.
pub fn may_repeat(steps: &[Step]) -> bool {
    steps.len() > 1 || steps.iter().any(|step| step.reach.len() > 1)
}

/// From rows of one table to those of another.
#[derive(Debug, Clone)]
pub struct Step {
    pub table: TableId,
    /// Alternatives.
    pub reach: Vec<Reach>,
}

/// A hop from a row, by its columns.
#[derive(Debug, Clone)]
pub struct Reach {
    pub from: ReachedFrom,
    /// How the values that it is taken by become a key.
    pub shape: KeyShape,
    pub hop: HopId,
    /// The columns are those of the nested row that lies over the row.
    pub of_overlay: bool,
}

/// What a hop is taken by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachedFrom {
    /// At the top level: the entity's key.
    EntityKey,
    /// At the top level: the key of the entity's root ancestor.
    EntityRoot,
    /// At the top level: nothing, because all rows of the table are the entity's.
    Everything,
    /// At the top level of what is collected: a value that was.
    Collected,
    /// Columns of the row.
    Columns(Vec<String>),
}

/// Rows below a row of a node's table.
#[derive(Debug, Clone)]
pub struct PlanTree {
    /// The JSON key that they stand under.
    pub name: String,
    /// The hop from a row, by these columns of it.
    pub hop: HopId,
    pub columns: Vec<String>,
    pub shape: KeyShape,
}

/// A value rule whose conditions are ready for the columns that they are about.
pub type PlanRule = ValueRule<PlanTest>;

/// A condition of a value rule.
#[derive(Debug, Clone)]
pub struct PlanTest {
    pub of: RowOf,
    pub column: String,
    pub test: ValueTest,
}

/// Which row a column is looked at of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOf {
    /// The row itself.
    Own,
    /// The row above.
    Parent,
    /// A row further up, by the path of its node: the names of the nodes from the relation down to it.
    Above(Vec<String>),
}

/// Columns whose values are those of a nested row, where there is one.
#[derive(Debug, Clone)]
pub struct PlanOverlay {
    pub nested: String,
    pub columns: Vec<String>,
}

/// A column that must equal the first of others that is not NULL.
#[derive(Debug, Clone)]
pub struct PlanMatch {
    pub column: String,
    pub equals: Vec<PlanEqual>,
}

/// One of the columns that another must equal.
#[derive(Debug, Clone)]
pub struct PlanEqual {
    pub of: RowOf,
    pub column: String,
    /// How the two compare: the column that must equal this one, and this one.
    pub own: KeyShape,
    pub shape: KeyShape,
}

/// A key that is not a column of its own.
#[derive(Debug)]
pub struct PlanComputed {
    pub name: String,
    pub value: PlanValue,
    /// The value is written as an object with this one key.
    pub object: Option<String>,
    /// The key stands behind the nested ones.
    pub last: bool,
    /// The key is left out where its value is null.
    pub unless_null: bool,
}

/// Where the value of a key comes from.
#[derive(Debug)]
pub enum PlanValue {
    /// A column of the row, by this rule, or by that of the node.
    Column {
        column: String,
        rule: Option<PlanRule>,
    },
    /// Black or white for the colour of a column.
    TextColor { column: String },
    /// A column of the row of another table.
    Lookup {
        /// The hop from the row.
        reach: Reach,
        /// Column of the other table.
        column: String,
        names: Option<BTreeMap<i64, String>>,
        /// The JSON text that stands where there is no row.
        without_row: String,
    },
    /// This JSON text.
    Constant(String),
    /// A key of a nested row.
    Of(ValuePath),
    /// The first that is not null.
    First(Vec<PlanValue>),
}

/// A nested key.
#[derive(Debug)]
pub enum PlanNested {
    Node(Box<PlanNode>),
    /// A `many` whose table the snapshot does not have: always `[]`.
    Empty(String),
}

impl LeftOutRelation {
    /// Says that it is left out; with the name of its pipeline if there are several.
    pub fn says(&self, among: usize) -> String {
        let LeftOutRelation {
            pipeline,
            relation,
            table,
        } = self;
        let of = match among {
            0 | 1 => String::new(),
            _ => format!("{pipeline}."),
        };
        format!("the snapshot has no table {table}: relation {of}{relation} is left out")
    }
}
