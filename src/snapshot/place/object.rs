//! Objects of buckets, read by ranges: small ones for who hops, large ones ahead of who reads on.
//!
//! All that is read of an object is of the version that was found when it was looked at first. If it is replaced meanwhile,
//! reading fails: two versions are never mixed.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::handle::sought;
use crate::bucket::{Bucket, BucketError, Fetch, ObjectInfo};
use crate::snapshot::fingerprint;

/// Bytes of the first range where nobody knows how much will be read: enough for any header.
const FIRST: u64 = 64 << 10;

/// Bytes of the first range where more is known to be wanted.
const STEADY: u64 = 1 << 20;

/// Bytes of a range at most.
const MOST: u64 = 4 << 20;

/// Ranges that are on their way while one is read.
const AHEAD: usize = 2;

/// Bytes that are read rather than asked past: as many come while a server answers.
const NEAR: u64 = 1 << 20;

/// Why an object cannot be read, as it goes through whatever reads it.
#[derive(Clone, Debug)]
pub struct ObjectError(Arc<BucketError>);

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ObjectError {}

impl ObjectError {
    /// What a call of the bucket failed with.
    pub(crate) fn cause(&self) -> &BucketError {
        &self.0
    }

    /// The error of an object that a read failed with, if it is one.
    pub(crate) fn within(error: &io::Error) -> Option<&ObjectError> {
        error.get_ref()?.downcast_ref()
    }

    /// As an error of reading. It is of no kind: those that have one are about bytes.
    pub(crate) fn of_reading(&self) -> io::Error {
        io::Error::other(self.clone())
    }
}

impl From<BucketError> for ObjectError {
    fn from(error: BucketError) -> ObjectError {
        ObjectError(Arc::new(error))
    }
}

/// An object of a bucket, whose clones are the same version of it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    bucket: Bucket,
    key: String,
    /// `None` for one that nobody has looked at.
    info: Option<Arc<ObjectInfo>>,
}

impl Object {
    pub(crate) fn new(bucket: &Bucket, key: String, info: Option<ObjectInfo>) -> Object {
        Object {
            bucket: bucket.clone(),
            key,
            info: info.map(Arc::new),
        }
    }

    /// Looks at it, if nobody has. What a listing says of an object may lack its ETag.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub(crate) fn look(&self) -> io::Result<Arc<ObjectInfo>> {
        match &self.info {
            Some(info) if info.etag.is_some() => Ok(Arc::clone(info)),
            Some(_) | None => Ok(Arc::new(self.bucket.head(&self.key)?)),
        }
    }

    /// Reads from the beginning on, by small ranges until it shows that all is read.
    pub(super) fn reader(&self) -> io::Result<ObjectReader> {
        let info = self.look()?;
        let likely = 0..info.size;
        Ok(ObjectReader::new(self, info, likely, FIRST))
    }

    /// Reads a range that will be read, and is fetched ahead.
    pub(super) fn range_reader(&self, range: Range<u64>) -> io::Result<ObjectReader> {
        let info = self.look()?;
        Ok(ObjectReader::new(self, info, range, STEADY))
    }

    /// The same object, looked at.
    pub(super) fn held(&self) -> io::Result<HeldObject> {
        let info = self.look()?;
        let object = Object {
            info: Some(Arc::clone(&info)),
            ..self.clone()
        };
        Ok(HeldObject { object, info })
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bucket.shown(&self.key))
    }
}

/// An object that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct HeldObject {
    object: Object,
    info: Arc<ObjectInfo>,
}

impl HeldObject {
    pub(super) fn size(&self) -> u64 {
        self.info.size
    }

    pub(super) fn fingerprint(&self) -> String {
        fingerprint::of_object(&self.info)
    }

    /// Reads a range. All of an object is hopped through, and less than all of it read on.
    pub(super) fn reader(&self, range: Range<u64>) -> ObjectReader {
        let first = match range == (0..self.info.size) {
            true => FIRST,
            false => STEADY,
        };
        ObjectReader::new(&self.object, Arc::clone(&self.info), range, first)
    }
}

/// An object that is read at a position of its own. What is fetched stands in a window before that position.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    bucket: Bucket,
    key: String,
    info: Arc<ObjectInfo>,
    position: u64,
    /// Behind this nothing is fetched before it is asked for.
    likely_end: u64,
    /// Ranges that follow each other.
    window: VecDeque<Piece>,
    /// Where the range begins that is fetched next, if reading goes on.
    next: u64,
    /// How large it is.
    next_size: u64,
    /// True if so much was read in order that more is fetched before it is asked for.
    is_steady: bool,
}

/// A range that was fetched, or is on its way.
#[derive(Debug)]
struct Piece {
    range: Range<u64>,
    bytes: PieceBytes,
}

#[derive(Debug)]
enum PieceBytes {
    Coming(Fetch),
    Here(Bytes),
}

impl ObjectReader {
    fn new(object: &Object, info: Arc<ObjectInfo>, range: Range<u64>, first: u64) -> ObjectReader {
        ObjectReader {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            position: range.start,
            likely_end: range.end.min(info.size),
            window: VecDeque::new(),
            next: range.start,
            next_size: first,
            is_steady: first > FIRST,
            info,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.info.size
    }

    /// Drops what has been read, so that the window begins with the piece that is read now, and fetches what is missing.
    fn fill(&mut self) -> Result<(), BucketError> {
        while let Some(piece) = self.window.front()
            && piece.range.end <= self.position
        {
            self.window.pop_front();
        }
        let is_before = |piece: &Piece| self.position < piece.range.start;
        if self.window.front().is_some_and(is_before) {
            self.window.clear();
        }
        if self.position >= self.likely_end {
            // Whoever named the range goes on behind it, nobody knows how far.
            self.likely_end = self.info.size;
            (self.is_steady, self.next_size) = (false, FIRST);
        }
        if self.window.is_empty() {
            match self.position.checked_sub(self.next) {
                // Reading goes on, or passes over little.
                Some(0) => {}
                Some(skipped) if skipped <= NEAR => self.is_steady = true,
                Some(_) | None => (self.is_steady, self.next_size) = (false, FIRST),
            }
            self.next = self.position;
            self.fetch_one()?;
        }
        while self.is_steady && self.window.len() <= AHEAD && self.next < self.likely_end {
            self.fetch_one()?;
        }
        Ok(())
    }

    fn fetch_one(&mut self) -> Result<(), BucketError> {
        let end = self
            .likely_end
            .min(self.next.saturating_add(self.next_size));
        let range = self.next..end;
        let fetch = self.bucket.fetch(&self.key, range.clone(), &self.info)?;
        // What is read behind this one was read in order.
        self.is_steady |= self.next_size > FIRST;
        self.next_size = (self.next_size * 4).min(MOST);
        self.next = end;
        self.window.push_back(Piece {
            range,
            bytes: PieceBytes::Coming(fetch),
        });
        Ok(())
    }

    /// Copies bytes from the piece that is read now.
    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, BucketError> {
        self.fill()?;
        let Some(Piece { range, bytes }) = self.window.pop_front() else {
            return Ok(0);
        };
        let bytes = match bytes {
            PieceBytes::Here(bytes) => bytes,
            PieceBytes::Coming(fetch) => fetch.wait()?,
        };
        // The position is within the range.
        let from = usize::try_from(self.position - range.start).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        self.window.push_front(Piece {
            range,
            bytes: PieceBytes::Here(bytes),
        });
        Ok(count)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.info.size {
            return Ok(0);
        }
        self.take(buffer).map_err(|error| {
            // What was fetched behind it is of no use: who reads on begins anew.
            self.window.clear();
            ObjectError::from(error).of_reading()
        })
    }
}

impl Seek for ObjectReader {
    /// Asks nothing of the server.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::End(by) => {
                let position = self.info.size.checked_add_signed(by);
                position.ok_or(io::ErrorKind::InvalidInput)?
            }
            to => sought(self.position, to)?,
        };
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests;
