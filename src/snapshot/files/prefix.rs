//! The files of a backup that lies untarred in a bucket, each an object of its own.

use std::io;
use std::io::Read;
use std::ops::Range;
use std::sync::OnceLock;

use super::slice::Slice;
use super::{BackupFiles, BackupInfo, check_range, is_part, not_read, read_info, unreadable};
use crate::bucket::{BucketError, bucket_error};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::place::{HeldFile, Place, Prefix};

/// The objects below a prefix.
pub(in crate::snapshot) struct PrefixFiles {
    prefix: Prefix,
    info: OnceLock<BackupInfo>,
}

impl PrefixFiles {
    pub(in crate::snapshot) fn new(prefix: &Prefix) -> Self {
        PrefixFiles {
            prefix: prefix.clone(),
            info: OnceLock::new(),
        }
    }

    /// Looks at an object; `None` if there is none of that name.
    fn look(&self, name: &str) -> Result<Option<(HeldFile, u64)>, SnapshotError> {
        if !name.split('/').all(is_part) {
            return Ok(None);
        }
        let failed = |error: io::Error| not_read(name, error.to_string());
        let held = match Place::Object(self.prefix.object(name)).hold() {
            Ok(held) => held,
            Err(error) if matches!(bucket_error(&error), Some(BucketError::NotFound { .. })) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let size = held.size().map_err(failed)?;
        Ok(Some((held, size)))
    }
}

impl BackupFiles for PrefixFiles {
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError> {
        Ok(self.look(name)?.map(|(_, size)| size))
    }

    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError> {
        let Some((held, size)) = self.look(name)? else {
            return Err(unreadable(name, "the backup holds no such file"));
        };
        check_range(name, &range, size)?;
        let reader = held.reader(range.clone());
        Ok(Box::new(Slice::new(reader, range, "the object")))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        let listed = self.prefix.all(prefix);
        let listed = listed.map_err(|error| not_read(prefix, error.to_string()))?;
        let mut files: Vec<(String, u64)> = listed
            .into_iter()
            .map(|(name, info)| (name, info.size))
            .collect();
        files.sort_unstable();
        Ok(files)
    }

    fn info(&self) -> &BackupInfo {
        self.info.get_or_init(|| read_info(self))
    }
}
