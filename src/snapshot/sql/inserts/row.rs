//! A row of an INSERT statement: its values, which become COPY text.

use crate::snapshot::codec::copy_text;
use crate::snapshot::sql::text::{continued, dollar_quoted, skip_blank, unicode, unquote};

const NO_LITERAL: &str = "a value is not a literal";
const NO_END: &str = "a string does not end";

/// Appends a row `(…)` as a row of COPY text.
///
/// `generated` tells for every field whether its column is generated: such a field must be
/// `DEFAULT` and is left out.
///
/// # Errors
/// What is wrong with the row. Part of it may have been appended.
pub(crate) fn row(
    text: &[u8],
    generated: &[bool],
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let mut place = 0;
    let mut first = true;
    for (index, generated) in generated.iter().enumerate() {
        let separator = if index == 0 { b'(' } else { b',' };
        if text.get(place) != Some(&separator) {
            return Err("the row has too few values, or one that is not a literal");
        }
        place = skip_blank(text, place + 1);
        if *generated {
            let end = bare_end(text, place);
            if !text[place..end].eq_ignore_ascii_case(b"default") {
                return Err("a generated column has a value");
            }
            place = end;
        } else {
            if !first {
                out.push(b'\t');
            }
            first = false;
            place = value(text, place, escapes_everywhere, out)?;
        }
        place = skip_blank(text, place);
    }
    if text.get(place) != Some(&b')') {
        return Err("the row has too many values, or one that is not a literal");
    }
    out.push(b'\n');
    Ok(())
}

/// The end of a value without quotes.
fn bare_end(text: &[u8], place: usize) -> usize {
    let rest = &text[place..];
    let mut length = 0;
    while let Some(byte) = rest.get(length) {
        if b",() \t\r\n\x0c'".contains(byte)
            || rest[length..].starts_with(b"--")
            || rest[length..].starts_with(b"/*")
        {
            break;
        }
        length += 1;
    }
    place + length
}

/// Appends one value as a field of COPY text and gives the position after it.
fn value(
    text: &[u8],
    place: usize,
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    if text.get(place) == Some(&b'\'') && !escapes_everywhere {
        return string(text, place + 1, out);
    }
    if text.get(place) == Some(&b'$') {
        let (content, end) = dollar_quoted(text, place).ok_or(NO_LITERAL)?;
        copy_text::encode(content, out);
        return Ok(end);
    }
    let end = bare_end(text, place);
    let bare = &text[place..end];
    if text.get(end) == Some(&b'\'') {
        return prefixed(text, bare, end + 1, escapes_everywhere, out);
    }
    match bare {
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => number(bare, out)?,
        _ if bare.eq_ignore_ascii_case(b"null") => out.extend_from_slice(b"\\N"),
        _ if bare.eq_ignore_ascii_case(b"true") => out.push(b't'),
        _ if bare.eq_ignore_ascii_case(b"false") => out.push(b'f'),
        _ if bare.eq_ignore_ascii_case(b"default") => {
            return Err("a value is DEFAULT, which only the database could fill in");
        }
        _ => return Err(NO_LITERAL),
    }
    Ok(end)
}

/// Appends a string before whose quote letters stand that say how to read it. `place` is that of its content.
fn prefixed(
    text: &[u8],
    prefix: &[u8],
    place: usize,
    escapes_everywhere: bool,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    let is = |name: &[u8]| prefix.eq_ignore_ascii_case(name);
    let (nibbles, code_points) = (is(b"x"), is(b"u&"));
    let escapes = is(b"e") || (is(b"") && escapes_everywhere);
    if !(escapes || nibbles || code_points || is(b"b") || is(b"n")) {
        return Err(NO_LITERAL);
    }
    let (mut value, mut end) = unquote(text, place, b'\'', escapes);
    while let Some(next) = continued(text, end) {
        let (more, after) = unquote(text, next, b'\'', escapes);
        value.extend_from_slice(&more);
        end = after;
    }
    if nibbles {
        // What the server shows of a bit string is its bits.
        for digit in &value {
            let digit = char::from(*digit)
                .to_digit(16)
                .ok_or("a bit string has other digits")?;
            out.extend_from_slice(format!("{digit:04b}").as_bytes());
        }
    } else if code_points {
        // Behind it `UESCAPE` may name another letter than the backslash; that is then no end of a value.
        let value = unicode(&value).ok_or("a string U&'…' has an escape that is none")?;
        copy_text::encode(&value, out);
    } else {
        copy_text::encode(&value, out);
    }
    Ok(end)
}

/// Appends a number in plain notation as the server shows it: no plus sign, no zeros in front, a digit before the point.
fn number(bare: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let (sign, rest) = match bare {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        [b'+', rest @ ..] => (&b""[..], rest),
        rest => (&b""[..], rest),
    };
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(rest);
    let (whole, mut after) = rest.split_at(whole);
    let mut any = !whole.is_empty();
    if let [b'.', fraction @ ..] = after {
        let length = digits(fraction);
        any |= length > 0;
        after = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = after {
        let exponent = match exponent {
            [b'-' | b'+', exponent @ ..] => exponent,
            exponent => exponent,
        };
        let length = digits(exponent);
        after = &exponent[length..];
        any &= length > 0;
    }
    if !any || !after.is_empty() {
        return Err(NO_LITERAL);
    }
    let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
    let kept = &whole[zeros..];
    if rest.iter().any(|byte| matches!(byte, b'1'..=b'9')) {
        out.extend_from_slice(sign);
    }
    match kept {
        [] => out.push(b'0'),
        kept => out.extend_from_slice(kept),
    }
    match &rest[whole.len()..] {
        [b'.', after @ ..] if !after.first().is_some_and(u8::is_ascii_digit) => {
            out.extend_from_slice(after);
        }
        after => out.extend_from_slice(after),
    }
    Ok(())
}

/// Appends a plain string whose content begins at `place`: the usual case, without a copy of its own.
fn string(text: &[u8], mut place: usize, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    loop {
        let found = memchr::memchr(b'\'', &text[place..]).ok_or(NO_END)?;
        copy_text::encode(&text[place..place + found], out);
        place += found + 1;
        match text.get(place) {
            Some(b'\'') => {
                out.push(b'\'');
                place += 1;
            }
            Some(b',' | b')') => return Ok(place),
            _ => match continued(text, place) {
                Some(next) => place = next,
                None => return Ok(place),
            },
        }
    }
}
