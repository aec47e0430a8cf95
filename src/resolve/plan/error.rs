//! Why a pipeline, or a relation of it, cannot be laid over a catalog.

use crate::snapshot::TableName;

/// What a snapshot's catalog lacks for a plan, or for one of its relations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    #[error(
        "the snapshot has no table {table}, so there is no {kind} to be found in it\n  if it is of another database, name a pipeline of that one with --pipeline; `relexport inspect` lists its tables"
    )]
    NoEntityTable { table: String, kind: String },
    #[error("the snapshot has no table {0}")]
    NoTable(String),
    #[error("table {table} has no column {column}")]
    NoColumn { table: TableName, column: String },
    #[error("table {table} has no column {column}, which is needed to find its rows")]
    NoKeyColumn { table: TableName, column: String },
    /// Keys are integers: sets of them decide which rows are kept.
    #[error("column {column} of table {table} is no integer, so it cannot link rows")]
    NoInteger { table: TableName, column: String },
    /// What names that are no text become while they are read. Two such names might be one then.
    #[error(
        "table {table} has a column whose name ({column}) is not valid in the snapshot's encoding; leave it out by `only`, or rename it and dump again"
    )]
    ColumnName { table: TableName, column: String },
    /// A plan that contradicts itself.
    #[error("table {table} does not keep column {column}")]
    NotKept { table: TableName, column: String },
    /// A table's data is there without its definition.
    #[error(
        "the snapshot holds data of table {0}, but not its definition (CREATE TABLE): copy or dump it again, whole"
    )]
    Undefined(String),
}
