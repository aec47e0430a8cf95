//! A prefix of a bucket as a shelf: exports lie directly below it, under the names that runs give them, and `latest` is an
//! object that names one.
//!
//! One listing tells of all exports which files they have, at which sizes. Only the manifests are fetched.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ExportState, LATEST, Shelf, ShelvedExport};
use crate::bucket::{Bucket, BucketUrl, Probe};
use crate::output::manifest::{self, ManifestError};
use crate::output::store::bucket::{BucketStore, UNFINISHED, is_export_name, of_bucket, removal};
use crate::output::store::{Store, StoreError};

/// No object that says which export is the newest is as large.
const LATEST_BYTES: u64 = 1 << 16;

/// A prefix of a bucket, with exports below it.
#[derive(Debug, Clone)]
pub struct BucketShelf {
    bucket: Bucket,
    url: BucketUrl,
}

/// What the object says that `latest` is.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    export: String,
}

/// The sizes of an export's objects, by their names below it.
type Sizes = HashMap<String, u64>;

impl BucketShelf {
    /// The prefix at this address. Nothing is looked at yet.
    ///
    /// # Errors
    /// If a setting in the environment is wrong.
    pub fn new(url: &BucketUrl) -> Result<Self, StoreError> {
        Ok(BucketShelf {
            bucket: Bucket::open(url)?,
            url: url.clone(),
        })
    }

    /// The place of an export.
    fn place(&self, name: &str) -> io::Result<BucketUrl> {
        match is_export_name(name) {
            true => Ok(self.url.join(name)),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no name of an export in a bucket"),
            )),
        }
    }

    /// What lies below names that a run may have given.
    fn listed(&self) -> io::Result<BTreeMap<String, Sizes>> {
        let below = match self.url.key() {
            "" => String::new(),
            key => format!("{key}/"),
        };
        let mut listed: BTreeMap<String, Sizes> = BTreeMap::new();
        for object in self.bucket.list(self.url.key())? {
            let split = object
                .key
                .strip_prefix(&below)
                .and_then(|rest| rest.split_once('/'));
            // Whatever else lies there is somebody else's.
            if let Some((export, name)) = split.filter(|(export, _)| is_export_name(export)) {
                let sizes = listed.entry(export.to_owned()).or_default();
                sizes.insert(name.to_owned(), object.info.size);
            }
        }
        Ok(listed)
    }

    /// The export of a name, if its objects are those of one.
    fn export(&self, name: String, sizes: &Sizes) -> io::Result<Option<ShelvedExport>> {
        let is_finished = match (
            sizes.contains_key(UNFINISHED),
            sizes.contains_key(manifest::FILE_NAME),
        ) {
            // A run that died between its last two puts is not finished.
            (true, _) => false,
            (false, true) => true,
            (false, false) => return Ok(None),
        };
        let manifest = removal::read_manifest(&self.bucket, &self.url.join(&name), is_finished);
        match manifest {
            Ok(Some(manifest)) => {
                let mut export = ShelvedExport::new(name, &manifest, |file| {
                    let size = sizes.get(file).copied();
                    size.ok_or_else(|| io::ErrorKind::NotFound.into())
                });
                if !is_finished && !matches!(export.state, ExportState::Failed(_)) {
                    export.state = ExportState::Unfinished;
                }
                Ok(Some(export))
            }
            // Its run has come to its end since, or somebody has removed it.
            Ok(None) => {
                tracing::info!(
                    "{} has changed meanwhile and is not counted",
                    self.shown_export(&name)
                );
                Ok(None)
            }
            Err(ManifestError::Io { source, .. }) => Err(source),
            Err(error) => {
                tracing::warn!("{} is not counted: {error}", self.shown_export(&name));
                Ok(None)
            }
        }
    }

    /// What the server does, which is asked once.
    fn probe(&self) -> Result<Probe, StoreError> {
        self.bucket.probe(self.url.key()).map_err(of_bucket)
    }

    fn latest_url(&self) -> BucketUrl {
        self.url.join(&format!("{LATEST}.json"))
    }

    /// The object that says what `latest` is: none, one of ours (with the name in it), or another one.
    fn latest_object(&self) -> io::Result<Option<Option<String>>> {
        match self
            .bucket
            .read_small(self.latest_url().key(), LATEST_BYTES)
        {
            Ok(bytes) => {
                let latest: Option<Latest> = serde_json::from_slice(&bytes).ok();
                Ok(Some(latest.map(|latest| latest.export)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True if the manifest of a finished export is there.
    fn is_there(&self, name: &str) -> io::Result<bool> {
        let manifest = self.place(name)?.join(manifest::FILE_NAME);
        match self.bucket.head(manifest.key()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells of objects that stay where an export was.
    fn tell_strange(&self, name: &str, strange: &[String]) {
        if !strange.is_empty() {
            tracing::warn!(
                "{} is removed, but its manifest does not name {}, so that stays\n  look at it, and delete it by hand",
                self.shown_export(name),
                strange.join(", ")
            );
        }
    }
}

/// The error of the bucket in one of the store, so that whoever asks finds it.
fn of_store(error: StoreError) -> io::Error {
    match error {
        StoreError::Bucket(error) => error.into(),
        StoreError::Io { source, .. } => source,
        error => io::Error::other(error),
    }
}

fn io_error(url: &BucketUrl) -> impl Fn(io::Error) -> StoreError {
    let path = url.to_string();
    move |source| StoreError::Io {
        path: path.clone(),
        source,
    }
}

impl Shelf for BucketShelf {
    fn shown(&self) -> String {
        self.url.to_string()
    }

    fn shown_export(&self, name: &str) -> String {
        self.url.join(name).to_string()
    }

    fn exports(&self) -> io::Result<Vec<ShelvedExport>> {
        let mut exports = Vec::new();
        for (name, sizes) in self.listed()? {
            exports.extend(self.export(name, &sizes)?);
        }
        Ok(exports)
    }

    fn store(&self, name: &str) -> Result<Arc<dyn Store>, StoreError> {
        let place = self.place(name).map_err(io_error(&self.url))?;
        Ok(Arc::new(BucketStore::new(&place)?))
    }

    fn remove(&self, export: &ShelvedExport) -> Result<(), StoreError> {
        let place = self.place(&export.name).map_err(io_error(&self.url))?;
        let strange = removal::remove(&self.bucket, &place, &self.probe()?, &export.started_at)?;
        self.tell_strange(&export.name, &strange);
        Ok(())
    }

    fn mark_suspect(&self, name: &str, reasons: &[String]) -> Result<(), StoreError> {
        let place = self.place(name).map_err(io_error(&self.url))?;
        removal::change_manifest(&self.bucket, &place, &self.probe()?, |manifest| {
            manifest.suspect = reasons.to_vec();
        })
    }

    fn latest(&self) -> io::Result<Option<String>> {
        let name = self.latest_object()?.flatten();
        match name.filter(|name| is_export_name(name)) {
            Some(name) if self.is_there(&name)? => Ok(Some(name)),
            Some(_) | None => Ok(None),
        }
    }

    fn set_latest(&self, name: &str) -> io::Result<()> {
        let url = self.latest_url();
        if !self.is_there(name)? {
            return Err(io::Error::other(format!(
                "{} is no finished export, so {url} cannot lead to it",
                self.shown_export(name)
            )));
        }
        if self.latest_object()? == Some(None) {
            return Err(io::Error::other(format!(
                "{url} is not of this program, so it is not replaced\n  move it away"
            )));
        }
        let latest = Latest {
            export: name.to_owned(),
        };
        let mut json = serde_json::to_vec_pretty(&latest).map_err(io::Error::other)?;
        json.push(b'\n');
        self.bucket.put(url.key(), Bytes::from(json), false)
    }

    fn clear(&self) -> io::Result<Vec<String>> {
        let mut cleared = Vec::new();
        for (name, sizes) in self.listed()? {
            if !sizes.keys().any(|name| removal::is_gone(name)) {
                continue;
            }
            let probe = self.probe().map_err(of_store)?;
            let place = self.url.join(&name);
            let strange = removal::go_on(&self.bucket, &place, &probe).map_err(of_store)?;
            if let Some(strange) = strange {
                self.tell_strange(&name, &strange);
                cleared.push(place.to_string());
            }
        }
        Ok(cleared)
    }
}
