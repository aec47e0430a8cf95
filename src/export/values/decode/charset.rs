//! Bytes that may be in any encoding, as text.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// So many characters beyond ASCII for each broken one make a text UTF-8 that was damaged, rather than text in another
/// encoding: a single-byte encoding would turn all of them into two characters each.
const WHOLE_FOR_A_BROKEN: usize = 10;

/// The text of some bytes.
///
/// UTF-8 stays as it is. Other bytes are converted from the encoding that a byte order mark names, else from the one that
/// they seem to be in; what that encoding does not have becomes U+FFFD, and NULs are dropped.
pub fn to_utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    // This looks at a byte order mark first.
    let (text, _, _) = guess(bytes).decode(bytes);
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', ""));
    }
    text
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let (mut whole, mut broken) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if whole > broken.saturating_mul(WHOLE_FOR_A_BROKEN) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether a text is empty or white space and nothing else, by Unicode's rules. Rails' `blank?`.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_become_text() {
        let cases: [(&str, &[u8], &str); 9] = [
            ("empty", b"", ""),
            ("UTF-8", "grün".as_bytes(), "grün"),
            ("UTF-8 with a NUL keeps it", b"a\0b", "a\0b"),
            (
                "windows-1252",
                b"Die T\xfcr ist gr\xfcn und das Haus ist wei\xdf.",
                "Die Tür ist grün und das Haus ist weiß.",
            ),
            (
                "NULs go where bytes are converted",
                b"Die T\xfcr\0 ist gr\xfcn und das Haus ist wei\xdf.",
                "Die Tür ist grün und das Haus ist weiß.",
            ),
            (
                "Shift_JIS",
                b"\x82\xb1\x82\xea\x82\xcd\x93\xfa\x96{\x8c\xea\x82\xcc\x83e\x83L\x83X\x83g\x82\xc5\x82\xb7\x81B",
                "これは日本語のテキストです。",
            ),
            (
                "UTF-16 with its mark",
                b"\xff\xfea\0\xfc\0\x20\xac",
                "aü갠",
            ),
            (
                "UTF-8 that one byte was lost of",
                b"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6\xc3\xbc \xc3",
                "äöüßäöüßäöü \u{fffd}",
            ),
            (
                "a byte order mark of UTF-8 goes with the damage",
                b"\xef\xbb\xbfa\xff",
                "a\u{fffd}",
            ),
        ];
        for (name, bytes, text) in cases {
            assert_eq!(to_utf8(bytes), text, "{name}");
        }
    }

    #[test]
    fn white_space_is_blank() {
        for (text, blank) in [
            ("", true),
            (" \t\r\n", true),
            ("\u{a0}\u{3000}\u{85}\u{2028}", true),
            ("\u{200b}", false),
            ("\0", false),
            (" a ", false),
        ] {
            assert_eq!(is_blank(text), blank, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_become_text_and_utf8_stays(bytes: Vec<u8>) {
            let text = to_utf8(&bytes);
            match std::str::from_utf8(&bytes) {
                Ok(same) => prop_assert_eq!(text, same),
                Err(_) => prop_assert!(!text.contains('\0')),
            }
        }
    }
}
