//! Frames of an lz4 file, one after another.

use std::io::{self, BufRead, Read};

/// The frames as one stream.
///
/// lz4_flex ends quietly where its input ends between two blocks, and so cannot tell a cut frame
/// from a whole one: that is why its input walks along each frame. Each frame has a decoder of its own, because one that goes on with a
/// frame of smaller blocks mistakes the size of its buffer.
pub(super) struct Lz4<R: BufRead> {
    /// `None` at the end.
    frame: Option<lz4_flex::frame::FrameDecoder<FrameWalk<R>>>,
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
            frame: Some(lz4_flex::frame::FrameDecoder::new(FrameWalk::new(input))),
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
                    if !frame.get_ref().is_at_end() {
                        // lz4_flex takes an error of this kind for the end, too: it is told as it was.
                        frame.get_mut().source.fill_buf()?;
                        return Err(io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            "the input ends inside an lz4 frame",
                        ));
                    }
                    let walk = self.frame.take().map(|frame| frame.into_inner());
                    let walk = walk.map(|walk| FrameWalk::new(walk.source));
                    self.frame = walk.map(lz4_flex::frame::FrameDecoder::new);
                    self.state = Lz4State::Between;
                }
            }
        }
        Ok(0)
    }
}

/// Bytes of a frame's magic number and the two bytes that describe it.
const DESCRIPTOR: u64 = 6;

/// Bytes of a block's size, and of every checksum but the header's.
const WORD: u64 = 4;

/// What a frame consists of, in this order (LZ4 frame format 1.6.3). Blocks, each behind its size, come again and again; a
/// size of 0 is the end mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Descriptor,
    RestOfHeader,
    BlockSize,
    Block,
    ContentChecksum,
    End,
}

/// Gives the bytes of one frame after another, and walks along them: so it is known whether a frame has come to its end.
struct FrameWalk<R> {
    source: R,
    piece: Piece,
    /// Bytes of the piece that have not come yet.
    left: u64,
    /// The bytes of a descriptor or a block's size, as far as they have come.
    seen: Vec<u8>,
    has_block_checksums: bool,
    has_content_checksum: bool,
}

impl<R: BufRead> FrameWalk<R> {
    fn new(source: R) -> Self {
        FrameWalk {
            source,
            piece: Piece::Descriptor,
            left: DESCRIPTOR,
            seen: Vec::new(),
            has_block_checksums: false,
            has_content_checksum: false,
        }
    }

    /// True when all of a frame has come.
    fn is_at_end(&self) -> bool {
        self.piece == Piece::End
    }

    /// Looks what follows a frame; steps over skippable frames.
    fn next_frame(&mut self) -> io::Result<Lz4State> {
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

    /// These bytes of the present piece have come.
    fn pass(&mut self, bytes: &[u8]) {
        if let Piece::Descriptor | Piece::BlockSize = self.piece {
            self.seen.extend_from_slice(bytes);
        }
        self.left -= bytes.len() as u64;
        while self.left == 0 && self.piece != Piece::End {
            (self.piece, self.left) = self.following();
            self.seen.clear();
        }
    }

    /// The piece that follows the present one, all of which has come, and its length.
    fn following(&mut self) -> (Piece, u64) {
        match (self.piece, &*self.seen) {
            (Piece::Descriptor, [_, _, _, _, flags, ..]) => {
                let has = |bit: u8| flags & (1 << bit) != 0;
                self.has_block_checksums = has(4);
                self.has_content_checksum = has(2);
                // The content's size, a dictionary's id, and the header's checksum.
                let length = 8 * u64::from(has(3)) + 4 * u64::from(has(0)) + 1;
                (Piece::RestOfHeader, length)
            }
            (Piece::BlockSize, [0, 0, 0, 0]) if self.has_content_checksum => {
                (Piece::ContentChecksum, WORD)
            }
            (Piece::BlockSize, [0, 0, 0, 0]) => (Piece::End, 0),
            (Piece::BlockSize, [first, second, third, last]) => {
                // The highest bit says that the block is not compressed.
                let size = u32::from_le_bytes([*first, *second, *third, last & 0x7f]);
                let checksum = WORD * u64::from(self.has_block_checksums);
                (Piece::Block, u64::from(size) + checksum)
            }
            (Piece::RestOfHeader | Piece::Block, _) => (Piece::BlockSize, WORD),
            // The lengths of descriptors and sizes are those that were matched above.
            (Piece::Descriptor | Piece::BlockSize | Piece::ContentChecksum | Piece::End, _) => {
                (Piece::End, 0)
            }
        }
    }
}

impl<R: BufRead> Read for FrameWalk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < buffer.len() && !self.is_at_end() {
            let room = buffer.len() - count;
            let most = usize::try_from(self.left).map_or(room, |left| left.min(room));
            match self.source.read(&mut buffer[count..count + most]) {
                Ok(0) => break,
                Ok(more) => {
                    self.pass(&buffer[count..count + more]);
                    count += more;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
