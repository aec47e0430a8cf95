//! Cutting a row of things into ranges of like weight.

use std::ops::Range;

/// Cuts things with these weights into at most `most` ranges, which have them in their order. No range is empty, and there are
/// as many as there may be: each gets what comes nearest to its share of what is left.
pub(super) fn ranges(weights: &[u64], most: usize) -> Vec<Range<usize>> {
    let count = most.max(1).min(weights.len());
    let sum = |weights: &[u64]| weights.iter().copied().map(u128::from).sum::<u128>();
    let mut left = sum(weights);
    let mut begin = 0;
    let mut ranges = Vec::with_capacity(count);
    for shares in (1..=count).rev() {
        // Each of those behind it gets one thing at least.
        let last = weights.len() - (shares - 1);
        let (mut end, mut taken) = (begin, 0);
        while end < last {
            let weight = u128::from(weights[end]);
            // Twice the share, so that half a thing too much is as bad as half a thing too little.
            let is_nearer = (2 * taken + weight) * shares as u128 <= 2 * left;
            if end > begin && !is_nearer && shares > 1 {
                break;
            }
            taken += weight;
            end += 1;
        }
        left -= taken;
        ranges.push(begin..end);
        begin = end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_like_weights_and_none_is_empty() {
        // With the ends that are expected.
        type Case<'a> = (&'a str, &'a [u64], usize, &'a [usize]);
        let cases: [Case<'_>; 12] = [
            ("nothing", &[], 3, &[]),
            ("one thing", &[5], 3, &[1]),
            ("one range", &[5, 6, 7], 1, &[3]),
            ("no range is one", &[5, 6], 0, &[2]),
            ("as many as things", &[1, 100, 1], 3, &[1, 2, 3]),
            ("more than things", &[1, 100, 1], 100, &[1, 2, 3]),
            ("equal ones", &[1; 6], 3, &[2, 4, 6]),
            ("equal ones that do not go up", &[1; 7], 3, &[2, 5, 7]),
            ("a large one first", &[90, 5, 5, 5, 5], 3, &[1, 3, 5]),
            ("a large one last", &[5, 5, 5, 5, 90], 3, &[3, 4, 5]),
            ("a large one within", &[1, 1, 90, 1, 1], 2, &[3, 5]),
            ("no weight", &[0, 0, 0], 2, &[2, 3]),
        ];
        for (name, weights, most, expected) in cases {
            let ends = ranges(weights, most).into_iter().map(|range| range.end);
            assert_eq!(ends.collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn every_thing_is_in_one_range_whatever_the_weights() {
        let weights: Vec<u64> = (0..200_u64).map(|n| n * n * 7919 % 1013).collect();
        for count in 0..weights.len() {
            for most in [1, 2, 3, 7, 50, 199, 200, 1000] {
                let weights = &weights[..count];
                let cut = ranges(weights, most);
                assert_eq!(cut.len(), most.min(count));
                assert!(cut.iter().all(|range| !range.is_empty()));
                let all: Vec<usize> = cut.iter().cloned().flatten().collect();
                assert_eq!(all, (0..count).collect::<Vec<_>>());
            }
        }
        let largest = [u64::MAX; 5];
        assert_eq!(ranges(&largest, 5).len(), 5);
        let sums = ranges(&weights, 8);
        let sums = sums.into_iter().map(|range| weights[range].iter().sum());
        let sums: Vec<u64> = sums.collect();
        let share = weights.iter().sum::<u64>() / 8;
        assert!(
            sums.iter().all(|sum| sum.abs_diff(share) < 2 * 1013),
            "{sums:?}"
        );
    }
}
