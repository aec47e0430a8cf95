//! gzip members, one after another (RFC 1952).
//!
//! The framing is read here rather than by flate2 for two reasons: flate2's `MultiGzDecoder` takes padding after the
//! last member for a damaged header, and crc32fast checks several times faster than zlib-rs does,
//! which counts because inflating is what a compressed dump waits for.

use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;

/// The members of a gzip file as one stream.
pub(super) struct Gzip<R> {
    state: State<R>,
}

enum State<R> {
    Between(R),
    Member(Box<Member<R>>),
    /// After the end. After an error, too, which is why a [`Steady`](super::steady::Steady) stands around this.
    Ended,
}

struct Member<R> {
    deflate: DeflateDecoder<R>,
    crc: crc32fast::Hasher,
    /// Modulo 2^32, as the trailer has it.
    length: u32,
}

impl<R: BufRead> Gzip<R> {
    pub(crate) fn new(source: R) -> Self {
        Gzip {
            state: State::Between(source),
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut source) => match source.fill_buf()?.first() {
                    None => return Ok(0),
                    Some(0) => {
                        skip_padding(&mut source)?;
                        return Ok(0);
                    }
                    Some(_) => {
                        read_header(&mut source)?;
                        self.state = State::Member(Box::new(Member {
                            deflate: DeflateDecoder::new(source),
                            crc: crc32fast::Hasher::new(),
                            length: 0,
                        }));
                    }
                },
                State::Member(mut member) => {
                    let count = member.deflate.read(buffer)?;
                    if count > 0 {
                        member.crc.update(&buffer[..count]);
                        member.length = member.length.wrapping_add(count as u32);
                        self.state = State::Member(member);
                        return Ok(count);
                    }
                    self.state = State::Between(read_trailer(*member)?);
                }
            }
        }
    }
}

/// Reads a member's header and checks what can be checked of it.
fn read_header(source: &mut impl BufRead) -> io::Result<()> {
    let mut header = [0; 10];
    source.read_exact(&mut header)?;
    if header[..2] != MAGIC {
        return Err(damaged("bytes that are not gzip follow a gzip member"));
    }
    let flags = header[3];
    if header[2] != DEFLATE || flags >= 1 << 5 {
        return Err(damaged("a gzip header of an unknown kind"));
    }
    if flags & EXTRA != 0 {
        let mut length = [0; 2];
        source.read_exact(&mut length)?;
        skip(source, u64::from(u16::from_le_bytes(length)))?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            skip_text(source)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        skip(source, 2)?;
    }
    Ok(())
}

/// Checks the trailer. A stream that was cut inside its deflate data ends here, too: there is no trailer.
fn read_trailer<R: BufRead>(member: Member<R>) -> io::Result<R> {
    let mut source = member.deflate.into_inner();
    let (mut crc, mut length) = ([0; 4], [0; 4]);
    source.read_exact(&mut crc)?;
    source.read_exact(&mut length)?;
    if u32::from_le_bytes(crc) != member.crc.finalize()
        || u32::from_le_bytes(length) != member.length
    {
        return Err(damaged("the checksum of a gzip member does not fit"));
    }
    Ok(source)
}

fn skip(source: &mut impl BufRead, count: u64) -> io::Result<()> {
    match io::copy(&mut source.take(count), &mut io::sink())? {
        skipped if skipped == count => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Skips a text that a zero byte ends, of whatever length.
fn skip_text(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = memchr::memchr(0, bytes);
        let count = end.map_or(bytes.len(), |end| end + 1);
        source.consume(count);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Reads zero bytes to the end: some tapes and disks pad files with them, and GNU gzip lets them pass.
fn skip_padding(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|&byte| byte != 0) {
            return Err(damaged("bytes that are not gzip follow a gzip member"));
        }
        let count = bytes.len();
        source.consume(count);
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "ab" stored without compression, made by hand from RFC 1951 and 1952; CRC-32 of "ab" is 9e83486d.
    const BODY: [u8; 15] = [
        1, 2, 0, 0xfd, 0xff, b'a', b'b', 0x6d, 0x48, 0x83, 0x9e, 2, 0, 0, 0,
    ];

    fn member(flags: u8, optional: &[u8]) -> Vec<u8> {
        let header = [0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3];
        [&header[..], optional, &BODY].concat()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Gzip::new(bytes).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn every_optional_part_of_a_header_is_stepped_over() {
        let cases: [(u8, &[u8]); 6] = [
            (0, b""),
            (1, b""),
            (NAME, b"database.sql\0"),
            (EXTRA, b"\x03\x00xyz"),
            (COMMENT | HEADER_CRC, b"said\0\x12\x34"),
            (
                EXTRA | NAME | COMMENT | HEADER_CRC,
                b"\x00\x00n\0c\0\x12\x34",
            ),
        ];
        for (flags, optional) in cases {
            assert_eq!(
                read(&member(flags, optional)).unwrap(),
                b"ab",
                "flags {flags}"
            );
        }
    }

    #[test]
    fn a_wrong_checksum_or_length_is_an_error() {
        for place in [10 + 7, 10 + 11] {
            let mut bytes = member(0, b"");
            bytes[place] ^= 1;
            assert_eq!(read(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_member_cut_anywhere_is_an_error() {
        let whole = member(NAME, b"n\0");
        for cut in 1..whole.len() {
            let error = read(&whole[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
    }
}
