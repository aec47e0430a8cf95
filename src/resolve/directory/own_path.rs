//! Columns of the entities' own table that name them.

use crate::key::KeyForm;
use crate::pipeline::{Entity, EntityId};
use crate::resolve::plan::Plan;

use super::Map;
use super::letter_case::{LetterCase, same_ignoring_case};

/// A column whose values name the rows of the entities' table.
pub(super) struct OwnPath {
    pub column: String,
    /// How its values compare; `None` if by their text alone.
    form: Option<KeyForm>,
    /// Its value in every row that has one, entity or not.
    pub values: Map<Box<str>>,
}

impl OwnPath {
    /// Those that a pipeline names, in its order.
    pub(super) fn all(entity: &Entity, plan: &Plan) -> Vec<OwnPath> {
        let table = plan.table(&entity.table).map(|table| &plan.tables[table]);
        let form = |name: &str| {
            let table = table?;
            table.layout[table.column(name)?].form
        };
        let columns = entity.path.iter();
        columns
            .map(|column| OwnPath {
                column: column.clone(),
                form: form(column),
                values: Map::default(),
            })
            .collect()
    }

    /// The rows that a name may mean.
    pub(super) fn named<'d, 'n>(
        &'d self,
        name: &'n str,
        case: LetterCase,
    ) -> impl Iterator<Item = &'d EntityId> + use<'d, 'n> {
        let is_meant = move |value: &str| match (case, self.form) {
            (LetterCase::Counts, Some(form)) => form.equal(value.as_bytes(), name.as_bytes()),
            (LetterCase::Counts, None) => value == name,
            (LetterCase::Ignored, _) => same_ignoring_case(value, name),
        };
        let values = self.values.iter();
        values
            .filter(move |(_, value)| is_meant(value))
            .map(|(id, _)| id)
    }
}
