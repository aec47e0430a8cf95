//! smallint, integer, bigint: a JSON number over the whole 64-bit range.

use super::ValueError;
use super::block::{BLOCK, Block, FieldOn, first_bits, outside, push_part};

/// The digits of the largest `i64` and of the smallest, without its sign.
const LARGEST: &[u8] = b"9223372036854775807";
const SMALLEST: &[u8] = b"9223372036854775808";

/// As many digits always fit into 64 bits.
const PLAIN_DIGITS: usize = 18;

/// Appends an integer without a plus sign and leading zeros.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let (negative, digits) = split(text).ok_or(ValueError::NotAnInteger)?;
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(digits);
    Ok(())
}

/// Appends an integer as a server writes it, which needs no change. False, with nothing appended, for any other form of one,
/// and for what is none.
#[inline]
pub(super) fn write_plain(field: FieldOn<'_>, out: &mut Vec<u8>) -> bool {
    let block = &field.block(0);
    let is_plain = is_plain(block, field.len());
    if is_plain {
        push_part(block, field.len(), out);
    }
    is_plain
}

/// True for up to [`PLAIN_DIGITS`] digits without a zero before others.
#[inline]
fn is_plain(block: &Block, length: usize) -> bool {
    let others = outside(block, &[b'0'; BLOCK], &[9; BLOCK]);
    (1..=PLAIN_DIGITS).contains(&length)
        && others & first_bits(length) == 0
        && (block[0] != b'0' || length == 1)
}

/// The value of an integer of 64 bits.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split(text)?;
    let magnitude = digits
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(if negative {
        0_i64.wrapping_sub_unsigned(magnitude)
    } else {
        magnitude.cast_signed()
    })
}

/// Whether the integer is below zero, and its digits without leading zeros; `None` where it is no
/// integer or does not fit in 64 bits.
fn split(text: &[u8]) -> Option<(bool, &[u8])> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let Some(first) = digits.iter().position(|&digit| digit != b'0') else {
        return Some((false, b"0"));
    };
    let digits = &digits[first..];
    let limit = if negative { SMALLEST } else { LARGEST };
    // Digits of equal length compare as numbers do.
    let fits = digits.len() < limit.len() || (digits.len() == limit.len() && digits <= limit);
    fits.then_some((negative, digits))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_refused, assert_written};
    use super::super::{Codec, ValueError};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_written_in_canonical_form() {
        assert_written(
            &Codec::Integer,
            &[
                ("zero", b"0", "0"),
                ("positive", b"4351", "4351"),
                ("negative", b"-1", "-1"),
                ("largest", b"9223372036854775807", "9223372036854775807"),
                ("smallest", b"-9223372036854775808", "-9223372036854775808"),
                ("over 2^53", b"9007199254740993", "9007199254740993"),
                ("leading zeros", b"-0042", "-42"),
                ("many leading zeros", b"000000000000000000000000007", "7"),
                ("plus", b"+5", "5"),
                ("minus zero", b"-0", "0"),
                ("null", br"\N", "null"),
                ("escaped digit", br"\x31", "1"),
            ],
        );
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        let fields: &[&[u8]] = &[
            b"",
            b"-",
            b"+",
            b"1.0",
            b"1e3",
            b" 1",
            b"1 ",
            b"--1",
            b"0x1",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"99999999999999999999",
        ];
        assert_refused(&Codec::Integer, fields, ValueError::NotAnInteger);
    }

    proptest! {
        #[test]
        fn every_integer_is_itself(number: i64) {
            let text = number.to_string();
            let mut out = Vec::new();
            write(text.as_bytes(), &mut out).expect("an integer");
            prop_assert_eq!(out, text.as_bytes());
            prop_assert_eq!(parse(text.as_bytes()), Some(number));
        }

        #[test]
        fn what_fits_is_decided_as_the_standard_library_does(text in "[+-]?[0-9]{17,21}") {
            prop_assert_eq!(parse(text.as_bytes()), text.parse::<i64>().ok());
        }

        #[test]
        fn a_block_is_read_as_byte_by_byte(
            text in "([+-]?[0-9]{0,21}|[0-9]{0,3}[^0-9]?[0-9]{0,3})",
            behind in "\\t[0-9]{0,40}",
        ) {
            let row = [text.as_bytes(), behind.as_bytes()].concat();
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let written = write_plain(FieldOn::new(&row, 0..text.len()), &mut fast);
            let plainly = write(text.as_bytes(), &mut slow);
            if written {
                prop_assert_eq!(plainly, Ok(()));
                prop_assert_eq!(fast, slow);
            } else {
                prop_assert!(fast.is_empty());
                let is_canonical = slow == text.as_bytes() && !text.starts_with('-');
                prop_assert!(plainly.is_err() || !is_canonical || text.len() > PLAIN_DIGITS);
            }
        }
    }
}
