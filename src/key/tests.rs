use super::*;
use crate::snapshot::read_schema;

mod server;

fn canonical(form: KeyForm, text: &str) -> Option<String> {
    let canonical = form.canonical(text.as_bytes())?;
    Some(String::from_utf8(canonical.into_owned()).unwrap())
}

fn encoded(form: KeyForm, text: &str) -> Vec<u8> {
    let mut out = b"before".to_vec();
    assert!(form.encode(text.as_bytes(), &mut out), "{form:?} {text}");
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

/// Texts of one value, the canonical one first; the values from small to great.
type Values = &'static [&'static [&'static str]];

const ORDERED: [(KeyForm, Values); 13] = [
    (
        KeyForm::Integer,
        &[
            &["-9223372036854775808"],
            &["-10"],
            &["-9", "-09"],
            &["0", "-0", "+0", "000"],
            &["7", "+7", "007", " 7 "],
            &["10"],
            &["9223372036854775807"],
        ],
    ),
    (
        KeyForm::Numeric,
        &[
            &["-Infinity", "-infinity", "-INF"],
            &["-1000000000000000000000000000000.5"],
            &["-100", "-1e2", "-100.000"],
            &["-12.5", "-12.50"],
            &["-12.49"],
            &["-12"],
            &["-0.05", "-.05"],
            &["-0.005", "-5E-3"],
            &["0", "-0", "0.00", ".0", "0.", "-0.000", "0e7"],
            &["0.005"],
            &["0.05"],
            &["0.5", ".5", "0.500"],
            &["1", "1.0", "1.00", "+01", "1.", "10e-1"],
            &["1.01"],
            &["1.1"],
            &["9.99"],
            &["10"],
            &["10.001"],
            &["99"],
            &["100", "1E+2"],
            &["1001"],
            &["1100"],
            &["Infinity", "inf", "+Inf"],
            &["NaN", "nan"],
        ],
    ),
    (
        KeyForm::Float,
        &[
            &["-Infinity"],
            &["-1e300"],
            &["-1.5", "-1.50"],
            &["-5e-324"],
            &["0", "-0", "0.0", "0e9"],
            &["5e-324", "4.9406564584124654e-324"],
            &["0.1", "1e-1"],
            &["0.10000000149011612"],
            &[
                "9.007199254740992e15",
                "9007199254740993",
                "9007199254740992",
            ],
            &["1e300"],
            &["Infinity", "inf"],
            &["NaN", "nan"],
        ],
    ),
    (
        KeyForm::Real,
        &[
            &["-Infinity"],
            &["-1.0000000150474662e30", "-1e30"],
            &["0", "-0"],
            &["0.10000000149011612", "0.1", "0.100000001"],
            &["16777216", "16777217", "1.6777216e+07"],
            &["Infinity"],
            &["NaN"],
        ],
    ),
    (
        KeyForm::Boolean,
        &[&["f", "false", "F", "no"], &["t", "true", "TRUE", "1"]],
    ),
    (
        KeyForm::Uuid,
        &[
            &["00000000-0000-0000-0000-000000000000"],
            &[
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}",
                "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            ],
            &["ffffffff-ffff-ffff-ffff-ffffffffffff"],
        ],
    ),
    (
        KeyForm::Text,
        &[&[""], &["A"], &["a"], &["a "], &["ab"], &["b"], &["é"]],
    ),
    (
        KeyForm::Folded,
        &[
            &["a", "A"],
            &["a "],
            &["ab", "aB", "AB"],
            &["é", "É"],
            &["ж", "Ж"],
        ],
    ),
    (
        KeyForm::Padded,
        &[
            &["", " ", "   "],
            &[" a", " a  "],
            &["A"],
            &["a", "a  "],
            &["ab"],
        ],
    ),
    (
        KeyForm::Bytea,
        &[
            &[r"\x", ""],
            &[r"\x00", r"\000"],
            &[r"\x0000"],
            &[r"\x0001"],
            &[r"\x01"],
            &[r"\x61ff", r"\x61FF", r"a\377"],
            &[r"\xff"],
        ],
    ),
    (
        KeyForm::Date,
        &[
            &["-infinity"],
            &["4714-11-24 BC"],
            &["0044-03-15 BC"],
            &["0001-12-31 BC"],
            &["0001-01-01"],
            &["2024-02-29", " 2024-02-29"],
            &["9999-12-31"],
            &["10000-01-01"],
            &["5874897-12-31"],
            &["infinity", "Infinity"],
        ],
    ),
    (
        KeyForm::Timestamp,
        &[
            &["-infinity"],
            &["0044-03-15 12:00:00 BC"],
            &["0044-03-15 12:00:00.5 BC"],
            &["1969-12-31 23:59:59.999999"],
            &[
                "1970-01-01 00:00:00",
                "1970-01-01",
                "1970-01-01T00:00:00",
                "1970-01-01 00:00",
            ],
            &["2024-01-02 03:04:05.67", "2024-01-02 03:04:05.670000"],
            &["2024-01-02 03:04:05.7"],
            &["10000-01-01 00:00:00"],
            &["infinity"],
        ],
    ),
    (
        KeyForm::TimestampTz,
        &[
            &["-infinity"],
            &["0002-12-31 22:00:00+00 BC", "0001-01-01 00:00:00+02 BC"],
            &["1883-11-18 11:40:28+00", "1883-11-18 12:00:00+00:19:32"],
            &[
                "2023-12-31 20:30:00.5+00",
                "2024-01-01 02:00:00.50+05:30",
                "2024-01-01T02:00:00.5+0530",
                "2023-12-31 20:30:00.5Z",
                "2023-12-31 17:00:00.5-03:30",
            ],
            &["2024-01-01 00:00:00+00"],
            &["infinity"],
        ],
    ),
];

#[test]
fn equal_values_have_one_canonical_text_and_one_encoding() {
    for (form, values) in ORDERED {
        for texts in values {
            for text in *texts {
                assert_eq!(
                    canonical(form, text).as_deref(),
                    Some(texts[0]),
                    "{form:?} {text}"
                );
                assert_eq!(
                    encoded(form, text),
                    encoded(form, texts[0]),
                    "{form:?} {text}"
                );
                assert!(form.equal(text.as_bytes(), texts[0].as_bytes()));
            }
        }
    }
}

#[test]
fn encodings_order_as_the_values_and_none_begins_with_another() {
    for (form, values) in ORDERED {
        let encodings: Vec<Vec<u8>> = values.iter().map(|texts| encoded(form, texts[0])).collect();
        for (index, one) in encodings.iter().enumerate() {
            for (further, other) in encodings[index + 1..].iter().enumerate() {
                let (one_text, other_text) = (values[index][0], values[index + 1 + further][0]);
                assert!(one < other, "{form:?} {one_text} {other_text}");
                assert!(!other.starts_with(one), "{form:?} {one_text} {other_text}");
                assert!(!form.equal(one_text.as_bytes(), other_text.as_bytes()));
            }
        }
    }
}

#[test]
fn what_is_no_value_of_a_form_is_refused() {
    let cases: [(KeyForm, &[&str]); 9] = [
        (
            KeyForm::Integer,
            &[
                "",
                "-",
                "+",
                "1.0",
                "1e3",
                "x",
                "9223372036854775808",
                "1 2",
                "--1",
                "0x1",
            ],
        ),
        (
            KeyForm::Numeric,
            &[
                "",
                "-",
                ".",
                "1.2.3",
                "1e",
                "e5",
                "1e1.5",
                "1e999999999999",
                "0x1",
                "1,5",
                "--1",
            ],
        ),
        (
            KeyForm::Float,
            &["", "x", "1e400", "-1e400", "1e-400", "1.5.5"],
        ),
        (KeyForm::Real, &["", "1e39", "1e-60", "x"]),
        (KeyForm::Boolean, &["", "x", "2"]),
        (
            KeyForm::Uuid,
            &["", "a0eebc99", "x0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        ),
        (
            KeyForm::Date,
            &[
                "",
                "2023-02-29",
                "0000-01-01",
                "2024-1-01",
                "2024-01-01 00:00:00",
                "24-01-01",
                "01.02.2024",
            ],
        ),
        (
            KeyForm::Timestamp,
            &[
                "",
                "2024-01-01 24:00:01",
                "2024-01-01 10:00:00+00",
                "2024-01-01 10:00:00.1234567",
                "2024-01-01 10:00.5",
                "2024-01-01 1:00:00",
                "infinity BC",
            ],
        ),
        (
            KeyForm::TimestampTz,
            &[
                "2024-01-01 10:00:00",
                "2024-01-01 10:00:00+16",
                "2024-01-01 10:00:00 CET",
                "2024-01-01 10:00:00+1",
                "infinity+00",
            ],
        ),
    ];
    for (form, texts) in cases {
        for text in texts {
            assert_eq!(canonical(form, text), None, "{form:?} {text}");
            let mut out = b"x".to_vec();
            assert!(!form.encode(text.as_bytes(), &mut out), "{form:?} {text}");
            assert_eq!(out, b"x");
            assert!(!form.equal(text.as_bytes(), text.as_bytes()));
        }
    }
    let most = format!("1{}", "0".repeat(131_071));
    assert!(KeyForm::Numeric.canonical(most.as_bytes()).is_some());
    assert!(
        KeyForm::Numeric
            .canonical(format!("{most}0").as_bytes())
            .is_none()
    );
}

#[test]
fn text_that_is_not_utf_8_is_compared_as_bytes() {
    for form in [
        KeyForm::Text,
        KeyForm::Folded,
        KeyForm::Padded,
        KeyForm::Verbatim,
    ] {
        assert!(form.equal(b"\xff", b"\xff"), "{form:?}");
        assert!(!form.equal(b"\xff", b"\xfe"), "{form:?}");
    }
}

#[test]
fn only_the_usual_spelling_of_a_uuid_is_quick() {
    let number = Some(0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11);
    assert_eq!(
        KeyForm::uuid(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        number
    );
    assert_eq!(
        KeyForm::uuid(b"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
        number
    );
    assert_eq!(KeyForm::uuid(b"a0eebc999c0b4ef8bb6d6bb9bd380a11"), None);
    assert_eq!(KeyForm::uuid(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1x"), None);
    assert_eq!(KeyForm::uuid(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380-11"), None);
}

#[test]
fn a_user_may_spell_a_value_as_postgresql_reads_it() {
    let cases = [
        (KeyForm::Integer, "+0042", Some("42")),
        (KeyForm::Numeric, "1e2", Some("100")),
        (
            KeyForm::Uuid,
            "{A0EEBC999C0B-4EF8-BB6D6BB9BD380A11}",
            Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ),
        (KeyForm::Folded, "Ada@X.org", Some("ada@x.org")),
        (KeyForm::Text, " a ", Some(" a ")),
        (KeyForm::TimestampTz, "2024-01-01 00:00", None),
    ];
    for (form, written, expected) in cases {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        assert_eq!(form.of_user(written), expected, "{form:?}");
    }
}

const TYPES: &str = "
CREATE TYPE public.mood AS ENUM ('a', 'b');
CREATE TYPE billing.mood AS ENUM ('a', 'b');
CREATE TYPE public.pair AS (a integer, b integer);
CREATE DOMAIN public.email AS public.citext;
CREATE DOMAIN public.code AS character(3);
CREATE DOMAIN public.slug AS character varying(20);
CREATE DOMAIN public.felt AS public.mood;
CREATE TABLE t (email public.email, code public.code, slug public.slug, felt public.felt, mood public.mood, other billing.mood,
    pair public.pair);
";

#[test]
fn domains_and_enums_have_the_forms_of_what_is_beneath() {
    let catalog = read_schema(TYPES.as_bytes()).unwrap();
    let table = catalog
        .table(&crate::snapshot::TableName::public("t"))
        .unwrap();
    let forms: Vec<Option<KeyForm>> = table
        .columns
        .iter()
        .map(|column| KeyForm::of(&column.sql_type, &catalog))
        .collect();
    let expected = [
        Some(KeyForm::Folded),
        Some(KeyForm::Padded),
        Some(KeyForm::Text),
        Some(KeyForm::Verbatim),
        Some(KeyForm::Verbatim),
        Some(KeyForm::Verbatim),
        None,
    ];
    assert_eq!(forms, expected);
}

#[test]
fn types_without_an_equality_that_texts_show_have_no_form() {
    let catalog = Catalog::default();
    for name in [
        "json",
        "jsonb",
        "xml",
        "point",
        "interval",
        "integer[]",
        "int4range",
        "box",
        "hstore",
        "tsvector",
        "regclass",
        "mood",
    ] {
        assert_eq!(KeyForm::of(&SqlType::parse(name), &catalog), None, "{name}");
    }
}

#[test]
fn columns_compare_as_postgresql_resolves_the_operator() {
    use KeyForm::{
        Boolean, Bytea, Date, Float, Folded, Integer, Numeric, Padded, Real, Text, Timestamp,
        TimestampTz, Uuid, Verbatim,
    };
    let catalog = read_schema(TYPES.as_bytes()).unwrap();
    let none = "PostgreSQL has no operator";
    let zone = "depends on the time zone of the session";
    let unknown = "is not seen in the texts";
    let cases = [
        ("smallint", "bigint", Ok((Integer, Integer))),
        ("integer", "numeric", Ok((Numeric, Numeric))),
        ("bigint", "double precision", Ok((Float, Float))),
        ("bigint", "real", Ok((Float, Real))),
        ("numeric", "real", Ok((Float, Real))),
        ("numeric", "double precision", Ok((Float, Float))),
        ("real", "real", Ok((Real, Real))),
        ("real", "double precision", Ok((Real, Float))),
        ("text", "text", Ok((Text, Text))),
        ("text", "varchar", Ok((Text, Text))),
        ("varchar", "varchar", Ok((Text, Text))),
        ("name", "varchar", Ok((Text, Text))),
        ("char(3)", "char(5)", Ok((Padded, Padded))),
        ("char(3)", "varchar", Ok((Padded, Padded))),
        ("varchar", "char(3)", Ok((Padded, Padded))),
        ("char(3)", "text", Ok((Padded, Text))),
        ("name", "char(3)", Ok((Text, Padded))),
        ("citext", "public.citext", Ok((Folded, Folded))),
        ("citext", "text", Ok((Text, Text))),
        ("varchar", "citext", Ok((Text, Text))),
        ("citext", "char(3)", Ok((Text, Padded))),
        ("\"char\"", "text", Ok((Text, Text))),
        ("date", "date", Ok((Date, Date))),
        ("date", "timestamp", Ok((Timestamp, Timestamp))),
        ("timestamp", "timestamp", Ok((Timestamp, Timestamp))),
        ("timestamptz", "timestamptz", Ok((TimestampTz, TimestampTz))),
        ("timestamptz", "timestamp", Err(zone)),
        ("date", "timestamptz", Err(zone)),
        ("uuid", "uuid", Ok((Uuid, Uuid))),
        ("uuid", "text", Err(none)),
        ("uuid", "bigint", Err(none)),
        ("text", "integer", Err(none)),
        ("boolean", "boolean", Ok((Boolean, Boolean))),
        ("boolean", "integer", Err(none)),
        ("bytea", "bytea", Ok((Bytea, Bytea))),
        ("bytea", "text", Err(none)),
        ("date", "text", Err(none)),
        ("mood", "mood", Ok((Verbatim, Verbatim))),
        ("mood", "billing.mood", Err(none)),
        ("mood", "text", Err(none)),
        ("inet", "inet", Ok((Verbatim, Verbatim))),
        ("inet", "cidr", Err(unknown)),
        ("bit(3)", "bit varying(5)", Ok((Verbatim, Verbatim))),
        ("time", "time without time zone", Ok((Verbatim, Verbatim))),
        ("time", "timetz", Err(zone)),
        ("interval", "time", Err(unknown)),
        ("oid", "bigint", Err(unknown)),
        ("money", "numeric", Err(none)),
        ("json", "json", Err(none)),
        ("point", "point", Err(none)),
        ("jsonb", "jsonb", Err(unknown)),
        ("interval", "interval", Err(unknown)),
        ("integer[]", "integer[]", Err(unknown)),
        ("hstore", "hstore", Err(unknown)),
        ("ltree", "text", Err(unknown)),
    ];
    for (child, parent, expected) in cases {
        let found = comparison(&SqlType::parse(child), &SqlType::parse(parent), &catalog);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{child} = {parent}"),
            (Err(why), Err(part)) => {
                assert!(why.to_string().contains(part), "{child} = {parent}: {why}");
            }
            (found, _) => panic!("{child} = {parent}: {found:?}"),
        }
    }
    let found = comparison(
        &SqlType::parse("uuid"),
        &SqlType::parse("char(3)[]"),
        &catalog,
    );
    let why: Incomparable = found.unwrap_err();
    assert_eq!(
        why.to_string(),
        "PostgreSQL has no operator uuid = character[]"
    );
}

#[test]
fn a_real_equals_the_double_that_it_is() {
    let forms = comparison(&SqlType::Real, &SqlType::Double, &Catalog::default()).unwrap();
    let equal = |real: &str, double: &str| canonical(forms.0, real) == canonical(forms.1, double);
    assert!(!equal("0.1", "0.1"));
    assert!(equal("0.1", "0.10000000149011612"));
    assert!(equal("0.5", "0.5"));
    assert_eq!(
        encoded(forms.0, "0.1"),
        encoded(forms.1, "0.10000000149011612")
    );
}

#[test]
fn of_equal_values_the_one_with_the_shortest_text_is_taken() {
    for (form, texts, taken) in [
        (KeyForm::Numeric, ["1.00", "1", "1.0"], "1"),
        (KeyForm::Float, ["-0", "0", "0"], "0"),
        (KeyForm::Folded, ["ab", "aB", "AB"], "AB"),
        (KeyForm::Padded, ["x  ", "x ", "x"], "x"),
    ] {
        let first = texts[0].as_bytes();
        assert!(texts.iter().all(|text| form.equal(first, text.as_bytes())));
        let largest = texts
            .into_iter()
            .max_by_key(|text| rank_among_equal(text.as_bytes()));
        assert_eq!(largest, Some(taken), "{form:?}");
    }
}

#[test]
fn a_column_holds_no_value_that_is_none_of_its_type() {
    let cases = [
        (KeyForm::Real, "0.1", false),
        (KeyForm::Real, "0.10000000149011612", true),
        (KeyForm::Real, "16777217", false),
        (KeyForm::Real, "1e39", false),
        (KeyForm::Real, "1e-300", false),
        (KeyForm::Real, "0", true),
        (KeyForm::Real, "NaN", true),
        (KeyForm::Real, "-Infinity", true),
        (KeyForm::Float, "0.1", true),
        (KeyForm::Padded, "ab", true),
        (KeyForm::Padded, "ab ", false),
        (KeyForm::Text, "ab ", true),
        (KeyForm::Timestamp, "294276-12-31 00:00:00", true),
        (KeyForm::Timestamp, "294277-01-01 00:00:00", false),
        (KeyForm::Timestamp, "infinity", true),
        (KeyForm::Timestamp, "-infinity", true),
        (KeyForm::Date, "5874897-12-31", true),
    ];
    for (form, text, holds) in cases {
        assert_eq!(form.may_hold(text.as_bytes()), holds, "{form:?} {text}");
    }
}
