//! Where exports lie, as the user names it.

use std::path::PathBuf;
use std::sync::Arc;

use super::manifest::{self, Status};
use super::store::bucket::{BucketStore, SharedPrefix, UNFINISHED};
use super::store::folder::SharedFolder;
use super::store::{FolderStore, SharedPlace, Store, StoreError};
use crate::bucket::BucketUrl;

/// A folder, or what keys in a bucket begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Folder(PathBuf),
    Bucket(BucketUrl),
}

impl Location {
    /// What a text on the command line means: `s3://…`, `gs://…` and `az://…` are buckets, everything else is a folder.
    ///
    /// # Errors
    /// If it is meant for a bucket and names none. The message does not repeat it: it may hold a password.
    pub fn parse(text: &str) -> Result<Location, String> {
        if BucketUrl::is_meant(text) {
            let url = BucketUrl::parse(text).map_err(|error| error.to_string())?;
            return Ok(Location::Bucket(url));
        }
        match text.split_once("://") {
            Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => Err(format!(
                "exports do not lie at addresses that begin with {scheme}://\n  name a folder, or a bucket by s3://, gs:// or az://"
            )),
            Some(_) | None => Ok(Location::Folder(PathBuf::from(text))),
        }
    }

    /// What messages call it.
    pub fn shown(&self) -> String {
        match self {
            Location::Folder(path) => path.display().to_string(),
            Location::Bucket(url) => url.to_string(),
        }
    }

    /// The export that lies here, or, in a bucket, the newest one below; a new one is written here.
    ///
    /// # Errors
    /// If a setting of the bucket is wrong. Nothing is looked at yet.
    pub fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Location::Folder(path) => Arc::new(FolderStore::new(path)),
            Location::Bucket(url) => Arc::new(BucketStore::new(url)?),
        })
    }

    /// The same place, for an export that several processes write: in a bucket it lies at this very address.
    ///
    /// # Errors
    /// If a setting of the bucket is wrong. Nothing is looked at yet.
    pub fn shared(&self) -> Result<Arc<dyn SharedPlace>, StoreError> {
        Ok(match self {
            Location::Folder(path) => Arc::new(SharedFolder::new(path)),
            Location::Bucket(url) => Arc::new(SharedPrefix::new(url)?),
        })
    }

    /// What messages call the manifest of an export here that has this status: in a bucket one that is not finished has
    /// another name.
    pub(crate) fn shown_manifest(&self, status: Status) -> String {
        match self {
            Location::Bucket(url) if status != Status::Finished => url.join(UNFINISHED).to_string(),
            Location::Bucket(_) | Location::Folder(_) => {
                format!("{}/{}", self.shown(), manifest::FILE_NAME)
            }
        }
    }

    /// As [`Location::store`]; in a bucket the newest one that is not finished.
    ///
    /// # Errors
    /// As [`Location::store`].
    pub fn store_to_resume(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Location::Folder(_) => self.store(),
            Location::Bucket(url) => Ok(Arc::new(BucketStore::to_resume(url)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_bucket_is_one_and_anything_else_is_a_folder() {
        for text in ["s3://b", "s3://b/x/y", "gs://b/x", "az://c/x"] {
            let location = Location::parse(text).unwrap();
            assert!(matches!(location, Location::Bucket(_)), "{text}");
            assert_eq!(location.shown(), text);
        }
        for text in ["out", "/srv/out", "./s3:/b", "a b", "./s3://b", "-"] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location, Location::Folder(PathBuf::from(text)));
        }
    }

    #[test]
    fn a_wrong_address_is_no_folder() {
        for text in [
            "s3://",
            "s3://user:s3cr3t@b/x",
            "http://host/s3cr3t",
            "ftp://h",
        ] {
            let error = Location::parse(text).unwrap_err();
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}
