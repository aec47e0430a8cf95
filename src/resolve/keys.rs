//! Keys: what links rows, of one column or of several, and the sets of them that decide whether a row is kept.
//!
//! A key has two shapes. A [`Key`] is the texts of its values, as a server is asked for it. An [`IndexKey`] is what rows
//! are kept and found by: of a lone integer the integer itself, of anything else 128 bits. Which columns make a key, and
//! when two of their values are equal, a [`KeyShape`] says.

mod entity;
mod fields;
mod key;
mod order;
mod set;
mod shape;

pub use entity::entity_index;
pub(super) use entity::entity_key;
pub(super) use fields::{COPY_NULL, decoded, value_of};
pub use fields::{CopyFields, Fields, WholeRow};
pub use key::{IndexKey, Key};
pub use order::{RowOrder, SortColumn};
pub use set::{KeySet, OpenKeys};
pub use shape::{KeyRead, KeyShape};

/// An integer in PostgreSQL's text form.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let value = match digits.len() {
        4..=8 => eight_digits(digits)?,
        _ => one_by_one(digits)?,
    };
    match negative {
        true => 0i64.checked_sub_unsigned(value),
        false => i64::try_from(value).ok(),
    }
}

/// The value of at most 19 digits, which fit into 64 bits without a sign.
fn one_by_one(digits: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// The value of four to eight digits, as most ids have: of all at once, so that no branch depends on how many there are.
#[inline]
fn eight_digits(digits: &[u8]) -> Option<u64> {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    let first = u64::from(u32::from_le_bytes(*digits.first_chunk()?));
    let last = u64::from(u32::from_le_bytes(*digits.last_chunk()?));
    // The text behind as many zeros as it lacks of eight; what stands in both halves is the same in both.
    let lacks = 8 * (8 - digits.len() as u32);
    let text = last << 32 | first << lacks | ZEROS & ((1 << lacks) - 1);
    // Each byte is a digit if it is not below '0', and not above '9'.
    let digits = text.wrapping_sub(ZEROS);
    let above = text.wrapping_add(0x4646_4646_4646_4646);
    if (digits | above) & 0x8080_8080_8080_8080 != 0 || text & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // Pairs, then fours, then all: the byte that comes first in the text is worth more.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_read_and_nothing_else() {
        let cases: [(&str, Option<i64>); 22] = [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-1", Some(-1)),
            ("007", Some(7)),
            ("1234", Some(1234)),
            ("-12345", Some(-12345)),
            ("123456", Some(123_456)),
            ("1234567", Some(1_234_567)),
            ("98765432", Some(98_765_432)),
            ("123456789", Some(123_456_789)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("12345678901234567890", None),
            ("", None),
            ("-", None),
            ("\\N", None),
            ("+1234", None),
            ("12:4", None),
            ("123/5678", None),
            (" 1234", None),
        ];
        for (text, value) in cases {
            assert_eq!(parse_integer(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn any_byte_that_is_no_digit_is_seen_wherever_it_stands() {
        for length in 1..=10 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'5'; length];
                    text[place] = byte;
                    let is_sign = byte == b'-' && place == 0 && length > 1;
                    let is_some = parse_integer(&text).is_some();
                    assert_eq!(is_some, byte.is_ascii_digit() || is_sign, "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn integers_are_those_of_the_standard_library(digits in "-?[0-9]{1,19}") {
            prop_assert_eq!(parse_integer(digits.as_bytes()), digits.parse().ok());
        }
    }
}
