//! A member of a tar that is read to its stated end, or not at all.

use std::io::{self, Read};

/// Exactly the bytes of a tar's member: fails where the tar ends before them.
pub(crate) struct WholeMember<R> {
    inner: R,
    left: u64,
    size: u64,
}

impl<R> WholeMember<R> {
    pub(crate) fn new(inner: R, size: u64) -> Self {
        WholeMember {
            inner,
            left: size,
            size,
        }
    }
}

impl<R: Read> Read for WholeMember<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            let reason = format!(
                "the tar is cut off: {} of the {} bytes of this member are missing",
                self.left, self.size
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
