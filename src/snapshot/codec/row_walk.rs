//! Rows of a block, split into fields without looking at their bytes one by one.
//!
//! Whoever knows where fields end (in COPY text at TAB and LF, in CSV outside of quotes) says so by two masks for each
//! [`STEP`] bytes. The places of all bits are written down, eight at a time, and handed on row by row once there are some
//! hundreds: then no branch depends on how many bits a mask has, or a row fields, which no processor could foresee.

use std::ops::Range;

/// Bytes whose ends one mask tells: a bit for each.
pub(crate) const STEP: usize = 64;

/// Places that are written at once.
const AT_ONCE: usize = 8;

/// Places from which on rows are handed on: so few that the bytes before them are still in the nearest cache.
const ENOUGH: usize = 512;

/// Fields of a row whose places are kept: ten times as many as a table of PostgreSQL can have columns. A row that has more is of no
/// table; of it only their number is known, so that a line of 256 MiB of TABs does not take 2 GiB.
const MOST_FIELDS: usize = 16_384;

/// A row, and where its fields end.
#[derive(Debug, Clone, Copy)]
pub struct WalkedRow<'a> {
    bytes: &'a [u8],
    start: usize,
    end: usize,
    fields: usize,
    /// One for each field, up to the most that are kept.
    ends: &'a [usize],
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

    /// Where a field is in the block; `None` for one that the row does not have.
    #[inline]
    pub fn place(&self, field: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(field)?;
        let start = match field.checked_sub(1) {
            Some(before) => self.ends[before] + 1,
            None => self.start,
        };
        Some(start..end)
    }

    /// A field's bytes as they stand between the ends; `None` for one that the row does not have.
    #[inline]
    pub fn field(&self, field: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.place(field)?)
    }

    /// The bytes of neighbouring fields, with what stands between them; `None` where the row does not have them all.
    #[inline]
    pub fn run(&self, fields: Range<usize>) -> Option<&'a [u8]> {
        let last = fields.end.checked_sub(1)?;
        self.bytes
            .get(self.place(fields.start)?.start..*self.ends.get(last)?)
    }

    /// The block that the row stands in.
    pub(crate) fn block(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The state between the steps of a block.
pub(crate) struct RowWalk<'a> {
    bytes: &'a [u8],
    /// Where fields end; only the first `known` count. There is always room for those of a step.
    ends: Vec<usize>,
    known: usize,
    /// Ends of the row that is being walked over that were not kept.
    dropped: usize,
    /// How many ends are known up to the end of each row that has not been handed on.
    rows: Vec<usize>,
    /// Where the first row begins that has not been handed on.
    start: usize,
}

impl<'a> RowWalk<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        RowWalk {
            bytes,
            ends: vec![0; ENOUGH + STEP],
            known: 0,
            dropped: 0,
            rows: Vec::with_capacity(ENOUGH),
            start: 0,
        }
    }

    /// Goes over the step that begins at `base`: `ends` has a bit for each end of a field, `row_ends` for those of them that
    /// end a row. Hands rows to `each` when there are enough.
    #[inline(always)]
    pub(crate) fn step(
        &mut self,
        base: usize,
        mut ends: u64,
        mut row_ends: u64,
        each: &mut impl FnMut(&WalkedRow<'_>),
    ) {
        if ends == 0 {
            return;
        }
        while row_ends != 0 {
            // The bits up to the row's end, with it.
            let of_row = row_ends ^ (row_ends - 1);
            let count = (ends & of_row).count_ones() as usize;
            self.rows.push(self.known + count);
            row_ends &= row_ends - 1;
        }
        let count = ends.count_ones() as usize;
        for places in self.ends[self.known..].chunks_exact_mut(AT_ONCE) {
            // Behind the last end come places that the next step overwrites.
            for place in places {
                *place = base + ends.trailing_zeros() as usize;
                ends &= ends.wrapping_sub(1);
            }
            if ends == 0 {
                break;
            }
        }
        self.known += count;
        if self.known >= ENOUGH {
            self.give(each);
        }
    }

    /// Hands the rows on whose ends are known, and says where the next begins.
    pub(crate) fn give(&mut self, each: &mut impl FnMut(&WalkedRow<'_>)) -> usize {
        let mut given = 0;
        for count in self.rows.drain(..) {
            let ends = &self.ends[given..count];
            let row = WalkedRow {
                bytes: self.bytes,
                start: self.start,
                // A row has an end.
                end: ends.last().copied().unwrap_or(self.start),
                fields: ends.len() + self.dropped,
                ends: &ends[..ends.len().min(MOST_FIELDS)],
            };
            each(&row);
            self.start = row.end + 1;
            self.dropped = 0;
            given = count;
        }
        if given > 0 {
            self.ends.copy_within(given..self.known, 0);
            self.known -= given;
        }
        self.dropped += self.known.saturating_sub(MOST_FIELDS);
        self.known = self.known.min(MOST_FIELDS);
        // A row may have more fields than that.
        if self.ends.len() < self.known + STEP {
            self.ends.resize(self.known + ENOUGH, 0);
        }
        self.start
    }

    /// Ends the block: hands all rows on. Bytes after the last row's end are a row that lacks its own.
    pub(crate) fn last(&mut self, each: &mut impl FnMut(&WalkedRow<'_>)) {
        if self.give(each) < self.bytes.len() {
            self.ends[self.known] = self.bytes.len();
            self.known += 1;
            self.rows.push(self.known);
            self.give(each);
        }
    }
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
    fn fields_that_are_not_there_are_none() {
        let mut walk = RowWalk::new(b"a\tbc\td\n");
        let mut fields = Vec::new();
        let mut each = |row: &WalkedRow<'_>| {
            assert_eq!((row.range(), row.fields()), (0..6, 3));
            assert_eq!(row.run(0..2), Some(b"a\tbc".as_slice()));
            assert_eq!(row.run(1..4), None);
            fields = (0..4)
                .map(|field| row.field(field).map(<[u8]>::to_vec))
                .collect();
        };
        walk.step(0, 0b101_0010, 0b100_0000, &mut each);
        assert_eq!(walk.give(&mut each), 7);
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(fields, [some("a"), some("bc"), some("d"), None]);
    }

    #[test]
    fn a_row_has_as_many_fields_as_it_likes() {
        let most = MOST_FIELDS;
        for fields in [ENOUGH - 1, ENOUGH, ENOUGH + 1, most, most + 1, 5 * most + 7] {
            let text = "\t".repeat(fields - 1) + "\nx\ty";
            let mut told = Vec::new();
            let mut each = |row: &WalkedRow<'_>| {
                assert_eq!(
                    row.place(0).map(|place| place.start),
                    Some(row.range().start)
                );
                let kept = row.fields().min(MOST_FIELDS);
                assert!(row.place(kept - 1).is_some());
                assert_eq!(row.place(kept), None);
                told.push((row.range(), row.fields()));
            };
            let mut walk = RowWalk::new(text.as_bytes());
            for (number, bytes) in text.as_bytes().chunks(STEP).enumerate() {
                let mask = |wanted: &[u8]| {
                    let bits = bytes.iter().enumerate();
                    let bits = bits.filter(|(_, byte)| wanted.contains(byte));
                    bits.fold(0, |mask, (place, _)| mask | 1 << place)
                };
                walk.step(number * STEP, mask(b"\t\n"), mask(b"\n"), &mut each);
            }
            walk.last(&mut each);
            assert_eq!(told, [(0..fields - 1, fields), (fields..fields + 3, 2)]);
        }
    }
}
