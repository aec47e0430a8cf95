//! Arguments of `relexport forget`.

use clap::Args;

use super::parse::location;
use crate::cli::examples;
use crate::cli::exit::STATUS_HELP;
use crate::output::Location;
use crate::output::retention::{Count, Keep, Uncounted, Within};

/// The heading of the rules.
const KEEP: &str = "Keep rules";

/// Remove old exports by keep rules, as restic does
///
/// Says of each export below a folder, or below a prefix of a bucket, whether it stays, and by which rule; what no rule keeps is removed. Days, weeks and
/// hours are those of the calendar in UTC, and an export is of the time at which it was begun. Only finished exports count whose
/// files are all there at their sizes. The newest of these always stays, and so does what `latest` leads to; what is
/// not an export is never touched. The exports of each job are looked at by themselves.
#[derive(Debug, Args)]
#[command(after_help = STATUS_HELP, after_long_help = examples::FORGET)]
pub struct ForgetArgs {
    /// Where the exports lie: a folder, or a prefix of a bucket
    #[arg(value_name = "DIR|URL", value_parser = location())]
    pub place: Location,
    /// Remove nothing, only say what would be
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Remove unfinished, failed and damaged exports, too
    ///
    /// A run that is still writing is left alone. Without it, they are listed and stay.
    #[arg(long)]
    pub unfinished: bool,
    /// Remove exports that a job's guard found suspect, too
    #[arg(long)]
    pub suspect: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub keep: KeepArgs,
}

impl ForgetArgs {
    /// What is removed although no rule counts it.
    pub(crate) fn uncounted(&self) -> Uncounted {
        Uncounted {
            unfinished: self.unfinished,
            suspect: self.suspect,
        }
    }
}

/// The keep rules. N is a number, or `unlimited`.
#[derive(Debug, Clone, Default, Args)]
pub struct KeepArgs {
    /// Keep the last N exports (`unlimited` for all)
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_last: Option<Count>,
    /// Keep the newest of each of the last N hours
    ///
    /// As in all rules of this form, only hours that have an export count; while there are fewer, the oldest export stays, too.
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_hourly: Option<Count>,
    /// Keep the newest of each of the last N days
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_daily: Option<Count>,
    /// Keep the newest of each of the last N weeks
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_weekly: Option<Count>,
    /// Keep the newest of each of the last N months
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_monthly: Option<Count>,
    /// Keep the newest of each of the last N years
    #[arg(long, value_name = "N", help_heading = KEEP)]
    pub keep_yearly: Option<Count>,
    /// Keep all within this time before the newest
    ///
    /// Such as 1y5m7d2h: years, months, days, hours.
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within: Option<Within>,
    /// Keep the newest of each hour within this time
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within_hourly: Option<Within>,
    /// Keep the newest of each day within this time
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within_daily: Option<Within>,
    /// Keep the newest of each week within this time
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within_weekly: Option<Within>,
    /// Keep the newest of each month within this time
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within_monthly: Option<Within>,
    /// Keep the newest of each year within this time
    #[arg(long, value_name = "SPAN", help_heading = KEEP)]
    pub keep_within_yearly: Option<Within>,
}

impl KeepArgs {
    pub(crate) fn rules(&self) -> Keep {
        Keep {
            keep_last: self.keep_last,
            keep_hourly: self.keep_hourly,
            keep_daily: self.keep_daily,
            keep_weekly: self.keep_weekly,
            keep_monthly: self.keep_monthly,
            keep_yearly: self.keep_yearly,
            keep_within: self.keep_within,
            keep_within_hourly: self.keep_within_hourly,
            keep_within_daily: self.keep_within_daily,
            keep_within_weekly: self.keep_within_weekly,
            keep_within_monthly: self.keep_within_monthly,
            keep_within_yearly: self.keep_within_yearly,
        }
    }
}
