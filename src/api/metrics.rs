//! `/-/metrics`: counts in the OpenMetrics text format.

use std::sync::atomic::{AtomicI64, AtomicU64};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::App;
use super::entity::Kind;
use super::errors::ApiError;

/// How exports ended (`finished`, `failed`), or where groups and projects are (`waiting`, `running`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// Answered requests, by the first digit of their status (`2xx`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabel {
    pub status: &'static str,
}

type FloatCounter = Counter<f64, AtomicU64>;

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    pub requests: Family<RequestLabel, Counter>,
    pub downloads: Counter,
    pub downloaded_bytes: Counter,
    pub export_seconds: FloatCounter,
    pub exported_rows: Counter,
    pub exported_bytes: Counter,
    exports: Family<StateLabel, Counter>,
    groups: Family<StateLabel, Gauge>,
    projects: Family<StateLabel, Gauge>,
    pub connections: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("relexport");
        let requests = Family::default();
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        let downloads = Counter::default();
        registry.register("downloads", "Downloads that were begun", downloads.clone());
        let downloaded_bytes = Counter::default();
        registry.register_with_unit(
            "downloaded",
            "Bytes of files that were sent",
            Unit::Bytes,
            downloaded_bytes.clone(),
        );
        let export_seconds = FloatCounter::default();
        registry.register_with_unit(
            "export_duration",
            "Time that ended exports took, all together",
            Unit::Seconds,
            export_seconds.clone(),
        );
        let exported_rows = Counter::default();
        registry.register(
            "exported_rows",
            "Top-level rows of ended exports",
            exported_rows.clone(),
        );
        let exported_bytes = Counter::default();
        registry.register_with_unit(
            "exported",
            "Bytes of NDJSON of ended exports, before compression",
            Unit::Bytes,
            exported_bytes.clone(),
        );
        let exports = Family::default();
        registry.register("exports", "Exports that ended", exports.clone());
        let groups = Family::default();
        registry.register(
            "groups",
            "Groups whose export waits or runs",
            groups.clone(),
        );
        let projects = Family::default();
        registry.register(
            "projects",
            "Projects whose export waits or runs",
            projects.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        Metrics {
            registry,
            requests,
            downloads,
            downloaded_bytes,
            export_seconds,
            exported_rows,
            exported_bytes,
            exports,
            groups,
            projects,
            connections,
        }
    }
}

impl Metrics {
    /// An export ended.
    pub(crate) fn export_ended(&self, finished: bool, seconds: f64, rows: u64, bytes: u64) {
        let state = if finished { "finished" } else { "failed" };
        self.exports.get_or_create(&StateLabel { state }).inc();
        self.export_seconds.inc_by(seconds);
        self.exported_rows.inc_by(rows);
        self.exported_bytes.inc_by(bytes);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: u16) {
        let status = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RequestLabel { status }).inc();
    }
}

/// Answers the request.
pub(crate) async fn get(State(app): State<App>) -> Result<Response, ApiError> {
    for kind in Kind::ALL {
        let (waiting, running) = app.queue.counts(kind);
        let gauges = match kind {
            Kind::Group => &app.metrics.groups,
            Kind::Project => &app.metrics.projects,
        };
        for (state, count) in [("waiting", waiting), ("running", running)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            gauges.get_or_create(&StateLabel { state }).set(count);
        }
    }
    // Both are there from the beginning, so that rates can be computed of the first export.
    for state in ["finished", "failed"] {
        drop(app.metrics.exports.get_or_create(&StateLabel { state }));
    }
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry)
        .map_err(|error| ApiError::internal("cannot write the metrics", error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
