//! COPY's text format: rows end at LF, fields at TAB, and neither byte stands in a value.
//!
//! The server escapes seven bytes only: `\\ \b \f \n \r \t \v`; NULL is the field `\N`. All other
//! bytes stand as they are. Readers of COPY also take `\ooo` and `\xhh`, so they are read here too
//! (PostgreSQL documentation, COPY, "Text Format").

use std::ops::Range;

use fearless_simd::{Level, dispatch, prelude::*, u8x64};

use super::row_walk::STEP;

/// Takes the row that begins at `start` and puts the ranges of its fields into `fields`, replacing what is there.
///
/// Returns the position after the row's line end, or the length of `bytes` for a last row without one.
/// A row without bytes has one empty field: a table with no columns has such rows, too.
/// Costs one search through the row; allocates only until `fields` has as many places as a row has fields.
/// For the rows of a whole block [`CopyRows`] is the same.
pub fn next_row(bytes: &[u8], start: usize, fields: &mut Vec<Range<usize>>) -> usize {
    fields.clear();
    let mut begin = start;
    for found in Ends::new(&bytes[start..]) {
        let place = start + found;
        fields.push(begin..place);
        begin = place + 1;
        if bytes[place] == b'\n' {
            return begin;
        }
    }
    fields.push(begin..bytes.len());
    bytes.len()
}

/// The positions of TAB and LF. Fields are short, so a search that starts anew after each hit, as
/// memchr's does, spends most of its time on starting: this one makes a mask of 64 bytes at a time.
struct Ends<'a> {
    bytes: &'a [u8],
    /// Where the bytes after those of `mask` begin.
    next: usize,
    /// A bit for each hit in the step before `next` that has not been given out.
    mask: u64,
}

impl<'a> Ends<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Ends {
            bytes,
            next: 0,
            mask: 0,
        }
    }
}

impl Iterator for Ends<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.mask == 0 {
            let rest = self
                .bytes
                .get(self.next..)
                .filter(|rest| !rest.is_empty())?;
            self.mask = match rest.first_chunk() {
                Some(step) => ends_in(step),
                None => {
                    // Zero bytes are no hits.
                    let mut step = [0; STEP];
                    step[..rest.len()].copy_from_slice(rest);
                    ends_in(&step)
                }
            };
            self.next += STEP;
        }
        let place = self.next - STEP + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(place)
    }
}

fn ends_in(step: &[u8; STEP]) -> u64 {
    // What every machine of this kind has: to ask what this one has would cost more than a step.
    dispatch!(Level::baseline(), simd => {
        let step = u8x64::simd_from(simd, *step);
        (step.simd_eq(b'\t') | step.simd_eq(b'\n')).to_bitmask()
    })
}

/// The rows of a block, with one search through all of its bytes.
pub struct CopyRows<'a> {
    bytes: &'a [u8],
    ends: Ends<'a>,
    start: usize,
}

impl<'a> CopyRows<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        CopyRows {
            bytes,
            ends: Ends::new(bytes),
            start: 0,
        }
    }

    /// Puts the fields of the next row into `fields` and returns the row's range without its line end, `None` after the last.
    pub fn next_row(&mut self, fields: &mut Vec<Range<usize>>) -> Option<Range<usize>> {
        if self.start == self.bytes.len() {
            return None;
        }
        fields.clear();
        let start = self.start;
        let mut begin = start;
        for place in self.ends.by_ref() {
            fields.push(begin..place);
            begin = place + 1;
            if self.bytes[place] == b'\n' {
                self.start = begin;
                return Some(start..place);
            }
        }
        fields.push(begin..self.bytes.len());
        self.start = self.bytes.len();
        Some(start..self.start)
    }
}

/// What no server writes in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCopyText {
    #[error("the field ends with a lone backslash")]
    LoneBackslash,
    /// No text of PostgreSQL has this byte.
    #[error("the field has an escape that stands for a zero byte")]
    ZeroByte,
}

/// Appends the value of a field to `out`; `None` is NULL, for which nothing is appended.
///
/// Bytes are not checked to be UTF-8. Costs one search for backslashes, and a copy.
///
/// # Errors
/// [`NotCopyText`], with part of the value appended.
pub fn decode(field: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, NotCopyText> {
    if field == b"\\N" {
        return Ok(None);
    }
    let mut rest = field;
    while let Some(place) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..place]);
        let (byte, length) = match &rest[place + 1..] {
            [] => return Err(NotCopyText::LoneBackslash),
            [b'b', ..] => (0x08, 1),
            [b'f', ..] => (0x0c, 1),
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'v', ..] => (0x0b, 1),
            [b'x', digits @ ..] => match number(digits, 16, 2) {
                Some((byte, length)) => (byte, 1 + length),
                None => (b'x', 1),
            },
            [byte, ..] => number(&rest[place + 1..], 8, 3).unwrap_or((*byte, 1)),
        };
        if byte == 0 {
            return Err(NotCopyText::ZeroByte);
        }
        out.push(byte);
        rest = &rest[place + 1 + length..];
    }
    out.extend_from_slice(rest);
    Ok(Some(()))
}

/// Reads up to `most` digits. Above 255 only the low byte counts, as in the server.
pub(crate) fn number(digits: &[u8], base: u32, most: usize) -> Option<(u8, usize)> {
    let length = digits
        .iter()
        .take(most)
        .take_while(|byte| char::from(**byte).is_digit(base))
        .count();
    let value = digits[..length]
        .iter()
        .filter_map(|byte| char::from(*byte).to_digit(base));
    (length > 0).then(|| (value.fold(0, |sum, digit| sum * base + digit) as u8, length))
}

/// The letter that stands for a byte after a backslash, 0 for bytes that stand for themselves.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    letters[0x08] = b'b';
    letters[b'\t' as usize] = b't';
    letters[b'\n' as usize] = b'n';
    letters[0x0b] = b'v';
    letters[0x0c] = b'f';
    letters[b'\r' as usize] = b'r';
    letters[b'\\' as usize] = b'\\';
    letters
};

/// Appends a value as the server writes it in a field. NULL is not a value: write `\N` for it.
pub fn encode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(place) = first_escaped(rest) {
        out.extend_from_slice(&rest[..place]);
        out.extend_from_slice(&[b'\\', LETTERS[usize::from(rest[place])]]);
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
}

/// The place of the first byte that is written as an escape.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    // Most text has none: whole blocks are passed over if no byte of them may be one.
    const BLOCK: usize = 32;
    let mut at = 0;
    while let Some(block) = bytes[at..].first_chunk::<BLOCK>() {
        let may = |byte: &u8| (*byte < b' ') | (*byte == b'\\');
        if block.iter().fold(false, |any, byte| any | may(byte))
            && let Some(place) = block.iter().position(is_escaped)
        {
            return Some(at + place);
        }
        at += BLOCK;
    }
    bytes[at..]
        .iter()
        .position(is_escaped)
        .map(|place| at + place)
}

fn is_escaped(byte: &u8) -> bool {
    LETTERS[usize::from(*byte)] != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::codec::row_walk::bytes_with_ends;

    fn rows(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
        let (mut all, mut fields, mut place) = (Vec::new(), Vec::new(), 0);
        while place < bytes.len() {
            place = next_row(bytes, place, &mut fields);
            all.push(fields.iter().map(|range| &bytes[range.clone()]).collect());
        }
        all
    }

    #[test]
    fn rows_split_at_tab_and_line_end() {
        let cases: [(&str, &str, &[&[&str]]); 7] = [
            ("no row", "", &[]),
            ("one field", "a\n", &[&["a"]]),
            ("two rows", "a\tb\nc\td\n", &[&["a", "b"], &["c", "d"]]),
            ("empty fields", "\t\t\n", &[&["", "", ""]]),
            ("an empty row", "\n\n", &[&[""], &[""]]),
            ("no last line end", "a\tb\nc\t", &[&["a", "b"], &["c", ""]]),
            (
                "escapes are left alone",
                "a\\tb\t\\N\n",
                &[&["a\\tb", "\\N"]],
            ),
        ];
        for (name, text, expected) in cases {
            let expected: Vec<Vec<&[u8]>> = expected
                .iter()
                .map(|row| row.iter().map(|field| field.as_bytes()).collect())
                .collect();
            assert_eq!(rows(text.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn fields_are_decoded() {
        type Decoded = Result<Option<&'static [u8]>, NotCopyText>;
        let cases: [(&str, Decoded); 19] = [
            ("\\N", Ok(None)),
            ("", Ok(Some(b""))),
            ("N", Ok(Some(b"N"))),
            ("\\\\N", Ok(Some(b"\\N"))),
            ("\\Nx", Ok(Some(b"Nx"))),
            (
                "a\\b\\f\\n\\r\\t\\v\\\\z",
                Ok(Some(b"a\x08\x0c\n\r\t\x0b\\z")),
            ),
            ("\\101\\1018\\1", Ok(Some(b"AA8\x01"))),
            ("a\\0", Err(NotCopyText::ZeroByte)),
            ("\\x00a", Err(NotCopyText::ZeroByte)),
            ("\\400", Err(NotCopyText::ZeroByte)),
            ("\\x41\\x4a1\\x4g\\xg", Ok(Some(b"AJ1\x04gxg"))),
            ("\\777", Ok(Some(b"\xff"))),
            ("\\8\\q\\.", Ok(Some(b"8q."))),
            ("\\\\x00ff", Ok(Some(b"\\x00ff"))),
            ("é\\n", Ok(Some("é\n".as_bytes()))),
            ("\x01\x7f", Ok(Some(b"\x01\x7f"))),
            ("\\", Err(NotCopyText::LoneBackslash)),
            ("a\\\\\\", Err(NotCopyText::LoneBackslash)),
            ("\\x", Ok(Some(b"x"))),
        ];
        for (field, expected) in cases {
            let mut out = Vec::new();
            let decoded = decode(field.as_bytes(), &mut out).map(|value| value.map(|()| &out[..]));
            assert_eq!(decoded, expected, "{field}");
        }
    }

    #[test]
    fn values_are_encoded_as_the_server_writes_them() {
        let mut out = Vec::new();
        encode(b"a\tb\nc\rd\\e\x08\x0b\x0c\x01'\"\xc3\xa9", &mut out);
        assert_eq!(out, b"a\\tb\\nc\\rd\\\\e\\b\\v\\f\x01'\"\xc3\xa9");
    }

    /// Decodes byte by byte, written to be plainly right.
    fn decode_slowly(field: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = field.iter().copied().peekable();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            let mut escaped = Vec::new();
            match bytes.next()? {
                b'b' => escaped.push(8),
                b't' => escaped.push(9),
                b'n' => escaped.push(10),
                b'v' => escaped.push(11),
                b'f' => escaped.push(12),
                b'r' => escaped.push(13),
                b'x' if bytes.peek().is_some_and(u8::is_ascii_hexdigit) => {
                    let mut digits = String::new();
                    while let Some(digit) =
                        bytes.next_if(|byte| digits.len() < 2 && byte.is_ascii_hexdigit())
                    {
                        digits.push(char::from(digit));
                    }
                    escaped.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                first @ b'0'..=b'7' => {
                    let mut digits = String::from(char::from(first));
                    while let Some(digit) =
                        bytes.next_if(|byte| digits.len() < 3 && (b'0'..=b'7').contains(byte))
                    {
                        digits.push(char::from(digit));
                    }
                    escaped.push(u32::from_str_radix(&digits, 8).unwrap() as u8);
                }
                other => escaped.push(other),
            }
            if escaped == [0] {
                return None;
            }
            out.extend(escaped);
        }
        Some(out)
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(value: Vec<u8>) {
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            encode(&value, &mut encoded);
            prop_assert!(!encoded.iter().any(|byte| b"\t\n\r".contains(byte)));
            prop_assert_eq!(decode(&encoded, &mut decoded), Ok(Some(())));
            prop_assert_eq!(decoded, value);
        }

        #[test]
        fn decoding_agrees_with_the_plain_way(field in r"([\\xa-vN0-9A-Fg]|\PC){0,20}") {
            prop_assume!(field != "\\N");
            let mut out = Vec::new();
            let decoded = decode(field.as_bytes(), &mut out).ok().map(|_| out);
            prop_assert_eq!(decoded, decode_slowly(field.as_bytes()));
        }

        #[test]
        fn both_ways_to_split_agree_with_split(text in "[ab\t\n]{0,60}") {
            let bytes = text.as_bytes();
            let mut lines: Vec<&str> = text.split('\n').collect();
            if lines.last() == Some(&"") {
                lines.pop();
            }
            let expected: Vec<Vec<&[u8]>> =
                lines.iter().map(|line| line.split('\t').map(str::as_bytes).collect()).collect();
            prop_assert_eq!(&rows(bytes), &expected);
            let (mut split, mut fields, mut found) = (CopyRows::new(bytes), Vec::new(), Vec::new());
            while let Some(row) = split.next_row(&mut fields) {
                prop_assert!(!bytes[row].contains(&b'\n'));
                found.push(fields.iter().map(|range| &bytes[range.clone()]).collect::<Vec<_>>());
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn ends_are_found_wherever_a_step_begins_or_stops() {
        // Hits at every distance from the borders of a step, against a plain search.
        for length in 0..200 {
            for every in [1, 2, 7, 63, 64, 65] {
                let bytes = bytes_with_ends(length, every);
                let expected: Vec<usize> = (0..length).filter(|i| i % every == 0).collect();
                assert_eq!(
                    Ends::new(&bytes).collect::<Vec<_>>(),
                    expected,
                    "{length} bytes, every {every}"
                );
            }
        }
    }
}
