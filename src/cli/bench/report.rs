//! What a bench and a comparison say on the terminal.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};

use crate::bench::compare::{Change, Comparison, Measure};
use crate::bench::{BenchResult, PointResult};
use crate::cli::table::{Align, Table, visible};

/// The tables of a result, what is remarkable of its runs, and the recommendation.
pub fn text(result: &BenchResult) -> String {
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
    let _ = writeln!(
        text,
        "\n{} runs of each point, {} of {}; {}, {} cores",
        result.options.runs,
        result.generator,
        visible(&result.snapshot.source),
        machine.cpu.as_deref().unwrap_or("unknown processor"),
        machine
            .cores
            .map_or("?".to_owned(), |cores| cores.to_string()),
    );
    text
}

fn points(result: &BenchResult) -> String {
    let mut columns = vec![
        ("BATCH SIZE", Align::Right),
        ("THREADS", Align::Right),
        ("GZIP", Align::Right),
        ("BATCHED", Align::Left),
        ("WALL", Align::Right),
        ("± σ", Align::Right),
        ("MIN … MAX", Align::Right),
        ("RECORDS/S", Align::Right),
        ("NDJSON MB/S", Align::Right),
        ("SIZE", Align::Right),
        ("RATIO", Align::Right),
        ("FILES", Align::Right),
        ("MEMORY", Align::Right),
    ];
    let asks = |point: &PointResult| point.phases.server.is_some();
    if result.points.iter().any(asks) {
        columns.extend([("QUERIES", Align::Right), ("ROUND TRIPS", Align::Right)]);
    }
    let mut table = Table::new(&columns);
    for point in &result.points {
        let deviation = match point.wall.standard_deviation {
            Some(deviation) => format!("{deviation:.3} s"),
            None => "-".to_owned(),
        };
        let mut row = names(point);
        row.extend([
            format!("{:.3} s", point.wall.median),
            deviation,
            format!("{:.3} … {:.3} s", point.wall.min, point.wall.max),
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
    table.text()
}

/// What tells a point from the others.
fn names(point: &PointResult) -> Vec<String> {
    let batched = if point.point.batched { "yes" } else { "no" };
    vec![
        point.point.batch_size.to_string(),
        point.point.threads.to_string(),
        point.point.gzip_level.to_string(),
        batched.to_owned(),
    ]
}

fn phases(result: &BenchResult) -> String {
    let names_of = [
        ("BATCH SIZE", Align::Right),
        ("THREADS", Align::Right),
        ("GZIP", Align::Right),
        ("BATCHED", Align::Left),
    ];
    let phases: Vec<String> = crate::timings::Times::default()
        .phases()
        .iter()
        .map(|(name, _)| name.to_uppercase())
        .collect();
    let mut columns = names_of.to_vec();
    columns.push(("CPU", Align::Right));
    columns.extend(phases.iter().map(|name| (name.as_str(), Align::Right)));
    columns.push(("WAIT", Align::Right));
    let mut table = Table::new(&columns);
    for point in &result.points {
        let mut row = names(point);
        row.push(format!("{:.3} s", point.cpu.median));
        let times = &point.phases;
        row.extend(
            times
                .phases()
                .iter()
                .map(|(_, seconds)| format!("{seconds:.3}")),
        );
        row.push(format!("{:.3}", times.wait));
        table.row(row);
    }
    table.text()
}

/// The table of a comparison, and what else differs.
pub fn comparison(comparison: &Comparison) -> String {
    let mut table = Table::new(&[
        ("POINT", Align::Left),
        ("MEASURE", Align::Left),
        ("BEFORE", Align::Right),
        ("AFTER", Align::Right),
        ("CHANGE", Align::Right),
        ("95 % INTERVAL", Align::Right),
        ("", Align::Left),
    ]);
    for point in &comparison.points {
        let mut name = point.point.to_string();
        for change in &point.measures {
            table.row([
                std::mem::take(&mut name),
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
    }
    let mut text = table.text();
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
