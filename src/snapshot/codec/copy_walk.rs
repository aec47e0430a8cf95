//! The rows of a block of COPY text, with those fields that are asked for.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

use super::row_walk::{RowWalk, STEP, WalkedRow, WantedFields, step_at};

/// Hands each row of `bytes` to `each`. The last may lack its line end.
///
/// Costs one search through the bytes with the machine's widest registers, and per row what `each` does.
pub fn walk_rows(bytes: &[u8], wanted: &WantedFields, mut each: impl FnMut(&WalkedRow<'_>)) {
    walk_at(Level::new(), bytes, wanted, &mut each);
}

fn walk_at(
    level: Level,
    bytes: &[u8],
    wanted: &WantedFields,
    each: &mut impl FnMut(&WalkedRow<'_>),
) {
    dispatch!(level, simd => walk(simd, bytes, wanted, each));
}

#[inline(always)]
fn walk<S: Simd>(
    simd: S,
    bytes: &[u8],
    wanted: &WantedFields,
    each: &mut impl FnMut(&WalkedRow<'_>),
) {
    let mut walk = RowWalk::new(bytes, wanted);
    for base in (0..bytes.len()).step_by(STEP) {
        let step = u8x64::simd_from(simd, step_at(bytes, base));
        let line_feeds = step.simd_eq(b'\n').to_bitmask();
        let tabs = step.simd_eq(b'\t').to_bitmask();
        walk.step(base, tabs | line_feeds, line_feeds, each);
    }
    walk.last(each);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::codec::copy_text;
    use crate::snapshot::codec::row_walk::{bytes_with_ends, levels};

    /// What a walk tells of each row: where it is, how many fields it has, and the wanted ones.
    type Told = (std::ops::Range<usize>, usize, Vec<Option<Vec<u8>>>);

    fn walked(level: Level, bytes: &[u8], wanted: &[usize]) -> Vec<Told> {
        let mut rows = Vec::new();
        let fields = WantedFields::new(wanted.iter().copied());
        walk_at(level, bytes, &fields, &mut |row: &WalkedRow<'_>| {
            let fields = wanted
                .iter()
                .map(|field| row.field(*field).map(<[u8]>::to_vec));
            rows.push((row.range(), row.fields(), fields.collect()));
        });
        rows
    }

    fn split(bytes: &[u8], wanted: &[usize]) -> Vec<Told> {
        let (mut rows, mut fields) = (Vec::new(), Vec::new());
        let mut split = copy_text::CopyRows::new(bytes);
        while let Some(range) = split.next_row(&mut fields) {
            let wanted = wanted.iter().map(|field| {
                fields
                    .get(*field)
                    .map(|range| bytes[range.clone()].to_vec())
            });
            rows.push((range, fields.len(), wanted.collect()));
        }
        rows
    }

    #[test]
    fn rows_are_those_that_are_split_wherever_a_step_ends() {
        for length in 0..150 {
            for every in [1, 2, 7, 63, 64, 65] {
                let bytes = bytes_with_ends(length, every);
                let wanted = [0, 1, 5];
                for level in levels() {
                    assert_eq!(
                        walked(level, &bytes, &wanted),
                        split(&bytes, &wanted),
                        "{length} bytes, every {every}, {level:?}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_splitting_finds(
            text in "([a-c]{0,9}[\t\t\t\n]){0,80}[ab\t]{0,3}",
            wanted in proptest::collection::vec(0usize..30, 0..6),
        ) {
            let expected = split(text.as_bytes(), &wanted);
            for level in levels() {
                prop_assert_eq!(&walked(level, text.as_bytes(), &wanted), &expected);
            }
        }
    }
}
