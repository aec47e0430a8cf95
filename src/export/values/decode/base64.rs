//! Base64 as Ruby reads it.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Texts whose last digit has bits to spare, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of base64 in its strict form: padded, without line ends, and with no bit to spare; `None` for anything else.
/// Ruby's `unpack("m0")`.
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The bytes of base64 in which other characters are skipped, up to its padding. Ruby's `unpack("m")`, by which YAML's
/// `!binary` is read.
pub(super) fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = text.bytes().take_while(|byte| *byte != b'=');
    let mut digits: Vec<u8> = digits.filter(is_digit).collect();
    if digits.len() % 4 == 1 {
        // Six bits are no byte.
        digits.pop();
    }
    LENIENT.decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_strict_form_takes_no_other() {
        // What Ruby 3.1 makes of each.
        let cases: [(&str, Option<&[u8]>); 10] = [
            ("", Some(b"")),
            ("YQ==", Some(b"a")),
            ("YWE=", Some(b"aa")),
            ("/+8=", Some(b"\xff\xef")),
            ("YR==", None),
            ("YQ", None),
            ("YQ=", None),
            ("YQ==\n", None),
            ("YW==Y", None),
            ("not base64", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn the_lenient_form_skips_what_is_no_digit() {
        // What Ruby 3.1 makes of each.
        let cases: [(&str, &[u8]); 7] = [
            ("", b""),
            ("aGk=", b"hi"),
            ("aG\nk=\n", b"hi"),
            ("aGk", b"hi"),
            ("aG%k=zz", b"hi"),
            ("YR==", b"a"),
            ("YWFhY", b"aaa"),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode_lenient(text).as_deref(), Some(bytes), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>, width in 1usize..80) {
            let text = STANDARD.encode(&bytes);
            prop_assert_eq!(decode_base64(text.as_bytes()), Some(bytes.clone()));
            let lines: Vec<_> = text.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
            prop_assert_eq!(decode_lenient(&lines.join("\n  ")), Some(bytes));
        }

        #[test]
        fn one_text_stands_for_some_bytes(text in "[A-D/+=\n]{0,9}") {
            if let Some(bytes) = decode_base64(text.as_bytes()) {
                prop_assert_eq!(STANDARD.encode(bytes), text);
            }
        }
    }
}
