//! Dates and times without quotes, which Ruby reads as such and Rails writes in its own form.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern;
use crate::civil::CivilDate;

const SECONDS_PER_DAY: u32 = 86_400;

/// The text that Rails writes for a date (`2024-01-02`) or a time (`2024-01-02T03:04:05.678Z`, or with its own offset);
/// `None` for texts that are neither.
///
/// A time without an offset is in the server's time zone, for which UTC is taken.
pub(super) fn read(text: &str) -> Option<String> {
    let patterns = &*PATTERNS;
    if let Some(parts) = patterns.date.captures(text) {
        let (_, [year, month, day]) = parts.extract();
        let date = CivilDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
        return Some(written(date));
    }
    let parts = patterns.time.captures(text)?;
    let number = |name| -> Option<u32> { parts.name(name)?.as_str().parse().ok() };
    let (hour, minute, second) = (number("hour")?, number("minute")?, number("second")?);
    let is_midnight = hour == 24 && minute == 0 && second == 0;
    if (hour > 23 && !is_midnight) || minute > 59 || second > 60 {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    // Ruby lets the 31st of April be the 1st of May.
    let day = number("day").filter(|day| (1..=31).contains(day))?;
    let first = CivilDate::new(number("year")?.into(), number("month")?.try_into().ok()?, 1)?;
    let days = first.to_days() + i64::from(day - 1) + i64::from(seconds / SECONDS_PER_DAY);
    let date = written(CivilDate::from_days(days));
    let seconds = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Rails cuts what is below a millisecond.
    let fraction = parts
        .name("fraction")
        .map_or("", |fraction| fraction.as_str());
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let offset = read_offset(parts.name("offset").map_or("", |offset| offset.as_str()))?;
    Some(format!(
        "{date}T{hour:02}:{minute:02}:{second:02}.{millis}{offset}"
    ))
}

/// `Z` as it is, `-3` and `-0330` as `-03:00` and `-03:30`; `None` beyond a day, which Ruby refuses.
fn read_offset(text: &str) -> Option<String> {
    let sign = match text.chars().next() {
        None => '+',
        Some('Z') => return Some("Z".to_owned()),
        Some(sign) => sign,
    };
    let digits = text.trim_start_matches(['+', '-']);
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None => digits.split_at(digits.len().min(2)),
    };
    let number = |digits: &str| -> Option<u32> {
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse().ok()
        }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

fn written(date: CivilDate) -> String {
    let mut text = Vec::new();
    date.write(&mut text);
    text.into_iter().map(char::from).collect()
}

struct Patterns {
    date: Regex,
    time: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    date: pattern(r"\A([0-9]{4})-(1[012]|0[0-9]|[0-9])-([12][0-9]|3[01]|0[0-9]|[0-9])\z"),
    time: pattern(concat!(
        r"\A(?<year>[0-9]{4})-(?<month>[0-9]{1,2})-(?<day>[0-9]{1,2})",
        r"(?:[Tt]|[ \t]+)(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})",
        r"(?:\.(?<fraction>[0-9]*))?(?:[ \t]*(?<offset>Z|[-+][0-9]{1,2}:?(?:[0-9]{2})?))?\z",
    )),
});
