//! `bench.csv`: a line for each run, with everything that is known of it.

use super::result::BenchResult;

/// The table as CSV, with a line of names first.
///
/// # Errors
/// Never for lack of anything but memory: it is written into a vector.
pub(crate) fn write(result: &BenchResult) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let times = crate::timings::Times::default();
    let mut head = vec![
        "batch_size",
        "threads",
        "gzip_level",
        "batched",
        "run",
        "wall_seconds",
        "wait_seconds",
        "cpu_seconds",
    ];
    let phases: Vec<String> = times
        .phases()
        .iter()
        .map(|(name, _)| format!("{name}_seconds"))
        .collect();
    head.extend(phases.iter().map(String::as_str));
    head.extend([
        "records",
        "ndjson_bytes",
        "bytes",
        "files",
        "peak_memory_bytes",
        "queries",
        "round_trips",
        "outlier",
    ]);
    csv.write_record(&head)?;
    for point in &result.points {
        for (number, run) in point.runs.iter().enumerate() {
            let seconds = &run.timings;
            let server = seconds.server;
            let mut line = vec![
                point.point.batch_size.to_string(),
                point.point.threads.to_string(),
                point.point.gzip_level.to_string(),
                point.point.batched.to_string(),
                (number + 1).to_string(),
                seconds.wall.to_string(),
                seconds.wait.to_string(),
                format!("{:.6}", seconds.cpu()),
            ];
            line.extend(seconds.phases().iter().map(|(_, value)| value.to_string()));
            line.extend([
                point.records.to_string(),
                point.ndjson_bytes.to_string(),
                point.bytes.to_string(),
                point.files.to_string(),
                run.peak_memory_bytes
                    .map(|peak| peak.to_string())
                    .unwrap_or_default(),
                server
                    .map(|server| server.queries.to_string())
                    .unwrap_or_default(),
                server
                    .map(|server| server.round_trips.to_string())
                    .unwrap_or_default(),
                point.wall.outliers.contains(&(number + 1)).to_string(),
            ]);
            csv.write_record(&line)?;
        }
    }
    csv.into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}
