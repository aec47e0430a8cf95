//! What changed between two benches, beyond their noise.

use super::point::Point;
use super::result::{BenchResult, PointResult};
use super::statistics::Ratio;

/// Two benches held against each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// Points that both have, in the first one's order.
    pub points: Vec<PointChange>,
    pub only_in_first: Vec<Point>,
    pub only_in_second: Vec<Point>,
    /// What the benches do not share though a comparison of speed would need it.
    pub differences: Vec<String>,
}

/// What changed of a point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PointChange {
    pub point: Point,
    pub measures: Vec<Change>,
}

/// What changed of one measure of a point: medians, and how many times as large the second is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub measure: Measure,
    pub first: f64,
    pub second: f64,
    /// `None` where a measure is 0.
    pub ratio: Option<Ratio>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Seconds.
    Wall,
    /// Seconds, of all phases.
    Cpu,
    /// Bytes.
    PeakMemory,
    /// Bytes of the relations' compressed files. Exact: without noise.
    Bytes,
    /// Exact: without noise.
    Files,
}

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Measure::Wall => "wall",
            Measure::Cpu => "CPU",
            Measure::PeakMemory => "peak memory",
            Measure::Bytes => "size",
            Measure::Files => "files",
        }
    }
}

impl Change {
    /// True where the second is larger by more than so many per cent, and not by chance.
    pub(crate) fn is_slower_by(&self, percent: f64) -> bool {
        self.ratio
            .is_some_and(|ratio| ratio.is_change() && ratio.estimate > 1.0 + percent / 100.0)
    }
}

impl Comparison {
    /// Compares two results.
    pub(crate) fn of(first: &BenchResult, second: &BenchResult) -> Comparison {
        let find = |result: &BenchResult, point: Point| -> Option<PointResult> {
            let mut points = result.points.iter();
            points.find(|other| other.point == point).cloned()
        };
        let only = |one: &BenchResult, other: &BenchResult| -> Vec<Point> {
            let points = one.points.iter().map(|point| point.point);
            points
                .filter(|point| find(other, *point).is_none())
                .collect()
        };
        Comparison {
            points: first
                .points
                .iter()
                .filter_map(|one| Some(changes(one, &find(second, one.point)?)))
                .collect(),
            only_in_first: only(first, second),
            only_in_second: only(second, first),
            differences: differences(first, second),
        }
    }

    /// Points of which the wall time grew by more than so many per cent, and not by chance.
    pub(crate) fn slower_by(&self, percent: f64) -> Vec<Point> {
        let wall = |point: &PointChange| {
            let mut measures = point.measures.iter();
            measures.any(|change| change.measure == Measure::Wall && change.is_slower_by(percent))
        };
        let slower = self.points.iter().filter(|point| wall(point));
        slower.map(|point| point.point).collect()
    }

    /// Why the second bench cannot say whether the first one's points became slower: it measured something else, or not all
    /// of them. `None` where it can.
    pub(crate) fn says_nothing(&self) -> Option<String> {
        let mut differences = self.differences.iter();
        let other =
            differences.find(|found| [OTHER_RECORDS, OTHER_PARTS].contains(&found.as_str()));
        let missing = self.only_in_first.first();
        other
            .cloned()
            .or_else(|| missing.map(|point| format!("the second has not measured {point}")))
    }

    /// Points with too few runs to tell a change of their wall time from noise.
    pub(crate) fn too_few_runs(&self) -> Vec<Point> {
        let unsure = |point: &PointChange| {
            let mut measures = point.measures.iter();
            measures.any(|change| {
                change.measure == Measure::Wall
                    && change.ratio.is_none_or(|ratio| ratio.interval.is_none())
            })
        };
        let points = self.points.iter().filter(|point| unsure(point));
        points.map(|point| point.point).collect()
    }
}

/// Differences with which one speed says nothing of the other.
const OTHER_RECORDS: &str = "the records that were written differ";
const OTHER_PARTS: &str = "one measured whole exports, the other only the writing of rows";

fn changes(first: &PointResult, second: &PointResult) -> PointChange {
    let measured = |measure, of: fn(&super::Run) -> Option<f64>| -> Option<Change> {
        let values =
            |point: &PointResult| -> Option<Vec<f64>> { point.runs.iter().map(of).collect() };
        let (a, b) = (values(first)?, values(second)?);
        Some(Change {
            measure,
            first: super::statistics::median(&a)?,
            second: super::statistics::median(&b)?,
            ratio: Ratio::of(&a, &b),
        })
    };
    // One value stands for all runs, and differs or does not.
    let exact = |measure, a: u64, b: u64| Change {
        measure,
        first: a as f64,
        second: b as f64,
        ratio: (a > 0).then(|| Ratio {
            estimate: b as f64 / a as f64,
            interval: Some((b as f64 / a as f64, b as f64 / a as f64)),
        }),
    };
    let measures = [
        measured(Measure::Wall, |run| Some(run.timings.wall)),
        measured(Measure::Cpu, |run| Some(run.timings.cpu())),
        measured(Measure::PeakMemory, |run| {
            run.peak_memory_bytes.map(|peak| peak as f64)
        }),
        Some(exact(Measure::Bytes, first.bytes, second.bytes)),
        Some(exact(Measure::Files, first.files, second.files)),
    ];
    PointChange {
        point: first.point,
        measures: measures.into_iter().flatten().collect(),
    }
}

fn differences(first: &BenchResult, second: &BenchResult) -> Vec<String> {
    let (a, b) = (first, second);
    let mut found = Vec::new();
    let mut note = |differs: bool, text: &str| {
        if differs {
            found.push(text.to_owned());
        }
    };
    note(a.machine != b.machine, "the machines differ");
    note(
        a.snapshot.fingerprint != b.snapshot.fingerprint,
        "the snapshots differ",
    );
    note(a.content != b.content, OTHER_RECORDS);
    note(a.options.from != b.options.from, OTHER_PARTS);
    note(
        a.options.memory_limit_bytes != b.options.memory_limit_bytes,
        "the memory limits differ",
    );
    if a.generator != b.generator {
        found.push(format!("{} against {}", a.generator, b.generator));
    }
    found
}
