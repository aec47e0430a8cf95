//! What resolving leaves: everything that rendering needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::snapshot::TableName;

use super::entities::{EntityInfo, Remarks};
use super::live::rows::Live;
use super::plan::{Plan, TableId};
use super::scan::BadRow;
use super::store::RowStore;

/// The rows that were found, or the means to ask for them, and what is wrong with them.
pub struct Resolved {
    pub plan: Arc<Plan>,
    pub rows: RowSource,
    /// Those of one kind behind those of the other.
    pub entities: Vec<EntityInfo>,
    /// What is to be told of entities.
    pub remarks: Remarks,
    /// By table.
    pub troubles: BTreeMap<TableId, Trouble>,
    /// Layout columns that the data of a table does not have, and whose keys are left out.
    pub absent: BTreeMap<TableId, BTreeSet<usize>>,
    /// Columns that the data of a table does not have though it should.
    pub lacking: Vec<LackingColumn>,
    /// Tables of which rows have a key that another row has, too.
    pub repeated: Vec<RepeatedKeys>,
    /// Tables of the plan that did not come to their end, because the snapshot was cut off before; and why one of several
    /// databases was, if it was only that.
    pub incomplete: BTreeMap<TableId, Option<String>>,
    /// Tables of which no data went by: a snapshot that does not hold it, or a partitioned table without partitions.
    pub unseen: BTreeSet<TableId>,
    /// Tables that the catalog has, but whose data, or that of partitions of theirs, the snapshot does not hold, with the
    /// names of what is missing.
    pub without_data: BTreeMap<TableId, BTreeSet<TableName>>,
    /// Bytes of temp files: staged rows and rows moved out of memory.
    pub temp_bytes: u64,
}

impl Resolved {
    /// The positions of the relations of an entity, which is named by its own. In the manifest they are counted from the first
    /// of these.
    pub fn relations_of(&self, entity: usize) -> Range<usize> {
        self.plan.relations_of(&self.entities[entity])
    }
}

/// Where the rows of a plan's relations are.
pub enum RowSource {
    /// All of them were kept.
    Kept(Arc<RowStore>),
    /// They are asked for batch by batch.
    Live(Live),
}

/// A column that no row of a table's data has, though its definition has it, and the database does not compute it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LackingColumn {
    pub table: TableName,
    pub column: String,
    /// What is written in its place.
    pub instead: &'static str,
}

impl fmt::Display for LackingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LackingColumn {
            table,
            column,
            instead,
        } = self;
        write!(
            f,
            "table {table}: column {column} is defined, but no row of its data has it: {instead}"
        )
    }
}

/// Rows of a table whose key is that of another row, so that it is none. All of them are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedKeys {
    pub table: TableName,
    /// The column that is the key.
    pub key: String,
    /// How many at the least: those that one way to the table's rows comes by.
    pub rows: u64,
}

impl fmt::Display for RepeatedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RepeatedKeys { table, key, rows } = self;
        write!(
            f,
            "table {table}: rows have the {key} of others, though it is the key (at least {rows} of them): all are written"
        )
    }
}

/// What is wrong with a table's data, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Something that makes all of the table's rows doubtful.
    pub broken: Option<String>,
    /// Rows that cannot be used, described up to a number.
    pub bad_rows: Vec<BadRow>,
    pub bad_count: u64,
}

impl Trouble {
    pub(super) fn is_none(&self) -> bool {
        self.broken.is_none() && self.bad_count == 0
    }

    /// What is wrong, with the place of the first bad row.
    pub(super) fn says(&self, table: &TableName) -> Option<String> {
        match (&self.broken, self.bad_rows.first()) {
            (Some(reason), _) => Some(format!("table {table}: {reason}")),
            (None, Some(bad)) => Some(format!(
                "table {table}, row {} (byte {}): {}",
                bad.row, bad.offset, bad.reason
            )),
            (None, None) if self.bad_count > 0 => {
                Some(format!("table {table} has rows that cannot be read"))
            }
            (None, None) => None,
        }
    }
}

/// Says that the data of a table, or of its partition `missing`, is not there.
pub fn without_data(table: &TableName, missing: &TableName) -> String {
    let partition = match missing == table {
        true => String::new(),
        false => format!(" of its partition {missing}"),
    };
    format!(
        "table {table} is defined, but the snapshot does not hold the data{partition}: dump it with its data, or take it \
         as empty with --allow-missing"
    )
}
