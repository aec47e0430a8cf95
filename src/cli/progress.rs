//! Progress: bars on a terminal, log lines elsewhere.

mod line;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{
    HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde_json::json;

use super::console::Console;
use crate::export::{BatchObserver, Expected, ExportObserver};
use crate::visible::visible;
use line::{Phase, USUAL_WIDTH, relation_line};

pub(super) use line::{Unit, span};

/// Where there is no terminal, a line is logged this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often bars are drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// A bar is one line that this program lays out itself.
const TEMPLATE: &str = "{line}";

/// Shows how far an export is.
pub(crate) struct Progress {
    console: Console,
    phase: Option<PhaseBar>,
    /// The relation whose rows came last, below the phase.
    relation: Option<RelationBar>,
    /// The relations that are being rendered, by entity and name: rows, and how many there are in all.
    relations: HashMap<(usize, String), (u64, u64)>,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    /// `None` where nobody knows how many rows there will be.
    expected: Option<u64>,
    rows: u64,
    bytes: u64,
    line: Instant,
}

/// A bar of a phase: how far it is, and what is being worked on.
pub(super) struct PhaseBar {
    bar: ProgressBar,
    name: Arc<Mutex<String>>,
}

impl PhaseBar {
    /// A bar below the others; `None` where no bars are shown.
    pub(super) fn new(
        console: &Console,
        label: &'static str,
        unit: Unit,
        total: Option<u64>,
    ) -> Option<PhaseBar> {
        let name: Arc<Mutex<String>> = Arc::default();
        let shown = Arc::clone(&name);
        let write = move |state: &ProgressState, to: &mut dyn Write| {
            let name = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let phase = Phase {
                label,
                unit,
                done: state.pos(),
                total: state.len(),
                rate: state.per_sec(),
                elapsed: state.elapsed(),
                name: &name,
            };
            // A bar that cannot be drawn is no reason to end.
            let _ = to.write_str(&phase.line(width()));
        };
        let bar = new_bar(console, total, write)?;
        bar.enable_steady_tick(DRAW_EVERY);
        Some(PhaseBar { bar, name })
    }

    /// Says how much is done, and what is being worked on.
    pub(super) fn set(&self, done: u64, name: String) {
        self.set_name(name);
        self.bar.set_position(done);
    }

    fn set_name(&self, name: String) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The bar of a relation.
struct RelationBar {
    bar: ProgressBar,
    name: Arc<Mutex<String>>,
}

impl RelationBar {
    fn new(console: &Console) -> Option<RelationBar> {
        let name: Arc<Mutex<String>> = Arc::default();
        let shown = Arc::clone(&name);
        let write = move |state: &ProgressState, to: &mut dyn Write| {
            let name = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let total = state.len().unwrap_or_default();
            // As above.
            let _ = to.write_str(&relation_line(&name, state.pos(), total, width()));
        };
        let bar = new_bar(console, Some(0), write)?;
        Some(RelationBar { bar, name })
    }

    fn set(&self, name: &str, done: u64, total: u64) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

/// A bar whose whole line `write` makes; `None` where no bars are shown.
fn new_bar(
    console: &Console,
    length: Option<u64>,
    write: impl Fn(&ProgressState, &mut dyn Write) + Send + Sync + Clone + 'static,
) -> Option<ProgressBar> {
    let bars = console.bars()?;
    // The template is a constant of this file, which a test parses.
    let style = ProgressStyle::with_template(TEMPLATE).ok()?;
    Some(
        bars.add(
            ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden())
                .with_style(style.with_key("line", write)),
        ),
    )
}

/// Columns of the terminal that the bars stand on.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        Ok(_) | Err(_) => USUAL_WIDTH,
    }
}

impl Progress {
    pub(crate) fn new(console: &Console) -> Self {
        Progress {
            console: console.clone(),
            phase: None,
            relation: None,
            relations: HashMap::new(),
            read: Arc::default(),
            size: None,
            expected: None,
            rows: 0,
            bytes: 0,
            line: Instant::now(),
        }
    }

    /// Bytes of NDJSON that have been rendered.
    pub(crate) fn rendered_bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the bars away.
    pub(crate) fn finish(&mut self) {
        if let Some(phase) = self.phase.take() {
            phase.finish();
        }
        if let Some(relation) = self.relation.take() {
            relation.bar.finish_and_clear();
        }
        self.relations.clear();
    }

    fn start_phase(&mut self, label: &'static str, unit: Unit, total: Option<u64>) {
        self.finish();
        self.phase = PhaseBar::new(&self.console, label, unit, total);
    }

    /// Shows how far the relation is whose rows have just come.
    fn show_relation(&mut self, entity: usize, relation: &str, rows: u64) {
        let id = (entity, relation.to_owned());
        let Some((done, total)) = self.relations.get_mut(&id) else {
            return;
        };
        *done += rows;
        let (done, total) = (*done, *total);
        if done >= total {
            self.relations.remove(&id);
        }
        if self.relation.is_none() {
            self.relation = RelationBar::new(&self.console);
        }
        if let Some(shown) = &self.relation {
            shown.set(relation, done, total);
        }
    }

    fn is_time_for_a_line(&mut self) -> bool {
        let is_time = self.phase.is_none() && self.line.elapsed() >= LINE_EVERY;
        if is_time {
            self.line = Instant::now();
        }
        is_time
    }
}

impl ExportObserver for Progress {
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>) {
        self.start_phase("reading", Unit::Bytes, size);
        if let Some(phase) = &self.phase {
            let (bar, read) = (phase.bar.downgrade(), Arc::clone(&read));
            // The bar follows the reader's own count; the thread ends with the bar.
            // Without a thread it stands still.
            let _ = std::thread::Builder::new().spawn(move || {
                while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
                    bar.set_position(read.load(Ordering::Relaxed));
                    drop(bar);
                    std::thread::sleep(DRAW_EVERY);
                }
            });
        }
        tracing::info!(bytes = size, "reading the snapshot");
        self.read = read;
        self.size = size;
    }

    fn table(&mut self, name: &str) {
        if let Some(phase) = &self.phase {
            phase.set_name(visible(name));
        }
        if self.is_time_for_a_line() {
            let read = self.read.load(Ordering::Relaxed);
            // A snapshot that is read a second time is no larger.
            let read = self.size.map_or(read, |size| read.min(size));
            let of = match self.size {
                Some(size) => format!(" of {}", HumanBytes(size)),
                None => String::new(),
            };
            self.console.info(
                &format!("reading: {}{of}, at table {name}", HumanBytes(read)),
                json!({"phase": "reading", "bytes": read, "total_bytes": self.size, "table": name}),
            );
        }
    }

    fn writing(&mut self, expected: Expected) {
        self.expected = expected.rows;
        self.start_phase("rendering", Unit::Rows, expected.rows);
        tracing::info!(
            relations = expected.relations,
            rows = expected.rows,
            "rendering"
        );
    }
}

impl BatchObserver for Progress {
    fn relation(&mut self, entity: usize, relation: &str, rows: u64) {
        if rows == 0 {
            return;
        }
        if self.phase.is_some() {
            self.relations
                .insert((entity, relation.to_owned()), (0, rows));
        }
        tracing::info!(rows, "rendering relation {relation}");
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        if let Some(phase) = &self.phase {
            // Relations that are collected have rows that nobody could expect.
            if self.expected.is_some_and(|expected| self.rows > expected) {
                phase.bar.set_length(self.rows);
            }
            phase.set(self.rows, line::bytes(self.bytes as f64));
            self.show_relation(entity, relation, rows);
        }
        if self.is_time_for_a_line() {
            let (rows, bytes) = (self.rows, self.bytes);
            let total = self.expected.map(|expected| expected.max(rows));
            let of = total.map_or(String::new(), |total| format!(" of {}", HumanCount(total)));
            self.console.info(
                &format!(
                    "rendering: {}{of} rows, {} of NDJSON, at relation {relation}",
                    HumanCount(rows),
                    HumanBytes(bytes)
                ),
                json!({"phase": "rendering", "rows": rows, "total_rows": total, "bytes": bytes,
                    "relation": relation}),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_understood() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
