//! Numbers: integers, numeric, double precision and real.

use std::borrow::Cow;

/// Digits that a numeric may have before its point and behind it.
const MOST_WHOLE: i64 = 131_072;
const MOST_FRACTION: i64 = 16_383;

/// An integer of 64 bits. Signs and zeros in front may stand there.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    // Unlike a number in Rust, it may have blanks around it.
    str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// An integer without zeros in front and without `+`.
pub(super) fn canonical_integer(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [b'1'..=b'9', rest @ ..] => rest.len() < 18 && rest.iter().all(u8::is_ascii_digit),
        _ => text == b"0",
    };
    if is_canonical {
        return Some(Cow::Borrowed(text));
    }
    Some(Cow::Owned(integer(text)?.to_string().into_bytes()))
}

pub(super) fn encode_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value ^ i64::MIN).to_be_bytes());
}

/// A numeric with no more digits than it needs and without an exponent: `-12.5`, `NaN`, `Infinity`, `-Infinity`.
pub(super) fn canonical_numeric(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_canonical_numeric(text) {
        return Some(Cow::Borrowed(text));
    }
    let text = text.trim_ascii();
    if let Some(special) = special(text) {
        return Some(Cow::Borrowed(special));
    }
    let (is_negative, number) = match text {
        [b'-', number @ ..] => (true, number),
        [b'+', number @ ..] => (false, number),
        number => (false, number),
    };
    let (number, exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&number[..at], exponent(&number[at + 1..])?),
        None => (number, 0),
    };
    let (whole, fraction) = match memchr::memchr(b'.', number) {
        Some(at) => (&number[..at], &number[at + 1..]),
        None => (number, &number[number.len()..]),
    };
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let Some(first) = digits.iter().position(|digit| *digit != b'0') else {
        return Some(Cow::Borrowed(b"0"));
    };
    let last = digits.iter().rposition(|digit| *digit != b'0')?;
    // Where the point stands, counted from the first digit that is not 0.
    let point = whole.len() as i64 + exponent - first as i64;
    let digits = &digits[first..=last];
    let length = digits.len() as i64;
    if point > MOST_WHOLE || length - point > MOST_FRACTION {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() + 2 + point.unsigned_abs() as usize);
    if is_negative {
        out.push(b'-');
    }
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + point.unsigned_abs() as usize, b'0');
        out.extend_from_slice(digits);
    } else if point >= length {
        out.extend_from_slice(digits);
        out.resize(out.len() + (point - length) as usize, b'0');
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    Some(Cow::Owned(out))
}

/// True for most numerics as PostgreSQL writes them; all that are canonical but infinities and NaN.
fn is_canonical_numeric(text: &[u8]) -> bool {
    if text == b"0" {
        return true;
    }
    let number = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, fraction) = match memchr::memchr(b'.', number) {
        Some(at) => (&number[..at], Some(&number[at + 1..])),
        None => (number, None),
    };
    let is_whole = match whole {
        [b'0'] => fraction.is_some(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let is_fraction = fraction.is_none_or(|fraction| {
        fraction.iter().all(u8::is_ascii_digit) && fraction.last().is_some_and(|last| *last != b'0')
    });
    is_whole
        && is_fraction
        && whole.len() as i64 <= MOST_WHOLE
        && fraction.map_or(0, <[u8]>::len) as i64 <= MOST_FRACTION
}

/// The exponent of a number. One beyond what numerics can have is as good as any other that is.
fn exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
    let digits = digits.unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |sum, digit| {
        (10 * sum + i64::from(digit - b'0')).min(i64::from(i32::MAX))
    });
    Some(if text.starts_with(b"-") {
        -value
    } else {
        value
    })
}

/// The canonical name of what is a numeric or a float and no number.
fn special(text: &[u8]) -> Option<&'static [u8]> {
    let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
    if is(b"nan") {
        Some(b"NaN")
    } else if is(b"infinity") || is(b"inf") || is(b"+infinity") || is(b"+inf") {
        Some(b"Infinity")
    } else if is(b"-infinity") || is(b"-inf") {
        Some(b"-Infinity")
    } else {
        None
    }
}

/// Appends a canonical numeric: a byte for where it stands among negative and positive numbers, then where its point stands,
/// then its digits, two to a byte, then an end. Those of negative ones are turned round.
pub(super) fn encode_numeric(canonical: &[u8], out: &mut Vec<u8>) {
    let (sign, number) = match canonical {
        b"-Infinity" => (0, None),
        b"0" => (2, None),
        b"Infinity" => (4, None),
        b"NaN" => (5, None),
        [b'-', number @ ..] => (1, Some(number)),
        number => (3, Some(number)),
    };
    out.push(sign);
    let Some(number) = number else {
        return;
    };
    let start = out.len();
    let whole = memchr::memchr(b'.', number).unwrap_or(number.len());
    let first = number
        .iter()
        .position(|byte| matches!(byte, b'1'..=b'9'))
        .unwrap_or_default();
    // 12.5: 2; 0.5: 0; 0.05: -1.
    let point = match first < whole {
        true => (whole - first) as i32,
        false => (whole + 1) as i32 - first as i32,
    };
    out.extend_from_slice(&((point as u32) ^ 1 << 31).to_be_bytes());
    let digits = number[first..].iter().filter(|byte| **byte != b'.');
    let mut digits = digits.map(|digit| digit - b'0').peekable();
    let mut last = out.len();
    while let Some(tens) = digits.next() {
        let pair = 10 * tens + digits.next().unwrap_or_default();
        out.push(pair + 1);
        // Zeros at the end of a whole number say nothing that the point does not say.
        if pair > 0 {
            last = out.len();
        }
    }
    out.truncate(last);
    out.push(0);
    if sign == 1 {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

/// A number in double precision. Numbers beyond it are an error to PostgreSQL, and `None` here.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let value: f64 = float_word(text)?.parse().ok()?;
    is_in_range(text, value.is_infinite(), value == 0.0).then_some(value)
}

/// A number in single precision, widened. It is not read as a double first, which would round it twice.
pub(super) fn real(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let value: f32 = float_word(text)?.parse().ok()?;
    is_in_range(text, value.is_infinite(), value == 0.0).then_some(f64::from(value))
}

fn float_word(text: &[u8]) -> Option<&str> {
    str::from_utf8(special(text).unwrap_or(text)).ok()
}

fn is_in_range(text: &[u8], is_infinite: bool, is_zero: bool) -> bool {
    if is_infinite {
        return special(text).is_some();
    }
    let mut digits = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    !is_zero || !digits.any(|digit| matches!(digit, b'1'..=b'9'))
}

/// The shortest text of a number in double precision.
pub(super) fn float_text(value: f64) -> Vec<u8> {
    let text = if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else if value == 0.0 {
        "0".to_owned()
    } else if (1e-5..1e15).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    };
    text.into_bytes()
}

pub(super) fn encode_float(value: f64, out: &mut Vec<u8>) {
    let bits = if value.is_nan() {
        f64::NAN.to_bits() & !(1 << 63)
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    };
    let ordered = match bits >> 63 {
        0 => bits ^ 1 << 63,
        _ => !bits,
    };
    out.extend_from_slice(&ordered.to_be_bytes());
}
