//! Scalars: which texts are numbers, truths, times or symbols to Ruby.
//!
//! The patterns are those of Psych's `ScalarScanner` (Ruby 3.1 to 3.4), which are neither YAML 1.1's nor 1.2's.

use std::sync::LazyLock;

use regex::Regex;

use super::super::Unreadable;
use super::super::base64::decode_lenient;
use super::super::tree::Value;
use super::{YAML, moment, pattern};

/// The value of a scalar with its tag, which is one of YAML's own or of Ruby's for texts and symbols.
///
/// # Errors
/// The tag is another one, or the text is not what it says.
pub(super) fn read(text: &str, quoted: bool, tag: Option<&str>) -> Result<Value, Unreadable> {
    let Some(tag) = tag else {
        return if quoted {
            Ok(Value::Text(text.to_owned()))
        } else {
            read_plain(text)
        };
    };
    match (tag.strip_prefix(YAML), tag) {
        (Some("str"), _) | (None, "!str" | "!ruby/string" | "!ruby/sym" | "!ruby/symbol") => {
            Ok(Value::Text(text.to_owned()))
        }
        (Some("binary"), _) | (None, "!binary") => {
            let bytes = decode_lenient(text).ok_or(Unreadable::BadScalar)?;
            let text = String::from_utf8(bytes).map_err(|_| Unreadable::BadScalar)?;
            Ok(Value::Text(text))
        }
        (Some("float"), _) | (None, "!float") => read_float(text),
        // Behind a tag Psych does not look at quotes: `! '12'` is a number, and so Ruby writes some symbols.
        (Some("int" | "bool" | "null" | "timestamp"), _) | (None, "!") => read_plain(text),
        _ => Err(Unreadable::ForeignTag),
    }
}

/// The value of a scalar without quotes.
fn read_plain(text: &str) -> Result<Value, Unreadable> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if text == "~" || is_one_of(&["null"]) {
        return Ok(Value::Null);
    }
    if is_one_of(&["yes", "true", "on"]) {
        return Ok(Value::Boolean(true));
    }
    if is_one_of(&["no", "false", "off"]) {
        return Ok(Value::Boolean(false));
    }
    // Infinities and NaN, which JSON does not have.
    if is_one_of(&[".inf", "+.inf", "-.inf", ".nan"]) {
        return Ok(Value::Null);
    }
    let is_text = text.contains('\n')
        || !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ':' | '-' | '+'));
    if is_text {
        return Ok(Value::Text(text.to_owned()));
    }
    if let Some(moment) = moment::read(text) {
        return Ok(Value::Text(moment));
    }
    if let Some(symbol) = text.strip_prefix(':').filter(|symbol| !symbol.is_empty()) {
        return Ok(Value::Text(unquoted(symbol).to_owned()));
    }
    Ok(read_number(text)?.unwrap_or_else(|| Value::Text(text.to_owned())))
}

/// A symbol in quotes without them: `:"a b"` is `a b`.
fn unquoted(symbol: &str) -> &str {
    let inside = ['"', '\''].iter().find_map(|quote| {
        let inside = symbol.strip_prefix(*quote)?;
        inside.rsplit_once(*quote).map(|(inside, _)| inside)
    });
    match inside {
        Some(inside) => inside.strip_prefix(':').unwrap_or(inside),
        None => symbol,
    }
}

/// The number that a text is, if it is one.
fn read_number(text: &str) -> Result<Option<Value>, Unreadable> {
    let patterns = &*PATTERNS;
    let is_negative = text.starts_with('-');
    if patterns.sixties.is_match(text) {
        let sum = read_sixties(text).ok_or(Unreadable::BadScalar)?;
        return Ok(Some(Value::Number(sum.to_string())));
    }
    if patterns.float_sixties.is_match(text) {
        let sum = read_float_sixties(text).ok_or(Unreadable::BadScalar)?;
        return Ok(Some(float(sum)));
    }
    if patterns.float.is_match(text) {
        let number = text.replace([',', '_'], "").parse();
        return Ok(Some(float(number.map_err(|_| Unreadable::BadScalar)?)));
    }
    if patterns.decimal.is_match(text) {
        let digits = text.replace(['+', '-', ',', '_'], "");
        return Ok(Some(whole(is_negative, &digits)));
    }
    let Some(parts) = patterns.in_base.captures(text) else {
        return Ok(None);
    };
    let bases = [("binary", 2), ("octal", 8), ("hex", 16)];
    let found = bases
        .iter()
        .find_map(|(name, base)| Some((parts.name(name)?, *base)));
    let Some((digits, base)) = found else {
        return Ok(None);
    };
    // Ruby's integers have no end; nobody writes one of more than 128 bits like this.
    let digits = digits.as_str().replace([',', '_'], "");
    let number = u128::from_str_radix(&digits, base).map_err(|_| Unreadable::BadScalar)?;
    Ok(Some(whole(is_negative, &number.to_string())))
}

/// A whole number from its decimal digits.
fn whole(is_negative: bool, digits: &str) -> Value {
    let sign = if is_negative && digits != "0" {
        "-"
    } else {
        ""
    };
    Value::Number(format!("{sign}{digits}"))
}

/// `1:30:15`, as Psych has it: the first number counts hours even if only two are there, and the sign is its alone.
fn read_sixties(text: &str) -> Option<i128> {
    let mut sum = 0i128;
    for (part, weight) in text.split(':').zip([3600, 60, 1]) {
        let part = part.replace('_', "");
        let number: i128 = part.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(weight)?)?;
    }
    Some(sum)
}

fn read_float_sixties(text: &str) -> Option<f64> {
    let mut sum = 0.0;
    for (part, weight) in text.split(':').zip([3600.0, 60.0, 1.0]) {
        let number: f64 = part.replace('_', "").parse().ok()?;
        sum += number * weight;
    }
    Some(sum)
}

/// A scalar that is said to be a float.
fn read_float(text: &str) -> Result<Value, Unreadable> {
    let digits = match read_plain(text)? {
        Value::Number(digits) => digits,
        // `1e3`, which is a text without the tag.
        Value::Text(text) if text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte)) => text,
        // An infinity or NaN.
        Value::Null if text.contains('.') => return Ok(Value::Null),
        _ => return Err(Unreadable::BadScalar),
    };
    digits.parse().map(float).map_err(|_| Unreadable::BadScalar)
}

/// A float with the digits that Ruby prints, which are JSON; infinities are null.
fn float(number: f64) -> Value {
    if !number.is_finite() {
        return Value::Null;
    }
    // The shortest digits that read back as the same number: `1.25e-7`.
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let written = match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..15).contains(&exponent) => {
            let fraction = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}{fraction}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{number:?}"),
    };
    Value::Number(written)
}

struct Patterns {
    sixties: Regex,
    float_sixties: Regex,
    float: Regex,
    decimal: Regex,
    in_base: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns {
        sixties: pattern(r"\A[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}\z"),
        float_sixties: pattern(r"\A[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}\.[0-9_]*\z"),
        // A lone dot is none.
        float: pattern(r"\A[-+]?([0-9][0-9_,]*\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?\z"),
        decimal: pattern(r"\A[-+]?(0|[1-9]([0-9]|,[0-9]|_[0-9])*)\z"),
        in_base: pattern(
            r"\A[-+]?0(b[_,]*(?<binary>[01][01_,]*)|[_,]*(?<octal>[0-7][0-7_,]*)|x[_,]*(?<hex>[0-9a-fA-F][0-9a-fA-F_,]*))\z",
        ),
    }
});
