//! What quoted things stand for: `'…'`, `E'…'`, `U&'…'`, `$tag$…$tag$`, and strings that go on behind a line end.

use super::{dollar_tag, line_comment_end};

/// Where the content of a string goes on that has ended at `place`: behind white space with a line end, and comments
/// `-- …`, a quote continues it.
pub(crate) fn continued(bytes: &[u8], mut place: usize) -> Option<usize> {
    let mut line_end = false;
    loop {
        match bytes.get(place)? {
            b'\'' if line_end => return Some(place + 1),
            byte if byte.is_ascii_whitespace() => {
                line_end |= matches!(byte, b'\n' | b'\r');
                place += 1;
            }
            b'-' if bytes[place..].starts_with(b"--") => place = line_comment_end(bytes, place),
            _ => return None,
        }
    }
}

/// The content of a dollar-quoted string that begins at `place`, and the position after it. `None` where none begins
/// there or it does not end.
pub(crate) fn dollar_quoted(bytes: &[u8], place: usize) -> Option<(&[u8], usize)> {
    let tag = dollar_tag(&bytes[place..])?;
    let start = place + tag.len();
    let length = memchr::memmem::find(&bytes[start..], tag)?;
    Some((&bytes[start..start + length], start + length + tag.len()))
}

/// What the content of `U&'…'` stands for: `\XXXX` and `\+XXXXXX` are code points, `\\` is a backslash. `None` where an
/// escape is none of these.
pub(crate) fn unicode(content: &[u8]) -> Option<Vec<u8>> {
    let number = |digits: &[u8]| -> Option<u32> {
        let digits = std::str::from_utf8(digits).ok()?;
        let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| all)
    };
    let mut value = Vec::with_capacity(content.len());
    let mut rest = content;
    // The first of two surrogates, which together are one letter.
    let mut first = None;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        value.extend_from_slice(&rest[..place]);
        rest = &rest[place + 1..];
        if first.is_some() && (place > 0 || rest.starts_with(b"\\")) {
            return None;
        }
        if let Some(after) = rest.strip_prefix(b"\\") {
            value.push(b'\\');
            rest = after;
            continue;
        }
        let (code, length) = match rest.strip_prefix(b"+") {
            Some(digits) => (number(digits.get(..6)?)?, 7),
            None => (number(rest.get(..4)?)?, 4),
        };
        rest = &rest[length..];
        let code = match (first.take(), code) {
            (None, 0xd800..=0xdbff) => {
                first = Some(code);
                continue;
            }
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00),
            (Some(_), _) => return None,
            (None, code) => code,
        };
        let letter = char::from_u32(code).filter(|letter| *letter != '\0')?;
        value.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    value.extend_from_slice(rest);
    first.is_none().then_some(value)
}

/// The value of a quoted thing whose content begins at `place`, and the position after its closing quote.
pub(crate) fn unquote(
    bytes: &[u8],
    mut place: usize,
    quote: u8,
    escapes: bool,
) -> (Vec<u8>, usize) {
    let mut value = Vec::new();
    loop {
        let found = match escapes {
            true => memchr::memchr2(quote, b'\\', &bytes[place..]),
            false => memchr::memchr(quote, &bytes[place..]),
        };
        let Some(found) = found else {
            value.extend_from_slice(&bytes[place..]);
            return (value, bytes.len());
        };
        value.extend_from_slice(&bytes[place..place + found]);
        place += found + 1;
        if bytes[place - 1] == b'\\' {
            place += escape(&bytes[place..], &mut value);
        } else if bytes.get(place) == Some(&quote) {
            value.push(quote);
            place += 1;
        } else {
            return (value, place);
        }
    }
}

/// Appends what an escape of `E'…'` stands for, and gives its length without the backslash.
fn escape(bytes: &[u8], value: &mut Vec<u8>) -> usize {
    let Some(&first) = bytes.first() else {
        return 0;
    };
    let code_point = |length: usize| {
        let digits = std::str::from_utf8(bytes.get(1..=length)?).ok()?;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    };
    let letter = match first {
        b'u' => code_point(4).map(|letter| (letter, 5)),
        b'U' => code_point(8).map(|letter| (letter, 9)),
        _ => None,
    };
    if let Some((letter, length)) = letter {
        value.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        return length;
    }
    let (byte, length) = match first {
        b'b' => (0x08, 1),
        b'f' => (0x0c, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        // `\v` is not known in strings, only in COPY.
        b'x' => crate::snapshot::codec::copy_text::number(&bytes[1..], 16, 2)
            .map_or((b'x', 1), |(byte, length)| (byte, 1 + length)),
        _ => crate::snapshot::codec::copy_text::number(bytes, 8, 3).unwrap_or((first, 1)),
    };
    value.push(byte);
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_escapes_are_letters() {
        for (content, value) in [
            ("d\\0061t\\+000061", Some("data")),
            ("\\\\ \\d83d\\de00", Some("\\ 😀")),
            ("\\d83d", None),
            ("\\d83dx\\de00", None),
            ("\\de00", None),
            ("\\00g1", None),
            ("\\+00006", None),
            ("\\0000", None),
            ("\\", None),
        ] {
            let found = unicode(content.as_bytes());
            assert_eq!(found.as_deref(), value.map(str::as_bytes), "{content}");
        }
    }

    #[test]
    fn strings_go_on_behind_a_line_end() {
        for (text, place) in [
            ("\n'x", Some(2)),
            (" -- '\n\t'x", Some(8)),
            (" 'x", None),
            ("\n/* */ 'x", None),
            (", 'x'", None),
            ("", None),
        ] {
            assert_eq!(continued(text.as_bytes(), 0), place, "{text}");
        }
    }

    #[test]
    fn dollar_quotes_hold_everything() {
        assert_eq!(
            dollar_quoted(b"$a$'x$$\\$a$, 1", 0),
            Some((&b"'x$$\\"[..], 11))
        );
        assert_eq!(dollar_quoted(b"$a$x$$", 0), None);
        assert_eq!(dollar_quoted(b"$1$x$1$", 0), None);
    }
}
