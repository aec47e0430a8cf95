//! COPY's text form of one field: NULL and backslash escapes.
//!
//! The server writes `\\ \b \f \n \r \t \v` only. A reader must also take `\ooo` (one to three
//! octal digits) and `\xhh` (one or two hex digits); a backslash before any other byte stands for
//! that byte (PostgreSQL's documentation of COPY, "Text Format", and `CopyReadAttributesText`).

use std::borrow::Cow;

use super::ValueError;

/// True for the field that stands for NULL. Text that reads `\N` is written `\\N` and is not it.
pub fn is_null(field: &[u8]) -> bool {
    field == br"\N"
}

/// Undoes COPY's escapes. Allocates only where the field has one; NULL is the caller's to look for.
///
/// # Errors
/// [`ValueError::UnfinishedEscape`] where the field ends in a lone backslash, [`ValueError::ZeroByte`] where an escape stands for
/// a zero byte.
pub fn decode_copy(field: &[u8]) -> Result<Cow<'_, [u8]>, ValueError> {
    let Some(first) = memchr::memchr(b'\\', field) else {
        return Ok(Cow::Borrowed(field));
    };
    let mut decoded = Vec::with_capacity(field.len());
    let (mut plain, mut rest) = field.split_at(first);
    loop {
        decoded.extend_from_slice(plain);
        // `rest` is empty or begins with a backslash.
        let Some((_, escape)) = rest.split_first() else {
            return Ok(Cow::Owned(decoded));
        };
        let (byte, length) = decode_escape(escape).ok_or(ValueError::UnfinishedEscape)?;
        if byte == 0 {
            return Err(ValueError::ZeroByte);
        }
        decoded.push(byte);
        let after = &escape[length..];
        (plain, rest) = after.split_at(memchr::memchr(b'\\', after).unwrap_or(after.len()));
    }
}

/// The byte that the escape stands for, and its length without the backslash. `None` where nothing
/// follows it.
fn decode_escape(escape: &[u8]) -> Option<(u8, usize)> {
    let &first = escape.first()?;
    Some(match first {
        b'b' => (0x08, 1),
        b'f' => (0x0c, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (0x0b, 1),
        b'0'..=b'7' => digits(escape, 8, 3),
        b'x' => match digits(&escape[1..], 16, 2) {
            // As in PostgreSQL, `\x` without a digit is an x.
            (_, 0) => (b'x', 1),
            (byte, length) => (byte, length + 1),
        },
        other => (other, 1),
    })
}

/// The value of up to `most` digits, and how many there are. Octal 777 is cut to one byte, as
/// PostgreSQL does.
fn digits(text: &[u8], radix: u32, most: usize) -> (u8, usize) {
    let mut value = 0;
    let mut length = 0;
    while let Some(digit) = text
        .get(length)
        .filter(|_| length < most)
        .and_then(|&b| char::from(b).to_digit(radix))
    {
        value = value * radix + digit;
        length += 1;
    }
    ((value & 0xff) as u8, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_undone() {
        let cases: &[(&str, &[u8], &[u8])] = &[
            ("empty", b"", b""),
            ("no escape", b"plain", b"plain"),
            (
                "the server's own",
                br"\\\b\f\n\r\t\v",
                b"\\\x08\x0c\n\r\t\x0b",
            ),
            ("text that looks like NULL", br"\\N", br"\N"),
            ("octal, three digits", br"a\101b", b"aAb"),
            ("octal, one digit before a letter", br"\7z", b"\x07z"),
            ("octal, a fourth digit is text", br"\1019", b"A9"),
            ("octal over a byte", br"\501", b"A"),
            ("hex, two digits", br"\x41\xC3\xa4", b"A\xc3\xa4"),
            ("hex, one digit", br"\x9z", b"\x09z"),
            ("hex, a third digit is text", br"\x411", b"A1"),
            ("x without digits", br"\xyz", b"xyz"),
            ("x at the end", br"\x", b"x"),
            ("any other byte is itself", br"\N\q\.\8", b"Nq.8"),
            ("escapes in a row and text around", br"a\\\nb", b"a\\\nb"),
        ];
        for (name, field, expected) in cases {
            assert_eq!(decode_copy(field).as_deref(), Ok(*expected), "{name}");
        }
    }

    #[test]
    fn a_field_without_escapes_is_borrowed() {
        assert!(matches!(decode_copy(b"plain"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn a_lone_backslash_at_the_end_is_an_error() {
        for field in [&br"\"[..], br"a\", br"a\\\"] {
            assert_eq!(decode_copy(field), Err(ValueError::UnfinishedEscape));
        }
    }

    #[test]
    fn an_escape_for_a_zero_byte_is_an_error() {
        for field in [&br"\0"[..], br"a\000b", br"\x0", br"\x00", br"\400"] {
            assert_eq!(decode_copy(field), Err(ValueError::ZeroByte));
        }
    }

    #[test]
    fn only_the_bare_marker_is_null() {
        assert!(is_null(br"\N"));
        for field in [&b""[..], b"N", br"\\N", br"\n", br"\N ", b"NULL"] {
            assert!(!is_null(field));
        }
    }
}
