//! What an export came to, in a line on standard error.

use std::time::Instant;

use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use crate::export::ExportReport;
use crate::memory;
use crate::output::{Notes, RelationEntry, Status};
use crate::timings::Times;

use super::console::Console;

/// Tells relations, records, bytes, seconds and the most memory. What failed has been logged as it happened.
pub(crate) fn tell(report: &ExportReport, ndjson_bytes: u64, started: Instant, console: &Console) {
    let relations: Vec<&RelationEntry> = report
        .manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations)
        .collect();
    let finished = relations
        .iter()
        .filter(|relation| relation.status == Status::Finished)
        .count();
    let records: u64 = relations
        .iter()
        .map(|relation| relation.total_objects_count)
        .sum();
    let bytes: u64 = relations
        .iter()
        .flat_map(|relation| relation.files())
        .map(|file| file.bytes)
        .sum();
    let peak = memory::peak();
    let seconds = started.elapsed().as_secs_f64();
    let memory = peak
        .map(|peak| format!(", {} of memory at the most", HumanBytes(peak)))
        .unwrap_or_default();
    console.info(
        &format!(
            "{finished} of {} relations, {} records, {} of NDJSON in {}, {seconds:.1} s{memory}",
            relations.len(),
            HumanCount(records),
            HumanBytes(ndjson_bytes),
            HumanBytes(bytes),
        ),
        json!({"relations": relations.len(), "finished": finished, "records": records, "ndjson_bytes": ndjson_bytes,
            "bytes": bytes, "seconds": seconds, "peak_memory_bytes": peak}),
    );
    let skipped = report.skipped_rows();
    if skipped > 0 {
        let rows = if skipped == 1 {
            "1 row"
        } else {
            &format!("{skipped} rows")
        };
        // A warning, so that it is told under --quiet, too.
        tracing::warn!(
            skipped_rows = skipped,
            "{rows} left out; the manifest lists them by relation"
        );
    }
    tell_notes(&relations);
    if report.older_stays {
        let place = &report.place;
        console.info(
            &format!("the older export stays; this one, which is not complete, is in {place}"),
            json!({"place": place}),
        );
    }
}

/// Tells what the manifest notes of records that are written all the same.
fn tell_notes(relations: &[&RelationEntry]) {
    let sum = |count: fn(&Notes) -> u64| -> u64 {
        relations
            .iter()
            .map(|relation| count(&relation.notes))
            .sum()
    };
    let notes = [
        (
            sum(|notes| notes.unreadable_values.count),
            "unreadable_values",
            "values cannot be read, and are written as null or left out",
        ),
        (
            sum(|notes| notes.missing_files.count),
            "missing_files",
            "values lie in files outside the database, and are written as empty texts",
        ),
        (
            sum(|notes| notes.large_records.count),
            "large_records",
            "records are larger than GitLab reads (50 MB)",
        ),
    ];
    for (count, name, what) in notes.into_iter().filter(|(count, ..)| *count > 0) {
        tracing::warn!("{count} {what}; the manifest lists them as {name}");
    }
}

/// Tells where the time went: CPU by phase, and the time in which nothing could be computed.
pub(crate) fn tell_timings(times: &Times, console: &Console) {
    let phases: Vec<String> = times
        .phases()
        .iter()
        .map(|(name, seconds)| format!("{name} {seconds:.2} s"))
        .collect();
    console.info(
        &format!(
            "CPU {:.2} s: {}; waited {:.2} s of {:.2} s{}",
            times.cpu(),
            phases.join(", "),
            times.wait,
            times.wall,
            match times.server {
                Some(server) => format!(
                    "; {} queries in {} round trips",
                    server.queries, server.round_trips
                ),
                None => String::new(),
            }
        ),
        json!({"timings": times}),
    );
}
