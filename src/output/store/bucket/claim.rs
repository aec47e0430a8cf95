//! The claim of one run to an export in a bucket. A new export has a prefix that nobody else knows, so there is nothing
//! to hold; who goes on with one puts an object beside it, again and again, and takes it away in the end.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::draft::BucketDraft;
use super::place::Place;
use super::{CLAIM, UNFINISHED, check, name, of_bucket};
use crate::bucket::{Bucket, BucketUrl, ConditionalPut, Probe};
use crate::output::manifest::{self, Manifest};
use crate::output::store::claim::{Begin, Claim, Draft};
use crate::output::store::error::StoreError;

/// How often a run says that it lives.
const BEAT: Duration = Duration::from_secs(15);

/// After this time without a word a run is dead. A server may be away for as long as requests are repeated.
const DEAD: Duration = Duration::from_secs(300);

/// A place in a bucket that a run may write to.
#[derive(Debug)]
pub(super) struct BucketClaim {
    pub(super) bucket: Bucket,
    url: BucketUrl,
    probe: Probe,
    found: Arc<Mutex<Option<Place>>>,
}

impl BucketClaim {
    pub(super) fn new(
        bucket: Bucket,
        url: BucketUrl,
        probe: Probe,
        found: Arc<Mutex<Option<Place>>>,
    ) -> BucketClaim {
        BucketClaim {
            bucket,
            url,
            probe,
            found,
        }
    }

    fn found(&self) -> Option<Place> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone()
    }

    /// A prefix of its own.
    fn new_url(&self) -> Result<BucketUrl, StoreError> {
        let name = name::draw().map_err(|source| StoreError::Io {
            path: self.url.to_string(),
            source,
        })?;
        Ok(self.url.join(&name))
    }
}

impl Claim for BucketClaim {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        check(&self.url, begin)
    }

    fn begin(self: Box<Self>, begin: Begin) -> Result<Arc<dyn Draft>, StoreError> {
        check(&self.url, begin)?;
        let url = match (begin, self.found()) {
            (Begin::Resume, Some(place)) => place.url,
            (Begin::Resume | Begin::New | Begin::Replace, _) => self.new_url()?,
        };
        let held = Held::take(&self.bucket, &url, &self.probe)?;
        if begin == Begin::Resume {
            // Of a run that died between its last two puts: the export is not finished.
            let key = url.join(manifest::FILE_NAME);
            self.bucket.delete(key.key()).map_err(of_bucket)?;
        }
        Ok(Arc::new(BucketDraft::new(*self, url, held)))
    }

    fn note_failure(&self, manifest: &Manifest) -> Result<String, StoreError> {
        let url = self.new_url()?;
        let json = manifest.to_json().map_err(|source| StoreError::Io {
            path: url.to_string(),
            source,
        })?;
        let key = url.join(UNFINISHED);
        self.bucket
            .put(key.key(), Bytes::from(json), false)
            .map_err(of_bucket)?;
        Ok(url.to_string())
    }

    fn conditional_put(&self) -> Option<ConditionalPut> {
        Some(self.probe.conditional_put)
    }
}

/// The object that says that a run lives, and the thread that puts it.
#[derive(Debug)]
pub(super) struct Held {
    bucket: Bucket,
    key: String,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    pub(super) fn take(
        bucket: &Bucket,
        url: &BucketUrl,
        probe: &Probe,
    ) -> Result<Held, StoreError> {
        let key = url.join(CLAIM).key().to_owned();
        let holder = format!("pid {} on {}\n", std::process::id(), host());
        let put = |only_if_absent| bucket.put(&key, Bytes::from(holder.clone()), only_if_absent);
        match look(bucket, &key, probe)? {
            None => match put(true) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(in_use(bucket, url, &key));
                }
                result => result.map_err(of_bucket)?,
            },
            Some(age) if age < DEAD => return Err(in_use(bucket, url, &key)),
            Some(_) => put(false).map_err(of_bucket)?,
        }
        let (stop, stopped) = bounded(0);
        let beat = {
            let (bucket, key) = (bucket.clone(), key.clone());
            move || {
                while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                    let put = bucket.put(&key, Bytes::from(holder.clone()), false);
                    if let Err(error) = put {
                        // Whoever writes files says what is wrong with the bucket.
                        tracing::debug!("cannot say that this run lives: {error}");
                    }
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("bucket-claim".to_owned())
            .spawn(beat)
            .map_err(|source| StoreError::Io {
                path: url.to_string(),
                source,
            })?;
        Ok(Held {
            bucket: bucket.clone(),
            key,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
        if let Err(error) = self.bucket.delete(&self.key) {
            tracing::warn!(
                "{error}\n  until it is old, --resume takes this run for one that lives"
            );
        }
    }
}

/// How long ago a run has said that it lives, by the server's clock; `None` if none has.
fn look(bucket: &Bucket, key: &str, probe: &Probe) -> Result<Option<Duration>, StoreError> {
    match bucket.head(key) {
        Ok(info) => Ok(Some(
            probe
                .server_now()
                .duration_since(info.modified)
                .unwrap_or_default(),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of_bucket(error)),
    }
}

fn in_use(bucket: &Bucket, url: &BucketUrl, key: &str) -> StoreError {
    // Who it is only helps: a run that ends meanwhile takes it away.
    let holder = bucket.read_small(key, 1 << 10).ok();
    let holder = holder.and_then(|holder| {
        let text = String::from_utf8(holder.to_vec()).ok()?;
        let line = crate::visible::visible(text.trim()).to_string();
        Some(format!(": {line}"))
    });
    StoreError::InUse {
        path: url.to_string(),
        holder: holder.unwrap_or_default(),
    }
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
