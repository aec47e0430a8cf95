//! Spans of the calendar: `1y5m7d2h`, as restic writes them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::civil::{CivilDate, UtcTime};

/// A span of the calendar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Within {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

/// The longest number of a span: with it, arithmetic stays far from the ends of what milliseconds can count.
const MOST: u32 = 999_999;

impl Within {
    /// True for no time at all.
    pub fn is_zero(self) -> bool {
        self == Within::default()
    }

    /// The instant so long before another one. A day that a month does not have counts on into the next, as in Go's
    /// `AddDate`, which restic asks: one month before March 31 is February 31, which is March 3.
    pub(super) fn before(self, time: UtcTime) -> UtcTime {
        let date = CivilDate::from_days(time.day());
        let months = (date.year - i64::from(self.years)) * 12 + i64::from(date.month)
            - 1
            - i64::from(self.months);
        let first = CivilDate {
            year: months.div_euclid(12),
            month: months.rem_euclid(12) as u8 + 1,
            day: 1,
        };
        let day = first.to_days() + i64::from(date.day) - 1 - i64::from(self.days);
        time.on_day(day).minus_hours(self.hours.into())
    }
}

impl fmt::Display for Within {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.years, 'y'),
            (self.months, 'm'),
            (self.days, 'd'),
            (self.hours, 'h'),
        ];
        for (number, unit) in parts.iter().filter(|(number, _)| *number > 0) {
            write!(out, "{number}{unit}")?;
        }
        match self.is_zero() {
            true => out.write_str("0h"),
            false => Ok(()),
        }
    }
}

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no span of time: {why}; 1y5m7d2h is one");
        let mut within = Within::default();
        let mut seen = Vec::new();
        let mut rest = text;
        if rest.is_empty() {
            return Err(wrong("it is empty"));
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, behind) = rest.split_at(digits);
            let number: u32 = match number {
                "" => return Err(wrong("a number is missing")),
                _ => number.parse().unwrap_or(u32::MAX),
            };
            if number > MOST {
                return Err(wrong("a number is too large"));
            }
            let mut letters = behind.chars();
            let unit = letters.next();
            let part = match unit {
                Some('y') => &mut within.years,
                Some('m') => &mut within.months,
                Some('d') => &mut within.days,
                Some('h') => &mut within.hours,
                Some('w') => return Err(wrong("weeks are none of its units, so write 7d for 1w")),
                _ => return Err(wrong("behind a number stands y, m, d or h")),
            };
            if seen.contains(&unit) {
                return Err(wrong("a unit stands there twice"));
            }
            seen.push(unit);
            *part = number;
            rest = letters.as_str();
        }
        Ok(within)
    }
}

impl TryFrom<String> for Within {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Within> for String {
    fn from(within: Within) -> String {
        within.to_string()
    }
}
