//! The files of an export in a bucket, by their names.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::is_own;
use crate::bucket::{Bucket, BucketUrl, ObjectInfo, Upload};
use crate::hex;
use crate::output::layout;
use crate::output::store::claim::{NewFile, Written};
use crate::output::store::contents::{Listed, StoredFile};

/// Bytes that are fetched at once by whoever reads a file.
const CHUNK: u64 = 4 << 20;

/// The key of a file. The name may be from anywhere, so each part of it must be the plain name of a file.
pub(super) fn key(root: &BucketUrl, name: &str) -> io::Result<String> {
    match name.split('/').all(layout::is_name) {
        true => Ok(root.join(name).key().to_owned()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is no name of a file in an export"),
        )),
    }
}

pub(super) fn read(
    bucket: &Bucket,
    root: &BucketUrl,
    name: &str,
) -> io::Result<Arc<dyn StoredFile>> {
    let key = key(root, name)?;
    let info = bucket.head(&key)?;
    Ok(Arc::new(BucketFile {
        bucket: bucket.clone(),
        key,
        info,
        chunk: Mutex::default(),
    }))
}

pub(super) fn length(bucket: &Bucket, root: &BucketUrl, name: &str) -> io::Result<u64> {
    Ok(bucket.head(&key(root, name)?)?.size)
}

/// What lies directly below a folder.
pub(super) fn list(bucket: &Bucket, root: &BucketUrl, folder: &str) -> io::Result<Vec<Listed>> {
    let below = match folder {
        "" => root.key().to_owned(),
        folder => key(root, folder)?,
    };
    let level = bucket.list_level(&below)?;
    let name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    let folders = level.folders.iter().map(|key| Listed {
        name: name(key),
        is_folder: true,
    });
    let objects = level.objects.iter().map(|object| Listed {
        name: name(&object.key),
        is_folder: false,
    });
    let is_shown = |listed: &Listed| !(folder.is_empty() && is_own(&listed.name));
    Ok(folders.chain(objects).filter(is_shown).collect())
}

/// A file that is open for reading. It has the content that it had when it was opened, or reading fails.
struct BucketFile {
    bucket: Bucket,
    key: String,
    info: ObjectInfo,
    /// What was fetched last: whoever reads a file does so from its beginning to its end.
    chunk: Mutex<(u64, Bytes)>,
}

impl BucketFile {
    fn chunk_at(&self, position: u64, at_least: u64) -> io::Result<(u64, Bytes)> {
        let known = self
            .chunk
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if (known.0..known.0 + known.1.len() as u64).contains(&position) {
            return Ok(known);
        }
        let end = position
            .saturating_add(CHUNK.max(at_least))
            .min(self.info.size);
        let fetched = (position, self.bucket.read_range(&self.key, position..end)?);
        self.chunk
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&fetched);
        Ok(fetched)
    }
}

impl StoredFile for BucketFile {
    fn length(&self) -> u64 {
        self.info.size
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.info.modified)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if position >= self.info.size || buffer.is_empty() {
            return Ok(0);
        }
        let (start, chunk) = self.chunk_at(position, buffer.len() as u64)?;
        // The chunk holds the position, so both fit.
        let from = usize::try_from(position - start).map_err(io::Error::other)?;
        let rest = &chunk[from..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A file that is being written.
pub(super) struct NewBucketFile {
    pub(super) upload: Upload,
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl NewBucketFile {
    pub(super) fn begin(bucket: &Bucket, key: &str) -> NewBucketFile {
        NewBucketFile {
            upload: bucket.upload(key),
            sha256: Sha256::new(),
            bytes: 0,
        }
    }
}

impl NewFile for NewBucketFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        self.upload.write(bytes)
    }

    fn commit(self: Box<Self>) -> io::Result<Written> {
        self.upload.finish()?;
        Ok(Written {
            bytes: self.bytes,
            sha256: hex::encode(&self.sha256.finalize()),
        })
    }
}
