//! The queue: what was asked for and has not begun, and what every group has.
//!
//! Groups that wait with the same options wait as one run, because one read of the snapshot serves any number of
//! groups.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::data_folder::{RunRequest, SnapshotFolder};
use super::run::{Run, State, remove};
use crate::output::now;

/// What a group has.
#[derive(Clone, Default)]
pub(crate) struct GroupRuns {
    /// The run that was asked for last.
    pub newest: Option<Arc<Run>>,
    /// The last run with everything of the group in it.
    pub complete: Option<Arc<Run>>,
}

/// Why an export is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueFull {
    #[error("the queue is full")]
    Full,
    #[error("the server is ending")]
    Closed,
    #[error("cannot write the request: {0}")]
    Io(#[from] io::Error),
}

type RunsByGroup = HashMap<i64, GroupRuns>;

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
    /// Groups that may wait.
    room: usize,
    /// Held while a request is written to disk, so not for those who only ask what there is.
    inner: Mutex<Inner>,
    /// What every group has. Locked for moments, behind `inner` where both are.
    known: Mutex<RunsByGroup>,
    wake: Condvar,
}

impl Queue {
    /// Takes over what an earlier server left: what is complete is there, what was interrupted waits again.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn open(folder: SnapshotFolder, room: usize) -> io::Result<Queue> {
        let mut inner = Inner::default();
        let mut known = RunsByGroup::new();
        let mut all = Vec::new();
        let (runs, last) = folder.runs()?;
        inner.next = last;
        for (number, request) in runs {
            all.push(Arc::new(Run::found(number, folder.run(number), request)));
        }
        for run in &all {
            for group in run.groups() {
                let runs = known.entry(group).or_default();
                if let Some(older) = runs.newest.replace(Arc::clone(run)) {
                    older.supersede(group);
                }
                if run.is_complete_for(group) {
                    runs.complete = Some(Arc::clone(run));
                }
            }
        }
        for run in all {
            if run.state() == State::Waiting && !run.groups().is_empty() {
                inner.waiting.push_back(run);
                continue;
            }
            if !uses(&known, &run) {
                remove(&folder.run(run.number));
            }
        }
        Ok(Queue {
            folder,
            room,
            inner: Mutex::new(inner),
            known: Mutex::new(known),
            wake: Condvar::new(),
        })
    }

    pub(crate) fn folder(&self) -> &SnapshotFolder {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What is changed under the lock is whole again before anything that can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, RunsByGroup> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the export of groups, all of them or none. Writes the request to disk before it returns, so it blocks.
    ///
    /// # Errors
    /// Where the queue is full or closed, or the request cannot be written; nothing has changed then.
    pub(crate) fn ask(
        &self,
        wanted: &[i64],
        batched: bool,
        batch_size: u32,
    ) -> Result<(), QueueFull> {
        let at = now();
        let mut inner = self.lock();
        if inner.closed {
            return Err(QueueFull::Closed);
        }
        let waiting: BTreeSet<i64> = inner.waiting.iter().flat_map(|run| run.groups()).collect();
        let added = wanted.iter().filter(|group| !waiting.contains(group));
        let added = added.count();
        // A group with more subgroups than there is room waits alone, or it could never be exported with them. Without any
        // room exports are only to be read.
        let alone = waiting.is_empty() && self.room > 0;
        if added > 0 && !alone && waiting.len() + added > self.room {
            return Err(QueueFull::Full);
        }
        let same = |run: &&Arc<Run>| run.batched == batched && run.batch_size == batch_size;
        let asked = wanted.iter().map(|group| (*group, at.clone()));
        let run = match inner.waiting.iter().find(same).cloned() {
            Some(run) => {
                let mut request = run.request();
                request.groups.extend(asked.clone());
                self.folder.write(run.number, &request)?;
                for (group, at) in asked {
                    run.add(group, at);
                }
                run
            }
            None => {
                let number = inner.next + 1;
                let request = RunRequest {
                    groups: asked.collect(),
                    batched,
                    batch_size,
                    attempts: 0,
                    error: None,
                };
                self.folder.write(number, &request)?;
                inner.next = number;
                let run = Arc::new(Run::new(number, self.folder.run(number), request));
                inner.waiting.push_back(Arc::clone(&run));
                run
            }
        };
        let mut left: BTreeMap<u64, (Arc<Run>, Vec<i64>)> = BTreeMap::new();
        {
            let mut known = self.known();
            for group in wanted {
                let newest = &mut known.entry(*group).or_default().newest;
                let older = newest.replace(Arc::clone(&run));
                if let Some(older) = older.filter(|older| !Arc::ptr_eq(older, &run)) {
                    let entry = left.entry(older.number).or_insert((older, Vec::new()));
                    entry.1.push(*group);
                }
            }
        }
        for (older, groups) in left.into_values() {
            self.leave(&mut inner, &older, &groups);
        }
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Groups have a newer run than this one.
    fn leave(&self, inner: &mut Inner, older: &Arc<Run>, groups: &[i64]) {
        if older.state() == State::Waiting {
            for group in groups {
                older.remove(*group);
            }
            if older.groups().is_empty() {
                inner.waiting.retain(|run| !Arc::ptr_eq(run, older));
                older.doom();
            } else if let Err(error) = self.folder.write(older.number, &older.request()) {
                // After a restart the groups would be exported twice, and the newer run would win.
                tracing::warn!(
                    "cannot rewrite the request of export {}: {error}",
                    older.number
                );
            }
            return;
        }
        for group in groups {
            older.supersede(*group);
        }
        sweep(&self.known(), older);
    }

    /// Takes groups back whose export waits or runs; what they had before is their newest export again. A run that nobody
    /// else needs ends, and nothing of it stays. Gives how many groups were taken back. Writes to disk, so it blocks.
    ///
    /// # Errors
    /// Where a request cannot be rewritten; the groups that are not taken back by then stay.
    pub(crate) fn cancel(&self, groups: &[i64]) -> io::Result<usize> {
        let mut inner = self.lock();
        let wanted: BTreeSet<i64> = groups.iter().copied().collect();
        let mut count = 0;
        // A group that waits may be in a run that goes on for others, too, which would bring it back.
        let both = inner.waiting.iter().chain(&inner.running);
        let runs: Vec<Arc<Run>> = both.cloned().collect();
        for run in runs {
            let mut request = run.request();
            let is_asked = |group: &i64| wanted.contains(group);
            let groups: Vec<i64> = request.groups.keys().copied().filter(is_asked).collect();
            let is_under_way = matches!(run.state(), State::Waiting | State::Running);
            if groups.is_empty() || !is_under_way {
                continue;
            }
            request.groups.retain(|group, _| !is_asked(group));
            // On disk first: what is taken back must not come again with the next start.
            self.folder.write(run.number, &request)?;
            let mut known = self.known();
            for group in groups {
                run.remove(group);
                let newest = known.get(&group).and_then(|runs| runs.newest.as_ref());
                if !newest.is_some_and(|newest| Arc::ptr_eq(newest, &run)) {
                    continue;
                }
                count += 1;
                if let Some(complete) = known.remove(&group).and_then(|runs| runs.complete) {
                    let newest = Some(Arc::clone(&complete));
                    let complete = Some(complete);
                    known.insert(group, GroupRuns { newest, complete });
                }
            }
            drop(known);
            if !run.groups().is_empty() {
                continue;
            }
            match run.state() {
                State::Waiting => {
                    inner.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &run));
                    run.doom();
                }
                // Its thread takes it away when it has come to its end.
                State::Running | State::Ended | State::Failed(_) => {
                    run.interrupted.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(count)
    }

    /// Writes a run's request as it is now, never one from before a group was taken back.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn keep(&self, run: &Run) -> io::Result<()> {
        let _inner = self.lock();
        self.folder.write(run.number, &run.request())
    }

    /// What a group has.
    pub(crate) fn runs_of(&self, group: i64) -> GroupRuns {
        self.known().get(&group).cloned().unwrap_or_default()
    }

    /// How many groups wait before this run begins; `None` where it does not wait.
    pub(crate) fn place_of(&self, run: &Arc<Run>) -> Option<usize> {
        let inner = self.lock();
        let at = inner
            .waiting
            .iter()
            .position(|waiting| Arc::ptr_eq(waiting, run))?;
        Some(groups(inner.waiting.iter().take(at)))
    }

    /// Waits for a run to begin; `None` when the server ends.
    pub(crate) fn next(&self) -> Option<Arc<Run>> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(run) = inner.waiting.pop_front() {
                // Under the lock, so that no group is taken out of it any more.
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
        let mut older = Vec::new();
        let request = run.request();
        for group in run.complete_groups() {
            // Also for groups that are asked for once more meanwhile: what waits or runs of them has no files yet.
            if !request.groups.contains_key(&group) {
                continue;
            }
            let runs = known.entry(group).or_default();
            runs.newest.get_or_insert_with(|| Arc::clone(run));
            let newer = runs
                .complete
                .as_ref()
                .filter(|complete| complete.number > run.number);
            if newer.is_none() {
                older.extend(runs.complete.replace(Arc::clone(run)));
            }
        }
        for older in older {
            sweep(&known, &older);
        }
        sweep(&known, run);
    }

    /// Nobody needs this run any more, and it came to nothing.
    pub(crate) fn dropped(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        inner.running.retain(|running| !Arc::ptr_eq(running, run));
        run.doom();
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
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// What every group has, of those that were ever asked for.
    pub(crate) fn all(&self) -> Vec<(i64, GroupRuns)> {
        let known = self.known();
        let groups = known.iter();
        groups.map(|(group, runs)| (*group, runs.clone())).collect()
    }

    /// How many groups wait and run.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let inner = self.lock();
        (groups(inner.waiting.iter()), groups(inner.running.iter()))
    }
}

/// True where a group needs the run.
fn uses(known: &RunsByGroup, run: &Arc<Run>) -> bool {
    known.values().any(|runs| {
        let mut both = runs.newest.iter().chain(&runs.complete);
        both.any(|used| Arc::ptr_eq(used, run))
    })
}

/// Takes a run away that is over and that no group needs any more.
fn sweep(known: &RunsByGroup, run: &Arc<Run>) {
    let is_over = matches!(run.state(), State::Ended | State::Failed(_));
    if is_over && !uses(known, run) {
        run.doom();
    }
}

fn groups<'a>(runs: impl Iterator<Item = &'a Arc<Run>>) -> usize {
    runs.map(|run| run.groups().len()).sum()
}
