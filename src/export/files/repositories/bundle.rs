//! One bundle with all of a repository: the backup's own, or one that was made of a chain.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::bundle_header::BundleHeader;
use super::layout::Member;
use super::object_id::ObjectFormat;
use crate::snapshot::BackupFiles;

/// A bundle without prerequisites.
pub struct Bundle {
    source: Source,
    header: BundleHeader,
    size: u64,
}

enum Source {
    Member {
        files: Arc<dyn BackupFiles>,
        name: String,
    },
    /// A file without a name.
    File(Arc<File>),
}

impl Bundle {
    pub(super) fn of_member(
        files: Arc<dyn BackupFiles>,
        member: &Member,
        header: BundleHeader,
    ) -> Self {
        Bundle {
            source: Source::Member {
                files,
                name: member.name.clone(),
            },
            header,
            size: member.size,
        }
    }

    pub(super) fn of_file(file: File, size: u64, header: BundleHeader) -> Self {
        Bundle {
            source: Source::File(Arc::new(file)),
            header,
            size,
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What it says of itself.
    pub fn header(&self) -> &BundleHeader {
        &self.header
    }

    /// Opens it at its beginning. The reader fails at the end where the pack is not what its own checksum says.
    ///
    /// # Errors
    /// The backup cannot be read.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let bytes: Box<dyn Read + Send> = match &self.source {
            Source::Member { files, name } => {
                let opened = files.open(name, 0..self.size);
                opened.map_err(|error| io::Error::other(error.to_string()))?
            }
            Source::File(file) => Box::new(FromStart {
                file: Arc::clone(file),
                offset: 0,
            }),
        };
        Ok(Box::new(PackCheck::new(bytes, &self.header, self.size)))
    }
}

/// Reads a file from its start, wherever others read in it.
struct FromStart {
    file: Arc<File>,
    offset: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hash {
    fn new(format: ObjectFormat) -> Self {
        match format {
            ObjectFormat::Sha1 => Hash::Sha1(Sha1::default()),
            ObjectFormat::Sha256 => Hash::Sha256(Sha256::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => sha2::Digest::update(hash, bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => sha2::Digest::finalize(hash).to_vec(),
        }
    }
}

/// Hands a bundle through, and compares the pack in it with the checksum that it ends with.
pub(super) struct PackCheck<R> {
    bytes: R,
    /// Bytes of the header that are still to come.
    header: u64,
    /// Bytes of the pack that are still to come, without its checksum.
    pack: u64,
    /// `None` after the end.
    hash: Option<Hash>,
    checksum: Vec<u8>,
}

impl<R: Read> PackCheck<R> {
    pub(super) fn new(bytes: R, header: &BundleHeader, size: u64) -> Self {
        let checksum = header.object_format.bytes() as u64;
        PackCheck {
            bytes,
            header: header.length,
            pack: size.saturating_sub(header.length + checksum),
            hash: Some(Hash::new(header.object_format)),
            checksum: Vec::new(),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        for (left, is_pack) in [(&mut self.header, false), (&mut self.pack, true)] {
            let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (part, rest) = bytes.split_at(count);
            if let (true, Some(hash)) = (is_pack, &mut self.hash) {
                hash.update(part);
            }
            *left -= count as u64;
            bytes = rest;
        }
        self.checksum.extend_from_slice(bytes);
    }
}

impl<R: Read> Read for PackCheck<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.take(&buffer[..read]);
        if read == 0
            && !buffer.is_empty()
            && let Some(hash) = self.hash.take()
        {
            let is_whole = self.header == 0 && self.pack == 0;
            if !is_whole || hash.finish() != self.checksum {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the bundle is damaged: its pack is not what its checksum says",
                ));
            }
        }
        Ok(read)
    }
}
