use super::super::tests::{assert_written, copy_text};
use super::super::{Codec, write};
use super::*;
use proptest::prelude::*;

#[test]
fn text_is_escaped_as_gitlab_does() {
    assert_written(
        &Codec::Text,
        &[
            ("empty", b"", r#""""#),
            ("plain", b"plain", r#""plain""#),
            ("null", br"\N", "null"),
            ("text that reads NULL", b"NULL", r#""NULL""#),
            ("text that reads \\N", br"\\N", r#""\\N""#),
            (
                "quotes and apostrophe",
                br#"say "hi" it's"#,
                r#""say \"hi\" it's""#,
            ),
            ("backslash", br"C:\\dir", r#""C:\\dir""#),
            (
                "backslash before a letter of an escape",
                br"\\n",
                r#""\\n""#,
            ),
            ("line ends and tab", br"a\r\n\tb", r#""a\r\n\tb""#),
            ("backspace and form feed", br"\b\f", r#""\b\f""#),
            ("vertical tab", br"a\vb", r#""a\u000bb""#),
            (
                "raw control bytes",
                b"\x01\x1f\x1b[0m",
                r#""\u0001\u001f\u001b[0m""#,
            ),
            ("delete stays raw", b"\x7f", "\"\x7f\""),
            (
                "html",
                b"<a href=\"x\">&amp;</a>",
                r#""\u003ca href=\"x\"\u003e\u0026amp;\u003c/a\u003e""#,
            ),
            ("slash", b"a/b", r#""a/b""#),
            ("line separator", "a\u{2028}b".as_bytes(), r#""a\u2028b""#),
            ("paragraph separator", "\u{2029}".as_bytes(), r#""\u2029""#),
            (
                "its neighbours stay raw",
                "\u{2027}\u{202a}\u{20ac}\u{2128}".as_bytes(),
                "\"\u{2027}\u{202a}\u{20ac}\u{2128}\"",
            ),
            (
                "other UTF-8",
                "Zürich 日本 🚀".as_bytes(),
                r#""Zürich 日本 🚀""#,
            ),
            ("octal", br"\101<\12", r#""A\u003c\n""#),
            ("hex", br"\x41\x22\xe2\x80\xa8", r#""A\"\u2028""#),
            ("hex and raw bytes of one character", b"\\xc3\xa4", r#""ä""#),
            ("odd escapes", br#"\q\"\N"#, r#""q\"N""#),
            ("odd escape after shared ones", br"\n\\\q", r#""\n\\q""#),
        ],
    );
}

#[test]
fn the_table_and_the_comparisons_agree() {
    for byte in 0..=u8::MAX {
        let expected = match CLASSES[usize::from(byte)] {
            PLAIN => 0,
            _ => u32::MAX,
        };
        assert_eq!(specials(&[byte; BLOCK]), expected, "{byte:#x}");
    }
}

#[test]
fn what_needs_an_escape_is_found_at_every_place() {
    for length in 1..100 {
        for at in 0..length {
            let mut text = vec![b'a'; length];
            text[at] = b'<';
            assert_eq!(run_length(&text), at);
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_an_error() {
    for (field, at) in [
        (&b"ab\xff"[..], 2),
        (b"\xc3", 0),
        (br"a\xff", 1),
        (b"\\n\xe2\x80", 1),
        (b"\xed\xa0\x80", 0),
    ] {
        let mut out = b"before".to_vec();
        assert_eq!(
            write(&Codec::Text, field, &mut out),
            Err(ValueError::InvalidUtf8 { at })
        );
        assert_eq!(out, b"before");
    }
}

#[test]
fn text_without_copy_escapes_keeps_its_backslashes() {
    let mut out = Vec::new();
    write_json_string(br"\n\N", &mut out).expect("valid UTF-8");
    write_json_str("<key>", &mut out);
    assert_eq!(out, br#""\\n\\N""\u003ckey\u003e""#);
}

/// Escapes character by character, written to be plainly right.
fn escaped_slowly(text: &str) -> String {
    let mut escaped = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            '\x08' => escaped.push_str("\\b"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\x0c' => escaped.push_str("\\f"),
            '\r' => escaped.push_str("\\r"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped + "\""
}

#[test]
fn what_a_block_ends_in_is_escaped_as_anywhere() {
    let specials = [
        "\\",
        "\n",
        "\\n",
        "\\\\",
        "\x0b",
        "\x01",
        "<",
        "\"",
        "é",
        "\u{2028}",
        "\u{2027}",
        "\u{20ac}",
        "\u{2028}\\",
        "\\\u{2029}",
    ];
    for special in specials {
        for before in 0..70 {
            for behind in [0, 1, 2, 31, 40] {
                let text = "a".repeat(before) + special + &"b".repeat(behind);
                let expected = escaped_slowly(&text);
                let field = copy_text(text.as_bytes());
                let mut out = Vec::new();
                write(&Codec::Text, &field, &mut out).expect("text is valid");
                assert_eq!(String::from_utf8_lossy(&out), expected);
                out.clear();
                write_json_str(&text, &mut out);
                assert_eq!(String::from_utf8_lossy(&out), expected);
            }
        }
    }
}

/// Strings in which what needs an escape is frequent.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z ]{0,20}",
        "[a-z]{30,80}",
        // No text of PostgreSQL has a zero byte.
        "[\\x01-\\x7f]{0,4}",
        "[<>&\"\\\\\u{2026}-\u{202a}]{1,4}",
        any::<char>()
            .prop_filter("no zero byte", |letter| *letter != '\0')
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn blocks_are_escaped_as_characters_are(text in texts(), behind in "\\PC{0,40}") {
        let expected = escaped_slowly(&text);
        let field = copy_text(text.as_bytes());
        let row = [b"before\t", field.as_slice(), b"\t", behind.as_bytes()].concat();
        let mut out = Vec::new();
        let on = FieldOn::new(&row, 7..7 + field.len());
        write_copy(on, &mut out).expect("text is valid");
        prop_assert_eq!(String::from_utf8_lossy(&out), expected.as_str());
        out.clear();
        write_json_str(&text, &mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), expected.as_str());
    }

    #[test]
    fn an_independent_reader_gets_the_text_back(text in texts()) {
        let mut out = Vec::new();
        write(&Codec::Text, &copy_text(text.as_bytes()), &mut out).expect("text is valid");
        prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("valid JSON"), text.as_str());
        let written = String::from_utf8(out.clone()).expect("UTF-8");
        let raw = |c: char| c < ' ' || "<>&\u{2028}\u{2029}".contains(c);
        prop_assert!(!written.contains(raw));

        let mut decoded = Vec::new();
        write_json_string(text.as_bytes(), &mut decoded).expect("text is valid");
        prop_assert_eq!(out, decoded);
    }

    #[test]
    fn hex_escapes_mean_the_same(text in texts()) {
        let hex: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        write(&Codec::Text, hex.as_bytes(), &mut slow).expect("text is valid");
        write_json_str(&text, &mut fast);
        prop_assert_eq!(slow, fast);
    }
}
