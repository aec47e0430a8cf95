//! The rules, as the user writes them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::within::Within;

/// Which exports are to stay. A rule that is left out, or is 0, keeps nothing by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Keep {
    /// The last N exports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<Count>,
    /// The newest export of each of the last N hours that have one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_hourly: Option<Count>,
    /// The newest export of each of the last N days that have one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_daily: Option<Count>,
    /// The newest export of each of the last N weeks that have one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_weekly: Option<Count>,
    /// The newest export of each of the last N months that have one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_monthly: Option<Count>,
    /// The newest export of each of the last N years that have one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_yearly: Option<Count>,
    /// Every export made within this time before the newest, such as 1y5m7d2h
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Within>,
    /// The newest export of each hour within this time before the newest
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_hourly: Option<Within>,
    /// The newest export of each day within this time before the newest
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_daily: Option<Within>,
    /// The newest export of each week within this time before the newest
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_weekly: Option<Within>,
    /// The newest export of each month within this time before the newest
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_monthly: Option<Within>,
    /// The newest export of each year within this time before the newest
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within_yearly: Option<Within>,
}

/// No rule keeps anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot tell which exports stay: no keep rule says it, and without one all of them would go\n  \
     give one, such as keep-daily 7; `unlimited` keeps all"
)]
pub struct EmptyPolicy;

impl Keep {
    /// True if no rule keeps anything.
    pub fn is_empty(&self) -> bool {
        self.rules().is_err()
    }

    /// The rules that keep something.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, EmptyPolicy> {
        let counts = [
            ("keep-last", Period::Each, self.keep_last),
            ("keep-hourly", Period::Hour, self.keep_hourly),
            ("keep-daily", Period::Day, self.keep_daily),
            ("keep-weekly", Period::Week, self.keep_weekly),
            ("keep-monthly", Period::Month, self.keep_monthly),
            ("keep-yearly", Period::Year, self.keep_yearly),
        ];
        let counts = counts.into_iter().filter_map(|(name, period, count)| {
            let count = match count? {
                Count::Number(0) => return None,
                Count::Number(number) => Some(number as usize),
                Count::Unlimited => None,
            };
            Some(Rule {
                name: name.to_owned(),
                period,
                count,
                within: None,
            })
        });
        let spans = [
            ("keep-within", Period::Each, self.keep_within),
            ("keep-within-hourly", Period::Hour, self.keep_within_hourly),
            ("keep-within-daily", Period::Day, self.keep_within_daily),
            ("keep-within-weekly", Period::Week, self.keep_within_weekly),
            (
                "keep-within-monthly",
                Period::Month,
                self.keep_within_monthly,
            ),
            ("keep-within-yearly", Period::Year, self.keep_within_yearly),
        ];
        let spans = spans.into_iter().filter_map(|(name, period, within)| {
            let within = within.filter(|within| !within.is_zero())?;
            Some(Rule {
                name: format!("{name} {within}"),
                period,
                count: None,
                within: Some(within),
            })
        });
        let rules: Vec<Rule> = counts.chain(spans).collect();
        match rules.is_empty() {
            true => Err(EmptyPolicy),
            false => Ok(rules),
        }
    }
}

/// One rule that keeps something.
#[derive(Debug)]
pub(super) struct Rule {
    /// As it is told to people.
    pub(super) name: String,
    pub(super) period: Period,
    /// How many hours, days … it keeps; `None` for all of them.
    pub(super) count: Option<usize>,
    /// How far before the newest export it reaches; `None` if it looks at all exports.
    pub(super) within: Option<Within>,
}

/// What an export stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    /// Itself alone.
    Each,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// How many exports a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "CountText", into = "CountText")]
#[schemars(with = "CountText")]
pub enum Count {
    Number(u32),
    Unlimited,
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Count::Number(number) => number.fmt(out),
            Count::Unlimited => out.write_str(UNLIMITED),
        }
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            UNLIMITED => Ok(Count::Unlimited),
            _ if text.starts_with('-') => Err(format!(
                "{text} is less than nothing; `{UNLIMITED}` keeps all"
            )),
            _ => text
                .parse()
                .map(Count::Number)
                .map_err(|_| format!("{text:?} is neither a number nor `{UNLIMITED}`")),
        }
    }
}

const UNLIMITED: &str = "unlimited";

/// A count in a file: a number, or `unlimited`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum CountText {
    Number(i64),
    Text(String),
}

impl TryFrom<CountText> for Count {
    type Error = String;

    fn try_from(text: CountText) -> Result<Self, String> {
        match text {
            CountText::Number(number) => number.to_string().parse(),
            CountText::Text(text) => text.parse(),
        }
    }
}

impl From<Count> for CountText {
    fn from(count: Count) -> CountText {
        match count {
            Count::Number(number) => CountText::Number(number.into()),
            Count::Unlimited => CountText::Text(UNLIMITED.to_owned()),
        }
    }
}
