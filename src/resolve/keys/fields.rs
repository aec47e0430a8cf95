//! The fields of a row, whatever form the row has.

use std::borrow::Cow;
use std::ops::Range;

use crate::snapshot::codec::copy_text;

/// COPY's NULL.
pub(crate) const COPY_NULL: &[u8] = b"\\N";

/// The fields of a row.
pub trait Fields {
    fn is_null(&self, field: usize) -> bool;
    /// The field as it is written: the value itself, unless it has escapes or quotes.
    fn plain(&self, field: usize) -> &[u8];
    /// The value.
    fn text(&self, field: usize) -> Cow<'_, [u8]>;
    /// The value, unless what is written is none.
    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>>;
}

/// The value of a field of COPY text.
pub(crate) fn decoded(field: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut value = Vec::with_capacity(field.len());
    match copy_text::decode(field, &mut value) {
        Ok(_) => Cow::Owned(value),
        // What is no COPY text is no value of any type; whoever renders the row says so.
        Err(_) => Cow::Borrowed(field),
    }
}

/// The value of a field of COPY text, unless it is none: an escape that is none, or a CR or bytes of no character as they stand,
/// which PostgreSQL refuses. In a database without an encoding (SQL_ASCII) any bytes are characters, but nothing can be written of
/// them, either.
pub(crate) fn value_of(field: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\r', field).is_some() {
        return None;
    }
    let value = match memchr::memchr(b'\\', field) {
        None => Cow::Borrowed(field),
        Some(_) => {
            let mut value = Vec::with_capacity(field.len());
            copy_text::decode(field, &mut value).ok()?;
            Cow::Owned(value)
        }
    };
    std::str::from_utf8(&value).is_ok().then_some(value)
}

/// A row of COPY text that was split into fields.
#[derive(Debug, Clone, Copy)]
pub struct CopyFields<'a> {
    pub bytes: &'a [u8],
    pub fields: &'a [Range<usize>],
}

impl<'a> CopyFields<'a> {
    /// A field as it is written; NULL where the row has not as many.
    pub fn field(&self, field: usize) -> &'a [u8] {
        match self.fields.get(field) {
            Some(range) => &self.bytes[range.clone()],
            None => COPY_NULL,
        }
    }
}

impl Fields for CopyFields<'_> {
    fn is_null(&self, field: usize) -> bool {
        self.field(field) == COPY_NULL
    }

    fn plain(&self, field: usize) -> &[u8] {
        self.field(field)
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        decoded(self.field(field))
    }

    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
        value_of(self.field(field))
    }
}

/// A row of COPY text as a whole. Where only one or two fields are needed, the others are not split off.
#[derive(Debug, Clone, Copy)]
pub struct WholeRow<'a>(pub &'a [u8]);

impl<'a> WholeRow<'a> {
    /// A field as it is written; NULL where the row has not as many.
    pub fn field(&self, field: usize) -> &'a [u8] {
        let mut fields = self.0.split(|byte| *byte == b'\t');
        fields.nth(field).unwrap_or(COPY_NULL)
    }
}

impl Fields for WholeRow<'_> {
    fn is_null(&self, field: usize) -> bool {
        self.field(field) == COPY_NULL
    }

    fn plain(&self, field: usize) -> &[u8] {
        self.field(field)
    }

    fn text(&self, field: usize) -> Cow<'_, [u8]> {
        decoded(self.field(field))
    }

    fn value(&self, field: usize) -> Option<Cow<'_, [u8]>> {
        value_of(self.field(field))
    }
}
