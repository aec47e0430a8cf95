//! Opening the files of a backup alone, without its rows.

use std::fs;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use super::content::Content;
use super::{OpenOptions, START, begins_archive, bucket, files_of, source_name};
use crate::snapshot::codec::compression::{Compression, MAGIC_LENGTH, decoder};
use crate::snapshot::codec::read_errors::{io_error, read_error};
use crate::snapshot::codec::tar_members::Members;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::facts::Kind;
use crate::snapshot::files::{Behind, FileSource, InnerArchive, TarFiles};
use crate::snapshot::kind::archive::is_toc_of_archive;
use crate::snapshot::kind::backup::{Backup, is_of_backup};
use crate::snapshot::place::{Folder, Pipe, Place, is_of_source};
use crate::snapshot::spec::Spec;

/// Opens the files of a snapshot, for whoever needs no rows. What is no backup has none, which is no error.
///
/// `index` is a file in which the names of a tar's members may be kept from one run to the next: read if it is of this
/// backup as it is now, and written anew if not.
///
/// # Errors
/// There is nothing under that name, or it cannot be read.
pub fn open_files(spec: &Spec, index: Option<&Path>) -> Result<FileSource, SnapshotError> {
    match spec {
        Spec::Path(path) => open_path(path, index),
        Spec::Bucket(url) => bucket::open_files(url, index),
        Spec::OtherAddress(text) => open_path(Path::new(text), index),
        Spec::Server(_) => Ok(FileSource::none_in(Kind::Postgres)),
        Spec::DataFolder(_) => Ok(FileSource::none_in(Kind::Pgdata)),
        Spec::StandardInput => {
            let input = Pipe::of_standard_input(OpenOptions::default().patience());
            let input = input.map_err(|error| SnapshotError::of_reading("-", error))?;
            let come = stream(Box::new(input), "-")?;
            Ok(come.map_or_else(no_backup, |bytes| FileSource::Behind(Behind::unread(bytes))))
        }
    }
}

fn open_path(path: &Path, index: Option<&Path>) -> Result<FileSource, SnapshotError> {
    let failed = |error| io_error(path, error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return in_folder(&path.into());
    }
    let place = Place::from(path);
    if !metadata.is_file() {
        let pipe = Pipe::open(path, OpenOptions::default().patience()).map_err(failed)?;
        let come = stream(Box::new(pipe), &place.to_string())?;
        return Ok(come.map_or_else(no_backup, |bytes| FileSource::Behind(Behind::unread(bytes))));
    }
    in_file(&place, &source_name(path), index)
}

pub(super) fn in_folder(folder: &Folder) -> Result<FileSource, SnapshotError> {
    match Backup::is_one(folder) {
        true => Ok(FileSource::Here(files_of(folder)?)),
        false => Ok(FileSource::none_in(Kind::Directory)),
    }
}

pub(super) fn in_file(
    place: &Place,
    source: &str,
    index: Option<&Path>,
) -> Result<FileSource, SnapshotError> {
    let failed = |error| place.failed(error);
    let mut file = place.open().map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref()
        .take(START)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let compression = Compression::detect(&start[..start.len().min(MAGIC_LENGTH)]);
    if compression != Compression::None {
        file.rewind().map_err(failed)?;
        let come = stream(Box::new(file), &place.to_string())?;
        return Ok(come.map_or_else(no_backup, |_| FileSource::Behind(Behind::in_file(place))));
    }
    match Content::tell(&start) == Content::Tar && is_backup(place)? {
        true => {
            let tar = TarFiles::open(place, source, index)?;
            Ok(FileSource::Here(Arc::new(tar)))
        }
        false => Ok(no_backup()),
    }
}

fn no_backup() -> FileSource {
    FileSource::none_in(Kind::Plain)
}

/// The bytes of a backup's tar, decompressed, if that is what comes.
fn stream(
    bytes: Box<dyn Read + Send>,
    shown: &str,
) -> Result<Option<Box<dyn Read + Send>>, SnapshotError> {
    let place = Position {
        member: Some(shown.to_owned()),
        ..Position::default()
    };
    let failed = |error| read_error(place.clone(), error);
    let mut bytes = decoder(bytes, Arc::default()).map_err(failed)?;
    let mut start = Vec::new();
    let mut beginning = bytes.by_ref().take(START);
    beginning.read_to_end(&mut start).map_err(failed)?;
    let is_tar = Content::tell(&start) == Content::Tar && !begins_archive(&start);
    Ok(is_tar.then(|| -> Box<dyn Read + Send> { Box::new(Cursor::new(start).chain(bytes)) }))
}

/// True for a tar that holds what only a GitLab backup holds, with a database or without.
fn is_backup(place: &Place) -> Result<bool, SnapshotError> {
    let file = place.open().map_err(|error| place.failed(error))?;
    let mut members = Members::of_file(file);
    loop {
        match members.next() {
            Ok(Some(member)) if is_toc_of_archive(&member.name) => return Ok(false),
            Ok(Some(member)) if is_of_files(&member.name) => return Ok(true),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(false),
            Err(error) if is_of_source(&error) => return Err(place.failed(error)),
            // Who looks for a file comes by the same damage, and tells of it.
            Err(_) => return Ok(true),
        }
    }
}

/// True for a member that shows a tar to be a backup.
fn is_of_files(name: &str) -> bool {
    is_of_backup(name)
        || name.starts_with("repositories/")
        || InnerArchive::of_member(name).is_some()
}
