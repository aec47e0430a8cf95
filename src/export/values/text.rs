//! Text: COPY's escapes become JSON's, run by run.
//!
//! Strings are escaped as GitLab escapes them (Rails with `escape_html_entities_in_json`): `"` and
//! `\` by a backslash, `\b \t \n \f \r`, other bytes below 0x20 as `\u00xx`, and `< > &` U+2028
//! U+2029 as `\uxxxx`, all in lower-case hex. Everything else is raw UTF-8, 0x7f and `/` too.
//!
//! COPY's `\\ \b \f \n \r \t` are JSON's escapes byte for byte, so a field is copied as it stands
//! from one byte that needs an escape to the next. Only octal, hex and odd escapes, which
//! PostgreSQL reads but does not write, make it decode the field first.

use super::{ValueError, decode_copy};
use crate::hex;

/// Nothing to be done: the byte stands for itself.
const PLAIN: u8 = 0;
/// The byte is written as `\u00xx`.
const HEX: u8 = 1;
/// 0xe2, which begins U+2028 and U+2029 but other characters too.
const SEPARATOR: u8 = 2;
/// A backslash.
const BACKSLASH: u8 = 3;
// Every other class is the letter of a two-byte escape.

/// Bytes that are looked up one by one before a run is tested in chunks.
const HEAD: usize = 8;
/// Bytes that are tested at once.
const CHUNK: usize = 32;

/// What each byte of a string needs.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [PLAIN; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = HEX;
        byte += 1;
    }
    classes[0x08] = b'b';
    classes[0x09] = b't';
    classes[0x0a] = b'n';
    classes[0x0c] = b'f';
    classes[0x0d] = b'r';
    classes[b'"' as usize] = b'"';
    classes[b'\\' as usize] = BACKSLASH;
    classes[b'<' as usize] = HEX;
    classes[b'>' as usize] = HEX;
    classes[b'&' as usize] = HEX;
    classes[0xe2] = SEPARATOR;
    classes
}

/// Appends text without COPY escapes as a JSON string, quotes included.
///
/// # Errors
/// [`ValueError::InvalidUtf8`]; `out` is then as it was.
pub fn write_json_string(decoded: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let text = std::str::from_utf8(decoded).map_err(|error| ValueError::InvalidUtf8 {
        at: error.valid_up_to(),
    })?;
    write_json_str(text, out);
    Ok(())
}

/// Appends text as a JSON string, quotes included: names of keys and of enum values.
pub fn write_json_str(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    escape(text.as_bytes(), out);
    out.push(b'"');
}

/// Appends a COPY text field, which is not NULL, as a JSON string.
///
/// # Errors
/// [`ValueError::InvalidUtf8`] and [`ValueError::UnfinishedEscape`]; `out` is then as it was.
pub(super) fn write_copy(field: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    // A field that is not UTF-8 as it stands may still be once its hex escapes are undone.
    if std::str::from_utf8(field).is_ok() {
        let start = out.len();
        out.reserve(field.len() + 2);
        out.push(b'"');
        if escape_copy(field, out) {
            out.push(b'"');
            return Ok(());
        }
        out.truncate(start);
    }
    write_json_string(&decode_copy(field)?, out)
}

/// Appends the inside of a JSON string for valid UTF-8.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (run, special) = rest.split_at(run_length::<false>(rest));
        out.extend_from_slice(run);
        if special.is_empty() {
            return;
        }
        rest = &special[push_escape(special, out)..];
    }
}

/// As [`escape`], from COPY's text form. False, with `out` in the middle, where the field must be
/// decoded first.
fn escape_copy(field: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = field;
    loop {
        let (run, special) = rest.split_at(run_length::<true>(rest));
        out.extend_from_slice(run);
        rest = match special {
            [] => return true,
            [b'\\', b'v', after @ ..] => {
                out.extend_from_slice(br"\u000b");
                after
            }
            [b'\\', ..] => return false,
            _ => &special[push_escape(special, out)..],
        };
    }
}

/// How many bytes from the start can be copied as they stand. With `COPY`, the escapes that COPY
/// and JSON share can.
pub(super) fn run_length<const COPY: bool>(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += plain_length(&text[at..]);
        match &text[at..] {
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => return at,
            [0xe2, ..] => at += 1,
            [b'\\', b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] if COPY => at += 2,
            _ => return at,
        }
    }
}

/// How many bytes from the start stand for themselves.
///
/// The first bytes are looked up one by one, as runs in markup are short; a run that goes on is
/// tested a chunk at a time, which the compiler turns into vector comparisons.
fn plain_length(text: &[u8]) -> usize {
    let head = text.len().min(HEAD);
    if let Some(at) = first_special(&text[..head]) {
        return at;
    }
    let mut at = head;
    while let Some(chunk) = text[at..].first_chunk::<CHUNK>() {
        if chunk
            .iter()
            .fold(false, |found, &byte| found | is_special(byte))
        {
            break;
        }
        at += CHUNK;
    }
    at + first_special(&text[at..]).unwrap_or(text.len() - at)
}

fn first_special(text: &[u8]) -> Option<usize> {
    text.iter()
        .position(|&byte| CLASSES[usize::from(byte)] != PLAIN)
}

/// True for the bytes whose class is not [`PLAIN`], by comparisons alone and without a branch.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20)
        | (byte == b'"')
        | (byte == b'\\')
        | (byte == b'<')
        | (byte == b'>')
        | (byte == b'&')
        | (byte == 0xe2)
}

/// Appends the escape of what `text` begins with, which must be something that [`run_length`] stops
/// at; returns how many bytes of `text` it stands for.
fn push_escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let byte = text[0];
    match CLASSES[usize::from(byte)] {
        BACKSLASH => out.extend_from_slice(br"\\"),
        SEPARATOR => {
            out.extend_from_slice(if text[2] == 0xa8 {
                br"\u2028"
            } else {
                br"\u2029"
            });
            return 3;
        }
        PLAIN | HEX => {
            out.extend_from_slice(br"\u00");
            hex::push(byte, out);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
    1
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                is_special(byte),
                CLASSES[usize::from(byte)] != PLAIN,
                "{byte:#x}"
            );
        }
    }

    #[test]
    fn what_needs_an_escape_is_found_at_every_place() {
        for length in 1..100 {
            for at in 0..length {
                let mut text = vec![b'a'; length];
                text[at] = b'<';
                assert_eq!(run_length::<true>(&text), at);
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

    /// Strings in which what needs an escape is frequent.
    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z ]{0,20}",
            "[a-z]{30,80}",
            "[\\x00-\\x7f]{0,4}",
            "[<>&\"\\\\\u{2026}-\u{202a}]{1,4}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
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
}
