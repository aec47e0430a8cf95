//! A snapshot that answers questions: a live server, which finds rows by their keys itself.

use std::sync::Arc;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts, TableSize};
use crate::snapshot::table_name::TableName;

/// A snapshot that is asked for rows by key instead of being read through. All answers come from one instant.
pub trait KeyedSource: Send + Sync {
    fn catalog(&self) -> Arc<Catalog>;
    fn facts(&self) -> SnapshotFacts;
    /// Where definitions and data do not match: UNLOGGED tables that can be asked for rows, and have lost them.
    fn holdings(&self) -> Holdings {
        Holdings::default()
    }
    /// How many queries can be answered at the same time. A call beyond that waits for its turn.
    fn connections(&self) -> usize;
    /// How many rows and bytes a table has by the source's own statistics, partitions counted with their root; `None`
    /// where it does not know.
    fn estimate(&self, table: &TableName) -> Option<TableSize>;
    /// True where rows of a table are found by this column without reading all of it: an index has the column, with none
    /// before it but columns of which a query says what they hold (`known`).
    fn is_indexed(&self, table: &TableName, column: &str, known: &[&str]) -> bool;
    /// Reads the rows that a query asks for: `Begin`, `Rows`…, `End`, in COPY text form. Blocks on the
    /// network and on `sink`; call it on a plain thread, never on the pool.
    ///
    /// Where `sink` breaks off, the query is given up and the rest of its answer is not waited for.
    /// Rows that were handed out before an error stay handed out; the error says whether it concerns the query
    /// alone or the whole instant.
    ///
    /// # Errors
    /// The server's own message and SQLSTATE where it refuses ([`SnapshotError::Refused`]); [`SnapshotError::Lost`]
    /// where the instant cannot be read any more.
    fn read(&self, query: &Query<'_>, sink: Sink<'_>) -> Result<(), SnapshotError>;
    /// What ends that was started for this source; `None` if nothing was.
    fn ending(&self) -> Option<Ending> {
        None
    }
}

/// Ends what was started for a snapshot when it is dropped, and waits until nothing is left of it. That need not
/// wait for threads that still have the snapshot: their queries fail.
pub struct Ending(Box<dyn FnMut() + Send>);

impl Ending {
    pub(crate) fn new(end: impl FnMut() + Send + 'static) -> Self {
        Ending(Box::new(end))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// What a keyed source is asked for.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    pub table: &'a TableName,
    pub fields: Fields<'a>,
    /// All of them must hold; of none, every row is meant.
    pub predicates: Vec<Predicate<'a>>,
}

/// What is wanted of the rows.
#[derive(Debug, Clone)]
pub enum Fields<'a> {
    /// These columns of each row, in this order.
    Columns(Vec<&'a str>),
    /// One row: the greatest value of this column, of equal ones the one with the shortest text, and of these the first in byte
    /// order. NULL, or no row, where there is none.
    Maximum(&'a str),
    /// One row: the values of this column in all rows, as an array. Of more than so many rows, only of that many.
    Gathered(&'a str, u64),
}

/// A condition on a row.
#[derive(Debug, Clone)]
pub enum Predicate<'a> {
    /// The column holds one of these integers.
    AnyInteger(KeyColumn<'a>, &'a [i64]),
    /// The columns hold one of these keys: a list of texts for each column, all of the same length.
    AnyOf(Vec<KeyColumn<'a>>, Vec<Vec<String>>),
    /// The column equals one of these, as values of its type; or it is NULL, if `null` says so.
    In {
        column: &'a str,
        values: Vec<&'a str>,
        null: bool,
    },
    /// The column equals none of these; and it is not NULL, if `null` says so.
    NotIn {
        column: &'a str,
        values: Vec<&'a str>,
        null: bool,
    },
    /// The column's text is one of these, without regard to the case of letters.
    InIgnoringCase(&'a str, Vec<&'a str>),
    /// A column of integer arrays holds one of these keys as an element.
    Holds(&'a str, &'a [i64]),
    /// Greater than this, as a value of the column's type.
    Above(&'a str, &'a str),
    /// Less than this, as a value of the column's type.
    Below(&'a str, &'a str),
    /// The column's text begins with this.
    Prefix(&'a str, &'a str),
    /// The column's text has so many characters.
    Length(&'a str, u32),
}

/// A column that holds a key, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumn<'a> {
    pub name: &'a str,
    pub compared: ComparedAs,
}

/// As values of which type a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparedAs {
    /// Its own.
    Own,
    Text,
    Character,
    Numeric,
    Double,
    Timestamp,
}
