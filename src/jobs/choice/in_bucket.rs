//! The newest of the objects of a bucket.

use glob::Pattern;

use super::{ChoiceError, WILDCARDS, as_in_the_shell};
use crate::bucket::{Bucket, BucketUrl, Object};

/// The object that was written last of those whose keys a pattern matches; of several written in the same instant, the
/// last by its key. As in paths, no wildcard stands for a `/`.
///
/// # Errors
/// Nothing matches, or what may match cannot be listed.
pub(super) fn newest(pattern: &str) -> Result<BucketUrl, ChoiceError> {
    let wrong = |why| ChoiceError::NoPattern {
        pattern: pattern.to_owned(),
        why,
    };
    let url = BucketUrl::parse(pattern).map_err(|_| wrong("it is no address of a bucket"))?;
    let keys = Pattern::new(url.key()).map_err(|error| wrong(error.msg))?;
    let bucket = Bucket::open(&url).map_err(|error| unreadable(&url, error.into()))?;
    let (folder, is_deep) = folder_of(url.key());
    let listed = match is_deep {
        true => bucket.list(folder),
        false => bucket.list_level(folder).map(|level| level.objects),
    };
    let listed = listed.map_err(|source| unreadable(&url.bucket_itself().join(folder), source))?;
    let count = listed.len();
    match last(listed, &keys) {
        Some(object) => Ok(url.bucket_itself().join(&object.key)),
        None => Err(ChoiceError::NoMatch {
            pattern: pattern.to_owned(),
            folder: url.bucket_itself().join(folder).to_string(),
            found: match count {
                0 => "holds no object".to_owned(),
                1 => "holds 1 other object".to_owned(),
                count => format!("holds {count} other objects"),
            },
        }),
    }
}

fn unreadable(url: &BucketUrl, source: std::io::Error) -> ChoiceError {
    ChoiceError::Unreadable {
        path: url.to_string(),
        source,
    }
}

/// What all keys that match begin with, and whether a wildcard stands before the last part.
fn folder_of(key: &str) -> (&str, bool) {
    let plain = match key.find(WILDCARDS) {
        Some(at) => &key[..at],
        None => key,
    };
    let folder = plain.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rest = key[folder.len()..].trim_start_matches('/');
    (folder, rest.contains('/'))
}

fn last(objects: Vec<Object>, keys: &Pattern) -> Option<Object> {
    let options = as_in_the_shell();
    let matching = objects.into_iter();
    matching
        .filter(|object| keys.matches_with(&object.key, options))
        .max_by(|one, other| {
            let of = |object: &Object| (object.info.modified, object.key.clone());
            of(one).cmp(&of(other))
        })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::bucket::ObjectInfo;

    #[test]
    fn the_object_that_was_written_last_is_taken_and_of_those_the_last_by_key() {
        let object = |key: &str, seconds| Object {
            key: key.to_owned(),
            info: ObjectInfo {
                size: 1,
                modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                etag: None,
            },
        };
        let objects = || {
            vec![
                object("b/z_backup.tar", 10),
                object("b/b_backup.tar", 30),
                object("b/a_backup.tar", 30),
                object("b/deeper/c_backup.tar", 40),
                object("b/newer.txt", 99),
            ]
        };
        for (pattern, expected) in [
            ("b/*_backup.tar", Some("b/b_backup.tar")),
            ("b/*/*_backup.tar", Some("b/deeper/c_backup.tar")),
            ("b/z*", Some("b/z_backup.tar")),
            ("*.txt", None),
        ] {
            let found = last(objects(), &Pattern::new(pattern).unwrap());
            assert_eq!(
                found.map(|object| object.key).as_deref(),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn no_more_is_listed_than_may_match() {
        for (key, folder, is_deep) in [
            ("*.tar", "", false),
            ("a/b/*.tar", "a/b", false),
            ("a/b*/c/*.tar", "a", true),
            ("a/b.tar", "a", false),
        ] {
            assert_eq!(folder_of(key), (folder, is_deep), "{key}");
        }
    }
}
