//! Frames of an lz4 file, one after another.

use std::io::{self, BufRead, Read};

/// The frames as one stream.
///
/// lz4_flex ends quietly where its input ends between two blocks, and so cannot tell a cut frame
/// from a whole one: that is why its input is watched. Each frame has a decoder of its own, because one that goes on with a
/// frame of smaller blocks mistakes the size of its buffer.
pub(super) struct Lz4<R: BufRead> {
    /// `None` at the end.
    frame: Option<lz4_flex::frame::FrameDecoder<Watched<R>>>,
    state: Lz4State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lz4State {
    Between,
    InFrame,
    Finished,
}

impl<R: BufRead> Lz4<R> {
    pub(super) fn new(input: R) -> Self {
        Lz4 {
            frame: Some(lz4_flex::frame::FrameDecoder::new(Watched::new(input))),
            state: Lz4State::Between,
        }
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(frame) = &mut self.frame {
            match self.state {
                Lz4State::Finished => self.frame = None,
                Lz4State::Between => self.state = frame.get_mut().next_frame()?,
                Lz4State::InFrame => {
                    let count = frame.read(buffer)?;
                    if count > 0 {
                        return Ok(count);
                    }
                    if !frame.get_ref().saw_end_mark() {
                        // lz4_flex takes an error of this kind for the end, too: it is told as it was.
                        frame.get_mut().source.fill_buf()?;
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the input ends inside an lz4 frame",
                        ));
                    }
                    let input = self.frame.take().map(|frame| frame.into_inner());
                    self.frame = input.map(lz4_flex::frame::FrameDecoder::new);
                    self.state = Lz4State::Between;
                }
            }
        }
        Ok(0)
    }
}

/// Remembers the last words that the decoder took, to see whether a frame's end mark was among them.
struct Watched<R> {
    source: R,
    /// The last two reads of exactly four bytes, newest last: the end mark, or it and the checksum of the content.
    words: [Option<[u8; 4]>; 2],
    ended: bool,
}

impl<R: BufRead> Watched<R> {
    fn new(source: R) -> Self {
        Watched {
            source,
            words: [None; 2],
            ended: false,
        }
    }

    fn saw_end_mark(&self) -> bool {
        !self.ended && self.words.contains(&Some([0; 4]))
    }

    /// Looks what follows a frame; steps over skippable frames.
    fn next_frame(&mut self) -> io::Result<Lz4State> {
        self.words = [None; 2];
        loop {
            let mut magic = Vec::with_capacity(4);
            // BufRead cannot look ahead across its buffer's end, so a frame's magic is matched byte
            // by byte only where it could be a skippable one: those differ in the first byte.
            match self.source.fill_buf()?.first() {
                None => return Ok(Lz4State::Finished),
                Some(0x04) => return Ok(Lz4State::InFrame),
                Some(_) => self.source.by_ref().take(4).read_to_end(&mut magic)?,
            };
            let [0x50..=0x5f, 0x2a, 0x4d, 0x18] = magic[..] else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "bytes that are not lz4 follow an lz4 frame",
                ));
            };
            let mut length = [0; 4];
            self.source.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the input ends inside an lz4 frame",
                ));
            }
        }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A read is made whole here, so that words are always seen whole.
        let mut count = 0;
        while count < buffer.len() {
            match self.source.read(&mut buffer[count..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        self.words = [self.words[1], buffer[..count].try_into().ok()];
        Ok(count)
    }
}
