//! What the files of configuration say, once it has been found right.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::choice::SnapshotChoice;
use super::config::StatedKeys;
use super::secret::Secret;
use crate::output::pattern::DestinationPattern;
use crate::output::retention::Keep;
use crate::snapshot::Spec;

/// All files of configuration together.
#[derive(Debug)]
pub struct Config {
    /// The files that were read, in this order.
    pub files: Vec<PathBuf>,
    /// Where the history of jobs lies.
    pub state_dir: PathBuf,
    /// Where the locks of jobs lie.
    pub lock_dir: PathBuf,
    /// Where each job writes its metrics, unless it says otherwise.
    pub metrics_dir: Option<PathBuf>,
    /// In the order of the files.
    pub jobs: Vec<Job>,
    /// Jobs that are not right. They cannot run, and others can.
    pub broken: Vec<BrokenJob>,
    /// What is allowed, and hardly meant.
    pub warnings: Vec<Mistake>,
}

/// An export that is made again and again.
pub struct Job {
    pub name: JobName,
    /// Where it is defined.
    pub file: PathBuf,
    /// Line of the file, counted from 1.
    pub line: usize,
    /// Arguments of `relexport export`, without the snapshot and the place.
    pub export: Vec<OsString>,
    pub snapshot: SnapshotChoice,
    pub destination: DestinationPattern,
    /// Which of its exports stay; of a job without it, all of them.
    pub keep: Option<Keep>,
    /// True if a run that would make the newest export once more makes none.
    pub skip_unchanged: bool,
    pub guard: Guard,
    pub hooks: Hooks,
    pub ping: Option<Ping>,
    pub metrics_file: Option<PathBuf>,
    /// How long a run waits for another one of the same job.
    pub lock_wait: Duration,
    /// Variables for this job alone, over those of the process.
    pub environment: BTreeMap<String, Secret>,
    /// What the files say of it, for whoever wants to see that.
    pub(super) stated: StatedKeys,
}

/// A job of which something is wrong, with what it takes to tell so to those who wait for it.
#[derive(Debug)]
pub struct BrokenJob {
    pub name: JobName,
    pub file: PathBuf,
    pub line: usize,
    /// Never empty.
    pub mistakes: Vec<Mistake>,
    pub hooks: Hooks,
    pub ping: Option<Ping>,
    /// As that of a [`Job`].
    pub metrics_file: Option<PathBuf>,
}

/// A mistake in a file of configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub file: PathBuf,
    /// Line, counted from 1; 0 if the mistake is the whole file's.
    pub line: usize,
    /// Column in characters, counted from 1; 0 if the mistake is the whole file's.
    pub column: usize,
    /// What is wrong, and what to write. It holds no secret.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, message) = (self.file.display(), &self.message);
        match self.line {
            0 => write!(f, "{file}: {message}"),
            line => write!(f, "{file}:{line}:{}: {message}", self.column),
        }
    }
}

/// The name of a job: safe as the name of a file, as a label and as an argument.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(String);

/// The longest name of a job, in bytes. Names of files are made of it.
const LONGEST_NAME: usize = 64;

impl JobName {
    /// # Errors
    /// What is wrong with the text as a name.
    pub fn parse(text: &str) -> Result<JobName, String> {
        let is_part =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        let is_name = text.len() <= LONGEST_NAME
            && !text.starts_with('-')
            && !text.is_empty()
            && text.bytes().all(is_part);
        match is_name {
            true => Ok(JobName(text.to_owned())),
            false => Err(format!(
                "a job's name has from 1 to {LONGEST_NAME} letters from a to z, digits, _ and -, and does not begin with -"
            )),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an export must be like to count as a success. Relations are named as for `--batch-size`; the empty name stands for
/// the whole export.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guard {
    /// The rows that there must be.
    pub min_rows: BTreeMap<String, u64>,
    /// How much less there may be than in the last success.
    pub max_shrink: BTreeMap<String, Percent>,
}

/// A share, from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// # Errors
    /// What is wrong with the text as a share.
    pub fn parse(text: &str) -> Result<Percent, String> {
        let number = text.strip_suffix('%').map(str::trim_end);
        match number.and_then(|number| number.parse().ok()) {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Percent(percent)),
            _ => Err("write a share as 50% or 2.5%, from 0% to 100%".to_owned()),
        }
    }

    /// From 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// Programs that are started around a run: each a list of arguments, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    pub before: Vec<Vec<String>>,
    pub after: Vec<Vec<String>>,
    pub success: Vec<Vec<String>>,
    pub failure: Vec<Vec<String>>,
    /// How long each of them may take.
    pub time_limit: Duration,
}

impl Default for Hooks {
    fn default() -> Hooks {
        Hooks {
            before: Vec::new(),
            after: Vec::new(),
            success: Vec::new(),
            failure: Vec::new(),
            time_limit: Duration::from_secs(5 * 60),
        }
    }
}

/// Whom a run tells that it began, and how it ended, in the manner of Healthchecks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Whoever knows it can say that all is well.
    pub url: Secret,
}

impl fmt::Debug for Job {
    /// Without the passwords that addresses may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("file", &self.file)
            .field("line", &self.line)
            .field("export", &self.shown_arguments())
            .field("snapshot", &self.snapshot)
            .field("destination", &self.destination)
            .field("keep", &self.keep)
            .field("skip_unchanged", &self.skip_unchanged)
            .field("guard", &self.guard)
            .field("hooks", &self.hooks)
            .field("ping", &self.ping)
            .field("metrics_file", &self.metrics_file)
            .field("lock_wait", &self.lock_wait)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

impl Job {
    /// The arguments of the export as a message may show them.
    pub fn shown_arguments(&self) -> Vec<String> {
        self.export
            .iter()
            .map(|argument| shown_argument(&argument.to_string_lossy()))
            .collect()
    }
}

/// `--name=value`, of whose value the parts are left out that may be secret.
fn shown_argument(argument: &str) -> String {
    let Some((option, value)) = argument.split_once('=') else {
        return argument.to_owned();
    };
    format!("{option}={}", Spec::from(value).shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_file_a_label_and_an_argument() {
        for text in ["acme", "acme-2_night", "0", &"a".repeat(64)] {
            assert_eq!(
                JobName::parse(text).map(|name| name.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "-q", "Acme", "a.b", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(JobName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_has_its_sign_and_is_at_most_all() {
        for (text, fraction) in [("50%", 0.5), ("2.5 %", 0.025), ("0%", 0.0), ("100%", 1.0)] {
            assert_eq!(Percent::parse(text).map(Percent::fraction), Ok(fraction));
        }
        for text in ["50", "", "%", "101%", "-1%", "nan%", "half"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_password_in_an_argument_is_shown() {
        for (argument, shown) in [
            ("--batched", "--batched"),
            ("--batch-size=issues=200", "--batch-size=issues=200"),
            (
                "--ci-snapshot=postgres://u:secret@h/ci",
                "--ci-snapshot=postgres://h/ci",
            ),
        ] {
            assert_eq!(shown_argument(argument), shown);
        }
        assert!(!shown_argument("--ci-snapshot=host=h password=secret").contains("secret"));
    }

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let mut mistake = Mistake {
            file: "relexport.toml".into(),
            line: 4,
            column: 9,
            message: "write true or false".to_owned(),
        };
        assert_eq!(
            mistake.to_string(),
            "relexport.toml:4:9: write true or false"
        );
        mistake.line = 0;
        assert_eq!(mistake.to_string(), "relexport.toml: write true or false");
    }
}
