//! Going on with an unfinished export: which of its files are kept, and what is cleared away.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::atomic::part_of;
use super::layout;
use super::manifest::{self, BatchStatus, EntityEntry, FileEntry, Manifest, RelationEntry, Status};
use crate::hex;

/// Bytes that are read at once while a file is checked.
const CHUNK: usize = 1 << 20;

/// Brings a folder and its manifest to a state from which an export can go on: only files that are there just as the
/// manifest says count as finished, and every other file of an entity is removed.
///
/// # Errors
/// Those of the file system.
pub fn take_up(folder: &Path, manifest: &mut Manifest) -> io::Result<()> {
    // A name that leads elsewhere was not written by this program.
    manifest
        .entities
        .retain(|entity| layout::is_name(&entity.prefix));
    for entity in &manifest.entities {
        let found = fs::symlink_metadata(folder.join(&entity.prefix));
        if found.is_ok_and(|found| !found.is_dir()) {
            let reason = format!("{} in its folder is no folder of an export", entity.prefix);
            return Err(io::Error::other(reason));
        }
    }
    let mut kept = BTreeSet::new();
    for EntityEntry {
        prefix, relations, ..
    } in &mut manifest.entities
    {
        relations.retain(|entry| layout::is_name(&entry.relation));
        for entry in relations {
            check(folder, prefix, entry)?;
            kept.extend(entry.files().map(|file| folder.join(&file.file)));
        }
    }
    for entity in &manifest.entities {
        clear(&folder.join(&entity.prefix), &kept)?;
    }
    for name in [layout::METADATA, manifest::FILE_NAME] {
        remove(&part_of(&folder.join(name)))?;
    }
    Ok(())
}

/// Takes back what a relation's entry says of files that are not there as it says.
fn check(folder: &Path, prefix: &str, entry: &mut RelationEntry) -> io::Result<()> {
    let relation = entry.relation.clone();
    let is_there = |file: &Option<FileEntry>, batch: Option<u32>| match file {
        None => Ok(false),
        Some(file) => {
            let names = [true, false].map(|json| layout::file(prefix, &relation, json, batch));
            Ok::<_, io::Error>(names.contains(&file.file) && is_whole(folder, file)?)
        }
    };
    let mut finished = entry.status == Status::Finished;
    match &mut entry.batches {
        Some(batches) => {
            let count = batches.len();
            let mut good = Vec::new();
            for batch in batches.drain(..) {
                if batch.status == BatchStatus::Finished
                    && is_there(&batch.file, Some(batch.batch_number))?
                {
                    good.push(batch);
                }
            }
            finished &= good.len() == count && (count > 0 || is_there(&entry.file, None)?);
            *batches = good;
        }
        None => finished &= is_there(&entry.file, None)?,
    }
    if finished {
        return Ok(());
    }
    entry.status = Status::Started;
    entry.error = None;
    entry.file = None;
    if entry.skipped_count > 0 {
        // Which batches they were left out of is not written down: all of them are made again.
        entry.batches.iter_mut().for_each(Vec::clear);
        entry.skipped.clear();
        entry.skipped_count = 0;
    }
    let batches = entry.batches.iter().flatten();
    entry.total_objects_count = batches.map(|batch| batch.objects_count).sum();
    Ok(())
}

/// True where the file is there with the size and the checksum that it was finished with.
fn is_whole(folder: &Path, entry: &FileEntry) -> io::Result<bool> {
    let mut file = match File::open(folder.join(&entry.file)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != entry.bytes {
        return Ok(false);
    }
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(&digest.finalize()) == entry.sha256),
            length => digest.update(&chunk[..length]),
        }
    }
}

/// Removes the files of an entity's folder, and of the folders of its batches, that are not kept.
fn clear(folder: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // A link is removed, never followed.
        if entry.file_type()?.is_dir() {
            clear(&entry.path(), kept)?;
        } else if !kept.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
