//! A row of a table that the directory reads, field by field.

use std::ops::Range;

use crate::key::KeyForm;
use crate::pipeline::EntityId;
use crate::resolve::condition::{ColumnTest, Verdict};
use crate::resolve::entities::{EntityError, entity_id};
use crate::resolve::keys::{CopyFields, parse_integer};
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

    /// True if the row passes all of these tests.
    ///
    /// # Errors
    /// A value that is tested is none of its type.
    pub(crate) fn passes(&self, tests: &[ColumnTest]) -> Result<bool, EntityError> {
        let fields = CopyFields {
            bytes: self.rows,
            fields: self.fields,
        };
        for ColumnTest { column, test } in tests {
            match test.judge(&fields, self.table.column(column)) {
                Verdict::Passes => {}
                Verdict::Fails => return Ok(false),
                Verdict::Wrong => return Err(self.bad(column, "no value of its type")),
            }
        }
        Ok(true)
    }

    fn bad(&self, column: &str, what: &str) -> EntityError {
        self.doubtful(column, what, "copy or dump it again")
    }

    /// A row that is an entity, but for its key, which is NULL.
    pub(crate) fn without_key(&self, column: &str) -> EntityError {
        let advice = "name another column as the entity's `key`, or say by its `where` that such rows are none";
        self.doubtful(column, "NULL", advice)
    }

    fn doubtful(&self, column: &str, what: &str, advice: &str) -> EntityError {
        let place = self.place.map(|place| {
            let RowPosition { row, offset } = place;
            format!(", row {row} (byte {offset})")
        });
        EntityError::BadRow {
            reason: format!(
                "table {}{}: its {column} is {what}, so that it is not sure which ones there are\n  {advice}",
                self.table.name,
                place.unwrap_or_default()
            ),
        }
    }

    /// The key of an entity, in the form that equal keys share.
    pub(crate) fn key(&self, column: &str, form: KeyForm) -> Result<Option<EntityId>, EntityError> {
        match (form, self.field(column)) {
            (_, None) => Ok(None),
            (KeyForm::Integer, Some(field)) => {
                let id = parse_integer(field).ok_or_else(|| self.bad(column, "no integer"))?;
                Ok(Some(EntityId::Integer(id)))
            }
            (form, Some(_)) => {
                let Some(text) = self.text(column)? else {
                    return Ok(None);
                };
                let id = entity_id(form, &text);
                id.map(Some)
                    .ok_or_else(|| self.bad(column, "no value of the type of the key"))
            }
        }
    }

    /// The text of a key, if it is another than that of its form.
    pub(crate) fn written(
        &self,
        column: &str,
        id: &EntityId,
    ) -> Result<Option<Box<str>>, EntityError> {
        let Some(canonical) = id.as_text() else {
            return Ok(None);
        };
        let text = self.text(column)?.filter(|text| text != canonical);
        Ok(text.map(String::into_boxed_str))
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

    /// An array of keys.
    pub(crate) fn keys(&self, column: &str, form: KeyForm) -> Result<Box<[EntityId]>, EntityError> {
        let Some(text) = self.text(column)? else {
            return Ok(Box::default());
        };
        let what = match form {
            KeyForm::Integer => "no array of integers",
            _ => "no array of keys",
        };
        let items = array_items(&text).ok_or_else(|| self.bad(column, what))?;
        let keys = items.into_iter().map(|item| match form {
            KeyForm::Integer => parse_integer(item.as_bytes()).map(EntityId::Integer),
            form => entity_id(form, &item),
        });
        let keys: Option<Box<[EntityId]>> = keys.collect();
        keys.ok_or_else(|| self.bad(column, what))
    }
}

/// The elements of an array of one dimension, as PostgreSQL writes it: `{a,"b \"c\""}`. `None` if it is something else, or
/// an element is NULL.
fn array_items(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if rest.is_empty() {
        return Some(items);
    }
    loop {
        let mut item = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut letters = quoted.char_indices();
            rest = loop {
                match letters.next()? {
                    (_, '\\') => item.push(letters.next()?.1),
                    (at, '"') => break &quoted[at + 1..],
                    (_, letter) => item.push(letter),
                }
            };
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let bare = &rest[..end];
            let is_plain = !bare.is_empty() && !bare.contains(['{', '}', '"', '\\']);
            if !is_plain || bare.eq_ignore_ascii_case("null") {
                return None;
            }
            item.push_str(bare);
            rest = &rest[end..];
        }
        items.push(item);
        if rest.is_empty() {
            return Some(items);
        }
        rest = rest.strip_prefix(',')?;
    }
}

#[cfg(test)]
mod tests {
    use super::array_items;

    #[test]
    fn arrays_of_one_dimension_are_taken_apart() {
        for (text, expected) in [
            ("{}", Some(&[][..])),
            ("{1,22,-3}", Some(&["1", "22", "-3"][..])),
            (
                r#"{a b,"","x,y","\"q\" \\"}"#,
                Some(&["a b", "", "x,y", r#""q" \"#][..]),
            ),
            (r#"{"NULL","{}"}"#, Some(&["NULL", "{}"][..])),
            ("{NULL}", None),
            ("{1,null}", None),
            ("{{1},{2}}", None),
            ("[0:1]={1,2}", None),
            ("{1,}", None),
            ("{,1}", None),
            (r#"{"a}"#, None),
            (r#"{"a"b}"#, None),
            (r#"{"a\"#, None),
            ("1", None),
            ("", None),
        ] {
            let items = array_items(text);
            let items = items.as_ref().map(|items| items.iter().map(String::as_str));
            assert_eq!(
                items.map(Iterator::collect::<Vec<_>>),
                expected.map(<[_]>::to_vec),
                "{text}"
            );
        }
    }
}
