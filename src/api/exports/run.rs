//! A run: one read of the snapshot for one or many groups.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::data_folder::{self, RunRequest};
use super::progress::{Progress, Timing};
use crate::output::{Contents, EntityEntry, FolderStore, Manifest, Status, Store};

/// How old what is known of a running export's manifest may be. The engine writes it every quarter of a second.
const FRESH: Duration = Duration::from_millis(100);

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
    Exported(Arc<Manifest>),
    /// To nothing, for this reason.
    Failed(String),
}

struct Inner {
    state: State,
    request: RunRequest,
    /// Groups that a newer run exports, too.
    superseded: BTreeSet<i64>,
    manifest: Option<Arc<Manifest>>,
    read_at: Option<Instant>,
}

/// One read of the snapshot.
pub(crate) struct Run {
    pub number: u64,
    folder: PathBuf,
    /// The engine's output.
    store: Arc<FolderStore>,
    pub batched: bool,
    pub batch_size: u32,
    pub progress: Progress,
    /// Set to end the run early.
    pub interrupted: Arc<AtomicBool>,
    /// The folder goes away with the last one who uses the run.
    doomed: AtomicBool,
    inner: Mutex<Inner>,
}

impl Run {
    /// A run that is to come.
    pub(crate) fn new(number: u64, folder: PathBuf, request: RunRequest) -> Run {
        Run {
            number,
            store: Arc::new(FolderStore::new(data_folder::files(&folder))),
            folder,
            batched: request.batched,
            batch_size: request.batch_size,
            progress: Progress::default(),
            interrupted: Arc::default(),
            doomed: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                state: State::Waiting,
                request,
                superseded: BTreeSet::new(),
                manifest: None,
                read_at: None,
            }),
        }
    }

    /// A run that an earlier server left: over, failed, or to be run again.
    pub(crate) fn found(number: u64, folder: PathBuf, request: RunRequest) -> Run {
        let timing = fs::read(folder.join(TIMING))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let error = request.error.clone();
        let mut run = Run::new(number, folder, request);
        let manifest = run.store.manifest().ok();
        let over = manifest.filter(|manifest| manifest.finished_at.is_some());
        let state = match (&over, error) {
            (_, Some(error)) => State::Failed(error),
            (Some(_), None) => State::Ended,
            (None, None) => State::Waiting,
        };
        if state != State::Waiting {
            run.progress = Progress::ended(timing.unwrap_or_default());
        }
        let mut inner = run.lock();
        inner.manifest = over.map(Arc::new);
        inner.state = state;
        drop(inner);
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
        fs::remove_dir_all(data_folder::files(&self.folder))
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state.clone()
    }

    pub(crate) fn request(&self) -> RunRequest {
        self.lock().request.clone()
    }

    /// When the export of a group was asked for.
    pub(crate) fn accepted_at(&self, group: i64) -> Option<String> {
        self.lock().request.groups.get(&group).cloned()
    }

    /// The groups whose newest export this is.
    pub(crate) fn groups(&self) -> Vec<i64> {
        let inner = self.lock();
        let groups = inner.request.groups.keys();
        groups
            .filter(|group| !inner.superseded.contains(group))
            .copied()
            .collect()
    }

    /// One group more. Only of a run that waits.
    pub(crate) fn add(&self, group: i64, at: String) {
        let mut inner = self.lock();
        inner.superseded.remove(&group);
        inner.request.groups.insert(group, at);
    }

    /// Takes a group out of the run.
    pub(crate) fn remove(&self, group: i64) {
        self.lock().request.groups.remove(&group);
    }

    /// A newer run exports the group, too. Where that is so of every group, the run is for nobody.
    pub(crate) fn supersede(&self, group: i64) -> bool {
        let mut inner = self.lock();
        inner.superseded.insert(group);
        let Inner {
            request,
            superseded,
            ..
        } = &*inner;
        let nobodys = request
            .groups
            .keys()
            .all(|group| superseded.contains(group));
        drop(inner);
        if nobodys {
            self.interrupted.store(true, Ordering::Relaxed);
        }
        nobodys
    }

    /// The run begins, once more where an earlier server began it.
    pub(crate) fn begin(&self) {
        let mut inner = self.lock();
        inner.state = State::Running;
        inner.request.attempts += 1;
        inner.manifest = None;
        inner.read_at = None;
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
                inner.manifest = Some(manifest);
                inner.state = State::Ended;
            }
            RunOutcome::Failed(error) => {
                inner.manifest = None;
                inner.request.error = Some(error.clone());
                inner.state = State::Failed(error);
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
        let mut inner = self.lock();
        if inner.state == State::Running && inner.read_at.is_none_or(|at| at.elapsed() >= FRESH) {
            if let Ok(manifest) = self.store.manifest() {
                inner.manifest = Some(Arc::new(manifest));
            }
            inner.read_at = Some(Instant::now());
        }
        inner.manifest.clone()
    }

    /// True where everything of a group is there.
    pub(crate) fn is_complete_for(&self, group: i64) -> bool {
        let over = self.over();
        let entity = over.as_deref().and_then(|found| entity(found, group));
        entity.is_some_and(|(_, entity)| is_complete(entity))
    }

    /// The groups of which everything is there.
    pub(crate) fn complete_groups(&self) -> HashSet<i64> {
        let over = self.over();
        let entities = over.iter().flat_map(|found| &found.entities);
        let complete = entities.filter(|entity| is_complete(entity));
        complete.filter_map(|entity| entity.id.integer()).collect()
    }

    /// The manifest of a run that is over, where nothing beyond single relations is wrong.
    fn over(&self) -> Option<Arc<Manifest>> {
        let inner = self.lock();
        let manifest = inner.manifest.clone();
        manifest.filter(|found| inner.state == State::Ended && found.error.is_none())
    }

    /// The folder goes away as soon as nobody uses the run any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }
}

fn is_complete(entity: &EntityEntry) -> bool {
    let mut relations = entity.relations.iter();
    relations.all(|relation| relation.status == Status::Finished)
}

/// The entry of a group in a manifest, and its position.
pub(crate) fn entity(manifest: &Manifest, group: i64) -> Option<(usize, &EntityEntry)> {
    let mut entities = manifest.entities.iter().enumerate();
    entities.find(|(_, entity)| entity.id.integer() == Some(group))
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Relaxed) {
            // Whoever was the last to use it, a request perhaps, does not wait for the disk.
            let folder = std::mem::take(&mut self.folder);
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
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!("cannot take away {}: {error}", folder.display());
    }
}
