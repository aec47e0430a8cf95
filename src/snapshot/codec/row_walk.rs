//! Rows of a block of which only some fields are asked for: a row that nobody needs costs its line end and those fields.
//!
//! Whoever knows where fields end (in COPY text at TAB and LF, in CSV outside of quotes) says so by two masks for each
//! [`STEP`] bytes. What is left is counting: how many fields a row has is the number of bits up to its line end, and where a
//! field ends is the place of a bit. So rows are split without looking at their fields one by one.

use std::ops::Range;

/// Bytes whose ends one mask tells: a bit for each.
pub(crate) const STEP: usize = 64;

/// Which fields of a row are asked for.
#[derive(Debug, Clone, Default)]
pub struct WantedFields {
    /// The numbers of the fields' ends that have to be known, ascending: a wanted field's own, and that of the field before.
    ends: Vec<usize>,
    /// By field, where its ends stand in `ends`; `None` for a field that is not wanted.
    by_field: Vec<Option<Bounds>>,
}

/// Positions among the ends that are known.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// The end of the field before; `None` for the first field.
    before: Option<usize>,
    end: usize,
}

impl WantedFields {
    /// These fields of rows, by their numbers from 0, in any order.
    pub fn new(fields: impl IntoIterator<Item = usize>) -> WantedFields {
        let mut fields: Vec<usize> = fields.into_iter().collect();
        fields.sort_unstable();
        fields.dedup();
        let mut wanted = WantedFields::default();
        for field in fields {
            let mut position = |end: usize| match wanted.ends.last() {
                Some(last) if *last == end => wanted.ends.len() - 1,
                Some(_) | None => {
                    wanted.ends.push(end);
                    wanted.ends.len() - 1
                }
            };
            let before = field.checked_sub(1).map(&mut position);
            let bounds = Bounds {
                before,
                end: position(field),
            };
            wanted.by_field.resize(field, None);
            wanted.by_field.push(Some(bounds));
        }
        wanted
    }
}

/// A row, and where its wanted fields are.
#[derive(Debug)]
pub struct WalkedRow<'a> {
    bytes: &'a [u8],
    start: usize,
    end: usize,
    fields: usize,
    /// Where the wanted ends are, as many as the row has.
    ends: &'a [usize],
    wanted: &'a WantedFields,
}

impl<'a> WalkedRow<'a> {
    /// Where the row is in the block, without its LF.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// How many fields it has.
    pub fn fields(&self) -> usize {
        self.fields
    }

    /// A field's bytes as they stand between the ends; `None` for one that is not wanted, or that the row does not have.
    #[inline]
    pub fn field(&self, field: usize) -> Option<&'a [u8]> {
        let bounds = (*self.wanted.by_field.get(field)?)?;
        let start = match bounds.before {
            Some(before) => self.ends.get(before)? + 1,
            None => self.start,
        };
        self.bytes.get(start..*self.ends.get(bounds.end)?)
    }
}

/// The state between the steps of a block.
pub(crate) struct RowWalk<'a> {
    bytes: &'a [u8],
    wanted: &'a WantedFields,
    /// Where wanted ends of the present row are; only the first `known` are of it.
    ends: Vec<usize>,
    known: usize,
    /// Ends of the present row so far, wanted or not.
    seen: usize,
    start: usize,
}

impl<'a> RowWalk<'a> {
    pub(crate) fn new(bytes: &'a [u8], wanted: &'a WantedFields) -> Self {
        RowWalk {
            bytes,
            wanted,
            ends: vec![0; wanted.ends.len()],
            known: 0,
            seen: 0,
            start: 0,
        }
    }

    /// Where the row begins whose end has not been seen.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Goes over the step that begins at `base`: `ends` has a bit for each end of a field, `row_ends` for those of them that
    /// end a row.
    #[inline(always)]
    pub(crate) fn step(
        &mut self,
        base: usize,
        mut ends: u64,
        mut row_ends: u64,
        each: &mut impl FnMut(&WalkedRow<'_>),
    ) {
        while row_ends != 0 {
            // The bits up to the row's end, with it.
            let of_row = row_ends ^ (row_ends - 1);
            self.take(base, ends & of_row);
            let end = base + row_ends.trailing_zeros() as usize;
            self.give(end, each);
            self.start = end + 1;
            ends &= !of_row;
            row_ends &= row_ends - 1;
        }
        self.take(base, ends);
    }

    /// Ends the block: bytes after the last row's end are a row that lacks its own.
    pub(crate) fn last(&mut self, each: &mut impl FnMut(&WalkedRow<'_>)) {
        let end = self.bytes.len();
        if self.start == end {
            return;
        }
        if self.wanted.ends.get(self.known) == Some(&self.seen) {
            self.ends[self.known] = end;
            self.known += 1;
        }
        self.seen += 1;
        self.give(end, each);
        self.start = end;
    }

    /// Counts ends of the present row, and notes the places of those that are wanted.
    #[inline(always)]
    fn take(&mut self, base: usize, ends: u64) {
        let after = self.seen + ends.count_ones() as usize;
        while let Some(wanted) = self.wanted.ends.get(self.known).filter(|end| **end < after) {
            let place = nth_bit(ends, (wanted - self.seen) as u32);
            self.ends[self.known] = base + place as usize;
            self.known += 1;
        }
        self.seen = after;
    }

    #[inline(always)]
    fn give(&mut self, end: usize, each: &mut impl FnMut(&WalkedRow<'_>)) {
        // By reference: what has just been written field by field is read so, and not copied as a whole, which would wait for the
        // writing.
        each(&WalkedRow {
            bytes: self.bytes,
            start: self.start,
            end,
            fields: self.seen,
            ends: &self.ends[..self.known],
            wanted: self.wanted,
        });
        self.known = 0;
        self.seen = 0;
    }
}

/// The place of the bit before which `before` lower ones are set. There must be such a bit.
#[inline(always)]
fn nth_bit(mut bits: u64, before: u32) -> u32 {
    let behind = bits.count_ones() - 1 - before;
    if before <= behind {
        for _ in 0..before {
            bits &= bits - 1;
        }
        return bits.trailing_zeros();
    }
    for _ in 0..behind {
        bits ^= 1 << (63 - bits.leading_zeros());
    }
    63 - bits.leading_zeros()
}

/// The 64 bytes from `base` on, and zero bytes after the last of them.
#[inline(always)]
pub(crate) fn step_at(bytes: &[u8], base: usize) -> [u8; STEP] {
    let rest = bytes.get(base..).unwrap_or_default();
    match rest.first_chunk() {
        Some(step) => *step,
        None => {
            let mut step = [0; STEP];
            step[..rest.len()].copy_from_slice(rest);
            step
        }
    }
}

/// What this machine has, and less: every walk is tested by each.
#[cfg(test)]
pub(crate) fn levels() -> Vec<fearless_simd::Level> {
    use fearless_simd::Level;

    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let narrower = best.as_avx2().map(Level::Avx2);
    #[cfg(not(target_arch = "x86_64"))]
    let narrower = None;
    [Some(best), narrower, Some(Level::baseline())]
        .into_iter()
        .flatten()
        .collect()
}

/// COPY text of so many bytes, of which every so manieth ends a field or, each third of them, a row.
#[cfg(test)]
pub(crate) fn bytes_with_ends(length: usize, every: usize) -> Vec<u8> {
    let byte = |place: usize| match (place % every, place % 3) {
        (0, 0) => b'\n',
        (0, _) => b'\t',
        _ => 0x80 | (place as u8),
    };
    (0..length).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_found_from_either_side() {
        let some: [u64; 6] = [1, 1 << 63, u64::MAX, 0xf0f0, 0x8000_0000_0000_0001, 0x5555];
        for bits in some {
            let places: Vec<u32> = (0..64).filter(|place| bits >> place & 1 == 1).collect();
            for (before, place) in places.iter().enumerate() {
                assert_eq!(nth_bit(bits, before as u32), *place, "{bits:#x} {before}");
            }
        }
    }

    #[test]
    fn fields_that_are_not_wanted_or_not_there_are_none() {
        let wanted = WantedFields::new([4, 1, 1]);
        let mut walk = RowWalk::new(b"a\tbc\td\n", &wanted);
        let mut fields = Vec::new();
        walk.step(0, 0b101_0010, 0b100_0000, &mut |row| {
            fields = (0..6)
                .map(|field| row.field(field).map(<[u8]>::to_vec))
                .collect();
            assert_eq!((row.range(), row.fields()), (0..6, 3));
        });
        assert_eq!(fields, [None, Some(b"bc".to_vec()), None, None, None, None]);
    }
}
