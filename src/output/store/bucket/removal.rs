//! Taking a whole export out of a bucket: under a claim, and what makes an export of it first, so that whatever dies
//! leaves nothing that a reader takes for one.
//!
//! ```text
//! manifest.gone.json is put ─► manifest.json goes ─► the files that the manifest names ─► manifest.gone.json goes
//! ```
//!
//! Only keys that a manifest of ours names are ever deleted: the one that is put aside says what is left to be deleted
//! when a removal was cut off.

use std::collections::HashSet;
use std::io;

use bytes::Bytes;

use super::claim::Held;
use super::{CLAIM, UNFINISHED, of_bucket};
use crate::bucket::{Bucket, BucketUrl, Probe};
use crate::output::layout::{self, FileForm};
use crate::output::manifest::{self, EntityEntry, Manifest, ManifestError, Status};
use crate::output::store::error::StoreError;

/// The manifest of an export that is on its way out.
pub(super) const GONE: &str = "manifest.gone.json";

/// No manifest is as large.
const MANIFEST_BYTES: u64 = 1 << 30;

/// Removes the export that was begun at this time. Returns the keys below it that its manifest does not name, which stay.
///
/// # Errors
/// If a run holds it, it is another one, and those of the bucket.
pub(in crate::output) fn remove(
    bucket: &Bucket,
    url: &BucketUrl,
    probe: &Probe,
    started_at: &str,
) -> Result<Vec<String>, StoreError> {
    let _held = Held::take(bucket, url, probe)?;
    let (bytes, manifest) = manifest_of(bucket, url)?;
    if manifest.started_at != started_at {
        return Err(StoreError::Changed(url.to_string()));
    }
    put_aside(bucket, url, bytes).map_err(of_bucket)?;
    empty(bucket, url, &manifest).map_err(of_bucket)
}

/// Goes on with a removal that was cut off. Returns what stays, as [`remove`] does; `None` if there is nothing to go on
/// with: the export is still one, or somebody else is at it.
///
/// # Errors
/// Those of the bucket.
pub(in crate::output) fn go_on(
    bucket: &Bucket,
    url: &BucketUrl,
    probe: &Probe,
) -> Result<Option<Vec<String>>, StoreError> {
    let _held = match Held::take(bucket, url, probe) {
        Ok(held) => held,
        Err(error @ StoreError::InUse { .. }) => {
            tracing::info!("what is left of a removal stays for now: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let gone = url.join(GONE);
    for name in [UNFINISHED, manifest::FILE_NAME] {
        if small(bucket, url, name).map_err(of_bucket)?.is_some() {
            // It was cut off before the export had gone, so it is an export as before.
            bucket.delete(gone.key()).map_err(of_bucket)?;
            return Ok(None);
        }
    }
    let Some(bytes) = small(bucket, url, GONE).map_err(of_bucket)? else {
        return Ok(None);
    };
    match Manifest::parse(&bytes, gone.to_string()) {
        Ok(manifest) => Ok(Some(empty(bucket, url, &manifest).map_err(of_bucket)?)),
        Err(error) => {
            tracing::warn!("{error}\n  it does not say what is to be deleted, so nothing is");
            Ok(None)
        }
    }
}

/// Changes the manifest of a finished export that no run holds.
///
/// # Errors
/// If a run holds it, there is no such manifest, and those of the bucket.
pub(in crate::output) fn change_manifest(
    bucket: &Bucket,
    url: &BucketUrl,
    probe: &Probe,
    change: impl FnOnce(&mut Manifest),
) -> Result<(), StoreError> {
    let _held = Held::take(bucket, url, probe)?;
    let (_, mut manifest) = manifest_of(bucket, url)?;
    if manifest.status != Status::Finished {
        return Err(gone_meanwhile(url));
    }
    change(&mut manifest);
    let key = url.join(manifest::FILE_NAME);
    let bytes = manifest.to_json().map_err(of_bucket)?;
    bucket
        .put(key.key(), Bytes::from(bytes), false)
        .map_err(of_bucket)
}

/// The manifest of an export; while that is not finished it has another name. `None` if there is none any more.
///
/// # Errors
/// If it cannot be read, or is none of ours.
pub(in crate::output) fn read_manifest(
    bucket: &Bucket,
    url: &BucketUrl,
    is_finished: bool,
) -> Result<Option<Manifest>, ManifestError> {
    let name = match is_finished {
        true => manifest::FILE_NAME,
        false => UNFINISHED,
    };
    let shown = url.join(name).to_string();
    match small(bucket, url, name) {
        Ok(Some(bytes)) => Manifest::parse(&bytes, shown).map(Some),
        Ok(None) => Ok(None),
        Err(source) => Err(ManifestError::Io {
            path: shown,
            source,
        }),
    }
}

/// True for the object that is left of a removal that was cut off.
pub(in crate::output) fn is_gone(name: &str) -> bool {
    name == GONE
}

fn manifest_of(bucket: &Bucket, url: &BucketUrl) -> Result<(Bytes, Manifest), StoreError> {
    // While the unfinished one is there, the run has not come to its end.
    for name in [UNFINISHED, manifest::FILE_NAME] {
        if let Some(bytes) = small(bucket, url, name).map_err(of_bucket)? {
            let manifest = Manifest::parse(&bytes, url.join(name).to_string())
                .map_err(|error| of_bucket(io::Error::other(error)))?;
            return Ok((bytes, manifest));
        }
    }
    Err(gone_meanwhile(url))
}

fn gone_meanwhile(url: &BucketUrl) -> StoreError {
    StoreError::Changed(url.to_string())
}

/// The whole of a small object; `None` if there is none.
fn small(bucket: &Bucket, url: &BucketUrl, name: &str) -> io::Result<Option<Bytes>> {
    match bucket.read_small(url.join(name).key(), MANIFEST_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && !super::place::is_no_bucket(&error) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// From here on it is no export any more.
fn put_aside(bucket: &Bucket, url: &BucketUrl, manifest: Bytes) -> io::Result<()> {
    bucket.put(url.join(GONE).key(), manifest, false)?;
    // An unfinished one beside it says that the other is not to be believed, so that one goes last.
    for name in [manifest::FILE_NAME, UNFINISHED] {
        bucket.delete(url.join(name).key())?;
    }
    Ok(())
}

/// Deletes what the manifest names, and then the one that was put aside. Returns the keys that stay.
fn empty(bucket: &Bucket, url: &BucketUrl, manifest: &Manifest) -> io::Result<Vec<String>> {
    let below = format!("{}/", url.key());
    let relations = manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations);
    let files = relations.flat_map(|relation| relation.files());
    let named: HashSet<&str> = files.map(|file| file.file.as_str()).collect();
    // What a run that died had written since it last said so.
    let is_begun = |name: &str| {
        manifest.status != Status::Finished
            && manifest
                .entities
                .iter()
                .any(|entity| is_file_of(entity, manifest.is_sealed(), name))
    };
    let mut strange = Vec::new();
    for object in bucket.list(url.key())? {
        let name = object.key.strip_prefix(&below).unwrap_or_default();
        if name == GONE || name == CLAIM {
            continue;
        }
        let is_own = name == manifest.metadata_name()
            || named.contains(name)
            || is_begun(name)
            || is_of_plan(name);
        match is_own {
            true => bucket.delete(&object.key)?,
            false => strange.push(bucket.shown(&object.key)),
        }
    }
    bucket.delete(url.join(GONE).key())?;
    Ok(strange)
}

/// True for what is left of a plan that is committed, since a manifest is there.
fn is_of_plan(name: &str) -> bool {
    let below = name.strip_prefix(layout::PLAN_FOLDER);
    below.is_some_and(|rest| rest.starts_with('/'))
}

/// True for the names that files of an entity's relations have.
fn is_file_of(entity: &EntityEntry, is_sealed: bool, name: &str) -> bool {
    let Some(rest) = name
        .strip_prefix(entity.prefix.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return false;
    };
    let mut relations = entity.relations.iter();
    relations.any(|relation| {
        let Some(rest) = rest.strip_prefix(relation.relation.as_str()) else {
            return false;
        };
        FileForm::ALL.iter().any(|form| {
            let stem = rest
                .strip_suffix(&*layout::stored(form.extension().to_owned(), is_sealed))
                .and_then(|stem| stem.strip_suffix('.'));
            let batch = stem.and_then(|stem| stem.strip_prefix("/batch_"));
            stem == Some("")
                || batch.is_some_and(|batch| {
                    !batch.is_empty() && batch.bytes().all(|digit| digit.is_ascii_digit())
                })
        })
    })
}
