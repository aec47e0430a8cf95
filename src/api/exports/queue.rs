//! The queue: what was asked for and has not begun, and what every entity has.
//!
//! Entities that wait with the same options wait as one run, because one read of the snapshot serves any number of
//! entities. The snapshot does not change, so an export that is there, or on its way, is not made a second time.

mod ask;
mod cancel;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::data_folder::SnapshotFolder;
use super::known::{EntityRuns, Entry, Known};
use super::run::{Run, State, remove};
use crate::api::entity::{EntityRef, Kind};

pub(crate) use ask::{FamilyRole, Order, QueueFull};

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Arc<Run>>,
    running: Vec<Arc<Run>>,
    next: u64,
    closed: bool,
}

/// Runs that wait, run and are over.
pub(crate) struct Queue {
    folder: SnapshotFolder,
    /// Exports that may wait; what is exported with one because it is of its family is no other.
    room: usize,
    /// Held while a request is written to disk, so not for those who only ask what there is.
    inner: Mutex<Inner>,
    /// What every entity has. Locked for moments, behind `inner` where both are.
    known: Mutex<Known>,
    wake: Condvar,
    /// A run is over, or the server ends.
    over: Condvar,
}

/// Entities that older runs are not needed for any more, by the number of the run.
type Left = BTreeMap<u64, (Arc<Run>, Vec<EntityRef>)>;

/// Notes that older runs are not needed for an entity any more.
fn note(left: &mut Left, entity: EntityRef, older: Vec<Arc<Run>>) {
    for run in older {
        let (_, entities) = left.entry(run.number).or_insert((run, Vec::new()));
        entities.push(entity);
    }
}

impl Queue {
    /// Takes over what an earlier server left: what is complete is there, what was interrupted waits again.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(folder: SnapshotFolder, room: usize) -> io::Result<Queue> {
        let mut inner = Inner::default();
        let mut known = Known::default();
        let mut all = Vec::new();
        let (runs, last) = folder.runs()?;
        inner.next = last;
        for (number, request) in runs {
            all.push(Arc::new(Run::found(number, folder.run(number), request)));
        }
        let mut left = Left::new();
        for run in &all {
            let request = run.request();
            for entity in request.entities.keys() {
                let how = match request.prefetched.contains(entity) {
                    true => Entry::Prefetched,
                    false => Entry::Asked,
                };
                note(&mut left, *entity, known.put_back(*entity, run, how));
            }
        }
        for (run, entities) in left.into_values() {
            // A complete export may have given its place to a newer one and still be the entity's newest.
            let is_newest = |entity: &EntityRef| {
                let newest = known.of(*entity).newest;
                newest.is_some_and(|newest| Arc::ptr_eq(&newest, &run))
            };
            let entities: Vec<EntityRef> =
                entities.into_iter().filter(|it| !is_newest(it)).collect();
            run.supersede(&entities);
        }
        for run in all {
            if run.state() == State::Waiting && !run.is_nobodys() {
                inner.waiting.push_back(run);
                continue;
            }
            if !known.uses(&run) {
                remove(&folder.run(run.number));
            }
        }
        Ok(Queue {
            folder,
            room,
            inner: Mutex::new(inner),
            known: Mutex::new(known),
            wake: Condvar::new(),
            over: Condvar::new(),
        })
    }

    pub(crate) fn folder(&self) -> &SnapshotFolder {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What is changed under the lock is whole again before anything that can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a run's request as it is now, never one from before an entity was taken back.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn keep(&self, run: &Run) -> io::Result<()> {
        let _inner = self.lock();
        self.folder.write(run.number, &run.request())
    }

    /// What an entity has.
    pub(crate) fn runs_of(&self, entity: EntityRef) -> EntityRuns {
        self.known().of(entity)
    }

    /// The newest runs of entities, in their order.
    pub(crate) fn newest_of(&self, entities: &[EntityRef]) -> Vec<Option<Arc<Run>>> {
        let known = self.known();
        let newest = entities.iter().map(|entity| known.of(*entity).newest);
        newest.collect()
    }

    /// What every entity has, of those that were ever asked for.
    pub(crate) fn all(&self) -> Vec<(EntityRef, EntityRuns)> {
        self.known().all()
    }

    /// How many entities wait before this run begins; `None` where it does not wait.
    pub(crate) fn place_of(&self, run: &Arc<Run>) -> Option<usize> {
        let inner = self.lock();
        let mut waiting = inner.waiting.iter();
        let at = waiting.position(|waiting| Arc::ptr_eq(waiting, run))?;
        let before = inner.waiting.iter().take(at);
        Some(before.map(|run| run.entities().len()).sum())
    }

    /// How many entities of a kind wait and run.
    pub(crate) fn counts(&self, kind: Kind) -> (usize, usize) {
        let inner = self.lock();
        let waiting = inner.waiting.iter().map(|run| run.ids(kind).len());
        let running = inner.running.iter().map(|run| run.ids(kind).len());
        (waiting.sum(), running.sum())
    }

    /// Waits for a run to begin; `None` when the server ends.
    pub(crate) fn next(&self) -> Option<Arc<Run>> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(run) = inner.waiting.pop_front() {
                // Under the lock, so that no entity is taken out of it any more.
                run.begin();
                inner.running.push(Arc::clone(&run));
                return Some(run);
            }
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A run is over, or waits again where the server ends before it.
    pub(crate) fn ended(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        inner.running.retain(|running| !Arc::ptr_eq(running, run));
        if run.state() == State::Waiting {
            return;
        }
        let mut known = self.known();
        for older in known.ended(run) {
            known.sweep(&older);
        }
        known.sweep(run);
        drop(known);
        self.over.notify_all();
    }

    /// Waits until no export of these waits or runs; gives those that are not complete. `None` when the server ends.
    pub(crate) fn wait_for(&self, entities: &[EntityRef]) -> Option<Vec<EntityRef>> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            let newest = self.newest_of(entities);
            let is_under_way =
                |run: &Arc<Run>| matches!(run.state(), State::Waiting | State::Running);
            if !newest.iter().flatten().any(is_under_way) {
                let all = entities.iter().zip(&newest);
                let incomplete = all.filter(|(entity, run)| {
                    let run = run.as_ref();
                    !run.is_some_and(|run| run.is_complete_for(**entity))
                });
                return Some(incomplete.map(|(entity, _)| *entity).collect());
            }
            inner = self
                .over
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody needs this run any more, and it came to nothing.
    pub(crate) fn dropped(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        inner.running.retain(|running| !Arc::ptr_eq(running, run));
        run.doom();
        self.over.notify_all();
    }

    /// No run begins from now on, and those that run end early.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        for run in &inner.running {
            run.interrupted.store(true, Ordering::Relaxed);
        }
        drop(inner);
        self.wake.notify_all();
        self.over.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}
