//! Asking for exports.

use std::io;
use std::sync::Arc;

use super::{Inner, Left, Queue, note};
use crate::api::entity::EntityRef;
use crate::api::exports::data_folder::RunRequest;
use crate::api::exports::known::{Entry, There};
use crate::api::exports::run::{Run, RunOptions, State};
use crate::output::now;

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

/// What the others are that an export is asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FamilyRole {
    /// If the entity has to be exported, they are exported in the same read, as far as they have not been.
    Prefetched,
    /// They are exported as far as they have not been, whatever there is of the entity.
    Prepared,
    /// They are asked for, too.
    Asked,
}

/// What is asked for.
pub(crate) struct Order {
    pub entity: EntityRef,
    /// The others that are exported with it.
    pub family: Vec<EntityRef>,
    pub role: FamilyRole,
    pub options: RunOptions,
    /// What is there or under way already does not do.
    pub anew: bool,
}

/// What has to be done for an order.
#[derive(Default)]
struct Work {
    /// Entities of a new run.
    entering: Vec<(EntityRef, Entry)>,
    /// Entities that have another run than their newest with what is asked for.
    promoted: Left,
}

impl Queue {
    /// Asks for exports, all of them or none; gives how many are to be made. Those with the same options that wait, run or are
    /// complete are not made once more, unless the order says so. Writes the request to disk before it returns, so it blocks.
    ///
    /// # Errors
    /// If the queue is full or closed, or the request cannot be written; no export is new then.
    pub(crate) fn ask(&self, order: &Order) -> Result<usize, QueueFull> {
        let at = now();
        self.look_for_files(order);
        let mut inner = self.lock();
        if inner.closed {
            return Err(QueueFull::Closed);
        }
        let Work { entering, promoted } = self.work(order);
        if !entering.is_empty() && !self.has_room(&inner, order.entity) {
            return Err(QueueFull::Full);
        }
        self.promote(&mut inner, promoted, &at)?;
        if entering.is_empty() {
            return Ok(0);
        }
        let run = self.enter(&mut inner, order, &entering, &at)?;
        let mut left = Left::new();
        {
            let mut known = self.known();
            for (entity, how) in &entering {
                note(&mut left, *entity, known.enter(*entity, &run, *how));
            }
        }
        for (older, entities) in left.into_values() {
            self.leave(&mut inner, &older, &entities);
        }
        drop(inner);
        self.wake.notify_one();
        Ok(entering.len())
    }

    /// Looks whether the files are there of exports that the order would be answered with. Before anything is locked: a family
    /// has thousands of entities.
    fn look_for_files(&self, order: &Order) {
        let look = |entity: EntityRef| {
            for run in self.runs_of(entity).all() {
                if run.options == order.options {
                    run.look_for_files(entity, None);
                }
            }
        };
        look(order.entity);
        let is_there = || {
            !matches!(
                self.known().there(order.entity, order.options),
                There::Nothing
            )
        };
        // Then nobody looks at the others.
        if order.role == FamilyRole::Prefetched && !order.anew && is_there() {
            return;
        }
        order.family.iter().copied().for_each(look);
    }

    /// What has to be done for an order.
    fn work(&self, order: &Order) -> Work {
        let mut work = Work::default();
        let known = self.known();
        // What waits has not begun, so nothing is newer.
        let does = |run: &Run| !order.anew || run.state() == State::Waiting;
        let look = |work: &mut Work, entity: EntityRef, how: Entry| match known
            .there(entity, order.options)
        {
            // A server that is started again may find what it lacked: git, say.
            There::Newest(run) | There::Other(run)
                if order.role == FamilyRole::Prepared && run.has_failed_unasked(entity) =>
            {
                work.entering.push((entity, how));
            }
            There::Newest(_) | There::Other(_) if how == Entry::Prefetched => {}
            // Whoever asks again has it made anew.
            There::Newest(run) if does(&run) && run.has_failed_unasked(entity) => {
                note(&mut work.promoted, entity, vec![run]);
            }
            There::Newest(run) if does(&run) => {}
            There::Other(run) if does(&run) => note(&mut work.promoted, entity, vec![run]),
            There::Nothing | There::Newest(_) | There::Other(_) => {
                work.entering.push((entity, how));
            }
        };
        // What is prepared nobody has asked for yet.
        let head = match order.role {
            FamilyRole::Prepared => Entry::Prefetched,
            FamilyRole::Prefetched | FamilyRole::Asked => Entry::Asked,
        };
        look(&mut work, order.entity, head);
        let how = match order.role {
            FamilyRole::Prefetched if work.entering.is_empty() => return work,
            FamilyRole::Prefetched | FamilyRole::Prepared => Entry::Prefetched,
            FamilyRole::Asked => Entry::Asked,
        };
        for other in &order.family {
            if *other != order.entity {
                look(&mut work, *other, how);
            }
        }
        work
    }

    /// True if an export may wait. Without any room exports are only to be read.
    fn has_room(&self, inner: &Inner, entity: EntityRef) -> bool {
        let others = inner.waiting.iter().map(|run| run.asked_by_name(entity));
        others.sum::<usize>() < self.room
    }

    /// Entities are asked for that have another run than their newest which does.
    fn promote(&self, inner: &mut Inner, promoted: Left, at: &str) -> io::Result<()> {
        for (run, entities) in promoted.into_values() {
            let mut request = run.request();
            for entity in &entities {
                request.prefetched.remove(entity);
                request.entities.insert(*entity, at.to_owned());
            }
            self.folder.write(run.number, &request)?;
            let mut left = Left::new();
            for entity in entities {
                run.promote(entity, at.to_owned());
                note(&mut left, entity, self.known().promote(entity, &run));
            }
            for (older, entities) in left.into_values() {
                self.leave(inner, &older, &entities);
            }
        }
        Ok(())
    }

    /// Puts entities into the run that waits with the same options, or into a new one.
    fn enter(
        &self,
        inner: &mut Inner,
        order: &Order,
        entering: &[(EntityRef, Entry)],
        at: &str,
    ) -> io::Result<Arc<Run>> {
        let prefetched = entering
            .iter()
            .filter(|(_, how)| *how == Entry::Prefetched)
            .map(|(entity, _)| *entity);
        let added = RunRequest {
            entities: entering
                .iter()
                .map(|(entity, _)| (*entity, at.to_owned()))
                .collect(),
            prefetched: prefetched.collect(),
            batched: order.options.batched,
            batch_size: order.options.batch_size,
            attempts: 0,
            error: None,
        };
        let same = |run: &&Arc<Run>| run.options == order.options;
        if let Some(run) = inner.waiting.iter().find(same).cloned() {
            let mut request = run.request();
            request.join(&added);
            self.folder.write(run.number, &request)?;
            run.add(order.entity, &added);
            return Ok(run);
        }
        let number = inner.next + 1;
        self.folder.write(number, &added)?;
        inner.next = number;
        let run = Arc::new(Run::new(number, self.folder.run(number), added));
        run.ask_by_name(order.entity);
        inner.waiting.push_back(Arc::clone(&run));
        Ok(run)
    }

    /// Entities have a newer run than this one.
    fn leave(&self, inner: &mut Inner, older: &Arc<Run>, entities: &[EntityRef]) {
        if older.state() == State::Waiting {
            older.remove(entities);
            if older.is_nobodys() {
                inner.waiting.retain(|run| !Arc::ptr_eq(run, older));
                older.doom();
            } else if let Err(error) = self.folder.write(older.number, &older.request()) {
                // After a restart the entities would be exported twice, and the newer run would win.
                let number = older.number;
                tracing::warn!("cannot rewrite the request of export {number}: {error}");
            }
            return;
        }
        older.supersede(entities);
        self.known().sweep(older);
    }
}
