use super::*;
use crate::export::values::tests::{assert_written, copy_text};
use crate::export::values::{Codec, write};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn json_is_made_compact() {
    assert_written(
        &Codec::Json,
        &[
            (
                "object",
                br#"{"a": 1, "b": [true, false, null]}"#,
                r#"{"a":1,"b":[true,false,null]}"#,
            ),
            (
                "white space of every kind",
                br#" \t{ "a"\n:\r[ 1 , 2 ] } "#,
                r#"{"a":[1,2]}"#,
            ),
            (
                "empty object and array",
                b"[{ }, [ ], {}, []]",
                "[{},[],{},[]]",
            ),
            (
                "order of keys",
                br#"{"b": 1, "a": 2, "b": 3}"#,
                r#"{"b":1,"a":2,"b":3}"#,
            ),
            ("scalars", b"12", "12"),
            ("string", br#" "a b" "#, r#""a b""#),
            ("JSON null", b"null", "null"),
            ("SQL null", br"\N", "null"),
            (
                "numbers as written",
                b"[1.0, 1e+20, -0, 0.10, 12345678901234567890123, 1E5]",
                "[1.0,1e+20,-0,0.10,12345678901234567890123,1E5]",
            ),
            (
                "html in keys and values",
                br#"{"<b>": "&"}"#,
                r#"{"\u003cb\u003e":"\u0026"}"#,
            ),
            (
                "escapes, COPY's backslash doubled",
                br#""\\"\\\\\\/\\n""#,
                r#""\"\\/\n""#,
            ),
            (
                "upper-case hex of what needs an escape",
                br#""\\u003C\\u001F""#,
                r#""\u003c\u001f""#,
            ),
            (
                "an escape that is not needed",
                br#""\\u0041\\u00e4\\u007f""#,
                "\"Aä\u{7f}\"",
            ),
            (
                "escapes with a short form",
                br#""\\u000a\\u0009\\u0022\\u005c\\u0008""#,
                r#""\n\t\"\\\b""#,
            ),
            ("zero", br#""\\u0000""#, r#""\u0000""#),
            (
                "separators, raw and escaped",
                "\"\u{2028}\\\\u2029\"".as_bytes(),
                r#""\u2028\u2029""#,
            ),
            ("surrogate pair", br#""\\ud83d\\uDE80""#, r#""🚀""#),
            ("lone high surrogate", br#""\\uD83Dx""#, r#""\ud83dx""#),
            ("lone low surrogate", br#""\\ude80""#, r#""\ude80""#),
            (
                "two high surrogates",
                br#""\\ud83d\\ud83d\\ude80""#,
                r#""\ud83d🚀""#,
            ),
            (
                "high surrogate before another escape",
                br#""\\ud83d\\u0041\\n""#,
                r#""\ud83dA\n""#,
            ),
            (
                "raw UTF-8",
                "{\"é\": \"日本…\"}".as_bytes(),
                r#"{"é":"日本…"}"#,
            ),
        ],
    );
}

#[test]
fn what_is_no_json_is_refused() {
    let cases: &[(&str, &[u8], usize)] = &[
        ("empty", b"", 0),
        ("white space", b"  ", 2),
        ("two values", b"1 2", 2),
        ("comma behind a value", b"1,", 1),
        ("word", b"nul", 0),
        ("upper case", b"NULL", 0),
        ("open array", b"[1", 2),
        ("open object", b"{", 1),
        ("open string", br#""abc"#, 4),
        ("wrong bracket", b"[1}", 2),
        ("bracket too many", b"[]]", 2),
        ("comma before the end of an array", b"[1,]", 3),
        ("comma before the end of an object", br#"{"a":1,}"#, 7),
        ("comma first", b"[,1]", 1),
        ("no comma", b"[1 2]", 3),
        ("no colon", br#"{"a" 1}"#, 5),
        ("no value", br#"{"a":}"#, 5),
        ("key without quotes", b"{a:1}", 1),
        ("number as key", b"{1:1}", 1),
        ("leading zero", b"01", 1),
        ("leading point", b".5", 0),
        ("plus", b"+1", 0),
        ("raw control byte", b"\"a\x01\"", 2),
        ("unknown escape", br#""\q""#, 1),
        ("escape at the end", br#""\"#, 1),
        ("short unicode escape", br#""\u12"#, 1),
        ("sign in a unicode escape", br#""\u+123""#, 1),
        ("comment", b"/**/1", 0),
    ];
    for (name, text, at) in cases {
        let mut out = b"before".to_vec();
        let result = write(&Codec::Json, &copy_text(text), &mut out);
        assert_eq!(result, Err(ValueError::InvalidJson { at: *at }), "{name}");
        assert_eq!(out, b"before", "{name}");
    }
    assert_eq!(
        write(&Codec::Json, b"\"\xff\"", &mut Vec::new()),
        Err(ValueError::InvalidUtf8 { at: 1 })
    );
}

#[test]
fn deep_nesting_costs_no_call_stack() {
    let depth = 1_000_000;
    let text = [vec![b'['; depth], vec![b']'; depth]].concat();
    let mut out = Vec::new();
    assert_eq!(write(&Codec::Json, &text, &mut out), Ok(()));
    assert_eq!(out, text);
    assert!(write(&Codec::Json, &text[..depth], &mut out).is_err());
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[<>&\"\\\\\\x00-\\x20\u{2026}-\u{202a}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Our rules on top of serde_json's, which differ in characters that can stand in strings only.
fn expected(document: &Value) -> String {
    let mut text = document.to_string();
    for character in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        text = text.replace(character, &format!("\\u{:04x}", character as u32));
    }
    text
}

/// Every character of every string as an escape, and space between all tokens.
fn spread(document: &Value, out: &mut String) {
    let string = |text: &str, out: &mut String| {
        out.push('"');
        text.encode_utf16()
            .for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
        out.push('"');
    };
    match document {
        Value::String(text) => string(text, out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at > 0 { "\n,\t" } else { " " });
                spread(value, out);
            }
            out.push_str(" ]");
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                out.push_str(if at > 0 { " ,\r\n" } else { " " });
                string(key, out);
                out.push_str(" : ");
                spread(value, out);
            }
            out.push_str(" }");
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #[test]
    fn documents_are_as_serde_json_writes_them(document in documents()) {
        let mut spread_out = String::new();
        spread(&document, &mut spread_out);
        let pretty = serde_json::to_string_pretty(&document).expect("a document");
        for text in [document.to_string(), pretty, spread_out] {
            let mut out = Vec::new();
            write(&Codec::Json, &copy_text(text.as_bytes()), &mut out).expect("valid JSON");
            prop_assert_eq!(String::from_utf8(out).expect("UTF-8"), expected(&document));
        }
    }

    #[test]
    fn what_is_json_is_decided_as_serde_json_does(
        text in "([\\[\\]{},: 01.e-]|\"a?\"|true|null|\\[1,|\\{\"k\":){0,8}",
    ) {
        let mut out = Vec::new();
        // Unlike us, serde_json refuses numbers that no float can hold.
        prop_assume!(!text.contains("e1"));
        let valid = serde_json::from_str::<Value>(&text).is_ok();
        prop_assert_eq!(write(&Codec::Json, text.as_bytes(), &mut out).is_ok(), valid);
    }
}
