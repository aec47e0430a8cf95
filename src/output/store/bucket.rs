//! A bucket as a store: exports of one place lie beside one another, each below a prefix that no other run has.
//!
//! Keys are final and never renamed, so what is seen of an export is its manifest. While it is written that is
//! `manifest.unfinished.json`; when all files are there, `manifest.json` is put, only if there is none yet, and
//! `metadata.json.gz` last of all (`draft.rs`). A prefix is found by its manifest (`place.rs`).
//!
//! No bucket has a lock that ends with a process. An export that is written has an object beside it that is put again
//! and again (`claim.rs`); one that has become old is that of a dead run. An export that several processes write by a plan
//! lies at the address itself (`shared.rs`).

mod claim;
mod draft;
mod files;
mod name;
mod place;
pub(in crate::output) mod removal;
mod shared;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::claim::{Begin, Claim, Store};
use super::contents::{Contents, Listed, StoredFile};
use super::error::StoreError;
use crate::bucket::{Bucket, BucketError, BucketUrl};
use crate::output::layout;
pub(in crate::output) use name::is_export_name;
use place::Place;
pub(in crate::output) use shared::SharedPrefix;

/// The manifest of an export that is being written, or was not completed.
pub(crate) const UNFINISHED: &str = "manifest.unfinished.json";

/// What says that a run writes an export.
const CLAIM: &str = ".relexport-claim";

/// Which export is meant below a prefix that holds several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// The newest one.
    Newest,
    /// The newest one that is not finished.
    NewestUnfinished,
}

/// An export in a bucket, or a prefix below which there are exports, or will be.
#[derive(Debug)]
pub(crate) struct BucketStore {
    bucket: Bucket,
    url: BucketUrl,
    wanted: Wanted,
    /// The export that is meant, once somebody has asked.
    found: Arc<Mutex<Option<Place>>>,
}

impl BucketStore {
    /// The export at this address, or the newest one below it; new ones are written below it.
    ///
    /// # Errors
    /// If a setting in the environment is wrong.
    pub(crate) fn new(url: &BucketUrl) -> Result<BucketStore, StoreError> {
        BucketStore::open(url, Wanted::Newest)
    }

    /// As [`BucketStore::new`], but of exports that are not finished.
    ///
    /// # Errors
    /// As [`BucketStore::new`].
    pub(crate) fn to_resume(url: &BucketUrl) -> Result<BucketStore, StoreError> {
        BucketStore::open(url, Wanted::NewestUnfinished)
    }

    fn open(url: &BucketUrl, wanted: Wanted) -> Result<BucketStore, StoreError> {
        Ok(BucketStore {
            bucket: Bucket::open(url)?,
            url: url.clone(),
            wanted,
            found: Arc::default(),
        })
    }

    /// The export that is meant.
    fn place(&self) -> io::Result<Place> {
        let known = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(place) = known {
            return Ok(place);
        }
        let place = place::find(&self.bucket, &self.url, self.wanted)?
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(found.insert(place).clone())
    }

    /// What messages call the export if it is known, else the address that the user named.
    fn url_of_place(&self) -> BucketUrl {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some(place) => place.url.clone(),
            None => self.url.clone(),
        }
    }
}

impl Contents for BucketStore {
    fn shown(&self, name: &str) -> String {
        self.url_of_place().join(name).to_string()
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let place = self.place()?;
        files::read(&self.bucket, &place.url, place.name_of(name))
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let place = self.place()?;
        files::length(&self.bucket, &place.url, place.name_of(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Listed>> {
        files::list(&self.bucket, &self.place()?.url, folder)
    }

    fn plan(&self) -> io::Result<Arc<dyn StoredFile>> {
        // It lies at the address itself, where no export is yet.
        files::read(&self.bucket, &self.url, layout::PLAN)
    }
}

impl Store for BucketStore {
    fn check(&self, begin: Begin) -> Result<(), StoreError> {
        check(&self.url, begin)
    }

    fn claim(&self) -> Result<Box<dyn Claim>, StoreError> {
        // Whatever is wrong with credentials, the bucket or the network is told before the snapshot is read.
        let probe = self.bucket.probe(self.url.key()).map_err(of_bucket)?;
        if shared::holds_plan(&self.bucket, &self.url).map_err(of_bucket)? {
            return Err(StoreError::HoldsAPlan(self.url.to_string()));
        }
        Ok(Box::new(claim::BucketClaim::new(
            self.bucket.clone(),
            self.url.clone(),
            probe,
            Arc::clone(&self.found),
        )))
    }
}

/// Says what is wrong with beginning so.
fn check(url: &BucketUrl, begin: Begin) -> Result<(), StoreError> {
    match begin {
        Begin::New | Begin::Resume => Ok(()),
        Begin::Replace => Err(StoreError::NothingToReplace(url.to_string())),
    }
}

/// An error of the client, which names the bucket and the key itself.
pub(in crate::output) fn of_bucket(error: io::Error) -> StoreError {
    match error.downcast::<BucketError>() {
        Ok(error) => StoreError::Bucket(error),
        Err(source) => StoreError::Io {
            path: "of the bucket".to_owned(),
            source,
        },
    }
}

/// True for the names that the store keeps for itself, right below an export.
fn is_own(name: &str) -> bool {
    name == UNFINISHED || name == CLAIM || name == removal::GONE || name == layout::PLAN_FOLDER
}
