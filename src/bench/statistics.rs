//! Statistics of a few runs: medians, spread, outliers, and what two sets of runs say of each other.
//!
//! Times of runs are not normally distributed: there is a shortest possible time, and disturbances only add to it. So
//! everything here is made of ranks: medians, the median absolute deviation, and for comparisons the interval that
//! the Mann-Whitney test gives for the shift between two samples (Hodges and Lehmann 1963), which is exact for samples
//! as small as 4 and 4.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run is an outlier where it is further from the median than so many robust standard deviations, as in hyperfine.
const OUTLIER: f64 = 10.0;

/// A median absolute deviation of normally distributed values is their standard deviation divided by this.
const DEVIATIONS: f64 = 1.4826;

/// Runs that it takes to call one of them an outlier.
const FEW: usize = 5;

/// Runs of each point that it takes to tell a difference from noise.
pub(crate) const ENOUGH_RUNS: usize = 4;

/// The part of cases in which an interval may miss.
const MISS: f64 = 0.05;

/// How the runs of a point lie, in the unit of what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Spread {
    pub median: f64,
    pub mean: f64,
    /// Of the sample; none of a single run.
    pub standard_deviation: Option<f64>,
    pub min: f64,
    pub max: f64,
    /// The runs, from 1, that are further from the median than 10 robust standard deviations (1.4826 times the median
    /// absolute deviation); none of fewer than 5 runs.
    pub outliers: Vec<usize>,
}

impl Spread {
    /// `None` of no values at all.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let median = median(values)?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Spread {
            median,
            mean,
            standard_deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            outliers: outliers(values, median),
        })
    }
}

/// The middle of the values, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(match sorted.len() % 2 {
        1 => upper,
        _ => (sorted[sorted.len() / 2 - 1] + upper) / 2.0,
    })
}

fn outliers(values: &[f64], median_value: f64) -> Vec<usize> {
    let deviations: Vec<f64> = values
        .iter()
        .map(|value| (value - median_value).abs())
        .collect();
    let deviation = median(&deviations).unwrap_or_default();
    // Of fewer runs some lie close together by chance, and the others would all seem far away.
    if values.len() < FEW {
        return Vec::new();
    }
    // Where most runs took the same time to the clock's last digit, no other distance means anything.
    if deviation == 0.0 {
        return Vec::new();
    }
    let is_out = |distance: f64| distance / (DEVIATIONS * deviation) > OUTLIER;
    let runs = deviations.iter().enumerate();
    runs.filter(|(_, distance)| is_out(**distance))
        .map(|(run, _)| run + 1)
        .collect()
}

/// How many times as large the values of one sample are as those of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// The median of the ratios of all pairs.
    pub estimate: f64,
    /// Where it lies with a probability of at least 95 %; `None` where the samples are too small to say so.
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Of `b` to `a`; `None` where one is empty or not positive.
    pub(crate) fn of(a: &[f64], b: &[f64]) -> Option<Ratio> {
        if a.iter().chain(b).any(|value| *value <= 0.0) {
            return None;
        }
        let mut ratios: Vec<f64> = b
            .iter()
            .flat_map(|b| a.iter().map(move |a| b / a))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let estimate = median(&ratios)?;
        let left_out = left_out(a.len(), b.len());
        let interval =
            left_out.map(|left_out| (ratios[left_out - 1], ratios[ratios.len() - left_out]));
        Some(Ratio { estimate, interval })
    }

    /// True where the interval leaves out 1: the samples differ beyond their noise.
    pub(crate) fn is_change(&self) -> bool {
        self.interval
            .is_some_and(|(low, high)| low > 1.0 || high < 1.0)
    }
}

/// The rank, from 1, of the pair with which the interval begins: as many pairs are left out at its other end.
fn left_out(a: usize, b: usize) -> Option<usize> {
    let ways = orders(a, b);
    let all: f64 = ways.iter().sum();
    let mut below = 0.0;
    let mut rank = 0;
    for ways in ways {
        below += ways;
        if below / all > MISS / 2.0 {
            break;
        }
        rank += 1;
    }
    (rank > 0).then_some(rank)
}

/// In how many orders of both samples so many pairs are the wrong way round, by that number: the distribution of
/// Mann and Whitney's U, which is the Gaussian binomial coefficient.
fn orders(a: usize, b: usize) -> Vec<f64> {
    let mut ways = vec![0.0; a * b + 1];
    ways[0] = 1.0;
    for factor in 1..=a {
        // Times 1 - x^(b + factor), divided by 1 - x^factor.
        for place in (b + factor..ways.len()).rev() {
            ways[place] -= ways[place - b - factor];
        }
        for place in factor..ways.len() {
            ways[place] += ways[place - factor];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spread() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.median, spread.mean), (4.5, 5.0));
        assert_eq!((spread.min, spread.max), (2.0, 9.0));
        // The sum of squares is 32, over 7.
        assert!((spread.standard_deviation.unwrap() - (32f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[1.0]).unwrap().standard_deviation, None);
    }

    #[test]
    fn a_run_far_from_the_others_is_an_outlier() {
        // The median is 1.02, the median absolute deviation 0.01: out is what is further away than 0.148.
        for (last, outliers) in [(1.16, vec![]), (1.18, vec![5]), (0.85, vec![5])] {
            let values = [1.01, 1.02, 1.03, 1.02 + 0.02, last];
            let spread = Spread::of(&values).unwrap();
            if last > 1.0 {
                assert_eq!(spread.median, 1.03);
            }
            assert_eq!(spread.outliers, outliers, "{last}");
        }
        assert_eq!(
            Spread::of(&[1.0, 1.0, 1.0, 1.0, 9.0]).unwrap().outliers,
            [0; 0]
        );
    }

    #[test]
    fn orders_are_those_of_published_tables() {
        // 4 and 4: 70 orders, of which 1, 1, 2, 3 have 0, 1, 2, 3 pairs the wrong way round.
        assert_eq!(orders(4, 4)[..4], [1.0, 1.0, 2.0, 3.0]);
        assert_eq!(orders(4, 4).iter().sum::<f64>(), 70.0);
        assert_eq!(orders(3, 5), orders(5, 3));
        // Critical values of U at 5 % on both sides together: 0 for 4 and 4, 2 for 5 and 5, 23 for 10 and 10, none for 3
        // and 3. The interval begins at the pair behind them.
        assert_eq!(left_out(3, 3), None);
        assert_eq!(left_out(4, 4), Some(1));
        assert_eq!(left_out(5, 5), Some(3));
        assert_eq!(left_out(10, 10), Some(24));
    }

    #[test]
    fn a_change_is_told_from_noise() {
        let before = [1.00, 1.01, 1.02, 1.03, 1.04];
        let same = Ratio::of(&before, &[1.005, 1.015, 1.02, 1.025, 1.035]).unwrap();
        assert!(!same.is_change(), "{same:?}");
        let slower: Vec<f64> = before.iter().map(|value| value * 1.1).collect();
        let slower = Ratio::of(&before, &slower).unwrap();
        assert!(slower.is_change(), "{slower:?}");
        assert!((slower.estimate - 1.1).abs() < 1e-9);
        let (low, high) = slower.interval.unwrap();
        assert!(low < 1.1 && high > 1.1);
        assert_eq!(
            Ratio::of(&[1.0, 1.1], &[2.0, 2.1]).unwrap().interval,
            None,
            "two runs say nothing"
        );
        assert_eq!(Ratio::of(&[], &[1.0]), None);
        assert_eq!(Ratio::of(&[0.0], &[1.0]), None);
    }
}
