//! Values: one field of a row, as PostgreSQL wrote it, becomes one JSON value.
//!
//! A field comes as the raw bytes between two tabs of COPY's text form, with COPY's escapes still
//! in it, and leaves as JSON text appended to a buffer. Nothing stands in between: no value tree,
//! and no allocation for text, integers, booleans and times. The type of a column is looked at
//! once, when its [`Codec`] is made; after that every field is one `match`.
//!
//! A pipeline chooses between the usual form, GitLab's, and the exact one ([`Exact`]).
//!
//! Each codec is a file. All but text work on *decoded* bytes (COPY's escapes undone), because a
//! field of another type has no escapes except where it is a string inside (json, arrays, bytea).
//! Elements of an array are decoded already, so the same codecs serve them.
//!
//! No codec trusts its input: a field that is not what its type says is a [`ValueError`], never a
//! guess.

mod array;
mod block;
mod bytea;
mod color;
mod copy;
pub mod decode;
mod error;
mod exact;
mod float;
mod integer;
mod json;
mod numeric;
mod text;
mod timestamp;

use std::collections::BTreeMap;

pub use array::replace_elements;
pub(crate) use block::{BLOCK, Block, FieldOn, push_part};
pub use bytea::write as write_bytea;
pub use color::text_color;
pub use copy::{decode_copy, is_null};
pub use error::ValueError;
pub use exact::Exact;
pub use text::{write_json_str, write_json_string};

use crate::pipeline::ValueForm;
use crate::snapshot::SqlType;
use timestamp::TimeForm;

/// How the fields of a column are read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    Integer,
    Boolean,
    Timestamp,
    TimestampTz,
    Date,
    Numeric,
    Float,
    Json,
    Bytea,
    /// Text, and every type that is written as PostgreSQL's own text.
    Text,
    /// An array of any number of dimensions.
    Array {
        /// Never an array itself: the dimensions are in the value, not in the type.
        element: Box<Codec>,
        /// What stands between two elements.
        delimiter: u8,
    },
    /// A value whose exact form is another than the usual one.
    Exact(Exact),
}

impl Codec {
    /// The codec of a column type for a form of values.
    pub fn in_form(sql_type: &SqlType, form: ValueForm) -> Codec {
        match form {
            ValueForm::Gitlab => Codec::of(sql_type),
            ValueForm::Exact => Exact::codec(sql_type),
        }
    }

    /// The codec of a column type, in the usual form.
    pub fn of(sql_type: &SqlType) -> Codec {
        match sql_type {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => Codec::Integer,
            SqlType::Boolean => Codec::Boolean,
            SqlType::Timestamp => Codec::Timestamp,
            SqlType::TimestampTz => Codec::TimestampTz,
            SqlType::Date => Codec::Date,
            SqlType::Numeric => Codec::Numeric,
            SqlType::Real | SqlType::Double => Codec::Float,
            SqlType::Json | SqlType::Jsonb => Codec::Json,
            SqlType::Bytea => Codec::Bytea,
            SqlType::Text
            | SqlType::Varchar
            | SqlType::Character
            | SqlType::Citext
            | SqlType::Other(_) => Codec::Text,
            SqlType::Array(element) => Codec::array_of(element),
        }
    }

    fn array_of(mut element: &SqlType) -> Codec {
        // `integer[][]` is `integer[]` to PostgreSQL.
        while let SqlType::Array(inner) = element {
            element = inner;
        }
        // `box` is the one built-in type whose elements are not divided by commas
        // (pg_type.typdelim).
        let delimiter = match element {
            SqlType::Other(name) if name == "box" => b';',
            _ => b',',
        };
        Codec::Array {
            element: Box::new(Codec::of(element)),
            delimiter,
        }
    }
}

/// Appends a field as one JSON value.
///
/// `field` is a field of COPY's text form with its escapes; `\N` is NULL and gives `null`. The
/// codec's type decides the rest. Text, integers, booleans, times and arrays of them are written
/// without an allocation, as long as they hold no escapes that JSON does not share.
///
/// # Errors
/// The field is not a value of its type. `out` is then as long as it was before.
pub fn write(codec: &Codec, field: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    let result = write_field(codec, field, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends an integer field by its name, as a JSON string; one without a name stays a number, NULL
/// is `null`.
///
/// # Errors
/// The field is not an integer of 64 bits. `out` is then as long as it was before.
pub fn write_names(
    names: &BTreeMap<i64, String>,
    field: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    if is_null(field) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let text = decode_copy(field)?;
    let number = integer::parse(&text).ok_or(ValueError::NotAnInteger)?;
    match names.get(&number) {
        Some(name) => write_json_str(name, out),
        None => integer::write(&text, out)?,
    }
    Ok(())
}

fn write_field(codec: &Codec, field: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if is_null(field) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    write_value(codec, FieldOn::from(field), out)
}

/// Appends a field that is not NULL. On an error `out` may hold a part of it.
///
/// Most fields are of a few types, and as a server writes them: these are told and written by a block.
///
/// # Errors
/// The field is not a value of its type.
#[inline]
pub(crate) fn write_value(
    codec: &Codec,
    field: FieldOn<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    let is_written = match codec {
        Codec::Text => return text::write_copy(field, out),
        Codec::Integer => integer::write_plain(field, out),
        Codec::Timestamp => timestamp::write_plain(field, false, out),
        Codec::TimestampTz => timestamp::write_plain(field, true, out),
        _ => false,
    };
    match is_written {
        true => Ok(()),
        false => write_decoded(codec, &decode_copy(field.field())?, out),
    }
}

/// Appends a value that is not NULL and has no COPY escapes. On an error `out` may hold a part of
/// it.
fn write_decoded(codec: &Codec, text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    match codec {
        Codec::Integer => integer::write(text, out),
        Codec::Boolean => write_boolean(text, out),
        Codec::Timestamp => timestamp::write_timestamp(text, TimeForm::Usual, out),
        Codec::TimestampTz => timestamp::write_timestamptz(text, TimeForm::Usual, out),
        Codec::Date => timestamp::write_date(text, TimeForm::Usual, out),
        Codec::Numeric => numeric::write(text, out),
        Codec::Float => float::write_usual(text, out),
        Codec::Json => json::write(text, out),
        Codec::Bytea => bytea::write(text, out),
        Codec::Text => write_json_string(text, out),
        Codec::Array { element, delimiter } => array::write(element, *delimiter, text, out),
        Codec::Exact(exact) => exact.write(text, out),
    }
}

/// Booleans are `t` and `f` in COPY's text, `true` and `false` in INSERT statements.
fn write_boolean(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let written: &[u8] = match text {
        b"t" | b"true" => b"true",
        b"f" | b"false" => b"false",
        _ => return Err(ValueError::NotABoolean),
    };
    out.extend_from_slice(written);
    Ok(())
}

#[cfg(test)]
mod tests;
