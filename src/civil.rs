//! Days and civil dates in the proleptic Gregorian calendar, with astronomical years (0 is 1 BC).
//!
//! The arithmetic counts years from the first of March, so that the leap day is a year's last day,
//! and in eras of 400 years, which all have 146,097 days (the method of Howard Hinnant's
//! `days_from_civil`).

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Days in 400 years.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
pub(super) const SECONDS_PER_DAY: i64 = 86_400;
const MILLIS_PER_DAY: i64 = 1000 * SECONDS_PER_DAY;
const MILLIS_PER_HOUR: i64 = 3_600_000;

/// Cuts the mark of a year before 1 off a date or time, and says whether it was there.
pub(super) fn split_bc(text: &[u8]) -> (&[u8], bool) {
    match text.strip_suffix(b" BC") {
        Some(text) => (text, true),
        None => (text, false),
    }
}

/// A number of two digits.
pub(super) fn read_two_digits(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CivilDate {
    /// Astronomical: 0 is 1 BC, -1 is 2 BC.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

impl CivilDate {
    /// The date, if there is such a day.
    pub(crate) fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        exists.then_some(CivilDate { year, month, day })
    }

    /// The date that a text such as `2027-01-31` names; `None` for a text of another form, and for a day that the calendar
    /// does not have.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| -> Option<u16> {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let date = Self::new(i64::from(year), month as u8, day as u8)?;
        parts.next().is_none().then_some(date)
    }

    /// Reads a date as PostgreSQL writes it, and gives back what follows it. `is_bc` says that its year is counted backwards,
    /// from 1 BC, which is the year before 1.
    pub(crate) fn read(text: &[u8], is_bc: bool) -> Option<(CivilDate, &[u8])> {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // PostgreSQL's last date is in the year 5874897.
        if !(4..=7).contains(&digits) {
            return None;
        }
        let (year, rest) = text.split_at(digits);
        let year = year
            .iter()
            .fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'));
        let [b'-', m1, m2, b'-', d1, d2, rest @ ..] = rest else {
            return None;
        };
        let year = match (year, is_bc) {
            (0, _) => return None,
            (year, true) => 1 - year,
            (year, false) => year,
        };
        let date = CivilDate::new(year, read_two_digits(*m1, *m2)?, read_two_digits(*d1, *d2)?)?;
        Some((date, rest))
    }

    /// The day that it is now, UTC.
    pub(crate) fn today() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::from_days((since.as_secs() / SECONDS_PER_DAY as u64) as i64)
    }

    /// The date of a day, counted from 1970-01-01. Good for every number of days that milliseconds
    /// in an `i64` can give.
    pub(crate) fn from_days(days: i64) -> Self {
        let days = days + EPOCH;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        // Days of an era without its leap days, so that a division gives the year.
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March, months repeat 31 30 31 30 31, so that they are a straight line with slope
        // 153/5.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        CivilDate {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as u8,
            day: day as u8,
        }
    }

    /// Days from 1970-01-01, for years of up to 14 digits.
    pub(crate) fn to_days(self) -> i64 {
        let month = i64::from(self.month);
        let year = self.year - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_PER_ERA + day_of_era - EPOCH
    }

    /// Appends `2021-05-04`. Years have at least four digits, and a sign below 0 only.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        if self.year < 0 {
            out.push(b'-');
        }
        push_year(self.year.unsigned_abs(), out);
        let [m1, m2] = two_digits(self.month);
        let [d1, d2] = two_digits(self.day);
        out.extend_from_slice(&[b'-', m1, m2, b'-', d1, d2]);
    }
}

impl fmt::Display for CivilDate {
    /// As [`CivilDate::write`] writes it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        out.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Appends `03:04:05` for the second of a day.
pub(super) fn write_time_of_day(second: u32, out: &mut Vec<u8>) {
    let [h1, h2] = two_digits((second / 3600) as u8);
    let [m1, m2] = two_digits((second / 60 % 60) as u8);
    let [s1, s2] = two_digits((second % 60) as u8);
    out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2]);
}

/// An instant as `2026-11-22T10:00:00.000Z`, from milliseconds since 1970-01-01 00:00 UTC.
pub(crate) fn utc_millis_to_iso(millis_since_epoch: i64) -> String {
    let date = CivilDate::from_days(millis_since_epoch.div_euclid(MILLIS_PER_DAY));
    let millis = millis_since_epoch.rem_euclid(MILLIS_PER_DAY);
    let mut out = Vec::with_capacity(24);
    date.write(&mut out);
    out.push(b'T');
    write_time_of_day((millis / 1000) as u32, &mut out);
    let mut text: String = out.into_iter().map(char::from).collect();
    text.push_str(&format!(".{:03}Z", millis % 1000));
    text
}

/// An instant, to the millisecond, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(i64);

impl UtcTime {
    /// The time now, as the machine's clock has it.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Reads what [`utc_millis_to_iso`] writes, in years of four digits, with or without fractional digits; `None` for
    /// every other form, and for an instant that the calendar does not have.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let day = CivilDate::parse(date)?.to_days();
        let (seconds, fraction) = match time.split_once('.') {
            Some((seconds, fraction)) => (seconds, fraction),
            None => (time, "0"),
        };
        let [h1, h2, b':', m1, m2, b':', s1, s2] = *seconds.as_bytes() else {
            return None;
        };
        let below = |most: u8, tens, ones| read_two_digits(tens, ones).filter(|part| *part < most);
        let (hour, minute) = (below(24, h1, h2)?, below(60, m1, m2)?);
        // A leap second counts as the first one of the next minute.
        let second = below(61, s1, s2)?;
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let millis = fraction.bytes().chain([b'0'; 3]).take(3);
        let millis = millis.fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'));
        let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
        Some(UtcTime(day * MILLIS_PER_DAY + seconds * 1000 + millis))
    }

    /// Milliseconds since 1970-01-01 00:00 UTC.
    pub(crate) fn millis(self) -> i64 {
        self.0
    }

    /// The day that it lies on, counted from 1970-01-01.
    pub fn day(self) -> i64 {
        self.0.div_euclid(MILLIS_PER_DAY)
    }

    /// The hour that it lies in, counted from 1970-01-01.
    pub fn hour(self) -> i64 {
        self.0.div_euclid(MILLIS_PER_HOUR)
    }

    /// The same time on another day.
    pub fn on_day(self, day: i64) -> Self {
        UtcTime(day * MILLIS_PER_DAY + self.0.rem_euclid(MILLIS_PER_DAY))
    }

    /// So many hours before.
    pub fn minus_hours(self, hours: i64) -> Self {
        UtcTime(self.0 - hours * MILLIS_PER_HOUR)
    }

    /// How many milliseconds lie between an earlier instant and this one; negative if it is later.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl From<SystemTime> for UtcTime {
    fn from(time: SystemTime) -> Self {
        let millis = |since: std::time::Duration| i64::try_from(since.as_millis());
        UtcTime(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since).unwrap_or(i64::MAX),
            Err(before) => millis(before.duration()).map_or(i64::MIN, |millis| -millis),
        })
    }
}

impl fmt::Display for UtcTime {
    /// As the manifest writes times.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&utc_millis_to_iso(self.0))
    }
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn push_year(year: u64, out: &mut Vec<u8>) {
    if year > 9999 {
        push_year(year / 10, out);
        out.push(b'0' + (year % 10) as u8);
    } else {
        out.extend_from_slice(&two_digits((year / 100) as u8));
        out.extend_from_slice(&two_digits((year % 100) as u8));
    }
}

/// The digits of a number below 100.
fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        let cases = [
            ("the epoch", 0, (1970, 1, 1)),
            ("the day before", -1, (1969, 12, 31)),
            ("PostgreSQL's epoch", 10_957, (2000, 1, 1)),
            ("a leap day of a century", 11_016, (2000, 2, 29)),
            ("the day after", 11_017, (2000, 3, 1)),
            ("the unix billion", 11_574, (2001, 9, 9)),
            ("no leap day in 1900", -25_508, (1900, 3, 1)),
            ("the first day AD", -719_162, (1, 1, 1)),
            ("1 BC, a leap year", -719_469, (0, 2, 29)),
            (
                "PostgreSQL's first day, 4714-11-24 BC",
                -2_440_588,
                (-4713, 11, 24),
            ),
        ];
        for (name, days, (year, month, day)) in cases {
            let date = CivilDate { year, month, day };
            assert_eq!(CivilDate::from_days(days), date, "{name}");
            assert_eq!(date.to_days(), days, "{name}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut date = CivilDate {
            year: -801,
            month: 1,
            day: 1,
        };
        let first = date.to_days();
        for days in first..first + 3 * DAYS_PER_ERA {
            assert_eq!(CivilDate::from_days(days), date);
            assert_eq!(date.to_days(), days);
            date = CivilDate::new(date.year, date.month, date.day + 1)
                .or(CivilDate::new(date.year, date.month + 1, 1))
                .unwrap_or(CivilDate {
                    year: date.year + 1,
                    month: 1,
                    day: 1,
                });
        }
        assert_eq!((date.year, date.month, date.day), (399, 1, 1));
    }

    #[test]
    fn days_that_do_not_exist() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (-1, 2, 29),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 1, 0),
            (2024, 1, 32),
        ] {
            assert_eq!(CivilDate::new(year, month, day), None);
        }
        for (year, month, day) in [
            (2024, 2, 29),
            (2000, 2, 29),
            (0, 2, 29),
            (-4, 2, 29),
            (2024, 12, 31),
        ] {
            assert!(CivilDate::new(year, month, day).is_some());
        }
    }

    #[test]
    fn a_written_day_is_one_of_the_calendar() {
        for text in [
            "2027-01-31",
            "2028-02-29",
            "2000-02-29",
            "9999-12-31",
            "0000-01-01",
        ] {
            let date = CivilDate::parse(text);
            assert_eq!(date.map(|date| date.to_string()).as_deref(), Some(text));
        }
        for text in [
            "2027-02-29",
            "2027-02-31",
            "2100-02-29",
            "2027-04-31",
            "2027-00-10",
            "2027-10-00",
            "2027-1-031",
            "2027_01_31",
            "+027-01-31",
            "-2027-01-31",
            "2027-01-31-",
            "2027-01-311",
            "2027-01-3é",
            "20é7-01-31",
            "",
        ] {
            assert_eq!(CivilDate::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn days_are_in_the_order_of_the_calendar() {
        let day = |text| CivilDate::parse(text).unwrap();
        assert!(day("2026-12-31") < day("2027-01-01"));
        assert!(day("2027-01-31") < day("2027-02-01"));
        assert!(day("2027-02-01") < day("2027-02-02"));
        assert!(day("2026-11-27") < CivilDate::today());
    }

    #[test]
    fn instants_in_iso_form() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_341_603_120, "2026-11-22T10:00:03.120Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
            (-62_135_596_800_001, "0000-12-31T23:59:59.999Z"),
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (i64::MAX, "292278994-08-17T07:12:55.807Z"),
            (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
        ];
        for (millis, expected) in cases {
            assert_eq!(utc_millis_to_iso(millis), expected);
        }
    }

    #[test]
    fn instants_are_read_as_they_are_written() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2026-11-22T10:00:03.120Z",
            "1969-12-31T23:59:59.999Z",
            "2024-02-29T23:59:59.999Z",
        ] {
            let time = UtcTime::parse(text);
            assert_eq!(time.map(|time| time.to_string()).as_deref(), Some(text));
        }
        let second = UtcTime::parse("2026-11-22T10:00:03Z").unwrap();
        assert_eq!(UtcTime::parse("2026-11-22T10:00:03.0004Z"), Some(second));
        for text in [
            "",
            "2026-11-22T10:00:03.120",
            "2026-11-22 10:00:03.120Z",
            "2026-11-31T10:00:03.120Z",
            "2026-11-22T24:00:03.120Z",
            "2026-11-22T10:60:03.120Z",
            "2026-11-22T10:00:61.120Z",
            "2026-11-22T10:00:03.Z",
            "2026-11-22T10:00:03.1+2Z",
            "2026-11-22T1é:00:03Z",
            "2026-11-22T10:00Z",
        ] {
            assert_eq!(UtcTime::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_one_to_one(days in -200_000_000_000_i64..200_000_000_000) {
            let date = CivilDate::from_days(days);
            prop_assert_eq!(CivilDate::new(date.year, date.month, date.day), Some(date));
            prop_assert_eq!(date.to_days(), days);
        }
    }
}
