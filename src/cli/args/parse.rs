//! Values of options: what a user writes, and what it stands for.

use std::num::NonZeroU32;
use std::time::Duration;

/// A time such as `500ms`, `30s`, `10min` or `1h`; `0` is none.
pub fn time(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a time as 500ms, 30s, 10min or 1h, or 0";
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milliseconds: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "" if digits == "0" => 1,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(milliseconds)
        // PostgreSQL keeps milliseconds in 31 bits.
        .filter(|milliseconds| *milliseconds <= i32::MAX as u64)
        .map(Duration::from_millis)
        .ok_or_else(|| "the time is longer than a server can wait (24 days)".to_owned())
}

/// A number of records.
pub fn batch_size(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| format!("a batch has from 1 to {} records", u32::MAX))
}

/// A change in per cent.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse() {
        Ok(percent) if (0.0..=1_000_000.0).contains(&percent) => Ok(percent),
        _ => Err("write a change as 5 or 2.5, in per cent".to_owned()),
    }
}

/// A version as destinations take it: three numbers, and what else belongs to it.
pub fn version(text: &str) -> Result<String, String> {
    let mut numbers = text.splitn(3, '.').map(|part| {
        let end = part.find(|letter: char| !letter.is_ascii_digit());
        (end.unwrap_or(part.len()), end)
    });
    let is_number = |part: Option<(usize, Option<usize>)>, last: bool| {
        part.is_some_and(|(digits, end)| digits > 0 && (last || end.is_none()))
    };
    let is_version = text.len() <= 64
        && is_number(numbers.next(), false)
        && is_number(numbers.next(), false)
        && is_number(numbers.next(), true)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    match is_version {
        true => Ok(text.to_owned()),
        false => Err("write a version as 17.8.1-ee".to_owned()),
    }
}

/// A size such as `512MiB`, `2G` or `1000000` (bytes).
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return Err("write a size as 512MiB, 2GiB or a number of bytes".to_owned()),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "write a size as 512MiB, 2GiB or a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "the size is too large".to_owned())
}
