//! A part of a file as the body of an answer, read piece by piece on threads that may block.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use tokio::task::JoinHandle;

use crate::output::StoredFile;

/// Bytes of a piece. One is on its way to the client while the next waits for it, whatever the size of the file.
const PIECE: u64 = 64 << 10;

/// The body.
pub(crate) struct FileBody {
    file: Arc<dyn StoredFile>,
    at: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    sent: Counter,
}

impl FileBody {
    /// These bytes of a file; what is sent is counted.
    pub(crate) fn new(file: Arc<dyn StoredFile>, bytes: Range<u64>, sent: Counter) -> Self {
        FileBody {
            file,
            at: bytes.start,
            end: bytes.end,
            reading: None,
            sent,
        }
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.at >= self.end && self.reading.is_none() {
            return Poll::Ready(None);
        }
        let (file, at, end) = (Arc::clone(&self.file), self.at, self.end);
        let reading = self.reading.get_or_insert_with(|| {
            tokio::task::spawn_blocking(move || {
                // At most a piece, which fits into a usize.
                let mut piece = vec![0; (end - at).min(PIECE) as usize];
                file.read_exact_at(&mut piece, at)?;
                Ok(Bytes::from(piece))
            })
        });
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let piece = read.map_err(io::Error::other)??;
        self.at += piece.len() as u64;
        self.sent.inc_by(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}
