//! Why rows under a head cannot be used.

/// What is wrong with a head of a table's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("the snapshot has no definition of the table")]
    NoDefinition,
    #[error("the data has a column {0} that the definition of the table does not have")]
    UnknownColumn(String),
    #[error("the data has the column {0} twice: the line that names its columns is damaged")]
    Twice(String),
    #[error("the data has no column {0}, which is needed to find rows")]
    NoColumn(String),
    #[error(
        "the data has no column {0}, which is needed to find rows: a database computes it, and dumps hold no values of it; \
         link by the columns that it is computed from, or export from a server"
    )]
    Generated(String),
}
