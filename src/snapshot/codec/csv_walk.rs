//! The rows of a block of CSV, split into fields with the machine's widest registers.
//!
//! A byte stands inside quotes if an odd number of quotes stands before it, so a mask of the bytes inside quotes is the
//! running parity of the mask of quotes. What is malformed shows in the masks, too: a quote that opens where no field begins, a
//! byte after a closing quote that ends no field, a CR without its LF. At the first of these a walk stops before the row, and
//! [`next_row`](super::csv_text::next_row) says what is wrong with it.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

use super::row_walk::{RowWalk, STEP, WalkedRow, step_at};

/// Hands each row of `bytes`, which begin at a row's beginning, to `each`, up to the first that is malformed or lacks its line
/// end.
///
/// Costs one search through the bytes with the machine's widest registers, and per row what `each` does.
pub fn walk_rows(bytes: &[u8], mut each: impl FnMut(&CsvWalkedRow<'_>)) -> CsvWalked {
    walk_at(Level::new(), bytes, &mut each)
}

/// How far a walk came, and what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvWalked {
    /// Where the row begins that stopped it, or the length of the bytes; some rows before that one may be left to the caller, too.
    pub end: usize,
    /// A byte is zero, which no text of PostgreSQL has, up to the end or behind it.
    pub has_zero: bool,
}

fn walk_at(level: Level, bytes: &[u8], each: &mut impl FnMut(&CsvWalkedRow<'_>)) -> CsvWalked {
    let mut each = |row: &WalkedRow<'_>| each(&CsvWalkedRow(*row));
    dispatch!(level, simd => walk(simd, bytes, &mut each))
}

/// A row of CSV, and where its fields are.
#[derive(Debug, Clone, Copy)]
pub struct CsvWalkedRow<'a>(WalkedRow<'a>);

impl<'a> CsvWalkedRow<'a> {
    /// Where the row is in the block, without its LF.
    pub fn range(&self) -> Range<usize> {
        self.0.range()
    }

    /// The row's bytes without its line end.
    pub fn text(&self) -> &'a [u8] {
        let text = &self.0.block()[self.range()];
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// How many fields it has.
    pub fn fields(&self) -> usize {
        self.0.fields()
    }

    /// A field's bytes without the quotes around them, and true if there were some; `None` for one that the row does not have.
    #[inline]
    pub fn field(&self, field: usize) -> Option<(&'a [u8], bool)> {
        let raw = self.0.field(field)?;
        // Outside of quotes a CR stands before the LF of its row only.
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        match raw {
            [b'"', inside @ .., b'"'] => Some((inside, true)),
            plain => Some((plain, false)),
        }
    }
}

/// The rows that end in a part of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowEnds {
    /// How many there are.
    pub rows: u64,
    /// Behind the line end of the last; 0 if there is none.
    pub end: usize,
}

/// Looks which rows end in `bytes`, which begin at a row's beginning.
///
/// A line end is a row's end if an even number of quotes stands before it, which holds for every row that
/// [`next_row`](super::csv_text::next_row) accepts. After a malformed row the answer may be wrong, but that stops at that row.
pub fn row_ends(bytes: &[u8]) -> RowEnds {
    row_ends_at(Level::new(), bytes)
}

fn row_ends_at(level: Level, bytes: &[u8]) -> RowEnds {
    dispatch!(level, simd => ends(simd, bytes))
}

#[inline(always)]
fn ends<S: Simd>(simd: S, bytes: &[u8]) -> RowEnds {
    let (mut found, mut inside) = (RowEnds::default(), 0);
    for base in (0..bytes.len()).step_by(STEP) {
        let step = u8x64::simd_from(simd, step_at(bytes, base));
        let quotes = step.simd_eq(b'"').to_bitmask();
        if quotes == 0 && inside != 0 {
            // The middle of a text.
            continue;
        }
        let is_inside = parity(quotes) ^ inside;
        let row_ends = step.simd_eq(b'\n').to_bitmask() & !is_inside;
        if row_ends != 0 {
            found.rows += u64::from(row_ends.count_ones());
            found.end = base + STEP - row_ends.leading_zeros() as usize;
        }
        inside = all_or_none(is_inside);
    }
    found
}

/// The highest bit, as all of them.
#[inline(always)]
fn all_or_none(bits: u64) -> u64 {
    (bits as i64 >> 63) as u64
}

/// What the end of a step means for the next.
#[derive(Default)]
struct Carry {
    /// All bits if the next step begins inside quotes.
    inside: u64,
    /// The lowest bit if the byte before ended a field.
    end: u64,
    /// The same for a closing quote.
    closing: u64,
    /// The same for a CR outside quotes.
    carriage_return: u64,
}

#[inline(always)]
fn walk<S: Simd>(simd: S, bytes: &[u8], each: &mut impl FnMut(&WalkedRow<'_>)) -> CsvWalked {
    let mut walk = RowWalk::new(bytes);
    let mut least = u8x64::splat(simd, u8::MAX);
    let (whole, rest) = bytes.as_chunks::<STEP>();
    let mut carry = Carry {
        end: 1,
        ..Carry::default()
    };
    for base in (0..bytes.len()).step_by(STEP) {
        let step = u8x64::simd_from(simd, step_at(bytes, base));
        if base < STEP * whole.len() {
            least = least.min(step);
        }
        let quotes = step.simd_eq(b'"').to_bitmask();
        if quotes == 0 && carry.inside != 0 {
            // The middle of a text: nothing ends in it, and the next step begins as this one did.
            continue;
        }
        let line_feeds = step.simd_eq(b'\n').to_bitmask();
        let carriage_returns = step.simd_eq(b'\r').to_bitmask();
        let commas = step.simd_eq(b',').to_bitmask();
        if quotes | carriage_returns | carry.inside | carry.closing | carry.carriage_return == 0 {
            let ends = commas | line_feeds;
            walk.step(base, ends, line_feeds, each);
            carry.end = ends >> 63;
            continue;
        }
        // An opening quote counts as inside, the one that closes as outside.
        let inside = parity(quotes) ^ carry.inside;
        let row_ends = line_feeds & !inside;
        let ends = row_ends | commas & !inside;
        let closing = quotes & !inside;
        let bare_returns = carriage_returns & !inside;
        let after_end = ends << 1 | carry.end;
        let after_closing = closing << 1 | carry.closing;
        let after_return = bare_returns << 1 | carry.carriage_return;
        // A doubled quote closes and opens again.
        let opened_wrongly = quotes & inside & !(after_end | after_closing);
        let closed_wrongly = after_closing & !(ends | quotes | carriage_returns);
        let returned_wrongly = after_return & !line_feeds;
        if opened_wrongly | closed_wrongly | returned_wrongly != 0 {
            return CsvWalked {
                end: walk.give(each),
                has_zero: memchr::memchr(0, bytes).is_some(),
            };
        }
        walk.step(base, ends, row_ends, each);
        carry = Carry {
            inside: all_or_none(inside),
            end: ends >> 63,
            closing: closing >> 63,
            carriage_return: bare_returns >> 63,
        };
    }
    CsvWalked {
        end: walk.give(each),
        has_zero: least.simd_eq(0).to_bitmask() != 0 || rest.contains(&0),
    }
}

/// Each bit the parity of the bits up to it, with it.
#[inline(always)]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::codec::csv_text::next_row;
    use crate::snapshot::codec::row_walk::levels;

    /// What is told of each row: where it begins, and its fields, with and without quotes.
    type Told = (usize, Vec<(Vec<u8>, bool)>);

    fn walked(level: Level, bytes: &[u8]) -> (Vec<Told>, usize) {
        let mut rows = Vec::new();
        let stopped = walk_at(level, bytes, &mut |row: &CsvWalkedRow<'_>| {
            assert_eq!(row.field(row.fields()), None);
            let fields = (0..row.fields()).filter_map(|field| row.field(field));
            let fields = fields.map(|(plain, quoted)| (plain.to_vec(), quoted));
            rows.push((row.range().start, fields.collect()));
        });
        assert_eq!(stopped.has_zero, bytes.contains(&0));
        (rows, stopped.end)
    }

    /// The rows before the first that is malformed, and where that begins.
    fn split(bytes: &[u8]) -> (Vec<Told>, usize) {
        let (mut rows, mut fields, mut at) = (Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            let Ok(next) = next_row(bytes, at, &mut fields) else {
                break;
            };
            let fields = fields.iter();
            let fields = fields.map(|field| (bytes[field.range.clone()].to_vec(), field.quoted));
            rows.push((at, fields.collect()));
            at = next;
        }
        (rows, at)
    }

    /// A walk may stop some rows early, but only before one that is malformed.
    fn check(bytes: &[u8]) {
        let (expected, malformed) = split(bytes);
        let text = String::from_utf8_lossy(bytes);
        for level in levels() {
            let (told, stopped) = walked(level, bytes);
            assert_eq!(told, expected[..told.len()], "{text:?} {level:?}");
            let next = expected.get(told.len()).map_or(malformed, |row| row.0);
            assert_eq!(stopped, next, "{text:?} {level:?}");
            if malformed == bytes.len() {
                assert_eq!(stopped, malformed, "{text:?} {level:?}");
            }
        }
    }

    #[test]
    fn rows_are_those_that_are_split() {
        let cases = [
            "",
            "\n",
            "\r\n",
            "a,b\n",
            "a,\"b\"\r\n",
            "\"a,\"\"b\"\"\",c\n\"\",\n",
            "\"a\nb\r\nc\",d\r\n\"\"\"\"\n",
            "a",
            "a\r",
            "\"a\"",
            "a\"b\n",
            "\"a\"b\n",
            "a\rb\n",
            "a,b\n\"open\n",
        ];
        for case in cases {
            for length in [0, 60, 61, 62, 63, 64, 65] {
                let text = format!("{}{case}", "x\n".repeat(length));
                check(text.as_bytes());
                let text = format!("{}\n{case}", "x".repeat(length));
                check(text.as_bytes());
            }
        }
    }

    #[test]
    fn rows_end_behind_even_numbers_of_quotes() {
        let cases = [
            ("nothing", "", 0, 0),
            ("no row ends", "a,b", 0, 0),
            ("after the last LF", "a\nb\nc", 2, 4),
            ("all of it", "a\nb\n", 2, 4),
            ("not in an open quote", "a\n\"b\nc\nd", 1, 2),
            ("not in a closed quote", "a\n\"b\nc\nd\"", 1, 2),
            ("behind a doubled quote", "\"a\"\"\nb\"\nc", 1, 8),
            ("only an open quote", "\"a\nb\n", 0, 0),
        ];
        for (name, text, rows, end) in cases {
            for level in levels() {
                let found = row_ends_at(level, text.as_bytes());
                assert_eq!(found, RowEnds { rows, end }, "{name} {level:?}");
            }
            // The same where steps end in it.
            for before in 1..=STEP {
                let text = format!("{}\n{text}", "x".repeat(before - 1));
                let expected = RowEnds {
                    rows: rows + 1,
                    end: before + end,
                };
                assert_eq!(
                    row_ends(text.as_bytes()),
                    expected,
                    "{name} behind {before}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn rows_end_where_splitting_says(
            text in "((\"([a,\n]|\"\"|\r\n){0,40}\"|[a-c]{0,9})(,|,|\n|\r\n)){0,40}",
        ) {
            let (rows, end) = split(text.as_bytes());
            for level in levels() {
                let found = row_ends_at(level, text.as_bytes());
                prop_assert_eq!(found, RowEnds { rows: rows.len() as u64, end });
            }
        }

        #[test]
        fn a_walk_finds_what_splitting_finds(
            text in "((\"([a,\n]|\"\"|\r\n){0,40}\"|[a-c]{0,9})(,|,|\n|\r\n)){0,40}",
        ) {
            check(text.as_bytes());
        }

        #[test]
        fn whatever_is_malformed_stops_a_walk(text in "(a|\"|,|\n|\r|\r\n|aaaaaaaaaaaaaaaa){0,90}") {
            check(text.as_bytes());
        }
    }
}
