//! Progress: bars on a terminal, log lines elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;

use super::console::Console;
use crate::export::{BatchObserver, Expected, ExportObserver};

/// Where there is no terminal, a line is logged this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often bars are drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

const READING: &str = "reading   {bar:20} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  \
                       {eta} left  {wide_msg}";
/// Of a pipe, nobody knows how much is to come.
const READING_PIPE: &str =
    "reading   {spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}  {wide_msg}";
const RENDERING: &str =
    "rendering {bar:20} {human_pos}/{human_len} rows  {per_sec}  {eta} left  {wide_msg}";
/// Of a server, nobody knows how many rows are to come.
const RENDERING_LIVE: &str =
    "rendering {spinner} {human_pos} rows  {per_sec}  {elapsed}  {wide_msg}";
const RELATION: &str = "          {bar:20} {human_pos}/{human_len} rows  {wide_msg}";

/// Shows how far an export is.
pub struct Progress {
    console: Console,
    /// The bar of the phase.
    bar: Option<ProgressBar>,
    /// Those of the relations that are being rendered, by entity and name.
    relations: HashMap<(usize, String), ProgressBar>,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    /// `None` where nobody knows how many rows there will be.
    expected: Option<u64>,
    rows: u64,
    bytes: u64,
    line: Instant,
}

impl Progress {
    pub fn new(console: &Console) -> Self {
        Progress {
            console: console.clone(),
            bar: None,
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
    pub fn rendered_bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the bars away.
    pub fn finish(&mut self) {
        for bar in self.bar.take().into_iter() {
            bar.finish_and_clear();
        }
        for (_, bar) in self.relations.drain() {
            bar.finish_and_clear();
        }
    }

    /// A bar below the others; `None` where no bars are shown.
    fn new_bar(&self, length: Option<u64>, template: &str) -> Option<ProgressBar> {
        let bars = self.console.bars()?;
        let bar = bars.add(match length {
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::no_length(),
        });
        // The templates are constants of this file, which a test parses; a wrong one would show a plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Some(bar)
    }

    fn start_phase(&mut self, length: Option<u64>, template: &str) {
        self.finish();
        self.bar = self.new_bar(length, template);
        if let Some(bar) = &self.bar {
            bar.enable_steady_tick(DRAW_EVERY);
        }
    }

    fn is_time_for_a_line(&mut self) -> bool {
        let is_time = self.bar.is_none() && self.line.elapsed() >= LINE_EVERY;
        if is_time {
            self.line = Instant::now();
        }
        is_time
    }
}

impl ExportObserver for Progress {
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>) {
        let template = if size.is_some() {
            READING
        } else {
            READING_PIPE
        };
        self.start_phase(size, template);
        if let Some(bar) = &self.bar {
            let (bar, read) = (bar.downgrade(), Arc::clone(&read));
            // The bar follows the reader's own count; the thread ends with the bar.
            std::thread::spawn(move || {
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
        if let Some(bar) = &self.bar {
            bar.set_message(super::table::visible(name));
        }
        if self.is_time_for_a_line() {
            let read = self.read.load(Ordering::Relaxed);
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
        let template = match expected.rows {
            Some(_) => RENDERING,
            None => RENDERING_LIVE,
        };
        self.start_phase(expected.rows, template);
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
        if let Some(bar) = self.new_bar(Some(rows), RELATION) {
            bar.set_message(relation.to_owned());
            self.relations.insert((entity, relation.to_owned()), bar);
        }
        tracing::info!(rows, "rendering relation {relation}");
    }

    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        if let Some(bar) = &self.bar {
            // Relations that are collected have rows that nobody could expect.
            if self.expected.is_some_and(|expected| self.rows > expected) {
                bar.set_length(self.rows);
            }
            bar.inc(rows);
            bar.set_message(HumanBytes(self.bytes).to_string());
            let id = (entity, relation.to_owned());
            if let Some(relation) = self.relations.get(&id) {
                relation.inc(rows);
                if Some(relation.position()) >= relation.length() {
                    relation.finish_and_clear();
                    self.relations.remove(&id);
                }
            }
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
    fn the_templates_are_understood() {
        for template in [READING, READING_PIPE, RENDERING, RENDERING_LIVE, RELATION] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
