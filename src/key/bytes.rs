//! Values that are bytes: uuid and bytea.

use std::borrow::Cow;

use crate::hex;

/// Places of the hyphens in a uuid as PostgreSQL writes it.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A uuid in any spelling that PostgreSQL reads (`uuid_in`): 32 digits of either case, a hyphen or none after each four of
/// them, braces or none around.
pub(super) fn uuid(text: &[u8]) -> Option<u128> {
    if let Some(uuid) = usual_uuid(text) {
        return Some(uuid);
    }
    let mut digits = match text.strip_prefix(b"{") {
        Some(inner) => inner.strip_suffix(b"}")?,
        None => text,
    };
    let mut value = 0;
    for count in 1..=32 {
        let [digit, rest @ ..] = digits else {
            return None;
        };
        value = value << 4 | u128::from(hex_value(*digit)?);
        digits = match rest {
            [b'-', rest @ ..] if count % 4 == 0 && count < 32 => rest,
            rest => rest,
        };
    }
    digits.is_empty().then_some(value)
}

/// A uuid of 36 letters, with its hyphens where PostgreSQL writes them.
pub(super) fn usual_uuid(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let eight = |from: usize, other: usize| {
        let mut digits = [0; 8];
        digits[..4].copy_from_slice(&text[from..from + 4]);
        digits[4..].copy_from_slice(&text[other..other + 4]);
        eight_digits(digits)
    };
    let parts = [eight(0, 4), eight(9, 14), eight(19, 24), eight(28, 32)];
    parts
        .into_iter()
        .try_fold(0, |value, part| Some(value << 32 | u128::from(part?)))
}

/// The number that eight hexadecimal digits are, all of them looked at together.
fn eight_digits(digits: [u8; 8]) -> Option<u32> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let given = u64::from_be_bytes(digits);
    let small = given | (0x20 * EACH);
    // Of a letter bit 6 is set, and its lower half is 1 for an a.
    let values = (small & (0x0f * EACH)) + 9 * ((small >> 6) & EACH);
    let letters = ((values + 6 * EACH) >> 4) & EACH;
    // What is written by such values: where it is not what was given, but for the case of letters, that is no digit. Nor
    // is a letter behind f.
    let written = values + 0x30 * EACH + 39 * letters;
    if (given ^ written) & !(0x20 * letters) != 0 || values & (0x10 * EACH) != 0 {
        return None;
    }
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    u32::try_from((fours | (fours >> 16)) & 0xffff_ffff).ok()
}

/// A uuid as PostgreSQL writes it.
pub(super) fn canonical_uuid(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let value = uuid(text)?;
    if text.len() == 36 && !text.iter().any(u8::is_ascii_uppercase) {
        return Some(Cow::Borrowed(text));
    }
    let mut written = Vec::with_capacity(36);
    for byte in value.to_be_bytes() {
        if HYPHENS.contains(&written.len()) {
            written.push(b'-');
        }
        hex::push(byte, &mut written);
    }
    Some(Cow::Owned(written))
}

/// The bytes of a bytea, from its hex form (`\x00ff`, where blanks may stand between bytes) or its escape form, where `\\` is a
/// backslash and `\377` a byte.
pub(super) fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len() / 2);
    if let Some(mut digits) = text.strip_prefix(br"\x") {
        while let [first, rest @ ..] = digits {
            digits = rest;
            if matches!(first, b' ' | b'\n' | b'\t' | b'\r') {
                continue;
            }
            let [second, rest @ ..] = digits else {
                return None;
            };
            value.push(hex_value(*first)? << 4 | hex_value(*second)?);
            digits = rest;
        }
        return Some(value);
    }
    let mut text = text;
    while let [byte, rest @ ..] = text {
        text = match (byte, rest) {
            (b'\\', [b'\\', rest @ ..]) => {
                value.push(b'\\');
                rest
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..]) => {
                value.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            (b'\\', _) => return None,
            (byte, rest) => {
                value.push(*byte);
                rest
            }
        };
    }
    Some(value)
}

/// A bytea in hex form, of small letters.
pub(super) fn canonical_bytea(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_canonical = text.strip_prefix(br"\x").is_some_and(|digits| {
        digits.len() % 2 == 0
            && digits
                .iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    });
    if is_canonical {
        return Some(Cow::Borrowed(text));
    }
    let value = bytea(text)?;
    let mut written = Vec::with_capacity(2 * value.len() + 2);
    written.extend_from_slice(br"\x");
    for byte in value {
        hex::push(byte, &mut written);
    }
    Some(Cow::Owned(written))
}

/// What each byte is as a hexadecimal digit; 0xff for one that is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        if digit < 10 {
            digits[b'0' as usize + digit] = digit as u8;
        } else {
            digits[b'a' as usize + digit - 10] = digit as u8;
            digits[b'A' as usize + digit - 10] = digit as u8;
        }
        digit += 1;
    }
    digits
};

fn hex_value(digit: u8) -> Option<u8> {
    Some(DIGITS[usize::from(digit)]).filter(|value| *value <= 0xf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_read_and_nothing_else_is_one() {
        for at in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0Fa9cE31";
                digits[at] = byte;
                let text = std::str::from_utf8(&digits);
                let expected = text.ok().filter(|text| !text.contains('+'));
                let expected = expected.and_then(|text| u32::from_str_radix(text, 16).ok());
                assert_eq!(eight_digits(digits), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn a_uuid_is_read_in_every_spelling() {
        let written = b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let number = 0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11;
        for text in [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380A11}",
        ] {
            assert_eq!(uuid(text.as_bytes()), Some(number), "{text}");
            assert_eq!(
                canonical_uuid(text.as_bytes()).as_deref(),
                Some(&written[..]),
                "{text}"
            );
        }
        for text in [
            "",
            "a0eebc99",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
            "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
            "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
            "a-0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a1é",
        ] {
            assert_eq!(uuid(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_bytea_is_read_in_both_forms() {
        let cases: [(&[u8], Option<&[u8]>); 13] = [
            (br"\x", Some(br"\x")),
            (b"", Some(br"\x")),
            (br"\x00fF", Some(br"\x00ff")),
            (br"\x00 ff", Some(br"\x00ff")),
            (br"a\\b", Some(br"\x615c62")),
            (br"\000\377", Some(br"\x00ff")),
            (b"\xff", Some(br"\xff")),
            (br"\x0", None),
            (br"\x0 0", None),
            (br"\x0g", None),
            (br"\400", None),
            (br"\08", None),
            (br"a\", None),
        ];
        for (text, canonical) in cases {
            assert_eq!(canonical_bytea(text).as_deref(), canonical);
        }
    }
}
