//! real and double precision: a JSON number with PostgreSQL's own digits.
//!
//! PostgreSQL writes a float as the shortest text that reads back as the same float (with
//! `extra_float_digits`, as pg_dump sets it), in a form that JSON takes as it stands: `0.1`,
//! `1e+20`, `1.5e-07`, `-0`. In the usual form the same digits are written as Ruby writes them: with
//! a fraction (`95.0`), and with an exponent below 1e-4 and from 1e16 on (`1.0e+20`).

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

/// Appends a float as Ruby writes it; NaN and the infinities as `null`.
pub(super) fn write_usual(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    write(text, out)?;
    let written = out.split_off(start);
    if written == b"null" {
        out.extend_from_slice(&written);
        return Ok(());
    }
    let (sign, unsigned) = match written.split_first() {
        Some((b'-', unsigned)) => (&b"-"[..], unsigned),
        _ => (&b""[..], written.as_slice()),
    };
    let at = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = unsigned.split_at(at.unwrap_or(unsigned.len()));
    let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default());
    let exponent = exponent.unwrap_or_default().parse::<i64>().unwrap_or(0);
    let point = mantissa.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = mantissa.split_at(point.unwrap_or(mantissa.len()));
    let digits = [whole, fraction.get(1..).unwrap_or_default()].concat();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let ends = digits.iter().rposition(|digit| *digit != b'0');
    // The value is 0.DIGITS times ten to the power of `power`.
    let power = whole.len() as i64 - zeros as i64 + exponent;
    let digits = &digits[zeros..ends.map_or(zeros, |end| end + 1)];
    out.extend_from_slice(sign);
    let rest = |from: usize| match digits.get(from..) {
        None | Some([]) => &b"0"[..],
        Some(rest) => rest,
    };
    match power {
        _ if digits.is_empty() => out.extend_from_slice(b"0.0"),
        -3..=0 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', power.unsigned_abs() as usize));
            out.extend_from_slice(digits);
        }
        1..=16 => {
            let whole = power as usize;
            let there = whole.min(digits.len());
            out.extend_from_slice(&digits[..there]);
            out.extend(std::iter::repeat_n(b'0', whole - there));
            out.push(b'.');
            out.extend_from_slice(rest(whole));
        }
        _ => {
            out.push(digits[0]);
            out.push(b'.');
            out.extend_from_slice(rest(1));
            let exponent = power - 1;
            let sign = if exponent < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
        }
    }
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
    fn floats_are_written_as_ruby_does() {
        assert_written(
            &Codec::Float,
            &[
                ("whole", b"5", "5.0"),
                ("fraction", b"0.1", "0.1"),
                ("negative", b"-2.5", "-2.5"),
                (
                    "seventeen digits",
                    b"0.30000000000000004",
                    "0.30000000000000004",
                ),
                ("large", b"1e+20", "1.0e+20"),
                (
                    "the last without an exponent",
                    b"1234567890123456",
                    "1234567890123456.0",
                ),
                ("in PostgreSQL's exponent", b"1.5e+15", "1500000000000000.0"),
                ("the first with one", b"1e+16", "1.0e+16"),
                (
                    "with one",
                    b"1.2345678901234567e+16",
                    "1.2345678901234567e+16",
                ),
                ("small", b"1.5e-07", "1.5e-07"),
                ("the smallest without", b"0.0001", "0.0001"),
                ("the largest small one with", b"9.9e-05", "9.9e-05"),
                ("a hundred", b"100", "100.0"),
                ("three digits", b"2.5e-308", "2.5e-308"),
                ("zero", b"0", "0.0"),
                ("minus zero", b"-0", "-0.0"),
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
                out.clear();
                write_usual(text.as_bytes(), &mut out).expect("a float");
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
