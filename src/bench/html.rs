//! `bench.html`: the result as one page that needs nothing else, in light and dark.

use std::fmt::Write;

use super::point::Point;
use super::result::{BenchResult, PointResult, RunScope};
use super::svg::{self, Bar, BarPart, Line, Measured, colour, escaped};

const STYLE: &str = include_str!("report.css");

const MEBIBYTE: f64 = 1_048_576.0;

/// What a chart shows of a point, in the chart's unit.
type Value = fn(&PointResult) -> Option<Measured>;

/// Titles, what stands below them, units and values of the charts over the batch size.
const CHARTS: [(&str, &str, &str, Value); 4] = [
    (
        "Speed",
        "top-level records a second, at the median wall time; the bars reach from the slowest run to the fastest",
        "records/s",
        speed,
    ),
    (
        "Memory",
        "the most resident memory of a run, median; the bars reach from the least of all runs to the most",
        "MiB",
        memory,
    ),
    (
        "Size",
        "compressed files of all relations; every run writes the same",
        "MiB",
        |point| exact(point.bytes as f64 / MEBIBYTE),
    ),
    (
        "Files",
        "all files of the export; every run writes the same",
        "files",
        |point| exact(point.files as f64),
    ),
];

fn exact(value: f64) -> Option<Measured> {
    Some(Measured { value, range: None })
}

fn speed(point: &PointResult) -> Option<Measured> {
    let at = |seconds: f64| match seconds > 0.0 {
        true => point.records as f64 / seconds,
        false => point.records_per_second,
    };
    Some(Measured {
        value: point.records_per_second,
        range: several(point).then(|| (at(point.wall.max), at(point.wall.min))),
    })
}

fn memory(point: &PointResult) -> Option<Measured> {
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE;
    let peaks = || point.runs.iter().filter_map(|run| run.peak_memory_bytes);
    Some(Measured {
        value: mebibytes(point.peak_memory_bytes?),
        range: several(point).then_some((mebibytes(peaks().min()?), mebibytes(peaks().max()?))),
    })
}

/// One run has no range.
fn several(point: &PointResult) -> bool {
    point.runs.len() > 1
}

/// The page.
// Writing to a string cannot fail, so what `write!` returns is let go throughout.
pub(crate) fn write(result: &BenchResult) -> String {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>relexport bench: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&result.snapshot.source)
    );
    head(&mut page, result);
    charts(&mut page, result);
    phases(&mut page, result);
    table(&mut page, result);
    foot(&mut page, result);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(page: &mut String, result: &BenchResult) {
    let options = &result.options;
    let groups = match &options.groups[..] {
        [] => "all groups".to_owned(),
        [group] => format!("group {group}"),
        groups => format!("groups {}", groups.join(", ")),
    };
    let subgroups = if options.subgroups {
        " with subgroups"
    } else {
        ""
    };
    let _ = write!(
        page,
        "<header><h1>Which batch size?</h1>\n<p class=\"what\">{}{subgroups} of <b>{}</b> ({})</p>\n",
        escaped(&groups),
        escaped(&result.snapshot.source),
        escaped(&result.snapshot.kind)
    );
    if let Some(recommendation) = &result.recommendation {
        let _ = writeln!(
            page,
            "<p class=\"verdict\">{}</p>",
            escaped(&recommendation.reason)
        );
    }
    if let Some(stopped) = &result.stopped {
        let _ = writeln!(
            page,
            "<p class=\"stopped\">Ended early: {}</p>",
            escaped(stopped)
        );
    }
    page.push_str("</header>\n");
}

/// Batch sizes and series, in ascending order and in that of the points.
fn axes(result: &BenchResult) -> (Vec<u32>, Vec<String>) {
    let mut sizes = Vec::new();
    let mut series = Vec::new();
    for point in &result.points {
        sizes.push(point.point.batch_size.get());
        let name = point.point.series();
        if !series.contains(&name) {
            series.push(name);
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    (sizes, series)
}

fn charts(page: &mut String, result: &BenchResult) {
    let (sizes, series) = axes(result);
    page.push_str("<section>\n<ul class=\"legend\">");
    for (number, name) in series.iter().enumerate() {
        let _ = write!(
            page,
            "<li><i class=\"{}\"></i>{}</li>",
            colour(number),
            escaped(name)
        );
    }
    page.push_str("</ul>\n<div class=\"charts\">\n");
    for (title, note, unit, value) in CHARTS {
        let lines: Vec<Line> = series
            .iter()
            .map(|name| Line {
                name: name.clone(),
                values: sizes
                    .iter()
                    .map(|size| {
                        let is_it = |point: &Point| {
                            point.batch_size.get() == *size && point.series() == *name
                        };
                        let mut points = result.points.iter();
                        points.find(|point| is_it(&point.point)).and_then(value)
                    })
                    .collect(),
            })
            .collect();
        let measured = lines.iter().flat_map(|line| &line.values).flatten().count();
        let chart = match measured {
            0 => "<p class=\"none\">not measured</p>".to_owned(),
            _ => svg::lines(title, unit, &sizes, &lines),
        };
        let _ = writeln!(
            page,
            "<figure><figcaption><b>{title}</b> {note}</figcaption>{chart}</figure>"
        );
    }
    page.push_str("</div>\n</section>\n");
}

fn phases(page: &mut String, result: &BenchResult) {
    let Some(first) = result.points.first() else {
        return;
    };
    // Phases that no point has, such as decompression where rows are found once, need no colour.
    let of = |point: &PointResult| -> Vec<(&'static str, f64)> {
        let waited = [("wait", point.phases.wait)];
        point.phases.phases().into_iter().chain(waited).collect()
    };
    let used: Vec<usize> = (0..of(first).len())
        .filter(|part| result.points.iter().any(|point| of(point)[*part].1 > 0.0))
        .collect();
    // A phase has its colour whichever others there are; waiting is no work and has none.
    let parts: Vec<BarPart> = used
        .iter()
        .map(|part| match of(first)[*part].0 {
            "wait" => ("wait", "wait".to_owned()),
            name => (name, colour(*part)),
        })
        .map(|(name, colour)| BarPart { name, colour })
        .collect();
    let bars: Vec<Bar> = result
        .points
        .iter()
        .map(|point| Bar {
            name: point.point.to_string(),
            parts: used.iter().map(|part| of(point)[*part].1).collect(),
        })
        .collect();
    page.push_str("<section>\n<figure class=\"wide\"><figcaption><b>Phases</b> CPU seconds of all threads together, \
                   and the time in which every thread waited; medians</figcaption>\n<ul class=\"legend\">");
    for BarPart { name, colour } in &parts {
        let _ = write!(page, "<li><i class=\"{colour}\"></i>{name}</li>");
    }
    let _ = writeln!(
        page,
        "</ul>\n{}</figure>\n</section>",
        svg::bars("CPU by phase", &parts, &bars)
    );
}

/// The points as a table. Each cell has its column's name, too: on a narrow screen a row becomes a list of them.
fn table(page: &mut String, result: &BenchResult) {
    let asks = |point: &PointResult| point.phases.server.is_some();
    let mut names = vec![
        "batch size",
        "threads",
        "gzip",
        "batched",
        "wall, median",
        "± σ",
        "min … max",
        "outliers",
        "records/s",
        "MB/s",
        "size",
        "ratio",
        "files",
        "memory",
    ];
    if result.points.iter().any(asks) {
        names.extend(["queries", "round trips"]);
    }
    page.push_str("<section class=\"scroll\">\n<table>\n<thead><tr>");
    for name in &names {
        let _ = write!(page, "<th>{name}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    let best = result.recommendation.as_ref().map(|best| best.point);
    for point in &result.points {
        page.push_str(match Some(point.point) == best {
            true => "<tr class=\"best\">",
            false => "<tr>",
        });
        for (name, value) in names.iter().zip(cells(point)) {
            let _ = write!(page, "<td data-name=\"{name}\">{value}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</section>\n");
}

/// What the table says of a point; numbers and words of this file only.
fn cells(point: &PointResult) -> Vec<String> {
    let deviation = match point.wall.standard_deviation {
        Some(deviation) => format!("{deviation:.3} s"),
        None => "–".to_owned(),
    };
    let outliers = match point.wall.outliers.len() {
        0 => "–".to_owned(),
        count => format!("{count} of {}", point.runs.len()),
    };
    let memory = match point.peak_memory_bytes {
        Some(peak) => format!("{:.0} MiB", peak as f64 / MEBIBYTE),
        None => "not measured".to_owned(),
    };
    let batched = if point.point.batched { "yes" } else { "no" };
    let mut cells = vec![
        point.point.batch_size.to_string(),
        point.point.threads.to_string(),
        point.point.gzip_level.to_string(),
        batched.to_owned(),
        format!("{:.3} s", point.wall.median),
        deviation,
        format!("{:.3} … {:.3} s", point.wall.min, point.wall.max),
        outliers,
        format!("{:.0}", point.records_per_second),
        format!("{:.1}", point.ndjson_mb_per_second),
        format!("{:.2} MiB", point.bytes as f64 / MEBIBYTE),
        format!("{:.2}", point.ratio),
        point.files.to_string(),
        memory,
    ];
    if let Some(server) = point.phases.server {
        cells.extend([server.queries.to_string(), server.round_trips.to_string()]);
    }
    cells
}

fn foot(page: &mut String, result: &BenchResult) {
    let (machine, options, snapshot) = (&result.machine, &result.options, &result.snapshot);
    let mut facts: Vec<(&str, String)> = Vec::new();
    let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    facts.push((
        "Machine",
        format!(
            "{}, {} cores, {} of memory, {}",
            known(machine.cpu.clone()),
            known(machine.cores.map(|cores| cores.to_string())),
            known(
                machine
                    .memory_bytes
                    .map(|bytes| format!("{:.1} GiB", bytes as f64 / MEBIBYTE / 1024.0))
            ),
            machine.system
        ),
    ));
    let fingerprint = match (&snapshot.fingerprint, snapshot.size_bytes) {
        (Some(sha256), Some(size)) => {
            format!(", {:.1} MiB, fingerprint {sha256}", size as f64 / MEBIBYTE)
        }
        _ => String::new(),
    };
    facts.push((
        "Snapshot",
        format!("{} ({}){fingerprint}", snapshot.source, snapshot.kind),
    ));
    facts.push((
        "Program",
        format!(
            "{}, pipeline {} (SHA-256 {})",
            result.generator, options.pipeline, options.pipeline_sha256
        ),
    ));
    let relations = match options.relations.len() {
        0 => "all relations".to_owned(),
        _ => format!("relations {}", options.relations.join(", ")),
    };
    facts.push((
        "Export",
        format!(
            "{relations}, edition {}, memory limit {:.0} MiB",
            options.edition,
            options.memory_limit_bytes as f64 / MEBIBYTE
        ),
    ));
    let part = match options.from {
        RunScope::Resolved => {
            "rows found once, each run builds, renders, compresses and writes batches of them"
        }
        RunScope::Snapshot => "each run a whole export in a process of its own",
    };
    facts.push((
        "Runs",
        format!(
            "{} of each point after {} for warming up, interleaved; {part}",
            options.runs, options.warmup
        ),
    ));
    if let Some(finding) = &result.finding {
        facts.push((
            "Finding the rows",
            format!("once, {:.3} s, not part of any run", finding.wall),
        ));
    }
    facts.push((
        "Measured",
        format!("{} to {}", result.started_at, result.finished_at),
    ));
    page.push_str("<footer>\n<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    page.push_str("</dl>\n</footer>\n");
}
