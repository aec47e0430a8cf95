//! Why a statement cannot be used.

use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::table_name::TableName;

/// Why a statement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The table's definition cannot be understood.
    Definition { table: Option<TableName> },
    /// Tables have more columns than PostgreSQL allows, or than anyone could want.
    Columns { table: TableName },
    /// The dump is in an encoding that is not known, or that nothing converts.
    Encoding(String),
}

impl Fault {
    pub(crate) fn at(self, member: Option<String>, offset: u64) -> SnapshotError {
        match self {
            Fault::Definition { table } => SnapshotError::Damaged {
                place: Position {
                    member,
                    table: table.map(|name| name.to_string()),
                    offset: Some(offset),
                    ..Position::default()
                },
                reason: "a table's definition cannot be understood".into(),
            },
            Fault::Columns { table } => SnapshotError::Damaged {
                place: Position {
                    member,
                    table: Some(table.to_string()),
                    offset: Some(offset),
                    ..Position::default()
                },
                reason: "the tables up to this one have more columns than they can have".into(),
            },
            Fault::Encoding(encoding) => SnapshotError::Unsupported {
                what: format!("a dump in the encoding {encoding}"),
                reason:
                    "it is not known how its text becomes UTF-8: dump again with --encoding=UTF8"
                        .into(),
            },
        }
    }
}
