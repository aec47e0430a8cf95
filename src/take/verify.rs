//! Verification of a taken snapshot: whether its files are what `snapshot.json` says.
//!
//! Every file is read whole: its size and SHA-256, that it decompresses, and how many rows it holds. Everything that
//! is wrong is told.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::hex;
use crate::output::layout;
use crate::output::verify::{Problem, Verified};
use crate::snapshot::Described;
use crate::snapshot::codec::compression::decoder;

use super::files::file_name;
use super::manifest::{SCHEMA, Taken};

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// A file that is listed.
struct ListedFile<'a> {
    name: &'a str,
    bytes: u64,
    sha256: &'a str,
    /// Of a table's file.
    rows: Option<u64>,
}

/// Holds a folder against its `snapshot.json`. `read` counts the bytes that have been read, for progress. Rows
/// count as objects.
///
/// # Errors
/// Where the folder cannot be listed; files that cannot be read are problems.
pub(crate) fn verify(folder: &Path, taken: &Taken, read: &Arc<AtomicU64>) -> io::Result<Verified> {
    let mut problems = Vec::new();
    let mut wrong = |message: String| {
        problems.push(Problem {
            file: Described::FILE_NAME.to_owned(),
            message,
        });
    };
    let mut files = Vec::new();
    if taken.schema.file == SCHEMA {
        files.push(ListedFile {
            name: SCHEMA,
            bytes: taken.schema.bytes,
            sha256: &taken.schema.sha256,
            rows: None,
        });
    } else {
        wrong(format!(
            "it has the file {:?} where {} belongs",
            taken.schema.file, SCHEMA
        ));
    }
    let mut names = BTreeSet::new();
    for table in &taken.described.tables {
        if !layout::is_name(&table.table) || table.file != file_name(&table.table) {
            // Not read: a name from the file may lead anywhere.
            wrong(format!(
                "table {:?} has the file {:?} where another belongs",
                table.table, table.file
            ));
        } else if !names.insert(&table.table) {
            wrong(format!("table {} is listed twice", table.table));
        } else {
            files.push(ListedFile {
                name: &table.file,
                bytes: table.bytes,
                sha256: &table.sha256,
                rows: Some(table.rows),
            });
        }
    }
    let known: BTreeSet<&str> = files
        .iter()
        .map(|file| file.name)
        .chain([Described::FILE_NAME])
        .collect();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() || !known.contains(name.as_str()) {
            problems.push(Problem {
                file: name,
                message: "snapshot.json does not know it".to_owned(),
            });
        }
    }
    let results: Vec<(u64, u64, Vec<String>)> = files
        .par_iter()
        .map(|file| check(folder, file, read))
        .collect();
    let mut verified = Verified::default();
    for (file, (bytes, rows, messages)) in files.iter().zip(results) {
        verified.files += 1;
        verified.bytes += bytes;
        verified.objects += rows;
        problems.extend(messages.into_iter().map(|message| Problem {
            file: file.name.to_owned(),
            message,
        }));
    }
    problems.sort();
    verified.problems = problems;
    Ok(verified)
}

/// Reads a file; returns its bytes and rows, and what is wrong with it.
fn check(folder: &Path, listed: &ListedFile<'_>, read: &Arc<AtomicU64>) -> (u64, u64, Vec<String>) {
    let mut messages = Vec::new();
    let path = folder.join(listed.name);
    let opened = fs::symlink_metadata(&path).and_then(|found| match found.is_file() {
        true => File::open(&path).map(Some),
        false => Ok(None),
    });
    let file = match opened {
        Ok(Some(file)) => file,
        Ok(None) => return (0, 0, vec!["it is no regular file".to_owned()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return (0, 0, vec!["it is not there".to_owned()]);
        }
        Err(error) => return (0, 0, vec![format!("it cannot be read: {error}")]),
    };
    let (bytes, sha256) = match hash(file) {
        Ok(hashed) => hashed,
        Err(error) => return (0, 0, vec![format!("it cannot be read: {error}")]),
    };
    if bytes != listed.bytes {
        messages.push(format!(
            "it has {bytes} bytes, but snapshot.json says {}",
            listed.bytes
        ));
    }
    if sha256 != listed.sha256 {
        messages.push(format!(
            "its SHA-256 is {sha256}, but snapshot.json says {}",
            listed.sha256
        ));
    }
    let mut rows = 0;
    if let Some(expected) = listed.rows {
        match File::open(&path).and_then(|file| count(file, read)) {
            Ok(found) => {
                rows = found;
                if found != expected {
                    messages.push(format!(
                        "it holds {found} rows, but snapshot.json says {expected}"
                    ));
                }
            }
            Err(error) => messages.push(format!("it cannot be read to its end: {error}")),
        }
    } else {
        read.fetch_add(bytes, Ordering::Relaxed);
    }
    (bytes, rows, messages)
}

fn hash(mut file: File) -> io::Result<(u64, String)> {
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex::encode(&sha256.finalize()))),
            Ok(count) => {
                sha256.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The rows of a CSV file, without the line that names the columns.
fn count(file: File, read: &Arc<AtomicU64>) -> io::Result<u64> {
    let mut content = decoder(Box::new(file), Arc::clone(read))?;
    let mut buffer = vec![0; BUFFER];
    let (mut lines, mut quoted, mut ended) = (0u64, false, true);
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        for place in memchr::memchr2_iter(b'"', b'\n', &buffer[..count]) {
            match buffer[place] {
                b'"' => quoted = !quoted,
                _ => lines += u64::from(!quoted),
            }
        }
        ended = !quoted && buffer[count - 1] == b'\n';
    }
    match (ended, lines) {
        (true, 1..) => Ok(lines - 1),
        (true, 0) => Err(io::Error::other("it is empty")),
        (false, _) => Err(io::Error::other("it ends inside a row")),
    }
}
