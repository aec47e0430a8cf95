//! What a bench gives: the form of `bench.json`, whose JSON Schema `relexport bench schema` prints.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::timings::Times;

use super::content::RelationContent;
use super::machine::Machine;
use super::point::Point;
use super::statistics::{Spread, median};

/// The version of this form.
pub(crate) const VERSION: u32 = 1;

/// A megabyte as speeds count it.
const MEGABYTE: f64 = 1e6;

/// The result of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BenchResult {
    /// The version of this file's form: 1.
    pub bench_version: u32,
    /// The program and its version.
    pub generator: String,
    pub started_at: String,
    pub finished_at: String,
    pub machine: Machine,
    pub snapshot: SnapshotFacts,
    pub options: BenchOptions,
    /// What finding the rows took that all points share; only where `options.from` is `resolved`.
    pub finding: Option<Times>,
    /// Why the bench ended before all runs were made; points without any run are then missing.
    pub stopped: Option<String>,
    /// The records that every run of every point wrote.
    pub content: Vec<RelationContent>,
    pub points: Vec<PointResult>,
    pub recommendation: Option<Recommendation>,
}

/// What was exported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SnapshotFacts {
    /// `plain`, `gitlab-backup`, `csv`, `custom`, `directory`, `tar` or `postgres`.
    pub kind: String,
    /// The name of the file or folder, without the folders above it.
    pub source: String,
    /// Bytes on disk.
    pub size_bytes: Option<u64>,
    /// SHA-256 of the names and sizes of its files and of 64 KiB at the beginning, the middle and the end of each; none
    /// of a pipe or a server.
    pub fingerprint: Option<String>,
    pub server_version: Option<String>,
    pub gitlab_version: Option<String>,
}

/// Which part of an export each run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "From")]
pub(crate) enum RunScope {
    /// The rows are found once; each run builds, renders, compresses and writes batches of them.
    Resolved,
    /// Each run is a whole export in a process of its own.
    Snapshot,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BenchOptions {
    pub pipeline: String,
    pub pipeline_sha256: String,
    /// Ids or paths as they were given; none where all groups are exported.
    pub groups: Vec<String>,
    pub subgroups: bool,
    /// Ids or paths as they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// The projects in the groups, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_projects: bool,
    /// Names of the relations; none where all are exported.
    pub relations: Vec<String>,
    /// `ee` or `ce`.
    pub edition: String,
    pub from: RunScope,
    /// Runs of each point.
    pub runs: u32,
    /// Runs of each point before those, which do not count.
    pub warmup: u32,
    pub memory_limit_bytes: u64,
}

/// One run of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Run {
    pub timings: Times,
    /// The most resident memory during this run; none where the system does not tell. From `resolved` it is that of the
    /// process while the run went on, the rows that all points share and what its allocator kept of earlier
    /// runs among it; from `snapshot` it is that of the run's own process.
    pub peak_memory_bytes: Option<u64>,
}

/// What was measured of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PointResult {
    #[serde(flatten)]
    pub point: Point,
    /// Top-level records.
    pub records: u64,
    /// Before compression.
    pub ndjson_bytes: u64,
    /// Of the relations' compressed files.
    pub bytes: u64,
    /// `ndjson_bytes` divided by `bytes`.
    pub ratio: f64,
    /// All files of an export, the manifest and the metadata among them.
    pub files: u64,
    /// Seconds of wall time.
    pub wall: Spread,
    /// Seconds of CPU time, of all phases.
    pub cpu: Spread,
    /// The median of each phase, in seconds; the calls of a server are those of the first run.
    pub phases: Times,
    /// At the median wall time.
    pub records_per_second: f64,
    /// Megabytes (1,000,000 bytes) of NDJSON a second at the median wall time.
    pub ndjson_mb_per_second: f64,
    /// The median of the runs.
    pub peak_memory_bytes: Option<u64>,
    pub runs: Vec<Run>,
}

/// The point to take, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Recommendation {
    #[serde(flatten)]
    pub point: Point,
    /// A sentence.
    pub reason: String,
}

/// What every run of a point writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub records: u64,
    pub ndjson_bytes: u64,
    pub bytes: u64,
    pub files: u64,
}

impl PointResult {
    /// Sums up a point's runs; `None` where there is none.
    pub(crate) fn of(point: Point, written: Written, runs: Vec<Run>) -> Option<PointResult> {
        let all = |what: fn(&Times) -> f64| -> Vec<f64> {
            runs.iter().map(|run| what(&run.timings)).collect()
        };
        let middle = |what: fn(&Times) -> f64| median(&all(what)).unwrap_or_default();
        let wall = Spread::of(&all(|times| times.wall))?;
        let cpu = Spread::of(&all(Times::cpu))?;
        let peaks: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.peak_memory_bytes.map(|peak| peak as f64))
            .collect();
        let a_second = |amount: f64| match wall.median > 0.0 {
            true => amount / wall.median,
            false => 0.0,
        };
        Some(PointResult {
            point,
            records: written.records,
            ndjson_bytes: written.ndjson_bytes,
            bytes: written.bytes,
            ratio: match written.bytes {
                0 => 0.0,
                bytes => written.ndjson_bytes as f64 / bytes as f64,
            },
            files: written.files,
            phases: Times {
                wall: wall.median,
                wait: middle(|times| times.wait),
                read: middle(|times| times.read),
                decompress: middle(|times| times.decompress),
                scan: middle(|times| times.scan),
                resolve: middle(|times| times.resolve),
                render: middle(|times| times.render),
                compress: middle(|times| times.compress),
                write: middle(|times| times.write),
                server: runs.first().and_then(|run| run.timings.server),
            },
            records_per_second: a_second(written.records as f64),
            ndjson_mb_per_second: a_second(written.ndjson_bytes as f64 / MEGABYTE),
            // Only where every run could be measured: half a median says nothing of the point.
            peak_memory_bytes: (peaks.len() == runs.len())
                .then(|| median(&peaks).map(|peak| peak as u64))
                .flatten(),
            wall,
            cpu,
            runs,
        })
    }
}

/// Why a result cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResultError {
    #[error("cannot read {path}: {source}\n  name a bench.json that `relexport bench --out` wrote")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error(
        "{path} is no result of a bench: {source}\n  name a bench.json that `relexport bench --out` wrote"
    )]
    Form {
        path: String,
        source: serde_json::Error,
    },
    #[error(
        "{path} has bench version {found}, but this program reads version {VERSION}\n  measure once more"
    )]
    Version { path: String, found: u64 },
}

/// Reads a `bench.json`.
///
/// # Errors
/// Where the file is missing, is no result of a bench, or has another version.
pub(crate) fn read(path: &Path) -> Result<BenchResult, ResultError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| ResultError::Io {
        path: shown.clone(),
        source,
    })?;
    let form = |source| ResultError::Form {
        path: shown.clone(),
        source,
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(form)?;
    // Said before anything else that may have changed with the version.
    if let Some(found) = value["bench_version"].as_u64()
        && found != u64::from(VERSION)
    {
        return Err(ResultError::Version { path: shown, found });
    }
    serde_json::from_value(value).map_err(form)
}

/// The JSON Schema of `bench.json`.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(BenchResult).to_value()
}
