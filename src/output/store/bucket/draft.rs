//! An export that is being written to a bucket.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::claim::{BucketClaim, Held};
use super::files::{self, NewBucketFile};
use super::{UNFINISHED, of_bucket};
use crate::bucket::{Bucket, BucketUrl};
use crate::output::layout;
use crate::output::manifest::{self, Manifest, Status};
use crate::output::store::claim::{Claim, Draft, Files, NewFile};
use crate::output::store::contents::{Contents, Listed, StoredFile};
use crate::output::store::error::StoreError;

/// While the run goes on the manifest is put at most this often: a put costs money, and what it does not know yet is
/// only made once more.
const MANIFEST_EVERY: Duration = Duration::from_secs(5);

/// An export that is being written.
#[derive(Debug)]
pub(super) struct BucketDraft {
    claim: BucketClaim,
    url: BucketUrl,
    /// Given up when the export is in its place, or is left there.
    held: Mutex<Option<Held>>,
    state: Mutex<State>,
}

/// What is known of the export, and what is put only in the end.
#[derive(Debug, Default)]
struct State {
    manifest: Option<Bytes>,
    /// The manifest says that the export is finished, so it waits for the commit.
    is_finished: bool,
    /// When it was put last.
    put: Option<Instant>,
    metadata: Option<Bytes>,
    /// Another run has finished the export, which is none of this run's any more.
    is_lost: bool,
    /// The sizes of all files, until one is written.
    sizes: Option<HashMap<String, u64>>,
}

impl BucketDraft {
    pub(super) fn new(claim: BucketClaim, url: BucketUrl, held: Held) -> BucketDraft {
        BucketDraft {
            claim,
            url,
            held: Mutex::new(Some(held)),
            state: Mutex::default(),
        }
    }

    fn bucket(&self) -> &Bucket {
        &self.claim.bucket
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claim is over: what the run says now it has said.
    fn let_go(&self) {
        let held = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(held);
    }

    fn put_unfinished(&self, json: Bytes) -> io::Result<()> {
        self.bucket()
            .put(self.url.join(UNFINISHED).key(), json, false)?;
        self.state().put = Some(Instant::now());
        Ok(())
    }

    /// What waits to be put under this name.
    fn waiting(&self, name: &str) -> Option<Bytes> {
        let state = self.state();
        match name {
            manifest::FILE_NAME => state.manifest.clone(),
            layout::METADATA => state.metadata.clone(),
            _ => None,
        }
    }

    /// The name under which a file is while the export is written.
    fn name_of<'n>(&self, name: &'n str) -> &'n str {
        match name {
            manifest::FILE_NAME => UNFINISHED,
            name => name,
        }
    }

    fn sizes(&self) -> io::Result<HashMap<String, u64>> {
        let below = format!("{}/", self.url.key());
        let listed = self.bucket().list(self.url.key())?;
        let sizes = listed.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&below)?;
            Some((name.to_owned(), object.info.size))
        });
        Ok(sizes.collect())
    }

    /// Puts what makes the export one: from the manifest on it is there.
    fn put_end(&self) -> io::Result<()> {
        let (manifest, metadata) = {
            let state = self.state();
            (state.manifest.clone(), state.metadata.clone())
        };
        let manifest = manifest.ok_or_else(|| io::Error::other("the export has no manifest"))?;
        self.bucket()
            .put(self.url.join(manifest::FILE_NAME).key(), manifest, true)?;
        if let Some(metadata) = metadata {
            self.bucket()
                .put(self.url.join(layout::METADATA).key(), metadata, false)?;
        }
        self.bucket().delete(self.url.join(UNFINISHED).key())
    }

    /// The export is not there after all.
    fn take_back_end(&self) {
        for name in [manifest::FILE_NAME, layout::METADATA] {
            if let Err(error) = self.bucket().delete(self.url.join(name).key()) {
                tracing::warn!("what was put last cannot be taken back: {error}");
            }
        }
    }
}

impl Contents for BucketDraft {
    fn shown(&self, name: &str) -> String {
        self.url.join(name).to_string()
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        match self.waiting(name) {
            Some(bytes) => Ok(Arc::new(Waiting(bytes))),
            None => files::read(self.bucket(), &self.url, self.name_of(name)),
        }
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        if let Some(bytes) = self.waiting(name) {
            return Ok(bytes.len() as u64);
        }
        // Before the export is called finished, every file is asked for: one listing tells of a thousand.
        files::key(&self.url, name)?;
        if self.state().sizes.is_none() {
            let sizes = self.sizes()?;
            self.state().sizes = Some(sizes);
        }
        let state = self.state();
        let size = state
            .sizes
            .as_ref()
            .and_then(|sizes| sizes.get(self.name_of(name)));
        size.copied()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(self.bucket(), &self.url, folder)
    }
}

impl Files for BucketDraft {
    fn write(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        let key = files::key(&self.url, name)?;
        self.state().sizes = None;
        Ok(Box::new(NewBucketFile::begin(self.bucket(), &key)))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        match name {
            // It comes last of all.
            layout::METADATA => {
                self.state().metadata = Some(bytes);
                Ok(())
            }
            manifest::FILE_NAME => {
                self.state().manifest = Some(bytes.clone());
                self.put_unfinished(bytes)
            }
            name => {
                let key = files::key(&self.url, name)?;
                self.state().sizes = None;
                self.bucket().put(&key, bytes, false)
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if name == manifest::FILE_NAME {
            self.state().manifest = None;
        }
        let key = files::key(&self.url, self.name_of(name))?;
        self.state().sizes = None;
        self.bucket().delete(&key)
    }

    fn put_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        let json = Bytes::from(manifest.to_json()?);
        let is_finished = manifest.status == Status::Finished;
        let is_over = manifest.finished_at.is_some() || manifest.status == Status::Failed;
        let is_due = {
            let mut state = self.state();
            state.manifest = Some(json.clone());
            state.is_finished = is_finished;
            let is_old = state.put.is_none_or(|put| put.elapsed() >= MANIFEST_EVERY);
            is_over || is_old
        };
        // One that says that all is finished would be believed if the run died before the end.
        match is_due && !is_finished {
            true => self.put_unfinished(json),
            false => Ok(()),
        }
    }
}

impl Draft for BucketDraft {
    fn claim(&self) -> &dyn Claim {
        &self.claim
    }

    fn name(&self) -> String {
        self.url.name().to_owned()
    }

    fn replaces(&self) -> bool {
        false
    }

    fn check(&self) -> io::Result<()> {
        match self.state().is_lost {
            true => Err(io::Error::other("another run has finished the export")),
            false => Ok(()),
        }
    }

    fn sweep(&self, folders: &[String], keep: &dyn Fn(&str) -> bool) -> io::Result<()> {
        self.state().sizes = None;
        let below = format!("{}/", self.url.key());
        for folder in folders {
            let key = files::key(&self.url, folder)?;
            for object in self.bucket().list(&key)? {
                let is_kept = object.key.strip_prefix(&below).is_some_and(keep);
                if !is_kept {
                    self.bucket().delete(&object.key)?;
                }
            }
        }
        Ok(())
    }

    fn commit(&self) -> Result<String, StoreError> {
        if let Err(error) = self.put_end() {
            if error.kind() == io::ErrorKind::AlreadyExists {
                // Its manifest is there: what lies here is its export.
                self.state().is_lost = true;
                self.let_go();
                return Err(StoreError::FinishedByAnother(self.url.to_string()));
            }
            self.take_back_end();
            return Err(of_bucket(error));
        }
        self.let_go();
        Ok(self.url.to_string())
    }

    fn set_aside(&self) -> Result<String, StoreError> {
        let waiting = {
            let state = self.state();
            state.manifest.clone().filter(|_| !state.is_finished)
        };
        if let Some(manifest) = waiting {
            self.put_unfinished(manifest).map_err(of_bucket)?;
        }
        self.let_go();
        Ok(self.url.to_string())
    }

    fn discard(&self) -> io::Result<()> {
        self.let_go();
        for object in self.bucket().list(self.url.key())? {
            self.bucket().delete(&object.key)?;
        }
        Ok(())
    }
}

/// A file that waits to be put.
struct Waiting(Bytes);

impl StoredFile for Waiting {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(SystemTime::now())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let start = usize::try_from(position).unwrap_or(usize::MAX);
        let rest = self.0.get(start..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
