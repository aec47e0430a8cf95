//! Buckets of S3, Google Cloud Storage and Azure: a client that blocks, over the `object_store` crate.
//!
//! It stands on the ground floor and knows nothing of exports: [`BucketUrl`] is how a user names a place, [`Bucket`] asks
//! the network. How often and how long it tries is ours to say ([`Limits`]), and so is what an error tells
//! ([`BucketError`]): the crate's own messages hold whole addresses and answers, with what may be secret in them.
//!
//! Keys are whole: they begin below the bucket, not below the URL's own key.

mod error;
mod fetch;
mod http;
mod limits;
mod ops;
mod patience;
mod probe;
mod settings;
mod upload;
mod url;

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use tokio::runtime::Runtime;

pub(crate) use error::{BucketError, bucket_error};
pub(crate) use fetch::Fetch;
pub(crate) use limits::{LIMIT_VARIABLES, Limits};
pub(crate) use probe::{ConditionalPut, Probe, is_probe};
pub(crate) use upload::Upload;
pub(crate) use url::BucketUrl;

use patience::unless_interrupted;

/// What a bucket says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectInfo {
    /// In bytes.
    pub(crate) size: u64,
    /// When it was written last.
    pub(crate) modified: SystemTime,
    /// What the server calls this content; with most of them its MD5, but no server promises that.
    pub(crate) etag: Option<String>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) info: ObjectInfo,
}

/// One level of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Level {
    pub(crate) objects: Vec<Object>,
    /// Keys up to the next `/`, which is left out.
    pub(crate) folders: Vec<String>,
}

/// A bucket. Its calls block; clones are the same client, and any number of threads may use it.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    store: Arc<dyn Objects>,
    /// The bucket without a key, for messages.
    url: BucketUrl,
    limits: Limits,
    /// What a probe has shown; until then nothing is expected of the server.
    probe: OnceLock<Probe>,
}

/// Both of the crate's traits, which each of its three clients has.
trait Objects: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Objects for T {}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, which panics on a thread of another runtime. Nothing of ours
        // is under way any more: every call waits for its own tasks.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Bucket {
    /// A client with the settings that the environment has, under the names that the clouds gave them. Nothing is asked
    /// of the network yet.
    ///
    /// # Errors
    /// If a setting is missing, wrong or not supported.
    pub(crate) fn open(url: &BucketUrl) -> Result<Bucket, BucketError> {
        let limits = Limits::from_environment()?;
        let store = settings::connect(url, &limits, &settings::Variables::of_process())?;
        Bucket::of(store, url, limits)
    }

    /// A bucket in memory.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Bucket {
        let url = BucketUrl::parse("s3://memory").unwrap();
        let store = Arc::new(object_store::memory::InMemory::new());
        Bucket::of(store, &url, Limits::default()).unwrap()
    }

    fn of(store: Arc<dyn Objects>, url: &BucketUrl, limits: Limits) -> Result<Bucket, BucketError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bucket")
            .enable_all()
            .build()
            .map_err(BucketError::Thread)?;
        Ok(Bucket {
            inner: Arc::new(Inner {
                runtime: Some(runtime),
                store,
                url: url.bucket_itself(),
                limits,
                probe: OnceLock::new(),
            }),
        })
    }

    /// What messages call an object.
    pub(crate) fn shown(&self, key: &str) -> String {
        self.inner.url.join(key).to_string()
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) fn head(&self, key: &str) -> io::Result<ObjectInfo> {
        Ok(self.wait(self.inner.head(key))?)
    }

    /// The bytes of a range, all of them.
    ///
    /// # Errors
    /// `NotFound` if there is no such object, `UnexpectedEof` if it is shorter.
    pub(crate) fn read_range(&self, key: &str, range: Range<u64>) -> io::Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = range.end - range.start;
        let bytes = self.wait(self.inner.read_range(key, range))?;
        match bytes.len() as u64 == wanted {
            true => Ok(bytes),
            false => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                BucketError::Shorter {
                    shown: self.shown(key),
                },
            )),
        }
    }

    /// The whole of an object that has at most so many bytes.
    ///
    /// # Errors
    /// `NotFound` if there is none, and if it is larger.
    pub(crate) fn read_small(&self, key: &str, limit: u64) -> io::Result<Bytes> {
        let info = self.head(key)?;
        if info.size > limit {
            let error = BucketError::Larger {
                shown: self.shown(key),
                size: info.size,
                limit,
            };
            return Err(error.into());
        }
        self.read_range(key, 0..info.size)
    }

    /// All objects below a key, which ends before a `/`; with an empty one the whole bucket. In the order of their keys,
    /// where the server gives one.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub(crate) fn list(&self, below: &str) -> io::Result<Vec<Object>> {
        Ok(self.wait(self.inner.list(below))?)
    }

    /// What is directly below a key.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub(crate) fn list_level(&self, below: &str) -> io::Result<Level> {
        Ok(self.wait(self.inner.list_level(below))?)
    }

    /// Puts an object in one piece; `only_if_absent` leaves one that is there alone, if the server knows how to
    /// ([`Bucket::probe`]).
    ///
    /// # Errors
    /// `AlreadyExists` if it is there and was to be left alone.
    pub(crate) fn put(&self, key: &str, bytes: Bytes, only_if_absent: bool) -> io::Result<()> {
        Ok(self.wait(self.inner.put(key, bytes, only_if_absent))?)
    }

    /// Begins an object of any size, which is there once it is finished. Nothing is sent yet.
    pub(crate) fn upload(&self, key: &str) -> Upload {
        Upload::new(self.clone(), key)
    }

    /// Removes an object; one that is not there is gone already.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(crate) fn delete(&self, key: &str) -> io::Result<()> {
        Ok(self.wait(self.inner.delete(key))?)
    }

    /// Removes objects, several at the same time; those that are not there are gone already.
    ///
    /// # Errors
    /// If one cannot be removed; others may be there still.
    pub(crate) fn delete_all(&self, keys: Vec<String>) -> io::Result<()> {
        Ok(self.wait(ops::delete_all(&self.inner, keys))?)
    }

    /// What this server does: asked once for each client, by an object of a random name below `below`, which is deleted
    /// again.
    ///
    /// # Errors
    /// If it cannot be written there, or not deleted.
    pub(crate) fn probe(&self, below: &str) -> io::Result<Probe> {
        if let Some(probe) = self.inner.probe.get() {
            return Ok(*probe);
        }
        let probe = self.wait(probe::ask(&self.inner, below))?;
        Ok(*self.inner.probe.get_or_init(|| probe))
    }

    /// Blocks until it is done. Nothing here is called from within a runtime.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, BucketError>>,
    ) -> Result<T, BucketError> {
        self.runtime()?.block_on(unless_interrupted(work))
    }

    fn runtime(&self) -> Result<&Runtime, BucketError> {
        self.inner
            .runtime
            .as_ref()
            .ok_or_else(|| BucketError::Thread(io::ErrorKind::NotConnected.into()))
    }
}

#[cfg(test)]
mod tests;
