//! Why a pipeline, or a relation of it, cannot be laid over a catalog.

use crate::snapshot::TableName;

/// What a snapshot's catalog lacks for a plan, or for one of its relations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    #[error(
        "the snapshot has no table {table}, so there is no {kind} to be found in it\n  if it is of another database, name a pipeline of that one with --pipeline; `relexport inspect` lists its tables"
    )]
    NoEntityTable { table: TableName, kind: String },
    /// Of a dump of several databases only the first one that has rows is known then.
    #[error(
        "the snapshot is a dump of a whole server (pg_dumpall), and the first of its databases that has rows has no table {table}, so there is no {kind} to be found in it\n  one snapshot is one database: dump it alone with pg_dump"
    )]
    NotInFirstDatabase { table: TableName, kind: String },
    /// A run without anything to take.
    #[error("no pipeline says what is to be taken")]
    NoPipeline,
    /// What entities lie within is nobody's business in the run, or is no row.
    #[error(
        "what pipeline {pipeline} takes lies within what pipeline {within} takes, which the run does not have before it\n  name both, each with --pipeline"
    )]
    NotInRun { pipeline: String, within: String },
    /// Two pipelines contradict each other.
    #[error(
        "pipelines {one} and {other} say different keys of table {table}\n  say the same in both, or export with one of them at a time"
    )]
    Keys {
        table: TableName,
        one: String,
        other: String,
    },
    #[error("the snapshot has no table {0}")]
    NoTable(TableName),
    #[error("table {table} has no column {column}")]
    NoColumn { table: TableName, column: String },
    #[error("table {table} has no column {column}, which is needed to find its rows")]
    NoKeyColumn { table: TableName, column: String },
    /// The values of these columns never equal each other, or it is not known when they do.
    #[error("column {column} of table {table} cannot be linked to {to}: {reason}")]
    Incomparable {
        table: TableName,
        column: String,
        to: String,
        reason: String,
    },
    #[error("column {column} of table {table} has no type by which rows can be linked: {reason}")]
    NoKeyType {
        table: TableName,
        column: String,
        reason: String,
    },
    /// Links of several columns have as many at both ends.
    #[error(
        "a link has {child} columns of table {table} and {parent} of the row above; give as many of both"
    )]
    LinkColumns {
        table: TableName,
        child: usize,
        parent: usize,
    },
    /// Nothing says the key of a table that something refers to.
    #[error(
        "the key of table {0} is not known: the pipeline does not say it, there is no column id, and no primary key is stated before the rows\n  name the columns in the link, or the table's key under `tables`"
    )]
    NoKey(TableName),
    #[error("column {column} of table {table}: {reason}")]
    Condition {
        table: TableName,
        column: String,
        reason: String,
    },
    /// What names that are no text become while they are read. Two such names might be one then.
    #[error(
        "table {table} has a column whose name ({column}) is not valid in the snapshot's encoding; leave it out by `only`, or rename it and dump again"
    )]
    ColumnName { table: TableName, column: String },
    /// JSON's readers keep one of two values of a key.
    #[error(
        "key {key} would be written twice: table {table} has a column of that name; leave the column out by `except`, or name one of the two otherwise (`as`)"
    )]
    KeyTwice { table: TableName, key: String },
    /// A plan that contradicts itself.
    #[error("nothing leads to the rows of {0}")]
    NoSteps(String),
    #[error("table {table} does not keep column {column}")]
    NotKept { table: TableName, column: String },
    /// A table's data is there without its definition.
    #[error(
        "the snapshot holds data of table {0}, but not its definition (CREATE TABLE), or one that lacks columns of them: copy or dump it again, whole"
    )]
    Undefined(TableName),
}
