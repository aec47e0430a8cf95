//! What objects of a bucket begin with, taken for a folder. A bucket has no folders: what lies in one is listed, level by
//! level, each once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::object::Object;
use super::{Entry, EntryKind};
use crate::bucket::{Bucket, BucketUrl, ObjectInfo};

/// A prefix, and what is known to lie below it.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    bucket: Bucket,
    url: BucketUrl,
    levels: Arc<Mutex<HashMap<String, Level>>>,
}

/// What lies directly in a folder, by name: an object, or `None` for a folder.
type Level = Arc<HashMap<String, Option<ObjectInfo>>>;

impl Prefix {
    pub(super) fn new(bucket: &Bucket, url: &BucketUrl) -> Prefix {
        Prefix {
            bucket: bucket.clone(),
            url: url.clone(),
            levels: Arc::default(),
        }
    }

    /// What lies directly in a folder below it; in itself, if that has no name.
    ///
    /// # Errors
    /// It cannot be listed.
    fn level(&self, folder: &str) -> io::Result<Level> {
        let known = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = known.get(folder) {
            return Ok(Arc::clone(level));
        }
        drop(known);
        let below = self.url.join(folder);
        let listed = self.bucket.list_level(below.key())?;
        let name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
        let folders = listed.folders.iter().map(|key| (name(key), None));
        let objects = listed.objects.into_iter();
        let objects = objects.map(|object| (name(&object.key), Some(object.info)));
        // Of an object and a folder of one name it is the object that can be read.
        let level: Level = Arc::new(folders.chain(objects).collect());
        let mut known = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(folder.to_owned(), Arc::clone(&level));
        Ok(level)
    }

    /// True if nothing lies below it.
    ///
    /// # Errors
    /// It cannot be listed.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        Ok(self.level("")?.is_empty())
    }

    /// The objects that lie directly in a folder below it, by their names.
    ///
    /// # Errors
    /// It cannot be listed.
    pub(crate) fn objects(&self, folder: &str) -> io::Result<BTreeMap<String, ObjectInfo>> {
        let level = self.level(folder)?;
        let objects = level.iter();
        Ok(objects
            .filter_map(|(name, info)| Some((name.clone(), info.clone()?)))
            .collect())
    }

    pub(super) fn entries(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let level = self.level(folder)?;
        Ok(level.iter().map(|(name, info)| entry(name, info)).collect())
    }

    pub(super) fn find(&self, name: &str) -> io::Result<Option<Entry>> {
        let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
        let level = self.level(folder)?;
        Ok(level.get(last).map(|info| entry(name, info)))
    }

    /// The object of that name, as it was listed, if it was.
    pub(crate) fn object(&self, name: &str) -> Object {
        let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
        let known = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let info = known.get(folder).and_then(|level| level.get(last));
        let info = info.cloned().flatten();
        Object::new(&self.bucket, self.url.join(name).key().to_owned(), info)
    }

    /// All objects below it whose names begin with that, with what is known of them.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(crate) fn all(&self, begin: &str) -> io::Result<Vec<(String, ObjectInfo)>> {
        let folder = begin.rsplit_once('/').map_or("", |(folder, _)| folder);
        let listed = self.bucket.list(self.url.join(folder).key())?;
        let own = self.url.key();
        let name = |key: &str| {
            let below = key.strip_prefix(own)?;
            let below = match own {
                "" => below,
                _ => below.strip_prefix('/')?,
            };
            below.starts_with(begin).then(|| below.to_owned())
        };
        let listed = listed.into_iter();
        Ok(listed
            .filter_map(|object| Some((name(&object.key)?, object.info)))
            .collect())
    }
}

fn entry(name: &str, info: &Option<ObjectInfo>) -> Entry {
    Entry {
        name: name.into(),
        size: info.as_ref().map_or(0, |info| info.size),
        kind: match info {
            Some(_) => EntryKind::File,
            None => EntryKind::Folder,
        },
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
