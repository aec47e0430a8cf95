//! Which export is meant by an address: the one that lies there, or one of those below it.

use std::io;

use super::name::is_export_name;
use super::{UNFINISHED, Wanted};
use crate::bucket::{Bucket, BucketUrl};
use crate::output::manifest;

/// Where an export lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: BucketUrl,
    pub(super) is_finished: bool,
}

impl Place {
    /// The name that a file has here: the manifest has another one while the export is not finished.
    pub(super) fn name_of<'n>(&self, name: &'n str) -> &'n str {
        match self.is_finished {
            false if name == manifest::FILE_NAME => UNFINISHED,
            false | true => name,
        }
    }
}

/// Finds the export that is meant; `None` if there is none.
///
/// # Errors
/// If the bucket cannot be asked.
pub(super) fn find(bucket: &Bucket, url: &BucketUrl, wanted: Wanted) -> io::Result<Option<Place>> {
    // The bucket itself is no export: it has no name.
    if !url.key().is_empty()
        && let Some(place) = at(bucket, url)?
    {
        return Ok(Some(place));
    }
    let below = bucket.list_level(url.key())?;
    let mut names: Vec<&str> = below
        .folders
        .iter()
        .filter_map(|folder| folder.rsplit('/').next())
        .filter(|name| is_export_name(name))
        .collect();
    names.sort_unstable();
    for name in names.into_iter().rev() {
        match (at(bucket, &url.join(name))?, wanted) {
            (Some(place), Wanted::Newest) => return Ok(Some(place)),
            (Some(place), Wanted::NewestUnfinished) if !place.is_finished => {
                return Ok(Some(place));
            }
            // Finished, or a prefix without a manifest, which a run left that had written nothing to go on with.
            (Some(_), Wanted::NewestUnfinished) | (None, _) => {}
        }
    }
    Ok(None)
}

/// The export at this very address. While the unfinished manifest is there, the run has not come to its end, even if
/// it had put the other one.
fn at(bucket: &Bucket, url: &BucketUrl) -> io::Result<Option<Place>> {
    for (name, is_finished) in [(UNFINISHED, false), (manifest::FILE_NAME, true)] {
        match bucket.head(url.join(name).key()) {
            Ok(_) => {
                return Ok(Some(Place {
                    url: url.clone(),
                    is_finished,
                }));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_no_bucket(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A bucket that is not there is another fault than an object that is not.
pub(super) fn is_no_bucket(error: &io::Error) -> bool {
    use crate::bucket::{BucketError, bucket_error};
    matches!(bucket_error(error), Some(BucketError::NoBucket { .. }))
}
