//! timestamp, timestamptz and date, from PostgreSQL's ISO form.
//!
//! pg_dump sets `DateStyle = ISO`, so a value is `2024-01-02 03:04:05.678901`: a year of four or
//! more digits, a fraction of up to six digits that is left out where it is zero, then for a
//! timestamptz the offset (`+00`, `-03:30`, `+00:19:32`), then ` BC` for years before 1. A year 0
//! does not exist there; `infinity` and `-infinity` do.
//!
//! The usual form has three digits of the fraction, infinities as null, and a `Z` whatever the type; the exact form has
//! all six, infinities by name, and a `Z` only where the value is one of UTC.
//!
//! Fractions are cut, never rounded. An offset has whole seconds, so the fraction's digits are the
//! same in UTC and take no part in the arithmetic, on either side of 1970.

use super::ValueError;
use super::block::{Block, FieldOn, first_bits, outside};
use crate::civil::{CivilDate, SECONDS_PER_DAY, read_two_digits, split_bc, write_time_of_day};

/// Digits of a fraction in PostgreSQL.
const FRACTION: usize = 6;

/// The hours of the largest offset that PostgreSQL reads (MAX_TZDISP_HOUR).
const LARGEST_OFFSET_HOUR: u8 = 15;

/// Which of a value's parts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// As GitLab writes times.
    Usual,
    /// All that the database knows.
    Exact,
}

impl TimeForm {
    /// Digits of a fraction.
    fn digits(self) -> usize {
        match self {
            TimeForm::Usual => 3,
            TimeForm::Exact => FRACTION,
        }
    }

    fn write_infinity(self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let written: &[u8] = match (self, text) {
            (TimeForm::Usual, b"infinity" | b"-infinity") => b"null",
            (TimeForm::Exact, b"infinity") => b"\"infinity\"",
            (TimeForm::Exact, b"-infinity") => b"\"-infinity\"",
            _ => return false,
        };
        out.extend_from_slice(written);
        true
    }
}

/// Appends `"2021-05-04T11:25:20.423Z"`, or `"2021-05-04T11:25:20.423000"`.
pub(super) fn write_timestamp(
    text: &[u8],
    form: TimeForm,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    if form.write_infinity(text, out) {
        return Ok(());
    }
    let (moment, rest) = Moment::parse(text).ok_or(ValueError::NotATimestamp)?;
    if !rest.is_empty() {
        return Err(ValueError::NotATimestamp);
    }
    moment.write(form.digits(), form == TimeForm::Usual, out);
    Ok(())
}

/// As [`write_timestamp`], with the offset converted to UTC, and with a `Z`.
pub(super) fn write_timestamptz(
    text: &[u8],
    form: TimeForm,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    if form.write_infinity(text, out) {
        return Ok(());
    }
    let (moment, rest) = Moment::parse(text).ok_or(ValueError::NotATimestampTz)?;
    let offset = parse_offset(rest).ok_or(ValueError::NotATimestampTz)?;
    moment.to_utc(offset).write(form.digits(), true, out);
    Ok(())
}

/// Appends `"2021-05-04"`. Years and infinities are written as those of timestamps.
pub(super) fn write_date(text: &[u8], form: TimeForm, out: &mut Vec<u8>) -> Result<(), ValueError> {
    if form.write_infinity(text, out) {
        return Ok(());
    }
    let (text, bc) = split_bc(text);
    match CivilDate::read(text, bc) {
        Some((date, [])) => {
            out.push(b'"');
            date.write(out);
            out.push(b'"');
            Ok(())
        }
        _ => Err(ValueError::NotADate),
    }
}

/// Appends a timestamp in the usual form if it is one as most are: a year of four digits, not BC. With `in_utc`, a
/// timestamptz whose offset is `+00`. False, with nothing appended, for any other form of one, and for what is none.
#[inline]
pub(super) fn write_plain(field: FieldOn<'_>, in_utc: bool, out: &mut Vec<u8>) -> bool {
    let block = &field.block(0);
    let written = plain(block, field.len(), in_utc);
    if let Some(written) = &written {
        out.extend_from_slice(written);
    }
    written.is_some()
}

/// The lowest byte at each place of a timestamp.
const LOWEST: Block = *b"0000-00-00 00:00:00.000000\0\0\0\0\0\0";

/// How much higher each byte may be. It tells all that is wrong with a time but an hour from 24 on.
const HIGHER: Block = [
    9, 9, 9, 9, 0, 1, 9, 0, 3, 9, 0, 2, 9, 0, 5, 9, 0, 5, 9, 0, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0,
];

/// `2021-05-04 11:25:20`
const WHOLE_SECONDS: usize = 19;

/// `"2021-05-04T11:25:20.423Z"`, from a timestamp that the block begins with.
#[inline]
fn plain(block: &Block, length: usize, in_utc: bool) -> Option<[u8; 26]> {
    let length = match in_utc {
        true => {
            let local = length.checked_sub(3)?;
            (block.get(local..length)? == b"+00").then_some(local)?
        }
        false => length,
    };
    let has_fraction = length > WHOLE_SECONDS + 1;
    if length > WHOLE_SECONDS + 1 + FRACTION || !(has_fraction || length == WHOLE_SECONDS) {
        return None;
    }
    let wrong = outside(block, &LOWEST, &HIGHER);
    let number = |tens: usize| 10 * (block[tens] - b'0') + (block[tens + 1] - b'0');
    if wrong & first_bits(length) != 0 || number(11) > 23 {
        return None;
    }
    let (month, day) = (number(5), number(8));
    if !(1..=12).contains(&month) || day == 0 || block[..4] == *b"0000" {
        return None;
    }
    // Every month has 28 days.
    if day > 28 {
        let year = 100 * i64::from(number(0)) + i64::from(number(2));
        CivilDate::new(year, month, day)?;
    }
    let mut written = *br#""0000-00-00T00:00:00.000Z""#;
    written[1..11].copy_from_slice(&block[..10]);
    written[12..20].copy_from_slice(&block[11..WHOLE_SECONDS]);
    for digit in 0..3 {
        let from = WHOLE_SECONDS + 1 + digit;
        if from < length {
            written[21 + digit] = block[from];
        }
    }
    Some(written)
}

/// Appends what a timestamptz looks like in a session whose time zone is UTC: `2021-05-04 11:25:20.5+00`.
pub(super) fn show_in_utc(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let (moment, rest) = Moment::parse(text).ok_or(ValueError::NotATimestampTz)?;
    let offset = parse_offset(rest).ok_or(ValueError::NotATimestampTz)?;
    let moment = moment.to_utc(offset);
    let (year, is_bc) = match moment.date.year {
        year @ 1.. => (year, false),
        year => (1 - year, true),
    };
    CivilDate {
        year,
        ..moment.date
    }
    .write(out);
    out.push(b' ');
    write_time_of_day(moment.second, out);
    if let Some(last) = moment.fraction.iter().rposition(|digit| *digit != b'0') {
        out.push(b'.');
        out.extend_from_slice(&moment.fraction[..=last]);
    }
    out.extend_from_slice(b"+00");
    if is_bc {
        out.extend_from_slice(b" BC");
    }
    Ok(())
}

/// A date and a time of day, to the microsecond.
struct Moment {
    date: CivilDate,
    /// Of the day, 0 to 86399.
    second: u32,
    /// Digits.
    fraction: [u8; FRACTION],
}

impl Moment {
    /// Reads a moment; gives back what is left between the fraction and ` BC`.
    fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let (text, bc) = split_bc(text);
        let (date, rest) = CivilDate::read(text, bc)?;
        let [b' ', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest else {
            return None;
        };
        let (hour, minute, second) = (
            read_two_digits(*h1, *h2)?,
            read_two_digits(*m1, *m2)?,
            read_two_digits(*s1, *s2)?,
        );
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let second = u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second);
        let mut moment = Moment {
            date,
            second,
            fraction: [b'0'; FRACTION],
        };
        let Some(digits) = rest.strip_prefix(b".") else {
            return Some((moment, rest));
        };
        let length = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        for (kept, &digit) in moment.fraction.iter_mut().zip(&digits[..length]) {
            *kept = digit;
        }
        (length > 0).then_some((moment, &digits[length..]))
    }

    /// The moment in UTC of one that is `offset` seconds ahead of it.
    fn to_utc(&self, offset: i64) -> Moment {
        let second = i64::from(self.second) - offset;
        let days = second.div_euclid(SECONDS_PER_DAY);
        // Most dumps are made in UTC: a date that stays needs no arithmetic.
        let date = if days == 0 {
            self.date
        } else {
            CivilDate::from_days(self.date.to_days() + days)
        };
        Moment {
            date,
            second: second.rem_euclid(SECONDS_PER_DAY) as u32,
            fraction: self.fraction,
        }
    }

    fn write(&self, digits: usize, is_utc: bool, out: &mut Vec<u8>) {
        out.reserve(r#""2021-05-04T11:25:20.423999Z""#.len());
        out.push(b'"');
        self.date.write(out);
        out.push(b'T');
        write_time_of_day(self.second, out);
        out.push(b'.');
        out.extend_from_slice(&self.fraction[..digits]);
        out.extend_from_slice(if is_utc { b"Z\"" } else { b"\"" });
    }
}

/// Seconds east of UTC, from `+hh`, `+hh:mm` or `+hh:mm:ss`.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let (sign, text) = match text {
        [b'+', text @ ..] => (1, text),
        [b'-', text @ ..] => (-1, text),
        _ => return None,
    };
    let (hour, minute, second) = match *text {
        [h1, h2] => (read_two_digits(h1, h2)?, 0, 0),
        [h1, h2, b':', m1, m2] => (read_two_digits(h1, h2)?, read_two_digits(m1, m2)?, 0),
        [h1, h2, b':', m1, m2, b':', s1, s2] => (
            read_two_digits(h1, h2)?,
            read_two_digits(m1, m2)?,
            read_two_digits(s1, s2)?,
        ),
        _ => return None,
    };
    let exists = hour <= LARGEST_OFFSET_HOUR && minute <= 59 && second <= 59;
    exists.then(|| sign * (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)))
}

#[cfg(test)]
mod tests;
