//! numeric: a JSON string in plain decimal notation, as Rails writes a BigDecimal (`"12.5"`,
//! `"100.0"`).

use super::ValueError;

/// An exponent over this is refused. PostgreSQL's numeric has at most 131072 digits before the
/// point and 16383 after it and is always written without an exponent; the limit keeps a short
/// field from growing without bound.
const LARGEST_EXPONENT: i64 = 131_072 + 16_383;

/// Appends a decimal number without trailing zeros but with a digit on both sides of the point; NaN
/// and the infinities as `null`. Zero has no sign.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if is_special(text) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let decimal = Decimal::parse(text).ok_or(ValueError::NotANumeric)?;
    out.push(b'"');
    decimal.write(out);
    out.push(b'"');
    Ok(())
}

/// Appends a number as PostgreSQL wrote it, all digits and zeros, NaN and the infinities by name.
pub(super) fn write_verbatim(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if !is_special(text) {
        Decimal::parse(text).ok_or(ValueError::NotANumeric)?;
    }
    // Digits, signs, a point and letters: nothing to escape.
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
    Ok(())
}

/// True for what is no number that a decimal notation could write. Floats have the same names.
pub(super) fn is_special(text: &[u8]) -> bool {
    matches!(text, b"NaN" | b"Infinity" | b"-Infinity")
}

/// A decimal number as it was written.
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = split_sign(text);
        let (mantissa, exponent) = match text.iter().position(|&byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
            Some(point) => (&mantissa[..point], &mantissa[point + 1..]),
            None => (mantissa, &[][..]),
        };
        let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        let any_digit = !(whole.is_empty() && fraction.is_empty());
        (all_digits && any_digit).then_some(Decimal {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let digit_count = self.whole.len() + self.fraction.len();
        let digit = |at: usize| match at.checked_sub(self.whole.len()) {
            None => self.whole[at],
            Some(at) => self.fraction[at],
        };
        // The digits that count: from the first to the last that is not zero.
        let Some(first) = (0..digit_count).find(|&at| digit(at) != b'0') else {
            out.extend_from_slice(b"0.0");
            return;
        };
        let end = (first..digit_count)
            .rfind(|&at| digit(at) != b'0')
            .map_or(digit_count, |last| last + 1);
        // Where the point stands, counted in digits from `first`; may lie before it or behind
        // `end`.
        let point = self.whole.len() as i64 - first as i64 + self.exponent;

        if self.negative {
            out.push(b'-');
        }
        if point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
            out.extend((first..end).map(digit));
            return;
        }
        let point = first + point as usize;
        out.extend((first..end.min(point)).map(digit));
        out.extend(std::iter::repeat_n(b'0', point.saturating_sub(end)));
        out.push(b'.');
        if point < end {
            out.extend((point..end).map(digit));
        } else {
            out.push(b'0');
        }
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0;
    for byte in digits {
        if !byte.is_ascii_digit() || exponent > LARGEST_EXPONENT {
            return None;
        }
        exponent = exponent * 10 + i64::from(byte - b'0');
    }
    (exponent <= LARGEST_EXPONENT).then_some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_refused, assert_written};
    use super::super::{Codec, ValueError};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numerics_are_plain_decimal_strings() {
        assert_written(
            &Codec::Numeric,
            &[
                ("fraction", b"12.5", r#""12.5""#),
                ("trailing zeros", b"12.500", r#""12.5""#),
                ("whole", b"100", r#""100.0""#),
                ("whole with a zero fraction", b"100.00", r#""100.0""#),
                ("zero", b"0", r#""0.0""#),
                ("zero with a scale", b"0.000", r#""0.0""#),
                ("minus zero", b"-0.00", r#""0.0""#),
                ("negative below one", b"-0.050", r#""-0.05""#),
                ("leading zeros", b"007.10", r#""7.1""#),
                ("plus", b"+5", r#""5.0""#),
                ("no digit before the point", b".5", r#""0.5""#),
                ("no digit after the point", b"5.", r#""5.0""#),
                (
                    "more digits than a float has",
                    b"12345678901234567890.12345678901234567890",
                    r#""12345678901234567890.1234567890123456789""#,
                ),
                ("exponent", b"1e10", r#""10000000000.0""#),
                ("exponent inside the digits", b"1.2345E+2", r#""123.45""#),
                ("negative exponent", b"-12.5e-3", r#""-0.0125""#),
                ("exponent up to the last digit", b"1.25e2", r#""125.0""#),
                ("zero with an exponent", b"0e99", r#""0.0""#),
                ("NaN", b"NaN", "null"),
                ("infinity", b"Infinity", "null"),
                ("minus infinity", b"-Infinity", "null"),
                ("null", br"\N", "null"),
            ],
        );
    }

    #[test]
    fn what_is_no_numeric_is_refused() {
        let fields: &[&[u8]] = &[
            b"",
            b".",
            b"-",
            b"-.",
            b"1.2.3",
            b"1e",
            b"1e+",
            b"e5",
            b"1,5",
            b" 1",
            b"0x10",
            b"1e1.5",
            b"1e999999",
            b"1e-99999999999999999999",
            b"nan",
        ];
        assert_refused(&Codec::Numeric, fields, ValueError::NotANumeric);
    }

    /// The rule on strings alone: put the point where the exponent says, then trim zeros.
    fn naive(negative: bool, whole: &str, fraction: &str, exponent: i64) -> String {
        let padding = "0".repeat(exponent.unsigned_abs() as usize);
        let digits = format!("{padding}{whole}{fraction}{padding}");
        let point = (padding.len() + whole.len()) as i64 + exponent;
        let (before, after) = digits.split_at(point as usize);
        let (before, after) = (before.trim_start_matches('0'), after.trim_end_matches('0'));
        let before = if before.is_empty() { "0" } else { before };
        let after = if after.is_empty() { "0" } else { after };
        let sign = if negative && (before, after) != ("0", "0") {
            "-"
        } else {
            ""
        };
        format!("\"{sign}{before}.{after}\"")
    }

    proptest! {
        #[test]
        fn numerics_follow_the_rule_on_strings(
            negative: bool,
            whole in "[0-9]{1,12}|0{1,4}[1-9]?0{0,4}",
            fraction in "[0-9]{0,8}|0{0,4}[1-9]?0{0,4}",
            exponent in -20_i64..=20,
        ) {
            let sign = if negative { "-" } else { "" };
            let plain = format!("{sign}{whole}.{fraction}");
            for (text, exponent) in [(format!("{plain}e{exponent}"), exponent), (plain, 0)] {
                let mut out = Vec::new();
                write(text.as_bytes(), &mut out).expect("a number");
                let expected = naive(negative, &whole, &fraction, exponent);
                prop_assert_eq!(String::from_utf8_lossy(&out), expected);
            }
        }
    }
}
