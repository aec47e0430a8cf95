//! Rows split into fields, in each form that a snapshot has them in.

use std::borrow::Cow;
use std::ops::Range;

use crate::resolve::keys::{COPY_NULL, Fields, decoded, parse_integer, value_of};
use crate::snapshot::codec::csv_text;
use crate::snapshot::codec::csv_walk::CsvWalkedRow;
use crate::snapshot::codec::row_walk::WalkedRow;

/// A row that was split into fields, whatever form it has.
pub(super) trait Row: Fields {
    fn len(&self) -> usize;

    /// Appends a field as COPY text.
    fn copy_field(&self, field: usize, out: &mut Vec<u8>);

    /// Appends neighbouring fields as COPY text: a TAB between them.
    fn copy(&self, fields: Range<usize>, out: &mut Vec<u8>) {
        let first = fields.start;
        for field in fields {
            if field > first {
                out.push(b'\t');
            }
            self.copy_field(field, out);
        }
    }

    fn integer(&self, field: usize) -> Option<i64> {
        parse_integer(self.plain(field))
    }
}

/// A row of COPY text. To ask for a field that it does not have is a mistake of the scanner's, which would lose a value: tests end
/// at it.
pub(super) struct CopyRow<'a>(pub &'a WalkedRow<'a>);

impl Fields for CopyRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        self.plain(field) == COPY_NULL
    }

    #[inline]
    fn plain(&self, field: usize) -> &[u8] {
        let known = self.0.field(field);
        debug_assert!(known.is_some(), "field {field} is not there");
        known.unwrap_or(COPY_NULL)
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        decoded(self.plain(field))
    }

    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
        value_of(self.plain(field))
    }
}

impl Row for CopyRow<'_> {
    fn len(&self) -> usize {
        self.0.fields()
    }

    fn copy_field(&self, field: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.plain(field));
    }

    fn copy(&self, fields: Range<usize>, out: &mut Vec<u8>) {
        let run = self.0.run(fields);
        debug_assert!(run.is_some(), "some fields are not there");
        out.extend_from_slice(run.unwrap_or(COPY_NULL));
    }
}

/// A row of CSV whose places a walk told. For a field that it does not have the same holds as in COPY text.
pub(super) struct CsvRow<'a> {
    row: &'a CsvWalkedRow<'a>,
    /// All fields are COPY text as they stand, apart from NULL; false where nobody has looked.
    is_plain: bool,
}

impl<'a> CsvRow<'a> {
    /// A row of which a few fields are looked at.
    #[inline]
    pub(super) fn new(row: &'a CsvWalkedRow<'a>) -> CsvRow<'a> {
        let is_plain = false;
        CsvRow { row, is_plain }
    }

    /// A row that is copied.
    pub(super) fn to_be_copied(row: &'a CsvWalkedRow<'a>) -> CsvRow<'a> {
        let is_plain = csv_text::is_plain(row.text());
        CsvRow { row, is_plain }
    }

    /// The field without quotes, and whether it had some.
    #[inline]
    fn field(&self, field: usize) -> (&[u8], bool) {
        let known = self.row.field(field);
        debug_assert!(known.is_some(), "field {field} is not there");
        known.unwrap_or_default()
    }
}

impl Fields for CsvRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        let (plain, quoted) = self.field(field);
        plain.is_empty() && !quoted
    }

    #[inline]
    fn plain(&self, field: usize) -> &[u8] {
        self.field(field).0
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        let (plain, quoted) = self.field(field);
        unquoted(plain, quoted)
    }

    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
        let text = self.text(field);
        std::str::from_utf8(&text).is_ok().then_some(text)
    }
}

impl Row for CsvRow<'_> {
    fn len(&self) -> usize {
        self.row.fields()
    }

    fn copy_field(&self, field: usize, out: &mut Vec<u8>) {
        match self.field(field) {
            (plain, _) if self.is_plain && !plain.is_empty() => out.extend_from_slice(plain),
            (plain, quoted) => csv_text::to_copy_text(plain, quoted, out),
        }
    }
}

/// A row of CSV that was split field by field.
pub(super) struct SplitCsvRow<'a> {
    pub bytes: &'a [u8],
    pub fields: &'a [csv_text::CsvField],
}

impl Fields for SplitCsvRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        !self.fields[field].quoted && self.fields[field].range.is_empty()
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].range.clone()]
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        unquoted(self.plain(field), self.fields[field].quoted)
    }

    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
        let text = self.text(field);
        std::str::from_utf8(&text).is_ok().then_some(text)
    }
}

impl Row for SplitCsvRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn copy_field(&self, field: usize, out: &mut Vec<u8>) {
        csv_text::to_copy_text(self.plain(field), self.fields[field].quoted, out);
    }
}

/// The value of a field of CSV.
fn unquoted(plain: &[u8], quoted: bool) -> Cow<'_, [u8]> {
    match quoted && memchr::memchr(b'"', plain).is_some() {
        true => {
            let mut value = Vec::with_capacity(plain.len());
            csv_text::unquote(plain, &mut value);
            Cow::Owned(value)
        }
        false => Cow::Borrowed(plain),
    }
}
