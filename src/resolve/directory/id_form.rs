//! What the keys of entities are: integers, or texts.

use crate::pipeline::{Entity, EntityId};
use crate::resolve::plan::Plan;
use crate::snapshot::TableName;

/// How keys of entities are read, by the type of the entity table's key column. Columns that refer to entities are read
/// alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdForm {
    Integer,
    Text,
}

impl IdForm {
    pub(super) fn of(entity: &Entity, plan: &Plan) -> IdForm {
        let table = plan.table(&TableName::public(&entity.table));
        let table = table.map(|table| &plan.tables[table]);
        let column = table.and_then(|table| Some(&table.layout[table.column(&entity.key)?]));
        match column.is_some_and(|column| !column.sql_type.is_integer()) {
            true => IdForm::Text,
            false => IdForm::Integer,
        }
    }

    /// The key that a user may mean by a name.
    pub(super) fn of_user(self, name: &str) -> Option<EntityId> {
        match self {
            IdForm::Integer => name.parse().ok().map(EntityId::Integer),
            IdForm::Text => Some(EntityId::text(name)),
        }
    }
}
