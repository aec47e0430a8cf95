//! Rows split into fields, in each form that a snapshot has them in.

use std::borrow::Cow;
use std::ops::Range;

use crate::resolve::keys::{COPY_NULL, CopyFields, Fields, decoded, parse_integer};
use crate::snapshot::codec::csv_text;
use crate::snapshot::codec::csv_walk::CsvWalkedRow;
use crate::snapshot::codec::row_walk::WalkedRow;

/// A row that was split into fields, whatever form it has.
pub(super) trait Row: Fields {
    fn len(&self) -> usize;
    /// All fields as COPY text, where the row is that.
    fn copy_text(&self) -> Option<&[u8]>;
    /// Appends the field as COPY text.
    fn copy(&self, field: usize, out: &mut Vec<u8>);

    fn integer(&self, field: usize) -> Option<i64> {
        parse_integer(self.plain(field))
    }
}

impl Row for CopyFields<'_> {
    fn len(&self) -> usize {
        self.fields.len()
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

impl Fields for CsvRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        !self.fields[field].quoted && self.fields[field].range.is_empty()
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].range.clone()]
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        unquoted(self.plain(field), self.fields[field].quoted)
    }
}

/// A row of CSV that is plain: see [`csv_text::is_plain`].
pub(super) struct PlainCsvRow<'a> {
    pub bytes: &'a [u8],
    pub fields: &'a [Range<usize>],
}

impl Fields for PlainCsvRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        self.fields[field].is_empty()
    }

    fn plain(&self, field: usize) -> &[u8] {
        &self.bytes[self.fields[field].clone()]
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.plain(field))
    }
}

impl Row for PlainCsvRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn copy_text(&self) -> Option<&[u8]> {
        None
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        match self.plain(field) {
            [] => out.extend_from_slice(COPY_NULL),
            plain => out.extend_from_slice(plain),
        }
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

/// A row of which only the fields are known by which rows are found: those that the scanner's hops and conditions look at. To
/// ask for another is a mistake of the scanner's, which would lose rows: tests end at it.
pub(super) struct CopyKeys<'a>(pub &'a WalkedRow<'a>);

impl Fields for CopyKeys<'_> {
    fn is_null(&self, field: usize) -> bool {
        self.plain(field) == COPY_NULL
    }

    fn plain(&self, field: usize) -> &[u8] {
        let known = self.0.field(field);
        debug_assert!(known.is_some(), "field {field} was not walked");
        known.unwrap_or(COPY_NULL)
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        decoded(self.plain(field))
    }
}

/// The same of a row of CSV.
pub(super) struct CsvKeys<'a>(pub &'a CsvWalkedRow<'a>);

impl CsvKeys<'_> {
    /// The field without quotes, and whether it had some.
    fn known(&self, field: usize) -> (&[u8], bool) {
        let known = self.0.field(field);
        debug_assert!(known.is_some(), "field {field} was not walked");
        known.unwrap_or_default()
    }
}

impl Fields for CsvKeys<'_> {
    fn is_null(&self, field: usize) -> bool {
        let (plain, quoted) = self.known(field);
        plain.is_empty() && !quoted
    }

    fn plain(&self, field: usize) -> &[u8] {
        self.known(field).0
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        let (plain, quoted) = self.known(field);
        unquoted(plain, quoted)
    }
}

impl Row for CsvRow<'_> {
    fn len(&self) -> usize {
        self.fields.len()
    }

    fn copy_text(&self) -> Option<&[u8]> {
        None
    }

    fn copy(&self, field: usize, out: &mut Vec<u8>) {
        csv_text::to_copy_text(self.plain(field), self.fields[field].quoted, out);
    }
}
