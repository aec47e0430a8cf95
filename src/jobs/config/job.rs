//! One job: from its table to what runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value as Json;

use super::super::choice::SnapshotChoice;
use super::super::job::{Guard, Hooks, Job, JobName, Mistake, Ping};
use super::super::secret::Secret;
use super::document::{Data, Entry, Place, Table, Value};
use super::keys::{self, OF_JOB, REFUSED, SOURCES, family};
use super::options::{self, ExportOption, ExportOptions};
use super::secrets::{Credentials, FoundSecret, secret};
use super::table::Mistakes;
use super::{guard, hooks, merged};
use crate::output::pattern::DestinationPattern;
use crate::output::retention::Keep;
use crate::snapshot::Spec;

/// Reads jobs that have their defaults in common.
pub(super) struct JobReader<'r> {
    pub(super) options: &'r dyn ExportOptions,
    pub(super) credentials: &'r Credentials,
    pub(super) defaults: &'r Table,
    /// True for a place in a file that everybody can read.
    pub(super) is_public: &'r dyn Fn(&Place) -> bool,
}

/// What came of a job's table.
pub(super) struct ReadJob {
    /// `None` if it lacks what a job is made of.
    pub(super) job: Option<Job>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    /// As far as they could be read: whoever waits for the job is told that it is broken.
    pub(super) hooks: Hooks,
    pub(super) ping: Option<Ping>,
    pub(super) metrics_file: Option<PathBuf>,
}

/// What the keys of a job have said so far.
#[derive(Default)]
struct Stated<'t> {
    snapshot: Option<(&'t str, Place)>,
    pick: Option<Place>,
    destination: Option<DestinationPattern>,
    keep: serde_json::Map<String, Json>,
    skip_unchanged: bool,
    lock_wait: Duration,
    metrics_file: Option<PathBuf>,
    hooks: Hooks,
    guard: Guard,
    environment: BTreeMap<String, Secret>,
    /// Arguments of the export, each with the place of its value.
    arguments: Vec<(OsString, Place)>,
}

impl JobReader<'_> {
    /// The mistakes in what stands for all jobs, so that they are told even if there is no job. What only a whole job can
    /// tell is left to each of them.
    pub(super) fn check_defaults(&self, mistakes: &mut Mistakes) -> Vec<Mistake> {
        let mut warnings = Vec::new();
        self.stated(self.defaults, mistakes, &mut warnings);
        let _ = self.ping(self.defaults, mistakes, &mut warnings);
        warnings
    }

    pub(super) fn job(&self, name: &JobName, place: &Place, own: &Table) -> ReadJob {
        let table = merged(self.defaults, own);
        let (mut mistakes, mut warnings) = (Mistakes::default(), Vec::new());
        let stated = self.stated(&table, &mut mistakes, &mut warnings);
        let ping = self.ping(&table, &mut mistakes, &mut warnings);
        let snapshot = match table.get("snapshot") {
            Some(_) => snapshot(&stated, &mut mistakes, &mut warnings),
            None => {
                let example = "snapshot = \"/var/opt/gitlab/backups/*_gitlab_backup.tar\" with pick = \"newest\"";
                mistakes.at(
                    place,
                    format!("job {name} says nowhere what it reads; add {example}"),
                );
                None
            }
        };
        if stated.destination.is_none() && table.get("destination").is_none() {
            let example = "/var/backups/relexport/{job}/{date}_{time}";
            mistakes.at(
                place,
                format!(
                    "job {name} says nowhere where its exports go; add destination = \"{example}\""
                ),
            );
        }
        let keep = keep(&stated.keep, &table, &mut mistakes);
        let mut mistakes = mistakes.into_inner();
        if mistakes.is_empty() {
            mistakes.extend(self.together(name, &stated.arguments, place));
        }
        let hooks = stated.hooks.clone();
        let metrics_file = stated.metrics_file.clone();
        let job = match (snapshot, stated.destination) {
            (Some(snapshot), Some(destination)) => Some(Job {
                name: name.clone(),
                file: place.file.to_path_buf(),
                line: place.line(),
                export: stated
                    .arguments
                    .into_iter()
                    .map(|(argument, _)| argument)
                    .collect(),
                snapshot,
                destination,
                keep,
                skip_unchanged: stated.skip_unchanged,
                guard: stated.guard,
                hooks: stated.hooks,
                ping: ping.clone(),
                metrics_file: stated.metrics_file,
                lock_wait: stated.lock_wait,
                environment: stated.environment,
                stated: super::shown::StatedKeys::new(table),
            }),
            _ => None,
        };
        ReadJob {
            job,
            mistakes,
            warnings,
            hooks,
            ping,
            metrics_file,
        }
    }

    /// What the arguments of a job are like beside one another.
    fn together(
        &self,
        job: &JobName,
        arguments: &[(OsString, Place)],
        place: &Place,
    ) -> Option<Mistake> {
        let texts: Vec<OsString> = arguments
            .iter()
            .map(|(argument, _)| argument.clone())
            .collect();
        let wrong = self.options.check_together(&texts).err()?;
        let is_of = |argument: &OsString, name: &str| {
            let text = argument.to_string_lossy();
            let text = text.strip_prefix("--").unwrap_or_default();
            text.split('=').next() == Some(name)
        };
        let place = wrong
            .options
            .iter()
            .find_map(|name| arguments.iter().find(|(argument, _)| is_of(argument, name)))
            .map_or(place, |(_, place)| place);
        Some(place.mistake(format!("job {job}: {}", wrong.message)))
    }

    fn stated<'t>(
        &self,
        table: &'t Table,
        mistakes: &mut Mistakes,
        warnings: &mut Vec<Mistake>,
    ) -> Stated<'t> {
        let mut stated = Stated::default();
        for entry in &table.entries {
            let (key, value) = (entry.key.as_str(), &entry.value);
            match key {
                "snapshot" => {
                    let text = mistakes.text(key, value);
                    stated.snapshot = text.map(|text| (text, value.place.clone()));
                }
                "pick" => match mistakes.text(key, value) {
                    Some("newest") => stated.pick = Some(value.place.clone()),
                    Some(_) => mistakes.at(&value.place, "`pick` is \"newest\", or left out"),
                    None => {}
                },
                "destination" => stated.destination = destination(value, mistakes, warnings),
                "skip-unchanged" => {
                    stated.skip_unchanged = mistakes.boolean(key, value).unwrap_or_default()
                }
                "lock-wait" => stated.lock_wait = mistakes.time(key, value).unwrap_or_default(),
                "metrics-file" => {
                    let path = mistakes.text(key, value);
                    if path.is_some_and(|path| !path.starts_with('/')) {
                        warnings.push(relative(&value.place, key));
                    }
                    stated.metrics_file = path.map(PathBuf::from);
                }
                "hooks" => {
                    if let Some(table) = mistakes.table(key, value) {
                        stated.hooks = hooks::hooks(table, mistakes);
                    }
                }
                "guard" => {
                    if let Some(table) = mistakes.table(key, value) {
                        stated.guard = guard::guard(table, mistakes);
                    }
                }
                "environment" => {
                    if let Some(table) = mistakes.table(key, value) {
                        stated.environment = self.environment(table, mistakes, warnings);
                    }
                }
                // All of its family are looked at at once.
                key if family(key) == "ping-url" => {}
                key if KEEP_KEYS.iter().any(|known| known == key) => {
                    stated.keep.extend(keep_rule(entry, mistakes));
                }
                _ => self.option(entry, &mut stated, mistakes),
            }
        }
        stated
    }

    /// A key that is none of ours: an option of an export, or a mistake.
    fn option(&self, entry: &Entry, stated: &mut Stated<'_>, mistakes: &mut Mistakes) {
        let key = entry.key.as_str();
        if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| *name == key) {
            mistakes.at(
                &entry.place,
                format!("`{key}` cannot stand in a job: {reason}"),
            );
            return;
        }
        let mut options = usable(self.options);
        let Some(option) = options.find(|option| option.name == key) else {
            mistakes.at(&entry.place, keys::unknown(key, known(self.options)));
            return;
        };
        for (argument, place) in options::arguments(option, entry, mistakes).unwrap_or_default() {
            match self.options.check_one(&argument) {
                Ok(()) => stated.arguments.push((argument, place)),
                Err(wrong) => mistakes.at(&place, format!("`{key}`: {wrong}")),
            }
        }
    }

    fn ping(
        &self,
        table: &Table,
        mistakes: &mut Mistakes,
        warnings: &mut Vec<Mistake>,
    ) -> Option<Ping> {
        let found = secret("ping-url", table, self.credentials, mistakes)?;
        let entry = table
            .entries
            .iter()
            .find(|entry| family(&entry.key) == "ping-url")?;
        let url = self.told(entry, found, true, warnings);
        let is_unread = url.expose().is_empty();
        if !is_unread && !is_web_address(url.expose()) {
            mistakes.at(
                &entry.value.place,
                format!(
                    "`{}` is no address such as https://hc-ping.com/…",
                    entry.key
                ),
            );
            return None;
        }
        Some(Ping { url })
    }

    fn environment(
        &self,
        table: &Table,
        mistakes: &mut Mistakes,
        warnings: &mut Vec<Mistake>,
    ) -> BTreeMap<String, Secret> {
        let mut variables = BTreeMap::new();
        for entry in &table.entries {
            let name = family(&entry.key);
            if let Some(wrong) = wrong_variable(name) {
                mistakes.at(&entry.place, wrong);
                continue;
            }
            // The first of a family tells of all.
            if table
                .entries
                .iter()
                .find(|other| family(&other.key) == name)
                .map(|first| &first.key)
                != Some(&entry.key)
            {
                continue;
            }
            if let Some(found) = secret(name, table, self.credentials, mistakes) {
                let is_secret = ["SECRET", "PASSWORD", "TOKEN"]
                    .iter()
                    .any(|word| name.contains(word));
                let secret = self.told(entry, found, is_secret, warnings);
                variables.insert(name.to_owned(), secret);
            }
        }
        variables
    }

    /// A secret, when it has been told if too many can read it.
    fn told(
        &self,
        entry: &Entry,
        found: FoundSecret,
        is_secret: bool,
        warnings: &mut Vec<Mistake>,
    ) -> Secret {
        let place = &entry.value.place;
        if found.is_literal && is_secret && (self.is_public)(place) {
            let message = format!(
                "`{}` is as good as a password, and everybody can read this file; put it into a file of its own and say \
                 `{}-file`, or take this one from them: chmod o-r {}",
                entry.key,
                entry.key,
                place.file.display()
            );
            warnings.push(place.mistake(message));
        }
        warnings.extend(found.warning.map(|warning| place.mistake(warning)));
        found.secret
    }
}

/// The options of an export that a job can have.
pub(super) fn usable(options: &dyn ExportOptions) -> impl Iterator<Item = &ExportOption> {
    options.all().iter().filter(|option| {
        let name = option.name.as_str();
        !keys::is_of_job(name) && !REFUSED.iter().any(|(refused, _)| *refused == name)
    })
}

/// All keys of a job.
fn known(options: &dyn ExportOptions) -> impl Iterator<Item = String> {
    let own = OF_JOB.iter().map(|key| key.name.to_owned());
    let options = usable(options).map(|option| option.name.clone());
    own.chain(KEEP_KEYS.iter().cloned()).chain(options)
}

/// The keep rules, as their type has them.
static KEEP_KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema = schemars::schema_for!(Keep).to_value();
    let properties = schema.get("properties").and_then(Json::as_object);
    let names = properties.map(|properties| properties.keys().cloned().collect());
    names.unwrap_or_default()
});

fn keep_rule(entry: &Entry, mistakes: &mut Mistakes) -> Option<(String, Json)> {
    let json = match &entry.value.data {
        Data::Integer(digits) => match digits.parse::<i64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::from(digits.as_str()),
        },
        _ => Json::from(mistakes.scalar(&entry.key, &entry.value)?),
    };
    let rule = serde_json::Map::from_iter([(entry.key.clone(), json.clone())]);
    match serde_json::from_value::<Keep>(Json::Object(rule)) {
        Ok(_) => Some((entry.key.clone(), json)),
        Err(wrong) => {
            mistakes.at(&entry.value.place, format!("`{}`: {wrong}", entry.key));
            None
        }
    }
}

/// The rules together; `None` if the job has none: then nothing of it is ever removed.
fn keep(
    rules: &serde_json::Map<String, Json>,
    table: &Table,
    mistakes: &mut Mistakes,
) -> Option<Keep> {
    let first = table
        .entries
        .iter()
        .find(|entry| rules.contains_key(&entry.key))?;
    match serde_json::from_value::<Keep>(Json::Object(rules.clone())) {
        Ok(keep) if keep.is_empty() => {
            let message = "these keep rules keep nothing, so that every export would go; write a number above 0, or leave them out";
            mistakes.at(&first.place, message);
            None
        }
        Ok(keep) => Some(keep),
        Err(wrong) => {
            mistakes.at(&first.place, wrong.to_string());
            None
        }
    }
}

fn destination(
    value: &Value,
    mistakes: &mut Mistakes,
    warnings: &mut Vec<Mistake>,
) -> Option<DestinationPattern> {
    let text = mistakes.text("destination", value)?;
    match DestinationPattern::parse(text) {
        Ok(pattern) => {
            if !text.starts_with('/') && !text.contains("://") {
                warnings.push(relative(&value.place, "destination"));
            }
            Some(pattern)
        }
        Err(wrong) => {
            mistakes.at(&value.place, format!("`destination`: {wrong}"));
            None
        }
    }
}

fn relative(place: &Place, key: &str) -> Mistake {
    place.mistake(format!(
        "`{key}` begins in the folder that the program is started in, which is / for a service; write the whole path"
    ))
}

/// Letters that have a meaning in patterns of file names, and hardly stand in a name.
const WILDCARDS: [char; 2] = ['*', '?'];

fn snapshot(
    stated: &Stated<'_>,
    mistakes: &mut Mistakes,
    warnings: &mut Vec<Mistake>,
) -> Option<SnapshotChoice> {
    let (text, place) = stated.snapshot.as_ref()?;
    let spec = Spec::from(*text);
    let wrong = match (&spec, &stated.pick) {
        (Spec::StandardInput, _) => Some(
            "nobody writes to the standard input of a job; name a file, a folder or a server"
                .to_owned(),
        ),
        (Spec::Path(_) | Spec::Bucket(_), Some(_)) => glob::Pattern::new(text)
            .err()
            .map(|wrong| format!("`snapshot` is no pattern: {wrong}")),
        (_, Some(_)) => Some(
            "`pick` is for files and objects; leave it out, or write a pattern of some".to_owned(),
        ),
        (Spec::Path(_) | Spec::Bucket(_), None) if text.contains(WILDCARDS) => Some(
            "`snapshot` is a pattern; say which of the files with pick = \"newest\"".to_owned(),
        ),
        (
            Spec::Path(_)
            | Spec::Bucket(_)
            | Spec::Server(_)
            | Spec::DataFolder(_)
            | Spec::OtherAddress(_),
            None,
        ) => None,
    };
    if let Some(wrong) = wrong {
        mistakes.at(place, wrong);
        return None;
    }
    if matches!(spec, Spec::Path(_)) && !text.starts_with('/') {
        warnings.push(relative(place, "snapshot"));
    }
    Some(match stated.pick {
        Some(_) => SnapshotChoice::Newest((*text).to_owned()),
        None => SnapshotChoice::Named(spec),
    })
}

fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_plain = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    is_plain
        && rest.is_some_and(|rest| {
            rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '[')
        })
}

/// What is wrong with the name of a variable that a job lends.
fn wrong_variable(name: &str) -> Option<String> {
    let is_name = !name.is_empty()
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Some(format!(
            "a variable has letters, digits and _ in its name, and behind it {} if its value stands elsewhere",
            SOURCES.join(", ")
        ));
    }
    (name.starts_with(crate::environment::OWN) && name != crate::environment::PASSWORD_VARIABLE)
        .then(|| {
            "variables of this name are for options, which are keys of the job; write the key"
                .to_owned()
        })
}
