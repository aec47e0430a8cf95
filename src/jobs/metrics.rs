//! The metrics file: how the last run of each job went, for node_exporter's textfile collector.
//!
//! Text format 0.0.4. What that collector does not forgive: it drops the whole file for a sample with a time of its own,
//! for a type that only OpenMetrics has, and for a last line without its end; and the series of a file whose HELP is
//! another than that of another file. So these texts are constant, a file is replaced in one step, and everybody may
//! read it: the collector is another user. The label is `job_name`, since Prometheus sets `job` itself.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Cause, Failure, Policy};
use crate::output::{Lock, LockError, atomic};

#[cfg(test)]
mod tests;

/// Bytes that such a file has at the most; what is larger is something else.
const LARGEST: u64 = 16 << 20;

/// What the names of all samples begin with.
const PREFIX: &str = "relexport_job_";

const LAST_RUN: &str = "relexport_job_last_run_timestamp_seconds";
const LAST_SUCCESS: &str = "relexport_job_last_success_timestamp_seconds";
const EXIT_STATUS: &str = "relexport_job_last_exit_status";
const SUSPECT: &str = "relexport_job_suspect";
const DURATION: &str = "relexport_job_duration_seconds";
const ROWS: &str = "relexport_job_rows";
const BYTES: &str = "relexport_job_bytes";
const FAILED_RELATIONS: &str = "relexport_job_failed_relations";

/// The metrics, in the order of the file: all are gauges.
const METRICS: [(&str, &str); 8] = [
    (LAST_RUN, "When the last run of the job ended."),
    (
        LAST_SUCCESS,
        "When the last run ended that made a complete export; 0 if there was none.",
    ),
    (EXIT_STATUS, "Exit status of the last run; 0 is success."),
    (
        SUSPECT,
        "1 if the last run made an export that its guard does not trust, else 0.",
    ),
    (DURATION, "How long the last run took."),
    (ROWS, "Rows that the last run exported."),
    (
        BYTES,
        "Bytes of the compressed files that the last run exported.",
    ),
    (
        FAILED_RELATIONS,
        "Relations that the last run did not finish, for each group and project.",
    ),
];

/// How the last run of a job went.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobMetrics {
    pub job: String,
    /// When it ended, in seconds since 1970.
    pub ended: u64,
    /// When the last run ended that made a complete export, if it is known; else what the file says stays.
    pub last_success: Option<u64>,
    pub exit_status: u8,
    pub is_suspect: bool,
    pub duration: Duration,
    pub rows: u64,
    pub bytes: u64,
    pub failed_relations: u64,
}

impl JobMetrics {
    fn samples(&self) -> Samples {
        let mut samples = Samples::new();
        let mut set = |name: &'static str, value: String| samples.insert(name, value);
        set(LAST_RUN, self.ended.to_string());
        if let Some(at) = self.last_success {
            set(LAST_SUCCESS, at.to_string());
        }
        set(EXIT_STATUS, self.exit_status.to_string());
        set(SUSPECT, u8::from(self.is_suspect).to_string());
        set(DURATION, format!("{:.3}", self.duration.as_secs_f64()));
        set(ROWS, self.rows.to_string());
        set(BYTES, self.bytes.to_string());
        set(FAILED_RELATIONS, self.failed_relations.to_string());
        samples
    }
}

/// Values by the names of their metrics, as they stand in the file.
pub(crate) type Samples = BTreeMap<&'static str, String>;

/// Why a metrics file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricsError {
    #[error("cannot read the metrics file {path}: {source}\n  name a file of its own")]
    Read { path: String, source: io::Error },
    #[error(
        "cannot write the metrics file {path}: {source}\n  see that its folder is there and can be written"
    )]
    Write { path: String, source: io::Error },
    #[error(
        "{path} holds something other than relexport's metrics, so it is not replaced\n  name a file of its own"
    )]
    SomethingElse { path: String },
    #[error(
        "the metrics file {path} is being written by another run{holder}\n  give each job a file of its own"
    )]
    InUse { path: String, holder: String },
}

impl Failure for MetricsError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            MetricsError::Read { .. } | MetricsError::Write { .. } => Cause::Machine,
            MetricsError::SomethingElse { .. } => Cause::Request,
            MetricsError::InUse { .. } => Cause::AnotherRun,
        })
    }
}

/// A file that says how the last runs of one or several jobs went.
#[derive(Debug, Clone)]
pub(crate) struct MetricsFile {
    path: PathBuf,
}

impl MetricsFile {
    pub(crate) fn new(path: &Path) -> MetricsFile {
        MetricsFile {
            path: path.to_owned(),
        }
    }

    /// True for a name that node_exporter reads.
    pub(crate) fn is_collected(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "prom")
    }

    /// Makes sure, before anything is done, that it can be written in the end.
    ///
    /// # Errors
    /// If its folder is not there, or the file is somebody's.
    pub(crate) fn check(&self) -> Result<(), MetricsError> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            return Err(self.write_error(io::Error::other("its folder is not there")));
        }
        self.read().map(drop)
    }

    /// Writes down how a job's run went. What the file says of other jobs stays.
    ///
    /// # Errors
    /// If it cannot be written, or is somebody's.
    pub(crate) fn put(&self, run: &JobMetrics) -> Result<(), MetricsError> {
        let _lock = self.lock()?;
        let mut jobs = self.read()?;
        let older = jobs.remove(&run.job).unwrap_or_default();
        let mut samples = run.samples();
        if !samples.contains_key(LAST_SUCCESS) {
            let carried = older.get(LAST_SUCCESS).cloned();
            samples.insert(LAST_SUCCESS, carried.unwrap_or_else(|| "0".to_owned()));
        }
        jobs.insert(run.job.clone(), samples);
        atomic::replace_for_all(&self.path, write_metrics(&jobs).as_bytes())
            .map_err(|source| self.write_error(source))
    }

    /// Keeps two runs from writing at the same time, which would lose what one of them says. It is held for moments only.
    fn lock(&self) -> Result<Option<Lock>, MetricsError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let path = self.path.with_file_name(format!(".{name}.relexport-lock"));
        let mut tries = 0;
        loop {
            match Lock::take(&path) {
                Ok(lock) => return Ok(lock),
                Err(LockError::Held(_)) if tries < 200 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(LockError::Held(holder)) => {
                    return Err(MetricsError::InUse {
                        path: self.shown(),
                        holder: holder.map(|who| format!(": {who}")).unwrap_or_default(),
                    });
                }
                Err(LockError::Io(source)) => return Err(self.write_error(source)),
            }
        }
    }

    /// What it says now, by job; nothing if it is not there.
    fn read(&self) -> Result<BTreeMap<String, Samples>, MetricsError> {
        let unread = |source| MetricsError::Read {
            path: self.shown(),
            source,
        };
        match fs::metadata(&self.path) {
            Ok(found) if !found.is_file() || found.len() > LARGEST => {
                return Err(MetricsError::SomethingElse { path: self.shown() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(unread(error)),
        }
        let bytes = fs::read(&self.path).map_err(unread)?;
        parse_metrics(&bytes).ok_or_else(|| MetricsError::SomethingElse { path: self.shown() })
    }

    fn write_error(&self, source: io::Error) -> MetricsError {
        MetricsError::Write {
            path: self.shown(),
            source,
        }
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The text of a file.
pub fn write_metrics(jobs: &BTreeMap<String, Samples>) -> String {
    let mut text = String::new();
    for (name, help) in METRICS {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (job, samples) in jobs {
            if let Some(value) = samples.get(name) {
                text.push_str(&format!(
                    "{name}{{job_name=\"{}\"}} {value}\n",
                    escaped(job)
                ));
            }
        }
    }
    text
}

/// What a file of ours says, by job. `None` for any other file; metrics that only another version knows are left out.
pub fn parse_metrics(bytes: &[u8]) -> Option<BTreeMap<String, Samples>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut jobs: BTreeMap<String, Samples> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        let (name, rest) = line.split_once("{job_name=\"")?;
        if !name.starts_with(PREFIX) {
            return None;
        }
        let (job, value) = unescaped(rest)?;
        let value = value.strip_prefix("} ")?;
        let number: f64 = value.parse().ok()?;
        let known = METRICS.iter().find(|(metric, _)| *metric == name);
        if let (Some((metric, _)), true) = (known, number.is_finite()) {
            jobs.entry(job)
                .or_default()
                .insert(metric, value.to_owned());
        }
    }
    Some(jobs)
}

/// A label's value as it stands between its quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A label's value up to its closing quote, and what follows it.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                letter @ ('\\' | '"') => letter,
                _ => return None,
            }),
            letter => value.push(letter),
        }
    }
    None
}
