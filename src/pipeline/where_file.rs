//! The tests of a `where`, in all the forms that a pipeline file may give them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::scalar::{ReadScalar, Scalar};
use super::yaml::{Entries, Located};

/// Tests on the columns of a row, all of which must hold.
pub(crate) type WhereFile = Entries<Located<TestFile>>;

/// A test on one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestFile {
    /// Equal to one of these; NULL equals NULL here.
    In(Vec<Scalar>),
    /// Equal to none of these.
    Not(Vec<Scalar>),
    /// Between two bounds, of which at least one is given.
    Between {
        above: Option<Scalar>,
        below: Option<Scalar>,
    },
    Like(String),
    Length(u32),
}

/// A test as it comes from the reader, before it is known where its value is written.
enum ReadTest {
    Value(ReadScalar),
    Test(TestFile),
}

impl<'de> Deserialize<'de> for TestFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = serde_saphyr::Spanned::<ReadTest>::deserialize(deserializer)?;
        Ok(match read.value {
            ReadTest::Value(value) => TestFile::In(vec![value.at(&read.defined)]),
            ReadTest::Test(test) => test,
        })
    }
}

impl<'de> Deserialize<'de> for ReadTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TestVisitor;

        impl<'de> Visitor<'de> for TestVisitor {
            type Value = ReadTest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list of values, null or a test such as { not: null }")
            }

            fn visit_unit<E: de::Error>(self) -> Result<ReadTest, E> {
                value(de::value::UnitDeserializer::new())
            }

            fn visit_none<E: de::Error>(self) -> Result<ReadTest, E> {
                value(de::value::UnitDeserializer::new())
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<ReadTest, E> {
                value(de::value::BoolDeserializer::new(truth))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ReadTest, E> {
                value(de::value::I64Deserializer::new(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ReadTest, E> {
                value(de::value::U64Deserializer::new(number))
            }

            fn visit_i128<E: de::Error>(self, number: i128) -> Result<ReadTest, E> {
                value(de::value::I128Deserializer::new(number))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<ReadTest, E> {
                value(de::value::F64Deserializer::new(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ReadTest, E> {
                value(de::value::StrDeserializer::new(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ReadTest, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(ReadTest::Test(TestFile::In(values)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadTest, A::Error> {
                let mut test = MapTest::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "not" => test.not = Some(map.next_value()?),
                        "above" => test.above = Some(map.next_value()?),
                        "below" => test.below = Some(map.next_value()?),
                        "like" => test.like = Some(map.next_value()?),
                        "length" => test.length = Some(map.next_value()?),
                        other => return Err(de::Error::unknown_field(other, &MapTest::KEYS)),
                    }
                }
                test.whole().map(ReadTest::Test).ok_or_else(|| {
                    de::Error::custom(
                        "a test is one of { not: … }, { like: … }, { length: … }, { above: … }, { below: … }, or both of the last two",
                    )
                })
            }
        }

        fn value<'de, D: Deserializer<'de>>(value: D) -> Result<ReadTest, D::Error> {
            ReadScalar::deserialize(value).map(ReadTest::Value)
        }

        deserializer.deserialize_any(TestVisitor)
    }
}

/// The keys of a test that is a map.
#[derive(Default)]
struct MapTest {
    not: Option<Values>,
    above: Option<Scalar>,
    below: Option<Scalar>,
    like: Option<String>,
    length: Option<u32>,
}

impl MapTest {
    const KEYS: [&str; 5] = ["not", "above", "below", "like", "length"];

    /// The test that the keys make; `None` if they are those of several, or of none.
    fn whole(self) -> Option<TestFile> {
        match (self.not, self.above, self.below, self.like, self.length) {
            (Some(Values(values)), None, None, None, None) => Some(TestFile::Not(values)),
            (None, None, None, Some(text), None) => Some(TestFile::Like(text)),
            (None, None, None, None, Some(length)) => Some(TestFile::Length(length)),
            (None, None, None, None, None) => None,
            (None, above, below, None, None) => Some(TestFile::Between { above, below }),
            _ => None,
        }
    }
}

/// One value or a list of them.
struct Values(Vec<Scalar>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = serde_saphyr::Spanned::<ReadTest>::deserialize(deserializer)?;
        match read.value {
            ReadTest::Value(value) => Ok(Values(vec![value.at(&read.defined)])),
            ReadTest::Test(TestFile::In(values)) => Ok(Values(values)),
            ReadTest::Test(_) => Err(de::Error::custom(
                "a test cannot stand in `not`; write a value or a list of values",
            )),
        }
    }
}

impl JsonSchema for TestFile {
    fn schema_name() -> Cow<'static, str> {
        "Test".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        let list = json_schema!({ "type": "array", "items": scalar, "minItems": 1 });
        let bound = json_schema!({ "type": ["number", "string"] });
        let only = |key: &str, value: Schema| {
            json_schema!({
                "type": "object",
                "properties": { key: value },
                "required": [key],
                "additionalProperties": false
            })
        };
        json_schema!({
            "description": "A value that the column must equal (null: IS NULL), a list of them, or a test.",
            "anyOf": [
                scalar,
                list,
                only("not", json_schema!({ "anyOf": [scalar, list] })),
                only("like", json_schema!({ "type": "string", "pattern": "^[^%]+%$" })),
                only("length", json_schema!({ "type": "integer", "minimum": 0 })),
                {
                    "type": "object",
                    "properties": { "above": bound, "below": bound },
                    "minProperties": 1,
                    "additionalProperties": false
                }
            ]
        })
    }
}
