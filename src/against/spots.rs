//! A pipeline laid over a catalog: every place where rows stand, and what is said of them there.
//!
//! A *spot* is a node of a relation's tree, a table between two nodes, or a table that a value is looked up in. It says
//! which rows of its table belong there, by which keys they hang together, and how each key of a record is made. What the
//! rows are is found out by [`rows`](super::rows).

use std::collections::{BTreeMap, BTreeSet};

use crate::key::KeyForm;
use crate::pipeline::{Form, Pick, ValueForm};
use crate::snapshot::{Catalog, SqlType, Table, TableName};

use super::test::Test;

/// All spots of a pipeline, or of one for a schema.
pub(super) struct Spots {
    pub(super) spots: Vec<Spot>,
    pub(super) relations: Vec<Relation>,
}

/// A relation that is recounted.
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) form: Form,
    /// Which of several rows a relation of one object is.
    pub(super) pick: Option<Pick>,
    /// What is written where there is no row.
    pub(super) without_row: Option<String>,
    pub(super) made_of: MadeOf,
}

/// What a relation's records are made of.
pub(super) enum MadeOf {
    /// Rows: the spots from the entity to them.
    Rows(Vec<usize>),
    /// Rows that the other relations' records refer to.
    Collected(Vec<usize>),
    /// One object with the greatest value of a column for each key.
    Maxima(Vec<(String, Vec<usize>)>),
    /// It is not compared, for this reason.
    NotCompared(String),
    /// It cannot be recounted from this snapshot, for this reason.
    Impossible(String),
}

/// A place where rows of a table stand.
pub(super) struct Spot {
    /// The nested keys from the relation on, joined by dots.
    pub(super) path: String,
    pub(super) table: TableName,
    pub(super) above: Above,
    /// How rows are found: by any of these. Those of a tree come last.
    pub(super) ways: Vec<Way>,
    /// The key under which the rows below a row stand; their way is the last one.
    pub(super) tree: Option<String>,
    /// Keys of a row by which others are found.
    pub(super) outs: Vec<Out>,
    pub(super) fields: Vec<Field>,
    pub(super) nested: Vec<Nested>,
    /// Columns of the table's key, each with its form.
    pub(super) key: Vec<(String, Option<KeyForm>)>,
    /// Positions of the fields that are the key, if a record has all of it as it is.
    pub(super) id: Vec<usize>,
    /// By what several rows are put into an order, if only one of them counts.
    pub(super) order: Option<Vec<OrderColumn>>,
    /// Columns that refer to the rows of a collected relation, by its position.
    pub(super) collects: Vec<(usize, String, KeyForm)>,
    pub(super) matching: Vec<Match>,
    pub(super) overlay: Option<Overlay>,
    /// What a row says in place of the row that it lies over.
    pub(super) over: Vec<OverField>,
    /// Constant objects in place of nested rows.
    pub(super) instead: Vec<Instead>,
    /// How fields look in the record of a row that is not there.
    pub(super) without_row: Option<BTreeMap<String, String>>,
    pub(super) maximum: Option<(String, KeyForm)>,
    pub(super) values: ValueForm,
    /// Columns that the database computes. Dumps have no values of them.
    generated: BTreeSet<String>,
}

impl Spot {
    /// A spot of which no more is known than where it is.
    pub(super) fn new(
        path: &str,
        table: &Table,
        catalog: &Catalog,
        above: Above,
        values: ValueForm,
    ) -> Spot {
        let columns = table.columns.iter().map(|column| &column.name);
        let generated = columns.filter(|column| catalog.is_generated(&table.name, column));
        Spot {
            path: path.to_owned(),
            table: table.name.clone(),
            above,
            ways: Vec::new(),
            tree: None,
            outs: Vec::new(),
            fields: Vec::new(),
            nested: Vec::new(),
            key: Vec::new(),
            id: Vec::new(),
            order: None,
            collects: Vec::new(),
            matching: Vec::new(),
            overlay: None,
            over: Vec::new(),
            instead: Vec::new(),
            without_row: None,
            maximum: None,
            values,
            generated: generated.cloned().collect(),
        }
    }

    /// True for a column that the database computes.
    pub(super) fn is_generated(&self, column: &str) -> bool {
        self.generated.contains(column)
    }
}

/// What a spot's rows hang on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Above {
    Entity,
    Spot(usize),
    Collected,
}

/// One way to a row.
pub(super) struct Way {
    pub(super) filter: Vec<Test>,
    pub(super) own: Vec<(String, KeyForm)>,
    pub(super) to: To,
}

/// What a way's key must equal.
pub(super) enum To {
    /// Nothing: every row belongs there.
    Everything,
    EntityKey(KeyForm),
    EntityRoot(KeyForm),
    /// A key of the row above.
    Out(usize),
    /// A value that records refer to, in the collected relation of this position.
    Collected(usize),
}

/// Columns that are a key for others.
#[derive(PartialEq, Eq, Clone)]
pub(super) struct Out {
    pub(super) columns: Vec<(String, KeyForm)>,
}

/// A key of a record.
pub(super) struct Field {
    /// The column, or the computed key.
    pub(super) name: String,
    /// Under which it stands.
    pub(super) key: String,
    pub(super) made: Made,
}

/// How a field is made.
pub(super) enum Made {
    By(Make),
    /// It is not compared, for this reason.
    NotCompared(String),
}

/// A value of a row.
pub(super) enum Make {
    Plain(Column),
    Names(Column, BTreeMap<i64, String>),
    NullAs(Box<Make>, Column, String),
    NullAsColumn(Column, Column),
    Object {
        column: Column,
        key: String,
        parts: Vec<Part>,
    },
    Constant(String),
    Text(Vec<Part>),
    /// A SHA-1 in hex.
    Sha1(Vec<Part>),
    TextColor(Box<Make>),
    Cases(Vec<(Vec<Test>, Make)>, Box<Make>),
    /// An object with one key.
    Within(String, Box<Make>),
    /// A column of the row at another spot, or this text.
    Lookup {
        spot: usize,
        without_row: String,
        is_float: bool,
    },
}

/// A column with what says how it is written.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) sql_type: SqlType,
}

/// A piece of a template.
pub(super) enum Part {
    Text(String),
    Column(String),
}

/// What stands in a record below its own keys.
pub(super) struct Nested {
    pub(super) key: String,
    /// The spots from the row to those below; none if the snapshot has no such table.
    pub(super) chain: Vec<usize>,
    pub(super) many: bool,
    pub(super) pick: Pick,
    /// The texts that stand in place of a row.
    pub(super) instead: Vec<String>,
    /// The record without a row.
    pub(super) has_without_row: bool,
}

/// A column by which rows are ordered.
pub(super) struct OrderColumn {
    pub(super) column: String,
    pub(super) form: Option<KeyForm>,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A column that must equal the first of others that is not NULL.
pub(super) struct Match {
    /// The position of the column among the row's outs, the spot of a row further up, and the position among that one's outs.
    pub(super) equals: Vec<(usize, usize, usize)>,
}

/// Columns that are those of a nested row, where there is one.
pub(super) struct Overlay {
    /// Position among what is nested.
    pub(super) nested: usize,
    /// Positions of fields, in the order of the nested spot's `over`.
    pub(super) fields: Vec<usize>,
    /// Outs of the row, each with the out of the nested spot that takes its place.
    pub(super) outs: BTreeMap<usize, usize>,
}

/// A field of the row above, made of this row's columns.
pub(super) struct OverField {
    pub(super) field: usize,
    pub(super) make: Make,
}

/// Constant objects by an integer of the row above them.
pub(super) struct Instead {
    /// Position among what is nested.
    pub(super) nested: usize,
    pub(super) column: String,
    pub(super) objects: BTreeMap<i64, String>,
}
