//! Which point to take: a sentence with its reason, or that there is no difference.

use indicatif::HumanBytes;

use super::point::Point;
use super::result::{PointResult, Recommendation};
use super::statistics::{ENOUGH_RUNS, Ratio};

/// A point is as fast as the fastest where its median is not slower by more than this part.
const AS_FAST: f64 = 0.02;

/// Files are as few as the fewest where they are not more by more than this part.
const AS_FEW: f64 = 0.25;

/// The point to take; none where nothing was measured.
///
/// Of several gzip levels it is the one whose fastest point has the smallest product of time and size. Among that
/// level's points those are taken that are as fast as the fastest, or slower by no more than their noise; of these those with the fewest files, more or
/// less; of these the smallest batches, because what fails or is resumed is redone by batches; then the fewest threads.
pub(crate) fn recommend(points: &[PointResult]) -> Option<Recommendation> {
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
    let of_level = points
        .iter()
        .filter(|of| of.point.gzip_level == fastest.point.gzip_level)
        .count();
    let others = Others { points, best };
    let verdict = Verdict {
        best,
        fastest,
        among: if levels.len() > 1 {
            " of its level"
        } else {
            ""
        },
        as_fast: as_fast.len(),
        knows_noise: fewest_runs(points) >= ENOUGH_RUNS,
    };
    let title = title(&best.point, points);
    let (speed, batches) = match (points.len(), as_fast.len() == of_level && of_level > 1) {
        (1, _) => (
            format!("{title}: it is the only one that was measured"),
            None,
        ),
        (_, true) => (
            format!("{}; {title}", verdict.no_difference(of_level)),
            None,
        ),
        (_, false) => (format!("{title}: {}", verdict.speed()), others.batches()),
    };
    let parts = [
        Some(speed),
        others.files(),
        batches,
        others.level(&levels),
        others.memory(),
    ];
    let reason: Vec<String> = parts.into_iter().flatten().collect();
    let caution = caution(points).unwrap_or_default();
    Some(Recommendation {
        point: best.point,
        reason: format!("{}{caution}", reason.join(", ")),
    })
}

/// How the best point stands beside the fastest one.
struct Verdict<'a> {
    best: &'a PointResult,
    fastest: &'a PointResult,
    /// Among which points.
    among: &'static str,
    /// Points that are as fast as the fastest one, itself among them.
    as_fast: usize,
    /// True if there were runs enough to tell a difference from noise.
    knows_noise: bool,
}

impl Verdict<'_> {
    fn speed(&self) -> String {
        let (best, fastest, among) = (self.best, self.fastest, self.among);
        match best.point == fastest.point {
            true if self.as_fast > 1 => format!(
                "the fastest{among}, but not beyond {} of {} other{}",
                self.bound(),
                self.as_fast - 1,
                if self.as_fast == 2 { "" } else { "s" }
            ),
            true => format!("the fastest{among}"),
            false if is_close(best, fastest) => format!(
                "within {:.1} % of the fastest{among}",
                (best.wall.median / fastest.wall.median - 1.0) * 100.0
            ),
            false => format!("not slower than the fastest{among} beyond the noise"),
        }
    }

    fn no_difference(&self, count: usize) -> String {
        let level = match self.among {
            "" => String::new(),
            _ => format!(" with gzip level {}", self.best.point.gzip_level),
        };
        let bound = self.bound();
        format!("no difference in speed beyond {bound} between the {count} combinations{level}")
    }

    /// What a difference must exceed to be one.
    fn bound(&self) -> &'static str {
        match self.knows_noise {
            true => "the noise",
            false => "2 %",
        }
    }
}

fn fewest_runs(points: &[PointResult]) -> usize {
    let runs = points.iter().map(|point| point.runs.len());
    runs.min().unwrap_or_default()
}

/// What so few runs cannot show; `None` of enough, or where nothing is compared.
fn caution(points: &[PointResult]) -> Option<String> {
    let runs = fewest_runs(points);
    if runs >= ENOUGH_RUNS || points.len() < 2 {
        return None;
    }
    let runs = match runs {
        1 => "one run of each".to_owned(),
        runs => format!("{runs} runs of each"),
    };
    Some(format!(
        "; {runs} cannot show what is noise, so a difference may be chance: --runs 5 tells"
    ))
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

    /// What a batch size changes where it makes no files: memory.
    fn memory(&self) -> Option<String> {
        if self.best.point.batched {
            return None;
        }
        let of_size = |point: &&PointResult| point.point.batch_size;
        let all = || self.sizes().chain([self.best]);
        let (smallest, largest) = (all().min_by_key(of_size)?, all().max_by_key(of_size)?);
        if smallest.point == largest.point {
            return None;
        }
        let says = "without --batched the batch size changes memory, not files";
        let peaks = smallest.peak_memory_bytes.zip(largest.peak_memory_bytes);
        Some(match peaks {
            Some((low, high)) => format!(
                "{says} ({} at {}, {} at {})",
                HumanBytes(low),
                smallest.point.batch_size,
                HumanBytes(high),
                largest.point.batch_size
            ),
            None => says.to_owned(),
        })
    }

    /// What larger batches would not gain.
    fn batches(&self) -> Option<String> {
        let larger = self
            .sizes()
            .filter(|other| other.point.batch_size > self.best.point.batch_size)
            .min_by(|a, b| a.wall.median.total_cmp(&b.wall.median))?;
        let gain = 1.0 - larger.wall.median / self.best.wall.median;
        Some(match gain > 0.0 {
            true if is_noise(larger, self.best) => {
                "larger batches gain nothing beyond the noise".to_owned()
            }
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

    /// Runs that lie so close to each other that every difference is one.
    const STEADY: [f64; 5] = [1.0, 1.0001, 1.0002, 1.0003, 1.0004];

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
        with_runs(point, files, bytes, &STEADY.map(|part| part * wall))
    }

    fn with_runs(point: Point, files: u64, bytes: u64, walls: &[f64]) -> PointResult {
        let written = Written {
            records: 1000,
            ndjson_bytes: 1_000_000,
            bytes,
            files,
        };
        let runs = walls.iter().map(|wall| Run {
            timings: Times {
                wall: *wall,
                ..Times::default()
            },
            peak_memory_bytes: Some(u64::from(point.batch_size.get()) << 20),
        });
        PointResult::of(point, written, runs.collect()).unwrap()
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
    fn where_nothing_is_faster_beyond_the_noise_there_is_no_difference() {
        let of_size = |batch_size| Point {
            batch_size: NonZeroU32::new(batch_size).unwrap(),
            threads: 2,
            gzip_level: 6,
            batched: true,
        };
        let fastest = with_runs(of_size(100), 200, 1, &[1.0, 1.2, 1.5, 1.9, 2.4]);
        let noisy = with_runs(of_size(1000), 30, 1, &[1.1, 1.3, 1.6, 1.8, 2.6]);
        assert_eq!(
            reason(&[fastest.clone(), noisy.clone()]),
            "no difference in speed beyond the noise between the 2 combinations; batch size 1000, \
             30 files where 100 makes 200"
        );
        let slow = with_runs(of_size(10), 2000, 1, &[5.0, 5.1, 5.2, 5.3, 5.4]);
        assert_eq!(
            reason(&[fastest.clone(), noisy, slow]),
            "batch size 1000: not slower than the fastest beyond the noise, 30 files where 100 makes 200"
        );
        let slower = with_runs(of_size(1000), 30, 1, &[3.1, 3.3, 3.6, 3.8, 3.6]);
        assert_eq!(
            reason(&[fastest, slower]),
            "batch size 100: the fastest, larger batches gain nothing"
        );
    }

    #[test]
    fn without_batched_the_batch_size_changes_memory() {
        let unbatched = |batch_size: u32, walls: &[f64]| {
            let point = Point {
                batch_size: NonZeroU32::new(batch_size).unwrap(),
                threads: 2,
                gzip_level: 6,
                batched: false,
            };
            with_runs(point, 14, 1, walls)
        };
        let points = [unbatched(50, &STEADY), unbatched(1000, &STEADY)];
        assert_eq!(
            reason(&points),
            "no difference in speed beyond the noise between the 2 combinations; batch size 50, \
             without --batched the batch size changes memory, not files (50.00 MiB at 50, 1000.00 MiB at 1000)"
        );
    }

    #[test]
    fn few_runs_say_what_they_cannot_show() {
        let of_size = |batch_size: u32| Point {
            batch_size: NonZeroU32::new(batch_size).unwrap(),
            threads: 2,
            gzip_level: 6,
            batched: true,
        };
        let one = [
            with_runs(of_size(50), 40, 1, &[1.2]),
            with_runs(of_size(100), 20, 1, &[1.0]),
        ];
        assert_eq!(
            reason(&one),
            "batch size 100: the fastest, 20 files where 50 makes 40; one run of each cannot show what is noise, \
             so a difference may be chance: --runs 5 tells"
        );
        let three = [
            with_runs(of_size(50), 40, 1, &[1.2, 1.3, 1.2]),
            with_runs(of_size(100), 20, 1, &[1.0, 1.1, 1.0]),
        ];
        assert!(reason(&three).contains("; 3 runs of each cannot show"));
        assert_eq!(
            reason(&one[..1]),
            "batch size 50: it is the only one that was measured"
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
