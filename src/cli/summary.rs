//! What an export came to, in a line on standard error.

use std::time::Instant;

use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use crate::advice::advise;
use crate::export::ExportReport;
use crate::memory;
use crate::output::{Partial, RelationEntry, Status};
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
    for finding in Partial::of(&report.manifest).untold() {
        match finding.what.is_lack() {
            // A warning, so that it is told under --quiet, too.
            true => tracing::warn!("{}", finding.says),
            false => advise(&finding.says),
        }
    }
    if report.older_stays {
        let place = &report.place;
        let what = match report.is_complete() {
            true => "suspect",
            false => "not complete",
        };
        console.info(
            &format!("the older export stays; this one, which is {what}, is in {place}"),
            json!({"place": place}),
        );
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
