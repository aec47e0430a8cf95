//! Why rows under a head cannot be used.

/// What is wrong with a head of a table's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("the snapshot has no definition of the table")]
    NoDefinition,
    #[error("the data has a column {0} that the definition of the table does not have")]
    UnknownColumn(String),
    #[error("the data has no column {0}, which is needed to find rows")]
    NoColumn(String),
}
