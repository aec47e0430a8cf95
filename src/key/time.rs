//! Dates and timestamps, from PostgreSQL's ISO form.
//!
//! pg_dump sets `DateStyle = ISO`, so a value is `2024-01-02 03:04:05.678901`, for a timestamptz with an offset (`+00`, `-03:30`,
//! `+00:19:32`), and with ` BC` at its end for years before 1. A CSV file may have a `T` between date and time, zeros at the
//! end of the fraction, and `Z` for UTC. What needs the settings of a session (other date styles, names of zones, a
//! timestamptz without an offset) is no value here.

use crate::civil::{self, CivilDate, SECONDS_PER_DAY, split_bc, write_time_of_day};

/// Microseconds of a second, and of a day.
const MICROS: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS;

/// The hours of the largest offset that PostgreSQL reads (MAX_TZDISP_HOUR).
const LARGEST_OFFSET_HOUR: i64 = 15;

/// The days of the infinities, which no date has.
const BEFORE_ALL: i32 = i32::MIN;
const AFTER_ALL: i32 = i32::MAX;

/// 294276-12-31, the last day of PostgreSQL's timestamps.
const LAST_OF_TIMESTAMPS: i32 = 106_762_939;

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(i32);

/// A day and the microseconds since its midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    day: Day,
    micros: i64,
}

/// A date. A time of day, which PostgreSQL would cut, makes it none.
pub(super) fn date(text: &[u8]) -> Option<Day> {
    let text = text.trim_ascii();
    if let Some(day) = infinity(text) {
        return Some(day);
    }
    let (text, is_bc) = split_bc(text);
    let (day, rest) = day(text, is_bc)?;
    rest.is_empty().then_some(day)
}

/// A timestamp, or a date at its midnight.
pub(super) fn timestamp(text: &[u8]) -> Option<Moment> {
    let (moment, rest) = moment(text.trim_ascii())?;
    rest.is_empty().then_some(moment)
}

/// False for the midnight of a date that is later than any timestamp.
pub(super) fn is_a_timestamp(moment: Moment) -> bool {
    moment.day.0 <= LAST_OF_TIMESTAMPS || moment.day.0 == AFTER_ALL
}

/// A timestamptz in UTC.
pub(super) fn timestamp_tz(text: &[u8]) -> Option<Moment> {
    let (moment, rest) = moment(text.trim_ascii())?;
    if matches!(moment.day.0, BEFORE_ALL | AFTER_ALL) {
        return rest.is_empty().then_some(moment);
    }
    let micros = moment.micros - offset(rest)? * MICROS;
    let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?;
    Some(Moment {
        day: Day(moment.day.0.checked_add(days)?),
        micros: micros.rem_euclid(MICROS_PER_DAY),
    })
}

pub(super) fn date_text(day: Day) -> Vec<u8> {
    if let Some(name) = infinity_name(day) {
        return name.to_vec();
    }
    let mut out = Vec::with_capacity(10);
    let is_bc = push_date(day, &mut out);
    if is_bc {
        out.extend_from_slice(b" BC");
    }
    out
}

pub(super) fn moment_text(moment: Moment, zone: &[u8]) -> Vec<u8> {
    if let Some(name) = infinity_name(moment.day) {
        return name.to_vec();
    }
    let mut out = Vec::with_capacity(29);
    let is_bc = push_date(moment.day, &mut out);
    out.push(b' ');
    // Below the seconds of a day.
    write_time_of_day((moment.micros / MICROS) as u32, &mut out);
    let fraction = moment.micros % MICROS;
    if fraction != 0 {
        let digits = format!(".{fraction:06}");
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
    out.extend_from_slice(zone);
    if is_bc {
        out.extend_from_slice(b" BC");
    }
    out
}

pub(super) fn encode_date(day: Day, out: &mut Vec<u8>) {
    out.extend_from_slice(&(day.0 ^ i32::MIN).to_be_bytes());
}

pub(super) fn encode_moment(moment: Moment, out: &mut Vec<u8>) {
    encode_date(moment.day, out);
    // Microseconds of a day have 37 bits.
    out.extend_from_slice(&moment.micros.to_be_bytes()[3..]);
}

fn infinity(text: &[u8]) -> Option<Day> {
    if text.eq_ignore_ascii_case(b"infinity") || text.eq_ignore_ascii_case(b"+infinity") {
        Some(Day(AFTER_ALL))
    } else if text.eq_ignore_ascii_case(b"-infinity") {
        Some(Day(BEFORE_ALL))
    } else {
        None
    }
}

fn infinity_name(day: Day) -> Option<&'static [u8]> {
    match day.0 {
        AFTER_ALL => Some(b"infinity"),
        BEFORE_ALL => Some(b"-infinity"),
        _ => None,
    }
}

/// Appends a date with a year as people count them; true for one before 1.
fn push_date(day: Day, out: &mut Vec<u8>) -> bool {
    let date = CivilDate::from_days(i64::from(day.0));
    let is_bc = date.year < 1;
    let year = if is_bc { 1 - date.year } else { date.year };
    CivilDate { year, ..date }.write(out);
    is_bc
}

/// Reads a date and gives back what follows it.
fn day(text: &[u8], is_bc: bool) -> Option<(Day, &[u8])> {
    let (date, rest) = CivilDate::read(text, is_bc)?;
    let days = i32::try_from(date.to_days()).ok()?;
    Some((Day(days), rest))
}

/// Reads a date and a time, or a date alone, and gives back what stands between them and ` BC`.
fn moment(text: &[u8]) -> Option<(Moment, &[u8])> {
    if let Some(day) = infinity(text) {
        return Some((Moment { day, micros: 0 }, b""));
    }
    let (text, is_bc) = split_bc(text);
    let (day, rest) = day(text, is_bc)?;
    let [b' ' | b'T', time @ ..] = rest else {
        return Some((Moment { day, micros: 0 }, rest));
    };
    let (hour, minute, rest) = match time {
        [h1, h2, b':', m1, m2, rest @ ..] => (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?, rest),
        _ => return None,
    };
    let (second, fraction, rest) = match rest {
        [b':', s1, s2, b'.', rest @ ..] => {
            let (fraction, rest) = fraction(rest)?;
            (two_digits(*s1, *s2)?, fraction, rest)
        }
        [b':', s1, s2, rest @ ..] => (two_digits(*s1, *s2)?, 0, rest),
        rest => (0, 0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = (hour * 3600 + minute * 60 + second) * MICROS + fraction;
    Some((Moment { day, micros }, rest))
}

/// Microseconds, from up to six digits. More would have to be rounded as PostgreSQL does it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = text.split_at(digits);
    let kept = fraction.len().min(6);
    let (fraction, beyond) = fraction.split_at(kept);
    if beyond.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let value = fraction
        .iter()
        .fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'));
    Some((value * 10_i64.pow(6 - kept as u32), rest))
}

/// Seconds that an offset is ahead of UTC: `Z`, `+02`, `-03:30`, `+0530`, `+00:19:32`.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.trim_ascii_start() {
        b"Z" | b"z" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hour, minute, second) = match digits {
        [h1, h2] => (two_digits(*h1, *h2)?, 0, 0),
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => {
            (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?, 0)
        }
        [h1, h2, b':', m1, m2, b':', s1, s2] => (
            two_digits(*h1, *h2)?,
            two_digits(*m1, *m2)?,
            two_digits(*s1, *s2)?,
        ),
        _ => return None,
    };
    (hour <= LARGEST_OFFSET_HOUR && minute < 60 && second < 60)
        .then_some(sign * (hour * 3600 + minute * 60 + second))
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    civil::read_two_digits(tens, ones).map(i64::from)
}
