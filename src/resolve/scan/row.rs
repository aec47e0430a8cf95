//! Rows split into fields, in each form that a snapshot has them in.

use std::ops::Range;

use crate::pipeline::Test;
use crate::resolve::keys::parse_integer;
use crate::snapshot::codec::csv_text;

/// A condition on a field.
#[derive(Debug)]
pub(super) struct FieldTest {
    /// `None` where the data does not have the column: it is NULL then.
    pub field: Option<usize>,
    pub test: Test,
}

/// A row that was split into fields, whatever form it has.
pub(super) trait Row {
    fn len(&self) -> usize;
    fn is_null(&self, field: usize) -> bool;
    /// The field's text, if it is the same in every form: no escapes, no quotes.
    fn plain(&self, field: usize) -> &[u8];
    /// All fields as COPY text, where the row is that.
    fn copy_text(&self) -> Option<&[u8]>;
    /// Appends the field as COPY text.
    fn copy(&self, field: usize, out: &mut Vec<u8>);

    fn integer(&self, field: usize) -> Option<i64> {
        parse_integer(self.plain(field))
    }

    fn passes(&self, condition: &FieldTest) -> bool {
        let Some(field) = condition.field else {
            return matches!(condition.test, Test::Null);
        };
        match &condition.test {
            Test::Null => self.is_null(field),
            Test::NotNull => !self.is_null(field),
            _ if self.is_null(field) => false,
            Test::In(texts) => texts
                .iter()
                .any(|text| text.as_bytes() == self.plain(field)),
            Test::Above(bound) => self.integer(field).is_some_and(|value| value > *bound),
            Test::Below(bound) => self.integer(field).is_some_and(|value| value < *bound),
        }
    }
}

/// A row of COPY text.
pub(super) struct CopyRow<'a> {
    pub bytes: &'a [u8],
    pub fields: &'a [Range<usize>],
}

impl Row for CopyRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn is_null(&self, field: usize) -> bool {
        self.plain(field) == b"\\N"
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].clone()]
    }

    fn copy_text(&self) -> Option<&[u8]> {
        let (first, last) = (self.fields.first()?, self.fields.last()?);
        Some(&self.bytes[first.start..last.end])
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.plain(field));
    }
}

/// A row of CSV.
pub(super) struct CsvRow<'a> {
    pub bytes: &'a [u8],
    pub fields: &'a [csv_text::CsvField],
}

impl Row for CsvRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn is_null(&self, field: usize) -> bool {
        !self.fields[field].quoted && self.fields[field].range.is_empty()
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].range.clone()]
    }

    fn copy_text(&self) -> Option<&[u8]> {
        None
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        csv_text::to_copy_text(self.plain(field), self.fields[field].quoted, out);
    }
}
