//! A tar as the body of an answer: bytes at hand and files, one after the other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use tokio::task::JoinHandle;

use super::exports::Run;
use super::file_body::FileBody;
use crate::output::StoredFile;

/// A part of the body.
pub(crate) enum ArchivePiece {
    Bytes(Bytes),
    File {
        /// Keeps the folder there until the file is open.
        run: Arc<Run>,
        /// The file's name in the run's store.
        name: String,
        length: u64,
    },
}

impl ArchivePiece {
    fn length(&self) -> u64 {
        match self {
            ArchivePiece::Bytes(bytes) => bytes.len() as u64,
            ArchivePiece::File { length, .. } => *length,
        }
    }
}

/// What comes next of the part that is under way.
enum Current {
    Nothing,
    Opening(JoinHandle<io::Result<Arc<dyn StoredFile>>>, u64),
    File(FileBody),
}

/// The body. One file is open at a time.
pub(crate) struct ArchiveBody {
    parts: vec::IntoIter<ArchivePiece>,
    current: Current,
    left: u64,
    sent: Counter,
}

impl ArchiveBody {
    /// The parts in order; what is sent is counted.
    pub(crate) fn new(parts: Vec<ArchivePiece>, sent: Counter) -> Self {
        ArchiveBody {
            left: parts.iter().map(ArchivePiece::length).sum(),
            parts: parts.into_iter(),
            current: Current::Nothing,
            sent,
        }
    }

    /// Bytes that are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

/// Opens a file, which must have the length that the manifest says: the head before it has said so, too.
fn open(run: &Run, name: &str, length: u64) -> io::Result<Arc<dyn StoredFile>> {
    let file = run.contents().read(name)?;
    match file.length() == length {
        true => Ok(file),
        false => Err(io::Error::other("a file has another length than it had")),
    }
}

impl HttpBody for ArchiveBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match &mut self.current {
                Current::Nothing => match self.parts.next() {
                    None => return Poll::Ready(None),
                    Some(ArchivePiece::Bytes(bytes)) if bytes.is_empty() => {}
                    Some(ArchivePiece::Bytes(bytes)) => {
                        self.left -= bytes.len() as u64;
                        self.sent.inc_by(bytes.len() as u64);
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    Some(ArchivePiece::File { run, name, length }) => {
                        let opening = tokio::task::spawn_blocking(move || {
                            let opened = open(&run, &name, length);
                            drop(run);
                            opened
                        });
                        self.current = Current::Opening(opening, length);
                    }
                },
                Current::Opening(opening, length) => {
                    let length = *length;
                    let opened = ready!(Pin::new(opening).poll(context));
                    let file = opened.map_err(io::Error::other)?.inspect_err(|error| {
                        tracing::error!("cannot send an archive to its end: {error}");
                    })?;
                    let body = FileBody::new(file, 0..length, self.sent.clone());
                    self.current = Current::File(body);
                }
                Current::File(body) => match ready!(Pin::new(body).poll_frame(context)) {
                    None => self.current = Current::Nothing,
                    Some(Err(error)) => {
                        tracing::error!("cannot send an archive to its end: {error}");
                        return Poll::Ready(Some(Err(error)));
                    }
                    Some(Ok(frame)) => {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        self.left -= length as u64;
                        return Poll::Ready(Some(Ok(frame)));
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
