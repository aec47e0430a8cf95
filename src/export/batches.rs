//! Batches: a relation's top-level rows cut into jobs for the pool, and what comes back put into files.

mod archives;
mod cut;
mod files;
mod jobs;
mod measure;
mod pieces;
mod shares;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;

use crate::fan_out::FanOut;
use crate::output::manifest::ARCHIVE_BATCH_SIZE;
use crate::output::{Done, FileId, FileKey, Message, Piece, Writer};
use crate::pipeline::Form;
use crate::resolve::{
    EntityInfo, EntityRequest, Entry, Fetched, Key, Live, PlanRelation, PlanSource,
    RelationRequest, ResolveError, Resolved, Round, RoundPart, RowSource, RowStore, TopKeys,
};
use crate::snapshot::{FileSource, SnapshotError};
use crate::timings::{self, Phase};

use super::ExportOptions;
use super::files::{AtHand, RedactedPaths};
use super::redact::Masks;
use super::render::{CollectedFrom, Rendered, Renderer};
use cut::Cut;
use files::OpenFile;
pub(super) use shares::{BatchShare, Told};
use trouble::trouble;

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
    /// The backup's files cannot be read.
    #[error(transparent)]
    Files(Box<SnapshotError>),
    /// The rows that are still to come never will.
    #[error(transparent)]
    Resolve(ResolveError),
}

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
    Piece(FileId, Piece, Option<Box<Done>>),
    Failed(FileId, String),
}

/// True if each key is a lone integer, so that equal ones are the same.
fn is_integers(keys: &[Key]) -> bool {
    keys.iter().all(|key| matches!(key, Key::Integer(_)))
}

/// All relations of all entities on their way from rows to files.
pub(super) struct Batches<'a> {
    resolved: &'a Resolved,
    options: &'a ExportOptions,
    renderer: Arc<Renderer>,
    /// What stands in place of columns' values.
    masks: Option<Arc<Masks>>,
    pool: Arc<ThreadPool>,
    renders: FanOut<Batch>,
    compressions: FanOut<Compressed>,
    sink: &'a mut dyn BatchSink,
    observer: &'a mut dyn BatchObserver,
    interrupted: &'a Arc<AtomicBool>,
    /// The relation whose rows are being cut into jobs.
    cut: Cut,
    /// The file that records are being added to.
    open_file: OpenFile,
    failed: HashSet<FileKey>,
    /// Files that an earlier run finished, so that they are not written again.
    finished: HashSet<FileKey>,
    /// Relations of which an earlier run finished some batches: what their references lead to is counted anew.
    counted_anew: HashSet<(usize, usize)>,
    /// True where some relation is collected from the records of the others, those of finished files among them.
    collects: bool,
    /// Keys that columns of complete files' records refer to, and how often, by entity and by the relation that is made of
    /// what they refer to.
    collected: HashMap<(usize, usize), BTreeMap<(Key, CollectedFrom), u64>>,
    /// Of these the keys whose rows have not been found, by entity and relation; of rows that are asked for batch by batch.
    unfound: BTreeMap<(usize, usize), BTreeSet<Key>>,
    /// What of the export is made elsewhere.
    share: BatchShare,
    /// The first relation of an entity that failed and from whose records others are collected.
    incomplete: HashMap<usize, String>,
    /// The backup's files, before they are asked for, and where what is kept of them goes.
    source: Option<FileSource>,
    temp_dir: PathBuf,
    /// Paths that are not told of the backup's files.
    redacted_paths: RedactedPaths,
    /// The backup's files.
    at_hand: Option<Arc<AtHand>>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(
        resolved: &'a Resolved,
        options: &'a ExportOptions,
        pool: &Arc<ThreadPool>,
        sink: &'a mut dyn BatchSink,
        observer: &'a mut dyn BatchObserver,
        interrupted: &'a Arc<AtomicBool>,
        masks: Option<Arc<Masks>>,
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
            renderer: Arc::new(renderer.with_masks(masks.clone())),
            masks,
            pool: Arc::clone(pool),
            // One batch more than threads: while one is being taken, none of the threads is idle.
            renders: FanOut::new(Arc::clone(pool), threads + 1, Phase::Render),
            compressions: FanOut::new(Arc::clone(pool), threads * 2, Phase::Compress),
            sink,
            observer,
            interrupted,
            cut: Cut::default(),
            open_file: OpenFile::default(),
            failed: HashSet::new(),
            finished: HashSet::new(),
            counted_anew: HashSet::new(),
            collects,
            collected: HashMap::new(),
            unfound: BTreeMap::new(),
            share: BatchShare::default(),
            incomplete: HashMap::new(),
            source: None,
            temp_dir: std::env::temp_dir(),
            redacted_paths: RedactedPaths::default(),
            at_hand: None,
        })
    }

    /// Says where the backup's files are, and the folder for temp files.
    pub(crate) fn with_files(mut self, source: FileSource, temp_dir: &Path) -> Self {
        self.source = Some(source);
        temp_dir.clone_into(&mut self.temp_dir);
        self
    }

    /// Says what entities are called where their full paths are redacted, by position.
    pub(crate) fn calling(mut self, full_paths: Vec<String>) -> Self {
        let own = self.resolved.entities.iter();
        let own = own.map(|entity| entity.full_path.clone());
        self.redacted_paths = RedactedPaths::new(own.zip(full_paths));
        self
    }

    /// Says which files an earlier run finished, and of which relations only some.
    pub(crate) fn keeping(
        mut self,
        finished: HashSet<FileKey>,
        in_part: HashSet<(usize, usize)>,
    ) -> Self {
        let resolved = self.resolved;
        let in_part = in_part
            .into_iter()
            .map(|(entity, relation)| (entity, resolved.relations_of(entity).start + relation));
        self.counted_anew = in_part.collect();
        let finished = finished.into_iter().map(|(entity, relation, batch)| {
            let first = resolved.relations_of(entity).start;
            (entity, first + relation, batch)
        });
        self.finished = finished.collect();
        self
    }

    /// Says what of the export is made elsewhere. Relations are counted from the first one of their entity.
    pub(crate) fn sharing(mut self, share: BatchShare) -> Self {
        let resolved = self.resolved;
        let given = share
            .given
            .into_iter()
            .map(|((entity, relation), columns)| {
                let first = resolved.relations_of(entity).start;
                ((entity, first + relation), columns)
            });
        self.share = BatchShare {
            given: given.collect(),
            ..share
        };
        self
    }

    /// Exports every relation of every entity. Relations that are collected come last, because every other record
    /// may refer to their rows. Returns what others have to know of them, if they make them.
    ///
    /// # Errors
    /// Where the run cannot go on; a relation that fails is no such case.
    pub(crate) fn run(mut self) -> Result<Told, BatchError> {
        let _render = timings::phase(Phase::Render);
        let resolved = self.resolved;
        if let (RowSource::Live(_), Some(_), true) = (
            &resolved.rows,
            self.options.batch_bytes,
            self.options.batched,
        ) {
            let message = "batches by bytes need rows that are read before they are cut, and a server's are not: leave \
                           --batch-bytes out, or export from a snapshot of the server (`relexport snapshot take`)";
            return Err(BatchError::Plan(message.to_owned()));
        }
        if let Some(source) = self.source.take() {
            self.gather(source)?;
        }
        for collected in [false, true] {
            match &resolved.rows {
                RowSource::Kept(store) => self.kept(store, collected)?,
                RowSource::Live(live) => self.live(live, collected)?,
            }
            // Every reference is known when the last batch has been taken.
            self.take_batches()?;
        }
        while let Some(compressed) = self.compressions.take() {
            self.take_compressed(compressed)?;
        }
        // Repositories are looked for until the last of them is written.
        if let Some(at_hand) = &self.at_hand {
            let mut warnings = at_hand.warnings();
            let of_repositories = at_hand.repository_warnings();
            // The others were logged when the files were gone through.
            for warning in &of_repositories {
                tracing::warn!("{warning}");
            }
            warnings.extend(of_repositories);
            self.send(Message::Warnings(warnings))?;
        }
        Ok(self.told())
    }

    /// Takes whatever the pool still renders.
    fn take_batches(&mut self) -> Result<(), BatchError> {
        while let Some(batch) = self.renders.take() {
            self.take_batch(batch)?;
        }
        Ok(())
    }

    /// The relations that are collected, or those that are not, out of one store.
    fn kept(&mut self, store: &Arc<RowStore>, collected: bool) -> Result<(), BatchError> {
        let resolved = self.resolved;
        for entity in 0..resolved.entities.len() {
            for relation in self.relations(entity, collected) {
                if collected && self.share.tells {
                    self.tell_elsewhere(entity, relation)?;
                    continue;
                }
                if !self.can_be_had(entity, relation)? {
                    continue;
                }
                let planned = &resolved.plan.relations[relation];
                let entries = match &planned.source {
                    Ok(PlanSource::Maxima(_)) => {
                        self.begin(entity, relation, 1)?;
                        self.maxima(store)?;
                        continue;
                    }
                    Ok(PlanSource::Collected(_)) => {
                        let keys = self.collected_keys(entity, relation);
                        let entries = self.renderer.collected(store, relation, &keys);
                        let unfound = self.renderer.unfound(store, relation, keys);
                        self.lead_nowhere(entity, relation, &unfound.unwrap_or_default())?;
                        entries
                    }
                    Ok(PlanSource::NoFiles) => {
                        self.no_files(entity, relation, Done::default())?;
                        continue;
                    }
                    Ok(PlanSource::Rows(_)) | Err(_) => {
                        let entity = &resolved.entities[entity];
                        self.renderer.top_level(store, relation, entity)
                    }
                };
                if let Form::Archive(archive) = planned.form {
                    let entries = entries.map_err(BatchError::Temp)?;
                    self.archives(store, entity, relation, archive, &entries)?;
                    continue;
                }
                self.all_rows(store, entity, relation, entries.map_err(BatchError::Temp)?)?;
            }
        }
        Ok(())
    }

    /// All top-level rows of a relation of an entity, which are in the order of their keys.
    fn all_rows(
        &mut self,
        store: &Arc<RowStore>,
        entity: usize,
        relation: usize,
        mut entries: Vec<Entry>,
    ) -> Result<(), BatchError> {
        if self.resolved.plan.relations[relation].pick.is_some() {
            let ordered = self.renderer.in_order(store, relation, &mut entries);
            ordered.map_err(BatchError::Temp)?;
            self.renderer.pick(relation, &mut entries);
        }
        let files = self.files(store, relation, &entries)?;
        self.begin_files(entity, relation, entries.len(), files)?;
        if let Some(reason) = self.renderer.more_than_one(store, relation, &entries) {
            return self.refused(&reason);
        }
        if !(self.cut.files.is_batched() && self.resolved.plan.relations[relation].batches_by_key) {
            let mut rest = entries.as_mut_slice();
            for length in self.cut.files.lengths(rest.len()) {
                let (batch, behind) = rest.split_at_mut(length);
                let ordered = self.renderer.in_order(store, relation, batch);
                ordered.map_err(BatchError::Temp)?;
                rest = behind;
            }
        }
        self.rows(store, &entries)
    }

    /// The relations that are collected, or those that are not, as they are fetched.
    fn live(&mut self, live: &Live, collected: bool) -> Result<(), BatchError> {
        let resolved = self.resolved;
        let mut requests = Vec::new();
        let mut first = 0;
        // Only entities of one set have relations in common.
        let same_set = |one: &EntityInfo, other: &EntityInfo| one.set == other.set;
        let sets = resolved.entities.chunk_by(same_set);
        for together in sets.flat_map(|set| set.chunks(ENTITIES)) {
            let entities = first..first + together.len();
            first = entities.end;
            for relation in self.relations(entities.start, collected) {
                // Only backups hold files.
                if let Form::Archive(_) = resolved.plan.relations[relation].form {
                    for entity in entities.clone() {
                        self.no_files(entity, relation, Done::default())?;
                    }
                    continue;
                }
                let mut asked = Vec::new();
                for entity in entities.clone() {
                    if collected && self.share.tells {
                        self.tell_elsewhere(entity, relation)?;
                    } else if self.can_be_had(entity, relation)? {
                        let EntityInfo { id, root, .. } = &resolved.entities[entity];
                        let keys = match collected {
                            true => {
                                let keys = self.collected_keys(entity, relation);
                                let unfound = keys.iter().cloned().collect();
                                self.unfound.insert((entity, relation), unfound);
                                TopKeys::Collected(keys)
                            }
                            false => TopKeys::Entity {
                                key: id.clone(),
                                root: root.clone(),
                            },
                        };
                        asked.push(EntityRequest { entity, keys });
                    }
                }
                requests.push(RelationRequest {
                    relation,
                    entities: asked,
                    batch_size: self.batch_size(relation),
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
                } => {
                    self.unfound.remove(&(entity, relation));
                    self.fail_relation(entity, relation, error)?;
                }
                Fetched::Round(round) => {
                    self.note_found(&round);
                    self.round(&round)?;
                }
            }
        }
        for ((entity, relation), unfound) in std::mem::take(&mut self.unfound) {
            self.lead_nowhere(entity, relation, &unfound)?;
        }
        Ok(())
    }

    /// Takes note of the rows of a round, if they are those of a collected relation.
    fn note_found(&mut self, round: &Round) {
        for part in &round.parts {
            let place = (part.entity, round.relation);
            // Only of relations that are collected there are some.
            let Some(mut unfound) = self.unfound.remove(&place) else {
                continue;
            };
            let still = match &round.rows {
                // Of rows that were not to be had nothing is known.
                Err(_) => None,
                Ok(_) if is_integers(&part.ids) && !part.whole => {
                    part.ids.iter().for_each(|id| {
                        unfound.remove(id);
                    });
                    Some(unfound)
                }
                Ok(store) => self.renderer.unfound(store, round.relation, unfound),
            };
            if let Some(still) = still {
                self.unfound.insert(place, still);
            }
        }
    }

    /// References whose keys have no row.
    fn lead_nowhere(
        &mut self,
        entity: usize,
        relation: usize,
        unfound: &BTreeSet<Key>,
    ) -> Result<(), BatchError> {
        let references = self.dangling_to(entity, relation, unfound);
        if references.is_empty() {
            return Ok(());
        }
        self.send(Message::Dangling {
            entity,
            relation,
            references,
        })
    }

    fn round(&mut self, round: &Round) -> Result<(), BatchError> {
        let source = &self.resolved.plan.relations[round.relation].source;
        for part in &round.parts {
            if let (Ok(store), true) = (&round.rows, part.whole) {
                self.whole(round.relation, part, store)?;
                continue;
            }
            if part.first {
                self.begin(part.entity, round.relation, part.total)?;
            }
            match (&round.rows, source) {
                (Err(error), _) => self.refused(error)?,
                (Ok(store), Ok(PlanSource::Maxima(_))) => self.maxima(store)?,
                (Ok(store), Ok(PlanSource::Rows(node) | PlanSource::Collected(node))) => {
                    let shape = self.renderer.key_shape(round.relation);
                    let entries = shape.map(|shape| part.entries(node, &shape, store));
                    let entries = entries.unwrap_or_default();
                    let reason = self.renderer.more_than_one(store, round.relation, &entries);
                    match reason {
                        Some(reason) => self.refused(&reason)?,
                        None => self.rows(store, &entries)?,
                    }
                }
                // Nobody asked for it.
                (Ok(_), Ok(PlanSource::NoFiles)) => {}
                (Ok(_), Err(reason)) => self.refused(&reason.to_string())?,
            }
        }
        Ok(())
    }

    /// All rows of a relation of an entity, fetched together.
    fn whole(
        &mut self,
        relation: usize,
        part: &RoundPart,
        store: &Arc<RowStore>,
    ) -> Result<(), BatchError> {
        let source = &self.resolved.plan.relations[relation].source;
        let entries = match source {
            Ok(PlanSource::Collected(_)) => {
                let keys = self.collected_keys(part.entity, relation);
                self.renderer.collected(store, relation, &keys)
            }
            Ok(PlanSource::Rows(_) | PlanSource::Maxima(_) | PlanSource::NoFiles) | Err(_) => {
                let entity = &self.resolved.entities[part.entity];
                self.renderer.top_level(store, relation, entity)
            }
        };
        let entries = entries.map_err(BatchError::Temp)?;
        self.all_rows(store, part.entity, relation, entries)
    }

    /// Positions of the relations of an entity that are collected, or of those that are not.
    fn relations(&self, entity: usize, collected: bool) -> Vec<usize> {
        let plan = &self.resolved.plan;
        let is_meant = |relation: &usize| {
            let source = &plan.relations[*relation].source;
            matches!(source, Ok(PlanSource::Collected(_))) == collected
        };
        self.resolved
            .relations_of(entity)
            .filter(is_meant)
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

    /// Top-level rows of a file of a relation; `None` where there is one file.
    fn batch_size(&self, relation: usize) -> Option<usize> {
        let batched = self.options.batched && self.resolved.plan.relations[relation].batched;
        let sizes = &self.options.batch_sizes;
        let PlanRelation { pipeline, name, .. } = &self.resolved.plan.relations[relation];
        let own = sizes.get(&format!("{pipeline}.{name}"));
        let size = own.or_else(|| sizes.get(name)).map(|size| size.get());
        let usual = match self.resolved.plan.relations[relation].form {
            Form::Archive(_) => ARCHIVE_BATCH_SIZE,
            Form::Lines | Form::Single | Form::Object => self.options.batch_size.get(),
        };
        batched.then(|| size.unwrap_or(usual) as usize)
    }

    /// Hands over a message. What takes it counts relations from the first one of their entity.
    fn send(&mut self, message: Message) -> Result<(), BatchError> {
        let message = match message {
            Message::Rows {
                entity,
                relation,
                count,
            } => Message::Rows {
                entity,
                relation: self.in_entity(entity, relation),
                count,
            },
            Message::Batches {
                entity,
                relation,
                count,
                own,
            } => Message::Batches {
                entity,
                relation: self.in_entity(entity, relation),
                count,
                own,
            },
            Message::Dangling {
                entity,
                relation,
                references,
            } => Message::Dangling {
                entity,
                relation: self.in_entity(entity, relation),
                references,
            },
            Message::NoFiles {
                entity,
                relation,
                done,
            } => Message::NoFiles {
                entity,
                relation: self.in_entity(entity, relation),
                done,
            },
            Message::Piece(file, piece) => Message::Piece(self.file_in_entity(file), piece),
            Message::Done(file, done) => Message::Done(self.file_in_entity(file), done),
            Message::Failed(file, error) => Message::Failed(self.file_in_entity(file), error),
            Message::RelationFailed {
                entity,
                relation,
                error,
            } => Message::RelationFailed {
                entity,
                relation: self.in_entity(entity, relation),
                error,
            },
            Message::Elsewhere { entity, relation } => Message::Elsewhere {
                entity,
                relation: self.in_entity(entity, relation),
            },
            message @ (Message::Read { .. }
            | Message::Warnings(_)
            | Message::Judge(_)
            | Message::End) => message,
        };
        self.sink.send(message).map_err(BatchError::Write)
    }

    /// The position of a relation among those of its entity.
    fn in_entity(&self, entity: usize, relation: usize) -> usize {
        relation - self.resolved.relations_of(entity).start
    }

    fn file_in_entity(&self, file: FileId) -> FileId {
        FileId {
            relation: self.in_entity(file.entity, file.relation),
            ..file
        }
    }

    fn fail_relation(
        &mut self,
        entity: usize,
        relation: usize,
        error: String,
    ) -> Result<(), BatchError> {
        let name = &self.resolved.plan.relations[relation].name;
        tracing::error!(
            entity = self.resolved.entities[entity].id.logged(),
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
}
