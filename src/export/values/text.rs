//! Text: COPY's escapes become JSON's, block by block.
//!
//! Strings are escaped as GitLab escapes them (Rails with `escape_html_entities_in_json`): `"` and
//! `\` by a backslash, `\b \t \n \f \r`, other bytes below 0x20 as `\u00xx`, and `< > &` U+2028
//! U+2029 as `\uxxxx`, all in lower-case hex. Everything else is raw UTF-8, 0x7f and `/` too.
//!
//! COPY's `\\ \b \f \n \r \t` are JSON's escapes byte for byte, so a field is copied as it stands
//! from one byte that needs an escape to the next. Only octal, hex and odd escapes, which
//! PostgreSQL reads but does not write, make it decode the field first.

use fearless_simd::{Level, dispatch, prelude::*, u8x32};

use super::block::{BLOCK, Block, FieldOn, first_bits, not_ascii, push_part};
use super::{ValueError, decode_copy};
use crate::hex;

/// Nothing to be done: the byte stands for itself.
const PLAIN: u8 = 0;
/// The byte is written as `\u00xx`.
const HEX: u8 = 1;
/// [`SEPARATOR_LEAD`].
const SEPARATOR: u8 = 2;
/// A backslash.
const BACKSLASH: u8 = 3;
// Every other class is the letter of a two-byte escape.

/// The byte that U+2028 and U+2029 begin with, but other characters too.
const SEPARATOR_LEAD: u8 = 0xe2;

/// What each byte of a string needs.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [PLAIN; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = HEX;
        byte += 1;
    }
    classes[0x08] = b'b';
    classes[0x09] = b't';
    classes[0x0a] = b'n';
    classes[0x0c] = b'f';
    classes[0x0d] = b'r';
    classes[b'"' as usize] = b'"';
    classes[b'\\' as usize] = BACKSLASH;
    classes[b'<' as usize] = HEX;
    classes[b'>' as usize] = HEX;
    classes[b'&' as usize] = HEX;
    classes[SEPARATOR_LEAD as usize] = SEPARATOR;
    classes
}

/// Appends text without COPY escapes as a JSON string, quotes included.
///
/// # Errors
/// [`ValueError::InvalidUtf8`]; `out` is then as it was.
pub fn write_json_string(decoded: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let text = std::str::from_utf8(decoded).map_err(|error| ValueError::InvalidUtf8 {
        at: error.valid_up_to(),
    })?;
    write_json_str(text, out);
    Ok(())
}

/// Appends text as a JSON string, quotes included: names of keys and of enum values.
pub fn write_json_str(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text.as_bytes(), out);
    out.push(b'"');
}

/// Appends a COPY text field, which is not NULL, as a JSON string.
///
/// # Errors
/// [`ValueError::InvalidUtf8`], [`ValueError::UnfinishedEscape`] and [`ValueError::ZeroByte`]; `out` is then as it was.
#[inline]
pub(super) fn write_copy(field: FieldOn<'_>, out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    out.push(b'"');
    match append::<true>(field, out) {
        // Most text is ASCII, which needs no second look.
        Appended::Ascii => {
            out.push(b'"');
            Ok(())
        }
        Appended::Other if std::str::from_utf8(field.field()).is_ok() => {
            out.push(b'"');
            Ok(())
        }
        // A field that is not UTF-8 as it stands may still be once its hex escapes are undone.
        Appended::Other | Appended::Undecoded => {
            out.truncate(start);
            write_json_string(&decode_copy(field.field())?, out)
        }
    }
}

/// Appends the inside of a JSON string for valid UTF-8.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    append::<false>(FieldOn::from(text), out);
}

/// What the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Appended {
    /// Nothing but ASCII.
    Ascii,
    /// It has other bytes, which may or may not be UTF-8.
    Other,
    /// It has an escape of COPY's that JSON does not know: it must be decoded first, and was written in part.
    Undecoded,
}

/// Appends the inside of a JSON string; with `COPY`, from COPY's text form.
///
/// A block is copied as it stands. Where a byte of it needs an escape, what was copied from there on is taken back, and the
/// next block begins behind that byte.
#[inline]
fn append<const COPY: bool>(field: FieldOn<'_>, out: &mut Vec<u8>) -> Appended {
    let text = field.field();
    // What is to be escaped makes it longer, and the last block is cut off again.
    out.reserve(text.len() + BLOCK);
    let (mut at, mut other) = (0, 0);
    while at < text.len() {
        let block = &field.block(at);
        let length = BLOCK.min(text.len() - at);
        let own = first_bits(length);
        other |= not_ascii(block) & own;
        push_part(block, length, out);
        let mut specials = specials(block) & own;
        let end = at + length;
        let mut next = end;
        while specials != 0 {
            let bit = specials.trailing_zeros() as usize;
            let place = at + bit;
            // Bytes from here on that stand as they are after all.
            let kept = match &text[place..] {
                [b'\\', b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] if COPY => 2,
                [SEPARATOR_LEAD, 0x80, 0xa8 | 0xa9, ..] => 0,
                [SEPARATOR_LEAD, ..] => 1,
                _ => 0,
            };
            if kept == 0 {
                out.truncate(out.len() - (end - place));
                let Some(length) = push_escape::<COPY>(&text[place..], out) else {
                    return Appended::Undecoded;
                };
                next = place + length;
                break;
            }
            if place + kept > end {
                // The second half of an escape is in the next block.
                out.truncate(out.len() - 1);
                next = place;
                break;
            }
            // Both bytes of an escape, the second of which may be a backslash.
            specials &= !(((1 << kept) - 1) << bit);
        }
        at = next;
    }
    match other {
        0 => Appended::Ascii,
        _ => Appended::Other,
    }
}

/// How many bytes of valid UTF-8 from the start can be copied as they stand.
pub(super) fn run_length(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += plain_length(&text[at..]);
        match &text[at..] {
            [SEPARATOR_LEAD, 0x80, 0xa8 | 0xa9, ..] => return at,
            [SEPARATOR_LEAD, ..] => at += 1,
            _ => return at,
        }
    }
}

/// How many bytes from the start stand for themselves.
fn plain_length(text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (position, block) in blocks.iter().enumerate() {
        let specials = specials(block);
        if specials != 0 {
            return position * BLOCK + specials.trailing_zeros() as usize;
        }
    }
    let is_special = |byte: &u8| CLASSES[usize::from(*byte)] != PLAIN;
    let in_rest = rest.iter().position(is_special);
    text.len() - rest.len() + in_rest.unwrap_or(rest.len())
}

/// A bit for each byte of a block whose class is not [`PLAIN`].
#[inline(always)]
fn specials(block: &Block) -> u32 {
    dispatch!(Level::baseline(), simd => {
        let bytes = u8x32::simd_from(simd, *block);
        let control = bytes.simd_lt(0x20);
        // Two bytes that differ in one bit are compared at once.
        let quote_and = (bytes | (b'"' ^ b'&')).simd_eq(b'&');
        let angles = (bytes | (b'<' ^ b'>')).simd_eq(b'>');
        let others = bytes.simd_eq(b'\\') | bytes.simd_eq(SEPARATOR_LEAD);
        (control | quote_and | angles | others).to_bitmask() as u32
    })
}

/// Appends the escape of what `text` begins with, which is no [`PLAIN`] byte that can be kept; returns how many bytes of
/// `text` it stands for, or `None` if it must be decoded.
#[inline]
fn push_escape<const COPY: bool>(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let byte = text[0];
    match (CLASSES[usize::from(byte)], text) {
        (BACKSLASH, [_, b'v', ..]) if COPY => {
            out.extend_from_slice(br"\u000b");
            return Some(2);
        }
        (BACKSLASH, _) if COPY => return None,
        (BACKSLASH, _) => out.extend_from_slice(br"\\"),
        (SEPARATOR, [_, _, last, ..]) => {
            // U+2028 ends with 0xa8, U+2029 with 0xa9.
            out.extend_from_slice(&[b'\\', b'u', b'2', b'0', b'2', last ^ (0xa8 ^ b'8')]);
            return Some(3);
        }
        (PLAIN | HEX | SEPARATOR, _) => {
            let [high, low] = hex::digits(byte);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
        (letter, _) => out.extend_from_slice(&[b'\\', letter]),
    }
    Some(1)
}

#[cfg(test)]
mod tests;
