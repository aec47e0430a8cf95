//! Which exports stay: restic's keep rules, with the calendar's meaning, in UTC.
//!
//! ```text
//! keep-last N                      the N newest exports
//! keep-hourly, -daily, -weekly, -monthly, -yearly N
//!                                  of each of the last N hours (days, weeks …) that have an export, the newest one
//! keep-within SPAN                 every export made within SPAN before the newest one
//! keep-within-hourly … SPAN        of each hour within SPAN before the newest export, the newest one
//! ```
//!
//! Weeks begin on Monday. A rule that one export satisfies is enough for it to stay. While a rule has not found as many
//! hours, days … as it keeps, it keeps the oldest export, too, so that a young shelf grows to its full length. All of this
//! is how restic decides; its older versions do not keep the oldest one. In one thing this program is more careful: an export whose time lies in the future
//! stays and is counted by no rule, while restic lets it take the place of one that is true.
//!
//! Nothing here does I/O.

mod keep;
mod plan;
mod within;

use std::fmt;

pub use keep::{Count, EmptyPolicy, Keep};
pub use plan::{Planned, Uncounted, Verdict, carry_out, plan};
pub use within::Within;

use crate::civil::{CivilDate, UtcTime};
use keep::{Period, Rule};

/// What becomes of one export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its name on the shelf.
    pub name: String,
    /// Why it stays; none if it goes.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// True for an export that stays.
    pub fn is_kept(&self) -> bool {
        !self.reasons.is_empty()
    }
}

/// Why an export stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A rule keeps it, which is told by its name and, of a span, how long that is.
    Rule(String),
    /// It is the oldest, and the rule has not found as many yet as it keeps.
    Oldest(String),
    /// It is the newest one, which always stays.
    Newest,
    /// `latest` leads to it.
    Latest,
    /// Its time lies in the future: the clock was wrong when it was made, or is now.
    Future,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Rule(rule) => out.write_str(rule),
            Reason::Oldest(rule) => write!(out, "{rule} (oldest)"),
            Reason::Newest => out.write_str("newest"),
            Reason::Latest => out.write_str("latest"),
            Reason::Future => out.write_str("in the future"),
        }
    }
}

/// Decides of all exports of one job, by name and time, which of them stay. The newest comes first.
///
/// # Errors
/// If there is no rule: nothing would stay.
pub fn decide(
    keep: &Keep,
    exports: &[(String, UtcTime)],
    now: UtcTime,
) -> Result<Vec<Decision>, EmptyPolicy> {
    let rules = keep.rules()?;
    let mut sorted: Vec<&(String, UtcTime)> = exports.iter().collect();
    sorted.sort_by(|one, other| (other.1, &other.0).cmp(&(one.1, &one.0)));
    let future = sorted.iter().take_while(|(_, time)| *time > now).count();
    let (future, past) = sorted.split_at(future);
    let mut decisions: Vec<Decision> = past.iter().map(|(name, _)| none_yet(name)).collect();
    let times: Vec<UtcTime> = past.iter().map(|(_, time)| *time).collect();
    for rule in &rules {
        for (position, reason) in kept_by(rule, &times) {
            decisions[position].reasons.push(reason);
        }
    }
    if let Some(newest) = decisions.first_mut()
        && !newest.is_kept()
    {
        newest.reasons.push(Reason::Newest);
    }
    let ahead = future.iter().map(|(name, _)| Decision {
        name: name.clone(),
        reasons: vec![Reason::Future],
    });
    Ok(ahead.chain(decisions).collect())
}

fn none_yet(name: &str) -> Decision {
    Decision {
        name: name.to_owned(),
        reasons: Vec::new(),
    }
}

/// The exports that one rule keeps, by their positions among these times, the newest of which comes first.
fn kept_by(rule: &Rule, times: &[UtcTime]) -> Vec<(usize, Reason)> {
    let Some(newest) = times.first() else {
        return Vec::new();
    };
    let since = rule.within.map(|within| within.before(*newest));
    let mut kept: Vec<(usize, Reason)> = Vec::new();
    let mut last = None;
    for (position, time) in times.iter().enumerate() {
        let has_room = rule.count.is_none_or(|count| kept.len() < count);
        if !has_room || since.is_some_and(|since| *time <= since) {
            break;
        }
        let period = period_of(rule.period, *time, position);
        if last != Some(period) {
            kept.push((position, Reason::Rule(rule.name.clone())));
        } else if position + 1 == times.len() {
            kept.push((position, Reason::Oldest(rule.name.clone())));
        }
        last = Some(period);
    }
    kept
}

/// A number that two times have in common if they lie in the same hour, day …
fn period_of(period: Period, time: UtcTime, position: usize) -> i64 {
    let date = CivilDate::from_days(time.day());
    match period {
        Period::Each => i64::try_from(position).unwrap_or(i64::MAX),
        Period::Hour => time.hour(),
        Period::Day => time.day(),
        // 1970-01-01 was a Thursday, so that the Monday before it is day -3.
        Period::Week => (time.day() + 3).div_euclid(7),
        Period::Month => date.year * 12 + i64::from(date.month),
        Period::Year => date.year,
    }
}

#[cfg(test)]
mod tests;
