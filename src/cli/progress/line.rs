//! What a bar of progress says in the width that a terminal has: numbers rounded for people, names whole or not at all.

use std::time::Duration;

use indicatif::HumanCount;

/// The width of a terminal that does not say it.
pub(super) const USUAL_WIDTH: usize = 80;

/// Columns of the longest label, so that the bars of all phases begin below each other.
const LABEL: usize = 9;

/// Columns of a percentage: `100 %`.
const PERCENT: usize = 5;

/// The narrowest bar that says anything.
const NARROWEST: usize = 4;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Unit {
    Bytes,
    Rows,
    Runs,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Phase<'a> {
    pub label: &'a str,
    pub unit: Unit,
    pub done: u64,
    /// `None` where nobody knows how much is to come.
    pub total: Option<u64>,
    /// A second.
    pub rate: f64,
    pub elapsed: Duration,
    /// What is being worked on.
    pub name: &'a str,
}

impl Phase<'_> {
    /// The line, of at most `width` columns. What has no room is left out: never is a part of it cut.
    pub(in crate::cli) fn line(&self, width: usize) -> String {
        let mut line = Line::new(width, format!("{:LABEL$}", self.label));
        let Some(total) = self.total else {
            line.add(&amount(self.unit, self.done, None));
            line.add(&span(self.elapsed));
            line.add(self.name);
            line.add(&rate(self.unit, self.rate));
            return line.text;
        };
        let bar = bar_width(width);
        line.text = format!(
            "{} {} {:>PERCENT$}",
            line.text,
            bar_of(bar, self.done, total),
            percent(self.done, total)
        );
        let left = left(self.done, total, self.rate);
        let amount = amount(self.unit, self.done, Some(total));
        // What people look for first has the first claim on the room, but stands last where there is room for all.
        let rate = match self.done < total {
            true => rate(self.unit, self.rate),
            false => String::new(),
        };
        let mut room = line.room();
        let mut has_room = |part: &str| {
            let takes = width_of(part) + 2;
            let fits = !part.is_empty() && takes <= room;
            if fits {
                room -= takes;
            }
            fits
        };
        let shows_left = has_room(&left);
        let shows_name = has_room(self.name);
        let shows_amount = has_room(&amount);
        let shows_rate = has_room(&rate);
        for (shows, part) in [
            (shows_amount, amount.as_str()),
            (shows_rate, &rate),
            (shows_left, &left),
            (shows_name, self.name),
        ] {
            if shows {
                line.add(part);
            }
        }
        line.text
    }
}

/// The line of a relation below that of its phase, of at most `width` columns.
pub(super) fn relation_line(name: &str, done: u64, total: u64, width: usize) -> String {
    let begin = " ".repeat(LABEL + 1);
    let percent = format!("{:>PERCENT$}", percent(done, total));
    let bar = bar_width(width);
    let amount = amount(Unit::Rows, done, Some(total));
    // Below the phase's bar, where the name has room behind it; else the name goes first, with what room is left.
    let mut line = Line::new(
        width,
        format!("{begin}{} {percent}", bar_of(bar, done, total)),
    );
    if line.room() >= width_of(name) + 2 {
        line.add(name);
        line.add(&amount);
        return line.text;
    }
    let mut line = Line::new(width, name.to_owned());
    let bar = line.room().saturating_sub(PERCENT + 3);
    if bar >= NARROWEST {
        line.add(&format!("{} {percent}", bar_of(bar, done, total)));
    } else {
        line.add(percent.trim_start());
    }
    line.text
}

/// A line that grows to the right while there is room.
struct Line {
    text: String,
    width: usize,
}

impl Line {
    fn new(width: usize, text: String) -> Line {
        Line { text, width }
    }

    fn room(&self) -> usize {
        self.width.saturating_sub(width_of(&self.text))
    }

    /// Adds a part, two spaces behind the last one, or leaves it out.
    fn add(&mut self, part: &str) {
        if !part.is_empty() && width_of(part) + 2 <= self.room() {
            self.text.push_str("  ");
            self.text.push_str(part);
        }
    }
}

fn width_of(text: &str) -> usize {
    text.chars().count()
}

/// The same for every line of a terminal, so that nothing moves while numbers change.
fn bar_width(width: usize) -> usize {
    match width {
        ..60 => 10,
        60..100 => 16,
        100.. => 24,
    }
}

fn bar_of(width: usize, done: u64, total: u64) -> String {
    let part = part(done, total);
    // Full only when it is.
    let full = (part * width as f64).floor() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// From 0 to 1: a snapshot that is read a second time is no more than whole.
fn part(done: u64, total: u64) -> f64 {
    match total {
        0 => 1.0,
        total => (done as f64 / total as f64).min(1.0),
    }
}

fn percent(done: u64, total: u64) -> String {
    format!("{:.0} %", (part(done, total) * 100.0).floor())
}

/// The time that is left; at the end, what it is doing instead.
fn left(done: u64, total: u64, rate: f64) -> String {
    if done >= total {
        return "finishing".to_owned();
    }
    if done == 0 || rate.is_nan() || rate <= 0.0 {
        return String::new();
    }
    let seconds = (total - done) as f64 / rate;
    // Beyond a year nothing is known yet.
    if seconds > 365.0 * 86_400.0 {
        return String::new();
    }
    format!("{} left", span(Duration::from_secs_f64(seconds.ceil())))
}

/// A time, rounded for people: `42 s`, `12 min`, `5 h`, `3 days`.
pub(in crate::cli) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", (seconds + 30) / 60),
        5400..129_600 => format!("{} h", (seconds + 1800) / 3600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

fn amount(unit: Unit, done: u64, total: Option<u64>) -> String {
    let done = total.map_or(done, |total| done.min(total));
    match (unit, total) {
        (Unit::Bytes, None) => bytes(done as f64),
        (Unit::Bytes, Some(total)) => {
            let (done, total) = (bytes(done as f64), bytes(total as f64));
            // `1.2 of 1.7 GiB`: the unit once, if it is the same.
            match (done.split_once(' '), total.split_once(' ')) {
                (Some((number, one)), Some((_, other))) if one == other => {
                    format!("{number} of {total}")
                }
                _ => format!("{done} of {total}"),
            }
        }
        (Unit::Rows, None) => format!("{} rows", HumanCount(done)),
        (Unit::Rows, Some(total)) => format!("{} of {} rows", HumanCount(done), HumanCount(total)),
        (Unit::Runs, None) => format!("{done} runs"),
        (Unit::Runs, Some(total)) => format!("{done} of {total} runs"),
    }
}

fn rate(unit: Unit, rate: f64) -> String {
    match unit {
        _ if rate.is_nan() || rate < 1.0 => String::new(),
        Unit::Bytes => format!("{}/s", bytes(rate)),
        Unit::Rows => format!("{} rows/s", HumanCount(two_digits(rate))),
        // Each takes as long as it takes.
        Unit::Runs => String::new(),
    }
}

/// Rounded to two digits: a rate is no more exact.
fn two_digits(number: f64) -> u64 {
    let mut unit = 1.0;
    while number / unit >= 99.5 {
        unit *= 10.0;
    }
    ((number / unit).round() * unit) as u64
}

/// A size with two or three digits: `999 B`, `1.2 GiB`, `86 MiB`.
pub(in crate::cli) fn bytes(number: f64) -> String {
    let mut number = number;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        // Beyond this it would be shown as 1000.
        if number < 999.5 {
            break;
        }
        number /= 1024.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{number:.0} B"),
        _ if number < 9.95 => format!("{number:.1} {unit}"),
        _ => format!("{number:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn reading(done: u64, total: Option<u64>) -> Phase<'static> {
        Phase {
            label: "reading",
            unit: Unit::Bytes,
            done,
            total,
            rate: 90_177_536.0,
            elapsed: Duration::from_secs(12),
            name: "namespace_root_storage_statistics",
        }
    }

    #[test]
    fn a_line_shows_what_its_width_has_room_for_and_cuts_nothing() {
        let half = reading(GIB / 2, Some(GIB + GIB / 5));
        let rendering = Phase {
            label: "rendering",
            unit: Unit::Rows,
            done: 12_000,
            total: Some(18_311),
            rate: 4_123.4,
            elapsed: Duration::from_secs(3),
            name: "165 MiB",
        };
        let cases = [
            (half, 40, "reading   ████░░░░░░  41 %  9 s left"),
            (
                half,
                80,
                "reading   ██████░░░░░░░░░░  41 %  9 s left  namespace_root_storage_statistics",
            ),
            (
                half,
                120,
                "reading   ██████████░░░░░░░░░░░░░░  41 %  512 MiB of 1.2 GiB  86 MiB/s  9 s left  \
                 namespace_root_storage_statistics",
            ),
            (rendering, 40, "rendering ██████░░░░  65 %  2 s left"),
            (
                rendering,
                80,
                "rendering ██████████░░░░░░  65 %  12,000 of 18,311 rows  2 s left  165 MiB",
            ),
            (
                rendering,
                120,
                "rendering ███████████████░░░░░░░░░  65 %  12,000 of 18,311 rows  4,100 rows/s  2 s left  165 MiB",
            ),
            (
                reading(GIB / 2, None),
                40,
                "reading    512 MiB  12 s  86 MiB/s",
            ),
        ];
        for (phase, width, line) in cases {
            assert_eq!(phase.line(width), line);
            assert!(width_of(line) <= width, "{line}");
        }
    }

    #[test]
    fn a_relation_has_its_whole_name_beside_its_bar() {
        let cases = [
            ("labels", 40, "          ███████░░░  75 %  labels"),
            (
                "iterations_cadences",
                40,
                "iterations_cadences  █████████░░░░  75 %",
            ),
            (
                "iterations_cadences",
                80,
                "          ████████████░░░░  75 %  iterations_cadences  3,750 of 5,000 rows",
            ),
        ];
        for (name, width, line) in cases {
            assert_eq!(relation_line(name, 3750, 5000, width), line);
            assert!(width_of(line) <= width, "{line}");
        }
        let long = "a_relation_of_a_pipeline_with_a_long_name";
        assert_eq!(relation_line(long, 1, 2, 50), format!("{long}  50 %"));
    }

    #[test]
    fn nothing_is_beyond_the_whole_and_no_time_is_left_for_nothing() {
        // A snapshot that is read twice has more bytes than it is large.
        let again = reading(3 * GIB, Some(2 * GIB));
        assert_eq!(
            again.line(80),
            "reading   ████████████████ 100 %  finishing  namespace_root_storage_statistics"
        );
        let nearly = reading(2 * GIB - 1, Some(2 * GIB));
        assert!(
            nearly.line(40).contains(" 99 %  1 s left"),
            "{}",
            nearly.line(40)
        );
        let begun = reading(0, Some(2 * GIB));
        assert!(!begun.line(120).contains("left"), "{}", begun.line(120));
    }

    #[test]
    fn numbers_are_rounded_for_people() {
        let sizes = [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1000.0, "1.0 KiB"),
            (1023.0 * 1024.0, "1.0 MiB"),
            (1_288_490_188.0, "1.2 GiB"),
            (90_177_536.0, "86 MiB"),
        ];
        for (size, text) in sizes {
            assert_eq!(bytes(size), text);
        }
        for (number, rounded) in [(18_311.1, 18_000), (99.6, 100), (4.4, 4), (995.0, 1000)] {
            assert_eq!(two_digits(number), rounded);
        }
        for (seconds, text) in [
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (5400, "2 h"),
            (200_000, "2 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
