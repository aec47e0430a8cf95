//! The exact form: what a value is in the database, with nothing cut, rounded or left out.
//!
//! Most types are written as usual, because their usual form loses nothing. Times keep their microseconds, and one without a zone
//! gets no `Z`. Numerics keep their zeros; infinities and NaN are texts. Where a text holds times of the session's zone, they are shown in UTC,
//! as a live export asks for them.

use super::timestamp::{self, TimeForm};
use super::{Codec, ValueError, array, bytea, float, numeric, write_json_string};
use crate::snapshot::SqlType;

/// A type whose exact form is another than the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    Timestamp,
    TimestampTz,
    Date,
    Numeric,
    Float,
    Bytea,
    /// A range or multirange of timestamptz.
    ZonedRange,
    /// An array of any number of dimensions, as [`Codec::Array`].
    Array {
        element: Box<Codec>,
        delimiter: u8,
    },
}

impl Exact {
    /// The codec of a column type.
    pub(super) fn codec(sql_type: &SqlType) -> Codec {
        match sql_type {
            SqlType::Other(name) if name == "tstzrange" || name == "tstzmultirange" => {
                Codec::Exact(Exact::ZonedRange)
            }
            SqlType::Array(element) => match Codec::of(sql_type) {
                Codec::Array { delimiter, .. } => Codec::Exact(Exact::Array {
                    element: Box::new(Exact::codec(innermost(element))),
                    delimiter,
                }),
                other => other,
            },
            plain => Exact::of(Codec::of(plain)),
        }
    }

    fn of(usual: Codec) -> Codec {
        let exact = match usual {
            Codec::Timestamp => Exact::Timestamp,
            Codec::TimestampTz => Exact::TimestampTz,
            Codec::Date => Exact::Date,
            Codec::Numeric => Exact::Numeric,
            Codec::Float => Exact::Float,
            Codec::Bytea => Exact::Bytea,
            same @ (Codec::Integer
            | Codec::Boolean
            | Codec::Json
            | Codec::Text
            | Codec::Array { .. }
            | Codec::Exact(_)) => return same,
        };
        Codec::Exact(exact)
    }

    /// Appends a value that is not NULL and has no COPY escapes.
    ///
    /// # Errors
    /// It is no value of its type. `out` may then hold a part of it.
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        match self {
            Exact::Timestamp => timestamp::write_timestamp(text, TimeForm::Exact, out),
            Exact::TimestampTz => timestamp::write_timestamptz(text, TimeForm::Exact, out),
            Exact::Date => timestamp::write_date(text, TimeForm::Exact, out),
            Exact::Numeric => numeric::write_verbatim(text, out),
            Exact::Float if numeric::is_special(text) => write_json_string(text, out),
            Exact::Float => float::write(text, out),
            Exact::Bytea => bytea::write_after(br"\\x", text, out),
            Exact::ZonedRange => write_json_string(&quoted_in_utc(text)?, out),
            Exact::Array { element, delimiter } => {
                let start = out.len();
                array::write(element, *delimiter, text, out)?;
                // A JSON array has no bounds. The text that has them is known to be an array now.
                if array::has_bounds(text) {
                    out.truncate(start);
                    match **element {
                        Codec::Exact(Exact::TimestampTz) => {
                            write_json_string(&quoted_in_utc(text)?, out)?;
                        }
                        _ => write_json_string(text, out)?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// The type of an array's elements: `integer[][]` is `integer[]` to PostgreSQL.
fn innermost(mut element: &SqlType) -> &SqlType {
    while let SqlType::Array(inner) = element {
        element = inner;
    }
    element
}

/// A text with the times between its quotes shown in UTC. Infinities and what is no time have no quotes.
fn quoted_in_utc(text: &[u8]) -> Result<Vec<u8>, ValueError> {
    let quotes = memchr::memchr_iter(b'"', text).count();
    if !quotes.is_multiple_of(2) {
        return Err(ValueError::NotATimestampTz);
    }
    let mut shown = Vec::with_capacity(text.len());
    for (index, part) in text.split(|byte| *byte == b'"').enumerate() {
        if index > 0 {
            shown.push(b'"');
        }
        match index % 2 {
            0 => shown.extend_from_slice(part),
            _ => timestamp::show_in_utc(part, &mut shown)?,
        }
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_refused, assert_written};
    use super::*;

    fn exact(sql_type: &str) -> Codec {
        Exact::codec(&SqlType::parse(sql_type))
    }

    #[test]
    fn times_keep_their_microseconds() {
        assert_written(
            &exact("timestamp"),
            &[
                (
                    "whole",
                    b"2021-05-04 11:25:20",
                    r#""2021-05-04T11:25:20.000000""#,
                ),
                (
                    "microseconds",
                    b"2021-05-04 11:25:20.423999",
                    r#""2021-05-04T11:25:20.423999""#,
                ),
                (
                    "shorter",
                    b"2021-05-04 11:25:20.4",
                    r#""2021-05-04T11:25:20.400000""#,
                ),
                ("infinity", b"infinity", r#""infinity""#),
                ("minus infinity", b"-infinity", r#""-infinity""#),
                (
                    "BC",
                    b"0001-05-04 11:25:20 BC",
                    r#""0000-05-04T11:25:20.000000""#,
                ),
                ("null", br"\N", "null"),
            ],
        );
        assert_written(
            &exact("timestamptz"),
            &[
                (
                    "UTC",
                    b"2021-05-04 11:25:20.000001+00",
                    r#""2021-05-04T11:25:20.000001Z""#,
                ),
                (
                    "offset",
                    b"2021-05-05 00:25:20.5+13",
                    r#""2021-05-04T11:25:20.500000Z""#,
                ),
                (
                    "before 1970",
                    b"1960-01-01 00:00:00.999999-03:30",
                    r#""1960-01-01T03:30:00.999999Z""#,
                ),
                ("infinity", b"infinity", r#""infinity""#),
            ],
        );
        assert_written(
            &exact("date"),
            &[
                ("day", b"2021-05-04", r#""2021-05-04""#),
                ("infinity", b"-infinity", r#""-infinity""#),
            ],
        );
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_written(
            &exact("numeric"),
            &[
                ("zeros", b"12.500", r#""12.500""#),
                ("whole", b"100", r#""100""#),
                ("zero", b"0.00", r#""0.00""#),
                ("NaN", b"NaN", r#""NaN""#),
                ("infinity", b"-Infinity", r#""-Infinity""#),
            ],
        );
        assert_written(
            &exact("double precision"),
            &[
                ("shortest", b"0.1", "0.1"),
                ("large", b"1e+20", "1e+20"),
                ("minus zero", b"-0", "-0"),
                ("NaN", b"NaN", r#""NaN""#),
                ("infinity", b"Infinity", r#""Infinity""#),
            ],
        );
        assert_refused(
            &exact("numeric"),
            &[b"", b"nan", b"1,5", b"\"1"],
            ValueError::NotANumeric,
        );
        assert_refused(
            &exact("real"),
            &[b"", b"nan", b"infinity"],
            ValueError::NotAFloat,
        );
    }

    #[test]
    fn byte_strings_are_postgresqls_own_text() {
        assert_written(
            &exact("bytea"),
            &[
                ("hex", br"\\xDEadbeef", r#""\\xdeadbeef""#),
                ("empty", br"\\x", r#""\\x""#),
                ("escape form", br"a\\000", r#""\\x6100""#),
            ],
        );
    }

    #[test]
    fn arrays_keep_their_bounds() {
        assert_written(
            &exact("numeric[]"),
            &[
                ("usual", b"{1.50,NaN,NULL}", r#"["1.50","NaN",null]"#),
                ("empty", b"{}", "[]"),
                ("bounds", b"[0:1]={1.50,2}", r#""[0:1]={1.50,2}""#),
            ],
        );
        assert_written(
            &exact("timestamp[]"),
            &[(
                "times",
                br#"{"2021-05-04 11:25:20.000001",infinity}"#,
                r#"["2021-05-04T11:25:20.000001","infinity"]"#,
            )],
        );
        let mut out = Vec::new();
        assert!(super::super::write(&exact("integer[]"), b"[0:1]={1,x}", &mut out).is_err());
        assert_eq!(out, b"");
    }

    #[test]
    fn times_inside_of_other_texts_are_shown_in_utc() {
        assert_written(
            &exact("tstzrange"),
            &[
                (
                    "both bounds",
                    br#"["2021-05-04 13:25:20.5+02","2021-05-05 05:45:00+05:45")"#,
                    r#""[\"2021-05-04 11:25:20.5+00\",\"2021-05-05 00:00:00+00\")""#,
                ),
                (
                    "no bound",
                    br#"(,"2021-05-04 00:00:00+00"]"#,
                    r#""(,\"2021-05-04 00:00:00+00\"]""#,
                ),
                (
                    "BC",
                    br#"["0001-01-01 01:00:00+02",infinity)"#,
                    r#""[\"0001-12-31 23:00:00+00 BC\",infinity)""#,
                ),
                ("empty", b"empty", r#""empty""#),
            ],
        );
        assert_written(
            &exact("tstzmultirange[]"),
            &[(
                "in an array",
                br#"{"{[\\"2021-05-04 13:25:20+02\\",)}"}"#,
                r#"["{[\"2021-05-04 11:25:20+00\",)}"]"#,
            )],
        );
        assert_written(
            &exact("timestamptz[]"),
            &[(
                "with bounds",
                br#"[0:0]={"2021-05-04 13:25:20+02"}"#,
                r#""[0:0]={\"2021-05-04 11:25:20+00\"}""#,
            )],
        );
        assert_refused(
            &exact("tstzrange"),
            &[br#"["2021-05-04",)"#, br#"["2021-05-04 13:25:20+02"#],
            ValueError::NotATimestampTz,
        );
    }

    #[test]
    fn all_other_types_are_written_as_usual() {
        for sql_type in [
            "integer",
            "boolean",
            "jsonb",
            "text",
            "uuid",
            "interval",
            "money",
            "int4range",
        ] {
            assert_eq!(
                exact(sql_type),
                Codec::of(&SqlType::parse(sql_type)),
                "{sql_type}"
            );
        }
    }
}
