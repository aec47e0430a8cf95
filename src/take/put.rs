//! Putting a snapshot in shards into a bucket, where `export --snapshot` reads each of them.
//!
//! ```text
//! nothing lies there ─► the files of all tables ─► snapshot.json of each shard, that of the first one last
//! ```
//!
//! If it does not come to its end, what was put is deleted again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::TakeError;
use crate::bucket::{Bucket, BucketUrl};
use crate::fault::{Fault, caught};
use crate::io_error::at;
use crate::snapshot::Described;

/// Files on their way at the same time. Most are small, so it is the server's answers that are waited for.
const THREADS: usize = 8;

/// Bytes of a file that are read at a time.
const PIECE: usize = 1 << 20;

/// How long files are deleted that came to nothing: the program may be on its way out.
const TAKE_BACK: Duration = Duration::from_secs(10);

/// A file on its way.
struct ShardFile {
    path: PathBuf,
    key: String,
}

/// Makes sure that nothing lies below an address, and that something can be put there: before a long read.
///
/// # Errors
/// Where it is not so.
pub fn check_place(url: &BucketUrl) -> Result<(), TakeError> {
    open_place(url).map(|_| ())
}

/// Puts the shards that lie in a folder below an address, each as `URL/shard-0003/…`. Returns the bytes that were put.
///
/// # Errors
/// Where something lies there already, one of the files cannot be read or put, and the interruption of the run. What was put is
/// deleted again; if that cannot be done, the log says so, and no `snapshot.json` of the first shard is there.
pub fn put_shards(
    folder: &Path,
    url: &BucketUrl,
    interrupted: &AtomicBool,
) -> Result<u64, TakeError> {
    let bucket = open_place(url)?;
    put_into(&bucket, folder, url, interrupted)
}

fn open_place(url: &BucketUrl) -> Result<Bucket, TakeError> {
    let bucket = Bucket::open(url).map_err(|error| TakeError::Bucket(error.into()))?;
    check_empty(&bucket, url)?;
    // Also says how what arrives is compared with what was sent.
    bucket.probe(url.key()).map_err(TakeError::Bucket)?;
    Ok(bucket)
}

fn check_empty(bucket: &Bucket, url: &BucketUrl) -> Result<(), TakeError> {
    let there = bucket.list(url.key()).map_err(TakeError::Bucket)?;
    match there.first() {
        None => Ok(()),
        Some(object) => Err(TakeError::PrefixIsTaken {
            url: url.to_string(),
            shown: bucket.shown(&object.key),
        }),
    }
}

fn put_into(
    bucket: &Bucket,
    folder: &Path,
    url: &BucketUrl,
    interrupted: &AtomicBool,
) -> Result<u64, TakeError> {
    check_empty(bucket, url)?;
    let (tables, descriptions) = files_of(folder, url).map_err(TakeError::Reread)?;
    let (of_tables, of_descriptions) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let put = put_all(bucket, &tables, &of_tables, THREADS, interrupted).and_then(|bytes| {
        let more = put_all(bucket, &descriptions, &of_descriptions, 1, interrupted)?;
        Ok(bytes + more)
    });
    if put.is_err() {
        let descriptions = begun(&descriptions, &of_descriptions);
        take_back(bucket, url, descriptions.chain(begun(&tables, &of_tables)));
    }
    put
}

/// The files of all shards: those of tables, and the descriptions, the first shard's last.
fn files_of(folder: &Path, url: &BucketUrl) -> io::Result<(Vec<ShardFile>, Vec<ShardFile>)> {
    let mut all = Vec::new();
    for shard in names_in(folder)? {
        for name in names_in(&folder.join(&shard))? {
            all.push(ShardFile {
                path: folder.join(&shard).join(&name),
                key: url.join(&shard).join(&name).key().to_owned(),
            });
        }
    }
    let is_description = |file: &ShardFile| file.path.ends_with(Described::FILE_NAME);
    let (mut descriptions, tables): (Vec<_>, Vec<_>) = all.into_iter().partition(is_description);
    descriptions.reverse();
    Ok((tables, descriptions))
}

/// The names in a folder of ours, in their order.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name();
        let not_ours = |_| io::Error::other("a file's name is not UTF-8");
        names.push(name.into_string().map_err(not_ours).map_err(at(folder))?);
    }
    names.sort();
    Ok(names)
}

/// The files that were begun, the last ones first.
fn begun<'a>(files: &'a [ShardFile], next: &AtomicUsize) -> impl Iterator<Item = &'a ShardFile> {
    let count = next.load(Ordering::Relaxed).min(files.len());
    files[..count].iter().rev()
}

/// Puts files on so many threads, each file by one of them, in their order. `next` is how many were begun.
fn put_all(
    bucket: &Bucket,
    files: &[ShardFile],
    next: &AtomicUsize,
    threads: usize,
    interrupted: &AtomicBool,
) -> Result<u64, TakeError> {
    let failed = Mutex::new(None);
    let is_over = AtomicBool::new(false);
    let work = || {
        let mut bytes = 0;
        while !is_over.load(Ordering::Relaxed)
            && let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let put = match interrupted.load(Ordering::Relaxed) {
                true => Err(TakeError::Interrupted),
                false => put(bucket, file, interrupted),
            };
            match put {
                Ok(size) => bytes += size,
                Err(error) => {
                    // The others go no further than the file that they are at.
                    is_over.store(true, Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                    break;
                }
            }
        }
        bytes
    };
    let bytes = thread::scope(|scope| {
        let threads = 0..threads.min(files.len());
        let begun = threads.map(|number| {
            let builder = thread::Builder::new().name(format!("shards-{number}"));
            builder.spawn_scoped(scope, || caught(work))
        });
        let begun: io::Result<Vec<_>> = begun.collect();
        let begun = begun.map_err(|error| {
            is_over.store(true, Ordering::Relaxed);
            TakeError::Threads(error)
        })?;
        let mut bytes = 0;
        for thread in begun {
            // What panics is caught within.
            bytes += thread.join().unwrap_or(Err(Fault))?;
        }
        Ok(bytes)
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => bytes,
    }
}

/// Puts one file. Returns its size.
fn put(bucket: &Bucket, file: &ShardFile, interrupted: &AtomicBool) -> Result<u64, TakeError> {
    let named = at(&file.path);
    let mut from = File::open(&file.path)
        .map_err(&named)
        .map_err(TakeError::Reread)?;
    let mut upload = bucket.upload(&file.key);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        let count = from
            .read(&mut piece)
            .map_err(&named)
            .map_err(TakeError::Reread)?;
        if count == 0 {
            upload.finish().map_err(TakeError::Bucket)?;
            return Ok(bytes);
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err(TakeError::Interrupted);
        }
        upload.write(&piece[..count]).map_err(TakeError::Bucket)?;
        bytes += count as u64;
    }
}

/// Deletes what may have been put.
fn take_back<'a>(bucket: &Bucket, url: &BucketUrl, files: impl Iterator<Item = &'a ShardFile>) {
    let begun = Instant::now();
    for file in files {
        let deleted = match begun.elapsed() < TAKE_BACK {
            true => bucket.delete(&file.key),
            false => Err(io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = deleted {
            tracing::warn!("delete what lies below {url} yourself: {error}");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with two shards.
    fn stage() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (shard, files) in [
            (
                "shard-0000",
                ["schema.sql", "snapshot.json", "users.csv.zst"],
            ),
            (
                "shard-0001",
                ["schema.sql", "snapshot.json", "routes.csv.zst"],
            ),
        ] {
            fs::create_dir(folder.path().join(shard)).unwrap();
            for file in files {
                let text = format!("{shard}'s {file}");
                fs::write(folder.path().join(shard).join(file), text).unwrap();
            }
        }
        folder
    }

    fn keys(bucket: &Bucket) -> Vec<String> {
        let objects = bucket.list("").unwrap().into_iter();
        objects.map(|object| object.key).collect()
    }

    #[test]
    fn every_file_is_put_below_its_shard() {
        let (stage, bucket) = (stage(), Bucket::in_memory());
        let url = BucketUrl::parse("s3://memory/nights/monday").unwrap();
        bucket
            .put("nights/monday-2/x", "another".into(), false)
            .unwrap();
        let bytes = put_into(&bucket, stage.path(), &url, &AtomicBool::new(false)).unwrap();
        let lengths = ["schema.sql", "snapshot.json"].map(|file| 2 * (file.len() + 13));
        let others = "users.csv.zst".len() + "routes.csv.zst".len() + 26;
        assert_eq!(bytes as usize, lengths.iter().sum::<usize>() + others);
        let expected = [
            "nights/monday-2/x",
            "nights/monday/shard-0000/schema.sql",
            "nights/monday/shard-0000/snapshot.json",
            "nights/monday/shard-0000/users.csv.zst",
            "nights/monday/shard-0001/routes.csv.zst",
            "nights/monday/shard-0001/schema.sql",
            "nights/monday/shard-0001/snapshot.json",
        ];
        assert_eq!(keys(&bucket), expected);
        let routes = bucket.read_small("nights/monday/shard-0001/routes.csv.zst", 100);
        assert_eq!(routes.unwrap(), "shard-0001's routes.csv.zst");
    }

    #[test]
    fn the_description_of_the_first_shard_comes_last() {
        let url = BucketUrl::parse("s3://memory/stage").unwrap();
        let (tables, descriptions) = files_of(stage().path(), &url).unwrap();
        let keys = |files: &[ShardFile]| -> Vec<String> {
            files.iter().map(|file| file.key.clone()).collect()
        };
        assert_eq!(tables.len(), 4);
        let last = [
            "stage/shard-0001/snapshot.json",
            "stage/shard-0000/snapshot.json",
        ];
        assert_eq!(keys(&descriptions), last);
    }

    #[test]
    fn what_lies_there_is_left_alone() {
        let (stage, bucket) = (stage(), Bucket::in_memory());
        let url = BucketUrl::parse("s3://memory/stage").unwrap();
        bucket.put("stage/mine", "mine".into(), false).unwrap();
        let error = put_into(&bucket, stage.path(), &url, &AtomicBool::new(false)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("s3://memory/stage/mine"), "{text}");
        assert_eq!(keys(&bucket), ["stage/mine"]);
    }

    #[test]
    fn what_cannot_be_put_whole_is_deleted_again() {
        let url = BucketUrl::parse("s3://memory/stage").unwrap();
        let bucket = Bucket::in_memory();
        let interrupted = AtomicBool::new(true);
        let error = put_into(&bucket, stage().path(), &url, &interrupted).unwrap_err();
        assert!(matches!(error, TakeError::Interrupted), "{error}");
        assert_eq!(keys(&bucket), [""; 0]);
        // A folder in the place of the last file that is read.
        let stage = stage();
        let description = stage.path().join("shard-0000/snapshot.json");
        fs::remove_file(&description).unwrap();
        fs::create_dir(&description).unwrap();
        let error = put_into(&bucket, stage.path(), &url, &AtomicBool::new(false)).unwrap_err();
        assert!(
            error.to_string().contains("shard-0000/snapshot.json"),
            "{error}"
        );
        assert_eq!(keys(&bucket), [""; 0]);
    }
}
