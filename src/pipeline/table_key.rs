//! The key of a table: what tells its rows apart and orders them.

use crate::snapshot::{StatedKeys, Table};

/// The column that is taken for a table's key where neither the pipeline nor the snapshot says more.
const USUAL: &str = "id";

/// What a pipeline says of a table's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TableKey {
    /// Nothing: it is `id` if the table has such a column, else the primary key that the snapshot states.
    #[default]
    NotSaid,
    /// It is these columns; of none, the rows have no key. A `?` behind one says that a snapshot may lack it.
    Columns(Vec<String>),
}

impl TableKey {
    /// The columns of a table's key; none if it has no key, or if none is known.
    pub fn columns(&self, table: &Table, stated: &StatedKeys) -> Vec<String> {
        match self {
            TableKey::Columns(columns) => columns
                .iter()
                .filter_map(|column| match column.strip_suffix('?') {
                    Some(column) => table.column(column).map(|_| column.to_owned()),
                    None => Some(column.clone()),
                })
                .collect(),
            TableKey::NotSaid if table.column(USUAL).is_some() => vec![USUAL.to_owned()],
            TableKey::NotSaid => {
                let mut keys = stated.of(&table.name).iter();
                let primary = keys.find(|key| key.primary);
                primary.map(|key| key.columns.clone()).unwrap_or_default()
            }
        }
    }

    /// True if only what the snapshot states can say the key.
    pub fn is_left_to_snapshot(&self, table: &Table) -> bool {
        *self == TableKey::NotSaid && table.column(USUAL).is_none()
    }
}
