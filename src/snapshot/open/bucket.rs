//! Opening what lies in a bucket: an object, or a prefix that holds the files of a snapshot.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{OpenOptions, Opened, files, open_file, open_folder, unsupported};
use crate::bucket::BucketUrl;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::files::FileSource;
use crate::snapshot::place::{Folder, Found, Place, find};

/// Opens an object or a prefix.
///
/// # Errors
/// There is nothing, it cannot be read, or it is no snapshot.
pub(super) fn open(
    url: &BucketUrl,
    options: &OpenOptions,
    progress: Arc<AtomicU64>,
) -> Result<Opened, SnapshotError> {
    match look(url)? {
        Found::Object(object, info) => {
            let place = Place::Object(object);
            let file = place.open().map_err(|error| place.failed(error))?;
            let opened = open_file(&place, file, url.name(), options, progress)?;
            Ok(opened.or_size(info.size))
        }
        Found::Prefix(prefix) => {
            open_folder(&Folder::Prefix(prefix), url.name(), options, progress)
        }
        Found::Nothing => Err(nothing(url)),
    }
}

/// Opens the files of a backup in a bucket.
///
/// # Errors
/// There is nothing, or it cannot be read.
pub(super) fn open_files(
    url: &BucketUrl,
    index: Option<&Path>,
) -> Result<FileSource, SnapshotError> {
    match look(url)? {
        Found::Object(object, _) => files::in_file(&Place::Object(object), url.name(), index),
        Found::Prefix(prefix) => files::in_folder(&Folder::Prefix(prefix)),
        Found::Nothing => Err(nothing(url)),
    }
}

fn look(url: &BucketUrl) -> Result<Found, SnapshotError> {
    find(url).map_err(|error| SnapshotError::of_reading(&url.to_string(), error))
}

fn nothing(url: &BucketUrl) -> SnapshotError {
    SnapshotError::NotASnapshot {
        path: url.to_string(),
        reason: "there is no such object, and none whose key begins so; \
                 name a dump, a GitLab backup, or what the keys of the files of one begin with"
            .to_owned(),
    }
}

/// True for text that is meant as the address of a bucket.
pub(super) fn is_meant(text: &str) -> bool {
    BucketUrl::is_meant(text)
}

/// Why text is no address of a bucket.
pub(super) fn mistake(text: &str) -> SnapshotError {
    let reason = BucketUrl::parse(text).err();
    let reason = reason.map(|reason| reason.to_string());
    unsupported(
        "an address of a bucket in this form",
        &reason.unwrap_or_default(),
    )
}
