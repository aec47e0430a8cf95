//! A prefix of a bucket that several processes write to. The export lies at the address that the user named, not below a
//! prefix of its own: all who write it must know where.
//!
//! What is half-written is nowhere to be seen, so nothing has to be cleared away but the plan's folder, in which the
//! server is probed, too.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::files::{self, NewBucketFile};
use super::place::is_no_bucket;
use super::{UNFINISHED, of_bucket};
use crate::bucket::{Bucket, BucketUrl, ConditionalPut, Probe, is_probe};
use crate::output::layout;
use crate::output::manifest::{self, Manifest};
use crate::output::store::claim::{Files, NewFile};
use crate::output::store::contents::{Contents, Listed, StoredFile};
use crate::output::store::error::StoreError;
use crate::output::store::shared::{SharedPlace, check_folder, check_name, is_same_export};

/// A prefix that several processes write to.
#[derive(Debug)]
pub(crate) struct SharedPrefix {
    bucket: Bucket,
    url: BucketUrl,
}

impl SharedPrefix {
    /// The prefix of this address. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// If a setting in the environment is wrong.
    pub(crate) fn new(url: &BucketUrl) -> Result<SharedPrefix, StoreError> {
        Ok(SharedPrefix::of(Bucket::open(url)?, url))
    }

    fn of(bucket: Bucket, url: &BucketUrl) -> SharedPrefix {
        SharedPrefix {
            bucket,
            url: url.clone(),
        }
    }

    /// Asks the server once what it does, in the plan's folder: what a process leaves that is killed meanwhile goes with
    /// the plan.
    fn probe(&self) -> io::Result<Probe> {
        self.bucket.probe(self.url.join(layout::PLAN_FOLDER).key())
    }

    fn is_there(&self, name: &str) -> io::Result<bool> {
        is_there(&self.bucket, &self.url, name)
    }

    fn put(&self, name: &str, bytes: Bytes) -> io::Result<()> {
        self.bucket.put(&files::key(&self.url, name)?, bytes, false)
    }

    fn put_if_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let key = files::key(&self.url, name)?;
        let probe = self.probe()?;
        let is_refused = probe.conditional_put == ConditionalPut::Enforced;
        if !is_refused {
            tell_once();
            if self.is_there(name)? {
                return Ok(false);
            }
        }
        match self.bucket.put(&key, Bytes::copy_from_slice(bytes), true) {
            Ok(()) if is_refused => Ok(true),
            // Of two who put it at the same moment the later one has won; most often it is this one.
            Ok(()) => Ok(self.bucket.read_small(&key, u64::MAX)? == bytes),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a manifest of this export lies here already.
    fn is_finished(&self, manifest: &Manifest) -> io::Result<bool> {
        if !self.is_there(manifest::FILE_NAME)? {
            return Ok(false);
        }
        let found = self.manifest().map_err(io::Error::other)?;
        match is_same_export(&found, manifest) {
            true => Ok(true),
            false => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!(
                    "{}: the manifest of another export is there",
                    self.shown(manifest::FILE_NAME)
                ),
            )),
        }
    }
}

/// True if a plan lies at an address that is not committed: once a manifest is there, it is.
pub(super) fn holds_plan(bucket: &Bucket, url: &BucketUrl) -> io::Result<bool> {
    Ok(!url.key().is_empty()
        && is_there(bucket, url, layout::PLAN)?
        && !is_there(bucket, url, manifest::FILE_NAME)?)
}

fn is_there(bucket: &Bucket, url: &BucketUrl, name: &str) -> io::Result<bool> {
    match bucket.head(url.join(name).key()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_no_bucket(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says what such a server cannot be relied on for.
fn tell_once() {
    static TELL: std::sync::Once = std::sync::Once::new();
    TELL.call_once(|| {
        tracing::warn!(
            "the bucket's server cannot refuse a name that is taken; see to it that no two runs plan an export \
             for the same place at the same moment"
        );
    });
}

impl Contents for SharedPrefix {
    fn shown(&self, name: &str) -> String {
        self.url.join(name).to_string()
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        files::read(&self.bucket, &self.url, name)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        files::length(&self.bucket, &self.url, name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(&self.bucket, &self.url, folder)
    }
}

impl Files for SharedPrefix {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        check_name(name)?;
        let key = files::key(&self.url, name)?;
        // What the server says of an object is compared with what was sent, if it says it in a known way.
        self.probe()?;
        Ok(Box::new(NewBucketFile::begin(&self.bucket, &key)))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_name(name)?;
        self.put(name, Bytes::copy_from_slice(bytes))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.bucket.delete(&files::key(&self.url, name)?)
    }
}

impl SharedPlace for SharedPrefix {
    fn begin_shared(&self) -> Result<(), StoreError> {
        let refused = |what| StoreError::NoPlaceForAPlan {
            path: self.url.to_string(),
            what,
        };
        if self.url.key().is_empty() {
            return Err(refused("whatever else is in the bucket"));
        }
        // Whatever is wrong with credentials, the bucket or the network is told before the snapshot is read.
        self.probe().map_err(of_bucket)?;
        for name in [manifest::FILE_NAME, UNFINISHED] {
            if self.is_there(name).map_err(of_bucket)? {
                return Err(refused("an export"));
            }
        }
        if self.is_there(layout::PLAN).map_err(of_bucket)? {
            return Ok(());
        }
        let below = self.bucket.list_level(self.url.key()).map_err(of_bucket)?;
        let plan = self.url.join(layout::PLAN_FOLDER);
        let is_foreign =
            !below.objects.is_empty() || below.folders.iter().any(|folder| folder != plan.key());
        match is_foreign {
            true => Err(refused("something other than a plan")),
            false => Ok(()),
        }
    }

    fn name(&self) -> String {
        self.url.name().to_owned()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        check_name(name)?;
        self.put_if_new(name, bytes)
    }

    fn conditional_put(&self) -> io::Result<Option<ConditionalPut>> {
        Ok(Some(self.probe()?.conditional_put))
    }

    fn sizes(&self, folder: &str) -> io::Result<BTreeMap<String, u64>> {
        let below = match folder {
            "" => self.url.key().to_owned(),
            folder => files::key(&self.url, folder)?,
        };
        let root = format!("{}/", self.url.key());
        let listed = self.bucket.list(&below)?;
        let named = listed.iter().filter_map(|object| {
            let name = object.key.strip_prefix(&root)?;
            let own = name.rsplit('/').next().unwrap_or_default();
            (!is_probe(own)).then(|| (name.to_owned(), object.info.size))
        });
        Ok(named.collect())
    }

    fn finish(&self, manifest: &Manifest, metadata: &[u8]) -> io::Result<()> {
        let name = manifest.metadata_name();
        if !self.is_finished(manifest)? {
            let is_new = self.put_if_new(manifest::FILE_NAME, &manifest.to_json()?)?;
            if !is_new && !self.is_finished(manifest)? {
                return Err(io::Error::other("the manifest that was there has gone"));
            }
        }
        // A commit may have died between the two.
        match self.is_there(name)? {
            true => Ok(()),
            false => self.put(name, Bytes::copy_from_slice(metadata)),
        }
    }

    fn clear(&self, folder: &str) -> io::Result<()> {
        check_folder(folder)?;
        let below = files::key(&self.url, folder)?;
        if folder == layout::PLAN_FOLDER {
            // A plan without what its tasks have done would look unfinished.
            self.bucket.delete(self.url.join(layout::PLAN).key())?;
        }
        let listed = self.bucket.list(&below)?;
        let keys = listed.into_iter().map(|object| object.key).collect();
        self.bucket.delete_all(keys)
    }
}

#[cfg(test)]
mod tests;
