//! Compressed streams: recognised by their first bytes, whatever the file is called.
//!
//! GitLab calls its dump `database.sql.gz` even where `COMPRESS_CMD` wrote zstd or nothing at all,
//! so names say nothing. All formats may be concatenations of several streams (`pigz`, `pzstd`,
//! `cat a.gz b.gz`), which count as one.

mod gzip;
mod lz4;
mod steady;
mod window;

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gzip::Gzip;
use lz4::Lz4;
use steady::Steady;
pub(crate) use window::WindowTooLarge;
use window::{Windowed, xz_memory, zstd_log};

use crate::bounds;
use crate::timings;

/// Bytes that are read from a file or pipe at once.
pub(crate) const INPUT_BUFFER: usize = 64 * 1024;

/// Bytes that [`Compression::detect`] wants to see to be sure.
pub const MAGIC_LENGTH: usize = 10;

/// How often a stream may be compressed over and over: by the tool that dumped, the one that copied, the one that packed.
const LAYERS: usize = 4;

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
/// What was compressed several times is decompressed as often.
///
/// Every byte that is taken from `source` is counted in `taken`. The reader that is returned fails
/// where a stream is damaged, is cut off or is followed by something else (zero bytes after gzip,
/// as tapes pad it, are let pass). Such errors carry no operating system's error code, which
/// tells them from those of `source`. Where it has failed once, it fails ever after; an interrupted
/// read is tried again.
///
/// # Errors
/// Those of `source` and of the decoders while the first bytes are read.
pub fn decoder<'a>(
    source: Box<dyn Read + Send + 'a>,
    taken: Arc<AtomicU64>,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut reader: Box<dyn Read + Send + 'a> = Box::new(Steady::new(Counted::new(source, taken)));
    for _ in 0..=LAYERS {
        let mut start = Vec::with_capacity(MAGIC_LENGTH);
        reader
            .by_ref()
            .take(MAGIC_LENGTH as u64)
            .read_to_end(&mut start)?;
        let compression = Compression::detect(&start);
        let whole = Cursor::new(start).chain(reader);
        if compression == Compression::None {
            return Ok(Box::new(whole));
        }
        reader = decoder_of(compression, BufReader::with_capacity(INPUT_BUFFER, whole))?;
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is compressed more than {LAYERS} times over: decompress it first"),
    ))
}

/// Gives the bytes of `input` decompressed, of which it is known how they are compressed.
///
/// The reader that is returned fails as that of [`decoder`] does, with [`WindowTooLarge`] if it would have to look back
/// farther than the run allows.
///
/// # Errors
/// The decoder cannot be set up.
pub(crate) fn decoder_of<'a>(
    compression: Compression,
    input: impl BufRead + Send + 'a,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    decoder_within(bounds::window(), compression, input)
}

/// As [`decoder_of`], with a window of so many bytes at the most. Of the other formats none looks back farther than 8 MiB.
fn decoder_within<'a>(
    allowed: u64,
    compression: Compression,
    input: impl BufRead + Send + 'a,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let input = Steady::new(input);
    Ok(match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(Steady::new(Gzip::new(input))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input)?;
            decoder.window_log_max(zstd_log(allowed))?;
            Box::new(Steady::new(Windowed { decoder, allowed }))
        }
        Compression::Lz4 => Box::new(Steady::new(Lz4::new(input))),
        Compression::Bzip2 => Box::new(Steady::new(bzip2::bufread::MultiBzDecoder::new(input))),
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(
                xz_memory(allowed),
                liblzma::stream::CONCATENATED,
            )?;
            let decoder = liblzma::bufread::XzDecoder::new_stream(input, stream);
            Box::new(Steady::new(Windowed { decoder, allowed }))
        }
        Compression::Zlib => Box::new(Steady::new(Zlib {
            input,
            inflate: flate2::Decompress::new(true),
            ended: false,
        })),
    })
}

/// Counts what is read.
pub(crate) struct Counted<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(crate) fn new(source: R, taken: Arc<AtomicU64>) -> Self {
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

#[cfg(test)]
mod tests;
