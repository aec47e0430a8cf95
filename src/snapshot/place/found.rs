//! What the address of a bucket leads to: an object, or a prefix that others begin with.

use std::io;

use super::object::Object;
use super::prefix::Prefix;
use crate::bucket::{Bucket, BucketError, BucketUrl, ObjectInfo, bucket_error};

/// What an address leads to.
pub(crate) enum Found {
    Object(Object, ObjectInfo),
    Prefix(Prefix),
    Nothing,
}

/// Looks for an object of that key, then for others whose keys begin with it and a `/`.
///
/// # Errors
/// Neither can be looked for.
pub(crate) fn find(url: &BucketUrl) -> io::Result<Found> {
    let bucket = Bucket::open(url)?;
    let prefix = Prefix::new(&bucket, url);
    if url.key().is_empty() {
        return Ok(Found::Prefix(prefix));
    }
    let info = match bucket.head(url.key()) {
        Ok(info) => info,
        Err(error) => {
            return match bucket_error(&error) {
                Some(BucketError::NotFound { .. }) if prefix.is_empty()? => Ok(Found::Nothing),
                Some(BucketError::NotFound { .. }) => Ok(Found::Prefix(prefix)),
                // Servers that keep objects as files may fail if a folder has that name.
                Some(BucketError::Unavailable { .. }) if matches!(prefix.is_empty(), Ok(false)) => {
                    Ok(Found::Prefix(prefix))
                }
                Some(_) | None => Err(error),
            };
        }
    };
    // Azure shows a folder as an empty object, where it has folders.
    if info.size == 0 && !prefix.is_empty()? {
        return Ok(Found::Prefix(prefix));
    }
    let object = Object::new(&bucket, url.key().to_owned(), Some(info.clone()));
    Ok(Found::Object(object, info))
}
