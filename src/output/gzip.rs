//! One gzip member, made from pieces that were compressed side by side.
//!
//! Content is cut every [`PIECE`] bytes, wherever batches begin or end. Each piece becomes raw deflate data that
//! ends with a sync flush, so that pieces can be joined; their CRC-32s are combined. The result depends on
//! the content and the level alone, not on threads or batches: equal content is an equal file. The header
//! carries no time and no name.

use flate2::{Compress, Compression, FlushCompress};

/// Bytes of content in a piece. Each piece starts without a dictionary, which costs well under 1 % of size.
pub const PIECE: usize = 1 << 20;

/// Magic, deflate, no flags, no time, no extra flags, unknown system (RFC 1952).
pub(crate) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A last, empty block with fixed codes (RFC 1951): ends the deflate data behind a sync flush.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// A compressed piece of content.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Raw deflate data that ends on a byte border.
    pub deflated: Vec<u8>,
    pub crc: crc32fast::Hasher,
    pub length: u64,
}

impl Piece {
    /// Content of which no more is known than its length.
    pub(crate) fn counted(length: u64) -> Piece {
        Piece {
            deflated: Vec::new(),
            crc: crc32fast::Hasher::new(),
            length,
        }
    }
}

/// gzip's levels, 1 (fastest) to 9 (smallest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipLevel(u32);

impl GzipLevel {
    /// For content that does not become smaller: it is only framed.
    pub(crate) const STORED: GzipLevel = GzipLevel(0);
    /// For content that may become smaller, but most often does not.
    pub(crate) const FASTEST: GzipLevel = GzipLevel(1);

    /// `None` for anything but 1 to 9.
    pub fn new(level: u32) -> Option<Self> {
        (1..=9).contains(&level).then_some(GzipLevel(level))
    }
}

impl From<GzipLevel> for u32 {
    fn from(level: GzipLevel) -> u32 {
        level.0
    }
}

impl Default for GzipLevel {
    /// gzip's own default.
    fn default() -> Self {
        GzipLevel(6)
    }
}

/// Compresses a piece of content.
pub fn deflate(content: &[u8], level: GzipLevel) -> Piece {
    let mut crc = crc32fast::Hasher::new();
    crc.update(content);
    let mut deflated = Vec::with_capacity(content.len() / 3 + 64);
    if !content.is_empty() {
        let mut compress = Compress::new(Compression::new(level.0), false);
        loop {
            let done = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
            // Deflating from memory into a growing vector has no way to fail: the state is fresh and the input whole.
            let _ = compress.compress_vec(&content[done..], &mut deflated, FlushCompress::Sync);
            let all_in = compress.total_in() == content.len() as u64;
            // Room that is left over says that the flush, too, has come to its end.
            if all_in && deflated.len() < deflated.capacity() {
                break;
            }
            deflated.reserve(content.len() / 8 + 64);
        }
    }
    Piece {
        deflated,
        crc,
        length: content.len() as u64,
    }
}

/// What stands behind the pieces of a member: its last block, CRC-32 and length.
pub(crate) fn trailer(crc: u32, length: u64) -> [u8; 10] {
    let mut trailer = [0; 10];
    trailer[..2].copy_from_slice(&LAST_BLOCK);
    trailer[2..6].copy_from_slice(&crc.to_le_bytes());
    // RFC 1952: the length modulo 2^32.
    trailer[6..].copy_from_slice(&(length as u32).to_le_bytes());
    trailer
}

/// A whole gzip member of content that is at hand.
pub fn compress(content: &[u8], level: GzipLevel) -> Vec<u8> {
    let mut member = HEADER.to_vec();
    let mut crc = crc32fast::Hasher::new();
    for part in content.chunks(PIECE) {
        let piece = deflate(part, level);
        member.extend_from_slice(&piece.deflated);
        crc.combine(&piece.crc);
    }
    member.extend_from_slice(&trailer(crc.finalize(), content.len() as u64));
    member
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn inflate_first_member(member: &[u8]) -> (Vec<u8>, usize) {
        let mut decoder = flate2::bufread::GzDecoder::new(member);
        let mut content = Vec::new();
        decoder.read_to_end(&mut content).unwrap();
        (content, decoder.into_inner().len())
    }

    fn hard_content(length: usize) -> Vec<u8> {
        // Compressible and incompressible stretches, by a linear congruence.
        let mut state = 1u32;
        (0..length)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i / 5000 % 2 == 0 {
                    (state >> 24) as u8
                } else {
                    b"{\"id\":1,\"note\":null}\n"[i % 21]
                }
            })
            .collect()
    }

    #[test]
    fn content_of_any_size_is_one_member_and_comes_back() {
        for length in [0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 77] {
            for level in [1, 6, 9] {
                let content = hard_content(length);
                let member = compress(&content, GzipLevel::new(level).unwrap());
                let (back, rest) = inflate_first_member(&member);
                assert_eq!(
                    rest, 0,
                    "{length} bytes at level {level} are more than one member"
                );
                assert!(
                    back == content,
                    "{length} bytes at level {level} came back changed"
                );
            }
        }
    }

    #[test]
    fn the_header_carries_no_time_and_no_name() {
        assert_eq!(
            compress(b"x", GzipLevel::default())[..10],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        );
    }

    #[test]
    fn the_system_s_gzip_reads_it() {
        use std::io::Write;
        let content = hard_content(2 * PIECE + 5);
        let mut child = std::process::Command::new("gzip")
            .arg("-dc")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let member = compress(&content, GzipLevel::default());
        let feeder = std::thread::spawn(move || stdin.write_all(&member).unwrap());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        assert!(output.status.success());
        assert!(output.stdout == content);
    }
}
