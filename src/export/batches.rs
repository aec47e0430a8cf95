//! Batches: a relation's top-level rows cut into jobs for the pool, and what comes back put into files.

mod cut;
mod pieces;
mod trouble;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;

use crate::fan_out::FanOut;
use crate::output::{Done, FileId, Message, PIECE, Piece, SkippedRow, Writer};
use crate::pipeline::Form;
use crate::resolve::{
    EntityInfo, EntityRequest, Entry, Fetched, Live, PlanSource, RelationRequest, ResolveError,
    Resolved, Round, RowSource, RowStore, TopKeys,
};
use crate::timings::{self, Phase};

use super::ExportOptions;
use super::render::{BadValue, Rendered, Renderer};
use cut::Cut;
use trouble::{bad_rows, trouble};

/// Top-level rows that one job renders at the most: what bounds the memory of a batch that is under way, since its
/// content goes on in pieces.
const SLICE: usize = 200;

/// Entities whose relations are fetched together: what bounds the keys that are held at the same time.
const ENTITIES: usize = 500;

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
    /// A file of an earlier run cannot have come from these rows.
    #[error(
        "{0}, though an earlier run finished the file with it\n  start anew with --force instead of --resume"
    )]
    Changed(String),
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Plan(String),
    /// The rows that are still to come never will.
    #[error(transparent)]
    Resolve(ResolveError),
}

/// A file's place: entity, relation, batch.
pub(super) type FilePlace = (usize, usize, Option<u32>);

/// What a render job gives back.
struct Batch {
    file: FileId,
    /// The last one of its file.
    last: bool,
    rows: u64,
    /// Or why the file cannot be finished.
    outcome: Result<Rendered, String>,
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
    interrupted: &'a Arc<AtomicBool>,
    /// Content of the current file that does not fill a piece yet.
    partial: Vec<u8>,
    done: Done,
    /// The relation whose rows are being cut into jobs.
    cut: Cut,
    failed: HashSet<FilePlace>,
    /// Files that an earlier run finished, so that they are not written again.
    finished: HashSet<FilePlace>,
    /// True where some relation is collected from the records of the others, those of finished files among them.
    collects: bool,
    /// Keys that the records of the current file refer to.
    referred: BTreeSet<i64>,
    /// Keys that records of complete files refer to, by entity.
    collected: HashMap<usize, BTreeSet<i64>>,
    /// The first relation of an entity that failed and from whose records others are collected.
    incomplete: HashMap<usize, String>,
}

impl<'a> Batches<'a> {
    pub fn new(
        resolved: &'a Resolved,
        options: &'a ExportOptions,
        pool: &Arc<ThreadPool>,
        sink: &'a mut dyn BatchSink,
        observer: &'a mut dyn BatchObserver,
        interrupted: &'a Arc<AtomicBool>,
    ) -> Result<Self, BatchError> {
        let counts = !sink.wants_content();
        let renderer = Renderer::new(resolved, options.keep_going, counts)
            .map_err(|error| BatchError::Plan(error.to_string()))?;
        let threads = pool.current_num_threads();
        let relations = &resolved.plan.relations;
        let collects = relations
            .iter()
            .any(|relation| matches!(relation.source, Ok(PlanSource::Collected(_))));
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
            cut: Cut::default(),
            failed: HashSet::new(),
            finished: HashSet::new(),
            collects,
            referred: BTreeSet::new(),
            collected: HashMap::new(),
            incomplete: HashMap::new(),
        })
    }

    /// Says which files an earlier run finished.
    pub fn keeping(mut self, finished: HashSet<FilePlace>) -> Self {
        self.finished = finished;
        self
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
            match &resolved.rows {
                RowSource::Kept(store) => self.kept(store, collected)?,
                RowSource::Live(live) => self.live(live, collected)?,
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

    /// The relations that are collected, or those that are not, out of one store.
    fn kept(&mut self, store: &Arc<RowStore>, collected: bool) -> Result<(), BatchError> {
        let resolved = self.resolved;
        for entity in 0..resolved.entities.len() {
            for relation in self.relations(collected) {
                if !self.can_be_had(entity, relation)? {
                    continue;
                }
                let planned = &resolved.plan.relations[relation];
                let EntityInfo { id, root, .. } = resolved.entities[entity];
                let entries = match &planned.source {
                    Ok(PlanSource::Maxima(_)) => {
                        self.begin(entity, relation, 1)?;
                        self.maxima(store)?;
                        continue;
                    }
                    Ok(PlanSource::Collected(_)) => {
                        let keys = self.collected_keys(entity);
                        self.renderer
                            .collected(store, relation, &keys)
                            .map_err(BatchError::Temp)?
                    }
                    Ok(PlanSource::Rows(_)) | Err(_) => self
                        .renderer
                        .top_level(store, relation, id, root)
                        .map_err(BatchError::Temp)?,
                };
                self.begin(entity, relation, entries.len())?;
                match self.renderer.more_than_one(relation, &entries) {
                    Some(reason) => self.refused(&reason)?,
                    None => self.rows(store, &entries)?,
                }
            }
        }
        Ok(())
    }

    /// The relations that are collected, or those that are not, as they are fetched.
    fn live(&mut self, live: &Live, collected: bool) -> Result<(), BatchError> {
        let resolved = self.resolved;
        let mut requests = Vec::new();
        for first in (0..resolved.entities.len()).step_by(ENTITIES) {
            let entities = first..resolved.entities.len().min(first + ENTITIES);
            for relation in self.relations(collected) {
                let mut asked = Vec::new();
                for entity in entities.clone() {
                    if self.can_be_had(entity, relation)? {
                        let EntityInfo { id: key, root, .. } = resolved.entities[entity];
                        let keys = match collected {
                            true => TopKeys::Collected(self.collected_keys(entity)),
                            false => TopKeys::Entity { key, root },
                        };
                        asked.push(EntityRequest { entity, keys });
                    }
                }
                requests.push(RelationRequest {
                    relation,
                    entities: asked,
                });
            }
        }
        let fetch = live.fetch(requests, self.interrupted);
        let mut fetch = fetch.map_err(BatchError::Resolve)?;
        while let Some(fetched) = fetch.take().map_err(BatchError::Resolve)? {
            match fetched {
                Fetched::Refused {
                    relation,
                    entity,
                    error,
                } => self.fail_relation(entity, relation, error)?,
                Fetched::Round(round) => self.round(&round)?,
            }
        }
        Ok(())
    }

    fn round(&mut self, round: &Round) -> Result<(), BatchError> {
        let source = &self.resolved.plan.relations[round.relation].source;
        for part in &round.parts {
            if part.first {
                self.begin(part.entity, round.relation, part.total)?;
            }
            match (&round.rows, source) {
                (Err(error), _) => self.refused(error)?,
                (Ok(store), Ok(PlanSource::Maxima(_))) => self.maxima(store)?,
                (Ok(store), Ok(PlanSource::Rows(node) | PlanSource::Collected(node))) => {
                    let entries = part.entries(node, store);
                    match self.renderer.more_than_one(round.relation, &entries) {
                        Some(reason) => self.refused(&reason)?,
                        None => self.rows(store, &entries)?,
                    }
                }
                (Ok(_), Err(reason)) => self.refused(&reason.to_string())?,
            }
        }
        Ok(())
    }

    /// Positions of the relations that are collected, or of those that are not.
    fn relations(&self, collected: bool) -> Vec<usize> {
        let relations = self.resolved.plan.relations.iter().enumerate();
        relations
            .filter(|(_, planned)| {
                matches!(planned.source, Ok(PlanSource::Collected(_))) == collected
            })
            .map(|(position, _)| position)
            .collect()
    }

    /// Fails a relation that cannot be planned, or whose tables cannot be relied on.
    fn can_be_had(&mut self, entity: usize, relation: usize) -> Result<bool, BatchError> {
        let planned = &self.resolved.plan.relations[relation];
        let reason = match &planned.source {
            Err(reason) => Some(reason.to_string()),
            Ok(source) => {
                let failed = self.incomplete.get(&entity);
                let failed = failed.filter(|_| matches!(source, PlanSource::Collected(_)));
                trouble(self.resolved, &planned.tables, self.options).or_else(|| {
                    Some(format!(
                        "it is collected from the records of relation {}, too, which failed, so that rows would be missing",
                        failed?
                    ))
                })
            }
        };
        match reason {
            Some(reason) => self.fail_relation(entity, relation, reason).map(|()| false),
            None => Ok(true),
        }
    }

    /// The keys that the entity's records refer to, sorted.
    fn collected_keys(&self, entity: usize) -> Vec<i64> {
        let keys = self.collected.get(&entity);
        keys.into_iter().flatten().copied().collect()
    }

    /// A relation of an entity begins, with so many top-level rows. What is said of rows after that is of its rows.
    fn begin(&mut self, entity: usize, relation: usize, total: usize) -> Result<(), BatchError> {
        let planned = &self.resolved.plan.relations[relation];
        self.observer.relation(entity, &planned.name, total as u64);
        // Under --keep-going, rows that could not even be split are listed with each relation that might have had them.
        let (unread, unlisted) = bad_rows(self.resolved, &planned.tables);
        self.cut = Cut {
            entity,
            relation,
            total,
            given: 0,
            batch_size: (self.options.batched && planned.batched)
                .then(|| self.options.batch_size.get() as usize),
            json: planned.form == Form::Object,
            refused: false,
            unread,
            unlisted,
        };
        if let Some(batch_size) = self.cut.batch_size {
            let count = u32::try_from(total.div_ceil(batch_size)).map_err(|_| {
                BatchError::Plan(format!("{} would have too many batches", planned.name))
            })?;
            self.send(Message::Batches {
                entity,
                relation,
                count,
            })?;
        }
        if total == 0 {
            // A one-object relation without its row is an empty file, too.
            let rendered = Rendered {
                skipped: std::mem::take(&mut self.cut.unread),
                unlisted: self.cut.unlisted,
                ..Rendered::default()
            };
            let file = FileId {
                batch: None,
                ..self.cut.file()
            };
            self.give(file, true, 0, || Ok(rendered))?;
        }
        Ok(())
    }

    /// The object of a relation of maxima.
    fn maxima(&mut self, store: &Arc<RowStore>) -> Result<(), BatchError> {
        let (file, relation) = (self.cut.file(), self.cut.relation);
        let EntityInfo { id, root, .. } = self.resolved.entities[self.cut.entity];
        let (renderer, store) = (Arc::clone(&self.renderer), Arc::clone(store));
        self.give(file, true, 1, move || {
            renderer.maxima(&store, relation, id, root)
        })
    }

    /// The next top-level rows of the relation, cut into jobs.
    fn rows(&mut self, store: &Arc<RowStore>, entries: &[Entry]) -> Result<(), BatchError> {
        let relation = self.cut.relation;
        let lines = self.resolved.plan.relations[relation].form == Form::Lines;
        let mut rest = entries;
        while !rest.is_empty() && !self.cut.refused {
            let file = self.cut.file();
            let (rows, behind) = rest.split_at(self.cut.room().min(SLICE).min(rest.len()));
            rest = behind;
            self.cut.given += rows.len();
            if self.is_done_with(file) {
                self.observer.rendered(
                    file.entity,
                    &self.resolved.plan.relations[relation].name,
                    rows.len() as u64,
                    0,
                );
                continue;
            }
            let resident = self
                .renderer
                .load(store, relation, rows)
                .map_err(BatchError::Temp)?;
            let (renderer, rows) = (Arc::clone(&self.renderer), rows.to_vec());
            let unread = std::mem::take(&mut self.cut.unread);
            let unlisted = std::mem::take(&mut self.cut.unlisted);
            let ends_file = self.cut.is_at_end();
            self.give(file, ends_file, rows.len() as u64, move || {
                let mut rendered = renderer.render(relation, &rows, &resident, lines)?;
                rendered.skipped.extend(unread);
                rendered.unlisted = unlisted;
                Ok(rendered)
            })?;
        }
        Ok(())
    }

    /// The rest of the relation's rows cannot be had: every file that would hold some of them fails.
    fn refused(&mut self, error: &str) -> Result<(), BatchError> {
        if self.cut.refused || self.cut.given == self.cut.total {
            return Ok(());
        }
        self.cut.refused = true;
        loop {
            let (file, error) = (self.cut.file(), error.to_owned());
            self.cut.given += self.cut.room();
            self.give_failed(file, error)?;
            if self.cut.given >= self.cut.total {
                return Ok(());
            }
        }
    }

    fn give_failed(&mut self, file: FileId, error: String) -> Result<(), BatchError> {
        self.give_job(move || Batch {
            file,
            last: true,
            rows: 0,
            outcome: Err(error),
        })
    }

    fn give(
        &mut self,
        file: FileId,
        last: bool,
        rows: u64,
        render: impl FnOnce() -> Result<Rendered, BadValue> + Send + 'static,
    ) -> Result<(), BatchError> {
        self.give_job(move || Batch {
            file,
            last,
            rows,
            outcome: render().map_err(|bad| bad.to_string()),
        })
    }

    fn give_job(&mut self, job: impl FnOnce() -> Batch + Send + 'static) -> Result<(), BatchError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(BatchError::Interrupted);
        }
        match self.renders.give(job) {
            Some(batch) => self.take_batch(batch),
            None => Ok(()),
        }
    }

    /// True for a file of an earlier run whose records need not even be looked at.
    fn is_done_with(&self, file: FileId) -> bool {
        !self.collects
            && self
                .finished
                .contains(&(file.entity, file.relation, file.batch))
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
        self.note_failed(entity, relation);
        self.send(Message::RelationFailed {
            entity,
            relation,
            error,
        })
    }

    /// What is collected from the records of a relation that failed would lack rows.
    fn note_failed(&mut self, entity: usize, relation: usize) {
        let planned = &self.resolved.plan.relations[relation];
        if planned.collected_from {
            let first = self.incomplete.entry(entity);
            first.or_insert_with(|| planned.name.clone());
        }
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
        if self.finished.contains(&id) {
            let rendered = outcome.map_err(BatchError::Changed)?;
            let collected = self.collected.entry(file.entity).or_default();
            collected.extend(rendered.collected);
            return Ok(());
        }
        match outcome {
            Ok(rendered) => {
                self.done.objects += rendered.objects;
                self.done.skipped_count += rendered.skipped.len() as u64 + rendered.unlisted;
                self.done
                    .skipped
                    .extend(rendered.skipped.iter().map(skipped_row));
                self.referred.extend(rendered.collected);
                if !self.sink.wants_content() {
                    self.sink.counted(file, &rendered.rows);
                }
                self.append(file, &rendered.content)?;
                if last {
                    let referred = &mut self.referred;
                    let collected = self.collected.entry(file.entity).or_default();
                    collected.append(referred);
                    let content = std::mem::take(&mut self.partial);
                    let done = std::mem::take(&mut self.done);
                    self.compress(file, content, Some(done))?;
                }
                Ok(())
            }
            Err(error) => {
                self.failed.insert(id);
                self.note_failed(file.entity, file.relation);
                self.partial.clear();
                self.done = Done::default();
                // None of its records is written, so none of them refers to anybody.
                self.referred.clear();
                tracing::error!(
                    entity = self.resolved.entities[file.entity].id,
                    relation = name,
                    "{error}"
                );
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
}

fn skipped_row(bad: &BadValue) -> SkippedRow {
    SkippedRow {
        table: bad.table.clone(),
        key: bad.key,
        column: bad.column.clone(),
        reason: bad.reason.clone(),
    }
}
