//! The rows of a block of COPY text, split into fields with the machine's widest registers.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

use super::row_walk::{RowWalk, STEP, WalkedRow, step_at};

/// Hands each row of `bytes` to `each`. The last may lack its line end. True if a byte is zero, which no text of PostgreSQL has.
///
/// Costs one search through the bytes with the machine's widest registers, and per row what `each` does.
pub fn walk_rows(bytes: &[u8], mut each: impl FnMut(&WalkedRow<'_>)) -> bool {
    walk_at(Level::new(), bytes, &mut each)
}

fn walk_at(level: Level, bytes: &[u8], each: &mut impl FnMut(&WalkedRow<'_>)) -> bool {
    dispatch!(level, simd => walk(simd, bytes, each))
}

#[inline(always)]
fn walk<S: Simd>(simd: S, bytes: &[u8], each: &mut impl FnMut(&WalkedRow<'_>)) -> bool {
    let mut walk = RowWalk::new(bytes);
    let mut least = u8x64::splat(simd, u8::MAX);
    let (whole, rest) = bytes.as_chunks::<STEP>();
    for base in (0..bytes.len()).step_by(STEP) {
        let step = u8x64::simd_from(simd, step_at(bytes, base));
        if base < STEP * whole.len() {
            least = least.min(step);
        }
        let line_feeds = step.simd_eq(b'\n').to_bitmask();
        let tabs = step.simd_eq(b'\t').to_bitmask();
        walk.step(base, tabs | line_feeds, line_feeds, each);
    }
    walk.last(each);
    least.simd_eq(0).to_bitmask() != 0 || rest.contains(&0)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::codec::copy_text;
    use crate::snapshot::codec::row_walk::{bytes_with_ends, levels};

    /// What is told of each row: where it is, and where its fields are.
    type Told = (Range<usize>, Vec<Range<usize>>);

    fn walked(level: Level, bytes: &[u8]) -> Vec<Told> {
        let mut rows = Vec::new();
        let has_zero = walk_at(level, bytes, &mut |row: &WalkedRow<'_>| {
            assert_eq!(row.place(row.fields()), None);
            let fields = (0..row.fields()).filter_map(|field| row.place(field));
            rows.push((row.range(), fields.collect()));
        });
        assert_eq!(has_zero, bytes.contains(&0));
        rows
    }

    fn split(bytes: &[u8]) -> Vec<Told> {
        let (mut rows, mut fields) = (Vec::new(), Vec::new());
        let mut split = copy_text::CopyRows::new(bytes);
        while let Some(range) = split.next_row(&mut fields) {
            rows.push((range, fields.clone()));
        }
        rows
    }

    #[test]
    fn rows_are_those_that_are_split_wherever_a_step_ends() {
        for length in 0..150 {
            for every in [1, 2, 7, 63, 64, 65] {
                let bytes = bytes_with_ends(length, every);
                for level in levels() {
                    assert_eq!(
                        walked(level, &bytes),
                        split(&bytes),
                        "{length} bytes, every {every}, {level:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_go_on_where_some_were_handed_on() {
        for every in [1, 2, 7, 63] {
            let bytes = bytes_with_ends(100_000, every);
            for level in levels() {
                assert!(walked(level, &bytes) == split(&bytes), "{every} {level:?}");
            }
        }
    }

    #[test]
    fn a_zero_byte_is_seen_wherever_it_stands() {
        for length in [1, 63, 64, 65, 200] {
            for place in 0..length {
                let mut bytes = bytes_with_ends(length, 7);
                bytes[place] = 0;
                for level in levels() {
                    assert!(
                        walk_at(level, &bytes, &mut |_: &WalkedRow<'_>| {}),
                        "{place} of {length}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_splitting_finds(text in "([a-c]{0,9}[\t\t\t\n]){0,80}[ab\t]{0,3}") {
            let expected = split(text.as_bytes());
            for level in levels() {
                prop_assert_eq!(&walked(level, text.as_bytes()), &expected);
            }
        }
    }
}
