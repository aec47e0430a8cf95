//! bytea: a string of lower-case hex digits, whatever form the server wrote; in the exact form with `\x` before them.
//!
//! `bytea_output = hex` (the default) writes `\xdeadbeef`. `escape` writes printable ASCII as it
//! stands, a backslash doubled and every other byte as `\ooo`; such a value never begins with `\x`.

use super::ValueError;
use crate::hex;

/// Appends a byte string.
///
/// # Errors
/// [`ValueError::NotABytea`]; `out` may then hold a part of it.
pub fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    write_after(b"", text, out)
}

/// As [`write`], with these bytes of JSON before the digits.
pub(super) fn write_after(before: &[u8], text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    out.push(b'"');
    out.extend_from_slice(before);
    match text.strip_prefix(br"\x") {
        Some(digits) => write_hex_form(digits, out)?,
        None => write_escape_form(text, out)?,
    }
    out.push(b'"');
    Ok(())
}

fn write_hex_form(digits: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(ValueError::NotABytea);
    }
    out.extend(digits.iter().map(u8::to_ascii_lowercase));
    Ok(())
}

fn write_escape_form(mut text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    loop {
        let (byte, rest) = match text {
            [] => return Ok(()),
            [b'\\', b'\\', rest @ ..] => (b'\\', rest),
            [
                b'\\',
                high @ b'0'..=b'3',
                middle @ b'0'..=b'7',
                low @ b'0'..=b'7',
                rest @ ..,
            ] => (
                (high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'),
                rest,
            ),
            [b'\\', ..] => return Err(ValueError::NotABytea),
            [byte, rest @ ..] => (*byte, rest),
        };
        hex::push(byte, out);
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_refused, assert_written, copy_text};
    use super::super::{Codec, ValueError, write};
    use proptest::prelude::*;

    #[test]
    fn byte_strings_are_hex() {
        assert_written(
            &Codec::Bytea,
            &[
                ("hex form", br"\\xdeadbeef", r#""deadbeef""#),
                ("upper case", br"\\xDEAD", r#""dead""#),
                ("empty hex form", br"\\x", r#""""#),
                ("empty", b"", r#""""#),
                ("escape form", br"abc\\000\\377", r#""61626300ff""#),
                ("backslash in escape form", br"\\\\x41", r#""5c783431""#),
                ("null", br"\N", "null"),
            ],
        );
    }

    #[test]
    fn what_is_no_byte_string_is_refused() {
        let fields: &[&[u8]] = &[
            br"\\xabc",
            br"\\xzz",
            br"\\xab cd",
            br"\\400",
            br"\\08",
            br"a\\",
            br"\\q",
        ];
        assert_refused(&Codec::Bytea, fields, ValueError::NotABytea);
    }

    proptest! {
        #[test]
        fn both_forms_mean_the_same(bytes: Vec<u8>) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let escaped: String = bytes.iter().map(|&byte| match byte {
                b'\\' => r"\\".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\{byte:03o}"),
            }).collect();
            for form in [format!("\\x{hex}"), escaped] {
                let mut out = Vec::new();
                write(&Codec::Bytea, &copy_text(form.as_bytes()), &mut out).expect("a byte string");
                prop_assert_eq!(String::from_utf8_lossy(&out), format!("\"{hex}\""));
            }
        }
    }
}
