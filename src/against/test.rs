//! Conditions on a row's columns.

use crate::key::KeyForm;
use crate::pipeline::{self, Condition};
use crate::snapshot::{Catalog, Table};

/// A condition, ready for a table.
pub(super) struct Test {
    pub(super) column: String,
    form: Option<KeyForm>,
    asks: pipeline::Test,
}

impl Test {
    pub(super) fn new(condition: &Condition, table: &Table, catalog: &Catalog) -> Test {
        let column = table.column(&condition.column);
        Test {
            column: condition.column.clone(),
            form: column.and_then(|(_, column)| KeyForm::of(&column.sql_type, catalog)),
            asks: condition.test.clone(),
        }
    }

    /// True if the column's value, `None` for NULL, passes.
    pub(super) fn passes(&self, value: Option<&[u8]>) -> bool {
        use pipeline::Test as Asks;
        let is_one_of = |values: &[String], null: bool| match value {
            None => null,
            Some(value) => values
                .iter()
                .any(|other| self.equal(value, other.as_bytes())),
        };
        match (&self.asks, value) {
            (Asks::In { values, null }, _) => is_one_of(values, *null),
            (Asks::NotIn { values, null }, _) => !is_one_of(values, *null),
            (Asks::Between { .. } | Asks::Prefix(_) | Asks::Length(_), None) => false,
            (Asks::Between { above, below }, Some(value)) => {
                let Some(form) = self.form.and_then(KeyForm::of_bounds) else {
                    return false;
                };
                let place = |value: &[u8]| {
                    let mut bytes = Vec::new();
                    form.encode(value, &mut bytes).then_some(bytes)
                };
                let Some(own) = place(value) else {
                    return false;
                };
                let bound =
                    |text: &Option<String>| text.as_ref().map(|text| place(text.as_bytes()));
                bound(above).is_none_or(|above| above.is_some_and(|above| own > above))
                    && bound(below).is_none_or(|below| below.is_some_and(|below| own < below))
            }
            (Asks::Prefix(text), Some(value)) => self.unpadded(value).starts_with(text.as_bytes()),
            (Asks::Length(length), Some(value)) => {
                String::from_utf8_lossy(self.unpadded(value))
                    .chars()
                    .count() as u64
                    == u64::from(*length)
            }
        }
    }

    /// The value without the blanks that a `character(n)` is filled up with: PostgreSQL does not count them.
    fn unpadded<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        let last = value.iter().rposition(|byte| *byte != b' ');
        match self.form {
            Some(KeyForm::Padded) => &value[..last.map_or(0, |last| last + 1)],
            _ => value,
        }
    }

    fn equal(&self, value: &[u8], other: &[u8]) -> bool {
        match self.form {
            Some(form) => form.equal(value, other),
            None => value == other,
        }
    }
}
