//! What a bench and a comparison say on the terminal.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};

use crate::bench::compare::{Change, Comparison, Measure};
use crate::bench::{BenchResult, PointResult};
use crate::cli::table::{Align, Table};
use crate::visible::visible;

/// Seconds that are shown as more than 0.
const SHOWN: f64 = 0.0005;

/// Columns of a terminal that every table fits into.
const WIDTH: usize = 80;

/// The tables of a result, what is remarkable of its runs, and the recommendation.
pub(crate) fn text(result: &BenchResult) -> String {
    let mut text = points(result);
    text.push('\n');
    text.push_str(&phases(result));
    // Writing to a string cannot fail.
    for point in &result.points {
        let outliers: Vec<String> = point.wall.outliers.iter().map(usize::to_string).collect();
        if !outliers.is_empty() {
            let _ = writeln!(
                text,
                "\noutliers at {}: run {} of {}; something else may have been at work, or --warmup is too low",
                point.point,
                outliers.join(", "),
                point.runs.len()
            );
        }
    }
    if let Some(recommendation) = &result.recommendation {
        let _ = writeln!(text, "\n{}", recommendation.reason);
    }
    let machine = &result.machine;
    let runs = match result.options.runs {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    let _ = writeln!(
        text,
        "\n{runs} of each point{}, {} of {}; {}, {} cores",
        Names::of(result).shared(result),
        result.generator,
        visible(&result.snapshot.source),
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine
            .cores
            .map_or("?".to_owned(), |cores| cores.to_string()),
    );
    text
}

/// Which columns tell a point from the others: what all points share needs none.
struct Names {
    threads: bool,
    level: bool,
    batched: bool,
}

impl Names {
    fn of(result: &BenchResult) -> Names {
        let points = || result.points.iter().map(|point| point.point);
        let first = points().next();
        let differs = |of: fn(&crate::bench::Point) -> u64| {
            points().any(|point| Some(of(&point)) != first.as_ref().map(of))
        };
        Names {
            threads: differs(|point| u64::from(point.threads)),
            level: differs(|point| u64::from(point.gzip_level)),
            batched: differs(|point| u64::from(point.batched)),
        }
    }

    fn columns(&self) -> Vec<(&'static str, Align)> {
        let mut columns = vec![("BATCH SIZE", Align::Right)];
        columns.extend(self.threads.then_some(("THREADS", Align::Right)));
        columns.extend(self.level.then_some(("GZIP", Align::Right)));
        columns.extend(self.batched.then_some(("BATCHED", Align::Left)));
        columns
    }

    fn cells(&self, point: &PointResult) -> Vec<String> {
        let point = point.point;
        let mut cells = vec![point.batch_size.to_string()];
        cells.extend(self.threads.then(|| point.threads.to_string()));
        cells.extend(self.level.then(|| point.gzip_level.to_string()));
        let batched = if point.batched { "yes" } else { "no" };
        cells.extend(self.batched.then(|| batched.to_owned()));
        cells
    }

    /// What all points share, for the line below the tables.
    fn shared(&self, result: &BenchResult) -> String {
        let Some(point) = result.points.first().map(|point| point.point) else {
            return String::new();
        };
        let threads = match point.threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let batched = if point.batched {
            "batched"
        } else {
            "unbatched"
        };
        let shared: Vec<String> = [
            (!self.threads).then_some(threads),
            (!self.level).then(|| format!("gzip level {}", point.gzip_level)),
            (!self.batched).then(|| batched.to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        match shared.is_empty() {
            true => String::new(),
            false => format!(" ({})", shared.join(", ")),
        }
    }
}

/// Seconds with as many digits as a time of that length is worth.
fn seconds(seconds: f64) -> String {
    let digits = match seconds {
        ..10.0 => 3,
        ..100.0 => 2,
        _ => 1,
    };
    format!("{seconds:.digits$}")
}

fn points(result: &BenchResult) -> String {
    let names = Names::of(result);
    let mut columns = names.columns();
    let keys = columns.len();
    columns.extend([
        ("WALL", Align::Right),
        ("± σ", Align::Right),
        ("MIN … MAX", Align::Right),
        ("RECORDS/S", Align::Right),
        ("NDJSON MB/S", Align::Right),
        ("SIZE", Align::Right),
        ("RATIO", Align::Right),
        ("FILES", Align::Right),
        ("MEMORY", Align::Right),
    ]);
    let asks = |point: &PointResult| point.phases.server.is_some();
    if result.points.iter().any(asks) {
        columns.extend([("QUERIES", Align::Right), ("ROUND TRIPS", Align::Right)]);
    }
    let mut table = Table::new(&columns);
    for point in &result.points {
        let deviation = match point.wall.standard_deviation {
            Some(deviation) => format!("{} s", seconds(deviation)),
            None => "-".to_owned(),
        };
        let mut row = names.cells(point);
        row.extend([
            format!("{} s", seconds(point.wall.median)),
            deviation,
            format!(
                "{} … {} s",
                seconds(point.wall.min),
                seconds(point.wall.max)
            ),
            HumanCount(point.records_per_second as u64).to_string(),
            format!("{:.1}", point.ndjson_mb_per_second),
            HumanBytes(point.bytes).to_string(),
            format!("{:.2}", point.ratio),
            HumanCount(point.files).to_string(),
            point
                .peak_memory_bytes
                .map_or("not measured".to_owned(), |peak| {
                    HumanBytes(peak).to_string()
                }),
        ]);
        if let Some(server) = point.phases.server {
            row.extend(
                [server.queries, server.round_trips].map(|calls| HumanCount(calls).to_string()),
            );
        }
        table.row(row);
    }
    table.text_within(WIDTH, keys)
}

/// CPU by phase, and the time in which nothing was computed. Phases that no point has, such as decompression where
/// rows are found once, have no column.
fn phases(result: &BenchResult) -> String {
    let names = Names::of(result);
    let mut columns: Vec<(String, Align)> = names
        .columns()
        .into_iter()
        .map(|(name, align)| (name.to_owned(), align))
        .collect();
    let keys = columns.len();
    let used: Vec<usize> = (0..crate::timings::Times::default().phases().len())
        .filter(|phase| {
            let mut points = result.points.iter();
            points.any(|point| point.phases.phases()[*phase].1 >= SHOWN)
        })
        .collect();
    let known = crate::timings::Times::default().phases();
    columns.push(("CPU".to_owned(), Align::Right));
    columns.extend(
        used.iter()
            .map(|phase| (known[*phase].0.to_uppercase(), Align::Right)),
    );
    columns.push(("WAIT".to_owned(), Align::Right));
    let columns: Vec<(&str, Align)> = columns
        .iter()
        .map(|(name, align)| (name.as_str(), *align))
        .collect();
    let mut table = Table::new(&columns);
    for point in &result.points {
        let mut row = names.cells(point);
        row.push(format!("{} s", seconds(point.cpu.median)));
        let phases = point.phases.phases();
        row.extend(used.iter().map(|phase| seconds(phases[*phase].1)));
        row.push(seconds(point.phases.wait));
        table.row(row);
    }
    table.text_within(WIDTH, keys)
}

/// The tables of a comparison, one for each point, and what else differs.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut text = String::new();
    for point in &comparison.points {
        let mut table = Table::new(&[
            ("MEASURE", Align::Left),
            ("BEFORE", Align::Right),
            ("AFTER", Align::Right),
            ("CHANGE", Align::Right),
            ("95 % INTERVAL", Align::Right),
            ("", Align::Left),
        ]);
        for change in &point.measures {
            table.row([
                change.measure.name().to_owned(),
                value(change.measure, change.first),
                value(change.measure, change.second),
                change
                    .ratio
                    .map_or("-".to_owned(), |ratio| percent(ratio.estimate)),
                interval(change),
                verdict(change).to_owned(),
            ]);
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n{}", point.point, table.text());
    }
    // Writing to a string cannot fail.
    for (points, which) in [
        (&comparison.only_in_first, "first"),
        (&comparison.only_in_second, "second"),
    ] {
        for point in points {
            let _ = writeln!(text, "only in the {which}: {point}");
        }
    }
    for difference in &comparison.differences {
        let _ = writeln!(text, "note: {difference}");
    }
    text
}

fn value(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Wall | Measure::Cpu => format!("{value:.3} s"),
        Measure::PeakMemory | Measure::Bytes => HumanBytes(value as u64).to_string(),
        Measure::Files => HumanCount(value as u64).to_string(),
    }
}

/// A ratio as a change in per cent.
fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

fn interval(change: &Change) -> String {
    match (change.measure, change.ratio) {
        (Measure::Bytes | Measure::Files, _) => "exact".to_owned(),
        (_, Some(ratio)) => match ratio.interval {
            Some((low, high)) => format!("{} … {}", percent(low), percent(high)),
            None => "too few runs".to_owned(),
        },
        (_, None) => "-".to_owned(),
    }
}

fn verdict(change: &Change) -> &'static str {
    let Some(ratio) = change.ratio else { return "" };
    let is_time = matches!(change.measure, Measure::Wall | Measure::Cpu);
    match (ratio.is_change(), ratio.estimate > 1.0, is_time) {
        (false, ..) => "",
        (true, true, true) => "slower",
        (true, false, true) => "faster",
        (true, true, false) => "more",
        (true, false, false) => "less",
    }
}
