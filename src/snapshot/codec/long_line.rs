//! A line that is too long for one chunk: its pieces are put together again for whoever needs it, and only then.

use std::sync::Arc;

use crate::snapshot::codec::chunks::{Chunk, Piece};

/// A line whose first pieces have come.
pub(crate) struct LongLine {
    /// What has come of it, if it is kept.
    text: Option<Vec<u8>>,
    offset: u64,
    length: u64,
    tabs: u64,
    ends_with: [u8; 2],
}

impl LongLine {
    /// A line of which this is the first piece, which is still to be pushed.
    pub(crate) fn new(first: &Chunk, is_kept: bool) -> LongLine {
        LongLine {
            text: is_kept.then(Vec::new),
            offset: first.offset,
            length: 0,
            tabs: 0,
            ends_with: [0; 2],
        }
    }

    /// Takes the next piece. False if the line is kept and now longer than `allowed`: from then on it is not.
    pub(crate) fn push(&mut self, piece: &Chunk, allowed: usize) -> bool {
        let bytes = piece.bytes();
        self.length += bytes.len() as u64;
        for byte in &bytes[bytes.len().saturating_sub(2)..] {
            self.ends_with = [self.ends_with[1], *byte];
        }
        let Some(text) = &mut self.text else {
            self.tabs += memchr::memchr_iter(b'\t', bytes).count() as u64;
            return true;
        };
        if text.len() + bytes.len() > allowed {
            self.text = None;
            return false;
        }
        text.extend_from_slice(bytes);
        true
    }

    /// Where it begins, in bytes from the start of the stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of what has come of it.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Tabs in a line that is not kept.
    pub(crate) fn tabs(&self) -> u64 {
        self.tabs
    }

    /// True if what came last is a line end.
    pub(crate) fn is_whole(&self) -> bool {
        self.ends_with[1] == b'\n'
    }

    /// True if it ends with CR LF.
    pub(crate) fn ends_with_crlf(&self) -> bool {
        self.ends_with == *b"\r\n"
    }

    /// The whole line as a chunk; `None` if it was not kept.
    pub(crate) fn into_chunk(self) -> Option<Chunk> {
        let text = self.text?;
        Some(Chunk {
            len: text.len(),
            buffer: Arc::new(text),
            offset: self.offset,
            converted: None,
            piece: Piece::Lines,
        })
    }
}
