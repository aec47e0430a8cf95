//! Compressed streams: recognised by their first bytes, whatever the file is called.
//!
//! GitLab calls its dump `database.sql.gz` even where `COMPRESS_CMD` wrote zstd or nothing at all,
//! so names say nothing. All formats may be concatenations of several streams (`pigz`, `pzstd`,
//! `cat a.gz b.gz`), which count as one.

mod gzip;

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gzip::Gzip;

use crate::timings;

/// Bytes that are read from a file or pipe at once.
pub(super) const INPUT_BUFFER: usize = 64 * 1024;

/// Bytes that [`Compression::detect`] wants to see to be sure.
pub const MAGIC_LENGTH: usize = 10;

/// Memory that an xz stream may ask for: `xz -9` asks for 65 MiB, larger ones are made by hand.
const XZ_MEMORY: u64 = 2 << 30;

/// How the bytes of a stream are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all, or in a way that is not known.
    None,
    Gzip,
    Zstd,
    /// LZ4's frame format.
    Lz4,
    Bzip2,
    Xz,
    /// A single stream of zlib's own format, as in pg_dump's custom archives. Its first bytes do not show it:
    /// who reads it has to know.
    Zlib,
}

impl Compression {
    /// Tells the compression by a stream's first bytes, [`MAGIC_LENGTH`] of them if there are as many.
    pub fn detect(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame: pzstd and seekable zstd begin with one. lz4 knows them too, but writes none.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            // The block magic is pi; that of an empty stream's end is the square root of pi.
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ]
            | [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x17,
                0x72,
                0x45,
                0x38,
                0x50,
                0x90,
                ..,
            ] => Compression::Bzip2,
            // A bzip2 stream that is cut off within the magic: to be told as damaged, not taken for text.
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if start.len() < MAGIC_LENGTH
                    && [0x31, 0x41, 0x59, 0x26, 0x53, 0x59].starts_with(rest) =>
            {
                Compression::Bzip2
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Compression::Xz,
            _ => Compression::None,
        }
    }
}

/// Gives the bytes of `source` decompressed; what its first bytes do not show as compressed is passed through.
///
/// Every byte that is taken from `source` is counted in `taken`. The reader that is returned fails
/// where a stream is damaged, is cut off or is followed by something else (zero bytes after gzip,
/// as tapes pad it, are let pass). Such errors carry no operating system's error code, which
/// tells them from those of `source`.
///
/// # Errors
/// Those of `source` while its first bytes are read.
pub fn decoder(
    source: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
) -> io::Result<Box<dyn Read + Send>> {
    let mut source = Counted::new(source, taken);
    let mut start = Vec::with_capacity(MAGIC_LENGTH);
    source
        .by_ref()
        .take(MAGIC_LENGTH as u64)
        .read_to_end(&mut start)?;
    let compression = Compression::detect(&start);
    let whole = Cursor::new(start).chain(source);
    if compression == Compression::None {
        return Ok(Box::new(whole));
    }
    decoder_of(compression, BufReader::with_capacity(INPUT_BUFFER, whole))
}

/// Gives the bytes of `input` decompressed, of which it is known how they are compressed.
///
/// The reader that is returned fails as that of [`decoder`] does.
///
/// # Errors
/// The decoder cannot be set up.
pub(super) fn decoder_of<'a>(
    compression: Compression,
    input: impl BufRead + Send + 'a,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(Gzip::new(input)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            // What `zstd --long=31` writes; the decoder's own limit is 27, which is 128 MiB.
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
        Compression::Lz4 => Box::new(Lz4 {
            frame: Some(lz4_flex::frame::FrameDecoder::new(Watched::new(input))),
            state: Lz4State::Between,
        }),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(
                XZ_MEMORY,
                liblzma::stream::CONCATENATED,
            )?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        Compression::Zlib => Box::new(Zlib {
            input,
            inflate: flate2::Decompress::new(true),
            ended: false,
        }),
    })
}

/// Counts what is read.
pub(super) struct Counted<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(super) fn new(source: R, taken: Arc<AtomicU64>) -> Self {
        Counted { source, taken }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = timings::reading(|| self.source.read(buffer))?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A zlib stream. flate2's own reader takes the end of its input for the end of the stream, cut off or not.
struct Zlib<R> {
    input: R,
    inflate: flate2::Decompress,
    ended: bool,
}

impl<R: BufRead> Read for Zlib<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use flate2::{FlushDecompress, Status};
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.input.fill_buf()?;
            if self.ended {
                return match input {
                    [] => Ok(0),
                    _ => Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "more bytes follow a zlib stream",
                    )),
                };
            }
            let is_last = input.is_empty();
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, buffer, FlushDecompress::None)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let taken = self.inflate.total_in() - before.0;
            let given = self.inflate.total_out() - before.1;
            self.input.consume(taken as usize);
            self.ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(given as usize);
            }
            if is_last && !self.ended {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the input ends inside a zlib stream",
                ));
            }
        }
    }
}

/// Frames of an lz4 file, one after another.
///
/// lz4_flex ends quietly where its input ends between two blocks, and so cannot tell a cut frame
/// from a whole one: that is why its input is watched. Each frame has a decoder of its own, because one that goes on with a
/// frame of smaller blocks mistakes the size of its buffer.
struct Lz4<R: BufRead> {
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
                Err(error) => return Err(error),
            }
        }
        self.words = [self.words[1], buffer[..count].try_into().ok()];
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4_without_checksum(bytes: &[u8]) -> Vec<u8> {
        let info =
            lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    type Encode = fn(&[u8]) -> Vec<u8>;
    const CODECS: [(&str, Compression, Encode); 6] = [
        ("gzip", Compression::Gzip, gzip),
        ("zstd", Compression::Zstd, zstd),
        ("lz4", Compression::Lz4, lz4),
        (
            "lz4 without checksum",
            Compression::Lz4,
            lz4_without_checksum,
        ),
        ("bzip2", Compression::Bzip2, bzip2),
        ("xz", Compression::Xz, xz),
    ];

    /// 150 KB that do not compress to nothing.
    fn sample() -> Vec<u8> {
        let mut state = 1u32;
        (0..150_000)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if index % 3 == 0 {
                    (state >> 24) as u8
                } else {
                    b'a' + (index % 7) as u8
                }
            })
            .collect()
    }

    fn decode(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut decoded = Vec::new();
        let source = Cursor::new(bytes.to_vec());
        decoder(Box::new(source), Arc::default())?.read_to_end(&mut decoded)?;
        Ok(decoded)
    }

    #[test]
    fn every_codec_is_recognised_and_read() {
        for (name, compression, encode) in CODECS {
            for content in [Vec::new(), b"x".to_vec(), sample()] {
                let encoded = encode(&content);
                assert_eq!(Compression::detect(&encoded), compression, "{name}");
                assert!(
                    decode(&encoded).unwrap() == content,
                    "{name}, {} bytes",
                    content.len()
                );
            }
        }
    }

    #[test]
    fn concatenated_streams_are_one() {
        for (name, _, encode) in CODECS {
            let joined = [
                encode(b"one "),
                encode(b""),
                encode(&sample()),
                encode(b" four"),
            ]
            .concat();
            assert!(
                decode(&joined).unwrap() == [b"one ", &sample()[..], b" four"].concat(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        for (name, _, encode) in CODECS {
            let first = encode(&sample());
            let two = [&first[..], &encode(b"two")[..]].concat();
            let cuts = (6..first.len())
                .step_by(9973)
                .chain(first.len() - 12..first.len());
            // Before the second stream has begun, the first is whole.
            for cut in cuts.chain(first.len() + 1..two.len()) {
                let error = decode(&two[..cut]).expect_err(name);
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof,
                    "{name} cut at {cut} of {}, {}: {error}",
                    first.len(),
                    two.len()
                );
            }
        }
    }

    #[test]
    fn lz4_frames_of_other_block_sizes_follow_one_another() {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
        let frame = |size, mode| {
            let info = FrameInfo::new().block_size(size).block_mode(mode);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&sample()).unwrap();
            encoder.finish().unwrap()
        };
        let forms = [
            (BlockSize::Max1MB, BlockMode::Linked),
            (BlockSize::Max64KB, BlockMode::Linked),
            (BlockSize::Max4MB, BlockMode::Independent),
            (BlockSize::Max64KB, BlockMode::Linked),
        ];
        let frames = forms.map(|(size, mode)| frame(size, mode)).concat();
        assert_eq!(decode(&frames).unwrap(), sample().repeat(forms.len()));
    }

    #[test]
    fn an_lz4_frame_cut_between_its_blocks_is_an_error() {
        let encoded = lz4_without_checksum(&sample());
        // Without checksums a frame ends with the end mark's four zero bytes.
        assert!(decode(&encoded[..encoded.len() - 4]).is_err());
        let mut place = 7;
        while place < encoded.len() - 4 {
            assert!(decode(&encoded[..place]).is_err(), "cut at {place}");
            let word: [u8; 4] = encoded[place..place + 4].try_into().unwrap();
            place += 4 + (u32::from_le_bytes(word) & 0x7fff_ffff) as usize;
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error() {
        for (name, _, encode) in CODECS {
            if name == "lz4 without checksum" {
                continue;
            }
            let encoded = encode(&sample());
            for place in (20..encoded.len() - 20)
                .step_by(20_011)
                .chain([encoded.len() - 2])
            {
                let mut damaged = encoded.clone();
                damaged[place] ^= 0x10;
                let decoded = decode(&damaged);
                assert!(
                    decoded.is_err(),
                    "{name} flipped at {place} of {}",
                    encoded.len()
                );
                assert_eq!(decoded.unwrap_err().raw_os_error(), None, "{name}");
            }
        }
    }

    #[test]
    fn what_follows_a_stream_is_an_error() {
        for (name, _, encode) in CODECS {
            let encoded = [&encode(b"content")[..], b"and more"].concat();
            assert!(decode(&encoded).is_err(), "{name}");
        }
    }

    #[test]
    fn a_zlib_stream_is_read_to_its_checksum() {
        let content = sample();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(3));
        encoder.write_all(&content).unwrap();
        let encoded = encoder.finish().unwrap();
        let decode = |bytes: &[u8]| {
            let mut decoded = Vec::new();
            decoder_of(Compression::Zlib, bytes)?.read_to_end(&mut decoded)?;
            io::Result::Ok(decoded)
        };
        assert!(decode(&encoded).unwrap() == content);
        for cut in [0, 1, 2, 1000, encoded.len() - 4, encoded.len() - 1] {
            let error = decode(&encoded[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        let mut damaged = encoded.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let kind = |bytes: &[u8]| decode(bytes).unwrap_err().kind();
        assert_eq!(kind(&damaged), io::ErrorKind::InvalidData);
        assert_eq!(
            kind(&[&encoded[..], b"x"].concat()),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn zero_bytes_after_gzip_are_padding() {
        let padded = [gzip(b"content"), vec![0; 700_000]].concat();
        assert_eq!(decode(&padded).unwrap(), b"content");
        let garbage = [padded, b"x".to_vec()].concat();
        assert!(decode(&garbage).is_err());
    }

    #[test]
    fn skippable_frames_are_skipped() {
        let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
        let zstd_stream = [
            &skippable[..],
            &zstd(b"one"),
            skippable,
            &zstd(b"two"),
            skippable,
        ]
        .concat();
        assert_eq!(decode(&zstd_stream).unwrap(), b"onetwo");
        let lz4_stream = [&lz4(b"one")[..], skippable, &lz4(b"two"), skippable].concat();
        assert_eq!(decode(&lz4_stream).unwrap(), b"onetwo");
        assert!(decode(&lz4_stream[..lz4_stream.len() - 1]).is_err());
    }

    #[test]
    fn other_bytes_pass_through() {
        for content in [
            "",
            "-",
            "BZh9 is a word",
            "-- PostgreSQL database dump\n",
            "\x1f",
            "PK",
        ] {
            assert_eq!(decode(content.as_bytes()).unwrap(), content.as_bytes());
        }
    }

    #[test]
    fn taken_bytes_are_counted() {
        let encoded = gzip(&sample());
        let taken = Arc::new(AtomicU64::new(0));
        let mut reader = decoder(Box::new(Cursor::new(encoded.clone())), taken.clone()).unwrap();
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(taken.load(Ordering::Relaxed), encoded.len() as u64);
    }
}
