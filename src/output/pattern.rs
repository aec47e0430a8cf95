//! Where a job's exports go: a place with `{date}`, `{time}`, `{job}` and `{snapshot_time}` in it.
//!
//! `/var/backups/gitlab/{job}/{date}_{time}` is one folder for each run, on the shelf `/var/backups/gitlab/{job}`. Times are
//! UTC, `2026-11-28` and `02-03-04`. Only the last part may hold what changes from run to run. If nothing in it changes, the
//! pattern names one export, which each run replaces. Nothing of a snapshot's content comes into a name.
//!
//! `s3://bucket/gitlab/{job}` is a shelf itself: the name of an export in a bucket has its time in it, and is the run's own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bucket::BucketUrl;
use crate::civil::UtcTime;
use crate::output::layout;
use crate::output::location::Location;
use crate::output::shelf::LATEST;

/// A place that a run's own values are put into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationPattern {
    text: String,
    /// What stands before the last `/`, that one included.
    above: Vec<Piece>,
    last: Vec<Piece>,
    /// The pattern names a shelf in a bucket, below which each run has a name of its own.
    is_bucket: bool,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Job,
    Date,
    Time,
    SnapshotTime,
}

/// The placeholders, by their names.
const PLACEHOLDERS: [(&str, Piece); 4] = [
    ("{date}", Piece::Date),
    ("{time}", Piece::Time),
    ("{job}", Piece::Job),
    ("{snapshot_time}", Piece::SnapshotTime),
];

/// What stands in the place of placeholders.
#[derive(Debug, Clone, Copy)]
pub struct PatternValues<'v> {
    /// The job's name.
    pub job: &'v str,
    /// When the run began.
    pub now: UtcTime,
    /// When the snapshot was taken, or written; `None` for one that does not say so.
    pub snapshot_time: Option<UtcTime>,
}

impl DestinationPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = match text.trim_end_matches('/') {
            "" => return Err("a destination is missing: name a folder, or a bucket".to_owned()),
            trimmed => trimmed,
        };
        if BucketUrl::is_meant(text) {
            return DestinationPattern::in_bucket(text, trimmed);
        }
        let pieces = pieces(trimmed)?;
        let is_slash = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains('/'));
        let (mut above, mut last) = match pieces.iter().rposition(is_slash) {
            Some(position) => (
                pieces[..=position].to_vec(),
                pieces[position + 1..].to_vec(),
            ),
            None => (Vec::new(), pieces),
        };
        if let Some(Piece::Text(text)) = above.last_mut()
            && let Some(slash) = text.rfind('/')
        {
            let behind = text.split_off(slash + 1);
            if !behind.is_empty() {
                last.insert(0, Piece::Text(behind));
            }
        }
        // The address of something else is no folder.
        Location::parse(trimmed)?;
        if above.iter().any(Piece::changes) {
            return Err(format!(
                "{text}: {{date}}, {{time}} and {{snapshot_time}} may stand in its last part only; \
                 what is above it is the folder that holds all exports"
            ));
        }
        if trimmed.split('/').any(|part| part == ".." || part == ".") {
            return Err(format!("{text}: no part of it may be . or .."));
        }
        if last == [Piece::Text(LATEST.to_owned())] {
            return Err(format!(
                "{text}: {LATEST} is the name of the link to the newest export"
            ));
        }
        Ok(DestinationPattern {
            text: trimmed.to_owned(),
            above,
            last,
            is_bucket: false,
        })
    }

    /// Reads a pattern of a shelf in a bucket.
    fn in_bucket(text: &str, trimmed: &str) -> Result<Self, String> {
        // First of all: what holds a password is not repeated.
        Location::parse(&text.replace(['{', '}'], ""))?;
        let above = pieces(trimmed)?;
        if above.iter().any(Piece::changes) {
            return Err(format!(
                "{text}: leave {{date}}, {{time}} and {{snapshot_time}} out; in a bucket every export has a name of its own with its time in it"
            ));
        }
        Ok(DestinationPattern {
            text: trimmed.to_owned(),
            above,
            last: Vec::new(),
            is_bucket: true,
        })
    }

    /// True if each run has a place of its own; else each one replaces what the one before it left.
    pub fn changes(&self) -> bool {
        self.is_bucket || self.last.iter().any(Piece::changes)
    }

    /// True if the place has the time of the snapshot in it.
    pub fn needs_snapshot_time(&self) -> bool {
        self.last.contains(&Piece::SnapshotTime)
    }

    /// The place that holds all exports of a job; `None` if there is only one, which is replaced.
    pub fn shelf(&self, job: &str) -> Option<String> {
        let above = self.above.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            // Nothing that changes stands there.
            Piece::Job | Piece::Date | Piece::Time | Piece::SnapshotTime => job,
        });
        let above: String = above.collect();
        let shelf = match above.trim_end_matches('/') {
            "" if above.is_empty() => ".",
            "" => "/",
            shelf => shelf,
        };
        self.changes().then(|| shelf.to_owned())
    }

    /// The place of the one export of a job; `None` if each run has a place of its own.
    pub fn fixed(&self, job: &str) -> Option<String> {
        let pieces = self.above.iter().chain(&self.last);
        let place = pieces.map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            // Nothing that changes stands there.
            Piece::Job | Piece::Date | Piece::Time | Piece::SnapshotTime => job,
        });
        (!self.changes()).then(|| place.collect())
    }

    /// The place of one run's export; in a bucket the shelf, below which the run gives it a name.
    ///
    /// # Errors
    /// If it has the time of a snapshot in it that does not tell its own.
    pub fn export(&self, values: &PatternValues<'_>) -> Result<String, String> {
        if let (true, Some(shelf)) = (self.is_bucket, self.shelf(values.job)) {
            return Ok(shelf);
        }
        let mut text = String::new();
        for piece in self.above.iter().chain(&self.last) {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Job => text.push_str(values.job),
                Piece::Date => text.push_str(&date(values.now)),
                Piece::Time => text.push_str(&time(values.now)),
                Piece::SnapshotTime => match values.snapshot_time {
                    Some(taken) => text.push_str(&format!("{}_{}", date(taken), time(taken))),
                    None => {
                        return Err(format!(
                            "{self} has {{snapshot_time}} in it, but the snapshot does not say when it was taken\n  \
                             write {{date}}_{{time}}, which is when the run began"
                        ));
                    }
                },
            }
        }
        match text.rsplit('/').next().is_some_and(layout::is_name) {
            true => Ok(text),
            false => Err(format!("{text} does not end with the name of a folder")),
        }
    }
}

impl Piece {
    /// True if it is another one from run to run.
    fn changes(&self) -> bool {
        match self {
            Piece::Text(_) | Piece::Job => false,
            Piece::Date | Piece::Time | Piece::SnapshotTime => true,
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let brace = rest.find(['{', '}']).unwrap_or(rest.len());
        let (plain, behind) = rest.split_at(brace);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        if behind.is_empty() {
            break;
        }
        let known = PLACEHOLDERS
            .iter()
            .find(|(name, _)| behind.starts_with(name));
        let Some((name, piece)) = known else {
            return Err(unknown(text, behind));
        };
        pieces.push(piece.clone());
        rest = &behind[name.len()..];
    }
    match text.bytes().any(|byte| byte.is_ascii_control()) {
        true => Err(format!("{text:?} has control characters in it")),
        false => Ok(pieces),
    }
}

fn unknown(text: &str, behind: &str) -> String {
    let names: Vec<&str> = PLACEHOLDERS.iter().map(|(name, _)| *name).collect();
    let what = match (behind.strip_prefix('{'), behind.find('}')) {
        (Some(_), Some(end)) => format!("{} is no placeholder", &behind[..=end]),
        (Some(_), None) => "a { has no } behind it".to_owned(),
        (None, _) => "a } has no { before it".to_owned(),
    };
    format!("{text}: {what}; there are {}", names.join(", "))
}

/// `2026-11-28`
fn date(time: UtcTime) -> String {
    crate::civil::CivilDate::from_days(time.day()).to_string()
}

/// `02-03-04`: a colon is awkward in names.
fn time(time: UtcTime) -> String {
    let iso = time.to_string();
    let (_, time) = iso.split_once('T').unwrap_or_default();
    time.split('.').next().unwrap_or_default().replace(':', "-")
}

impl fmt::Display for DestinationPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl TryFrom<String> for DestinationPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        DestinationPattern::parse(&text)
    }
}

impl From<DestinationPattern> for String {
    fn from(pattern: DestinationPattern) -> String {
        pattern.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(job: &str) -> PatternValues<'_> {
        PatternValues {
            job,
            now: UtcTime::parse("2026-11-28T02:03:04.567Z").unwrap(),
            snapshot_time: UtcTime::parse("2026-11-27T23:59:59Z"),
        }
    }

    #[test]
    fn the_shelf_is_what_stands_above_the_part_that_changes() {
        let cases = [
            (
                "/var/backups/gitlab/{job}/{date}_{time}",
                Some("/var/backups/gitlab/acme"),
                "/var/backups/gitlab/acme/2026-11-28_02-03-04",
            ),
            (
                "/b/{job}-{snapshot_time}/",
                Some("/b"),
                "/b/acme-2026-11-27_23-59-59",
            ),
            ("{date}", Some("."), "2026-11-28"),
            ("/{date}", Some("/"), "/2026-11-28"),
            ("/b/{job}/export", None, "/b/acme/export"),
            ("/b/{job}", None, "/b/acme"),
            ("out", None, "out"),
        ];
        for (text, shelf, export) in cases {
            let pattern = DestinationPattern::parse(text).unwrap();
            assert_eq!(pattern.shelf("acme").as_deref(), shelf, "{text}");
            assert_eq!(pattern.export(&values("acme")).unwrap(), export, "{text}");
            assert_eq!(pattern.changes(), shelf.is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told_why() {
        let cases = [
            ("", "a destination is missing"),
            ("/", "a destination is missing"),
            (
                "/b/{day}",
                "{day} is no placeholder; there are {date}, {time}, {job}, {snapshot_time}",
            ),
            ("/b/{Date}", "{Date} is no placeholder"),
            ("/b/{date", "a { has no } behind it"),
            ("/b/date}", "a } has no { before it"),
            ("/b/{{date}}", "{{date} is no placeholder"),
            ("/b/{date}/{job}", "may stand in its last part only"),
            ("s3://b/{job}/{date}", "leave {date}, {time}"),
            ("s3://", "comes the name of a bucket"),
            ("s3://b//{job}", "cannot be used"),
            ("s3://b/{day}", "{day} is no placeholder"),
            ("s3://u:pw@b/{job}", "holds no name, password"),
            (
                "ftp://b/{job}",
                "do not lie at addresses that begin with ftp://",
            ),
            ("/b/../{date}", "no part of it may be . or .."),
            ("/b/latest", "latest is the name of the link"),
            ("/b/\n{date}", "control characters"),
        ];
        for (text, expected) in cases {
            let error = DestinationPattern::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_snapshot_without_a_time_has_no_place_with_one() {
        let pattern = DestinationPattern::parse("/b/{snapshot_time}").unwrap();
        let without = PatternValues {
            snapshot_time: None,
            ..values("acme")
        };
        let error = pattern.export(&without).unwrap_err();
        assert!(error.contains("does not say when it was taken"), "{error}");
        assert!(pattern.needs_snapshot_time());
    }

    #[test]
    fn a_prefix_of_a_bucket_is_a_shelf_itself() {
        for (text, shelf) in [
            ("s3://b/gitlab/{job}", "s3://b/gitlab/acme"),
            ("gs://b/{job}/", "gs://b/acme"),
            ("az://c", "az://c"),
            ("s3://b/latest", "s3://b/latest"),
        ] {
            let pattern = DestinationPattern::parse(text).unwrap();
            assert_eq!(pattern.shelf("acme").as_deref(), Some(shelf), "{text}");
            assert_eq!(pattern.export(&values("acme")).unwrap(), shelf, "{text}");
            assert!(pattern.changes() && pattern.fixed("acme").is_none());
        }
        let secret = DestinationPattern::parse("s3://u:s3cr3t@b/{day}/{date}").unwrap_err();
        assert!(!secret.contains("s3cr3t"), "{secret}");
    }

    #[test]
    fn a_job_leads_to_no_other_folder() {
        let pattern = DestinationPattern::parse("/b/{job}").unwrap();
        for job in ["..", "", "."] {
            assert!(pattern.export(&values(job)).is_err(), "{job:?}");
        }
    }
}
