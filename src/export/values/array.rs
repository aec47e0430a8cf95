//! Arrays: PostgreSQL's array literal becomes a JSON array, element by element.
//!
//! The form is that of `array_out`: `{1,2}`, `{{a,b},{c,d}}`, `[0:1]={1,2}` where the bounds do not
//! start at 1. An element is quoted where it is empty, reads NULL, or holds a brace, a quote, a
//! backslash, the delimiter or white space; inside the quotes a backslash stands before `"` and
//! `\`. COPY's own escapes lie around all this and are undone before.

use super::{Codec, ValueError, write_decoded};

/// The most dimensions that an array can have (PostgreSQL's MAXDIM).
const MAX_DIMENSIONS: usize = 6;

/// What may come next.
#[derive(Clone, Copy)]
enum Expect {
    Element,
    /// An element or the end of an empty array.
    FirstElement,
    /// The delimiter or an end.
    Separator,
}

/// A piece of an array literal.
enum Token<'a> {
    /// A brace or a delimiter, as it is written.
    Mark(u8),
    Null,
    /// An element without its quotes and backslashes.
    Element(&'a [u8]),
}

/// Appends an array; unquoted NULL as `null`.
///
/// # Errors
/// [`ValueError::InvalidArray`], or the error of an element; `out` may then hold a part of the array.
pub(super) fn write(
    element: &Codec,
    delimiter: u8,
    text: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    walk(delimiter, text, |token| {
        match token {
            Token::Mark(b'{') => out.push(b'['),
            Token::Mark(b'}') => out.push(b']'),
            Token::Mark(_) => out.push(b','),
            Token::Null => out.extend_from_slice(b"null"),
            Token::Element(value) => write_decoded(element, value, out)?,
        }
        Ok(())
    })
}

/// An array literal with other elements in place of its own; NULL stays NULL, and bounds go.
///
/// # Errors
/// [`ValueError::InvalidArray`], or the first one of `with`.
pub fn replace_elements(
    delimiter: u8,
    text: &[u8],
    mut with: impl FnMut(&[u8]) -> Result<Vec<u8>, ValueError>,
) -> Result<Vec<u8>, ValueError> {
    let mut replaced = Vec::with_capacity(text.len());
    walk(delimiter, text, |token| {
        match token {
            Token::Mark(mark) => replaced.push(mark),
            Token::Null => replaced.extend_from_slice(b"NULL"),
            Token::Element(value) => {
                replaced.push(b'"');
                for byte in with(value)? {
                    if matches!(byte, b'"' | b'\\') {
                        replaced.push(b'\\');
                    }
                    replaced.push(byte);
                }
                replaced.push(b'"');
            }
        }
        Ok(())
    })?;
    Ok(replaced)
}

/// Goes through an array literal.
fn walk(
    delimiter: u8,
    text: &[u8],
    mut take: impl FnMut(Token<'_>) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    let mut at = bounds_length(text);
    let refuse = |at| Err(ValueError::InvalidArray { at });
    if text.get(at) != Some(&b'{') {
        return refuse(at);
    }
    // One buffer for all elements that hold a backslash.
    let mut unquoted = Vec::new();
    let mut depth = 0;
    let mut expect = Expect::Element;
    while let Some(&byte) = text.get(at) {
        expect = match (expect, byte) {
            (Expect::Element | Expect::FirstElement, b'{') if depth < MAX_DIMENSIONS => {
                take(Token::Mark(byte))?;
                at += 1;
                depth += 1;
                Expect::FirstElement
            }
            (Expect::FirstElement | Expect::Separator, b'}') => {
                take(Token::Mark(byte))?;
                at += 1;
                depth -= 1;
                if depth == 0 {
                    return if at == text.len() { Ok(()) } else { refuse(at) };
                }
                Expect::Separator
            }
            (Expect::Separator, byte) if byte == delimiter => {
                take(Token::Mark(byte))?;
                at += 1;
                Expect::Element
            }
            (Expect::Separator, _) => return refuse(at),
            (_, b'"') => {
                let (value, length) =
                    quoted(&text[at..], &mut unquoted).ok_or(ValueError::InvalidArray { at })?;
                take(Token::Element(value))?;
                at += length;
                Expect::Separator
            }
            _ => {
                let (value, length) = bare(&text[at..], delimiter, &mut unquoted)
                    .ok_or(ValueError::InvalidArray { at })?;
                // With a backslash anywhere it would be text.
                if text[at..at + length].eq_ignore_ascii_case(b"NULL") {
                    take(Token::Null)?;
                } else {
                    take(Token::Element(value))?;
                }
                at += length;
                Expect::Separator
            }
        };
    }
    refuse(at)
}

/// True for an array whose bounds are written, because they do not begin at 1.
pub(super) fn has_bounds(text: &[u8]) -> bool {
    bounds_length(text) > 0
}

/// The length of a bounds prefix such as `[0:1][-3:5]=`, 0 where there is none.
fn bounds_length(text: &[u8]) -> usize {
    if text.first() != Some(&b'[') {
        return 0;
    }
    let length = text
        .iter()
        .take_while(|byte| matches!(byte, b'[' | b']' | b':' | b'+' | b'-' | b'0'..=b'9'))
        .count();
    if text[..length].ends_with(b"]") && text.get(length) == Some(&b'=') {
        length + 1
    } else {
        0
    }
}

/// The value of a quoted element and its length with quotes, from its first quote on.
fn quoted<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> Option<(&'a [u8], usize)> {
    let inside = &text[1..];
    let end = closing(inside, |byte| byte == b'"')?;
    Some((without_backslashes(&inside[..end], buffer), end + 2))
}

/// The value of an element without quotes, and its length.
fn bare<'a>(text: &'a [u8], delimiter: u8, buffer: &'a mut Vec<u8>) -> Option<(&'a [u8], usize)> {
    let end = closing(text, |byte| {
        byte == delimiter || matches!(byte, b'{' | b'}' | b'"')
    })?;
    let whole = end > 0 && !matches!(text[end], b'{' | b'"');
    whole.then(|| (without_backslashes(&text[..end], buffer), end))
}

/// Where the first byte stands that ends an element and has no backslash before it.
fn closing(text: &[u8], ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'\\' => at += 2,
            byte if ends(byte) => return Some(at),
            _ => at += 1,
        }
    }
}

/// Takes out every backslash that stands before another byte. Uses the buffer only if there is one.
fn without_backslashes<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr(b'\\', text).is_none() {
        return text;
    }
    buffer.clear();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let plain = if byte == b'\\' {
            bytes.next()
        } else {
            Some(&byte)
        };
        buffer.extend(plain);
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_written, copy_text};
    use super::super::write;
    use super::*;
    use crate::snapshot::SqlType;
    use proptest::prelude::*;
    use serde_json::Value;

    fn array_of(element: SqlType) -> Codec {
        Codec::of(&SqlType::Array(Box::new(element)))
    }

    #[test]
    fn arrays_of_numbers_and_others() {
        assert_written(
            &array_of(SqlType::BigInt),
            &[
                ("numbers", b"{1,-2,3}", "[1,-2,3]"),
                ("empty", b"{}", "[]"),
                ("null element", b"{1,NULL,null}", "[1,null,null]"),
                ("null", br"\N", "null"),
                ("two dimensions", b"{{1,2},{3,4}}", "[[1,2],[3,4]]"),
                ("six dimensions", b"{{{{{{1}}}}}}", "[[[[[[1]]]]]]"),
                ("bounds", b"[0:1]={1,2}", "[1,2]"),
                (
                    "bounds of two dimensions",
                    b"[-1:0][5:6]={{1,2},{3,4}}",
                    "[[1,2],[3,4]]",
                ),
            ],
        );
        assert_written(
            &array_of(SqlType::Boolean),
            &[("booleans", b"{t,f}", "[true,false]")],
        );
        assert_written(
            &array_of(SqlType::TimestampTz),
            &[(
                "times",
                br#"{"2024-01-01 01:00:00.5+01",infinity}"#,
                r#"["2024-01-01T00:00:00.500Z",null]"#,
            )],
        );
        assert_written(
            &array_of(SqlType::Numeric),
            &[("numerics", b"{1.50,NaN}", r#"["1.5",null]"#)],
        );
        assert_written(
            &array_of(SqlType::Jsonb),
            &[(
                "json",
                br#"{"{\\"a\\": [1, \\"<\\"]}"}"#,
                r#"[{"a":[1,"\u003c"]}]"#,
            )],
        );
        assert_written(
            &array_of(SqlType::Bytea),
            &[("bytea", br#"{"\\\\xDEAD"}"#, r#"["dead"]"#)],
        );
        assert_written(
            &array_of(SqlType::Other("box".into())),
            &[(
                "another delimiter",
                b"{(1,1),(0,0);(2,2),(1,1)}",
                r#"["(1,1),(0,0)","(2,2),(1,1)"]"#,
            )],
        );
    }

    #[test]
    fn arrays_of_text() {
        assert_written(
            &array_of(SqlType::Text),
            &[
                ("plain", b"{abc,d e}", r#"["abc","d e"]"#),
                (
                    "every reason for quotes",
                    br#"{"a,b","q\\"uote","back\\\\slash",NULL,"NULL","","{}"}"#,
                    r#"["a,b","q\"uote","back\\slash",null,"NULL","","{}"]"#,
                ),
                (
                    "escapes of COPY inside",
                    br#"{"line\nend"}"#,
                    r#"["line\nend"]"#,
                ),
                ("html", b"{<b>}", r#"["\u003cb\u003e"]"#),
                (
                    "a null with a backslash is text",
                    br"{N\\ULL}",
                    r#"["NULL"]"#,
                ),
                ("an escaped delimiter", br"{a\\,b\\}}", r#"["a,b}"]"#),
                ("equals signs are text", b"{a=[0:1]}", r#"["a=[0:1]"]"#),
            ],
        );
    }

    #[test]
    fn an_array_of_arrays_is_one_of_more_dimensions() {
        let nested = SqlType::Array(Box::new(SqlType::Array(Box::new(SqlType::Integer))));
        assert_eq!(Codec::of(&nested), array_of(SqlType::Integer));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let cases: &[(&str, &[u8], usize)] = &[
            ("empty", b"", 0),
            ("no braces", b"a", 0),
            ("open", b"{a", 1),
            ("open and empty", b"{", 1),
            ("open after a delimiter", b"{a,", 3),
            ("text behind", b"{a}b", 3),
            ("a second array", b"{a},{b}", 3),
            ("no element first", b"{,a}", 1),
            ("no element last", b"{a,}", 3),
            ("no element", b"{a,,b}", 3),
            ("quote inside", br#"{a"b"}"#, 1),
            ("text behind a quote", br#"{"a"b}"#, 4),
            ("open quote", br#"{"a}"#, 1),
            ("escaped end quote", br#"{"a\"}"#, 1),
            ("brace inside", b"{a{b}}", 1),
            ("brace behind a brace", b"{{a}{b}}", 4),
            ("seven dimensions", b"{{{{{{{1}}}}}}}", 6),
            ("bounds without an array", b"[0:1]=", 6),
            ("bounds without a sign", b"[0:1]{a,b}", 0),
            ("words as bounds", b"[a:b]={a,b}", 0),
        ];
        for (name, text, at) in cases {
            let mut out = b"before".to_vec();
            let result = write(&array_of(SqlType::Text), &copy_text(text), &mut out);
            assert_eq!(result, Err(ValueError::InvalidArray { at: *at }), "{name}");
            assert_eq!(out, b"before", "{name}");
        }
    }

    #[test]
    fn an_elements_error_is_the_arrays() {
        let mut out = Vec::new();
        assert_eq!(
            write(&array_of(SqlType::Integer), b"{1,x}", &mut out),
            Err(ValueError::NotAnInteger)
        );
        assert_eq!(
            write(&array_of(SqlType::Text), b"{a,\"\xff\"}", &mut out),
            Err(ValueError::InvalidUtf8 { at: 0 })
        );
        assert_eq!(out, b"");
    }

    /// `array_out`, by the rules of PostgreSQL's documentation ("Array Input and Output Syntax").
    fn literal(elements: &[Option<String>]) -> String {
        let shown = elements.iter().map(|element| match element {
            None => "NULL".to_owned(),
            Some(text) => {
                let special = |c: char| "{}\",\\ \t\n\r\u{b}\u{c}".contains(c);
                let quote =
                    text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special);
                let escaped = text.replace('\\', r"\\").replace('"', "\\\"");
                if quote {
                    format!("\"{escaped}\"")
                } else {
                    escaped
                }
            }
        });
        format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
    }

    fn elements() -> impl Strategy<Value = Vec<Option<String>>> {
        let element = "[a-z{}\", \\\\<\n]{0,5}|null|.{0,4}";
        prop::collection::vec(prop::option::of(element), 0..5)
    }

    proptest! {
        #[test]
        fn arrays_of_text_come_back(rows in prop::collection::vec(elements(), 1..4)) {
            let written = |text: &str| {
                let mut out = Vec::new();
                write(&array_of(SqlType::Text), &copy_text(text.as_bytes()), &mut out).expect("an array");
                serde_json::from_slice::<Value>(&out).expect("valid JSON")
            };
            prop_assert_eq!(written(&literal(&rows[0])), serde_json::json!(rows[0]));
            let inner: Vec<String> = rows.iter().map(|row| literal(row)).collect();
            prop_assert_eq!(written(&format!("{{{}}}", inner.join(","))), serde_json::json!(rows));
        }
    }
}
