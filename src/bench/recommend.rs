//! Which point to take: a sentence with its reason.

use super::point::Point;
use super::result::{PointResult, Recommendation};
use super::statistics::Ratio;

/// A point is as fast as the fastest where its median is not slower by more than this part.
const AS_FAST: f64 = 0.02;

/// Files are as few as the fewest where they are not more by more than this part.
const AS_FEW: f64 = 0.25;

/// The point to take; none where nothing was measured.
///
/// Of several gzip levels it is the one whose fastest point has the smallest product of time and size. Among that
/// level's points those are taken that are as fast as the fastest, or slower by no more than their noise; of these those with the fewest files, more or
/// less; of these the smallest batches, because what fails or is resumed is redone by batches; then the fewest threads.
pub fn recommend(points: &[PointResult]) -> Option<Recommendation> {
    let fastest_of = |level: u32| {
        let points = points.iter().filter(move |of| of.point.gzip_level == level);
        points.min_by(|a, b| a.wall.median.total_cmp(&b.wall.median))
    };
    let mut levels: Vec<u32> = points.iter().map(|point| point.point.gzip_level).collect();
    levels.sort_unstable();
    levels.dedup();
    let cost = |point: &PointResult| point.wall.median * point.bytes as f64;
    let fastest = levels
        .iter()
        .filter_map(|level| fastest_of(*level))
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))?;
    let as_fast: Vec<&PointResult> = points
        .iter()
        .filter(|of| of.point.gzip_level == fastest.point.gzip_level)
        .filter(|of| is_close(of, fastest) || is_noise(of, fastest))
        .collect();
    let fewest = as_fast.iter().map(|point| point.files).min()?;
    let best = as_fast
        .iter()
        .filter(|point| point.files as f64 <= fewest as f64 * (1.0 + AS_FEW))
        .min_by_key(|point| (point.point.batch_size, point.point.threads))?;
    let others = Others { points, best };
    let among = if levels.len() > 1 {
        " of its level"
    } else {
        ""
    };
    let speed = match best.point == fastest.point {
        true => format!("the fastest{among}"),
        false if is_close(best, fastest) => format!(
            "within {:.1} % of the fastest{among}",
            (best.wall.median / fastest.wall.median - 1.0) * 100.0
        ),
        false => format!("not slower than the fastest{among} beyond the noise"),
    };
    let reasons: Vec<String> = [others.files(), others.batches(), others.level(&levels)]
        .into_iter()
        .flatten()
        .collect();
    Some(Recommendation {
        point: best.point,
        reason: format!(
            "{}: {speed}{}",
            title(&best.point, points),
            reasons
                .iter()
                .map(|reason| format!(", {reason}"))
                .collect::<String>()
        ),
    })
}

/// True where the medians are next to each other.
fn is_close(point: &PointResult, fastest: &PointResult) -> bool {
    point.wall.median <= fastest.wall.median * (1.0 + AS_FAST)
}

/// True where there are enough runs to tell a difference from noise, and there is none.
fn is_noise(point: &PointResult, fastest: &PointResult) -> bool {
    let walls = |point: &PointResult| -> Vec<f64> {
        point.runs.iter().map(|run| run.timings.wall).collect()
    };
    Ratio::of(&walls(fastest), &walls(point))
        .is_some_and(|ratio| ratio.interval.is_some() && !ratio.is_change())
}

/// The point by what it does not share with all others.
fn title(point: &Point, points: &[PointResult]) -> String {
    let differs = |same: &dyn Fn(&Point) -> bool| points.iter().any(|other| !same(&other.point));
    let mut title = format!("batch size {}", point.batch_size);
    if differs(&|other| other.threads == point.threads) {
        title.push_str(&match point.threads {
            1 => ", 1 thread".to_owned(),
            count => format!(", {count} threads"),
        });
    }
    if differs(&|other| other.gzip_level == point.gzip_level) {
        title.push_str(&format!(", gzip level {}", point.gzip_level));
    }
    if differs(&|other| other.batched == point.batched) {
        title.push_str(if point.batched {
            ", batched"
        } else {
            ", unbatched"
        });
    }
    title
}

/// The points that the best one is better than.
struct Others<'a> {
    points: &'a [PointResult],
    best: &'a PointResult,
}

impl Others<'_> {
    /// Points that differ from the best one in nothing but the batch size.
    fn sizes(&self) -> impl Iterator<Item = &PointResult> {
        let best = self.best.point;
        self.points.iter().filter(move |other| {
            let sized = Point {
                batch_size: best.batch_size,
                ..other.point
            };
            sized == best && other.point != best
        })
    }

    /// How many files fewer than the next smaller batch size that makes more of them.
    fn files(&self) -> Option<String> {
        let smaller = self
            .sizes()
            .filter(|other| other.point.batch_size < self.best.point.batch_size)
            .filter(|other| other.files > self.best.files)
            .max_by_key(|other| other.point.batch_size)?;
        Some(format!(
            "{} files where {} makes {}",
            self.best.files, smaller.point.batch_size, smaller.files
        ))
    }

    /// What larger batches would not gain.
    fn batches(&self) -> Option<String> {
        let larger = self
            .sizes()
            .filter(|other| other.point.batch_size > self.best.point.batch_size)
            .min_by(|a, b| a.wall.median.total_cmp(&b.wall.median))?;
        let gain = 1.0 - larger.wall.median / self.best.wall.median;
        Some(match gain > 0.0 {
            true => format!("larger batches gain {:.1} % at the most", gain * 100.0),
            false => "larger batches gain nothing".to_owned(),
        })
    }

    /// Why this gzip level.
    fn level(&self, levels: &[u32]) -> Option<String> {
        (levels.len() > 1).then(|| {
            format!(
                "and gzip level {} has the smallest product of time and size",
                self.best.point.gzip_level
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::bench::result::{Run, Written};
    use crate::timings::Times;

    fn point(
        batch_size: u32,
        threads: u16,
        gzip_level: u32,
        wall: f64,
        files: u64,
        bytes: u64,
    ) -> PointResult {
        let point = Point {
            batch_size: NonZeroU32::new(batch_size).unwrap(),
            threads,
            gzip_level,
            batched: true,
        };
        let written = Written {
            records: 1000,
            ndjson_bytes: 1_000_000,
            bytes,
            files,
        };
        let run = Run {
            timings: Times {
                wall,
                ..Times::default()
            },
            peak_memory_bytes: None,
        };
        PointResult::of(point, written, vec![run]).unwrap()
    }

    fn reason(points: &[PointResult]) -> String {
        recommend(points).unwrap().reason
    }

    #[test]
    fn as_fast_with_few_files_and_small_batches_is_best() {
        let points = [
            point(50, 2, 6, 2.0, 400, 1),
            point(100, 2, 6, 1.5, 200, 1),
            point(1000, 2, 6, 1.01, 30, 1),
            point(5000, 2, 6, 1.0, 28, 1),
        ];
        assert_eq!(
            reason(&points),
            "batch size 1000: within 1.0 % of the fastest, 30 files where 100 makes 200, \
             larger batches gain 1.0 % at the most"
        );
        let points = [point(100, 1, 6, 2.0, 200, 1), point(100, 2, 6, 1.0, 200, 1)];
        assert_eq!(reason(&points), "batch size 100, 2 threads: the fastest");
    }

    #[test]
    fn what_cannot_be_told_from_noise_counts_as_fast() {
        let with_runs = |batch_size, files, walls: [f64; 5]| {
            let mut point = point(batch_size, 2, 6, 1.0, files, 1);
            let first = point.runs[0].clone();
            let run = |wall| Run {
                timings: Times {
                    wall,
                    ..Times::default()
                },
                ..first.clone()
            };
            let written = Written {
                records: 1000,
                ndjson_bytes: 1_000_000,
                bytes: 1,
                files,
            };
            point.runs = walls.map(run).to_vec();
            PointResult::of(point.point, written, point.runs).unwrap()
        };
        let fastest = with_runs(100, 200, [1.0, 1.2, 1.5, 1.9, 2.4]);
        let noisy = with_runs(1000, 30, [1.1, 1.3, 1.6, 1.8, 2.6]);
        assert_eq!(
            reason(&[fastest.clone(), noisy]),
            "batch size 1000: not slower than the fastest beyond the noise, 30 files where 100 makes 200"
        );
        let slower = with_runs(1000, 30, [3.1, 3.3, 3.6, 3.8, 3.6]);
        assert_eq!(
            reason(&[fastest, slower]),
            "batch size 100: the fastest, larger batches gain nothing"
        );
    }

    #[test]
    fn of_several_levels_time_and_size_decide() {
        let points = [
            point(100, 2, 1, 1.0, 20, 200),
            point(100, 2, 3, 1.3, 20, 140),
            point(100, 2, 9, 4.0, 20, 130),
        ];
        assert_eq!(
            reason(&points),
            "batch size 100, gzip level 3: the fastest of its level, and gzip level 3 has the smallest product of time and size"
        );
        assert_eq!(recommend(&[]), None);
    }
}
