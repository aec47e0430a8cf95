//! What every entity has: its runs.

use std::collections::HashMap;
use std::sync::Arc;

use super::run::{Run, RunOptions, State};
use crate::api::entity::EntityRef;

/// What an entity has.
#[derive(Clone, Default)]
pub(crate) struct EntityRuns {
    /// The run that was asked for last, or was begun for its family before anybody asked.
    pub newest: Option<Arc<Run>>,
    /// The last run with everything of the entity in it.
    pub complete: Option<Arc<Run>>,
    /// A run for its family with other options than the newest. It becomes the newest when the entity is asked for with these.
    pub ahead: Option<Arc<Run>>,
}

impl EntityRuns {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.newest.iter().chain(&self.complete).chain(&self.ahead)
    }
}

/// How an entity came into a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It was asked for.
    Asked,
    /// Others of its family were.
    Prefetched,
}

/// What there is of an export that is asked for.
pub(super) enum There {
    Nothing,
    /// The newest run is that export.
    Newest(Arc<Run>),
    /// Another one is: one for the entity's family, or the last complete one.
    Other(Arc<Run>),
}

/// What every entity has, of those that were ever asked for.
#[derive(Default)]
pub(super) struct Known(HashMap<EntityRef, EntityRuns>);

impl Known {
    pub(super) fn of(&self, entity: EntityRef) -> EntityRuns {
        self.0.get(&entity).cloned().unwrap_or_default()
    }

    pub(super) fn all(&self) -> Vec<(EntityRef, EntityRuns)> {
        let all = self.0.iter();
        all.map(|(entity, runs)| (*entity, runs.clone())).collect()
    }

    /// What there is of an entity's export with these options.
    pub(super) fn there(&self, entity: EntityRef, options: RunOptions) -> There {
        let serves = |run: &&Arc<Run>| run.options == options && run.serves(entity);
        let Some(runs) = self.0.get(&entity) else {
            return There::Nothing;
        };
        if let Some(newest) = runs.newest.as_ref().filter(serves) {
            return There::Newest(Arc::clone(newest));
        }
        let mut others = runs.ahead.iter().chain(&runs.complete);
        match others.find(serves) {
            Some(other) => There::Other(Arc::clone(other)),
            None => There::Nothing,
        }
    }

    /// A new run exports the entity. Gives the runs whose place it takes.
    pub(super) fn enter(&mut self, entity: EntityRef, run: &Arc<Run>, how: Entry) -> Vec<Arc<Run>> {
        let runs = self.0.entry(entity).or_default();
        let is_other = |newest: &Arc<Run>| newest.options != run.options;
        let goes_ahead = how == Entry::Prefetched && runs.newest.as_ref().is_some_and(is_other);
        let mut left = Vec::new();
        if goes_ahead {
            left.extend(runs.ahead.replace(Arc::clone(run)));
        } else {
            left.extend(runs.newest.replace(Arc::clone(run)));
            let is_same = |ahead: &mut Arc<Run>| ahead.options == run.options;
            left.extend(runs.ahead.take_if(is_same));
        }
        left.retain(|older| !Arc::ptr_eq(older, run));
        left
    }

    /// Another run that the entity has becomes its newest. Gives the runs whose place it takes.
    pub(super) fn promote(&mut self, entity: EntityRef, run: &Arc<Run>) -> Vec<Arc<Run>> {
        let runs = self.0.entry(entity).or_default();
        runs.ahead.take_if(|ahead| Arc::ptr_eq(ahead, run));
        let mut left = Vec::new();
        if run.is_complete_for(entity) {
            left.extend(runs.complete.replace(Arc::clone(run)));
        }
        left.extend(runs.newest.replace(Arc::clone(run)));
        left.retain(|older| !Arc::ptr_eq(older, run));
        left
    }

    /// Puts in what an earlier server left, in order of the runs' numbers. Gives the runs whose place it takes.
    pub(super) fn put_back(
        &mut self,
        entity: EntityRef,
        run: &Arc<Run>,
        how: Entry,
    ) -> Vec<Arc<Run>> {
        let is_complete = run.is_complete_for(entity);
        let newest = self.0.get(&entity).and_then(|runs| runs.newest.as_ref());
        // A run for the family may have been asked for later than one with a higher number.
        let is_older = newest.is_some_and(|newest| {
            how == Entry::Asked && newest.accepted_at(entity) > run.accepted_at(entity)
        });
        let mut left = match is_older {
            true => vec![Arc::clone(run)],
            false => self.enter(entity, run, how),
        };
        let runs = self.0.entry(entity).or_default();
        let is_ahead = runs.ahead.as_ref().is_some_and(|it| Arc::ptr_eq(it, run));
        if is_complete && !is_ahead {
            left.extend(runs.complete.replace(Arc::clone(run)));
        }
        left
    }

    /// Takes the entity's run back; what it had before is its newest export again. False if the entity has not that run.
    pub(super) fn take_back(&mut self, entity: EntityRef, run: &Arc<Run>) -> bool {
        let Some(runs) = self.0.get_mut(&entity) else {
            return false;
        };
        let is_it = |held: &mut Arc<Run>| Arc::ptr_eq(held, run);
        if runs.ahead.take_if(is_it).is_some() {
            return true;
        }
        if runs.newest.take_if(is_it).is_none() {
            return false;
        }
        runs.newest = runs.complete.clone();
        if runs.all().next().is_none() {
            self.0.remove(&entity);
        }
        true
    }

    /// A run is over. Gives the runs whose place it takes, each once.
    pub(super) fn ended(&mut self, run: &Arc<Run>) -> Vec<Arc<Run>> {
        let mut left: Vec<Arc<Run>> = Vec::new();
        let request = run.request();
        for entity in run.complete_entities().iter() {
            // One that was taken back is not in the request any more. One that is asked for once more meanwhile is: what waits
            // or runs of it has no files yet.
            if !request.entities.contains_key(entity) {
                continue;
            }
            let runs = self.0.entry(*entity).or_default();
            if runs.ahead.as_ref().is_some_and(|it| Arc::ptr_eq(it, run)) {
                continue;
            }
            runs.newest.get_or_insert_with(|| Arc::clone(run));
            let complete = runs.complete.as_ref();
            if complete.is_some_and(|complete| complete.number > run.number) {
                continue;
            }
            left.extend(runs.complete.replace(Arc::clone(run)));
        }
        left.sort_by_key(|older| older.number);
        left.dedup_by_key(|older| older.number);
        left
    }

    /// True if an entity needs the run.
    pub(super) fn uses(&self, run: &Arc<Run>) -> bool {
        let mut all = self.0.values().flat_map(EntityRuns::all);
        all.any(|used| Arc::ptr_eq(used, run))
    }

    /// Takes a run away that is over and that no entity needs any more.
    pub(super) fn sweep(&self, run: &Arc<Run>) {
        let is_over = matches!(run.state(), State::Ended | State::Failed(_));
        if is_over && !self.uses(run) {
            run.doom();
        }
    }
}
