//! Fields by blocks: most values are shorter than two registers, so they are looked at and copied whole, without a loop
//! and without a call.
//!
//! What is copied is always a block, of which what was too much is cut off again: a copy whose length the compiler
//! knows is two moves, any other one is a call.
//!
//! Blocks are compared with what every machine of its kind has: to ask what this one has would cost more.

use std::ops::Range;

use fearless_simd::{Level, dispatch, prelude::*, u8x32};

/// Bytes that are looked at, or copied, at once.
pub(crate) const BLOCK: usize = 32;

/// A block of bytes.
pub(crate) type Block = [u8; BLOCK];

/// A field together with what stands behind it in its row, so that a block can be read beyond the field's end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldOn<'a> {
    /// From the field's first byte on; at least the field.
    bytes: &'a [u8],
    length: usize,
}

impl<'a> FieldOn<'a> {
    /// The field at a range of a row, which may be longer than is known of it.
    #[inline]
    pub(crate) fn new(row: &'a [u8], range: Range<usize>) -> Self {
        let length = range.len();
        let bytes = &row[range.start..];
        FieldOn {
            bytes,
            length: length.min(bytes.len()),
        }
    }

    /// The field alone.
    #[inline]
    pub(crate) fn field(self) -> &'a [u8] {
        &self.bytes[..self.length]
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.length
    }

    /// The block that begins at a byte of the field. What lies beyond the row is zero.
    #[inline]
    pub(super) fn block(self, at: usize) -> Block {
        match self.bytes[at..].first_chunk() {
            Some(block) => *block,
            None => self.padded(at),
        }
    }

    #[cold]
    fn padded(self, at: usize) -> Block {
        let rest = &self.bytes[at..];
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        block
    }
}

impl<'a> From<&'a [u8]> for FieldOn<'a> {
    fn from(field: &'a [u8]) -> Self {
        FieldOn {
            bytes: field,
            length: field.len(),
        }
    }
}

/// Appends the first bytes of a block.
#[inline]
pub(crate) fn push_part(block: &Block, length: usize, out: &mut Vec<u8>) {
    let end = out.len() + length;
    out.extend_from_slice(block);
    out.truncate(end);
}

/// The bits of a mask that stand for the first bytes of a block.
#[inline]
pub(super) fn first_bits(length: usize) -> u32 {
    match length {
        BLOCK.. => u32::MAX,
        _ => (1 << length) - 1,
    }
}

/// A bit for each byte of a block that is not ASCII.
#[inline(always)]
pub(super) fn not_ascii(block: &Block) -> u32 {
    dispatch!(Level::baseline(), simd => {
        let bytes = u8x32::simd_from(simd, *block);
        bytes.simd_ge(0x80).to_bitmask() as u32
    })
}

/// A bit for each byte of a block that is below the lowest of its place, or above it by more than may be.
#[inline(always)]
pub(super) fn outside(block: &Block, lowest: &Block, higher: &Block) -> u32 {
    dispatch!(Level::baseline(), simd => {
        let above = u8x32::simd_from(simd, *block) - u8x32::simd_from(simd, *lowest);
        let within = above.min(u8x32::simd_from(simd, *higher)).simd_eq(above);
        !(within.to_bitmask() as u32)
    })
}
