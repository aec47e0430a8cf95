//! Bytes as hexadecimal digits, and back.

/// A byte as two lower-case digits.
#[inline]
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 0xf)],
    ]
}

/// Appends a byte as two lower-case digits.
// Every byte of a bytea that is not in hex form comes by here.
#[inline]
pub(crate) fn push(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&digits(byte));
}

/// The bytes as lower-case digits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut digits = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        push(*byte, &mut digits);
    }
    digits.into_iter().map(char::from).collect()
}

/// The bytes of pairs of digits in either case; `None` for anything else.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(value(*high)? << 4 | value(*low)?));
    bytes.collect::<Option<_>>().filter(|_| odd.is_empty())
}

fn value(digit: u8) -> Option<u8> {
    // Below 16.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_pairs_of_lower_case_digits() {
        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }

    #[test]
    fn only_pairs_of_digits_are_bytes() {
        let cases: [(&str, Option<&[u8]>); 8] = [
            ("", Some(&[])),
            ("000fA0ff", Some(&[0x00, 0x0f, 0xa0, 0xff])),
            ("0", None),
            ("00f", None),
            ("0g", None),
            ("+f", None),
            (" f", None),
            ("é", None),
        ];
        for (digits, bytes) in cases {
            assert_eq!(decode(digits).as_deref(), bytes, "{digits:?}");
        }
    }
}
