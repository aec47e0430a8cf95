//! A row of a table that the directory reads, field by field.

use std::ops::Range;

use crate::pipeline::{Condition, Test};
use crate::resolve::entities::EntityError;
use crate::resolve::keys::parse_integer;
use crate::resolve::plan::PlanTable;
use crate::resolve::scan::RowPosition;
use crate::snapshot::codec::copy_text;

/// A row of a table that the directory reads.
pub(super) struct ObservedRow<'a> {
    pub table: &'a PlanTable,
    pub rows: &'a [u8],
    pub fields: &'a [Range<usize>],
    pub place: Option<RowPosition>,
}

impl<'a> ObservedRow<'a> {
    /// The field of a column, `None` where the table lacks the column or the value is NULL.
    fn field(&self, column: &str) -> Option<&'a [u8]> {
        let range = self.fields.get(self.table.column(column)?)?;
        Some(&self.rows[range.clone()]).filter(|field| *field != b"\\N")
    }

    pub(crate) fn passes(&self, condition: &Condition) -> bool {
        match (&condition.test, self.field(&condition.column)) {
            (Test::Null, field) => field.is_none(),
            (_, None) => false,
            (Test::NotNull, Some(_)) => true,
            (Test::In(texts), Some(field)) => texts.iter().any(|text| text.as_bytes() == field),
            (Test::Above(bound), Some(field)) => {
                parse_integer(field).is_some_and(|value| value > *bound)
            }
            (Test::Below(bound), Some(field)) => {
                parse_integer(field).is_some_and(|value| value < *bound)
            }
        }
    }

    fn bad(&self, column: &str, what: &str) -> EntityError {
        let place = self.place.map(|place| {
            let RowPosition { row, offset } = place;
            format!(", row {row} (byte {offset})")
        });
        EntityError::BadRow {
            reason: format!(
                "table {}{}: its {column} is {what}, so that it is not sure which ones there are\n  copy or dump it again",
                self.table.name,
                place.unwrap_or_default()
            ),
        }
    }

    pub(crate) fn integer(&self, column: &str) -> Result<Option<i64>, EntityError> {
        match self.field(column) {
            None => Ok(None),
            Some(field) => Ok(Some(
                parse_integer(field).ok_or_else(|| self.bad(column, "no integer"))?,
            )),
        }
    }

    pub(crate) fn required(&self, column: &str) -> Result<i64, EntityError> {
        self.integer(column)?
            .ok_or_else(|| self.bad(column, "NULL"))
    }

    pub(crate) fn text(&self, column: &str) -> Result<Option<String>, EntityError> {
        let Some(field) = self.field(column) else {
            return Ok(None);
        };
        let mut decoded = Vec::new();
        copy_text::decode(field, &mut decoded).map_err(|_| self.bad(column, "not COPY text"))?;
        String::from_utf8(decoded)
            .map(Some)
            .map_err(|_| self.bad(column, "not UTF-8"))
    }

    /// An array of integers.
    pub(crate) fn integers(&self, column: &str) -> Result<Box<[i64]>, EntityError> {
        let Some(field) = self.field(column) else {
            return Ok(Box::default());
        };
        let bad = || self.bad(column, "no array of integers");
        let inner = field
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"))
            .ok_or_else(bad)?;
        if inner.is_empty() {
            return Ok(Box::default());
        }
        inner
            .split(|byte| *byte == b',')
            .map(|item| parse_integer(item).ok_or_else(bad))
            .collect()
    }
}
