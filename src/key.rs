//! Keys: when PostgreSQL takes two values of a column for equal, and which of them comes first.
//!
//! A value comes as the text that PostgreSQL writes for it, with COPY's escapes undone; one from a CSV file or the
//! command line may be spelled in another way that PostgreSQL reads. A [`KeyForm`] makes of it a *canonical* text, which
//! is the same for all equal values, or bytes that order as the values do. [`comparison`] says which forms two columns
//! compare in, as PostgreSQL chooses the operator of `child = parent`.
//!
//! What a database may do and no text shows is not followed: collations that are not deterministic, and a locale that
//! folds the letters of citext otherwise than [`text::folded`] does (in the locale C only ASCII has cases).
//!
//! Each file is one family of types: [`number`], [`text`], [`bytes`] and [`time`].

mod bytes;
mod comparison;
mod number;
mod text;
mod time;

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::snapshot::{Catalog, SqlType};

pub(crate) use comparison::{Incomparable, comparison};

/// How the values of one column are made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyForm {
    /// An integer of at most 64 bits.
    Integer,
    Numeric,
    /// `double precision`. Numbers of other types that are compared with one are rounded to it.
    Float,
    /// `real`, whose canonical text is that of the same number in double precision.
    Real,
    Boolean,
    Uuid,
    /// Text whose every byte counts.
    Text,
    /// citext: case does not count.
    Folded,
    /// `character`: trailing blanks do not count.
    Padded,
    Bytea,
    Date,
    /// A date is the timestamp of its midnight.
    Timestamp,
    TimestampTz,
    /// Enums, and types whose values have one text each (inet, time, oid, …). Ordered by that text.
    Verbatim,
}

/// PostgreSQL's own types whose values have one text each.
const VERBATIM: [&str; 17] = [
    "bit",
    "bit varying",
    "varbit",
    "\"char\"",
    "cidr",
    "inet",
    "macaddr",
    "macaddr8",
    "money",
    "oid",
    "pg_lsn",
    "time",
    "time without time zone",
    "time with time zone",
    "timetz",
    "xid",
    "xid8",
];

impl KeyForm {
    /// The form of a type by itself. `None` if PostgreSQL has no equality for it (json, xml, point), if its equality is not
    /// seen in the text (jsonb, interval, arrays, ranges), or if the type is not known (composites, those of extensions).
    pub(crate) fn of(sql_type: &SqlType, catalog: &Catalog) -> Option<KeyForm> {
        Some(match sql_type {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => KeyForm::Integer,
            SqlType::Boolean => KeyForm::Boolean,
            SqlType::Timestamp => KeyForm::Timestamp,
            SqlType::TimestampTz => KeyForm::TimestampTz,
            SqlType::Date => KeyForm::Date,
            SqlType::Numeric => KeyForm::Numeric,
            SqlType::Real => KeyForm::Real,
            SqlType::Double => KeyForm::Float,
            SqlType::Bytea => KeyForm::Bytea,
            SqlType::Text | SqlType::Varchar => KeyForm::Text,
            SqlType::Character => KeyForm::Padded,
            SqlType::Citext => KeyForm::Folded,
            SqlType::Other(name) if name == "uuid" => KeyForm::Uuid,
            SqlType::Other(name) if VERBATIM.contains(&name.as_str()) => KeyForm::Verbatim,
            SqlType::Other(_) if catalog.is_enum(sql_type) => KeyForm::Verbatim,
            SqlType::Other(_) | SqlType::Array(_) | SqlType::Json | SqlType::Jsonb => return None,
        })
    }

    /// The canonical text of a value: equal values have equal ones, also over the two forms of a [`comparison`]. PostgreSQL
    /// reads it as an equal value of the type. Borrowed, and so quick, for most values as PostgreSQL writes them. `None` if
    /// the text is no value of the form.
    pub(crate) fn canonical(self, value: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            KeyForm::Integer => number::canonical_integer(value),
            KeyForm::Numeric => number::canonical_numeric(value),
            KeyForm::Float => number::float(value).map(number::float_text).map(Cow::Owned),
            KeyForm::Real => number::real(value).map(number::float_text).map(Cow::Owned),
            KeyForm::Boolean => text::boolean(value).map(|truth| match truth {
                true => Cow::Borrowed(&b"t"[..]),
                false => Cow::Borrowed(&b"f"[..]),
            }),
            KeyForm::Uuid => bytes::canonical_uuid(value),
            KeyForm::Text | KeyForm::Verbatim => Some(Cow::Borrowed(value)),
            KeyForm::Folded => Some(text::folded(value)),
            KeyForm::Padded => Some(Cow::Borrowed(text::without_padding(value))),
            KeyForm::Bytea => bytes::canonical_bytea(value),
            KeyForm::Date => time::date(value).map(time::date_text).map(Cow::Owned),
            KeyForm::Timestamp => time::timestamp(value)
                .map(|moment| time::moment_text(moment, b""))
                .map(Cow::Owned),
            KeyForm::TimestampTz => time::timestamp_tz(value)
                .map(|moment| time::moment_text(moment, b"+00"))
                .map(Cow::Owned),
        }
    }

    /// True if a column of this form may hold a value with this canonical text, which may be from the other end of a
    /// [`comparison`]: no `real` equals the double precision 0.1, no `character` has blanks that count at its end, and dates go
    /// on when timestamps have ended.
    pub(crate) fn may_hold(self, canonical: &[u8]) -> bool {
        match self {
            KeyForm::Real | KeyForm::Padded => {
                let own = self.canonical(canonical);
                own.is_some_and(|own| *own == *canonical)
            }
            KeyForm::Timestamp => time::timestamp(canonical).is_some_and(time::is_a_timestamp),
            KeyForm::Integer
            | KeyForm::Numeric
            | KeyForm::Float
            | KeyForm::Boolean
            | KeyForm::Uuid
            | KeyForm::Text
            | KeyForm::Folded
            | KeyForm::Bytea
            | KeyForm::Date
            | KeyForm::TimestampTz
            | KeyForm::Verbatim => true,
        }
    }

    /// Appends bytes that order as the values do, and are equal for equal ones. None begins with another, so those of several
    /// columns may follow one another. Texts, uuids, byteas and verbatim values order by their bytes. False, and nothing
    /// appended, if the text is no value of the form.
    #[must_use]
    pub(crate) fn encode(self, value: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let encoded = self.try_encode(value, out).is_some();
        if !encoded {
            out.truncate(start);
        }
        encoded
    }

    fn try_encode(self, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            KeyForm::Integer => number::encode_integer(number::integer(value)?, out),
            KeyForm::Numeric => number::encode_numeric(&number::canonical_numeric(value)?, out),
            KeyForm::Float => number::encode_float(number::float(value)?, out),
            KeyForm::Real => number::encode_float(number::real(value)?, out),
            KeyForm::Boolean => out.push(u8::from(text::boolean(value)?)),
            KeyForm::Uuid => out.extend_from_slice(&bytes::uuid(value)?.to_be_bytes()),
            KeyForm::Text | KeyForm::Verbatim => text::encode(value, out),
            KeyForm::Folded => text::encode(&text::folded(value), out),
            KeyForm::Padded => text::encode(text::without_padding(value), out),
            KeyForm::Bytea => text::encode(&bytes::bytea(value)?, out),
            KeyForm::Date => time::encode_date(time::date(value)?, out),
            KeyForm::Timestamp => time::encode_moment(time::timestamp(value)?, out),
            KeyForm::TimestampTz => time::encode_moment(time::timestamp_tz(value)?, out),
        }
        Some(())
    }

    /// The canonical text of what a user wrote. `None` if it is no value of the form.
    pub(crate) fn of_user(self, written: &str) -> Option<Vec<u8>> {
        self.canonical(written.as_bytes()).map(Cow::into_owned)
    }

    /// True if both are values of the form, and equal.
    pub(crate) fn equal(self, one: &[u8], other: &[u8]) -> bool {
        match (self.canonical(one), self.canonical(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
    }

    /// The form in which the values are held against bounds; `None` for what is neither a number nor a date or time.
    pub(crate) fn of_bounds(self) -> Option<KeyForm> {
        match self {
            // Above a fraction there are integers, too.
            KeyForm::Integer => Some(KeyForm::Numeric),
            KeyForm::Numeric
            | KeyForm::Float
            | KeyForm::Real
            | KeyForm::Date
            | KeyForm::Timestamp
            | KeyForm::TimestampTz => Some(self),
            KeyForm::Boolean
            | KeyForm::Uuid
            | KeyForm::Text
            | KeyForm::Folded
            | KeyForm::Padded
            | KeyForm::Bytea
            | KeyForm::Verbatim => None,
        }
    }

    /// The number that a uuid of 36 letters is, quickly; `None` for any other text.
    pub(crate) fn uuid(value: &[u8]) -> Option<u128> {
        bytes::usual_uuid(value)
    }
}

/// Orders the texts of values that are equal: the last is the one that is taken for the largest. It is the shortest (1.0 of 1.0 and
/// 1.00, 0 of 0 and -0), of several the first in byte order, wherever the rows stand.
pub(crate) fn rank_among_equal(text: &[u8]) -> (Reverse<usize>, Reverse<&[u8]>) {
    (Reverse(text.len()), Reverse(text))
}

#[cfg(test)]
mod tests;
