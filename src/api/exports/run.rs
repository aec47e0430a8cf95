//! A run: one read of the snapshot for one or many entities.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::data_folder::{self, RunRequest};
use super::lost_files::LostFiles;
use super::manifest_view::ManifestView;
use super::progress::{Progress, Timing};
use crate::api::entity::{EntityRef, Kind};
use crate::output::{Contents, EntityEntry, FolderStore, Manifest, Store};

/// The file with the times of a run that is over.
const TIMING: &str = "timing.json";

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
    /// It is over; whether everything is there its manifest says.
    Ended,
    /// It came to nothing, for this reason.
    Failed(String),
}

/// What a run came to.
pub(crate) enum RunOutcome {
    /// To files, some of whose relations may have failed.
    Exported(Box<Manifest>),
    /// To nothing, for this reason.
    Failed(String),
}

/// What tells exports of one entity from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub batched: bool,
    pub batch_size: u32,
}

struct Inner {
    state: State,
    request: RunRequest,
    /// Entities that a newer run exports, too; all of them are of the request.
    superseded: BTreeSet<EntityRef>,
    /// Entities that it was asked for by name since the server started, as far as they are not taken back.
    heads: BTreeSet<EntityRef>,
}

/// One read of the snapshot.
pub(crate) struct Run {
    pub number: u64,
    folder: PathBuf,
    /// The engine's output.
    store: Arc<FolderStore>,
    pub options: RunOptions,
    pub progress: Progress,
    /// Set to end the run early.
    pub interrupted: Arc<AtomicBool>,
    /// The folder goes away with the last one who uses the run.
    doomed: AtomicBool,
    inner: Mutex<Inner>,
    manifest: ManifestView,
    lost: LostFiles,
}

impl Run {
    /// A run that is to come.
    pub(crate) fn new(number: u64, folder: PathBuf, request: RunRequest) -> Run {
        let is_head = |entity: &&EntityRef| !request.prefetched.contains(entity);
        let heads = request.entities.keys().filter(is_head).copied().collect();
        Run {
            number,
            store: Arc::new(FolderStore::new(data_folder::files(&folder))),
            folder,
            options: RunOptions {
                batched: request.batched,
                batch_size: request.batch_size,
            },
            progress: Progress::default(),
            interrupted: Arc::default(),
            doomed: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                state: State::Waiting,
                request,
                superseded: BTreeSet::new(),
                heads,
            }),
            manifest: ManifestView::default(),
            lost: LostFiles::default(),
        }
    }

    /// A run that an earlier server left: over, failed, or to be run again.
    pub(crate) fn found(number: u64, folder: PathBuf, request: RunRequest) -> Run {
        let timing = fs::read(folder.join(TIMING))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let error = request.error.clone();
        let mut run = Run::new(number, folder, request);
        // What an interrupted run finished can be had before it goes on.
        let manifest = run.store.manifest().ok();
        let is_over = manifest.as_ref().is_some_and(|it| it.finished_at.is_some());
        let state = match (is_over, error) {
            (_, Some(error)) => State::Failed(error),
            (true, None) => State::Ended,
            (false, None) => State::Waiting,
        };
        if state != State::Waiting {
            run.progress = Progress::ended(timing.unwrap_or_default());
        }
        let is_to_be_had = !matches!(state, State::Failed(_));
        run.manifest.set(manifest.filter(|_| is_to_be_had));
        run.lock().state = state;
        run
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a few assignments, so a panic elsewhere leaves nothing half-done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files that the engine wrote.
    pub(crate) fn contents(&self) -> &dyn Contents {
        &*self.store
    }

    /// Where the engine writes to.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    /// Takes away what the engine wrote, to begin anew.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.manifest.set(None);
        fs::remove_dir_all(data_folder::files(&self.folder))
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state.clone()
    }

    pub(crate) fn request(&self) -> RunRequest {
        self.lock().request.clone()
    }

    /// When the export of an entity was asked for.
    pub(crate) fn accepted_at(&self, entity: EntityRef) -> Option<String> {
        self.lock().request.entities.get(&entity).cloned()
    }

    /// The entities whose newest export this is.
    pub(crate) fn entities(&self) -> Vec<EntityRef> {
        let inner = self.lock();
        let entities = inner.request.entities.keys();
        entities
            .filter(|entity| !inner.superseded.contains(entity))
            .copied()
            .collect()
    }

    /// The ids of those of a kind.
    pub(crate) fn ids(&self, kind: Kind) -> Vec<i64> {
        let entities = self.entities().into_iter();
        let of_kind = entities.filter(|entity| entity.kind == kind);
        of_kind.map(|entity| entity.id).collect()
    }

    /// True if it is for nobody any more.
    pub(crate) fn is_nobodys(&self) -> bool {
        let inner = self.lock();
        inner.superseded.len() >= inner.request.entities.len()
    }

    /// For how many entities it was asked for by name, others than this one.
    pub(crate) fn asked_by_name(&self, but: EntityRef) -> usize {
        let inner = self.lock();
        inner.heads.iter().filter(|head| **head != but).count()
    }

    /// It was asked for for this entity alone; the others come with it.
    pub(crate) fn ask_by_name(&self, head: EntityRef) {
        self.lock().heads = BTreeSet::from([head]);
    }

    /// True if the export of an entity with this run's options need not be made once more: it waits, is under way, or is
    /// there, whole or as far as it can be had when somebody asks for the first time.
    pub(crate) fn serves(&self, entity: EntityRef) -> bool {
        match self.state() {
            State::Waiting | State::Running => {
                let inner = self.lock();
                inner.request.entities.contains_key(&entity) && !inner.superseded.contains(&entity)
            }
            State::Ended => self.is_complete_for(entity) || self.has_failed_unasked(entity),
            State::Failed(_) => false,
        }
    }

    /// True if something of an entity failed, and nobody has asked for it since it was made for its family. It would be the
    /// same again out of the same snapshot, and of a family with many such entities each would cost a read.
    pub(crate) fn has_failed_unasked(&self, entity: EntityRef) -> bool {
        let is_prefetched = self.lock().request.prefetched.contains(&entity);
        is_prefetched
            && self.is_over()
            && !self.manifest.is_complete(entity)
            && !self.lost.has(entity)
            && self.entry(entity).is_some()
    }

    /// Entities more, one of them by name. Only of a run that waits.
    pub(crate) fn add(&self, head: EntityRef, added: &RunRequest) {
        let mut inner = self.lock();
        for entity in added.entities.keys() {
            inner.superseded.remove(entity);
        }
        inner.request.join(added);
        inner.heads.insert(head);
    }

    /// An entity was asked for once more, or for the first time, for which this run does.
    pub(crate) fn promote(&self, entity: EntityRef, at: String) {
        let mut inner = self.lock();
        inner.superseded.remove(&entity);
        inner.request.prefetched.remove(&entity);
        inner.request.entities.insert(entity, at);
    }

    /// Takes entities out of the run.
    pub(crate) fn remove(&self, entities: &[EntityRef]) {
        let mut inner = self.lock();
        inner.request.leave_out(entities);
        for entity in entities {
            inner.superseded.remove(entity);
            inner.heads.remove(entity);
        }
    }

    /// Newer runs export the entities, too. If that is so of every entity, the run is for nobody, and ends.
    pub(crate) fn supersede(&self, entities: &[EntityRef]) {
        let mut inner = self.lock();
        for entity in entities {
            if inner.request.entities.contains_key(entity) {
                inner.superseded.insert(*entity);
            }
        }
        drop(inner);
        if self.is_nobodys() {
            self.interrupted.store(true, Ordering::Relaxed);
        }
    }

    /// The run begins, once more where an earlier server began it.
    pub(crate) fn begin(&self) {
        let mut inner = self.lock();
        inner.state = State::Running;
        inner.request.attempts += 1;
        self.progress.begin();
    }

    /// The run waits again: the server ends before it. It did not fail, so it was no attempt.
    pub(crate) fn wait_again(&self) {
        let mut inner = self.lock();
        inner.state = State::Waiting;
        inner.request.attempts = inner.request.attempts.saturating_sub(1);
    }

    /// The run is over.
    pub(crate) fn end(&self, outcome: RunOutcome) -> Timing {
        let mut inner = self.lock();
        match outcome {
            RunOutcome::Exported(manifest) => {
                inner.state = State::Ended;
                self.manifest.set(Some(*manifest));
            }
            RunOutcome::Failed(error) => {
                inner.request.error = Some(error.clone());
                inner.state = State::Failed(error);
                self.manifest.set(None);
            }
        }
        self.progress.end()
    }

    /// Keeps the times of a run that is over. Nobody needs them, so a full disk is no harm.
    pub(crate) fn keep(&self, timing: &Timing) {
        let written = serde_json::to_vec(timing)
            .map_err(io::Error::from)
            .and_then(|json| fs::write(self.folder.join(TIMING), json));
        if let Err(error) = written {
            tracing::warn!("cannot keep the times of export {}: {error}", self.number);
        }
    }

    /// The manifest as it is now; `None` where there is none yet, or none any more.
    pub(crate) fn manifest(&self) -> Option<Arc<Manifest>> {
        self.look();
        self.manifest.manifest()
    }

    /// The manifest as if these entities alone had been exported.
    pub(crate) fn manifest_of(&self, entities: &HashSet<EntityRef>) -> Option<Manifest> {
        self.look();
        self.manifest.only(entities)
    }

    /// An entity's entry in the manifest, and its position there, in the manifest as it is now.
    pub(crate) fn entry(&self, entity: EntityRef) -> Option<(usize, EntityEntry)> {
        self.look();
        self.manifest.entry(entity)
    }

    /// Looks at the engine's manifest again, if it may have changed.
    fn look(&self) {
        if self.state() == State::Running {
            self.manifest.refresh(|| self.store.manifest().ok());
        }
    }

    /// Looks whether the files of an entity are still where the run put them, or those of one relation. Before the run is over
    /// the engine sees to them. Blocks.
    pub(crate) fn look_for_files(&self, entity: EntityRef, relation: Option<&str>) {
        if !self.is_over() {
            return;
        }
        let Some((_, entry)) = self.entry(entity) else {
            return;
        };
        let relations = entry.relations.iter();
        let looked = relations.filter(|it| relation.is_none_or(|name| name == it.relation));
        let files = looked.flat_map(|relation| relation.files());
        for file in self.lost.look(&*self.store, entity, files) {
            tracing::warn!(
                number = self.number,
                "{} is not there any more, or not as it was; a new export is made when somebody asks for it",
                self.store.shown(file)
            );
        }
    }

    /// The files of an entity that are known to be gone.
    pub(crate) fn lost_files(&self, entity: EntityRef) -> BTreeSet<String> {
        self.lost.of(entity)
    }

    /// True where everything of an entity is there, and the run is over.
    pub(crate) fn is_complete_for(&self, entity: EntityRef) -> bool {
        self.is_over() && self.manifest.is_complete(entity) && !self.lost.has(entity)
    }

    /// The entities of which everything is there; none before the run is over.
    pub(crate) fn complete_entities(&self) -> Arc<HashSet<EntityRef>> {
        if !self.is_over() {
            return Arc::default();
        }
        let complete = self.manifest.complete();
        if self.lost.is_empty() {
            return complete;
        }
        let there = complete.iter().filter(|entity| !self.lost.has(**entity));
        Arc::new(there.copied().collect())
    }

    /// The entities of which everything is there so far.
    pub(crate) fn complete_so_far(&self) -> Arc<HashSet<EntityRef>> {
        self.look();
        self.manifest.complete()
    }

    /// True for a run that is over, if nothing beyond single relations is wrong.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().state == State::Ended
            && self
                .manifest
                .manifest()
                .is_some_and(|it| it.error.is_none())
    }

    /// The folder goes away as soon as nobody uses the run any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Relaxed) {
            let folder = std::mem::take(&mut self.folder);
            // From here on no server takes what is left of it for an export, however far the removal comes.
            if let Err(error) = data_folder::forget(&folder) {
                tracing::warn!(
                    "cannot take away the request in {}: {error}",
                    folder.display()
                );
            }
            // Whoever was the last to use it, a request perhaps, does not wait for the disk.
            let elsewhere = folder.clone();
            let started = thread::Builder::new().spawn(move || remove(&elsewhere));
            if started.is_err() {
                remove(&folder);
            }
        }
    }
}

/// Takes a run's folder away. Open downloads go on; what remains is found when the server starts next.
pub(crate) fn remove(folder: &Path) {
    if let Err(error) = data_folder::gone(fs::remove_dir_all(folder)) {
        tracing::warn!("cannot take away {}: {error}", folder.display());
    }
}
