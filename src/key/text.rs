//! Text: padding, case, booleans, and bytes that order as texts do.

use std::borrow::Cow;

/// Appends a text so that its end is seen, and bytes of any value keep their order: what follows a text is above no longer
/// one that begins with it.
///
/// The end is a 0. Bytes 0 and 1, which text hardly has, become two.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr2(0, 1, rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[1, rest[at] + 1]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(0);
}

/// A `character` without its padding. Only blanks pad.
pub(super) fn without_padding(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|byte| *byte != b' ');
    &text[..kept.map_or(0, |last| last + 1)]
}

/// A citext in small letters: each letter by itself, as the C library does it in UTF-8 locales. Text that is not UTF-8 stays
/// as it is.
pub(super) fn folded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return match text.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    match str::from_utf8(text) {
        Ok(letters) => {
            let small: String = letters.chars().map(small_letter).collect();
            Cow::Owned(small.into_bytes())
        }
        Err(_) => Cow::Borrowed(text),
    }
}

fn small_letter(letter: char) -> char {
    // The one letter that Unicode makes two of (İ, an i and a dot) is a mere i to the C library, as the first of the two is.
    letter.to_lowercase().next().unwrap_or(letter)
}

/// A boolean in any spelling that PostgreSQL reads (`parse_bool_with_len`): words may be cut short, as long as they are clear.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"t" => return Some(true),
        b"f" => return Some(false),
        _ => {}
    }
    let word = text.trim_ascii().to_ascii_lowercase();
    let is = |whole: &[u8], least: usize| word.len() >= least && whole.starts_with(&word);
    if word == b"1" || word == b"on" || is(b"true", 1) || is(b"yes", 1) {
        Some(true)
    } else if word == b"0" || is(b"off", 2) || is(b"false", 1) || is(b"no", 1) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_texts_keep_their_order_and_show_their_end() {
        let texts: [&[u8]; 9] = [
            b"", b"\0", b"\0\0", b"\0\x01", b"\x01", b"\x01\0", b"\x02", b"a", b"ab",
        ];
        let encoded: Vec<Vec<u8>> = texts
            .iter()
            .map(|text| {
                let mut out = Vec::new();
                encode(text, &mut out);
                out
            })
            .collect();
        assert!(encoded.is_sorted_by(|one, other| one < other));
        for (index, one) in encoded.iter().enumerate() {
            let begins = |other: &Vec<u8>| other.starts_with(one);
            assert!(!encoded[index + 1..].iter().any(begins));
        }
    }

    #[test]
    fn only_trailing_blanks_are_padding() {
        for (text, kept) in [
            ("ab  ", "ab"),
            (" a b", " a b"),
            ("   ", ""),
            ("", ""),
            ("a\t ", "a\t"),
            ("a\u{a0}", "a\u{a0}"),
        ] {
            assert_eq!(without_padding(text.as_bytes()), kept.as_bytes());
        }
    }

    #[test]
    fn letters_are_folded_one_by_one() {
        for (text, small) in [
            ("abc-1", "abc-1"),
            ("ABC", "abc"),
            ("ÀÉ Ω", "àé ω"),
            ("İI", "ii"),
            ("ẞß", "ßß"),
            ("ΑΣ", "ας".replace('ς', "σ").as_str()),
            ("Dž", "dž"),
        ] {
            assert_eq!(&*folded(text.as_bytes()), small.as_bytes(), "{text}");
        }
        assert_eq!(&*folded(b"A\xff"), b"A\xff");
    }

    #[test]
    fn booleans_are_read_in_every_spelling() {
        for text in ["t", "TRUE", "tr", " true ", "y", "yes", "On", "1"] {
            assert_eq!(boolean(text.as_bytes()), Some(true), "{text}");
        }
        for text in ["f", "False", "n", "no", "of", "off", "0"] {
            assert_eq!(boolean(text.as_bytes()), Some(false), "{text}");
        }
        for text in ["", " ", "o", "truer", "2", "01", "ja"] {
            assert_eq!(boolean(text.as_bytes()), None, "{text}");
        }
    }
}
