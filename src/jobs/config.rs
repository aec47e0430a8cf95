//! Files of configuration: which there are, and what they say.
//!
//! ```toml
//! state-dir = "/var/lib/relexport"
//!
//! [defaults]                      # of all jobs
//! batched = true
//!
//! [job.acme]
//! snapshot = "/var/opt/gitlab/backups/*_gitlab_backup.tar"
//! pick = "newest"
//! group = ["acme"]                # every option of `relexport export` is a key
//! destination = "/var/backups/relexport/{job}/{date}_{time}"
//! keep-daily = 7
//! ```
//!
//! All files together are one configuration: a key that stands in two of them is a mistake. Every mistake is found in one
//! go and told with its place, but of a file that is no TOML only where it is none. Options are known to clap alone: their
//! keys become arguments, which it is asked about.

mod document;
mod files;
mod guard;
mod hooks;
mod job;
mod keys;
mod options;
mod secrets;
mod shown;
mod table;

mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use files::{FOLDER, MAIN_FILE, find};
pub use keys::{is_given_on_a_line, nearest};
pub use options::{ExportOption, ExportOptions, OptionValues, WrongOption};
pub use schema::schema;
pub use secrets::Credentials;
pub use shown::{StatedKeys, quoted, shell_words, shown_job};

use super::job::{BrokenJob, Config, JobName, Mistake};
use document::{Data, Place, Table};
use job::{JobReader, ReadJob};
use table::Mistakes;

/// A file of configuration, with its text.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    pub path: PathBuf,
    pub text: String,
    /// True if people beside its owner and group may read it.
    pub is_public: bool,
}

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Where the history of jobs lies, unless a file says otherwise.
pub const STATE_DIR: &str = "/var/lib/relexport";

/// Where the locks of jobs lie, unless a file says otherwise.
pub const LOCK_DIR: &str = "/run/relexport";

/// Why there is no configuration: what is wrong with the files as a whole.
#[derive(Debug, Default)]
pub struct ConfigError {
    /// All that were found, those of single jobs among them. Never empty.
    pub mistakes: Vec<Mistake>,
    /// The jobs that could be made out, none of which can run, with what it takes to tell so.
    pub jobs: Vec<BrokenJob>,
    /// Where their history lies, if that is known.
    pub state_dir: Option<PathBuf>,
    /// Where metrics of theirs go that have no file of their own, if files say so.
    pub metrics_dir: Option<PathBuf>,
}

impl ConfigError {
    fn of_file(path: &Path, message: impl Into<String>) -> ConfigError {
        ConfigError {
            mistakes: vec![Mistake {
                file: path.to_owned(),
                line: 0,
                column: 0,
                message: message.into(),
            }],
            ..ConfigError::default()
        }
    }
}

impl ConfigError {
    /// Of one job that is broken.
    pub fn of_job(job: &BrokenJob) -> ConfigError {
        ConfigError {
            mistakes: job.mistakes.clone(),
            ..ConfigError::default()
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl crate::failure::Failure for ConfigError {
    fn policy(&self) -> crate::failure::Policy {
        crate::failure::Policy::EndRun(crate::failure::Cause::Request)
    }
}

impl Config {
    /// All mistakes of single jobs, in the order of the files.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mistakes = self.broken.iter().flat_map(|job| &job.mistakes);
        sorted(mistakes.cloned().collect())
    }
}

/// Reads files of configuration. A mistake in one job leaves the others as they are.
///
/// # Errors
/// Mistakes that concern all jobs.
pub fn read(
    files: &[ConfigFile],
    options: &dyn ExportOptions,
    credentials: &Credentials,
) -> Result<Config, ConfigError> {
    let mut mistakes = Mistakes::default();
    let (mut whole, mut is_all_read) = (Whole::default(), true);
    for file in files {
        match document::parse(file) {
            Ok(table) => whole.add(table, &mut mistakes),
            Err(found) => {
                is_all_read = false;
                mistakes.extend(found);
            }
        }
    }
    let dir = |name: &str, mistakes: &mut Mistakes| {
        let value = whole.settings.get(name)?;
        let path = mistakes.text(name, value).map(PathBuf::from)?;
        match path.is_absolute() {
            true => Some(path),
            false => {
                mistakes.at(
                    &value.place,
                    format!("`{name}` is a whole path, such as /var/lib/relexport"),
                );
                None
            }
        }
    };
    let state_dir = dir("state-dir", &mut mistakes);
    // Where nothing says it, a file that cannot be read might.
    let is_state_dir_known =
        state_dir.is_some() || (is_all_read && whole.settings.get("state-dir").is_none());
    let state_dir = state_dir.unwrap_or_else(|| STATE_DIR.into());
    let lock_dir = dir("lock-dir", &mut mistakes).unwrap_or_else(|| LOCK_DIR.into());
    let metrics_dir = dir("metrics-dir", &mut mistakes);
    let reader = JobReader {
        options,
        credentials,
        defaults: &whole.defaults,
        is_public: &|place| {
            files
                .iter()
                .any(|file| file.is_public && *file.path == *place.file)
        },
    };
    let mut warnings = reader.check_defaults(&mut mistakes);
    let (mut jobs, mut broken) = (Vec::new(), Vec::new());
    let mut places: BTreeMap<String, &JobName> = BTreeMap::new();
    for (name, place, table) in &whole.jobs {
        let ReadJob {
            job,
            mut mistakes,
            hooks,
            ping,
            metrics_file,
            warnings: of_job,
        } = reader.job(name, place, table);
        warnings.extend(of_job);
        if let Some(job) = &job
            && let Some(fixed) = job.destination.fixed(name.as_str())
            && let Some(other) = places.insert(fixed, name)
        {
            mistakes.push(place.mistake(format!(
                "the `destination` of job {name} is that of job {other}, so each would replace the other's export; \
                 put {{job}} into it, or name another"
            )));
        }
        match job {
            Some(job) if mistakes.is_empty() => jobs.push(job),
            Some(_) | None => broken.push(BrokenJob {
                name: name.clone(),
                file: place.file.to_path_buf(),
                line: place.line(),
                mistakes: sorted(mistakes),
                hooks,
                ping,
                metrics_file,
            }),
        }
    }
    let mut mistakes = mistakes.into_inner();
    // What is wrong with a default is wrong with every job, and told once.
    if mistakes.is_empty() {
        return Ok(Config {
            files: files.iter().map(|file| file.path.clone()).collect(),
            state_dir,
            lock_dir,
            metrics_dir,
            jobs,
            broken,
            warnings: sorted(warnings),
        });
    }
    mistakes.extend(broken.iter().flat_map(|job| job.mistakes.clone()));
    let mistakes = sorted(mistakes);
    let stopped = jobs.into_iter().map(|job| BrokenJob {
        name: job.name,
        file: job.file,
        line: job.line,
        mistakes: mistakes.clone(),
        hooks: job.hooks,
        ping: job.ping,
        metrics_file: job.metrics_file,
    });
    broken.extend(stopped);
    Err(ConfigError {
        mistakes,
        jobs: broken,
        state_dir: is_state_dir_known.then_some(state_dir),
        metrics_dir,
    })
}

fn sorted(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort();
    mistakes.dedup();
    mistakes
}

/// All files together.
#[derive(Default)]
struct Whole {
    settings: Table,
    defaults: Table,
    jobs: Vec<(JobName, Place, Table)>,
}

impl Whole {
    fn add(&mut self, file: Table, mistakes: &mut Mistakes) {
        for entry in file.entries {
            match (entry.key.as_str(), entry.value.data) {
                ("job", Data::Table(jobs)) => self.add_jobs(jobs, mistakes),
                ("job", _) => {
                    mistakes.at(&entry.place, "`job` is a table of jobs: write [job.NAME]")
                }
                ("defaults", Data::Table(defaults)) => {
                    for entry in defaults.entries {
                        self.defaults.add(entry, mistakes);
                    }
                }
                ("defaults", _) => {
                    mistakes.at(&entry.place, "`defaults` is a table: write [defaults]")
                }
                (key, data) if keys::is_setting(key) => {
                    let value = document::Value {
                        place: entry.value.place,
                        data,
                    };
                    let entry = document::Entry {
                        key: entry.key,
                        place: entry.place,
                        value,
                    };
                    self.settings.add(entry, mistakes);
                }
                (key, _) => {
                    let known = keys::settings().chain(["defaults", "job"]);
                    let mut message = keys::unknown(key, known.map(str::to_owned));
                    if keys::is_of_job(key) {
                        message = format!(
                            "`{key}` is a job's: put it below [job.NAME], or below [defaults] for all jobs"
                        );
                    }
                    mistakes.at(&entry.place, message);
                }
            }
        }
    }

    fn add_jobs(&mut self, jobs: Table, mistakes: &mut Mistakes) {
        for entry in jobs.entries {
            let name = match JobName::parse(&entry.key) {
                Ok(name) => name,
                Err(wrong) => {
                    mistakes.at(&entry.place, wrong);
                    continue;
                }
            };
            let Data::Table(table) = entry.value.data else {
                mistakes.at(
                    &entry.place,
                    format!("a job is a table: write [job.{name}]"),
                );
                continue;
            };
            match self.jobs.iter().find(|(other, ..)| *other == name) {
                Some((_, other, _)) => {
                    let message = format!(
                        "job {name} is already there, at {other}; give this one another name"
                    );
                    mistakes.at(&entry.place, message);
                }
                None => self.jobs.push((name, entry.place, table)),
            }
        }
    }
}

/// Merges what a job says with what stands for all of them.
fn merged(defaults: &Table, own: &Table) -> Table {
    let mut merged = Table::default();
    for entry in &defaults.entries {
        match own
            .entries
            .iter()
            .find(|own| keys::family(&own.key) == keys::family(&entry.key))
        {
            None => merged.entries.push(entry.clone()),
            // Of a table, what the job does not say itself.
            Some(stronger) => {
                if let (Data::Table(below), Data::Table(above)) =
                    (&entry.value.data, &stronger.value.data)
                {
                    let mut stronger = stronger.clone();
                    stronger.value.data = Data::Table(self::merged(below, above));
                    merged.entries.push(stronger);
                }
            }
        }
    }
    let is_there = |key: &str, merged: &Table| merged.entries.iter().any(|entry| entry.key == key);
    for entry in &own.entries {
        if !is_there(&entry.key, &merged) {
            merged.entries.push(entry.clone());
        }
    }
    merged
}

/// Reads a text as a file of configuration that knows no options: for the fuzz target.
///
/// Every mistake is shown with the file's name.
#[doc(hidden)]
pub fn mistakes_in(text: &str) -> Vec<String> {
    let file = ConfigFile {
        path: "fuzz.toml".into(),
        text: text.to_owned(),
        is_public: false,
    };
    let found = match read(&[file], &options::NoOptions, &Credentials::Unread) {
        Ok(config) => config.mistakes(),
        Err(error) => error.mistakes,
    };
    found.iter().map(Mistake::to_string).collect()
}

#[cfg(test)]
mod tests;
