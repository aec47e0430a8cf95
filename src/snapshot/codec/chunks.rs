//! Reads a stream on a thread of its own and hands it on in chunks that end at line ends.
//!
//! Decompression runs on that thread too, so that it goes on while earlier chunks are looked at.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::fault::caught;
use crate::snapshot::codec::buffers::Buffers;
use crate::snapshot::codec::encoding::{Converted, Encoding};
use crate::snapshot::codec::read_errors::read_error;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::is_of_source;
use crate::timings::{self, Phase};

/// Bytes of a usual chunk.
pub const CHUNK: usize = 1024 * 1024;

/// Chunks that may wait to be taken.
const DEPTH: usize = 8;

/// Bytes to which a chunk grows for a line. Of a longer one the pieces come one by one: whoever does not need it keeps none.
const LONG: usize = 8 * CHUNK;

/// Part of a stream. It ends with a line end; only the last, and the pieces of a long line, may lack it.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes are the first `len` of it; what follows is left over from other chunks.
    pub buffer: Arc<Vec<u8>>,
    pub len: usize,
    /// Where the chunk begins, in bytes from the start of the decompressed stream.
    pub offset: u64,
    /// What the bytes were in the stream, where they were converted to UTF-8.
    pub(crate) converted: Option<Arc<Converted>>,
    /// What it is of a line that is too long for one chunk.
    pub(crate) piece: Piece,
}

/// What a chunk is of a long line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Whole lines, of usual length.
    Lines,
    /// Bytes of one line, which goes on in the next chunk.
    More,
    /// The last bytes of one line, with its end; at the end of the stream it may lack that.
    Last,
}

impl Chunk {
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Where a position of the chunk stands in the decompressed stream, in bytes from its start.
    pub(crate) fn offset_of(&self, place: usize) -> u64 {
        match &self.converted {
            None => self.offset + place as u64,
            Some(converted) => converted.offset_of(place),
        }
    }

    /// The chunk from its byte `from` on, in UTF-8; `None` where that is what it is already.
    pub(crate) fn in_utf8(&self, encoding: Encoding, from: usize) -> Option<Chunk> {
        let (text, converted) = encoding.lines(&self.buffer, from..self.len, self.offset)?;
        Some(Chunk {
            len: text.len(),
            buffer: Arc::new(text),
            offset: self.offset + from as u64,
            converted: Some(Arc::new(converted)),
            piece: self.piece,
        })
    }
}

/// What messages call a stream.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The snapshot, as the user named it.
    pub source: String,
    /// The file in it that the stream is, where it has several.
    pub member: Option<String>,
}

/// Starts a thread that reads `reader` to its end, in chunks of about `size` bytes.
///
/// A chunk is larger only where a line is; one of more than 8 MiB comes in pieces. The first error is the last thing that is sent.
/// The thread ends when the receiver is dropped, once its present read has come back.
///
/// # Errors
/// [`SnapshotError::Io`] where no thread can be started. Over the channel: `Io` where the operating system
/// fails a read, `CutOff` where a compressed stream ends early, after the lines before its end; `Damaged` where bytes cannot
/// be decompressed, `TooLarge` where that would take more memory than the run allows.
pub fn spawn(
    reader: Box<dyn Read + Send>,
    origin: Origin,
    size: usize,
) -> Result<Receiver<Result<Chunk, SnapshotError>>, SnapshotError> {
    let (sender, receiver) = bounded(DEPTH);
    let chunks = Chunks::new(reader, origin, size);
    let timings = timings::current();
    thread::Builder::new()
        .name("snapshot-reader".into())
        .spawn(move || {
            let _work = timings::work(timings.as_ref(), Phase::Scan);
            // A thread that just dies would look like the end of the stream.
            if let Err(fault) = caught(|| send(chunks, &sender)) {
                let _ = sender.send(Err(fault.into()));
            }
        })
        .map_err(SnapshotError::Threads)?;
    Ok(receiver)
}

fn send(chunks: Chunks<Box<dyn Read + Send>>, sender: &Sender<Result<Chunk, SnapshotError>>) {
    for chunk in chunks {
        // Where nobody listens any more, the reader was stopped early, and an error is nobody's.
        if !timings::waiting(|| sender.send(chunk).is_ok()) {
            return;
        }
    }
}

/// The chunks of a stream, read on the thread that asks for them. After an error there are no more.
///
/// Errors are those that [`spawn`] sends.
pub(crate) struct Chunks<R> {
    reader: R,
    origin: Origin,
    size: usize,
    buffers: Buffers,
    /// Of the next chunk.
    offset: u64,
    /// What was read and not yet given out; `None` after the end.
    buffer: Option<Vec<u8>>,
    filled: usize,
    /// The buffer begins inside of a line whose first pieces were given out.
    in_line: bool,
    /// The error that comes next.
    error: Option<SnapshotError>,
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = Result<Chunk, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        let mut buffer = self.buffer.take()?;
        let mut filled = self.filled;
        let (cut, ended, piece) = match self.fill(&mut buffer, &mut filled) {
            Ok(Filled::Chunk(cut, piece)) => (cut, false, piece),
            Ok(Filled::End) => {
                let piece = match self.in_line {
                    true => Piece::Last,
                    false => Piece::Lines,
                };
                (filled, true, piece)
            }
            Err(error @ SnapshotError::CutOff { .. }) if !self.in_line => {
                // The lines before the end are whole.
                let cut = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |end| end + 1);
                self.error = Some(error);
                (cut, true, Piece::Lines)
            }
            Err(error) => return Some(Err(error)),
        };
        self.in_line = piece == Piece::More;
        if !ended {
            let mut next = self.buffers.take();
            let tail = filled - cut;
            if next.len() <= tail {
                next.resize(tail + self.size, 0);
            }
            next[..tail].copy_from_slice(&buffer[cut..filled]);
            self.filled = tail;
            self.buffer = Some(next);
        }
        if cut == 0 && piece == Piece::Lines {
            // Only at the end: a chunk before it has a line. Who has pieces of one waits for the last.
            return self.error.take().map(Err);
        }
        let chunk = Chunk {
            buffer: self.buffers.lend(buffer),
            len: cut,
            offset: self.offset,
            converted: None,
            piece,
        };
        self.offset += cut as u64;
        Some(Ok(chunk))
    }
}

/// What a buffer was filled with.
enum Filled {
    /// A chunk that ends here, behind which there may be more.
    Chunk(usize, Piece),
    /// The rest of the stream.
    End,
}

impl<R: Read> Chunks<R> {
    /// Reads `reader` to its end, in chunks of about `size` bytes.
    pub(crate) fn new(reader: R, origin: Origin, size: usize) -> Self {
        let mut chunks = Chunks {
            reader,
            origin,
            size,
            buffers: Buffers::new(size),
            offset: 0,
            buffer: None,
            filled: 0,
            in_line: false,
            error: None,
        };
        chunks.buffer = Some(chunks.buffers.take());
        chunks
    }

    /// Reads until `buffer` is full and has a line end or is [`LONG`], or the stream ends.
    fn fill(&mut self, buffer: &mut Vec<u8>, filled: &mut usize) -> Result<Filled, SnapshotError> {
        // What is not reading: next to nothing where the stream is not compressed.
        let _decompress = timings::phase(Phase::Decompress);
        loop {
            while *filled < buffer.len() {
                match self.reader.read(&mut buffer[*filled..]) {
                    Ok(0) => return Ok(self.at_end(&buffer[..*filled])),
                    Ok(count) => *filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.error(error, *filled)),
                }
            }
            // Behind a long line others begin, which are whole lines again.
            let end = match self.in_line {
                true => memchr::memchr(b'\n', buffer).map(|end| (end, Piece::Last)),
                false => memchr::memrchr(b'\n', buffer).map(|end| (end, Piece::Lines)),
            };
            if let Some((end, piece)) = end {
                return Ok(Filled::Chunk(end + 1, piece));
            }
            if self.in_line || buffer.len() >= self.size.saturating_mul(LONG / CHUNK) {
                return Ok(Filled::Chunk(buffer.len(), Piece::More));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
    }

    /// What the stream ends with.
    fn at_end(&self, rest: &[u8]) -> Filled {
        match memchr::memchr(b'\n', rest).filter(|_| self.in_line) {
            // More may follow a long line.
            Some(end) if end + 1 < rest.len() => Filled::Chunk(end + 1, Piece::Last),
            Some(_) | None => Filled::End,
        }
    }

    fn error(&self, error: io::Error, filled: usize) -> SnapshotError {
        // Decoders make their own errors.
        if is_of_source(&error) {
            let path = match &self.origin.member {
                Some(member) => format!("{}: {member}", self.origin.source),
                None => self.origin.source.clone(),
            };
            return SnapshotError::of_reading(&path, error);
        }
        read_error(self.place(filled), error)
    }

    fn place(&self, filled: usize) -> Position {
        Position {
            member: self.origin.member.clone(),
            offset: Some(self.offset + filled as u64),
            ..Position::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn chunks(bytes: &[u8], size: usize) -> Vec<Chunk> {
        spawn(
            Box::new(Cursor::new(bytes.to_vec())),
            Origin::default(),
            size,
        )
        .unwrap()
        .iter()
        .collect::<Result<_, _>>()
        .unwrap()
    }

    fn texts(text: &str, size: usize) -> Vec<String> {
        chunks(text.as_bytes(), size)
            .iter()
            .map(|chunk| String::from_utf8(chunk.bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn chunks_end_at_line_ends() {
        let cases: [(&str, &str, usize, &[&str]); 6] = [
            ("nothing", "", 4, &[]),
            ("less than a chunk", "a\nb\n", 10, &["a\nb\n"]),
            (
                "cut after the last line",
                "a\nb\nccc\n",
                6,
                &["a\nb\n", "ccc\n"],
            ),
            (
                "a long line grows the chunk",
                "a\n123456789\nb\n",
                4,
                &["a\n", "123456789\nb\n"],
            ),
            ("a last line without end", "a\nb", 2, &["a\n", "b"]),
            ("no line end at all", "abcdef", 2, &["abcdef"]),
        ];
        for (name, text, size, expected) in cases {
            assert_eq!(texts(text, size), expected, "{name}");
        }
    }

    #[test]
    fn buffers_are_used_again() {
        let text = "line\n".repeat(1000);
        let receiver = spawn(
            Box::new(Cursor::new(text.into_bytes())),
            Origin::default(),
            10,
        )
        .unwrap();
        let addresses: std::collections::HashSet<_> = receiver
            .iter()
            .map(|chunk| chunk.unwrap().buffer.as_ptr())
            .collect();
        assert!(addresses.len() <= DEPTH + 4, "{} buffers", addresses.len());
    }

    #[test]
    fn a_reader_that_nobody_listens_to_ends() {
        struct Told(Sender<()>);
        impl Read for Told {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let _ = &self.0;
                buffer.fill(b'\n');
                Ok(buffer.len())
            }
        }
        let (sender, ended) = bounded(0);
        drop(spawn(Box::new(Told(sender)), Origin::default(), 16).unwrap());
        // Fails once the reader is dropped: until then this waits.
        assert!(ended.recv().is_err());
    }

    #[test]
    fn a_reader_that_panics_is_not_at_its_end() {
        struct Panicking;
        impl Read for Panicking {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("a test's own panic")
            }
        }
        let reader = Cursor::new(b"a\nb\n").chain(Panicking);
        let received: Vec<_> = spawn(Box::new(reader), Origin::default(), 4)
            .unwrap()
            .iter()
            .collect();
        assert!(
            matches!(received[..], [.., Err(SnapshotError::Fault(_))]),
            "{received:?}"
        );
    }

    #[test]
    fn errors_name_the_place() {
        struct Failing(Option<io::Error>);
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.take().map_or(Ok(0), Err)
            }
        }
        let origin = Origin {
            source: "b.tar".into(),
            member: Some("db/database.sql.gz".into()),
        };
        let error_of = |error: io::Error| {
            let reader = Cursor::new(b"12\n45").chain(Failing(Some(error)));
            let receiver = spawn(Box::new(reader), origin.clone(), 4).unwrap();
            receiver.iter().last().unwrap().unwrap_err().to_string()
        };
        assert_eq!(
            error_of(io::ErrorKind::UnexpectedEof.into()),
            "the snapshot ends too early (db/database.sql.gz, byte 5): \
             it is cut off, copy it again (unexpected end of file)"
        );
        assert_eq!(
            error_of(io::Error::from_raw_os_error(5)),
            "cannot read b.tar: db/database.sql.gz: Input/output error (os error 5)"
        );
    }

    proptest! {
        #[test]
        fn chunks_join_to_the_stream(text in "[a\n]{0,200}", size in 1usize..64) {
            let chunks = chunks(text.as_bytes(), size);
            let mut offset = 0;
            for (index, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.offset, offset);
                prop_assert!(chunk.len > 0 || chunk.piece == Piece::Last);
                let is_open = index + 1 == chunks.len() || chunk.piece == Piece::More;
                prop_assert!(is_open || chunk.bytes().ends_with(b"\n"));
                let is_inside = index > 0 && chunks[index - 1].piece == Piece::More;
                prop_assert_eq!(is_inside && chunk.piece != Piece::More, chunk.piece == Piece::Last);
                let lines = chunk.bytes().iter().filter(|byte| **byte == b'\n').count();
                prop_assert!(chunk.piece == Piece::Lines || lines <= 1);
                offset += chunk.len as u64;
            }
            let joined: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes().to_vec()).collect();
            prop_assert_eq!(joined, text.as_bytes());
        }
    }
}
