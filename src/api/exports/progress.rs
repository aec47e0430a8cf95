//! How far a run is, beyond what its manifest says: for people who watch, and for the picture of where time went.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::export::{BatchObserver, Expected, ExportObserver};

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Waiting,
    Reading,
    Rendering,
    Ended,
}

/// Time and bytes of a relation of an entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RelationProgress {
    /// Top-level rows that it will have, and those that have been rendered.
    pub rows: u64,
    pub rendered: u64,
    /// Bytes of NDJSON, before compression.
    pub bytes: u64,
    /// Milliseconds from the run's start to the relation's first and last sign of life.
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What is known of a run for one of its entities.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EntityProgress {
    pub phase: Phase,
    /// Bytes of the snapshot, of how many, where that is known.
    pub read_bytes: u64,
    pub snapshot_bytes: Option<u64>,
    /// The table that is being read.
    pub table: Option<String>,
    /// Rows of all entities of the run, of how many.
    pub rendered_rows: u64,
    pub expected_rows: u64,
    /// Milliseconds that reading took (or takes), and the whole run.
    pub reading_ms: u64,
    pub elapsed_ms: u64,
    pub relations: BTreeMap<String, RelationProgress>,
}

/// What is kept when the run is over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Timing {
    pub reading_ms: u64,
    pub elapsed_ms: u64,
    pub read_bytes: u64,
    pub rendered_rows: u64,
    /// By position of the entity in the manifest.
    pub relations: BTreeMap<usize, BTreeMap<String, RelationProgress>>,
}

struct Inner {
    started: Instant,
    phase: Phase,
    size: Option<u64>,
    read: Arc<AtomicU64>,
    table: Option<String>,
    expected: u64,
    timing: Timing,
}

/// Told by the engine, asked by requests.
pub(crate) struct Progress(Mutex<Inner>);

impl Default for Progress {
    fn default() -> Self {
        Progress(Mutex::new(Inner {
            started: Instant::now(),
            phase: Phase::Waiting,
            size: None,
            read: Arc::default(),
            table: None,
            expected: 0,
            timing: Timing::default(),
        }))
    }
}

impl Inner {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Progress {
    /// That of a run that an earlier server finished.
    pub(crate) fn ended(timing: Timing) -> Self {
        let progress = Progress::default();
        progress.with(|inner| {
            inner.phase = Phase::Ended;
            inner.expected = timing.rendered_rows;
            inner.timing = timing;
        });
        progress
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        // Every change is a few assignments, so a panic elsewhere leaves nothing half-done.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The run begins.
    pub(crate) fn begin(&self) {
        self.with(|inner| {
            inner.started = Instant::now();
            inner.phase = Phase::Reading;
            inner.timing = Timing::default();
        });
    }

    /// The run is over. Returns what is to be kept.
    pub(crate) fn end(&self) -> Timing {
        self.with(|inner| {
            inner.phase = Phase::Ended;
            inner.table = None;
            inner.timing.elapsed_ms = inner.now();
            inner.timing.read_bytes = inner.read.load(Ordering::Relaxed);
            inner.timing.clone()
        })
    }

    /// Rows and bytes of NDJSON so far.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.with(|inner| {
            let relations = inner.timing.relations.values().flat_map(BTreeMap::values);
            let bytes = relations.map(|relation| relation.bytes).sum();
            (inner.timing.rendered_rows, bytes)
        })
    }

    /// As one of the run's entities sees it, by the entity's position in the manifest.
    pub(crate) fn of(&self, entity: Option<usize>) -> EntityProgress {
        self.with(|inner| {
            let running = matches!(inner.phase, Phase::Reading | Phase::Rendering);
            let elapsed = if running {
                inner.now()
            } else {
                inner.timing.elapsed_ms
            };
            let relations = entity.and_then(|entity| inner.timing.relations.get(&entity));
            EntityProgress {
                phase: inner.phase,
                read_bytes: match running {
                    true => inner.read.load(Ordering::Relaxed),
                    false => inner.timing.read_bytes,
                },
                snapshot_bytes: inner.size,
                table: inner.table.clone(),
                rendered_rows: inner.timing.rendered_rows,
                expected_rows: inner.expected.max(inner.timing.rendered_rows),
                reading_ms: match inner.phase {
                    Phase::Reading => elapsed,
                    _ => inner.timing.reading_ms,
                },
                elapsed_ms: elapsed,
                relations: relations.cloned().unwrap_or_default(),
            }
        })
    }
}

/// Passes on what the engine tells.
pub(crate) struct Watch<'a>(pub &'a Progress);

impl ExportObserver for Watch<'_> {
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>) {
        self.0.with(|inner| {
            inner.phase = Phase::Reading;
            inner.size = size;
            inner.read = read;
        });
    }

    fn table(&mut self, name: &str) {
        self.0.with(|inner| inner.table = Some(name.to_owned()));
    }

    fn writing(&mut self, expected: Expected) {
        self.0.with(|inner| {
            inner.phase = Phase::Rendering;
            inner.table = None;
            inner.expected = expected.rows.unwrap_or_default();
            inner.timing.reading_ms = inner.now();
        });
    }
}

impl BatchObserver for Watch<'_> {
    fn relation(&mut self, entity: usize, relation: &str, rows: u64) {
        self.0.with(|inner| {
            let now = inner.now();
            let started = RelationProgress {
                rows,
                from_ms: now,
                to_ms: now,
                ..RelationProgress::default()
            };
            let relations = inner.timing.relations.entry(entity).or_default();
            relations.insert(relation.to_owned(), started);
        });
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.0.with(|inner| {
            let now = inner.now();
            inner.timing.rendered_rows += rows;
            let relations = inner.timing.relations.entry(entity).or_default();
            let entry = relations.entry(relation.to_owned()).or_default();
            entry.rendered += rows;
            entry.rows = entry.rows.max(entry.rendered);
            entry.bytes += bytes;
            entry.to_ms = now;
        });
    }
}
