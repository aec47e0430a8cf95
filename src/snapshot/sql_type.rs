//! Column types, as far as rendering needs to tell them apart.

use std::fmt;

use crate::snapshot::table_name::TableName;

/// A PostgreSQL type, without its modifiers (lengths, precisions).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    SmallInt,
    Integer,
    BigInt,
    Boolean,
    /// `timestamp without time zone`.
    Timestamp,
    /// `timestamp with time zone`.
    TimestampTz,
    Date,
    Numeric,
    Real,
    Double,
    Json,
    Jsonb,
    Bytea,
    /// `text` and `name`, which compare as texts.
    Text,
    /// `character varying`: a text, but for being compared with a [`SqlType::Character`].
    Varchar,
    /// `character` (`bpchar`), whose trailing blanks do not count.
    Character,
    /// `citext`, of whatever schema: case does not count.
    Citext,
    Array(Box<SqlType>),
    /// Any other type (uuid, inet, interval, an enum, …), by its name: rendered as PostgreSQL's own text.
    Other(String),
}

/// Names of PostgreSQL's own types that are [`SqlType::Other`].
const BUILT_IN: [&str; 46] = [
    "bit",
    "bit varying",
    "varbit",
    "box",
    "\"char\"",
    "cidr",
    "circle",
    "inet",
    "interval",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "oid",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "time",
    "time without time zone",
    "time with time zone",
    "timetz",
    "tsquery",
    "tsvector",
    "txid_snapshot",
    "uuid",
    "xml",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
    "datemultirange",
    "xid",
    "xid8",
    "regclass",
    "regtype",
];

/// Names, as pg_dump writes them, of PostgreSQL's own types that have a kind of their own.
const OWN_NAMES: [&str; 18] = [
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "timestamp",
    "timestamp without time zone",
    "timestamp with time zone",
    "date",
    "numeric",
    "real",
    "double precision",
    "json",
    "jsonb",
    "bytea",
    "text",
    "character varying",
    "character",
    "name",
];

impl SqlType {
    /// True for the types that may link rows: smallint, integer and bigint.
    pub fn is_integer(&self) -> bool {
        matches!(self, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt)
    }

    /// True for the types whose values are text, however they compare.
    pub fn is_text(&self) -> bool {
        matches!(
            self,
            SqlType::Text | SqlType::Varchar | SqlType::Character | SqlType::Citext
        )
    }

    /// Reads a type as SQL writes it: any of its names, with or without schema, modifiers and array bounds.
    ///
    /// Types are told by name alone, so a `public.citext` is citext wherever it is from; a `public.date` is none of PostgreSQL's
    /// own. Arrays have
    /// no fixed number of dimensions in PostgreSQL: `integer[][]` is the array type of `integer`.
    ///
    /// ```
    /// use relexport::snapshot::SqlType;
    ///
    /// assert_eq!(SqlType::parse("timestamp(6) without time zone"), SqlType::Timestamp);
    /// assert_eq!(SqlType::parse("character varying(255)[]"), SqlType::Array(Box::new(SqlType::Varchar)));
    /// ```
    pub fn parse(text: &str) -> SqlType {
        let (name, modifier) = plain_name(text);
        let element = match name.split_once('[') {
            Some((element, _)) => Some(element.trim_end()),
            None => name.strip_suffix(" array"),
        };
        match element {
            Some(element) => SqlType::Array(Box::new(SqlType::named(element, &modifier))),
            None => SqlType::named(&name, &modifier),
        }
    }

    /// A type of this kind in SQL, for any server: where there is none of PostgreSQL's own, `text` holds the values.
    ///
    /// ```
    /// use relexport::snapshot::SqlType;
    ///
    /// assert_eq!(SqlType::parse("int8[]").sql(), "bigint[]");
    /// assert_eq!(SqlType::Other("ltree".into()).sql(), "text");
    /// ```
    pub fn sql(&self) -> String {
        let name = match self {
            SqlType::SmallInt => "smallint",
            SqlType::Integer => "integer",
            SqlType::BigInt => "bigint",
            SqlType::Boolean => "boolean",
            SqlType::Timestamp => "timestamp without time zone",
            SqlType::TimestampTz => "timestamp with time zone",
            SqlType::Date => "date",
            SqlType::Numeric => "numeric",
            SqlType::Real => "real",
            SqlType::Double => "double precision",
            SqlType::Json => "json",
            SqlType::Jsonb => "jsonb",
            SqlType::Bytea => "bytea",
            SqlType::Text | SqlType::Citext => "text",
            SqlType::Varchar => "character varying",
            // `character` without a length is one letter.
            SqlType::Character => "bpchar",
            SqlType::Array(element) => return format!("{}[]", element.sql()),
            // Without a length it would be a single bit.
            SqlType::Other(name) if name == "bit" => "bit varying",
            SqlType::Other(name) if BUILT_IN.contains(&name.as_str()) => name,
            SqlType::Other(_) => "text",
        };
        name.to_owned()
    }

    /// A type as SQL wrote it, where that is one of PostgreSQL's own with no more than a modifier; else `None`.
    pub(super) fn built_in_sql(text: &str) -> Option<String> {
        let text = text.strip_prefix("pg_catalog.").unwrap_or(text);
        let plain = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || " _,()[]".contains(letter)
        };
        let (name, modifier) = plain_name(text);
        let name = name.split('[').next().unwrap_or_default().trim_end();
        let known =
            BUILT_IN.contains(&name) || OWN_NAMES.contains(&name) || name.starts_with("interval ");
        let is_number = |letter: char| letter.is_ascii_digit() || letter == ',';
        (known && text.chars().all(plain) && modifier.chars().all(is_number))
            .then(|| text.to_owned())
    }

    /// True for the name of one of PostgreSQL's own types, without a schema.
    pub(crate) fn is_built_in(name: &str) -> bool {
        BUILT_IN.contains(&name) || !matches!(SqlType::named(name, ""), SqlType::Other(_))
    }

    /// A type that a snapshot defines, and of which no more is known.
    pub(super) fn of_name(name: &TableName) -> SqlType {
        SqlType::parse(&name.quoted())
    }

    fn named(name: &str, modifier: &str) -> SqlType {
        let name = match name.strip_prefix("public.") {
            // A type of that name that is none of PostgreSQL's own.
            Some(rest) if SqlType::is_built_in(rest) && rest != "citext" => {
                return SqlType::Other(name.into());
            }
            Some(rest) => rest,
            None => name.strip_prefix("pg_catalog.").unwrap_or(name),
        };
        match name.rsplit_once('.').map_or(name, |(_, last)| last) {
            "citext" => return SqlType::Citext,
            last if last.len() < name.len() => return SqlType::Other(name.into()),
            _ => {}
        }
        match name {
            "smallint" | "int2" | "smallserial" | "serial2" => SqlType::SmallInt,
            "integer" | "int" | "int4" | "serial" | "serial4" => SqlType::Integer,
            "bigint" | "int8" | "bigserial" | "serial8" => SqlType::BigInt,
            "boolean" | "bool" => SqlType::Boolean,
            "timestamp" | "timestamp without time zone" => SqlType::Timestamp,
            "timestamptz" | "timestamp with time zone" => SqlType::TimestampTz,
            "date" => SqlType::Date,
            "numeric" | "decimal" | "dec" => SqlType::Numeric,
            "real" | "float4" => SqlType::Real,
            // float(1) to float(24) are real.
            "float" if modifier.parse().is_ok_and(|bits: u8| bits <= 24) => SqlType::Real,
            "double precision" | "float8" | "float" => SqlType::Double,
            "json" => SqlType::Json,
            "jsonb" => SqlType::Jsonb,
            "bytea" => SqlType::Bytea,
            "text" | "name" => SqlType::Text,
            "character varying" | "varchar" => SqlType::Varchar,
            "character" | "char" | "bpchar" => SqlType::Character,
            _ if name.starts_with("interval ") => SqlType::Other("interval".into()),
            _ => SqlType::Other(name.into()),
        }
    }
}

impl fmt::Display for SqlType {
    /// The type as PostgreSQL calls it, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlType::Other(name) => f.write_str(name),
            SqlType::Citext => f.write_str("citext"),
            SqlType::Character => f.write_str("character"),
            SqlType::Array(element) => write!(f, "{element}[]"),
            named => f.write_str(&named.sql()),
        }
    }
}

/// Lower case, single spaces and no modifiers, which are returned beside. Quoted parts lose
/// their quotes where the name would be the same without.
fn plain_name(text: &str) -> (String, String) {
    let (mut name, mut modifier) = (String::new(), String::new());
    let mut depth = 0u32;
    let mut quoted = false;
    for letter in text.trim().chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                name.push('"');
            }
            _ if quoted => name.push(letter),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => modifier.push(letter),
            _ if letter.is_whitespace() => {
                if !name.ends_with(' ') {
                    name.push(' ');
                }
            }
            _ => name.extend(letter.to_lowercase()),
        }
    }
    // `"char"`, a type of one byte, is another than `char`.
    if !name.ends_with("\"char\"") && !name.contains(char::is_uppercase) && !name.contains(' ') {
        name.retain(|letter| letter != '"');
    }
    (name.trim_end().to_owned(), modifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_all_their_names() {
        let other = |name: &str| SqlType::Other(name.into());
        let array = |element: SqlType| SqlType::Array(Box::new(element));
        let cases = [
            ("smallint", SqlType::SmallInt),
            ("INT2", SqlType::SmallInt),
            ("integer", SqlType::Integer),
            ("pg_catalog.int4", SqlType::Integer),
            ("bigserial", SqlType::BigInt),
            ("bool", SqlType::Boolean),
            ("timestamp", SqlType::Timestamp),
            ("timestamp(6) without time zone", SqlType::Timestamp),
            ("timestamp (3)  with time  zone", SqlType::TimestampTz),
            ("timestamptz", SqlType::TimestampTz),
            ("date", SqlType::Date),
            ("numeric(10,2)", SqlType::Numeric),
            ("real", SqlType::Real),
            ("float(24)", SqlType::Real),
            ("float(25)", SqlType::Double),
            ("double precision", SqlType::Double),
            ("json", SqlType::Json),
            ("jsonb", SqlType::Jsonb),
            ("bytea", SqlType::Bytea),
            ("text", SqlType::Text),
            ("name", SqlType::Text),
            ("character varying(255)", SqlType::Varchar),
            ("varchar", SqlType::Varchar),
            ("character(1)", SqlType::Character),
            ("char", SqlType::Character),
            ("pg_catalog.bpchar", SqlType::Character),
            ("citext", SqlType::Citext),
            ("public.citext", SqlType::Citext),
            ("extensions.citext", SqlType::Citext),
            ("\"char\"", other("\"char\"")),
            ("uuid", other("uuid")),
            ("time(3) without time zone", other("time without time zone")),
            ("interval day to second(3)", other("interval")),
            ("interval(6)", other("interval")),
            ("bit varying(5)", other("bit varying")),
            ("public.mood", other("mood")),
            ("public.\"Mood\"", other("\"Mood\"")),
            ("audit.integer", other("audit.integer")),
            ("public.date", other("public.date")),
            ("public.\"json\"", other("public.json")),
            ("public.uuid[]", array(other("public.uuid"))),
            ("pg_catalog.\"char\"", other("\"char\"")),
            ("public.\"char\"", other("public.\"char\"")),
            ("text[]", array(SqlType::Text)),
            ("integer[3][]", array(SqlType::Integer)),
            ("bigint ARRAY", array(SqlType::BigInt)),
            ("character varying(255)[]", array(SqlType::Varchar)),
            ("character(3)[]", array(SqlType::Character)),
            ("public.citext[]", array(SqlType::Citext)),
            ("timestamp(6) with time zone[]", array(SqlType::TimestampTz)),
            ("public.mood[]", array(other("mood"))),
            ("", other("")),
        ];
        for (text, expected) in cases {
            assert_eq!(SqlType::parse(text), expected, "{text}");
        }
    }
}
