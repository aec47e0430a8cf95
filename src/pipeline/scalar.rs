//! Plain values of a pipeline file: what a condition compares with, and constants.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};

use super::yaml::json_string;

/// A plain value: null, a boolean, a number or a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Boolean(bool),
    Integer(i128),
    Fraction(Fraction),
    Text(String),
}

/// A number with a fraction or an exponent, or an integer beyond 128 bits. What counts is how it is written: `12.50` is
/// another text than `12.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fraction {
    /// What the reader takes it for.
    value: f64,
    /// Where it is written in the file, in bytes; none if the reader does not know.
    place: Option<(u64, u64)>,
}

impl Fraction {
    /// The number as the file has it; `None` if it is not written as SQL and JSON write numbers (`.5`, `5.`, `+1.5`).
    pub(crate) fn written(self, file: &str) -> Option<&str> {
        let (start, length) = self.place?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let text = file.get(start..end)?;
        let value: f64 = text.parse().ok()?;
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        (is_json && value == self.value).then_some(text)
    }
}

impl Scalar {
    /// The value as JSON text, escaped as the records of an export are. `None` for a [`Fraction`] that cannot be written.
    pub(crate) fn to_json(&self, file: &str) -> Option<String> {
        Some(match self {
            Scalar::Null => "null".to_owned(),
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Fraction(number) => number.written(file)?.to_owned(),
            Scalar::Text(text) => json_string(text),
        })
    }

    /// The value in PostgreSQL's text form; `None` for NULL and for a [`Fraction`] that cannot be written.
    pub(crate) fn to_sql(&self, file: &str) -> Option<String> {
        match self {
            Scalar::Null => None,
            Scalar::Boolean(value) => Some(if *value { "t" } else { "f" }.to_owned()),
            Scalar::Integer(value) => Some(value.to_string()),
            Scalar::Fraction(number) => number.written(file).map(str::to_owned),
            Scalar::Text(text) => Some(text.clone()),
        }
    }
}

/// A plain value as it comes from the reader, before it is known where it is written.
pub(crate) enum ReadScalar {
    Fraction(f64),
    Other(Scalar),
}

impl ReadScalar {
    /// The value, of what says where it is written.
    pub(crate) fn at(self, location: &serde_saphyr::Location) -> Scalar {
        match self {
            ReadScalar::Other(scalar) => scalar,
            ReadScalar::Fraction(value) => {
                let span = location.span();
                Scalar::Fraction(Fraction {
                    value,
                    place: span.byte_offset().zip(span.byte_len()),
                })
            }
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = serde_saphyr::Spanned::<ReadScalar>::deserialize(deserializer)?;
        Ok(read.value.at(&read.defined))
    }
}

impl<'de> Deserialize<'de> for ReadScalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = ReadScalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, a boolean, a number or a text")
            }

            fn visit_unit<E>(self) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Null))
            }

            fn visit_none<E>(self) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Boolean(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Integer(value.into())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Integer(value.into())))
            }

            fn visit_i128<E>(self, value: i128) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Integer(value)))
            }

            fn visit_f64<E>(self, value: f64) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Fraction(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<ReadScalar, E> {
                Ok(ReadScalar::Other(Scalar::Text(text.to_owned())))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A plain value.",
            "type": ["null", "boolean", "number", "string"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_has_a_json_and_a_sql_form() {
        let cases = [
            ("~", "null", None),
            ("true", "true", Some("t")),
            ("-5", "-5", Some("-5")),
            ("0x1F", "31", Some("31")),
            (
                "9223372036854775808",
                "9223372036854775808",
                Some("9223372036854775808"),
            ),
            ("12.50", "12.50", Some("12.50")),
            ("1e5", "1e5", Some("1e5")),
            (
                "-0.12345678901234567890123",
                "-0.12345678901234567890123",
                Some("-0.12345678901234567890123"),
            ),
            (
                "340282366920938463463374607431768211456",
                "340282366920938463463374607431768211456",
                Some("340282366920938463463374607431768211456"),
            ),
            ("2024-01-01", "\"2024-01-01\"", Some("2024-01-01")),
            ("\"5\"", "\"5\"", Some("5")),
            ("Group", "\"Group\"", Some("Group")),
        ];
        for (yaml, json, sql) in cases {
            let scalar: Scalar = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(
                (
                    scalar.to_json(yaml).as_deref(),
                    scalar.to_sql(yaml).as_deref()
                ),
                (Some(json), sql),
                "{yaml}"
            );
        }
        for yaml in [".5", "5.", "+1.5"] {
            let scalar: Scalar = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(
                (scalar.to_json(yaml), scalar.to_sql(yaml)),
                (None, None),
                "{yaml}"
            );
        }
    }

    #[test]
    fn a_number_is_taken_as_it_is_written_where_it_is_defined() {
        let yaml = "é: &é 1.50\nb: [*é, 2.0]\n";
        #[derive(Deserialize)]
        struct File {
            é: Scalar,
            b: Vec<Scalar>,
        }
        let file: File = serde_saphyr::from_str(yaml).unwrap();
        let written: Vec<_> = [file.é]
            .iter()
            .chain(&file.b)
            .map(|it| it.to_sql(yaml))
            .collect();
        assert_eq!(
            written,
            ["1.50", "1.50", "2.0"].map(|text| Some(text.to_owned()))
        );
    }
}
