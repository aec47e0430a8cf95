//! Batches: a relation's top-level rows cut into jobs for the pool, and what comes back put into files.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;

use crate::fan_out::FanOut;
use crate::output::{Done, FileId, GzipLevel, Message, PIECE, Piece, SkippedRow, Writer, deflate};
use crate::pipeline::Form;
use crate::resolve::{Entry, PlanSource, Resolved, TableId};
use crate::timings::{self, Phase};

use super::ExportOptions;
use super::render::{BadValue, Rendered, Renderer};

/// Top-level rows that one job renders at the most: what bounds the memory of a batch that is under way, since its
/// content goes on in pieces.
const SLICE: usize = 200;

/// Told how far the batches are.
pub trait BatchObserver {
    /// A relation begins, with so many top-level rows.
    fn relation(&mut self, entity: usize, relation: &str, rows: u64);
    /// So many more of its rows have been rendered, to so many bytes.
    fn rendered(&mut self, entity: usize, relation: &str, rows: u64, bytes: u64);
}

/// Where batches go: to the writing thread, or only into an account of what would be written.
pub(super) trait BatchSink {
    /// Hands over a message.
    ///
    /// # Errors
    /// Where nothing more can be taken.
    fn send(&mut self, message: Message) -> io::Result<()>;
    /// False where pieces need not be compressed and rows are counted instead.
    fn wants_content(&self) -> bool;
    /// Rows of a batch, by place of the relation's tree; only where content is not wanted.
    fn counted(&mut self, file: FileId, rows: &[u64]);
}

impl BatchSink for Writer {
    fn send(&mut self, message: Message) -> io::Result<()> {
        Writer::send(self, message)
    }

    fn wants_content(&self) -> bool {
        true
    }

    fn counted(&mut self, _file: FileId, _rows: &[u64]) {}
}

/// Why the batches did not come to their end.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The writing thread ended.
    #[error(transparent)]
    Write(io::Error),
    /// Rows that had been moved out of memory could not be read back.
    #[error("cannot read rows back from the temp folder: {0}")]
    Temp(io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Plan(String),
}

/// What a render job gives back.
struct Batch {
    file: FileId,
    /// The last one of its file.
    last: bool,
    rows: u64,
    outcome: Result<Rendered, BadValue>,
}

/// What a compress job gives back.
enum Compressed {
    Piece(FileId, Piece, Option<Done>),
    Failed(FileId, String),
}

/// All relations of all entities on their way from rows to files.
pub(super) struct Batches<'a> {
    resolved: &'a Resolved,
    options: &'a ExportOptions,
    renderer: Arc<Renderer>,
    renders: FanOut<Batch>,
    compressions: FanOut<Compressed>,
    sink: &'a mut dyn BatchSink,
    observer: &'a mut dyn BatchObserver,
    interrupted: &'a AtomicBool,
    /// Content of the current file that does not fill a piece yet.
    partial: Vec<u8>,
    done: Done,
    failed: HashSet<(usize, usize, Option<u32>)>,
    /// Keys that records refer to, by file.
    collected: HashMap<(usize, usize, Option<u32>), BTreeSet<i64>>,
}

impl<'a> Batches<'a> {
    pub fn new(
        resolved: &'a Resolved,
        options: &'a ExportOptions,
        pool: &Arc<ThreadPool>,
        sink: &'a mut dyn BatchSink,
        observer: &'a mut dyn BatchObserver,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, BatchError> {
        let counts = !sink.wants_content();
        let renderer =
            Renderer::new(resolved, options.keep_going, counts).map_err(BatchError::Plan)?;
        let threads = pool.current_num_threads();
        Ok(Batches {
            resolved,
            options,
            renderer: Arc::new(renderer),
            // One batch more than threads: while one is being taken, none of the threads is idle.
            renders: FanOut::new(Arc::clone(pool), threads + 1, Phase::Render),
            compressions: FanOut::new(Arc::clone(pool), threads * 2, Phase::Compress),
            sink,
            observer,
            interrupted,
            partial: Vec::with_capacity(PIECE),
            done: Done::default(),
            failed: HashSet::new(),
            collected: HashMap::new(),
        })
    }

    /// Exports every relation of every entity. Relations that are collected come last, because every other record
    /// may refer to their rows.
    ///
    /// # Errors
    /// Where the run cannot go on; a relation that fails is no such case.
    pub fn run(mut self) -> Result<(), BatchError> {
        let _render = timings::phase(Phase::Render);
        let resolved = self.resolved;
        for collected in [false, true] {
            for entity in 0..resolved.entities.len() {
                for (relation, planned) in resolved.plan.relations.iter().enumerate() {
                    if matches!(planned.source, Ok(PlanSource::Collected(_))) == collected {
                        self.relation(entity, relation)?;
                    }
                }
            }
            // Every reference is known when the last batch has been taken.
            while let Some(batch) = self.renders.take() {
                self.take_batch(batch)?;
            }
        }
        while let Some(compressed) = self.compressions.take() {
            self.take_compressed(compressed)?;
        }
        Ok(())
    }

    fn relation(&mut self, entity: usize, relation: usize) -> Result<(), BatchError> {
        let resolved = self.resolved;
        let planned = &resolved.plan.relations[relation];
        let source = match &planned.source {
            Err(reason) => return self.fail_relation(entity, relation, reason.clone()),
            Ok(source) => source,
        };
        if let Some(reason) = trouble(resolved, &planned.tables, self.options.keep_going) {
            return self.fail_relation(entity, relation, reason);
        }
        let (key, root) = (resolved.entities[entity].id, resolved.entities[entity].root);
        let entries = match source {
            PlanSource::Rows(_) => self
                .renderer
                .top_level(relation, key, root)
                .map_err(BatchError::Temp)?,
            PlanSource::Maxima(_) => Vec::new(),
            PlanSource::Collected(_) => {
                let mut keys = BTreeSet::new();
                for (_, found) in self.collected.iter().filter(|((of, ..), _)| *of == entity) {
                    keys.extend(found);
                }
                self.renderer
                    .collected(relation, &keys.into_iter().collect::<Vec<_>>())
            }
        };
        self.observer
            .relation(entity, &planned.name, entries.len() as u64);
        let json = planned.form == Form::Object;
        let file = FileId {
            entity,
            relation,
            batch: None,
            json,
        };
        // Under --keep-going, rows that could not even be split are listed with each relation that might have had them.
        let (mut unread, mut unlisted) = bad_rows(resolved, &planned.tables);
        if let PlanSource::Maxima(_) = source {
            let renderer = Arc::clone(&self.renderer);
            return self.give(file, true, 1, move || renderer.maxima(relation, key, root));
        }
        let batch_size = self.options.batch_size.get() as usize;
        let batched = self.options.batched && planned.batched;
        let batches: Vec<&[Entry]> = entries.chunks(batch_size).collect();
        if batched {
            let count = u32::try_from(batches.len()).map_err(|_| {
                BatchError::Plan(format!("{} would have too many batches", planned.name))
            })?;
            self.send(Message::Batches {
                entity,
                relation,
                count,
            })?;
        }
        if batches.is_empty() {
            // A one-object relation without its row is an empty file, too.
            let rendered = Rendered {
                skipped: unread,
                unlisted,
                ..Rendered::default()
            };
            return self.give(file, true, 0, || Ok(rendered));
        }
        let lines = planned.form == Form::Lines;
        let last = batches.len() - 1;
        for (position, batch) in batches.into_iter().enumerate() {
            let number = batched.then(|| position as u32 + 1);
            let file = FileId {
                batch: number,
                ..file
            };
            let ends_file = batched || position == last;
            let slices = batch.len().div_ceil(SLICE);
            for (slice, rows) in batch.chunks(SLICE).enumerate() {
                let resident = self
                    .renderer
                    .load(relation, rows)
                    .map_err(BatchError::Temp)?;
                let (renderer, rows) = (Arc::clone(&self.renderer), rows.to_vec());
                let (unread, unlisted) =
                    (std::mem::take(&mut unread), std::mem::take(&mut unlisted));
                let is_last = ends_file && slice + 1 == slices;
                self.give(file, is_last, rows.len() as u64, move || {
                    let mut rendered = renderer.render(relation, &rows, &resident, lines)?;
                    rendered.skipped.extend(unread);
                    rendered.unlisted = unlisted;
                    Ok(rendered)
                })?;
            }
        }
        Ok(())
    }

    fn give(
        &mut self,
        file: FileId,
        last: bool,
        rows: u64,
        render: impl FnOnce() -> Result<Rendered, BadValue> + Send + 'static,
    ) -> Result<(), BatchError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(BatchError::Interrupted);
        }
        let oldest = self.renders.give(move || Batch {
            file,
            last,
            rows,
            outcome: render(),
        });
        match oldest {
            Some(batch) => self.take_batch(batch),
            None => Ok(()),
        }
    }

    fn send(&mut self, message: Message) -> Result<(), BatchError> {
        self.sink.send(message).map_err(BatchError::Write)
    }

    fn fail_relation(
        &mut self,
        entity: usize,
        relation: usize,
        error: String,
    ) -> Result<(), BatchError> {
        let name = &self.resolved.plan.relations[relation].name;
        tracing::error!(
            entity = self.resolved.entities[entity].id,
            relation = name,
            "{error}"
        );
        self.send(Message::RelationFailed {
            entity,
            relation,
            error,
        })
    }

    /// A batch has been rendered; batches are taken in the order in which they were given.
    fn take_batch(&mut self, batch: Batch) -> Result<(), BatchError> {
        let Batch {
            file,
            last,
            rows,
            outcome,
        } = batch;
        let id = (file.entity, file.relation, file.batch);
        if self.failed.contains(&id) {
            return Ok(());
        }
        let bytes = outcome
            .as_ref()
            .map_or(0, |rendered| rendered.content.len() as u64);
        let name = &self.resolved.plan.relations[file.relation].name;
        self.observer.rendered(file.entity, name, rows, bytes);
        match outcome {
            Ok(rendered) => {
                self.done.objects += rendered.objects;
                self.done.skipped_count += rendered.skipped.len() as u64 + rendered.unlisted;
                self.done
                    .skipped
                    .extend(rendered.skipped.iter().map(skipped_row));
                self.collected
                    .entry(id)
                    .or_default()
                    .extend(rendered.collected);
                if !self.sink.wants_content() {
                    self.sink.counted(file, &rendered.rows);
                }
                self.append(file, &rendered.content)?;
                if last {
                    let content = std::mem::take(&mut self.partial);
                    let done = std::mem::take(&mut self.done);
                    self.compress(file, content, Some(done))?;
                }
                Ok(())
            }
            Err(bad) => {
                self.failed.insert(id);
                self.partial.clear();
                self.done = Done::default();
                // None of its records is written, so none of them refers to anybody.
                self.collected.remove(&id);
                tracing::error!(
                    entity = self.resolved.entities[file.entity].id,
                    relation = name,
                    "{bad}"
                );
                let error = bad.to_string();
                if !self.sink.wants_content() {
                    return self.take_compressed(Compressed::Failed(file, error));
                }
                let oldest = self
                    .compressions
                    .give(move || Compressed::Failed(file, error));
                self.take_oldest(oldest)
            }
        }
    }

    fn append(&mut self, file: FileId, content: &[u8]) -> Result<(), BatchError> {
        let mut rest = content;
        while self.partial.len() + rest.len() >= PIECE {
            let (fill, behind) = rest.split_at(PIECE - self.partial.len());
            let mut piece = std::mem::replace(&mut self.partial, Vec::with_capacity(PIECE));
            piece.extend_from_slice(fill);
            rest = behind;
            self.compress(file, piece, None)?;
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    fn compress(
        &mut self,
        file: FileId,
        content: Vec<u8>,
        done: Option<Done>,
    ) -> Result<(), BatchError> {
        if !self.sink.wants_content() {
            let piece = Piece {
                deflated: Vec::new(),
                crc: crc32fast::Hasher::new(),
                length: content.len() as u64,
            };
            return self.take_compressed(Compressed::Piece(file, piece, done));
        }
        let level: GzipLevel = self.options.gzip_level;
        let oldest = self
            .compressions
            .give(move || Compressed::Piece(file, deflate(&content, level), done));
        self.take_oldest(oldest)
    }

    fn take_oldest(&mut self, oldest: Option<Compressed>) -> Result<(), BatchError> {
        match oldest {
            Some(compressed) => self.take_compressed(compressed),
            None => Ok(()),
        }
    }

    fn take_compressed(&mut self, compressed: Compressed) -> Result<(), BatchError> {
        match compressed {
            Compressed::Piece(file, piece, done) => {
                self.send(Message::Piece(file, piece))?;
                match done {
                    Some(done) => self.send(Message::Done(file, done)),
                    None => Ok(()),
                }
            }
            Compressed::Failed(file, error) => self.send(Message::Failed(file, error)),
        }
    }
}

fn skipped_row(bad: &BadValue) -> SkippedRow {
    SkippedRow {
        table: bad.table.clone(),
        key: bad.key,
        column: bad.column.clone(),
        reason: bad.reason.clone(),
    }
}

/// Why the tables of a relation cannot be relied on.
fn trouble(resolved: &Resolved, tables: &BTreeSet<TableId>, keep_going: bool) -> Option<String> {
    for id in tables {
        let table = &resolved.plan.tables[*id].name;
        if resolved.incomplete.contains(id) {
            return Some(format!(
                "the snapshot was cut off before table {table} had gone by whole"
            ));
        }
        let Some(trouble) = resolved.troubles.get(id) else {
            continue;
        };
        if let Some(reason) = &trouble.broken {
            return Some(format!("table {table}: {reason}"));
        }
        if let (Some(bad), false) = (trouble.bad_rows.first(), keep_going) {
            let more = match trouble.bad_count {
                1 => String::new(),
                count => format!(" (and {} more bad rows)", count - 1),
            };
            return Some(format!(
                "table {table}, row {} (byte {}): {}{more}",
                bad.row, bad.offset, bad.reason
            ));
        }
    }
    None
}

/// Rows of these tables that could not be used at all: those that are described, and how many more there are.
fn bad_rows(resolved: &Resolved, tables: &BTreeSet<TableId>) -> (Vec<BadValue>, u64) {
    let mut described = Vec::new();
    let mut unlisted = 0;
    for (id, trouble) in tables
        .iter()
        .filter_map(|id| Some((id, resolved.troubles.get(id)?)))
    {
        unlisted += trouble.bad_count - trouble.bad_rows.len() as u64;
        described.extend(trouble.bad_rows.iter().map(|bad| BadValue {
            table: resolved.plan.tables[*id].name.to_string(),
            key: None,
            column: None,
            reason: format!("row {} (byte {}): {}", bad.row, bad.offset, bad.reason),
        }));
    }
    (described, unlisted)
}
