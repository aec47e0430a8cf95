//! Which snapshot a run reads: always the same, or the newest that there is.

mod in_bucket;

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use glob::MatchOptions;

use crate::bucket::{BucketUrl, bucket_error};
use crate::failure::{Cause, Failure, Policy};
use crate::snapshot::Spec;

/// Which snapshot a run reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotChoice {
    /// Always this one.
    Named(Spec),
    /// The newest of the files and folders, or of the objects of a bucket, that a pattern matches: the one that was changed last; of several changed in the
    /// same instant, the last by name.
    Newest(String),
}

/// Why there is no snapshot to read.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    #[error(
        "cannot find a snapshot: nothing matches {pattern}; {folder} {found}\n  \
         see that the snapshot is made before the job runs, or correct the pattern"
    )]
    NoMatch {
        pattern: String,
        folder: String,
        /// What is in the folder.
        found: String,
    },
    #[error(
        "cannot look for the newest snapshot: {path}: {source}\n  let the user of the job read it"
    )]
    Unreadable { path: String, source: io::Error },
    #[error(
        "cannot look for the newest snapshot: {path} may be it, and its name is not UTF-8\n  give it another name, or \
         correct the pattern"
    )]
    NoName { path: String },
    #[error(
        "cannot look for the newest snapshot: {pattern} is no pattern: {why}\n  correct `snapshot`"
    )]
    NoPattern { pattern: String, why: &'static str },
}

impl Failure for ChoiceError {
    fn policy(&self) -> Policy {
        let cause = match self {
            ChoiceError::NoMatch { .. } | ChoiceError::NoName { .. } => Cause::Snapshot,
            ChoiceError::Unreadable { source, .. } => match bucket_error(source) {
                Some(error) => return error.of_reading(),
                None => Cause::Snapshot,
            },
            ChoiceError::NoPattern { .. } => Cause::Request,
        };
        Policy::EndRun(cause)
    }
}

/// What makes a part of a path or a key stand for several.
const WILDCARDS: [char; 3] = ['*', '?', '['];

impl SnapshotChoice {
    /// The snapshot that a run reads now.
    ///
    /// # Errors
    /// If nothing matches a pattern, or what may match cannot be looked at: the newest might be among it.
    pub fn choose(&self) -> Result<Spec, ChoiceError> {
        match self {
            SnapshotChoice::Named(spec) => Ok(spec.clone()),
            SnapshotChoice::Newest(pattern) if BucketUrl::is_meant(pattern) => {
                in_bucket::newest(pattern).map(Spec::Bucket)
            }
            SnapshotChoice::Newest(pattern) => newest(pattern).map(Spec::Path),
        }
    }

    /// What is shown of it in messages.
    pub fn shown(&self) -> String {
        match self {
            SnapshotChoice::Named(spec) => spec.shown(),
            SnapshotChoice::Newest(pattern) => format!("the newest of {pattern}"),
        }
    }
}

/// Wildcards as the shell has them: those of a name stand for no `/`, and not for the dot that hides a file. Programs that
/// write beside what is there give it such a name until it is whole.
fn as_in_the_shell() -> MatchOptions {
    MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::default()
    }
}

/// What may be matched by a pattern now, in no order: what is behind its last wildcard need not be there. `glob` itself
/// passes over names that are not UTF-8, as if they were not there, so only its patterns for names are used.
///
/// # Errors
/// What may match cannot be looked at, or has no name that can be told.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, ChoiceError> {
    let wrong = |error: glob::PatternError| ChoiceError::NoPattern {
        pattern: pattern.to_owned(),
        why: error.msg,
    };
    glob::Pattern::new(pattern).map_err(wrong)?;
    let mut found = vec![PathBuf::new()];
    for part in Path::new(pattern).components() {
        let part = part.as_os_str().to_string_lossy();
        if part == "**" {
            let mut all = Vec::new();
            while let Some(folder) = found.pop() {
                let inner = entries(&folder, |entry| {
                    let is_folder = entry.file_type()?.is_dir();
                    Ok(is_folder && !is_hidden(&entry.file_name()))
                })?;
                found.extend(inner);
                all.push(folder);
            }
            found = all;
        } else if part.contains(WILDCARDS) {
            let names = glob::Pattern::new(&part).map_err(wrong)?;
            let mut all = Vec::new();
            for folder in found {
                all.extend(entries(&folder, |entry| {
                    let name = entry.file_name();
                    Ok(names.matches_with(&name.to_string_lossy(), as_in_the_shell()))
                })?);
            }
            found = all;
        } else {
            for path in &mut found {
                path.push(&*part);
            }
        }
    }
    Ok(found)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The entries of a folder that are wanted; none, if there is no such folder.
fn entries(
    folder: &Path,
    is_wanted: impl Fn(&DirEntry) -> io::Result<bool>,
) -> Result<Vec<PathBuf>, ChoiceError> {
    let unreadable = |path: &Path, source| ChoiceError::Unreadable {
        path: path.display().to_string(),
        source,
    };
    let here = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let listed = match fs::read_dir(here) {
        Ok(listed) => listed,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Ok(Vec::new()),
            _ => return Err(unreadable(here, error)),
        },
    };
    let mut wanted = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| unreadable(here, error))?;
        let path = folder.join(entry.file_name());
        if !is_wanted(&entry).map_err(|error| unreadable(&path, error))? {
            continue;
        }
        if path.to_str().is_none() {
            return Err(ChoiceError::NoName {
                path: path.display().to_string(),
            });
        }
        wanted.push(path);
    }
    Ok(wanted)
}

fn newest(pattern: &str) -> Result<PathBuf, ChoiceError> {
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for path in matching(pattern)? {
        let changed = match fs::metadata(&path).and_then(|found| found.modified()) {
            Ok(changed) => changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It went away since its folder was read, or its link leads nowhere.
                if fs::symlink_metadata(&path).is_ok() || ends_in_wildcard(pattern) {
                    tracing::warn!("{} is not there, though its name is", path.display());
                }
                continue;
            }
            // Behind a wildcard that stands for folders, what matches may be a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
            Err(source) => {
                return Err(ChoiceError::Unreadable {
                    path: path.display().to_string(),
                    source,
                });
            }
        };
        let found = (changed, path);
        if newest.as_ref().is_none_or(|newest| *newest < found) {
            newest = Some(found);
        }
    }
    match newest {
        Some((_, path)) => Ok(path),
        None => Err(no_match(pattern)),
    }
}

/// True if the names of what a pattern matches are those that stand in a folder.
fn ends_in_wildcard(pattern: &str) -> bool {
    let last = Path::new(pattern).file_name();
    last.is_some_and(|last| last.to_string_lossy().contains(WILDCARDS))
}

/// Says where was looked, and what is there.
fn no_match(pattern: &str) -> ChoiceError {
    let folder = folder_of(pattern);
    let found = match fs::read_dir(&folder) {
        Ok(entries) => match entries.count() {
            0 => "is empty".to_owned(),
            1 => "holds 1 other entry".to_owned(),
            count => format!("holds {count} other entries"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is not there".to_owned(),
        Err(error) => format!("cannot be read ({error})"),
    };
    ChoiceError::NoMatch {
        pattern: pattern.to_owned(),
        folder: folder.display().to_string(),
        found,
    }
}

/// The folder above the first part that is a pattern.
fn folder_of(pattern: &str) -> PathBuf {
    let plain = Path::new(pattern)
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(WILDCARDS));
    let plain: PathBuf = plain.collect();
    let folder = match plain == Path::new(pattern) {
        true => plain.parent().unwrap_or(Path::new("")).to_owned(),
        false => plain,
    };
    match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Makes a file that was changed so many seconds after 1970.
    fn file(path: &Path, seconds: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    }

    fn newest_of(pattern: &Path) -> Result<Spec, ChoiceError> {
        SnapshotChoice::Newest(pattern.display().to_string()).choose()
    }

    #[test]
    fn the_one_that_was_changed_last_is_taken_and_of_those_the_last_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, seconds) in [
            ("z_backup.tar", 10),
            ("a_backup.tar", 30),
            ("b_backup.tar", 30),
            ("newer.txt", 99),
        ] {
            file(&path(name), seconds);
        }
        let newest = newest_of(&path("*_backup.tar")).unwrap();
        assert_eq!(newest, Spec::Path(path("b_backup.tar")));
        file(&path("deeper/c_backup.tar"), 40);
        let newest = newest_of(&path("*/*_backup.tar")).unwrap();
        assert_eq!(newest, Spec::Path(path("deeper/c_backup.tar")));
        std::os::unix::fs::symlink("nowhere", path("y_backup.tar")).unwrap();
        let newest = newest_of(&path("*_backup.tar")).unwrap();
        assert_eq!(newest, Spec::Path(path("b_backup.tar")));
    }

    #[test]
    fn a_wildcard_does_not_stand_for_the_dot_that_hides_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        file(&path("a_backup.tar"), 10);
        file(&path(".b_backup.tar.Xy12"), 20);
        file(&path(".hidden/c_backup.tar"), 30);
        for pattern in ["*", "*_backup.tar*", "?*", "**/*"] {
            let newest = newest_of(&path(pattern)).unwrap();
            assert_eq!(newest, Spec::Path(path("a_backup.tar")), "{pattern}");
        }
        let newest = newest_of(&path(".*_backup.tar*")).unwrap();
        assert_eq!(newest, Spec::Path(path(".b_backup.tar.Xy12")));
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_told_where_the_pattern_may_mean_it() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        file(&path(b"1_backup.tar"), 10);
        file(&path(b"caf\xe9_backup.tar"), 20);
        file(&path(b"d\xe9/2_backup.tar"), 20);
        for pattern in [
            "*_backup.tar",
            "*/*_backup.tar",
            "**/*.tar",
            "caf?_backup.tar",
        ] {
            let error = newest_of(&path(pattern.as_bytes())).unwrap_err();
            let told = error.to_string();
            assert!(told.contains("its name is not UTF-8"), "{pattern}: {told}");
            assert_eq!(error.policy(), Policy::EndRun(Cause::Snapshot));
        }
        for pattern in ["1*", "[0-9]_backup.tar", "*.tar.gz"] {
            let found = newest_of(&path(pattern.as_bytes()));
            assert!(
                !matches!(found, Err(ChoiceError::NoName { .. })),
                "{pattern}"
            );
        }
    }

    #[test]
    fn no_match_is_told_with_the_pattern_and_the_folder_that_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display().to_string();
        let told = |pattern: &str| {
            newest_of(&folder.path().join(pattern))
                .unwrap_err()
                .to_string()
        };
        assert!(
            told("*.tar").contains(&format!("nothing matches {shown}/*.tar; {shown} is empty"))
        );
        file(&folder.path().join("a.txt"), 1);
        assert!(told("*.tar").contains(&format!("; {shown} holds 1 other entry")));
        assert!(told("x/*/y.tar").contains(&format!("; {shown}/x is not there")));
        assert!(told("b.tar").contains(&format!("; {shown} holds 1 other entry")));
        let error = newest_of(&folder.path().join("*.tar")).unwrap_err();
        assert_eq!(error.policy(), Policy::EndRun(Cause::Snapshot));
    }

    #[test]
    fn a_job_without_a_pattern_reads_what_it_names() {
        let spec = Spec::from("postgres://u:secret@h/db");
        let choice = SnapshotChoice::Named(spec.clone());
        assert_eq!(choice.choose().unwrap(), spec);
        assert_eq!(choice.shown(), "postgres://h/db");
    }
}
