//! Which operator PostgreSQL takes for `child = parent`, by the types of the two columns.
//!
//! The rules are those that `EXPLAIN VERBOSE` shows on PostgreSQL 15 for a pair of columns of each two types.

use std::fmt;

use super::KeyForm;
use crate::snapshot::{Catalog, SqlType};

/// Why rows cannot be linked by two columns. Its text names both types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incomparable {
    child: SqlType,
    parent: SqlType,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// PostgreSQL has no `=` for them.
    NoOperator,
    /// One of them has a time zone, and which instants the other one means is up to the session.
    TimeZone,
    /// There may be a `=`, but texts do not show what it says.
    NotKnown,
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (child, parent) = (&self.child, &self.parent);
        match self.reason {
            Reason::NoOperator => write!(f, "PostgreSQL has no operator {child} = {parent}"),
            Reason::TimeZone => write!(
                f,
                "{child} = {parent} depends on the time zone of the session"
            ),
            Reason::NotKnown => write!(
                f,
                "whether {child} = {parent} holds is not seen in the texts of the values"
            ),
        }
    }
}

/// The forms in which a child column and the column above it compare: values are equal if their canonical texts are, and so
/// are their encodings.
///
/// The canonical text of one side is not always a value of the other side's type (`1.5` where the other side is an integer).
///
/// # Errors
/// PostgreSQL has no `=` for the two types, or what it says cannot be told here.
pub(crate) fn comparison(
    child: &SqlType,
    parent: &SqlType,
    catalog: &Catalog,
) -> Result<(KeyForm, KeyForm), Incomparable> {
    let fail = |reason| {
        let (child, parent) = (child.clone(), parent.clone());
        Err(Incomparable {
            child,
            parent,
            reason,
        })
    };
    if let (Some(one), Some(other)) = (Number::of(child), Number::of(parent)) {
        return Ok(Number::forms(one, other));
    }
    if let (Some(one), Some(other)) = (Letters::of(child), Letters::of(parent)) {
        return Ok(Letters::forms(one, other));
    }
    if let (Some(one), Some(other)) = (Time::of(child), Time::of(parent)) {
        return match (one, other) {
            _ if one == other => Ok((one.form(), one.form())),
            (Time::TimestampTz, _) | (_, Time::TimestampTz) => fail(Reason::TimeZone),
            // A date is the timestamp of its midnight.
            _ => Ok((KeyForm::Timestamp, KeyForm::Timestamp)),
        };
    }
    let (one, other) = (one_name(child), one_name(parent));
    if one == other {
        return match KeyForm::of(child, catalog) {
            Some(form) => Ok((form, form)),
            None if has_equality(child) => fail(Reason::NotKnown),
            None => fail(Reason::NoOperator),
        };
    }
    fail(match is_between(&one, &other) || is_between(&other, &one) {
        true if [&one, &other].contains(&&SqlType::Other("timetz".into())) => Reason::TimeZone,
        true => Reason::NotKnown,
        false if is_unknown(child, catalog) || is_unknown(parent, catalog) => Reason::NotKnown,
        false => Reason::NoOperator,
    })
}

/// Numbers compare in the widest of their types; with a float, as double precision.
#[derive(Clone, Copy)]
enum Number {
    Integer,
    Numeric,
    Real,
    Double,
}

impl Number {
    fn of(sql_type: &SqlType) -> Option<Self> {
        match sql_type {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => Some(Number::Integer),
            SqlType::Numeric => Some(Number::Numeric),
            SqlType::Real => Some(Number::Real),
            SqlType::Double => Some(Number::Double),
            _ => None,
        }
    }

    fn forms(one: Self, other: Self) -> (KeyForm, KeyForm) {
        match (one, other) {
            (Number::Integer, Number::Integer) => (KeyForm::Integer, KeyForm::Integer),
            (Number::Integer | Number::Numeric, Number::Integer | Number::Numeric) => {
                (KeyForm::Numeric, KeyForm::Numeric)
            }
            _ => (one.as_float(), other.as_float()),
        }
    }

    fn as_float(self) -> KeyForm {
        match self {
            Number::Real => KeyForm::Real,
            Number::Integer | Number::Numeric | Number::Double => KeyForm::Float,
        }
    }
}

/// Texts compare as `text`, but for `character` with itself or a `character varying`, and for citext with itself.
#[derive(Clone, Copy)]
enum Letters {
    Text,
    Varchar,
    Character,
    Citext,
}

impl Letters {
    fn of(sql_type: &SqlType) -> Option<Self> {
        match sql_type {
            SqlType::Text => Some(Letters::Text),
            SqlType::Varchar => Some(Letters::Varchar),
            SqlType::Character => Some(Letters::Character),
            SqlType::Citext => Some(Letters::Citext),
            SqlType::Other(name) if name == "\"char\"" => Some(Letters::Text),
            _ => None,
        }
    }

    fn forms(one: Self, other: Self) -> (KeyForm, KeyForm) {
        match (one, other) {
            (Letters::Citext, Letters::Citext) => (KeyForm::Folded, KeyForm::Folded),
            (Letters::Character, Letters::Varchar) | (Letters::Varchar, Letters::Character) => {
                (KeyForm::Padded, KeyForm::Padded)
            }
            _ => (one.as_text(), other.as_text()),
        }
    }

    /// As the server makes a text of it: a `character` loses its padding.
    fn as_text(self) -> KeyForm {
        match self {
            Letters::Character => KeyForm::Padded,
            Letters::Text | Letters::Varchar | Letters::Citext => KeyForm::Text,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    Date,
    Timestamp,
    TimestampTz,
}

impl Time {
    fn of(sql_type: &SqlType) -> Option<Self> {
        match sql_type {
            SqlType::Date => Some(Time::Date),
            SqlType::Timestamp => Some(Time::Timestamp),
            SqlType::TimestampTz => Some(Time::TimestampTz),
            _ => None,
        }
    }

    fn form(self) -> KeyForm {
        match self {
            Time::Date => KeyForm::Date,
            Time::Timestamp => KeyForm::Timestamp,
            Time::TimestampTz => KeyForm::TimestampTz,
        }
    }
}

/// A type by one of its names.
fn one_name(sql_type: &SqlType) -> SqlType {
    let SqlType::Other(name) = sql_type else {
        return sql_type.clone();
    };
    let name = match name.as_str() {
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        // Both are sequences of bits, and compare as such.
        "bit" | "bit varying" => "varbit",
        name => name,
    };
    SqlType::Other(name.to_owned())
}

/// False for the types of PostgreSQL's own that have no `=`.
fn has_equality(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Json => false,
        SqlType::Other(name) => !matches!(
            name.as_str(),
            "xml" | "point" | "polygon" | "jsonpath" | "pg_snapshot" | "txid_snapshot"
        ),
        // An array has one, which fails for elements that have none.
        _ => true,
    }
}

/// True where PostgreSQL has a `=` between two types of its own whose texts do not show it.
fn is_between(one: &SqlType, other: &SqlType) -> bool {
    let SqlType::Other(one) = one else {
        return false;
    };
    match (one.as_str(), other) {
        ("oid" | "regclass" | "regtype" | "xid", integer) if integer.is_integer() => true,
        ("oid" | "regclass" | "regtype", SqlType::Other(other)) => {
            matches!(other.as_str(), "oid" | "regclass" | "regtype")
        }
        ("inet", SqlType::Other(other)) => other == "cidr",
        ("time", SqlType::Other(other)) => matches!(other.as_str(), "interval" | "timetz"),
        _ => false,
    }
}

/// True for types that an extension or the snapshot defines, and of which no more is known: they may have operators of their own.
fn is_unknown(sql_type: &SqlType, catalog: &Catalog) -> bool {
    matches!(sql_type, SqlType::Other(name) if !SqlType::is_built_in(name))
        && !catalog.is_enum(sql_type)
}
