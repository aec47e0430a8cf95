//! Telling whether a snapshot is still the one that it was: by sizes and times, without reading it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::bucket::{Bucket, BucketUrl, ObjectInfo};
use crate::hex;
use crate::snapshot::place::{Found, find};

/// The folder of an untarred GitLab backup that holds the database. Beside it lie folders of repositories.
const DATABASE: &str = "db";

/// A value that changes when a file, or a file of a folder, is written again: lower-case hex, of names, sizes and
/// times of change. Of an untarred backup every file of the tree counts. `None` for what is neither, and cannot be read a
/// second time.
///
/// # Errors
/// Those of the file system.
pub(super) fn fingerprint(path: &Path) -> io::Result<Option<String>> {
    let metadata = fs::metadata(path)?;
    let mut digest = Sha256::new();
    if metadata.is_dir() {
        add_folder(&mut digest, path, "", path.join(DATABASE).is_dir())?;
    } else if metadata.is_file() {
        return Ok(Some(of_file(&metadata)));
    } else {
        return Ok(None);
    }
    Ok(Some(hex::encode(&digest.finalize())))
}

/// The fingerprint of a file, by what the system says of it.
pub(super) fn of_file(metadata: &Metadata) -> String {
    let mut digest = Sha256::new();
    add_file(&mut digest, "", metadata);
    hex::encode(&digest.finalize())
}

/// As [`fingerprint`], of an object, or of what lies below a prefix. `None` if there is neither.
///
/// # Errors
/// Those of the bucket's server.
pub(super) fn of_bucket(url: &BucketUrl) -> io::Result<Option<String>> {
    let prefix = match find(url)? {
        Found::Object(_, info) => return Ok(Some(of_object(&info))),
        Found::Prefix(prefix) => prefix,
        Found::Nothing => return Ok(None),
    };
    let mut digest = Sha256::new();
    let objects = match prefix.objects(DATABASE)?.is_empty() {
        true => prefix.objects("")?,
        false => prefix.all("")?.into_iter().collect(),
    };
    for (name, info) in &objects {
        add_object(&mut digest, name, info);
    }
    Ok(Some(hex::encode(&digest.finalize())))
}

/// When an object was written last; `None` for a prefix, and if the server does not say it.
pub(super) fn modified_in_bucket(url: &BucketUrl) -> Option<SystemTime> {
    let bucket = Bucket::open(url).ok()?;
    Some(bucket.head(url.key()).ok()?.modified)
}

/// The fingerprint of an object, by what the server says of it.
pub(super) fn of_object(info: &ObjectInfo) -> String {
    let mut digest = Sha256::new();
    add_object(&mut digest, "", info);
    hex::encode(&digest.finalize())
}

fn add_object(digest: &mut Sha256, name: &str, info: &ObjectInfo) {
    add(digest, name, info.size, Some(info.modified));
    digest.update(info.etag.as_deref().unwrap_or_default());
    digest.update([0]);
}

/// Adds the files of a folder, and of the folders in it if it `is_tree`. `above` is what stands before the names, with a `/`.
fn add_folder(digest: &mut Sha256, folder: &Path, above: &str, is_tree: bool) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        entries.push(entry?);
    }
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = format!("{above}{}", name.to_string_lossy());
        let metadata = match above.is_empty() {
            // What a link leads to is what is read.
            true => fs::metadata(entry.path())?,
            // Links that lie deeper are not followed, which might lead back up.
            false => entry.metadata()?,
        };
        if metadata.is_dir() && is_tree {
            add_folder(digest, &entry.path(), &format!("{name}/"), is_tree)?;
        } else if metadata.is_file() || metadata.is_symlink() {
            add_file(digest, &name, &metadata);
        }
    }
    Ok(())
}

fn add_file(digest: &mut Sha256, name: &str, metadata: &Metadata) {
    add(digest, name, metadata.len(), metadata.modified().ok());
}

fn add(digest: &mut Sha256, name: &str, size: u64, changed: Option<SystemTime>) {
    let changed = changed
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    // A name holds no NUL, so two lists of files never make the same bytes.
    digest.update(name.as_bytes());
    digest.update([0]);
    digest.update(size.to_le_bytes());
    digest.update(changed.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &Path) -> Option<String> {
        fingerprint(path).unwrap()
    }

    #[test]
    fn a_file_that_is_written_again_is_another_snapshot() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("dump.sql");
        fs::write(&file, "one").unwrap();
        let before = of(&file);
        assert!(before.is_some());
        assert_eq!(of(&file), before);
        fs::write(&file, "other").unwrap();
        assert_ne!(of(&file), before);
    }

    #[test]
    fn every_file_of_a_folder_counts() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("db")).unwrap();
        fs::write(temp.path().join("backup_information.yml"), "").unwrap();
        let mut seen = vec![of(temp.path())];
        fs::write(temp.path().join("labels.csv"), "id").unwrap();
        seen.push(of(temp.path()));
        fs::write(temp.path().join("db/database.sql.gz"), "").unwrap();
        seen.push(of(temp.path()));
        // Of repositories, too.
        let bundle = temp.path().join("repositories/default/1/001.bundle");
        fs::create_dir_all(bundle.parent().unwrap()).unwrap();
        fs::write(&bundle, "one").unwrap();
        seen.push(of(temp.path()));
        fs::write(&bundle, "other").unwrap();
        seen.push(of(temp.path()));
        std::os::unix::fs::symlink("..", bundle.with_file_name("up")).unwrap();
        seen.push(of(temp.path()));
        fs::rename(
            temp.path().join("labels.csv"),
            temp.path().join("notes.csv"),
        )
        .unwrap();
        seen.push(of(temp.path()));
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn a_pipe_has_none() {
        assert_eq!(of(Path::new("/dev/null")), None);
        assert!(fingerprint(Path::new("/no/such/file")).is_err());
    }
}
