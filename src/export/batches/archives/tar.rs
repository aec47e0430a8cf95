//! The tar of an archive: its members are read, cut into pieces, and compressed on the pool like all content.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use crate::export::batches::{BatchError, Batches};
use crate::export::files::{TarMember, write_end, write_header, write_padding, write_root};
use crate::output::{Done, FileId};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

impl Batches<'_> {
    /// What is written from here on is an archive's.
    pub(super) fn begin_tar(&mut self, file: FileId) -> Result<(), BatchError> {
        let mut root = Vec::new();
        write_root(&mut root);
        self.append(file, &root)
    }

    /// A member whose content lies in the temp folder or in memory.
    pub(super) fn member(
        &mut self,
        file: FileId,
        member: &TarMember,
        content: &mut dyn Read,
    ) -> Result<(), BatchError> {
        let written = self.try_member(file, member, content)?;
        written.map_err(|reason| BatchError::Temp(io::Error::other(reason)))
    }

    /// A member; the inner error is why its content cannot be read to its end.
    pub(super) fn try_member(
        &mut self,
        file: FileId,
        member: &TarMember,
        content: &mut dyn Read,
    ) -> Result<Result<(), String>, BatchError> {
        let mut frame = Vec::new();
        write_header(member, &mut frame);
        self.append(file, &frame)?;
        let mut left = member.size;
        let mut buffer = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)).max(1)];
        while left > 0 {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(BatchError::Interrupted);
            }
            let most = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match content.read(&mut buffer[..most]) {
                Ok(0) => return Ok(Err(format!("{} ends {left} bytes too early", member.name))),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error.to_string())),
            };
            self.append(file, &buffer[..count])?;
            left -= count as u64;
        }
        // What is checked at its end is checked only if it is read to its end.
        match content.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Ok(Err(format!("{} is longer than it was", member.name))),
            Err(error) => return Ok(Err(error.to_string())),
        }
        frame.clear();
        write_padding(member.size, &mut frame);
        self.append(file, &frame)?;
        Ok(Ok(()))
    }

    pub(super) fn end_tar(&mut self, file: FileId, done: Done) -> Result<(), BatchError> {
        let mut end = Vec::new();
        write_end(&mut end);
        self.append(file, &end)?;
        self.end_archive(file, done)
    }
}
