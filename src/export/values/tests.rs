//! What holds for every codec, and the helpers of the codecs' own tests.

use proptest::prelude::*;

use super::*;

/// Writes each field and compares; a case is a name, a COPY text field and the JSON.
pub(super) fn assert_written(codec: &Codec, cases: &[(&str, &[u8], &str)]) {
    for (name, field, expected) in cases {
        let mut out = b"before ".to_vec();
        assert_eq!(write(codec, field, &mut out), Ok(()), "{name}");
        assert_eq!(
            String::from_utf8_lossy(&out),
            format!("before {expected}"),
            "{name}"
        );
    }
}

/// Every field is refused with this error, and what was written before stays alone.
pub(super) fn assert_refused(codec: &Codec, fields: &[&[u8]], error: ValueError) {
    for field in fields {
        let mut out = b"before".to_vec();
        assert_eq!(
            write(codec, field, &mut out),
            Err(error),
            "{}",
            field.escape_ascii()
        );
        assert_eq!(out, b"before", "{}", field.escape_ascii());
    }
}

/// A value as PostgreSQL's COPY writes it.
pub(super) fn copy_text(value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    for &byte in value {
        match byte {
            b'\\' => field.extend(br"\\"),
            0x08 => field.extend(br"\b"),
            0x0c => field.extend(br"\f"),
            b'\n' => field.extend(br"\n"),
            b'\r' => field.extend(br"\r"),
            b'\t' => field.extend(br"\t"),
            0x0b => field.extend(br"\v"),
            other => field.push(other),
        }
    }
    field
}

fn every_type() -> Vec<SqlType> {
    let scalars = [
        SqlType::SmallInt,
        SqlType::Integer,
        SqlType::BigInt,
        SqlType::Boolean,
        SqlType::Timestamp,
        SqlType::TimestampTz,
        SqlType::Date,
        SqlType::Numeric,
        SqlType::Real,
        SqlType::Double,
        SqlType::Json,
        SqlType::Jsonb,
        SqlType::Bytea,
        SqlType::Text,
        SqlType::Varchar,
        SqlType::Character,
        SqlType::Citext,
        SqlType::Other("uuid".into()),
    ];
    let arrays = scalars
        .clone()
        .map(|element| SqlType::Array(Box::new(element)));
    scalars.into_iter().chain(arrays).collect()
}

#[test]
fn null_is_null_in_every_type() {
    for sql_type in every_type() {
        let mut out = Vec::new();
        assert_eq!(write(&Codec::of(&sql_type), br"\N", &mut out), Ok(()));
        assert_eq!(out, b"null");
    }
}

#[test]
fn booleans() {
    assert_written(
        &Codec::Boolean,
        &[
            ("true", b"t", "true"),
            ("false", b"f", "false"),
            ("true of an INSERT", b"true", "true"),
            ("false of an INSERT", b"false", "false"),
            ("null", br"\N", "null"),
        ],
    );
    assert_refused(
        &Codec::Boolean,
        &[b"", b"T", b"1", b"yes", b"tt"],
        ValueError::NotABoolean,
    );
}

#[test]
fn other_types_are_postgresqls_text() {
    assert_written(
        &Codec::of(&SqlType::Other("interval".into())),
        &[
            (
                "uuid",
                b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#,
            ),
            ("inet", b"192.168.0.1/24", r#""192.168.0.1/24""#),
            ("interval", b"1 day 02:00:00", r#""1 day 02:00:00""#),
        ],
    );
}

#[test]
fn integers_by_name() {
    let names = BTreeMap::from([(0, "none".to_owned()), (-1, "<odd>".to_owned())]);
    let cases: &[(&[u8], &str)] = &[
        (b"0", r#""none""#),
        (b"-0", r#""none""#),
        (b"-1", r#""\u003codd\u003e""#),
        (b"7", "7"),
        (b"+07", "7"),
        (br"\N", "null"),
    ];
    for (field, expected) in cases {
        let mut out = Vec::new();
        assert_eq!(write_names(&names, field, &mut out), Ok(()));
        assert_eq!(String::from_utf8_lossy(&out), *expected);
    }
    let mut out = b"before".to_vec();
    assert_eq!(
        write_names(&names, b"none", &mut out),
        Err(ValueError::NotAnInteger)
    );
    assert_eq!(out, b"before");
}

#[test]
fn a_field_that_ends_in_a_backslash_is_refused() {
    for sql_type in every_type() {
        assert_refused(
            &Codec::of(&sql_type),
            &[br"\", br"1\"],
            ValueError::UnfinishedEscape,
        );
    }
}

/// Bytes that come near to values of every type.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(
        prop_oneof![
            prop::sample::select(vec![
                "\\",
                "\\\\",
                "\"",
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "=",
                "-",
                "+",
                ".",
                "e",
                "0",
                "1",
                "99",
                "2024-02-29",
                " 03:04:05",
                ".5",
                "+05:30",
                " BC",
                "infinity",
                "NaN",
                "NULL",
                "null",
                "true",
                "\\\\u",
                "\\\\ud83d",
                "\\x",
                "\\N",
                "\\1",
                "<",
                "&",
            ])
            .prop_map(|piece| piece.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..3),
            any::<char>().prop_map(|character| character.to_string().into_bytes()),
        ],
        0..10,
    );
    prop_oneof![
        pieces.prop_map(|pieces| pieces.concat()),
        prop::collection::vec(any::<u8>(), 0..40)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_field_makes_a_codec_panic_or_write_half_a_value(field in fields()) {
        for sql_type in every_type() {
            let mut out = b"before".to_vec();
            match write(&Codec::of(&sql_type), &field, &mut out) {
                Ok(()) => {
                    let written = out.strip_prefix(b"before").expect("what was there stays");
                    let json = std::str::from_utf8(written).expect("UTF-8");
                    let raw = |c: char| c < ' ' || "<>&\u{2028}\u{2029}".contains(c);
                    prop_assert!(!json.contains(raw));
                    // serde_json refuses lone surrogates and numbers that no float can hold; both
                    // are JSON.
                    let beyond = json.contains("\\ud") || json.contains(['e', 'E']);
                    prop_assert!(beyond || serde_json::from_str::<serde_json::Value>(json).is_ok());
                }
                Err(_) => prop_assert_eq!(&out, b"before"),
            }
        }
        let mut out = b"before".to_vec();
        if write_names(&BTreeMap::from([(1, "one".to_owned())]), &field, &mut out).is_err() {
            prop_assert_eq!(&out, b"before");
        }
        text_color(&field);
    }
}
