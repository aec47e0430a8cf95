//! The keys that are not options of `relexport export`, and what is said of those that nobody knows.

/// What a key's value looks like, for editors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Path,
    /// Such as `10min`.
    Time,
    Boolean,
    /// These words alone.
    Words(&'static [&'static str]),
    /// Numbers, or `RELATION=N`.
    Rows,
    /// Shares, or `RELATION=50%`.
    Shares,
    /// A list of arguments, or several.
    Programs,
    Table(&'static [Key]),
    /// A table of variables.
    Variables,
}

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) shape: Shape,
}

const fn key(name: &'static str, shape: Shape, help: &'static str) -> Key {
    Key { name, help, shape }
}

/// Those of a whole configuration, beside `defaults` and `job`.
pub(super) const SETTINGS: &[Key] = &[
    key(
        "state-dir",
        Shape::Path,
        "The folder of the jobs' history [default: /var/lib/relexport]",
    ),
    key(
        "lock-dir",
        Shape::Path,
        "The folder of the jobs' locks [default: /run/relexport]",
    ),
    key(
        "metrics-dir",
        Shape::Path,
        "The folder that gets a metrics file of each job, for node_exporter",
    ),
];

/// Those of a job, beside the options of an export.
pub(super) const OF_JOB: &[Key] = &[
    key(
        "snapshot",
        Shape::Text,
        "What to read: a path, the address of a server, pgdata:DIR, or a pattern if pick is there",
    ),
    key(
        "pick",
        Shape::Words(&["newest"]),
        "Which of the files that the pattern in snapshot matches",
    ),
    key(
        "destination",
        Shape::Text,
        "Where exports go, with {job}, {date}, {time} and {snapshot_time} put in",
    ),
    key(
        "skip-unchanged",
        Shape::Boolean,
        "Make no export if the newest one is of the same snapshot and options",
    ),
    key(
        "lock-wait",
        Shape::Time,
        "How long to wait for another run of the job, such as 10min [default: 0]",
    ),
    key(
        "metrics-file",
        Shape::Path,
        "The file that gets metrics of the job, for node_exporter",
    ),
    key(
        "ping-url",
        Shape::Text,
        "The address that is told when a run begins and ends, as of Healthchecks",
    ),
    key(
        "ping-url-file",
        Shape::Path,
        "A file that holds that address",
    ),
    key(
        "ping-url-credential",
        Shape::Text,
        "The systemd credential that holds that address",
    ),
    key(
        "ping-url-variable",
        Shape::Text,
        "The variable that holds that address",
    ),
    key(
        "hooks",
        Shape::Table(HOOKS),
        "Programs that are started around a run",
    ),
    key(
        "guard",
        Shape::Table(GUARD),
        "What an export must be like to count as a success",
    ),
    key(
        "environment",
        Shape::Variables,
        "Variables of the job alone, such as the keys of a bucket",
    ),
];

pub(super) const HOOKS: &[Key] = &[
    key(
        "before",
        Shape::Programs,
        "Before anything is read; a failure ends the run",
    ),
    key("after", Shape::Programs, "After every run"),
    key(
        "success",
        Shape::Programs,
        "After a run that made its export",
    ),
    key(
        "failure",
        Shape::Programs,
        "After every other run, also one whose job has a mistake in it",
    ),
    key(
        "time-limit",
        Shape::Time,
        "How long each may take [default: 5min]",
    ),
];

pub(super) const GUARD: &[Key] = &[
    key(
        "min-rows",
        Shape::Rows,
        "The rows that there must be: of the export, or of one relation (issues=200)",
    ),
    key(
        "max-shrink",
        Shape::Shares,
        "How much less there may be than the last time: 50%, or issues=20%",
    ),
];

/// Options of an export that a job has no use for, with the reason.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("out", "a job's exports go to its `destination`"),
    ("resume", "each run of a job begins anew"),
    (
        "dry-run",
        "a job that writes nothing is none; use `relexport export --dry-run`",
    ),
    ("json", "what a run prints is for its command line to say"),
];

/// What a key that gets its value from elsewhere ends with.
pub(super) const SOURCES: [&str; 3] = ["-file", "-credential", "-variable"];

/// What keys have in common of which one takes the place of another: `ping-url-file` that of `ping-url`.
pub(super) fn family(key: &str) -> &str {
    let is_variable = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    SOURCES
        .iter()
        .find_map(|source| key.strip_suffix(source))
        .filter(|family| *family == "ping-url" || is_variable(family))
        .unwrap_or(key)
}

pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|key| key.name)
}

pub(super) fn is_setting(key: &str) -> bool {
    settings().any(|known| known == key)
}

pub(super) fn is_of_job(key: &str) -> bool {
    OF_JOB.iter().any(|known| known.name == key)
}

/// True for an option of an export that a run of a job can be given beside the file: the file's own keys are options of
/// the run, or none.
pub fn is_given_on_a_line(option: &str) -> bool {
    let is_refused = REFUSED.iter().any(|(name, _)| *name == option);
    option == "snapshot" || !is_refused && !is_of_job(option)
}

/// How alike a key and a known one must be to be taken for the same, from 0 to 1.
const ALIKE: f64 = 0.6;

/// What is said of a key that is not there.
pub(super) fn unknown(key: &str, known: impl Iterator<Item = String>) -> String {
    let known: Vec<String> = known.collect();
    let key = crate::visible::visible(key);
    match nearest(&key, known.iter().map(String::as_str)) {
        Some(nearest) => format!("there is no key `{key}` here; did you mean `{nearest}`?"),
        None if known.len() > 8 => format!(
            "there is no key `{key}` here; `relexport config schema` tells all that there are"
        ),
        None => format!(
            "there is no key `{key}` here; there are {}",
            known.join(", ")
        ),
    }
}

/// The name that is most like another one, if any is.
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}
