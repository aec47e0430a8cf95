//! As what a column's values are compared with given ones, by its type.

use crate::snapshot::sql_type::SqlType;

/// How a column's values are compared with given ones.
#[derive(Clone)]
pub(super) enum Equality {
    /// As integers. Any index can be used.
    Integer(IntegerType),
    Boolean,
    /// As values of the column's type. Any index can be used.
    Typed,
    /// As citext, whose operators stand in this schema.
    Folded(String),
    /// By their text: the type has no equality, or one that takes different texts for equal where this program does not (a
    /// collation that is not deterministic).
    ByText,
}

impl Equality {
    pub(super) fn of(sql_type: &SqlType, is_loose: bool, citext: Option<&str>) -> Self {
        match (sql_type, IntegerType::of(sql_type)) {
            (_, Some(integer)) => Equality::Integer(integer),
            (SqlType::Boolean, None) => Equality::Boolean,
            (SqlType::Citext, None) => Equality::Folded(citext.unwrap_or("public").to_owned()),
            (SqlType::Character, None) => Equality::Typed,
            (SqlType::Text | SqlType::Varchar, None) if !is_loose => Equality::Typed,
            (
                SqlType::Numeric
                | SqlType::Real
                | SqlType::Double
                | SqlType::Date
                | SqlType::Timestamp
                | SqlType::TimestampTz
                | SqlType::Bytea,
                None,
            ) => Equality::Typed,
            (SqlType::Other(name), None) if name == "uuid" => Equality::Typed,
            _ => Equality::ByText,
        }
    }
}

/// The integers of PostgreSQL, whose range the server holds keys against.
#[derive(Clone, Copy)]
pub(super) enum IntegerType {
    Int2,
    Int4,
    Int8,
}

impl IntegerType {
    /// The type, if it is an integer.
    pub(super) fn of(sql_type: &SqlType) -> Option<Self> {
        match sql_type {
            SqlType::SmallInt => Some(IntegerType::Int2),
            SqlType::Integer => Some(IntegerType::Int4),
            SqlType::BigInt => Some(IntegerType::Int8),
            _ => None,
        }
    }

    /// The server's own name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            IntegerType::Int2 => "pg_catalog.int2",
            IntegerType::Int4 => "pg_catalog.int4",
            IntegerType::Int8 => "pg_catalog.int8",
        }
    }

    /// The keys that a column can hold at all. The server would refuse the others, since it reads the keys as values of
    /// the column's type.
    pub(super) fn holdable(self, keys: &[i64]) -> impl Iterator<Item = i64> + '_ {
        let range = match self {
            IntegerType::Int2 => i16::MIN.into()..=i16::MAX.into(),
            IntegerType::Int4 => i32::MIN.into()..=i32::MAX.into(),
            IntegerType::Int8 => i64::MIN..=i64::MAX,
        };
        keys.iter().copied().filter(move |key| range.contains(key))
    }
}
