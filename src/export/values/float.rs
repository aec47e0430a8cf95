//! real and double precision: a JSON number with PostgreSQL's own digits.
//!
//! PostgreSQL writes a float as the shortest text that reads back as the same float (with
//! `extra_float_digits`, as pg_dump sets it), in a form that JSON takes as it stands: `0.1`,
//! `1e+20`, `1.5e-07`, `-0`.

use super::ValueError;

/// Appends a float; NaN and the infinities, which JSON does not have, as `null`.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    if json_number_length(text) != Some(text.len()) {
        return Err(ValueError::NotAFloat);
    }
    out.extend_from_slice(text);
    Ok(())
}

/// The length of the JSON number that `text` begins with (RFC 8259, section 6).
pub(super) fn json_number_length(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    at += match &text[at..] {
        [b'0', ..] => 1,
        rest => digits(rest)?,
    };
    if text.get(at) == Some(&b'.') {
        at += 1 + digits(&text[at + 1..])?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at += digits(&text[at..])?;
    }
    Some(at)
}

/// The number of digits that `text` begins with; `None` where there is none.
fn digits(text: &[u8]) -> Option<usize> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_refused, assert_written};
    use super::super::{Codec, ValueError};
    use super::*;
    use proptest::num::f64::{NORMAL, SUBNORMAL, ZERO};
    use proptest::prelude::*;

    #[test]
    fn floats_keep_their_digits() {
        assert_written(
            &Codec::Float,
            &[
                ("whole", b"5", "5"),
                ("fraction", b"0.1", "0.1"),
                ("negative", b"-2.5", "-2.5"),
                (
                    "seventeen digits",
                    b"0.30000000000000004",
                    "0.30000000000000004",
                ),
                ("large", b"1e+20", "1e+20"),
                ("small", b"1.5e-07", "1.5e-07"),
                ("minus zero", b"-0", "-0"),
                ("NaN", b"NaN", "null"),
                ("infinity", b"Infinity", "null"),
                ("minus infinity", b"-Infinity", "null"),
                ("null", br"\N", "null"),
            ],
        );
    }

    #[test]
    fn what_is_no_float_is_refused() {
        let fields: &[&[u8]] = &[
            b"", b"-", b".5", b"5.", b"01", b"+1", b"1e", b"1e+", b"1.e5", b"1,5", b"nan", b"inf",
            b"1 ", b"--1",
        ];
        assert_refused(&Codec::Float, fields, ValueError::NotAFloat);
    }

    proptest! {
        #[test]
        fn a_float_reads_back_as_the_same_float(number in NORMAL | SUBNORMAL | ZERO) {
            for text in [format!("{number}"), format!("{number:e}")] {
                let mut out = Vec::new();
                write(text.as_bytes(), &mut out).expect("a float");
                prop_assert_eq!(String::from_utf8_lossy(&out).parse::<f64>(), Ok(number));
            }
        }

        #[test]
        fn a_number_is_one_where_serde_json_says_so(
            text in "-?[0-9]{0,3}\\.?[0-9]{0,2}([eE][+-]?[0-9]{0,2})?",
        ) {
            let is_number = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(json_number_length(text.as_bytes()) == Some(text.len()), is_number);
        }
    }
}
